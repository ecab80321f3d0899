"""Thermometers: resistance or voltage at a temperature, and points of their calibration."""

import math
from typing import Protocol

import attrs

__all__ = [
    "Cernox",
    "Platinum",
    "RutheniumOxide",
    "Sensor",
    "SiliconDiode",
    "calibration_points",
]


class Sensor(Protocol):
    """A thermometer."""

    @property
    def lowest_k(self) -> float:
        """Where its calibration begins."""
        ...

    @property
    def highest_k(self) -> float:
        """Where its calibration ends."""
        ...

    def signal(self, temperature_k: float) -> float:
        """Return what is measured of it at a temperature: ohms; volts of a diode."""
        ...


@attrs.frozen
class RutheniumOxide:
    """Thick-film sensor after R = r0 exp((t0/T)^p), close to an RX-102A between 20 mK and 10 K."""

    r0_ohm: float = 1000.0
    t0_k: float = 0.303
    power: float = 0.44
    lowest_k: float = 0.008
    highest_k: float = 40.0

    def signal(self, temperature_k: float) -> float:
        """Return the resistance in ohms at a temperature."""
        return float(self.r0_ohm * math.exp((self.t0_k / temperature_k) ** self.power))


@attrs.frozen
class Cernox:
    """Thin-film sensor after R = r4 (4.2 K/T)^p, close to a CX-1050 between 3 K and 300 K."""

    r4_ohm: float = 3500.0
    power: float = 0.95
    lowest_k: float = 1.4
    highest_k: float = 325.0

    def signal(self, temperature_k: float) -> float:
        """Return the resistance in ohms at a temperature."""
        return float(self.r4_ohm * (4.2 / temperature_k) ** self.power)


@attrs.frozen
class Platinum:
    """Platinum resistor of the industrial kind, after Callendar and Van Dusen down to 70 K."""

    r0_ohm: float = 100.0
    lowest_k: float = 30.0
    highest_k: float = 800.0

    def signal(self, temperature_k: float) -> float:
        """Return the resistance in ohms at a temperature."""
        celsius = temperature_k - 273.15
        # The standard's polynomial is not meant for less than 70 K; from there on the resistance
        # falls towards a residual one, as real sensors' does.
        if temperature_k < _PLATINUM_JOINT_K:
            joint = self.signal(_PLATINUM_JOINT_K)
            residual = 0.002 * self.r0_ohm
            return float(residual + (joint - residual) * (temperature_k / _PLATINUM_JOINT_K) ** 2.2)
        ratio = 1 + 3.9083e-3 * celsius - 5.775e-7 * celsius**2
        if celsius < 0:
            ratio -= 4.183e-12 * (celsius - 100) * celsius**3
        return float(self.r0_ohm * ratio)


_PLATINUM_JOINT_K = 70.0


@attrs.frozen
class SiliconDiode:
    """Silicon diode at 10 µA, of the shape of a DT-670.

    Attributes:
        offset_v: how far this one is off the usual voltage.
    """

    offset_v: float = 0.0
    lowest_k: float = 1.4
    highest_k: float = 500.0

    def signal(self, temperature_k: float) -> float:
        """Return the forward voltage at a temperature."""
        if temperature_k >= _DIODE_JOINT_K:
            return self.offset_v + _DIODE_JOINT_V - 2.0e-3 * (temperature_k - _DIODE_JOINT_K)
        coldest_k = max(temperature_k, self.lowest_k)
        below = (_DIODE_JOINT_K - coldest_k) / (_DIODE_JOINT_K - self.lowest_k)
        return float(self.offset_v + _DIODE_JOINT_V + 0.52 * below**1.2)


# Two millivolts a kelvin, and many more where the charge carriers freeze out.
_DIODE_JOINT_K = 25.0
_DIODE_JOINT_V = 1.13


def calibration_points(
    sensor: Sensor, count: int = 200, *, logarithmic: bool = False
) -> list[tuple[float, float]]:
    """Return points of a sensor's curve as a maker would tabulate them, by rising signal.

    Args:
        sensor: the thermometer.
        count: how many points, evenly spread over the logarithm of the temperature.
        logarithmic: True for the logarithm (base ten) of the signal.

    Returns:
        Pairs of signal and kelvin, both of six digits.
    """
    span = math.log(sensor.highest_k / sensor.lowest_k)
    points = []
    for step in range(count):
        temperature_k = float(f"{sensor.lowest_k * math.exp(span * step / (count - 1)):.6g}")
        signal = sensor.signal(temperature_k)
        points.append(
            (float(f"{math.log10(signal) if logarithmic else signal:.6g}"), temperature_k)
        )
    return sorted(points)
