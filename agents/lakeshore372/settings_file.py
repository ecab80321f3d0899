"""The YAML file with a unit's channel settings: read and checked as a whole before it is used.

    LSA23JD:
      device_settings: {autoscan: on}
      channel:
        1: {enable: on, excitation_mode: current, excitation_value: 10e-9, autorange: off,
            resistance_range: 63.2e3, dwell: 10, pause: 3, calibration_curve_num: 21,
            temperature_coeff: negative}

The project's Lake Shore specification, section 6.4. To YAML ``on`` is a boolean and ``2e3`` a text:
both are understood.
"""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs
import yaml

from agents.lakeshore.messages import InstrumentError
from agents.lakeshore372.input_tables import (
    MEASUREMENT_CHANNELS,
    RESISTANCE_RANGE_OHM,
    InputMode,
    TemperatureCoefficient,
    combination_exists,
    excitation_steps,
    fitting_ranges,
    label,
    nearest_step,
)

__all__ = ["ChannelPlan", "SettingsError", "UnitPlan", "find_settings", "load_settings"]

T = TypeVar("T")

_MODES = {"voltage": InputMode.VOLTAGE, "current": InputMode.CURRENT}
_COEFFICIENTS = {
    "negative": TemperatureCoefficient.NEGATIVE,
    "positive": TemperatureCoefficient.POSITIVE,
}
_CHANNEL_KEYS = (
    "enable",
    "excitation_mode",
    "excitation_value",
    "autorange",
    "resistance_range",
    "dwell",
    "pause",
    "calibration_curve_num",
    "temperature_coeff",
)


class SettingsError(InstrumentError):
    """The file with the channel settings cannot be used; nothing was sent to the unit.

    Correct the file; the message names the entry and what it may be.
    """


@attrs.frozen
class ChannelPlan:
    """What a file wants of one measurement channel.

    Attributes:
        enabled: whether autoscan visits it.
        mode: voltage or current excitation.
        excitation: step in the table of the mode.
        autorange: whether the unit chooses the range.
        resistance_range: step; None leaves the choice to autorange.
        dwell_s: 1 to 200.
        pause_s: 3 to 200.
        curve: 0 for none, 1 to 59.
        coefficient: sign of dR/dT; the unit takes it from the curve if there is one.
    """

    enabled: bool
    mode: InputMode
    excitation: int
    autorange: bool
    resistance_range: int | None
    dwell_s: int
    pause_s: int
    curve: int
    coefficient: TemperatureCoefficient


@attrs.frozen
class UnitPlan:
    """What a file wants of one unit."""

    autoscan: bool
    channels: Mapping[int, ChannelPlan]


def find_settings(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of a settings file; a relative one is meant from ``$OCS_CONFIG_DIR``."""
    return Path(environ.get("OCS_CONFIG_DIR", "")) / name


def load_settings(path: Path) -> Mapping[str, UnitPlan]:
    """Read a settings file.

    Returns:
        What it wants, by serial number.

    Raises:
        SettingsError: it cannot be read, or something in it is missing, unknown or not allowed.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {_why(error)}.") from error
    except yaml.YAMLError as error:
        # Its words are several lines; the first says what, the last where.
        words = " ".join(str(error).split())
        raise SettingsError(f"{path} is not YAML: {words}.") from error
    reader = _Reader(str(path))
    units = reader.section(tree, "serial numbers of units")
    return {str(serial): _read_unit(reader.below(serial), unit) for serial, unit in units.items()}


def _why(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return "it is not UTF-8"


@attrs.frozen
class _Reader:
    """Reads one entry of the file after the other, and knows where it is."""

    where: str

    def below(self, key: object) -> "_Reader":
        return _Reader(f"{self.where}: {key}")

    def refuse(self, found: object, allowed: str) -> SettingsError:
        return SettingsError(f"{self.where}: {found!r} is given; it must be {allowed}.")

    def section(self, found: object, what: str) -> Mapping[Any, Any]:
        if not isinstance(found, Mapping) or not found:
            raise self.refuse(found, f"a mapping with {what}")
        return found

    def keys(self, found: object, needed: tuple[str, ...]) -> Mapping[str, Any]:
        section = self.section(found, ", ".join(needed))
        for key in section:
            if key not in needed:
                raise SettingsError(
                    f"{self.where}: there is no setting {key!r}; there are {', '.join(needed)}."
                )
        return section

    def entry(self, section: Mapping[str, Any], key: str, read: "Callable[[_Reader, Any], T]") -> T:
        if key not in section:
            raise SettingsError(f"{self.where}: the setting {key!r} is missing.")
        return read(self.below(key), section[key])


def _read_unit(reader: _Reader, found: object) -> UnitPlan:
    unit = reader.keys(found, ("device_settings", "channel"))
    for key in ("device_settings", "channel"):
        if key not in unit:
            raise SettingsError(f"{reader.where}: the section {key!r} is missing.")
    inside = reader.below("device_settings")
    device = inside.keys(unit["device_settings"], ("autoscan",))
    autoscan = inside.entry(device, "autoscan", _switch)
    inside = reader.below("channel")
    channels = {}
    for key, settings in inside.section(unit["channel"], "channel numbers").items():
        number = _channel(inside, key)
        if number in channels:
            raise SettingsError(f"{inside.where}: channel {number} is there twice.")
        channels[number] = _read_channel(inside.below(number), settings)
    return UnitPlan(autoscan, channels)


def _read_channel(reader: _Reader, found: object) -> ChannelPlan:
    it = reader.keys(found, _CHANNEL_KEYS)
    mode = reader.entry(it, "excitation_mode", _choice(_MODES))
    steps = excitation_steps(mode, 1)
    excitation = nearest_step(steps, reader.entry(it, "excitation_value", _positive))
    autorange = reader.entry(it, "autorange", _switch)
    resistance_range = None
    if not autorange:
        wanted = reader.entry(it, "resistance_range", _positive)
        resistance_range = nearest_step(RESISTANCE_RANGE_OHM, wanted)
        if not combination_exists(mode, excitation, resistance_range):
            ranges = fitting_ranges(mode, excitation)
            unit = "V" if mode is InputMode.VOLTAGE else "A"
            raise reader.below("resistance_range").refuse(
                it["resistance_range"],
                f"from {label(RESISTANCE_RANGE_OHM[ranges[0]], 'Ω')} to "
                f"{label(RESISTANCE_RANGE_OHM[ranges[-1]], 'Ω')} with an excitation of "
                f"{label(steps[excitation], unit)}",
            )
    return ChannelPlan(
        enabled=reader.entry(it, "enable", _switch),
        mode=mode,
        excitation=excitation,
        autorange=autorange,
        resistance_range=resistance_range,
        dwell_s=reader.entry(it, "dwell", _whole(1, 200, " s")),
        pause_s=reader.entry(it, "pause", _whole(3, 200, " s")),
        curve=reader.entry(it, "calibration_curve_num", _whole(0, 59)),
        coefficient=reader.entry(it, "temperature_coeff", _coefficient),
    )


def _channel(reader: _Reader, key: object) -> int:
    try:
        number = int(str(key))
    except ValueError:
        number = 0
    if number not in MEASUREMENT_CHANNELS:
        raise SettingsError(f"{reader.where}: there is no channel {key!r}; there are 1 to 16.")
    return number


def _switch(reader: _Reader, found: object) -> bool:
    words = {"on": True, "off": False, "true": True, "false": False}
    try:
        return words[str(found).lower()]
    except KeyError:
        raise reader.refuse(found, "on or off") from None


def _choice(choices: Mapping[str, T]) -> Callable[[_Reader, object], T]:
    def read(reader: _Reader, found: object) -> T:
        try:
            return choices[str(found).lower()]
        except KeyError:
            raise reader.refuse(found, " or ".join(choices)) from None

    return read


def _coefficient(reader: _Reader, found: object) -> TemperatureCoefficient:
    numbers = {str(item.value): item for item in TemperatureCoefficient}
    return _choice({**_COEFFICIENTS, **numbers})(reader, found)


def _number(found: object) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return math.nan
    try:
        return float(found)
    except (ValueError, OverflowError):
        return math.nan


def _positive(reader: _Reader, found: object) -> float:
    value = _number(found)
    if not 0 < value < math.inf:
        raise reader.refuse(found, "a number above 0, such as 2.0e+3")
    return value


def _whole(low: int, high: int, unit: str = "") -> Callable[[_Reader, object], int]:
    def read(reader: _Reader, found: object) -> int:
        value = _number(found)
        if not low <= value <= high or value != int(value):
            raise reader.refuse(found, f"a whole number from {low} to {high}{unit}")
        return int(value)

    return read
