"""What the 372 says on the wire: queries and commands out, typed replies in. No I/O.

A `Query` is the text of a question together with the strict parser of its answer; more
mnemonics are added as more functions that return one. `combine` joins several into one line, so
that what they say belongs together: the unit answers a line of queries with one line.

Facts from the project's Lake Shore specification, sections 1.1, 1.2 and 1.4.
"""

import re
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Generic, TypeVar

import attrs

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
from ocs.errors import OcsError

__all__ = [
    "MAX_LINE_BYTES",
    "TERMINATOR",
    "BadReply",
    "ChannelSettings",
    "Command",
    "Identity",
    "LineFramer",
    "Query",
    "Reading",
    "ScanState",
    "channel_settings",
    "combine",
    "identify",
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

TERMINATOR = b"\r\n"
MAX_LINE_BYTES = 1024
"""Longest line either side may send; the unit's own stay far below."""

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)

_READING = re.compile(r"[+-](?:\d\.\d{5}|\d{2}\.\d{4}|\d{3}\.\d{3})E[+-]\d{2}", re.ASCII)
_INTEGER = re.compile(r"\d{1,3}", re.ASCII)
_PRINTABLE = re.compile(r"[\x20-\x7e]*", re.ASCII)


class BadReply(OcsError):
    """The instrument's reply is not one that it can give to this question.

    Something else than a Lake Shore 372 may answer at this address, or the line is disturbed.
    """


class LineFramer:
    """Cut a byte stream into lines, however the network cut it into packets.

    Args:
        terminator: bytes that end a line; they are not part of it.
        limit: longest line in bytes that is kept.
    """

    def __init__(self, terminator: bytes = TERMINATOR, limit: int = MAX_LINE_BYTES) -> None:
        self._terminator = terminator
        self._limit = limit
        self._buffer = b""

    @property
    def pending_bytes(self) -> int:
        """How many bytes of an unfinished line are held."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived and return the lines that it completes, oldest first.

        Raises:
            BadReply: a line is longer than the limit; everything held is dropped.
        """
        *lines, self._buffer = (self._buffer + data).split(self._terminator)
        longest = max(len(line) for line in (*lines, self._buffer))
        if longest > self._limit:
            self._buffer = b""
            raise BadReply(f"A line of more than {self._limit} bytes arrived.")
        return lines


@attrs.frozen
class Command:
    """A line that the unit carries out without any answer."""

    text: str

    def encode(self) -> bytes:
        """Return the bytes to send."""
        return self.text.encode("ascii") + TERMINATOR


@attrs.frozen
class Query(Generic[T]):
    """A question, and how its answer is read.

    Attributes:
        text: the question without its terminator.
        parse: takes the whole reply line, decoded and stripped.
    """

    text: str
    parse: Callable[[str], T]

    def encode(self) -> bytes:
        """Return the bytes to send."""
        return self.text.encode("ascii") + TERMINATOR

    def decode(self, line: bytes) -> T:
        """Read the reply line, given without its terminator.

        Raises:
            BadReply: it is not an answer to this question.
        """
        try:
            text = line.decode("ascii")
        except UnicodeDecodeError:
            raise BadReply(f"{self.text} was answered with {line[:80]!r}: not ASCII.") from None
        try:
            return self.parse(text.strip(" "))
        except BadReply as error:
            raise BadReply(f"{self.text} was answered with {text[:80]!r}: {error}") from None


def combine(build: Callable[..., T], *queries: Query[Any]) -> Query[T]:
    """Join queries into one line, answered by one line.

    Args:
        build: called with the answers in the order of the queries.
        queries: what to ask; their answers must not contain a semicolon.
    """

    def parse(text: str) -> T:
        parts = text.split(";")
        if len(parts) != len(queries):
            raise BadReply(f"{len(queries)} answers were expected, {len(parts)} came.")
        return build(*(q.parse(part.strip(" ")) for q, part in zip(queries, parts, strict=True)))

    return Query(";".join(query.text for query in queries), parse)


@attrs.frozen
class Identity:
    """Answer to ``*IDN?``."""

    maker: str
    model: str
    serial: str
    firmware: str


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


def identify() -> Query[Identity]:
    """``*IDN?``: maker, model, serial number, firmware."""
    return Query("*IDN?", _parse_identity)


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


def _integer(text: str, low: int, high: int, what: str) -> int:
    if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
        raise BadReply(f"{what} is {text[:20]!r}, not a whole number from {low} to {high}.")
    return int(text)


def _member(kind: type[E], text: str, what: str) -> E:
    number = _integer(text, 0, 999, what)
    try:
        return kind(number)
    except ValueError:
        allowed = ", ".join(f"{member.value} {member.name.lower()}" for member in kind)
        raise BadReply(f"{what} is {number}; it can be {allowed}.") from None


def _fields(text: str, names: Sequence[str]) -> list[str]:
    fields = [field.strip(" ") for field in text.split(",")]
    if len(fields) != len(names):
        raise BadReply(f"{len(names)} fields ({', '.join(names)}) were expected.")
    return fields


def _parse_identity(text: str) -> Identity:
    fields = _fields(text, ("maker", "model", "serial number", "firmware"))
    if not all(field and _PRINTABLE.fullmatch(field) for field in fields):
        raise BadReply("A field is empty or unreadable.")
    return Identity(*fields)


def _parse_scan(text: str) -> ScanState:
    channel, autoscan = _fields(text, ("channel", "autoscan"))
    return ScanState(
        _integer(channel, 1, 16, "the channel"), bool(_integer(autoscan, 0, 1, "autoscan"))
    )


def _parse_input_settings(text: str) -> InputSettings:
    enabled, dwell, pause, curve, coefficient = _fields(
        text, ("enabled", "dwell", "pause", "curve", "temperature coefficient")
    )
    return InputSettings(
        enabled=bool(_integer(enabled, 0, 1, "enabled")),
        dwell_s=_integer(dwell, 0, 200, "the dwell"),
        pause_s=_integer(pause, 0, 200, "the pause"),
        curve=_integer(curve, 0, 59, "the curve"),
        coefficient=_member(TemperatureCoefficient, coefficient, "the temperature coefficient"),
    )


def _parse_input_setup(text: str, *, control: bool) -> InputSetup:
    mode_text, excitation, autorange, resistance_range, shunt, units = _fields(
        text, ("mode", "excitation", "autorange", "range", "shunt", "units")
    )
    mode = _member(InputMode, mode_text, "the mode")
    steps = VOLTAGE_EXCITATION_V if mode is InputMode.VOLTAGE else CURRENT_EXCITATION_A
    if control:
        steps = CONTROL_EXCITATION_A
    # The control input has no range of its own; the unit answers with any step there.
    lowest_range = 0 if control else 1
    return InputSetup(
        mode=mode,
        excitation=_integer(excitation, 1, len(steps), "the excitation"),
        autorange=_member(Autorange, autorange, "autorange"),
        resistance_range=_integer(
            resistance_range, lowest_range, len(RESISTANCE_RANGE_OHM), "the range"
        ),
        excitation_on=not _integer(shunt, 0, 1, "the shunt"),
        units=_member(Units, units, "the units"),
    )


def _parse_name(text: str) -> str:
    name = text.strip('" ')
    if len(name) > 15 or not _PRINTABLE.fullmatch(name):
        raise BadReply("A name has up to 15 printable characters.")
    return name


def _parse_status(text: str) -> ReadingStatus:
    return ReadingStatus(_integer(text, 0, 255, "the status"))


def _parse_settling(text: str) -> Settling:
    control, measurement = _fields(text, ("control", "measurement"))
    _member(Settling, control, "the control input's settling")
    return _member(Settling, measurement, "the measurement channel's settling")
