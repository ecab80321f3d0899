"""The cryostat that the simulated 240 looks at: eight places, each with a thermometer.

A picture to look at, not a thermal design: each place follows, with a lag, a slow swing and 1/f
noise of its own around where it belongs; those on the pulse tube carry its beat. Everything is
drawn from one seed, and time is handed in.
"""

import math

import attrs

from agents.lakeshore.sim.noise import PinkNoise, generator
from agents.lakeshore.sim.sensors import Cernox, Platinum, Sensor, SiliconDiode

__all__ = ["PLACES", "Cryostat", "Place"]

_PULSE_TUBE_HZ = 1.4
_COLD_FOR_S = 3600.0


@attrs.frozen
class Place:
    """A place with a thermometer; fractions are of its temperature.

    Attributes:
        name: as the channel is called.
        base_k: temperature it stays around.
        sensor: its thermometer, before the spread between specimens.
        swing: amplitude of its slow swing.
        period_s: time of one swing.
        lag_s: how slowly it follows.
        pink: size of its 1/f noise.
        beat: amplitude of the pulse tube's beat.
    """

    name: str
    base_k: float
    sensor: Sensor
    swing: float
    period_s: float
    lag_s: float
    pink: float
    beat: float = 0.0


PLACES = (
    Place("40K plate", 41.0, SiliconDiode(), 0.004, 620.0, 60.0, 4e-4, 2e-4),
    Place("4K plate", 3.9, SiliconDiode(), 0.006, 410.0, 30.0, 8e-4, 1.5e-3),
    Place("4K strap", 4.3, Cernox(), 0.006, 380.0, 20.0, 8e-4, 2e-3),
    Place("Still shield", 1.6, Cernox(r4_ohm=2800.0), 0.008, 300.0, 40.0, 1e-3),
    Place("Vessel", 295.0, Platinum(), 0.001, 7200.0, 600.0, 1e-4),
    Place("LN2 trap", 78.5, Platinum(r0_ohm=1000.0), 0.003, 900.0, 90.0, 5e-4),
    Place("40K filter", 46.0, SiliconDiode(), 0.004, 700.0, 120.0, 4e-4),
    Place("Cold head", 36.0, SiliconDiode(), 0.003, 500.0, 10.0, 5e-4, 3e-3),
)
"""What is at each input, from the first one on."""


class _PlaceState:
    """A place in motion: its relative distance from where it belongs."""

    def __init__(self, place: Place, seed: int) -> None:
        rng = generator(seed, place.name)
        self.place = place
        self.sensor = _specimen(place.sensor, rng.uniform(-1, 1))
        self._pink = PinkNoise(rng)
        self._phase = rng.uniform(0, 2 * math.pi)
        self._beat = rng.uniform(0, 2 * math.pi)
        self._offset = 0.0

    def advance(self, time_s: float, elapsed_s: float) -> None:
        place = self.place
        swing = place.swing * math.sin(2 * math.pi * time_s / place.period_s + self._phase)
        drive = swing + place.pink * self._pink.advance(elapsed_s)
        self._offset = drive + (self._offset - drive) * math.exp(-elapsed_s / place.lag_s)

    def temperature_k(self, time_s: float) -> float:
        beat = math.sin(2 * math.pi * _PULSE_TUBE_HZ * time_s + self._beat)
        return self.place.base_k * (1 + self._offset + self.place.beat * beat)


class Cryostat:
    """The places, in motion.

    Args:
        seed: everything random follows from it.
        now: time of the beginning in seconds.
    """

    def __init__(self, seed: int, now: float) -> None:
        self._start = self._now = now
        self._states = [_PlaceState(place, seed) for place in PLACES]
        # It has been cold for a while: the places have followed what drives them.
        for state in self._states:
            state.advance(0.0, _COLD_FOR_S)

    def sensor(self, channel: int) -> Sensor:
        """Return the thermometer at an input, counted from 1."""
        return self._states[channel - 1].sensor

    def advance(self, now: float) -> None:
        """Go on to a time in seconds, which must not run backwards."""
        if now > self._now:
            for state in self._states:
                state.advance(now - self._start, now - self._now)
            self._now = now

    def temperature_k(self, channel: int) -> float:
        """Return the true temperature at an input, counted from 1."""
        return self._states[channel - 1].temperature_k(self._now - self._start)


def _specimen(sensor: Sensor, draw: float) -> Sensor:
    """Return a thermometer as one is never quite like the next; `draw` is from -1 to 1."""
    if isinstance(sensor, SiliconDiode):
        return attrs.evolve(sensor, offset_v=0.003 * draw)
    if isinstance(sensor, Cernox):
        return attrs.evolve(sensor, r4_ohm=sensor.r4_ohm * (1 + 0.03 * draw))
    # Platinum is made to a standard.
    return sensor
