"""Tasks that switch the 372's heaters and set how much they give."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from agents.lakeshore.link import InstrumentLink, Refused
from agents.lakeshore.messages import InstrumentError
from agents.lakeshore.operations import reporting
from agents.lakeshore372 import output_codec
from agents.lakeshore372.limits import Limits
from agents.lakeshore372.output_checks import power_w
from agents.lakeshore372.output_codec import OutputState
from agents.lakeshore372.output_params import HEATERS, Wait, heater_name, range_step, range_value
from agents.lakeshore372.output_tables import (
    OUTPUT_NAMES,
    Display,
    HeaterFault,
    Output,
    OutputMode,
    WarmUp,
    WarmUpControl,
    mode_name,
    range_text,
)
from agents.lakeshore372.outputs import Outputs
from ocs.ocs_agent import OCSAgent, OpSession, param

__all__ = ["HeaterOperations"]

_DISPLAYS = {"current": Display.CURRENT, "power": Display.POWER}


class HeaterOperations:
    """Tasks about heaters: range, output, still, warm-up, everything off.

    Args:
        agent: the OCS agent they live in.
        driver: speaks with the unit.
        limits: what the site allows.
        before_all_off: called before all heaters are switched off, so that nobody works against.
        clock: Unix time in seconds.
        wait: how time passes after a change of range.
    """

    def __init__(
        self,
        agent: OCSAgent,
        driver: InstrumentLink,
        limits: Limits,
        *,
        before_all_off: Callable[[], None],
        clock: Callable[[], float] = time.time,
        wait: Wait = threading.Event.wait,
    ) -> None:
        self._agent = agent
        self._outputs = Outputs(driver, limits)
        self._before_all_off = before_all_off
        self._clock = clock
        self._wait = wait
        self._end_wait = threading.Event()

    def register(self) -> None:
        """Offer the tasks to clients."""
        agent = self._agent
        agent.register_task(
            "set_heater_range", self.set_heater_range, aborter=self.abort_set_heater_range
        )
        agent.register_task("set_heater_output", self.set_heater_output)
        agent.register_task("set_still_output", self.set_still_output)
        agent.register_task("get_still_output", self.get_still_output)
        agent.register_task("get_sample_heater", self.get_sample_heater)
        agent.register_task("set_warmup", self.set_warmup)
        agent.register_task("get_warmup", self.get_warmup)
        agent.register_task("heaters_off", self.heaters_off)

    @param("range")
    @param("heater", default="sample", cast=heater_name, choices=list(HEATERS))
    @param("wait", default=0.0, type=float, check=lambda seconds: 0 <= seconds <= 86400)
    @reporting
    def set_heater_range(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_heater_range(range, heater='sample', wait=0)

        **Task** - Switch a heater to a range, or off. Nothing is sent if it is there already.
        Aborting ends the wait; the range stays.

        Args:
            range (float or str): Amperes of the sample heater's range (31.6e-6, 100e-6, 316e-6,
                1e-3, 3.16e-3, 10e-3, 31.6e-3 or 100e-3) or 'off'; 'on' or 'off' for the others.
            heater (str): 'sample', 'still' or 'warmup'.
            wait (float): Seconds until the task ends, if the range was changed.

        Notes:
            ``session.data``::

                {"heater": "sample", "range": 0.00316}

            An unheated sample heater has range 0; the others have 'on' or 'off'.
        """
        output = HEATERS[params["heater"]]
        step = range_step(output, params["range"])
        self._end_wait = end_wait = threading.Event()
        # An abort that came before this line has set the status, but another event.
        if session.status == "stopping":
            end_wait.set()
        before = self._outputs.state(output).heater_range
        after = self._outputs.set_range(output, step)
        session.data = {"heater": params["heater"], "range": range_value(output, step)}
        words = f"{OUTPUT_NAMES[output]}'s range is {range_text(output, after.heater_range)}"
        if before == step:
            return True, f"The {words} already."
        if params["wait"] and self._wait(end_wait, params["wait"]):
            return False, f"The {words}; the wait was ended early."
        return True, f"The {words}."

    def abort_set_heater_range(self, session: OpSession, _params: Any) -> tuple[bool, str]:
        """End the wait of ``set_heater_range``."""
        if session.status in ("starting", "running"):
            session.set_status("stopping")
        self._end_wait.set()
        return True, "Requested to end the wait."

    @param("heater", cast=heater_name, choices=list(HEATERS))
    @param("output", type=float, check=lambda value: 0 <= value <= 100)
    @param("display", default=None, cast=heater_name, choices=["current", "power"])
    @reporting
    def set_heater_output(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_heater_output(heater, output, display=None)

        **Task** - Set a heater's output by hand, and publish it once the unit has confirmed it.
        Mode and range have to be set before.

        Args:
            heater (str): 'sample', 'still' or 'warmup'.
            output (float): Percent of the range's current, or of 10 V for the still; watts, up to
                the range's full power, if the sample heater's display is 'power'.
            display (str): What the sample heater's output is counted in, 'current' or 'power';
                None leaves that as it is on the unit.

        Notes:
            ``session.data``::

                {"heater": "sample", "output": 1.2e-05, "units": "W", "display": "power",
                 "range": 0.00316}
        """
        name, value = params["heater"], params["output"]
        output = HEATERS[name]
        if params["display"] is not None:
            self._choose_display(output, _DISPLAYS[params["display"]])
        state = self._outputs.set_manual(output, value)
        self._publish(f"{name}_heater_out", state.manual)
        units = _units(output, state)
        session.data = {
            "heater": name,
            "output": state.manual,
            "units": units,
            "display": state.heater.display.name.lower(),
            "range": range_value(output, state.heater_range),
        }
        return True, (
            f"The {OUTPUT_NAMES[output]}'s output is {state.manual:g} {units} in the range "
            f"{range_text(output, state.heater_range)}, mode {mode_name(state.setup.mode)}."
        )

    @param("output", type=float, check=lambda percent: 0 <= percent <= 100)
    @reporting
    def set_still_output(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_still_output(output)

        **Task** - Set what the still heater gets in mode Still, and publish it once the unit
        has confirmed that it gets it.

        Args:
            output (float): Percent of 10 V.

        Notes:
            ``session.data``::

                {"still_heater_still_out": "+10.60", "percent": 10.6, "active": True}

            Not active: the unit keeps the value, but its mode or range gives something else.
        """
        percent, state = self._outputs.set_still(params["output"])
        active = bool(state.setup.mode is OutputMode.STILL and state.heater_range)
        session.data = {**_still_data(percent), "active": active}
        if not active:
            return True, (
                f"The still's output is set to {percent:g} %, but does not take effect: the still "
                f"heater's mode is {mode_name(state.setup.mode)}, its range "
                f"{range_text(Output.STILL, state.heater_range)}."
            )
        self._publish("still_heater_still_out", percent)
        return True, f"The still's output is {percent:g} %."

    @param("_")
    @reporting
    def get_still_output(self, session: OpSession, _params: Any) -> tuple[bool, str]:
        """get_still_output()

        **Task** - Ask for what the still heater gets in mode Still.

        Notes:
            ``session.data``: the unit's text, as ever, and the number::

                {"still_heater_still_out": "+10.60", "percent": 10.6}
        """
        percent = self._outputs.ask(output_codec.still_output())
        session.data = _still_data(percent)
        return True, f"The still's output is {percent:g} %."

    @param("_")
    @reporting
    def get_sample_heater(self, session: OpSession, _params: Any) -> tuple[bool, str]:
        """get_sample_heater()

        **Task** - Ask for what the sample heater does right now.

        Notes:
            ``session.data``::

                {"output": 25.0, "units": "%", "power": 7.5e-05, "resistance": 120.0,
                 "display": "current", "range": 0.00316, "mode": "Open Loop", "fault": None}

            Power is in W, resistance in ohm, range in A (0 is off); fault is 'open' or 'short'
            if the unit says so.
        """
        heater = self._outputs.ask(output_codec.sample_heater())
        state, value, fault = heater.state, heater.value, heater.fault
        session.data = {
            "output": value,
            "units": _units(Output.SAMPLE, state),
            "power": power_w(state, value),
            "resistance": state.heater.resistance_ohm,
            "display": state.heater.display.name.lower(),
            "range": range_value(Output.SAMPLE, state.heater_range),
            "mode": mode_name(state.setup.mode),
            "fault": None if fault is HeaterFault.NONE else fault.name.lower(),
        }
        return True, (
            f"The sample heater gives {value:g} {_units(Output.SAMPLE, state)} in the range "
            f"{range_text(Output.SAMPLE, state.heater_range)}, mode {mode_name(state.setup.mode)}."
        )

    @param("output", type=float, check=lambda percent: 0 <= percent <= 100)
    @param("control", default="auto_off", cast=heater_name, choices=["auto_off", "continuous"])
    @reporting
    def set_warmup(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_warmup(output, control='auto_off')

        **Task** - Say what the warm-up heater gives in mode Warm up. It starts when its mode and
        range are set.

        Args:
            output (float): Percent of its current.
            control (str): 'auto_off' ends at the setpoint, 'continuous' goes on.

        Notes:
            ``session.data``::

                {"output": 50.0, "control": "auto_off"}
        """
        wanted = WarmUp(WarmUpControl[params["control"].upper()], params["output"])
        session.data = data = _warm_up_data(self._outputs.set_warm_up(wanted))
        return True, f"The warm-up gives {data['output']:g} %, {data['control']}."

    @param("_")
    @reporting
    def get_warmup(self, session: OpSession, _params: Any) -> tuple[bool, str]:
        """get_warmup()

        **Task** - Ask for what the warm-up heater gives in mode Warm up.

        Notes:
            ``session.data`` as of ``set_warmup``.
        """
        session.data = data = _warm_up_data(self._outputs.ask(output_codec.warm_up()))
        return True, f"The warm-up gives {data['output']:g} %, {data['control']}."

    @param("_")
    def heaters_off(self, session: OpSession, _params: Any) -> tuple[bool, str]:
        """heaters_off()

        **Task** - Switch all heaters off and set their outputs to zero, whatever they do; ends
        the process ``custom_pid``, too. Each step is confirmed by the unit, and a step that fails
        does not keep the others from being tried.

        Notes:
            ``session.data``::

                {"off": ["sample", "warmup", "still"], "failed": {}}
        """
        self._before_all_off()
        failed: dict[str, str] = {}
        off = []
        for name in ("sample", "warmup", "still"):
            problems = self._switch_off(HEATERS[name])
            if problems:
                failed[name] = " ".join(problems)
            else:
                off.append(name)
        session.data = {"off": off, "failed": failed}
        if failed:
            told = " ".join(f"{name}: {problem}" for name, problem in failed.items())
            return False, f"Not everything is certainly off. {told}"
        return True, "All heaters are off, all outputs at zero."

    def _switch_off(self, output: Output) -> list[str]:
        """Switch one output off; return what went wrong."""
        outputs = self._outputs
        steps: list[Callable[[], object]] = [
            lambda: outputs.set_range(output, 0),
            lambda: outputs.zero(output),
            # A zone brings a range of its own, at the next reading.
            lambda: outputs.end_mode(output, OutputMode.ZONE),
        ]
        if output is Output.STILL:
            # No range keeps this output from giving out a reading.
            steps = [
                lambda: outputs.end_mode(output, OutputMode.MONITOR_OUT),
                *steps,
                lambda: outputs.set_still(0),
            ]
        problems = []
        for step in steps:
            try:
                step()
            except InstrumentError as error:
                problems.append(str(error))
        return problems

    def _choose_display(self, output: Output, display: Display) -> None:
        if output is Output.SAMPLE:
            self._outputs.set_display(output, display)
        elif display is Display.POWER:
            raise Refused(f"The {OUTPUT_NAMES[output]}'s output is in percent, never in watts.")

    def _publish(self, block: str, value: float) -> None:
        self._agent.publish_to_feed(
            "temperatures",
            {"block_name": block, "timestamp": self._clock(), "data": {block: value}},
        )


def _units(output: Output, state: OutputState) -> str:
    in_watts = output is Output.SAMPLE and state.heater.display is Display.POWER
    return "W" if in_watts else "%"


def _still_data(percent: float) -> dict[str, Any]:
    # The text is what the unit says, and what clients have parsed since 2020.
    return {"still_heater_still_out": f"{percent:+06.2f}", "percent": percent}


def _warm_up_data(value: WarmUp) -> dict[str, Any]:
    return {"output": value.percent, "control": value.control.name.lower()}
