"""A heater that a software loop drives: prepared, set in watts, watched, and left at zero."""

import math

import attrs

from agents.lakeshore.link import Refused
from agents.lakeshore.messages import InstrumentError
from agents.lakeshore372.limits import Limits
from agents.lakeshore372.output_codec import OutputState
from agents.lakeshore372.output_tables import (
    OUTPUT_NAMES,
    STILL_FULL_SCALE_V,
    Display,
    Output,
    OutputMode,
    full_power_w,
    mode_name,
    range_text,
)
from agents.lakeshore372.outputs import Outputs

__all__ = ["PidHeater", "TakenOver"]


class TakenOver(InstrumentError):
    """Somebody else, or the unit itself, has changed the heater; a loop must not fight for it."""


class PidHeater:
    """The sample heater or the still heater, in open loop, set in watts.

    Methods raise what the link raises besides what they name.

    Args:
        outputs: sets the outputs.
        output: the sample heater or the still heater.
        sample_range: range of the sample heater, 1 to 8; the still has but one.
        limits: what the site allows.
    """

    def __init__(self, outputs: Outputs, output: Output, sample_range: int, limits: Limits) -> None:
        self.name = OUTPUT_NAMES[output]
        self.is_touched = False
        """Whether the unit has been told anything about it."""
        self._outputs = outputs
        self._output = output
        self._range = sample_range if output is Output.SAMPLE else 1
        self._limits = limits
        self._prepared: OutputState | None = None
        self._full_power_w = 0.0

    def prepare(self) -> float:
        """Make it ready, at zero, and return the most power in watts that it may be asked for.

        Raises:
            LimitExceeded: the site does not allow its range.
            Refused: the unit does not take something, or does not know the heater's resistance.
        """
        outputs, output = self._outputs, self._output
        state = outputs.state(output)
        if output is Output.SAMPLE:
            self._limits.check_range(self._range, state.heater.resistance_ohm)
        self.is_touched = True
        outputs.zero(output)
        outputs.set_mode(output, attrs.evolve(state.setup, mode=OutputMode.OPEN_LOOP))
        if output is Output.SAMPLE:
            outputs.set_display(output, Display.POWER)
        state = outputs.set_range(output, self._range)
        if state.manual:
            raise Refused(f"The {self.name} is not at zero, but at {state.manual:g}.")
        self._full_power_w = self._power_at_full_scale(state)
        self._prepared = state
        return self._most_power_w()

    def apply(self, power_w: float) -> float:
        """Set its power and return its output as the unit has it, in percent or watts.

        Args:
            power_w: 0 to what `prepare` has returned.

        Raises:
            TakenOver: it is no longer as it was prepared.
            LimitExceeded, Refused: the site or the unit does not take the power.
        """
        state = self._outputs.state(self._output)
        if self._prepared is None or attrs.evolve(state, manual=0.0) != self._prepared:
            raise TakenOver(
                f"The {self.name} was changed by somebody else or by the unit itself: its mode is "
                f"{mode_name(state.setup.mode)} now, its range "
                f"{range_text(self._output, state.heater_range)}, its display "
                f"{state.heater.display.name.lower()}. The unit switches a heater off while a "
                "channel is above its temperature limit (TLIMIT), and after a power cut."
            )
        value = power_w
        if self._output is Output.STILL:
            value = 100 * math.sqrt(power_w / self._full_power_w)
        return self._outputs.set_manual(self._output, value).manual

    def zero(self) -> None:
        """Set it to zero, unless something else than open loop drives it by now.

        Raises:
            Refused: the unit has another output afterwards.
        """
        state = self._outputs.state(self._output)
        if state.setup.mode is OutputMode.OPEN_LOOP or not state.heater_range:
            self._outputs.zero(self._output)

    def _power_at_full_scale(self, state: OutputState) -> float:
        resistance_ohm = state.heater.resistance_ohm
        if not resistance_ohm > 0:
            raise Refused(f"The unit does not know the {self.name}'s resistance (HTRSET).")
        if self._output is Output.SAMPLE:
            return full_power_w(state.heater_range, resistance_ohm)
        return STILL_FULL_SCALE_V**2 / resistance_ohm

    def _most_power_w(self) -> float:
        if self._output is Output.STILL:
            percent = 100.0 if self._limits.still_percent is None else self._limits.still_percent
            return self._full_power_w * (percent / 100) ** 2
        allowed_w = self._limits.sample_heater_power_w
        return self._full_power_w if allowed_w is None else min(self._full_power_w, allowed_w)
