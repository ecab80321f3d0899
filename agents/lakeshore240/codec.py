"""What the 240 says on the wire: queries and commands out, typed replies in. No I/O.

Facts from the project's Lake Shore specification, sections 3.1 and 3.2. Curves: see `curves`.
"""

import re

import attrs

from agents.lakeshore.messages import (
    BadReply,
    Command,
    Query,
    decimal,
    fields,
    integer,
    member,
    printable,
)
from agents.lakeshore240.input_tables import RANGES, InputType, ReadingStatus, Sensor, Units

__all__ = [
    "BRIGHTNESS_PERCENT",
    "PROFIBUS_UNSET",
    "ProfibusSlot",
    "brightness",
    "celsius",
    "factory_defaults",
    "fahrenheit",
    "filter_points",
    "input_name",
    "input_type",
    "kelvin",
    "module_name",
    "profibus_address",
    "profibus_slot",
    "profibus_slots",
    "profibus_status",
    "reading_status",
    "sensor_units",
    "set_brightness",
    "set_filter_points",
    "set_input_name",
    "set_input_type",
    "set_module_name",
    "set_profibus_address",
    "set_profibus_slot",
    "set_profibus_slots",
]

CHANNELS = range(1, 9)
BRIGHTNESS_PERCENT = (0, 25, 50, 75, 100)
PROFIBUS_UNSET = 126
"""PROFIBUS address of a module that has been given none."""

_NAME_LENGTH = 15
_PLAIN = re.compile(r"[\x20-\x2b\x2d-\x3a\x3c-\x7e]*", re.ASCII)


@attrs.frozen
class ProfibusSlot:
    """Answer to ``PROFISLOT?``: what a slot of the cyclic data holds."""

    channel: int
    units: Units


def module_name() -> Query[str]:
    """``MODNAME?``: the name given to the module."""
    return Query("MODNAME?", _parse_name)


def set_module_name(name: str) -> Command:
    """``MODNAME``: up to 15 characters without comma and semicolon."""
    return Command(f"MODNAME {_name(name)}")


def input_name(channel: int) -> Query[str]:
    """``INNAME?``: the name given to an input."""
    return Query(f"INNAME? {_channel(channel)}", _parse_name)


def set_input_name(channel: int, name: str) -> Command:
    """``INNAME``: up to 15 characters without comma and semicolon."""
    return Command(f"INNAME {_channel(channel)},{_name(name)}")


def input_type(channel: int) -> Query[InputType]:
    """``INTYPE?``: sensor, autorange, range, current reversal, units, enabled."""
    return Query(f"INTYPE? {_channel(channel)}", _parse_input_type)


def set_input_type(channel: int, wanted: InputType) -> Command:
    """``INTYPE``: as `input_type`.

    Raises:
        ValueError: the settings do not go together.
    """
    problems = wanted.problems()
    if problems:
        raise ValueError(" ".join(problems))
    return Command(
        f"INTYPE {_channel(channel)},{wanted.sensor:d},{wanted.autorange:d},{wanted.range_step:d},"
        f"{wanted.current_reversal:d},{wanted.units:d},{wanted.enabled:d}"
    )


def kelvin(channel: int) -> Query[float]:
    """``KRDG?``: temperature in kelvin."""
    return Query(f"KRDG? {_channel(channel)}", _parse_reading)


def celsius(channel: int) -> Query[float]:
    """``CRDG?``: temperature in degrees Celsius."""
    return Query(f"CRDG? {_channel(channel)}", _parse_reading)


def fahrenheit(channel: int) -> Query[float]:
    """``FRDG?``: temperature in degrees Fahrenheit."""
    return Query(f"FRDG? {_channel(channel)}", _parse_reading)


def sensor_units(channel: int) -> Query[float]:
    """``SRDG?``: volts for a diode, ohms for the other sensors."""
    return Query(f"SRDG? {_channel(channel)}", _parse_reading)


def reading_status(channel: int) -> Query[ReadingStatus]:
    """``RDGST?``: what is wrong with an input's reading."""
    return Query(f"RDGST? {_channel(channel)}", _parse_status)


def filter_points(channel: int) -> Query[int]:
    """``FILTER?``: how many readings of 1 ms are averaged, 1 to 100."""
    return Query(f"FILTER? {_channel(channel)}", lambda text: integer(text, 1, 100, "the filter"))


def set_filter_points(channel: int, points: int) -> Command:
    """``FILTER``: as `filter_points`.

    Raises:
        ValueError: it is not from 1 to 100.
    """
    if not 1 <= points <= 100:
        raise ValueError(f"A filter has 1 to 100 points, not {points}.")
    return Command(f"FILTER {_channel(channel)},{points}")


def brightness() -> Query[int]:
    """``BRIGT?``: of the display, in percent."""
    return Query("BRIGT?", lambda text: integer(text, 0, 100, "the brightness"))


def set_brightness(percent: int) -> Command:
    """``BRIGT``: one of `BRIGHTNESS_PERCENT`.

    Raises:
        ValueError: it is none of them.
    """
    if percent not in BRIGHTNESS_PERCENT:
        allowed = ", ".join(map(str, BRIGHTNESS_PERCENT))
        raise ValueError(f"A brightness of {percent} % is none of {allowed}.")
    return Command(f"BRIGT {percent}")


def factory_defaults() -> Command:
    """``DFLT 99``: forget all settings and start anew."""
    return Command("DFLT 99")


def profibus_address() -> Query[int]:
    """``ADDR?``: PROFIBUS address, 1 to 126; see `PROFIBUS_UNSET`."""
    return Query("ADDR?", lambda text: integer(text, 1, PROFIBUS_UNSET, "the address"))


def set_profibus_address(address: int) -> Command:
    """``ADDR``: as `profibus_address`.

    Raises:
        ValueError: there is no such address.
    """
    if not 1 <= address <= PROFIBUS_UNSET:
        raise ValueError(f"A PROFIBUS address is from 1 to {PROFIBUS_UNSET}, not {address}.")
    return Command(f"ADDR {address}")


def profibus_slots() -> Query[int]:
    """``PROFINUM?``: how many slots are used, 1 to 8."""
    return Query("PROFINUM?", lambda text: integer(text, 1, 8, "the number of slots"))


def set_profibus_slots(count: int) -> Command:
    """``PROFINUM``: as `profibus_slots`.

    Raises:
        ValueError: it is not from 1 to 8.
    """
    return Command(f"PROFINUM {_slot(count)}")


def profibus_slot(slot: int) -> Query[ProfibusSlot]:
    """``PROFISLOT?``: input and units of a slot."""

    def parse(text: str) -> ProfibusSlot:
        channel, units = fields(text, ("channel", "units"))
        return ProfibusSlot(
            integer(channel, 1, 8, "the channel"), member(Units, units, "the units")
        )

    return Query(f"PROFISLOT? {_slot(slot)}", parse)


def set_profibus_slot(slot: int, wanted: ProfibusSlot) -> Command:
    """``PROFISLOT``: as `profibus_slot`."""
    return Command(f"PROFISLOT {_slot(slot)},{_channel(wanted.channel)},{wanted.units:d}")


def profibus_status() -> Query[str]:
    """``PROFISTAT?``: what the PROFIBUS interface says of itself."""
    return Query("PROFISTAT?", lambda text: printable(text, 255, "the status"))


def _channel(channel: int) -> int:
    if channel not in CHANNELS:
        raise ValueError(f"No channel {channel!r}; there are 1 to 8.")
    return channel


def _slot(slot: int) -> int:
    if not 1 <= slot <= 8:
        raise ValueError(f"No PROFIBUS slot {slot!r}; there are 1 to 8.")
    return slot


def _name(name: str) -> str:
    # Names go without quotes: a comma would begin another field, a semicolon another message.
    if len(name) > _NAME_LENGTH or not _PLAIN.fullmatch(name):
        raise ValueError(
            f"The name {name!r} is not up to {_NAME_LENGTH} ASCII characters without comma and "
            "semicolon."
        )
    return name


def _parse_name(text: str) -> str:
    return printable(text, _NAME_LENGTH, "the name")


def _parse_reading(text: str) -> float:
    return decimal(text, "the reading")


def _parse_status(text: str) -> ReadingStatus:
    return ReadingStatus(integer(text, 0, 255, "the status"))


def _parse_input_type(text: str) -> InputType:
    sensor_text, autorange, step, reversal, units, enabled = fields(
        text, ("sensor", "autorange", "range", "current reversal", "units", "enabled")
    )
    sensor = member(Sensor, sensor_text, "the sensor")
    range_step = integer(step, 0, 8, "the range")
    if range_step >= len(RANGES[sensor]):
        raise BadReply(f"the range is {range_step}, which this kind of sensor does not have.")
    return InputType(
        sensor=sensor,
        autorange=bool(integer(autorange, 0, 1, "autorange")),
        range_step=range_step,
        current_reversal=bool(integer(reversal, 0, 1, "the current reversal")),
        units=member(Units, units, "the units"),
        enabled=bool(integer(enabled, 0, 1, "enabled")),
    )
