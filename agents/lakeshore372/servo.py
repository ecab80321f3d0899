"""Tasks that have the sample heater hold a temperature, and that look whether it does."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from agents.lakeshore.link import InstrumentLink, Refused
from agents.lakeshore.messages import InstrumentError
from agents.lakeshore.operations import reporting
from agents.lakeshore372 import codec, input_codec, loop_codec
from agents.lakeshore372.channel_reader import ChannelReader
from agents.lakeshore372.input_tables import Channel, Units
from agents.lakeshore372.limits import Limits
from agents.lakeshore372.output_params import Wait, range_step
from agents.lakeshore372.output_tables import Output, OutputMode, range_text
from agents.lakeshore372.outputs import Outputs
from ocs.ocs_agent import OCSAgent, OpSession, param

__all__ = ["ServoOperations", "to_channel"]

READING_INTERVAL_S = 0.1
"""As often as the unit makes a new reading."""

PATIENCE_S = 5.0
"""How much longer than they should readings may take to come."""


class _NotEnoughReadings(InstrumentError):
    """The unit does not make new readings of this channel; the message says how many there were."""


def to_channel(outputs: Outputs, channel: int) -> bool:
    """Stop autoscan and go to a channel; tell whether anything had to be changed for it.

    Raises:
        Refused: the scanner is elsewhere afterwards.
    """
    wanted = codec.ScanState(channel, autoscan=False)
    if outputs.ask(codec.scan_state()) == wanted:
        return False
    outputs.confirm(
        codec.set_scan(channel, autoscan=False),
        codec.scan_state(),
        lambda scan: scan == wanted,
        f"channel {channel} without autoscan",
    )
    return True


class ServoOperations:
    """Tasks about a temperature held by the sample heater.

    Args:
        agent: the OCS agent they live in.
        driver: speaks with the unit.
        limits: what the site allows.
        on_input_change: called after a change to how an input is measured.
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
        on_input_change: Callable[[], None],
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Event.wait,
    ) -> None:
        self._agent = agent
        self._driver = driver
        self._limits = limits
        self._outputs = Outputs(driver, limits)
        self._on_input_change = on_input_change
        self._clock = clock
        self._steady = steady
        self._wait = wait
        self._aborts: dict[str, threading.Event] = {}

    def register(self) -> None:
        """Offer the tasks to clients."""
        agent = self._agent
        agent.register_task("servo_to_temperature", self.servo_to_temperature)
        agent.register_task(
            "check_temperature_stability", self.check_temperature_stability, aborter=self.abort
        )
        agent.register_task("wait_for_stability", self.wait_for_stability, aborter=self.abort)

    @param("temperature", type=float, check=lambda kelvin: kelvin > 0)
    @param("heater_range", default=None, type=float, check=lambda amperes: amperes > 0)
    @reporting
    def servo_to_temperature(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """servo_to_temperature(temperature, heater_range=None)

        **Task** - Have the sample heater hold a temperature: autoscan off, scanner to the input
        that controls the heater, input in kelvin, setpoint, mode Closed Loop. The heater's range
        is switched on only if one is given; it is off while an input in ohms is changed to kelvin.

        Args:
            temperature (float): Kelvin; below 1 K, or up to the site's ``--max-setpoint``.
            heater_range (float): Range of the sample heater in amperes; None leaves it.

        Notes:
            ``session.data``::

                {"setpoint": 0.1, "channel": 6, "mode": "Closed Loop", "range": "0.00316 A"}
        """
        outputs, kelvin = self._outputs, params["temperature"]
        self._limits.check_setpoint(kelvin)
        step: int | None = None
        if params["heater_range"] is not None:
            step = range_step(Output.SAMPLE, params["heater_range"])
        before = outputs.state(Output.SAMPLE)
        channel = before.setup.channel
        if channel is None:
            raise Refused(
                "The sample heater has no input to be controlled by: give it one with "
                "set_output_mode."
            )
        if self._prepare_input(channel) and step is None:
            step = before.heater_range
        reached = outputs.set_setpoint(Output.SAMPLE, kelvin)
        # The loop is closed last, so that it never works towards an old setpoint.
        closed = attrs.evolve(before.setup, mode=OutputMode.CLOSED_LOOP)
        state = outputs.set_mode(Output.SAMPLE, closed)
        if step is not None:
            state = outputs.set_range(Output.SAMPLE, step)
        words = range_text(Output.SAMPLE, state.heater_range)
        session.data = {
            "setpoint": reached,
            "channel": channel,
            "mode": "Closed Loop",
            "range": words,
        }
        message = f"The sample heater servoes input {channel} to {kelvin:g} K in the range {words}."
        if not state.heater_range:
            message = (
                f"All is set to servo input {channel} to {kelvin:g} K, but the sample heater's "
                "range is off: switch it on with set_heater_range."
            )
        return True, message

    @param("measurements", default=10, type=int, check=lambda number: 1 <= number <= 10000)
    @param("threshold", default=0.5e-3, type=float, check=lambda kelvin: kelvin > 0)
    @reporting
    def check_temperature_stability(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """check_temperature_stability(measurements=10, threshold=0.0005)

        **Task** - Compare the mean of new readings, 0.1 s apart, with the sample heater's
        setpoint. Succeeds if it is closer than the threshold. It can be aborted.

        Args:
            measurements (int): How many readings.
            threshold (float): Kelvin.

        Notes:
            ``session.data``::

                {"stable": True, "mean": 0.10002, "setpoint": 0.1, "difference": 2e-05,
                 "channel": 6}
        """
        abort = self._abort_event(session)
        session.data = data = self._measure(params["measurements"], params["threshold"], abort)
        return data["stable"], _stability_words(data, params["threshold"])

    @param("measurements", default=10, type=int, check=lambda number: 1 <= number <= 10000)
    @param("threshold", default=0.5e-3, type=float, check=lambda kelvin: kelvin > 0)
    @param("timeout", default=3600.0, type=float, check=lambda seconds: seconds > 0)
    @reporting
    def wait_for_stability(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """wait_for_stability(measurements=10, threshold=0.0005, timeout=3600)

        **Task** - Do ``check_temperature_stability`` again and again until it succeeds. It can be
        aborted.

        Args:
            measurements (int): How many readings each time.
            threshold (float): Kelvin.
            timeout (float): Seconds after which it fails.

        Notes:
            ``session.data`` as of ``check_temperature_stability``, of the latest time.
        """
        abort = self._abort_event(session)
        deadline = self._steady() + params["timeout"]
        while True:
            session.data = data = self._measure(params["measurements"], params["threshold"], abort)
            words = _stability_words(data, params["threshold"])
            if data["stable"]:
                return True, words
            if self._steady() >= deadline:
                return False, f"Not stable within {params['timeout']:g} s. {words}"

    def abort(self, session: OpSession, _params: Any) -> tuple[bool, str]:
        """End a task that measures; it does within about 0.2 s."""
        if session.status in ("starting", "running"):
            session.set_status("stopping")
        if session.op_name in self._aborts:
            self._aborts[session.op_name].set()
        return True, "Requested to end it."

    def _abort_event(self, session: OpSession) -> threading.Event:
        self._aborts[session.op_name] = abort = threading.Event()
        # An abort that came before this line has set the status, but another event.
        if session.status == "stopping":
            abort.set()
        return abort

    def _prepare_input(self, channel: Channel) -> bool:
        """Have a channel measured all the time, in kelvin.

        Returns:
            Whether it was in ohms; the sample heater's range is off then.

        Raises:
            Refused: it has no curve, is disabled, or the unit does not take something.
        """
        outputs = self._outputs
        settings = outputs.ask(input_codec.input_settings(channel))
        if not settings.curve:
            raise Refused(
                f"Input {channel}, which controls the sample heater, has no curve, so no "
                "temperature: it would be heated without end. Assign one with "
                "set_calibration_curve."
            )
        if channel == "A":
            if not settings.enabled:
                raise Refused("Input A is disabled: enable it with engage_channel, channel 0.")
        else:
            to_channel(outputs, channel)
        setup = outputs.ask(input_codec.input_setup(channel))
        if setup.units is Units.KELVIN:
            return False
        # What was a setpoint in ohms is one in kelvin then: nothing may be heated towards it.
        outputs.set_range(Output.SAMPLE, 0)
        wanted = attrs.evolve(setup, units=Units.KELVIN)
        try:
            outputs.confirm(
                input_codec.set_input_setup(channel, wanted),
                input_codec.input_setup(channel),
                lambda answer: answer.units is Units.KELVIN,
                f"kelvin as the units of input {channel}",
            )
        finally:
            self._on_input_change()
        return True

    def _measure(self, number: int, threshold_k: float, abort: threading.Event) -> dict[str, Any]:
        """Take a mean and compare it with the setpoint."""
        outputs = Outputs(self._driver, self._limits, abort)
        channel = outputs.control_channel(Output.SAMPLE)
        setpoint_k = outputs.ask(loop_codec.setpoint(Output.SAMPLE))
        mean_k = self._mean(ChannelReader(outputs.ask, channel, clock=self._clock), number, abort)
        return {
            "stable": abs(mean_k - setpoint_k) < threshold_k,
            "mean": mean_k,
            "setpoint": setpoint_k,
            "difference": mean_k - setpoint_k,
            "channel": channel,
        }

    def _mean(self, reader: ChannelReader, number: int, abort: threading.Event) -> float:
        patience_s = 2 * number * READING_INTERVAL_S + PATIENCE_S
        deadline = self._steady() + patience_s
        temperatures: list[float] = []
        while True:
            reading = reader.read()
            if reading is not None:
                temperatures.append(reading.temperature_k)
            if len(temperatures) == number:
                return sum(temperatures) / number
            if self._steady() >= deadline:
                raise _NotEnoughReadings(
                    f"Only {len(temperatures)} of {number} new readings came within "
                    f"{patience_s:g} s: is the channel settled, and does the unit measure?"
                )
            self._wait(abort, READING_INTERVAL_S)


def _stability_words(data: Mapping[str, Any], threshold_k: float) -> str:
    return (
        f"The mean, {data['mean']:.6g} K, is {'less' if data['stable'] else 'not less'} than "
        f"{threshold_k:g} K from the setpoint, {data['setpoint']:g} K."
    )
