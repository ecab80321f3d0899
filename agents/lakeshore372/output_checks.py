"""Tell beforehand whether an output may do what it is about to be told. Asks, sets nothing."""

import math

from agents.lakeshore.link import Refused
from agents.lakeshore372 import input_codec, loop_codec, output_codec
from agents.lakeshore372.dialect import Ask
from agents.lakeshore372.input_tables import Units
from agents.lakeshore372.limits import LimitExceeded, Limits
from agents.lakeshore372.output_codec import OutputState
from agents.lakeshore372.output_tables import (
    OUTPUT_NAMES,
    Display,
    Output,
    OutputMode,
    full_power_w,
    mode_name,
    range_text,
)

__all__ = ["OutputChecks", "power_w", "same"]

_IDLE_MODES = (OutputMode.OFF, OutputMode.MONITOR_OUT)
"""Modes in which a manual output does nothing."""

_SELF_STARTING_MODES = (OutputMode.MONITOR_OUT, OutputMode.ZONE)
"""Modes that give something though the range is off now: a zone has a range of its own."""


def power_w(state: OutputState, value: float) -> float:
    """Return the sample heater's power in watts.

    Args:
        state: the heater's range, resistance and display.
        value: its output as the display counts it.
    """
    if state.heater.display is Display.POWER:
        return value
    return full_power_w(state.heater_range, state.heater.resistance_ohm) * (value / 100) ** 2


def same(value: float, wanted: float) -> bool:
    """Tell whether a number read back is the one sent, but for the digits that the unit keeps."""
    return math.isclose(value, wanted, rel_tol=2e-3, abs_tol=1e-9)


class OutputChecks:
    """What an output may do.

    Args:
        ask: asks the unit.
        limits: what the site allows.
    """

    def __init__(self, ask: Ask, limits: Limits) -> None:
        self._ask = ask
        self._limits = limits

    def check_manual(self, output: Output, state: OutputState, value: float) -> None:
        """Refuse a manual output that has no effect, is not possible, or is too much.

        Args:
            output: which one.
            state: its present state.
            value: percent, or watts if it is the sample heater and its display is power.

        Raises:
            Refused: the output is off or has another mode, or the value is too high for its range.
            LimitExceeded: the site does not allow it.
        """
        name = OUTPUT_NAMES[output]
        if state.setup.mode in _IDLE_MODES:
            raise Refused(
                f"The {name}'s mode is {mode_name(state.setup.mode)}: it takes no output. Choose "
                "Open Loop with set_output_mode first."
            )
        if not state.heater_range:
            raise Refused(
                f"The {name}'s range is off: it takes no output. Switch it on with "
                "set_heater_range first. The unit switches it off by itself while a channel is "
                "above its temperature limit (TLIMIT)."
            )
        highest, unit = 100.0, "%"
        if output is Output.SAMPLE and state.heater.display is Display.POWER:
            highest = full_power_w(state.heater_range, state.heater.resistance_ohm)
            unit = "W"
        if value < 0 or (value > highest and not same(value, highest)):
            raise Refused(
                f"An output of {value:g} {unit} is not possible: the {name} gives 0 to "
                f"{highest:g} {unit} in its present range, "
                f"{range_text(output, state.heater_range)}."
            )
        match output:
            case Output.SAMPLE:
                self._limits.check_power(power_w(state, value))
            case Output.STILL:
                self._limits.check_still(value)
            case Output.WARM_UP:
                self._limits.check_warm_up(value)

    def check_mode(self, output: Output, state: OutputState) -> None:
        """Refuse what an output would do in a new mode.

        Args:
            output: which one.
            state: its state once it has the mode.

        Raises:
            LimitExceeded: the site does not allow it.
        """
        if state.heater_range or state.setup.mode in _SELF_STARTING_MODES:
            self.check_running(output, state)
        else:
            self._check_present_setpoint(output, state)

    def check_running(self, output: Output, state: OutputState) -> None:
        """Refuse a state in which an output would give more than the site allows.

        Args:
            output: which one.
            state: its state once it runs.

        Raises:
            LimitExceeded: the site does not allow it.
        """
        limits, mode = self._limits, state.setup.mode
        if mode is OutputMode.OFF:
            return
        self._check_present_setpoint(output, state)
        match output:
            case Output.SAMPLE:
                if mode is OutputMode.ZONE and _any_set(
                    limits.setpoint_k, limits.sample_heater_range_a, limits.sample_heater_power_w
                ):
                    raise _unwatched(output, mode, "the sample heater or the setpoint")
                limits.check_range(state.heater_range, state.heater.resistance_ohm)
            case Output.STILL if limits.still_percent is not None:
                if mode is OutputMode.MONITOR_OUT:
                    raise _unwatched(output, mode, "the still heater (--max-still-output)")
                if mode is OutputMode.STILL:
                    limits.check_still(self._ask(output_codec.still_output()))
                else:
                    limits.check_still(abs(state.manual))
            case Output.WARM_UP if limits.warm_up_percent is not None:
                if mode in {OutputMode.ZONE, OutputMode.CLOSED_LOOP}:
                    raise _unwatched(output, mode, "the warm-up heater (--max-warm-up-output)")
                if mode is OutputMode.WARM_UP:
                    limits.check_warm_up(self._ask(output_codec.warm_up()).percent)
                else:
                    limits.check_warm_up(state.manual)

    def _check_present_setpoint(self, output: Output, state: OutputState) -> None:
        """Refuse a closed loop that works towards more than the site allows.

        Raises:
            LimitExceeded: its setpoint, which anybody may have set at the front panel, is too
                high, or in ohms.
        """
        channel = state.setup.channel
        if state.setup.mode is not OutputMode.CLOSED_LOOP or channel is None:
            return
        if self._limits.setpoint_k is None:
            return
        if self._ask(input_codec.input_setup(channel)).units is not Units.KELVIN:
            raise LimitExceeded(
                f"Input {channel}, which controls the {OUTPUT_NAMES[output]}, is in ohms: where "
                "the site limits the setpoint (--max-setpoint), it must be in kelvin."
            )
        self._limits.check_setpoint(self._ask(loop_codec.setpoint(output)))


def _unwatched(output: Output, mode: OutputMode, what: str) -> LimitExceeded:
    return LimitExceeded(
        f"Mode {mode_name(mode)} of the {OUTPUT_NAMES[output]} decides by itself how much it "
        f"gives: it is not allowed where the site limits {what}."
    )


def _any_set(*limits: float | None) -> bool:
    return any(limit is not None for limit in limits)
