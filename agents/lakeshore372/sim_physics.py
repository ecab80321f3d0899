"""The cryostat that the simulated 372 looks at: stages, drifts, noise, sensors.

A picture to look at, not a thermal design: each stage follows, with a lag, slow swings of its own,
1/f noise, and a part of what the stage above it does; pulse-tube stages carry a ripple. Everything
is drawn from one seed, and time is handed in.
"""

import math
import random
from typing import Protocol

import attrs

__all__ = ["STAGES", "Cernox", "Cryostat", "Measurement", "RutheniumOxide", "Sensor", "Stage"]


class Sensor(Protocol):
    """A resistive thermometer and its calibration."""

    @property
    def lowest_k(self) -> float:
        """Where the calibration begins."""
        ...

    @property
    def highest_k(self) -> float:
        """Where the calibration ends."""
        ...

    def resistance_ohm(self, temperature_k: float) -> float:
        """Return the resistance at a temperature."""
        ...

    def temperature_k(self, resistance_ohm: float) -> float:
        """Return the temperature at a resistance; infinity if it is too low for any."""
        ...


@attrs.frozen
class RutheniumOxide:
    """Thick-film sensor after R = r0 exp((t0/T)^p), close to an RX-102A between 20 mK and 10 K."""

    r0_ohm: float = 1000.0
    t0_k: float = 0.303
    power: float = 0.44
    lowest_k: float = 0.008
    highest_k: float = 40.0

    def resistance_ohm(self, temperature_k: float) -> float:
        """Return the resistance at a temperature."""
        return self.r0_ohm * math.exp((self.t0_k / temperature_k) ** self.power)

    def temperature_k(self, resistance_ohm: float) -> float:
        """Return the temperature at a resistance; infinity if it is too low for any."""
        if resistance_ohm <= self.r0_ohm:
            return math.inf
        return float(self.t0_k / math.log(resistance_ohm / self.r0_ohm) ** (1 / self.power))


@attrs.frozen
class Cernox:
    """Thin-film sensor after R = r4 (4.2 K/T)^p, close to a CX-1050 between 3 K and 300 K."""

    r4_ohm: float = 3500.0
    power: float = 0.95
    lowest_k: float = 1.4
    highest_k: float = 325.0

    def resistance_ohm(self, temperature_k: float) -> float:
        """Return the resistance at a temperature."""
        return float(self.r4_ohm * (4.2 / temperature_k) ** self.power)

    def temperature_k(self, resistance_ohm: float) -> float:
        """Return the temperature at a resistance; infinity if it is too low for any."""
        if resistance_ohm <= 0:
            return math.inf
        return float(4.2 * (self.r4_ohm / resistance_ohm) ** (1 / self.power))


@attrs.frozen
class Stage:
    """One temperature stage; fractions are of its base temperature.

    Attributes:
        name: as on the cryostat.
        base_k: temperature it stays around.
        swing: amplitude of its slow swing.
        period_s: time of one swing.
        link: how much of the relative change of the stage above arrives here.
        lag_s: how slowly it follows.
        pink: size of its 1/f noise.
        ripple: amplitude of the pulse tube's beat.
        sensor_noise: white noise of a resistance reading, relative.
        channels: the 372's channels with a sensor here.
    """

    name: str
    base_k: float
    swing: float
    period_s: float
    link: float
    lag_s: float
    pink: float
    ripple: float
    sensor_noise: float
    channels: tuple[int, ...]


STAGES = (
    Stage("50 K plate", 47.0, 0.004, 620.0, 0.0, 60.0, 4e-4, 2e-4, 3e-5, (1, 2)),
    Stage("4 K plate", 3.95, 0.006, 410.0, 0.3, 30.0, 8e-4, 1.5e-3, 5e-5, (3, 4, 5)),
    Stage("still", 0.86, 0.008, 300.0, 0.4, 20.0, 1e-3, 0.0, 1e-4, (6, 7)),
    Stage("cold plate", 0.115, 0.012, 240.0, 0.5, 15.0, 1.5e-3, 0.0, 2e-4, (8, 9)),
    Stage("mixing chamber", 0.0215, 0.02, 180.0, 0.6, 10.0, 2e-3, 0.0, 4e-4, (10, 11)),
    Stage("focal plane", 0.1, 0.004, 150.0, 0.1, 12.0, 6e-4, 0.0, 2e-4, (12, 13, 14, 15, 16)),
)

_PULSE_TUBE_HZ = 1.4
_PINK_TIMES_S = (1.0, 8.0, 64.0, 512.0)


class _PinkNoise:
    """Noise with a spectrum of about 1/f between a millihertz and a hertz, of size 1."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._states = [rng.gauss(0, 1) for _ in _PINK_TIMES_S]

    def advance(self, elapsed_s: float) -> float:
        for index, time_s in enumerate(_PINK_TIMES_S):
            kept = math.exp(-elapsed_s / time_s)
            fresh = math.sqrt(1 - kept * kept)
            self._states[index] = kept * self._states[index] + fresh * self._rng.gauss(0, 1)
        return sum(self._states) / math.sqrt(len(self._states))


class _StageState:
    """A stage in motion: its relative distance from the base temperature."""

    def __init__(self, stage: Stage, rng: random.Random) -> None:
        self.stage = stage
        self._pink = _PinkNoise(rng)
        self._phase = rng.uniform(0, 2 * math.pi)
        self._beat = rng.uniform(0, 2 * math.pi)
        self.offset = 0.0

    def advance(self, now: float, elapsed_s: float, above: float) -> None:
        stage = self.stage
        swing = stage.swing * math.sin(2 * math.pi * now / stage.period_s + self._phase)
        drive = swing + stage.pink * self._pink.advance(elapsed_s) + stage.link * above
        self.offset = drive + (self.offset - drive) * math.exp(-elapsed_s / stage.lag_s)

    def temperature_k(self, now: float) -> float:
        beat = math.sin(2 * math.pi * _PULSE_TUBE_HZ * now + self._beat)
        return self.stage.base_k * (1 + self.offset + self.stage.ripple * beat)


@attrs.frozen
class Measurement:
    """What the bridge sees at its input.

    Attributes:
        resistance_ohm: in phase.
        quadrature_ohm: out of phase, by the leads' capacitance.
    """

    resistance_ohm: float
    quadrature_ohm: float


class Cryostat:
    """Six stages with sixteen sensors.

    Args:
        seed: everything random follows from it.
        now: time of the beginning in seconds.
    """

    def __init__(self, seed: int, now: float) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - physics, not secrets
        self._start = now
        self._now = now
        self._stages = [_StageState(stage, self._rng) for stage in STAGES]
        self._of_channel = {
            channel: state for state in self._stages for channel in state.stage.channels
        }
        self._gradients = {
            channel: self._rng.uniform(-0.01, 0.01) for channel in sorted(self._of_channel)
        }
        self.sensors: dict[int, Sensor] = {
            channel: self._sensor(state.stage)
            for channel, state in sorted(self._of_channel.items())
        }
        # It has been cold for a while: the stages have followed what drives them.
        self._advance(0.0, elapsed_s=3600.0)

    def _sensor(self, stage: Stage) -> Sensor:
        spread = self._rng.uniform(0.97, 1.03)
        if stage.base_k > 2:
            return Cernox(r4_ohm=3500.0 * spread)
        return RutheniumOxide(r0_ohm=1000.0 * spread)

    def _advance(self, now: float, elapsed_s: float) -> None:
        above = 0.0
        for state in self._stages:
            state.advance(now, elapsed_s, above)
            above = state.offset

    def temperature_k(self, channel: int, now: float) -> float:
        """Return the true temperature at a sensor. Time must not run backwards."""
        since_start_s = now - self._start
        if now > self._now:
            self._advance(since_start_s, now - self._now)
            self._now = now
        at_stage_k = self._of_channel[channel].temperature_k(since_start_s)
        return at_stage_k * (1 + self._gradients[channel])

    def measure(self, channel: int, now: float) -> Measurement:
        """Measure a sensor with the bridge's noise. Time must not run backwards."""
        true_ohm = self.sensors[channel].resistance_ohm(self.temperature_k(channel, now))
        noise = self._of_channel[channel].stage.sensor_noise
        return Measurement(
            resistance_ohm=true_ohm * (1 + self._rng.gauss(0, noise)),
            quadrature_ohm=true_ohm * (0.002 + self._rng.gauss(0, noise)),
        )
