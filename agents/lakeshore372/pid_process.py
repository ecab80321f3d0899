"""Process that holds a temperature with a software loop, for what the unit's own loop cannot."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from agents.lakeshore.link import Cancelled, InstrumentLink
from agents.lakeshore.messages import InstrumentError
from agents.lakeshore.operations import reporting
from agents.lakeshore.outage import Backoff
from agents.lakeshore372.limits import Limits
from agents.lakeshore372.output_params import HEATERS, Wait, heater_name, range_step
from agents.lakeshore372.output_tables import Output
from agents.lakeshore372.outputs import Outputs
from agents.lakeshore372.pid_heater import PidHeater
from agents.lakeshore372.pid_loop import LoopSettings, PidLoop
from ocs.ocs_agent import OCSAgent, OpSession, param

__all__ = ["PidProcess"]

ZERO_TRIES = 6
"""How often the heater is told to be at zero in the end, over about 10 s."""


def _whole(value: Any) -> int:
    """Read a channel, which existing clients may send as 2.0."""
    number = int(value)
    if number != value:
        raise ValueError(f"{value!r} is no channel")
    return number


def _is_term(value: float) -> bool:
    return 0 <= value < math.inf


class PidProcess:
    """Starts, stops and tidies up after the process ``custom_pid``.

    Args:
        agent: the OCS agent it lives in.
        driver: speaks with the unit.
        limits: what the site allows.
        clock: Unix time in seconds, for time stamps.
        steady: seconds that only ever grow, for all waiting: no correction of the clock may stop a
            loop or a deadline.
        wait: how time passes between readings.
    """

    def __init__(
        self,
        agent: OCSAgent,
        driver: InstrumentLink,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Event.wait,
    ) -> None:
        self._agent = agent
        self._driver = driver
        self._limits = limits
        self._clock = clock
        self._steady = steady
        self._wait = wait
        self._stop = threading.Event()

    def register(self) -> None:
        """Offer the process to clients."""
        self._agent.register_process("custom_pid", self.custom_pid, self.stop_custom_pid)

    def request_stop(self) -> None:
        """Have a running loop end; it leaves its heater at zero."""
        self._stop.set()

    @param("setpoint", type=float, check=lambda kelvin: kelvin > 0)
    @param("heater", cast=heater_name, choices=["still", "sample"])
    @param("channel", cast=_whole, choices=range(1, 17))
    @param("P", type=float, check=_is_term)
    @param("I", type=float, check=_is_term)
    @param("update_time", type=float, check=lambda seconds: 0 < seconds <= 3600)
    @param("query_rate", default=10.0, type=float, check=lambda hertz: 0.01 <= hertz <= 20)
    @param("sample_heater_range", default=10e-3, type=float, check=lambda amperes: amperes > 0)
    @param("test_mode", default=False, type=bool)
    @reporting
    def custom_pid(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """custom_pid(setpoint, heater, channel, P, I, update_time, ...)

        **Process** - Hold a channel's temperature with the sample or the still heater by a
        proportional-integral loop in this Agent, until stopped. It goes to the channel without
        autoscan and drives the heater in mode Open Loop. ``acq`` may run at the same time.

        Without usable readings the heater is at zero and the process degraded; it goes on by
        itself once there are readings again. It ends when somebody else, or the unit's temperature
        limit, changes the heater. In the end the heater is at zero, in mode Open Loop.

        Args:
            setpoint (float): Kelvin.
            heater (str): 'still' or 'sample'.
            channel (int): 1 to 16.
            P (float): Watts a kelvin.
            I (float): Hertz: the power is P times (error + I times the error's integral).
            update_time (float): Seconds between changes of the heater, each by the mean of the
                readings since the last.
            query_rate (float): Readings a second, 10 at most from the unit.
            sample_heater_range (float): Range of the sample heater in amperes.
            test_mode (bool): End after one change of the heater.

        Notes:
            ``session.data``: the readings behind the last change, and what was made of them::

                {"fields": {"Channel_02": {"T": [0.1], "R": [3590.1],
                                           "timestamps": [1795389673.5]}},
                 "setpoint": 0.1, "heater": "sample", "power": 1.2e-05, "output": 1.2e-05}

            Power is in W; the output is as the unit counts it, in W for the sample heater, in
            percent for the still.
        """
        self._stop = stop = threading.Event()
        # A stop that came before this line has set the status, but another event.
        if session.status == "stopping":
            stop.set()
        self._limits.check_setpoint(params["setpoint"])
        output = HEATERS[params["heater"]]
        step = range_step(Output.SAMPLE, params["sample_heater_range"])
        outputs = Outputs(self._driver, self._limits, stop)
        heater = PidHeater(outputs, output, step, self._limits)
        loop = PidLoop(
            session,
            _settings(params),
            outputs,
            heater,
            lambda value: self._publish(f"{params['heater']}_heater_out", value),
            stop,
            clock=self._clock,
            steady=self._steady,
            wait=self._wait,
        )
        outcome = True, "The loop has ended."
        trouble = ""
        try:
            loop.run()
        except Cancelled:
            pass
        except InstrumentError as error:
            outcome = False, str(error)
        finally:
            # Whatever has ended it, nothing may stay heated that nobody controls.
            if heater.is_touched:
                # Without the loop's event: that one ends every call once a stop is requested.
                outputs = Outputs(self._driver, self._limits)
                trouble = self._leave_at_zero(PidHeater(outputs, output, step, self._limits))
            if trouble:
                session.add_message(trouble)
        return (False, f"{outcome[1]} {trouble}") if trouble else outcome

    def stop_custom_pid(self, session: OpSession, _params: Any) -> tuple[bool, str]:
        """Ask ``custom_pid`` to end and to leave the heater at zero."""
        if session.status in ("starting", "running"):
            session.set_status("stopping")
        self.request_stop()
        return True, "Requested to stop the loop."

    def _leave_at_zero(self, heater: PidHeater) -> str:
        """Set a heater to zero, whatever it takes; return what is wrong if it cannot be."""
        backoff = Backoff()
        pause = threading.Event()
        for remaining in reversed(range(ZERO_TRIES)):
            try:
                heater.zero()
            except InstrumentError as error:
                trouble = str(error)
                if remaining:
                    self._wait(pause, backoff.next_delay_s())
            else:
                return ""
        return f"The {heater.name} may still be on: {trouble} Switch it off at the unit."

    def _publish(self, block: str, value: float) -> None:
        self._agent.publish_to_feed(
            "temperatures",
            {"block_name": block, "timestamp": self._clock(), "data": {block: value}},
        )


def _settings(params: Mapping[str, Any]) -> LoopSettings:
    return LoopSettings(
        setpoint_k=params["setpoint"],
        channel=params["channel"],
        heater=params["heater"],
        gain_w_per_k=params["P"],
        integral_hz=params["I"],
        update_s=params["update_time"],
        query_s=1 / params["query_rate"],
        once=params["test_mode"],
    )
