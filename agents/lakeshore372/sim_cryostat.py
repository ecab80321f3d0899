"""The dilution refrigerator that the simulated 372 looks at, and heats.

A small one, so that there is something to see: its stages follow within a minute. Its heat loads
swing slowly and with 1/f noise, which makes the drifts; the pulse tube's beat is on top of the
upper stages. The still's temperature sets how much helium goes round, and with it what is cooled
below. Everything is drawn from one seed, and time is handed in.
"""

import math
from collections.abc import Mapping

import attrs

from agents.lakeshore.sim.noise import PinkNoise, generator
from agents.lakeshore.sim.sensors import Cernox, RutheniumOxide, Sensor
from agents.lakeshore.sim.thermal import Cooling, Link, PowerLaw, Stage, ThermalModel
from agents.lakeshore372.input_tables import Channel

__all__ = ["MIXING_CHAMBER", "PLACES", "STILL", "Cryostat", "Measurement", "Place"]

STILL = "still"
MIXING_CHAMBER = "mixing chamber"

_STILL_HEAT_W = (0.106 * 10.0) ** 2 / 120.0
"""What the still's heater gives as the unit is delivered: 10.60 % of 10 V into 120 ohms."""

_PULSE_TUBE_HZ = 1.4
_MOST_CIRCULATION = 1.3


@attrs.frozen
class Place:
    """A stage with its disturbances and sensors.

    Attributes:
        stage: the body.
        base_k: temperature it has when nothing is changed.
        swing: amplitude of its heat load's slow swing, relative to its cooling power.
        period_s: time of one swing.
        pink: size of its heat load's 1/f noise, relative as well.
        ripple: amplitude of the pulse tube's beat, relative to its temperature.
        sensor_noise: white noise of a resistance reading, relative.
        channels: the channels with a sensor here.
        circulating: True if its cooling goes with the helium that circulates.
    """

    stage: Stage
    base_k: float
    swing: float
    period_s: float
    pink: float
    ripple: float
    sensor_noise: float
    channels: tuple[Channel, ...]
    circulating: bool = False


PLACES = (
    Place(
        Stage("50 K plate", PowerLaw(72.0, 0), Cooling(1.2, 1, 30.0)),
        *(47.0, 0.011, 620.0, 1e-3, 2e-4, 3e-5, (1, 2)),
    ),
    Place(
        Stage("4 K plate", PowerLaw(10.0, 0), Cooling(0.35, 1, 2.8)),
        *(3.95, 0.02, 410.0, 3e-3, 1.5e-3, 5e-5, (3, 4, 5)),
    ),
    Place(
        Stage(STILL, PowerLaw(1.0, 0), Cooling(0.0201, 4, 0.3)),
        *(0.86, 0.03, 300.0, 4e-3, 0.0, 1e-4, (6, 7)),
    ),
    Place(
        Stage("cold plate", PowerLaw(0.168, 1), Cooling(5.6e-3, 2, 0.05)),
        *(0.115, 0.02, 240.0, 4e-3, 0.0, 2e-4, (8, 9)),
        circulating=True,
    ),
    Place(
        Stage(MIXING_CHAMBER, PowerLaw(0.5, 1), Cooling(0.0252, 2, 0.008)),
        *(0.0215, 0.03, 180.0, 5e-3, 0.0, 4e-4, (10, 11, "A")),
        circulating=True,
    ),
    Place(
        Stage("focal plane", PowerLaw(2.4e-3, 1)),
        *(0.1, 0.008, 150.0, 1.2e-3, 0.0, 2e-4, (12, 13, 14, 15, 16)),
    ),
)

_LINKS = (
    Link("50 K plate", "4 K plate", 2e-3, 1),
    Link("4 K plate", STILL, 1e-4, 2),
    Link(STILL, "cold plate", 4e-5, 2),
    Link("cold plate", MIXING_CHAMBER, 3e-4, 2),
    Link(MIXING_CHAMBER, "focal plane", 1e-4, 2),
)


@attrs.frozen
class Measurement:
    """What the bridge sees at its input.

    Attributes:
        resistance_ohm: in phase.
        quadrature_ohm: out of phase, by the leads' capacitance.
    """

    resistance_ohm: float
    quadrature_ohm: float


class _Disturbance:
    """What swings at a place."""

    def __init__(self, place: Place, size_w: float, seed: int) -> None:
        rng = generator(seed, place.stage.name)
        self._place = place
        self._size_w = size_w
        self._pink = PinkNoise(rng)
        self._phase = rng.uniform(0, 2 * math.pi)
        self._beat = rng.uniform(0, 2 * math.pi)

    def heat_w(self, time_s: float, elapsed_s: float) -> float:
        swing = math.sin(2 * math.pi * time_s / self._place.period_s + self._phase)
        pink = self._pink.advance(elapsed_s)
        return self._size_w * (self._place.swing * swing + self._place.pink * pink)

    def ripple(self, time_s: float) -> float:
        if not self._place.ripple:
            return 0.0
        return self._place.ripple * math.sin(2 * math.pi * _PULSE_TUBE_HZ * time_s + self._beat)


class Cryostat:
    """Six stages, sixteen sensors on the measurement channels and one on the control input.

    Args:
        seed: everything random follows from it.
        now: time of the beginning in seconds; it has been cold for long by then.
    """

    def __init__(self, seed: int, now: float) -> None:
        self._start = self.now = now
        bases_k = [place.base_k for place in PLACES]
        stages = tuple(place.stage for place in PLACES)
        self._model = ThermalModel(stages, _LINKS, bases_k)
        self._names = [stage.name for stage in stages]
        self._still = self._names.index(STILL)
        out_w = self._model.outflow_w(bases_k, [1.0] * len(stages))
        usual = {STILL: _STILL_HEAT_W}
        self._loads_w = [
            out - usual.get(name, 0.0) for name, out in zip(self._names, out_w, strict=True)
        ]
        self._disturbances = [
            _Disturbance(place, self._throughput_w(number), seed)
            for number, place in enumerate(PLACES)
        ]
        self._place_of = {
            channel: number for number, place in enumerate(PLACES) for channel in place.channels
        }
        rng = generator(seed, "sensors")
        self._gradients = {channel: rng.uniform(-0.01, 0.01) for channel in self._place_of}
        self.sensors: dict[Channel, Sensor] = {
            channel: _sensor(PLACES[number], rng.uniform(0.97, 1.03))
            for channel, number in self._place_of.items()
        }
        self._noise = {channel: generator(seed, f"reading {channel}") for channel in self._place_of}
        for _ in range(3):
            self._step(0.0, 600.0, usual)

    def _throughput_w(self, number: int) -> float:
        """Return the heat that goes through a stage: what its disturbances are relative to."""
        place = PLACES[number]
        if place.stage.cooling:
            return place.stage.cooling.power_w(place.base_k)
        return abs(self._loads_w[number])

    def advance(self, now: float, heat_w: Mapping[str, float]) -> None:
        """Go on in one step to a time, which must not run backwards.

        Args:
            now: seconds, on the scale of the beginning.
            heat_w: heat given to stages meanwhile, by name.
        """
        if now > self.now:
            self._step(now - self._start, now - self.now, heat_w)
            self.now = now

    def _step(self, time_s: float, elapsed_s: float, heat_w: Mapping[str, float]) -> None:
        circulation = min(
            (self._model.temperatures_k[self._still] / PLACES[self._still].base_k) ** 4,
            _MOST_CIRCULATION,
        )
        self._model.advance(
            elapsed_s,
            [
                load + disturbance.heat_w(time_s, elapsed_s) + heat_w.get(name, 0.0)
                for load, disturbance, name in zip(
                    self._loads_w, self._disturbances, self._names, strict=True
                )
            ],
            [circulation if place.circulating else 1.0 for place in PLACES],
        )

    def temperature_k(self, channel: Channel, now: float) -> float:
        """Return the true temperature at a sensor at a time up to which was advanced."""
        number = self._place_of[channel]
        ripple = self._disturbances[number].ripple(now - self._start)
        return self._model.temperatures_k[number] * (1 + self._gradients[channel]) * (1 + ripple)

    def measure(self, channel: Channel, now: float) -> Measurement:
        """Measure a sensor with the bridge's noise."""
        true_ohm = self.sensors[channel].signal(self.temperature_k(channel, now))
        size = PLACES[self._place_of[channel]].sensor_noise
        gauss = self._noise[channel].gauss
        return Measurement(
            resistance_ohm=true_ohm * (1 + gauss(0, size)),
            quadrature_ohm=true_ohm * (0.002 + gauss(0, size)),
        )


def _sensor(place: Place, spread: float) -> Sensor:
    if place.base_k > 2:
        return Cernox(r4_ohm=3500.0 * spread)
    return RutheniumOxide(r0_ohm=1000.0 * spread)
