"""Settings of the 372's inputs: enums, excitation and range tables, status bits.

Source of the numbers: the project's Lake Shore specification, sections 1.3 to 1.5 (the maker's
manual, revisions 1.4 to 1.7).
"""

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from types import MappingProxyType
from typing import Literal

import attrs

__all__ = [
    "CONTROL_EXCITATION_A",
    "CURRENT_EXCITATION_A",
    "FREQUENCY_HZ",
    "MEASUREMENT_CHANNELS",
    "RESISTANCE_RANGE_OHM",
    "VOLTAGE_EXCITATION_V",
    "Autorange",
    "Channel",
    "FilterSettings",
    "InputMode",
    "InputSettings",
    "InputSetup",
    "ReadingStatus",
    "Settling",
    "TemperatureCoefficient",
    "Units",
    "combination_exists",
    "excitation_steps",
    "fitting_ranges",
    "label",
    "nearest_step",
]

Channel = int | Literal["A"]
"""A measurement channel, 1 to 16, or ``"A"``, the control input."""

MEASUREMENT_CHANNELS = range(1, 17)


def _steps(*values: float) -> Mapping[int, float]:
    return MappingProxyType(dict(enumerate(values, start=1)))


# fmt: off
VOLTAGE_EXCITATION_V = _steps(
    2.00e-6, 6.32e-6, 20.0e-6, 63.2e-6, 200e-6, 632e-6,
    2.00e-3, 6.32e-3, 20.0e-3, 63.2e-3, 200e-3, 632e-3,
)
"""Excitation step of voltage mode to volts rms."""

CURRENT_EXCITATION_A = _steps(
    1.00e-12, 3.16e-12, 10.0e-12, 31.6e-12, 100e-12, 316e-12,
    1.00e-9, 3.16e-9, 10.0e-9, 31.6e-9, 100e-9, 316e-9,
    1.00e-6, 3.16e-6, 10.0e-6, 31.6e-6, 100e-6, 316e-6,
    1.00e-3, 3.16e-3, 10.0e-3, 31.6e-3,
)
"""Excitation step of current mode to amperes rms."""

CONTROL_EXCITATION_A = _steps(316e-12, 1.00e-9, 3.16e-9, 10.0e-9, 31.6e-9, 100e-9)
"""Excitation step of the control input, which is always driven by a current, to amperes rms."""

RESISTANCE_RANGE_OHM = _steps(
    2.00e-3, 6.32e-3, 20.0e-3, 63.2e-3, 200e-3, 632e-3,
    2.00, 6.32, 20.0, 63.2, 200.0, 632.0,
    2.00e3, 6.32e3, 20.0e3, 63.2e3, 200e3, 632e3,
    2.00e6, 6.32e6, 20.0e6, 63.2e6,
)
"""Range step of a measurement channel to its full scale in ohms."""

FREQUENCY_HZ = _steps(9.8, 13.7, 16.2, 11.6, 18.2)
"""Number of an excitation frequency to hertz; they are not in order."""
# fmt: on

_PREFIXES = ((1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))


def nearest_step(steps: Mapping[int, float], value: float) -> int:
    """Return the step whose value is nearest to `value`, by plain difference."""
    return min(steps, key=lambda step: abs(steps[step] - value))


def label(value: float, unit: str) -> str:
    """Write a step's value as the front panel does, for example ``63.2 kΩ``."""
    # 1 % of slack: the decimal 1e-12 may be read as a hair less than 1 pA.
    for factor, prefix in _PREFIXES:
        if abs(value) >= 0.99 * factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


class InputMode(IntEnum):
    """How a sensor is excited."""

    VOLTAGE = 0
    CURRENT = 1


class Autorange(IntEnum):
    """Who chooses the resistance range."""

    OFF = 0
    CURRENT = 1
    ROX_102B = 2
    """Control input only: excitation follows a ROX-102B sensor."""


class Units(IntEnum):
    """Preferred units of a channel (for the display and for control)."""

    KELVIN = 1
    OHMS = 2


class TemperatureCoefficient(IntEnum):
    """Sign of dR/dT used for control when a channel has no curve."""

    NEGATIVE = 1
    POSITIVE = 2


class Settling(IntEnum):
    """What ``RDGSTL?`` says about the reading of an input."""

    VALID = 0
    FILTER = 1
    HARDWARE = 2


class ReadingStatus(IntFlag):
    """Bits of ``RDGST?``; none set is a good reading."""

    CURRENT_SOURCE_OVERLOAD = 1
    COMMON_MODE_OVERLOAD = 2
    MIXER_OVERLOAD = 4
    DIFFERENTIAL_OVERLOAD = 8
    R_OVER_RANGE = 16
    R_UNDER_RANGE = 32
    T_OVER_RANGE = 64
    T_UNDER_RANGE = 128

    @property
    def resistance_invalid(self) -> bool:
        """True if the resistance must not be used."""
        return bool(int(self) & 0b0011_1111)

    @property
    def temperature_invalid(self) -> bool:
        """True if the temperature must not be used: it follows from the resistance."""
        return self != 0

    def names(self) -> tuple[str, ...]:
        """Name the bits that are set, lowest first, for example ``("R over range",)``."""
        return tuple(
            (flag.name or "").replace("_", " ").capitalize()
            for flag in ReadingStatus
            if flag in self
        )


def combination_exists(mode: InputMode, excitation: int, resistance_range: int) -> bool:
    """Tell whether the unit can work at this excitation and range.

    All three tables step by half decades; with current step i and range step r the voltage over
    the sensor is step ``i + r - 19``, which must exist.

    Args:
        mode: what ``excitation`` counts.
        excitation: step, 1 to 12 in voltage mode, 1 to 22 in current mode.
        resistance_range: step, 1 to 22.
    """
    if resistance_range not in RESISTANCE_RANGE_OHM:
        return False
    if mode is InputMode.CURRENT:
        return (
            excitation in CURRENT_EXCITATION_A
            and excitation + resistance_range - 19 in VOLTAGE_EXCITATION_V
        )
    return (
        excitation in VOLTAGE_EXCITATION_V
        and excitation - resistance_range + 19 in CURRENT_EXCITATION_A
    )


def excitation_steps(mode: InputMode, channel: Channel) -> Mapping[int, float]:
    """Return the excitation steps of a channel: volts in voltage mode, else amperes."""
    if channel == "A":
        return CONTROL_EXCITATION_A
    return VOLTAGE_EXCITATION_V if mode is InputMode.VOLTAGE else CURRENT_EXCITATION_A


def fitting_ranges(mode: InputMode, excitation: int) -> list[int]:
    """Return the range steps that a measurement channel can work at with this excitation."""
    return [step for step in RESISTANCE_RANGE_OHM if combination_exists(mode, excitation, step)]


@attrs.frozen
class InputSettings:
    """Answer to ``INSET?``: how the scanner treats a channel.

    Attributes:
        enabled: whether autoscan visits the channel.
        dwell_s: seconds of readings in a visit; 0 to 200 (the control input has none).
        pause_s: seconds without new readings after a change to the channel; 3 to 200.
        curve: number of its calibration curve, 0 for none, else 1 to 59.
        coefficient: see `TemperatureCoefficient`.
    """

    enabled: bool
    dwell_s: int
    pause_s: int
    curve: int
    coefficient: TemperatureCoefficient


@attrs.frozen
class InputSetup:
    """Answer to ``INTYPE?``: how a sensor is excited and measured.

    Attributes:
        mode: voltage or current excitation.
        excitation: step in the table of the mode.
        autorange: who chooses the range.
        resistance_range: step in `RESISTANCE_RANGE_OHM`.
        excitation_on: false while the current source is shunted.
        units: preferred units.
    """

    mode: InputMode
    excitation: int
    autorange: Autorange
    resistance_range: int
    excitation_on: bool
    units: Units

    @property
    def excitation_unit(self) -> str:
        """V or A."""
        return "V" if self.mode is InputMode.VOLTAGE else "A"


@attrs.frozen
class FilterSettings:
    """Answer to ``FILTER?``: how the readings of a channel are averaged.

    Attributes:
        on: whether they are.
        settle_s: seconds over which they are averaged, 1 to 200.
        window_percent: step in a reading, 1 to 80 % of the full scale, that starts anew.
    """

    on: bool
    settle_s: int
    window_percent: int
