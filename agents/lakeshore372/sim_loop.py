"""The simulated 372's control loop: a PID with a ramped setpoint. Time is handed in.

The output in percent is P (e + (1/I) the integral of e + D de/dt), e the distance from the
setpoint in kelvin (or ohms), I and D in seconds. The specification gives the parameters' ranges
only; this form settles with the gains that existing clients send (40, 2, 0).
"""

import attrs

__all__ = ["PidGains", "PidLoop", "SetpointRamp"]

_LONGEST_STEP_S = 1.0
FULL_PERCENT = 100.0


@attrs.frozen
class PidGains:
    """Setting of ``PID``.

    Attributes:
        p: percent a kelvin (or ohm), 0 to 1000.
        i_s: seconds, 0 to 10000; 0 for no integral part.
        d_s: seconds, 0 to 2500.
    """

    p: float = 10.0
    i_s: float = 20.0
    d_s: float = 0.0


class PidLoop:
    """The loop of one output."""

    def __init__(self) -> None:
        self._integral_percent = 0.0
        self._last: tuple[float, float] | None = None
        self.output_percent = 0.0

    def reset(self) -> None:
        """Begin anew from no output."""
        self._integral_percent = 0.0
        self._last = None
        self.output_percent = 0.0

    def update(self, error: float, now: float, gains: PidGains, lowest_percent: float) -> None:
        """Take a new control reading.

        Args:
            error: what is missing to the setpoint; positive asks for heat.
            now: the reading's time.
            gains: as set at present.
            lowest_percent: 0, or -100 for a bipolar output.
        """
        slope = 0.0
        if self._last is not None:
            last_error, last_s = self._last
            elapsed_s = now - last_s
            if elapsed_s > 0:
                slope = (error - last_error) / elapsed_s
            if gains.i_s > 0:
                # After a while without readings, what has piled up is not known.
                elapsed_s = min(elapsed_s, _LONGEST_STEP_S)
                self._integral_percent += gains.p * error * elapsed_s / gains.i_s
        if gains.i_s == 0:
            self._integral_percent = 0.0
        # What the heater cannot give must not be asked for later on.
        self._integral_percent = _within(self._integral_percent, lowest_percent)
        self._last = (error, now)
        output = self._integral_percent + gains.p * (error + gains.d_s * slope)
        self.output_percent = _within(output, lowest_percent)


def _within(percent: float, lowest_percent: float) -> float:
    return min(max(percent, lowest_percent), FULL_PERCENT)


@attrs.define
class SetpointRamp:
    """A setpoint that is gone to at a rate.

    Attributes:
        enabled: whether setpoints are ramped.
        rate_k_per_min: 0.001 to 100; 0 for a step.
        target: where to.
        value: where it is.
        finished: whether a ramp has come to its end since that was last asked for.
    """

    enabled: bool = False
    rate_k_per_min: float = 0.0
    target: float = 0.0
    value: float = 0.0
    finished: bool = False

    @property
    def moving(self) -> bool:
        """Whether the setpoint is still on its way."""
        return self.value != self.target

    def go_to(self, target: float) -> None:
        """Head for a setpoint, from where it is."""
        self.target = target
        self.finished = False
        if not self.enabled or self.rate_k_per_min == 0:
            self.value = target

    def stop(self) -> None:
        """Go to the end at once."""
        self.value = self.target

    def advance(self, elapsed_s: float) -> None:
        """Go on by a time."""
        if not self.moving:
            return
        step = self.rate_k_per_min * elapsed_s / 60
        if not self.enabled or step <= 0 or abs(self.target - self.value) <= step:
            self.value = self.target
            self.finished = True
        else:
            self.value += step if self.target > self.value else -step
