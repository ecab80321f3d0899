"""Settings of the 240's inputs: enums, ranges, status bits.

Source of the numbers: the project's Lake Shore specification, sections 3.2 and 3.3.
"""

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from types import MappingProxyType

import attrs

__all__ = [
    "RANGES",
    "InputType",
    "ReadingStatus",
    "Sensor",
    "Units",
    "sensor_title",
]


class Sensor(IntEnum):
    """Kind of thermometer at an input."""

    DIODE = 1
    PLATINUM_RTD = 2
    NTC_RTD = 3


class Units(IntEnum):
    """Preferred units of an input (for the display and for PROFIBUS)."""

    KELVIN = 1
    CELSIUS = 2
    SENSOR = 3
    FAHRENHEIT = 4


RANGES: Mapping[Sensor, tuple[float, ...]] = MappingProxyType(
    {
        Sensor.DIODE: (7.5,),
        Sensor.PLATINUM_RTD: (1e3,),
        Sensor.NTC_RTD: (10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 10e3, 30e3, 100e3),
    }
)
"""Range step, from 0, to full scale: volts for a diode, ohms for the others."""

_TITLES = MappingProxyType(
    {Sensor.DIODE: "Diode", Sensor.PLATINUM_RTD: "PlatRTC", Sensor.NTC_RTD: "NTC RTD"}
)


def sensor_title(sensor: Sensor) -> str:
    """Return the name by which clients have known a kind of sensor since 2019."""
    return _TITLES[sensor]


class ReadingStatus(IntFlag):
    """Bits of ``RDGST?``; none set is a good reading."""

    INVALID_READING = 1
    T_UNDER_RANGE = 16
    T_OVER_RANGE = 32
    SENSOR_OVER_RANGE = 64
    SENSOR_UNDER_RANGE = 128

    @property
    def sensor_invalid(self) -> bool:
        """True if the reading in sensor units must not be used."""
        return bool(self & ~(ReadingStatus.T_UNDER_RANGE | ReadingStatus.T_OVER_RANGE))

    @property
    def temperature_invalid(self) -> bool:
        """True if the temperature must not be used: it follows from the sensor's reading."""
        return self != 0

    def names(self) -> tuple[str, ...]:
        """Name the bits that are set, lowest first, for example ``("T over range",)``."""
        return tuple(
            (flag.name or "").replace("_", " ").capitalize()
            for flag in ReadingStatus
            if flag in self
        )


@attrs.frozen
class InputType:
    """Answer to ``INTYPE?``: how a sensor is read.

    Attributes:
        sensor: its kind.
        autorange: whether the unit chooses the range (NTC RTD).
        range_step: step in `RANGES` of the sensor.
        current_reversal: whether thermal voltages are cancelled; never for a diode.
        units: preferred units.
        enabled: whether the input is read at all.
    """

    sensor: Sensor
    autorange: bool
    range_step: int
    current_reversal: bool
    units: Units
    enabled: bool

    @property
    def full_scale(self) -> float:
        """Full scale of the range: volts for a diode, ohms for the others."""
        return RANGES[self.sensor][self.range_step]

    def problems(self) -> list[str]:
        """Say which settings do not go together; the unit would not take them, without a word."""
        problems = []
        steps = len(RANGES[self.sensor])
        if not 0 <= self.range_step < steps:
            allowed = "0" if steps == 1 else f"0 to {steps - 1}"
            problems.append(
                f"The range of a {sensor_title(self.sensor)} is {allowed}, not {self.range_step}."
            )
        if self.current_reversal and self.sensor is Sensor.DIODE:
            problems.append("A diode cannot have current reversal.")
        return problems
