"""What the 372 says on the wire: queries and commands out, typed replies in. No I/O.

A `Query` is the text of a question together with the strict parser of its answer; more
mnemonics are added as more functions that return one. `combine` joins several into one line, so
that what they say belongs together: the unit answers a line of queries with one line.

Facts from the project's Lake Shore specification, sections 1.1, 1.2 and 1.4.
"""

import re

import attrs

from agents.lakeshore.messages import (
    BadReply,
    Command,
    Query,
    combine,
    fields,
    integer,
    member,
    printable,
)
from agents.lakeshore372.input_tables import (
    CONTROL_EXCITATION_A,
    CURRENT_EXCITATION_A,
    MEASUREMENT_CHANNELS,
    RESISTANCE_RANGE_OHM,
    VOLTAGE_EXCITATION_V,
    Autorange,
    Channel,
    InputMode,
    InputSettings,
    InputSetup,
    ReadingStatus,
    Settling,
    TemperatureCoefficient,
    Units,
)

__all__ = [
    "ChannelSettings",
    "Reading",
    "ScanState",
    "channel_settings",
    "input_name",
    "input_settings",
    "input_setup",
    "kelvin",
    "ohms",
    "quadrature",
    "reading",
    "reading_status",
    "scan_state",
    "set_scan",
    "settling",
]

_READING = re.compile(r"[+-](?:\d\.\d{5}|\d{2}\.\d{4}|\d{3}\.\d{3})E[+-]\d{2}", re.ASCII)


@attrs.frozen
class ScanState:
    """Answer to ``SCAN?``: the channel the scanner is on, and whether it moves by itself."""

    channel: int
    autoscan: bool


@attrs.frozen
class Reading:
    """One reading of a channel, and the scanner's state right after it.

    Attributes:
        temperature_k: kelvin as the unit says; 0 if it has no curve for the channel.
        resistance_ohm: ohms as the unit says.
        quadrature_ohm: out-of-phase part in ohms.
        status: what the unit says against the reading.
        scan: the scanner's state.
    """

    temperature_k: float
    resistance_ohm: float
    quadrature_ohm: float
    status: ReadingStatus
    scan: ScanState


@attrs.frozen
class ChannelSettings:
    """What the unit has been told about a channel."""

    inset: InputSettings
    intype: InputSetup


def scan_state() -> Query[ScanState]:
    """``SCAN?``: active channel and autoscan."""
    return Query("SCAN?", _parse_scan)


def set_scan(channel: int, *, autoscan: bool) -> Command:
    """``SCAN``: go to a measurement channel, and scan on from there or stay.

    Raises:
        ValueError: no such channel.
    """
    return Command(f"SCAN {_measurement(channel)},{int(autoscan)}")


def input_settings(channel: Channel) -> Query[InputSettings]:
    """``INSET?``: enabled, dwell, pause, curve, temperature coefficient."""
    return Query(f"INSET? {_any_channel(channel)}", _parse_input_settings)


def input_setup(channel: Channel) -> Query[InputSetup]:
    """``INTYPE?``: mode, excitation, autorange, range, shunt, units."""

    def parse(text: str) -> InputSetup:
        return _parse_input_setup(text, control=channel == "A")

    return Query(f"INTYPE? {_any_channel(channel)}", parse)


def input_name(channel: Channel) -> Query[str]:
    """``INNAME?``: the name given to a channel. Not to be combined: it may hold a semicolon."""
    return Query(f"INNAME? {_any_channel(channel)}", _parse_name)


def kelvin(channel: Channel) -> Query[float]:
    """``KRDG?``: temperature in kelvin."""
    return Query(f"KRDG? {_any_channel(channel)}", _parse_reading)


def ohms(channel: Channel) -> Query[float]:
    """``SRDG?``: resistance in ohms."""
    return Query(f"SRDG? {_any_channel(channel)}", _parse_reading)


def quadrature(channel: int) -> Query[float]:
    """``QRDG?``: out-of-phase resistance in ohms."""
    return Query(f"QRDG? {_measurement(channel)}", _parse_reading)


def reading_status(channel: Channel) -> Query[ReadingStatus]:
    """``RDGST?``: what is wrong with a channel's reading."""
    return Query(f"RDGST? {_any_channel(channel)}", _parse_status)


def settling() -> Query[Settling]:
    """``RDGSTL?``: whether the active measurement channel's reading is valid by now."""
    return Query("RDGSTL?", _parse_settling)


def reading(channel: int) -> Query[Reading]:
    """Ask for everything about one reading of a measurement channel, in one line."""
    return combine(
        Reading,
        kelvin(channel),
        ohms(channel),
        quadrature(channel),
        reading_status(channel),
        scan_state(),
    )


def channel_settings(channel: int) -> Query[ChannelSettings]:
    """Ask for a measurement channel's settings, in one line."""
    return combine(ChannelSettings, input_settings(channel), input_setup(channel))


def _measurement(channel: int) -> int:
    if channel not in MEASUREMENT_CHANNELS:
        raise ValueError(f"No measurement channel {channel!r}; there are 1 to 16.")
    return channel


def _any_channel(channel: Channel) -> Channel:
    return "A" if channel == "A" else _measurement(channel)


def _parse_reading(text: str) -> float:
    if not _READING.fullmatch(text):
        raise BadReply(f"{text[:40]!r} is not a reading like +293.873E+00.")
    return float(text)


def _parse_scan(text: str) -> ScanState:
    channel, autoscan = fields(text, ("channel", "autoscan"))
    return ScanState(
        integer(channel, 1, 16, "the channel"), bool(integer(autoscan, 0, 1, "autoscan"))
    )


def _parse_input_settings(text: str) -> InputSettings:
    enabled, dwell, pause, curve, coefficient = fields(
        text, ("enabled", "dwell", "pause", "curve", "temperature coefficient")
    )
    return InputSettings(
        enabled=bool(integer(enabled, 0, 1, "enabled")),
        dwell_s=integer(dwell, 0, 200, "the dwell"),
        pause_s=integer(pause, 0, 200, "the pause"),
        curve=integer(curve, 0, 59, "the curve"),
        coefficient=member(TemperatureCoefficient, coefficient, "the temperature coefficient"),
    )


def _parse_input_setup(text: str, *, control: bool) -> InputSetup:
    mode_text, excitation, autorange, resistance_range, shunt, units = fields(
        text, ("mode", "excitation", "autorange", "range", "shunt", "units")
    )
    mode = member(InputMode, mode_text, "the mode")
    steps = VOLTAGE_EXCITATION_V if mode is InputMode.VOLTAGE else CURRENT_EXCITATION_A
    if control:
        steps = CONTROL_EXCITATION_A
    # The control input has no range of its own; the unit answers with any step there.
    lowest_range = 0 if control else 1
    return InputSetup(
        mode=mode,
        excitation=integer(excitation, 1, len(steps), "the excitation"),
        autorange=member(Autorange, autorange, "autorange"),
        resistance_range=integer(
            resistance_range, lowest_range, len(RESISTANCE_RANGE_OHM), "the range"
        ),
        excitation_on=not integer(shunt, 0, 1, "the shunt"),
        units=member(Units, units, "the units"),
    )


def _parse_name(text: str) -> str:
    return printable(text, 15, "the name")


def _parse_status(text: str) -> ReadingStatus:
    return ReadingStatus(integer(text, 0, 255, "the status"))


def _parse_settling(text: str) -> Settling:
    control, measurement = fields(text, ("control", "measurement"))
    member(Settling, control, "the control input's settling")
    return member(Settling, measurement, "the measurement channel's settling")
