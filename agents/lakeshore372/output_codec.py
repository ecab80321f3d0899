"""What the 372 says about its outputs: queries and commands out, typed replies in. No I/O.

Facts from the project's Lake Shore specification, sections 1.2 to 1.4.
"""

from decimal import Decimal

import attrs

from agents.lakeshore.messages import (
    BadReply,
    Command,
    Query,
    combine,
    decimal,
    fields,
    integer,
    member,
)
from agents.lakeshore372.input_tables import MEASUREMENT_CHANNELS, Channel
from agents.lakeshore372.output_tables import (
    ALLOWED_MODES,
    SAMPLE_HEATER_RANGE_A,
    SAMPLE_HEATER_RESISTANCE_OHM,
    WARM_UP_RESISTANCE_OHM,
    Display,
    HeaterFault,
    HeaterSetup,
    Output,
    OutputMode,
    OutputModeSetup,
    Polarity,
    WarmUp,
    WarmUpControl,
)

__all__ = [
    "OutputState",
    "SampleHeater",
    "analog_output",
    "heater_fault",
    "heater_range",
    "heater_setup",
    "highest_range",
    "manual_output",
    "number",
    "output_mode",
    "output_state",
    "sample_heater",
    "sample_heater_output",
    "set_heater_range",
    "set_heater_setup",
    "set_manual_output",
    "set_output_mode",
    "set_still_output",
    "set_warm_up",
    "still_output",
    "warm_up",
    "whole",
]


@attrs.frozen
class OutputState:
    """What decides about an output, all of the same moment.

    Attributes:
        setup: what drives it.
        heater_range: 0 is off; the sample heater has 8 more, the others have 1.
        heater: what hangs on it.
        manual: manual output: percent, or watts where the sample heater's display is power.
    """

    setup: OutputModeSetup
    heater_range: int
    heater: HeaterSetup
    manual: float


@attrs.frozen
class SampleHeater:
    """What the sample heater does, all of the same moment.

    Attributes:
        state: what decides about it.
        value: its output in percent of current or in watts, by its display.
        fault: what the unit finds wrong with it.
    """

    state: OutputState
    value: float
    fault: HeaterFault


def output_mode(output: Output) -> Query[OutputModeSetup]:
    """``OUTMODE?``: what drives an output."""
    return Query(f"OUTMODE? {output:d}", lambda text: _parse_output_mode(text, output))


def set_output_mode(output: Output, setup: OutputModeSetup) -> Command:
    """``OUTMODE``: have something drive an output.

    Raises:
        ValueError: the output does not have this mode, or a value is out of bounds.
    """
    if setup.mode not in ALLOWED_MODES[output]:
        raise ValueError(f"Output {output:d} has no mode {setup.mode.name}.")
    if setup.channel not in {None, "A", *MEASUREMENT_CHANNELS}:
        raise ValueError(f"No input {setup.channel!r}; there are 1 to 16 and 'A'.")
    delay_s = whole(setup.delay_s, 1, 255, "The delay")
    channel = setup.channel or 0
    return Command(
        f"OUTMODE {output:d},{setup.mode:d},{channel},{setup.powerup:d},{setup.polarity:d},"
        f"{setup.filtered:d},{delay_s}"
    )


def heater_setup(output: Output) -> Query[HeaterSetup]:
    """``HTRSET?``: what hangs on an output. The still output answers like the sample heater."""
    return Query(f"HTRSET? {output:d}", lambda text: _parse_heater_setup(text, output))


def set_heater_setup(output: Output, setup: HeaterSetup) -> Command:
    """``HTRSET``: say what hangs on a heater output.

    The sample heater's currents are sent as 0, as the manual wants.

    Raises:
        ValueError: the output has no heater, or a value is out of bounds.
    """
    match output:
        case Output.SAMPLE:
            resistance = number(
                setup.resistance_ohm, *SAMPLE_HEATER_RESISTANCE_OHM, "The heater's resistance"
            )
            return Command(f"HTRSET {output:d},{resistance},0,0,{setup.display:d}")
        case Output.WARM_UP:
            codes = {ohm: code for code, ohm in WARM_UP_RESISTANCE_OHM.items()}
            if setup.resistance_ohm not in codes:
                raise ValueError(
                    f"The warm-up heater has 25 or 50 ohm, not {setup.resistance_ohm:g}."
                )
            maximum = whole(setup.maximum_current, 0, 2, "The maximum current's number")
            current = number(setup.user_current_a, 0, 1, "The user's maximum current")
            return Command(
                f"HTRSET {output:d},{codes[setup.resistance_ohm]},{maximum},{current},"
                f"{setup.display:d}"
            )
    raise ValueError("The still output has no heater setup.")


def heater_range(output: Output) -> Query[int]:
    """``RANGE?``: 0 off; the sample heater's 1 to 8; 1 on for the others."""
    return Query(
        f"RANGE? {output:d}",
        lambda text: integer(text, 0, highest_range(output), "the heater's range"),
    )


def set_heater_range(output: Output, step: int) -> Command:
    """``RANGE``: switch an output to a range, or off with 0.

    Raises:
        ValueError: there is no such range.
    """
    return Command(f"RANGE {output:d},{whole(step, 0, highest_range(output), 'The range')}")


def manual_output(output: Output) -> Query[float]:
    """``MOUT?``: percent, or watts where the sample heater's display is power."""
    return Query(f"MOUT? {output:d}", lambda text: decimal(text, "the manual output"))


def set_manual_output(output: Output, value: float) -> Command:
    """``MOUT``: set the manual output, counted as in `manual_output`.

    Raises:
        ValueError: it is not from 0 to 100.
    """
    return Command(f"MOUT {output:d},{number(value, 0, 100, 'The output')}")


def output_state(output: Output) -> Query[OutputState]:
    """Ask for everything that decides about an output, in one line."""
    return combine(
        OutputState,
        output_mode(output),
        heater_range(output),
        heater_setup(output),
        manual_output(output),
    )


def sample_heater_output() -> Query[float]:
    """``HTR?``: the sample heater's output, in percent of current or in watts, by its display."""
    return Query("HTR?", lambda text: decimal(text, "the sample heater's output"))


def sample_heater() -> Query[SampleHeater]:
    """Ask for everything about the sample heater, in one line."""

    def build(
        setup: OutputModeSetup,
        step: int,
        heater: HeaterSetup,
        manual: float,
        value: float,
        fault: HeaterFault,
    ) -> SampleHeater:
        return SampleHeater(OutputState(setup, step, heater, manual), value, fault)

    return combine(
        build,
        output_mode(Output.SAMPLE),
        heater_range(Output.SAMPLE),
        heater_setup(Output.SAMPLE),
        manual_output(Output.SAMPLE),
        sample_heater_output(),
        heater_fault(Output.SAMPLE),
    )


def analog_output(output: Output) -> Query[float]:
    """``AOUT?``: output of the warm-up heater or the still in percent.

    Raises:
        ValueError: the sample heater is asked by `sample_heater_output`.
    """
    if output == Output.SAMPLE:
        raise ValueError("AOUT? is for the warm-up heater and the still.")
    return Query(f"AOUT? {output:d}", lambda text: decimal(text, "the output", -100, 100))


def heater_fault(output: Output) -> Query[HeaterFault]:
    """``HTRST?``: whether a heater is open or short.

    Raises:
        ValueError: the still is no heater to the unit.
    """
    if output == Output.STILL:
        raise ValueError("HTRST? is for the sample heater and the warm-up heater.")
    return Query(f"HTRST? {output:d}", lambda text: member(HeaterFault, text, "the heater's state"))


def still_output() -> Query[float]:
    """``STILL?``: the still's output in percent of 10 V."""
    return Query("STILL?", lambda text: decimal(text, "the still's output", 0, 100))


def set_still_output(percent: float) -> Command:
    """``STILL``: set the still's output in percent of 10 V.

    Raises:
        ValueError: it is not from 0 to 100.
    """
    return Command(f"STILL {number(percent, 0, 100, 'The output')}")


def warm_up() -> Query[WarmUp]:
    """``WARMUP?``: how the warm-up mode ends, and its output."""
    return Query("WARMUP?", _parse_warm_up)


def set_warm_up(value: WarmUp) -> Command:
    """``WARMUP``: say how the warm-up mode ends, and its output.

    Raises:
        ValueError: the output is not from 0 to 100 %.
    """
    return Command(f"WARMUP {value.control:d},{number(value.percent, 0, 100, 'The output')}")


def highest_range(output: Output) -> int:
    """Return the number of an output's largest range."""
    return max(SAMPLE_HEATER_RANGE_A) if output == Output.SAMPLE else 1


def whole(value: int, low: int, high: int, what: str) -> int:
    """Return a whole number to be sent.

    Raises:
        ValueError: it is out of bounds.
    """
    if not low <= value <= high:
        raise ValueError(f"{what} is {value}; it can be {low} to {high}.")
    return value


def number(value: float, low: float, high: float, what: str) -> str:
    """Write a number without an exponent, with six digits, 12 of them after the point at most.

    Raises:
        ValueError: it is out of bounds.
    """
    if not low <= value <= high:
        raise ValueError(f"{what} is {value:g}; it can be {low:g} to {high:g}.")
    return f"{round(Decimal(f'{value:.6g}'), 12).normalize():f}"


def _parse_channel(text: str) -> Channel | None:
    if text == "A":
        return "A"
    return integer(text, 0, MEASUREMENT_CHANNELS[-1], "the input") or None


def _parse_output_mode(text: str, output: Output) -> OutputModeSetup:
    mode_text, channel, powerup, polarity, filtered, delay = fields(
        text, ("mode", "input", "powerup", "polarity", "filter", "delay")
    )
    mode = member(OutputMode, mode_text, "the mode")
    if mode not in ALLOWED_MODES[output]:
        raise BadReply(f"output {output:d} has no mode {mode:d}.")
    return OutputModeSetup(
        mode=mode,
        channel=_parse_channel(channel),
        powerup=bool(integer(powerup, 0, 1, "powerup")),
        polarity=member(Polarity, polarity, "the polarity"),
        filtered=bool(integer(filtered, 0, 1, "the filter")),
        delay_s=integer(delay, 0, 255, "the delay"),
    )


def _parse_heater_setup(text: str, output: Output) -> HeaterSetup:
    resistance, maximum, user, display = fields(
        text, ("resistance", "maximum current", "user's maximum current", "display")
    )
    if output == Output.WARM_UP:
        resistance_ohm = WARM_UP_RESISTANCE_OHM[integer(resistance, 1, 2, "the resistance")]
    else:
        resistance_ohm = decimal(resistance, "the resistance", 0, 1e4)
    return HeaterSetup(
        resistance_ohm=resistance_ohm,
        maximum_current=integer(maximum, 0, 8, "the maximum current"),
        user_current_a=decimal(user, "the user's maximum current", 0),
        display=member(Display, display, "the display"),
    )


def _parse_warm_up(text: str) -> WarmUp:
    control, percent = fields(text, ("control", "output"))
    return WarmUp(
        member(WarmUpControl, control, "the control"), decimal(percent, "the output", 0, 100)
    )
