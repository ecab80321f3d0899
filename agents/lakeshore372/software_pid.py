"""A proportional-integral controller of a heater's power. No I/O, no clock.

Its terms are those of existing clients (the project's Lake Shore specification, section 6.2): P in
watts a kelvin, I in hertz, so that the power is P times (error + I times the error's integral).
"""

import math

import attrs

__all__ = ["PiController", "PiTerms"]


@attrs.frozen
class PiTerms:
    """What a controller is to do.

    Attributes:
        setpoint_k: temperature to hold in kelvin.
        gain_w_per_k: watts for each kelvin below the setpoint.
        integral_hz: how much of the error is added up each second.
        maximum_w: most power it may ask for in watts.
    """

    setpoint_k: float
    gain_w_per_k: float
    integral_hz: float
    maximum_w: float


class PiController:
    """Turns temperatures into heater powers between 0 and the maximum.

    While the power is at a bound, errors that would drive it further there are not added up; so it
    comes back without delay.

    Args:
        terms: what it is to do.
    """

    def __init__(self, terms: PiTerms) -> None:
        self._terms = terms
        self._integral_w = 0.0

    def update(self, temperature_k: float, elapsed_s: float) -> float:
        """Return the power in watts for the time to come.

        Args:
            temperature_k: mean temperature of the time that has passed.
            elapsed_s: how long that was.

        Raises:
            ValueError: the temperature is no number, or the time is negative.
        """
        if not math.isfinite(temperature_k) or not elapsed_s >= 0:
            raise ValueError(f"no power follows from {temperature_k} K and {elapsed_s} s")
        terms = self._terms
        error_k = terms.setpoint_k - temperature_k
        proportional_w = terms.gain_w_per_k * error_k
        step_w = proportional_w * terms.integral_hz * elapsed_s
        power_w = proportional_w + self._integral_w + step_w
        driven_further = (power_w > terms.maximum_w and step_w > 0) or (power_w < 0 and step_w < 0)
        if not driven_further:
            self._integral_w = min(max(self._integral_w + step_w, 0.0), terms.maximum_w)
        return min(max(proportional_w + self._integral_w, 0.0), terms.maximum_w)
