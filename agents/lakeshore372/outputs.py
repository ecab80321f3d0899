"""Set the 372's outputs within the site's limits, and believe only what the unit says afterwards.

The unit is silent about a command that it does not take: a range while the mode is off, a mode
the output lacks, anything while a channel is above its temperature limit. So every change is read
back, and what decides about the output with it.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

import attrs

from agents.lakeshore.link import InstrumentLink, Refused
from agents.lakeshore.messages import Command, Query, combine
from agents.lakeshore372 import input_codec, loop_codec, output_codec
from agents.lakeshore372.input_tables import Channel, Units
from agents.lakeshore372.limits import Limits
from agents.lakeshore372.output_checks import OutputChecks, same
from agents.lakeshore372.output_codec import OutputState
from agents.lakeshore372.output_tables import (
    ALLOWED_MODES,
    OUTPUT_NAMES,
    Display,
    HeaterFault,
    Output,
    OutputMode,
    OutputModeSetup,
    WarmUp,
    mode_name,
    range_text,
)

__all__ = ["Outputs"]

T = TypeVar("T")


class Outputs:
    """The outputs of one unit.

    Every method raises `InstrumentUnavailable`, `WrongInstrument`, `BadReply` and `Cancelled` as
    `InstrumentLink.ask` does.

    Args:
        driver: speaks with the unit.
        limits: what the site allows.
        cancel: set by another thread to have a call end.
    """

    def __init__(
        self, driver: InstrumentLink, limits: Limits, cancel: threading.Event | None = None
    ) -> None:
        self._limits = limits
        self._driver = driver
        self._cancel = cancel
        self._checks = OutputChecks(self.ask, limits)

    def ask(self, query: Query[T]) -> T:
        """Send a query and return its answer."""
        return self._driver.ask(query, self._cancel)

    def state(self, output: Output) -> OutputState:
        """Ask for everything that decides about an output."""
        return self.ask(output_codec.output_state(output))

    def confirm(
        self, command: Command, readback: Query[T], agrees: Callable[[T], bool], what: str
    ) -> T:
        """Send a command and return what the unit has afterwards, if that is what was wanted.

        Args:
            command: what to send.
            readback: asks for the same thing.
            agrees: tells whether the answer is what was wanted.
            what: the change, for the message: ``"P, I and D of the sample heater"``.

        Raises:
            Refused: it is not.
        """
        answer = self._driver.change(command, readback, self._cancel)
        if not agrees(answer):
            raise Refused(f"The 372 has not taken {what}: it has {_words(answer)}.")
        return answer

    def set_range(self, output: Output, step: int) -> OutputState:
        """Switch an output to a range, or off with 0; nothing is sent if it is there already.

        Raises:
            LimitExceeded: the site does not allow it.
            Refused: the output's mode is off, or the unit has another range afterwards.
        """
        state = self.state(output)
        if state.heater_range == step:
            return state
        name = OUTPUT_NAMES[output]
        if step:
            if state.setup.mode is OutputMode.OFF:
                raise Refused(
                    f"The {name}'s mode is Off, so it has no range: choose a mode with "
                    "set_output_mode first."
                )
            self._checks.check_running(output, attrs.evolve(state, heater_range=step))
        command = output_codec.set_heater_range(output, step)
        after = self._driver.change(command, output_codec.output_state(output), self._cancel)
        if after.heater_range != step:
            raise Refused(
                f"The 372 has not switched the {name} to {range_text(output, step)}: its range is "
                f"{range_text(output, after.heater_range)} in mode {mode_name(after.setup.mode)}. "
                "It keeps its outputs off while a channel is above its temperature limit (TLIMIT)."
            )
        return after

    def set_mode(self, output: Output, setup: OutputModeSetup) -> OutputState:
        """Have something else drive an output; nothing is sent if it does already.

        Raises:
            LimitExceeded: what the output would do then is more than the site allows.
            Refused: the output has no such mode, or the unit has other settings afterwards.
        """
        name = OUTPUT_NAMES[output]
        if setup.mode not in ALLOWED_MODES[output]:
            allowed = ", ".join(mode_name(mode) for mode in ALLOWED_MODES[output])
            raise Refused(
                f"The {name} has no mode {mode_name(setup.mode)}; it has these: {allowed}."
            )
        state = self.state(output)
        if state.setup == setup:
            return state
        self._checks.check_mode(output, attrs.evolve(state, setup=setup))
        command = output_codec.set_output_mode(output, setup)
        after = self._driver.change(command, output_codec.output_state(output), self._cancel)
        if after.setup != setup:
            raise Refused(
                f"The 372 has not taken these settings for the {name}: it has "
                f"{_words(after.setup)}."
            )
        return after

    def set_display(self, output: Output, display: Display) -> None:
        """Choose what a heater's output is counted in; nothing is sent if it is so already.

        A manual output is zero afterwards: nobody knows whether the unit converts it, or takes 50
        percent for 50 watts.

        Raises:
            Refused: the unit counts otherwise afterwards.
        """
        state = self.state(output)
        if state.heater.display is display:
            return
        if state.manual:
            self.zero(output)
        self.confirm(
            output_codec.set_heater_setup(output, attrs.evolve(state.heater, display=display)),
            output_codec.heater_setup(output),
            lambda answer: answer.display is display,
            f"{display.name.lower()} as the {OUTPUT_NAMES[output]}'s display",
        )

    def set_manual(self, output: Output, value: float) -> OutputState:
        """Set an output by hand.

        Args:
            output: which one.
            value: percent, or watts if it is the sample heater and its display is power.

        Raises:
            LimitExceeded: the site does not allow it.
            Refused: the output is off or has another mode, the value is too high for its range,
                the heater is broken, or the unit has another value afterwards.
        """
        name = OUTPUT_NAMES[output]
        state = self.state(output)
        self._checks.check_manual(output, state, value)
        command = output_codec.set_manual_output(output, value)
        after = self._driver.change(command, output_codec.output_state(output), self._cancel)
        if not _same_output(output, after, value):
            raise Refused(
                f"The 372 has not taken {value:g} as the {name}'s output: it has {after.manual:g}, "
                f"with range {range_text(output, after.heater_range)} and mode "
                f"{mode_name(after.setup.mode)}."
            )
        if attrs.evolve(after, manual=state.manual) != state:
            raise Refused(
                f"The {name} was changed meanwhile: its range is "
                f"{range_text(output, after.heater_range)} now, its mode "
                f"{mode_name(after.setup.mode)}."
            )
        self.check_fault(output)
        return after

    def zero(self, output: Output) -> None:
        """Set an output's manual output to zero, whatever its mode and range.

        Raises:
            Refused: the unit has another value afterwards.
        """
        self.confirm(
            output_codec.set_manual_output(output, 0),
            output_codec.manual_output(output),
            lambda value: value == 0,
            f"zero as the {OUTPUT_NAMES[output]}'s output",
        )

    def end_mode(self, output: Output, mode: OutputMode) -> None:
        """Switch an output off if it is in this mode.

        Raises:
            Refused: it is so still.
        """
        state = self.state(output)
        if state.setup.mode is mode:
            self.set_mode(output, attrs.evolve(state.setup, mode=OutputMode.OFF))

    def set_still(self, percent: float) -> tuple[float, OutputState]:
        """Set what the still heater gets in the mode for it.

        Returns:
            Percent as the unit has it, and the state of the output.

        Raises:
            LimitExceeded: the site does not allow it.
            Refused: the unit has another value afterwards.
        """
        self._limits.check_still(percent)
        confirmed = self.confirm(
            output_codec.set_still_output(percent),
            output_codec.still_output(),
            lambda answer: abs(answer - percent) <= 0.01,
            f"{percent:g} % as the still's output",
        )
        return confirmed, self.state(Output.STILL)

    def set_warm_up(self, value: WarmUp) -> WarmUp:
        """Say what the warm-up mode does.

        Raises:
            LimitExceeded: the site does not allow it.
            Refused: the unit has other values afterwards.
        """
        self._limits.check_warm_up(value.percent)
        return self.confirm(
            output_codec.set_warm_up(value),
            output_codec.warm_up(),
            lambda answer: (
                answer.control is value.control and abs(answer.percent - value.percent) <= 0.01
            ),
            "these warm-up settings",
        )

    def set_setpoint(self, output: Output, kelvin: float) -> float:
        """Set an output's setpoint in kelvin; return what the unit has, which may be on its way.

        Raises:
            LimitExceeded: the site does not allow it.
            Refused: the control input is not in kelvin, or the unit has another setpoint.
        """
        self._limits.check_setpoint(kelvin)
        self.control_channel(output)
        ramps = self.ask(loop_codec.ramp(output))
        reached, on_its_way = self._driver.change(
            loop_codec.set_setpoint(output, kelvin),
            combine(_pair, loop_codec.setpoint(output), loop_codec.ramping(output)),
            self._cancel,
        )
        if not same(reached, kelvin) and not (ramps.on and on_its_way):
            raise Refused(
                f"The 372 has not taken {kelvin:g} K as the {OUTPUT_NAMES[output]}'s setpoint: it "
                f"has {reached:g} K. The curve of its input may end below."
            )
        return reached

    def control_channel(self, output: Output) -> Channel:
        """Return the input that an output is controlled by.

        Raises:
            Refused: there is none, or it is controlled in ohms.
        """
        name = OUTPUT_NAMES[output]
        channel = self.ask(output_codec.output_mode(output)).channel
        if channel is None:
            raise Refused(
                f"The {name} has no input to be controlled by: give it one with set_output_mode."
            )
        if self.ask(input_codec.input_setup(channel)).units is not Units.KELVIN:
            raise Refused(
                f"Input {channel}, which controls the {name}, is in ohms: a setpoint in kelvin "
                "needs it in kelvin. servo_to_temperature sets that up for the sample heater."
            )
        return channel

    def check_fault(self, output: Output) -> None:
        """Refuse to go on with a heater whose wires are open or short.

        Raises:
            Refused: the unit says so.
        """
        if output is Output.STILL:
            return
        fault = self.ask(output_codec.heater_fault(output))
        if fault is not HeaterFault.NONE:
            raise Refused(
                f"The unit says that the {OUTPUT_NAMES[output]} is "
                f"{'open' if fault is HeaterFault.OPEN else 'short'}: no heat where it should be. "
                "Check its wires."
            )


def _same_output(output: Output, state: OutputState, value: float) -> bool:
    if output is Output.SAMPLE and state.heater.display is Display.POWER:
        return same(state.manual, value)
    return abs(state.manual - value) <= 0.01


def _pair(first: float, second: bool) -> tuple[float, bool]:
    return first, second


def _words(answer: object) -> str:
    """Write an answer for a person."""
    kind = type(answer)
    if attrs.has(kind):
        names = [field.name for field in attrs.fields(kind)]
        return ", ".join(f"{name} {_words(getattr(answer, name))}" for name in names)
    if isinstance(answer, OutputMode):
        return mode_name(answer)
    if isinstance(answer, float):
        return f"{answer:g}"
    name = getattr(answer, "name", None)
    return str(answer) if name is None else str(name).lower()
