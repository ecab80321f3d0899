"""How much one unit understands: what is asked of it together, and what cannot be asked at all.

A 372 answers a line of queries with one line, so that what it says about a reading belongs
together. Some that speak its language know less: older firmware, and upstream's emulator, which
is no instrument (the project's Lake Shore specification, section 9). `learn` finds out; nothing
is concluded from one lost answer.
"""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import attrs

from agents.lakeshore.link import InstrumentUnavailable
from agents.lakeshore.messages import BadReply, Identity, Query, combine, identify
from agents.lakeshore372 import codec, input_codec
from agents.lakeshore372.codec import InputsSettling, ScanState
from agents.lakeshore372.input_tables import (
    MEASUREMENT_CHANNELS,
    InputSettings,
    InputSetup,
    ReadingStatus,
    Settling,
)

__all__ = [
    "EMULATOR",
    "Ask",
    "ChannelSettings",
    "ControlReading",
    "Dialect",
    "Reading",
    "learn",
]

T = TypeVar("T")

_PLAIN_NUMBER = re.compile(r"[+-]?\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,2})?", re.ASCII)


class Ask(Protocol):
    """How the instrument is asked; see `InstrumentLink.ask`."""

    def __call__(self, query: Query[T], /) -> T:
        """Return the answer to a query."""
        ...


@attrs.frozen
class Reading:
    """One reading of a channel, and the scanner's state right after it.

    Attributes:
        temperature_k: kelvin as the unit says; 0 if it has no curve for the channel.
        resistance_ohm: ohms as the unit says.
        quadrature_ohm: out-of-phase part in ohms; None if the unit cannot say.
        status: what the unit says against the reading.
        scan: the scanner's state.
    """

    temperature_k: float
    resistance_ohm: float
    quadrature_ohm: float | None
    status: ReadingStatus
    scan: ScanState


@attrs.frozen
class ControlReading:
    """One reading of the control input; attributes as in `Reading`."""

    temperature_k: float
    resistance_ohm: float
    status: ReadingStatus


@attrs.frozen
class ChannelSettings:
    """What the unit has been told about a channel."""

    inset: InputSettings
    intype: InputSetup


@attrs.frozen
class Dialect:
    """What a unit understands; by default all that a 372 does.

    Attributes:
        compound: it answers a line of queries with one line.
        quadrature: it knows ``QRDG?``.
        settling: it knows ``RDGSTL?``.
        plain_numbers: its readings look like any numbers, not like ``+293.873E+00``.
    """

    compound: bool = True
    quadrature: bool = True
    settling: bool = True
    plain_numbers: bool = False

    def reading(self, ask: Ask, channel: int) -> Reading:
        """Ask for everything about one reading of a measurement channel."""
        return _reading_question(self, channel)(ask)

    def control_reading(self, ask: Ask) -> ControlReading:
        """Ask for everything about one reading of the control input."""
        question = self.together(
            ControlReading,
            self.number(codec.kelvin("A")),
            self.number(codec.ohms("A")),
            codec.reading_status("A"),
        )
        return question(ask)

    def channel_settings(self, ask: Ask, channel: int) -> ChannelSettings:
        """Ask for a measurement channel's settings."""
        question = self.together(
            ChannelSettings,
            input_codec.input_settings(channel),
            input_codec.input_setup(channel),
        )
        return question(ask)

    def scanner_settings(self, ask: Ask) -> Mapping[int, InputSettings]:
        """Ask how the scanner treats each measurement channel."""

        def build(*answers: InputSettings) -> Mapping[int, InputSettings]:
            return dict(zip(MEASUREMENT_CHANNELS, answers, strict=True))

        queries = [input_codec.input_settings(channel) for channel in MEASUREMENT_CHANNELS]
        return self.together(build, *queries)(ask)

    def settled(self, ask: Ask) -> tuple[Settling, ScanState]:
        """Ask whether the active channel has settled, and which that is.

        A unit that cannot tell never says valid.
        """
        if not self.settling:
            return Settling.HARDWARE, ask(codec.scan_state())
        return self.together(_settled, codec.settling(), codec.scan_state())(ask)

    def together(self, build: Callable[..., T], *queries: Query[Any]) -> Callable[[Ask], T]:
        """Return what asks these queries, in one line if the unit takes that."""
        if self.compound:
            line = combine(build, *queries)
            return lambda ask: ask(line)
        return lambda ask: build(*[ask(query) for query in queries])

    def number(self, query: Query[float]) -> Query[float]:
        """Return a query of a number that also takes this unit's way of writing one."""
        return attrs.evolve(query, parse=_plain_number) if self.plain_numbers else query


# Asked ten times a second for years.
@functools.cache
def _reading_question(dialect: Dialect, channel: int) -> Callable[[Ask], Reading]:
    resistance = [dialect.number(codec.ohms(channel))]
    build: Callable[..., Reading] = _reading_without_quadrature
    if dialect.quadrature:
        resistance.append(dialect.number(codec.quadrature(channel)))
        build = Reading
    queries: tuple[Query[Any], ...] = (
        dialect.number(codec.kelvin(channel)),
        *resistance,
        codec.reading_status(channel),
        codec.scan_state(),
    )
    if dialect == Dialect():
        line = combine(Reading, *queries)
        quick = attrs.evolve(line, parse=functools.partial(_parse_quickly, line))
        return lambda ask: ask(quick)
    return dialect.together(build, *queries)


_READING_LINE = re.compile(
    rf"({codec.READING_FORM});({codec.READING_FORM});({codec.READING_FORM});"
    r"([01]\d\d|2[0-4]\d|25[0-5]);(0[1-9]|1[0-6]),([01])",
    re.ASCII,
)


def _parse_quickly(question: Query[Reading], text: str) -> Reading:
    """Read an answer as a 372 writes it in one go, and any other part by part.

    Part by part was a third of what a reading costs from driver to feed (bench/lakeshore.py).
    """
    found = _READING_LINE.fullmatch(text)
    if found is None:
        return question.parse(text)
    kelvin, ohms, quadrature, status, channel, autoscan = found.groups()
    return Reading(
        float(kelvin),
        float(ohms),
        float(quadrature),
        ReadingStatus(int(status)),
        ScanState(int(channel), autoscan == "1"),
    )


def _reading_without_quadrature(
    temperature_k: float, resistance_ohm: float, status: ReadingStatus, scan: ScanState
) -> Reading:
    return Reading(temperature_k, resistance_ohm, None, status, scan)


EMULATOR = Dialect(compound=False, quadrature=False, settling=False, plain_numbers=True)
"""Upstream's emulator."""


def learn(ask: Ask) -> Dialect:
    """Find out what the unit understands.

    A unit that understands everything is asked one line. Anything less must show twice.

    Raises:
        BadReply: it answered something else the second time.
        InstrumentUnavailable: it does not answer at all.
    """
    first = _hear(ask, _ABILITIES)
    if first == Dialect():
        return first
    second = _hear(ask, _ABILITIES)
    if first != second:
        raise BadReply(f"{_ABILITIES.text} was answered in two different ways.")
    if second is not None and second.compound:
        return second
    return Dialect(
        compound=False,
        quadrature=_hear_twice(ask, codec.quadrature(1)),
        settling=_hear_twice(ask, codec.settling()),
    )


def _hear(ask: Ask, query: Query[T]) -> T | None:
    """Ask something the unit may not know; None if it is silent, but answers another question."""
    try:
        return ask(query)
    except InstrumentUnavailable:
        ask(codec.scan_state())
        return None


def _hear_twice(ask: Ask, query: Query[Any]) -> bool:
    return _hear(ask, query) is not None or _hear(ask, query) is not None


def _parse_abilities(text: str) -> Dialect:
    """Tell from the answer which of the three queries the unit has answered."""
    found = set()
    rest = text.split(";")
    for query in _PROBES:
        if not rest:
            break
        try:
            query.parse(rest[0].strip(" "))
        except BadReply:
            continue
        found.add(query.text)
        rest.pop(0)
    if rest or not found:
        raise BadReply("It answers none of these queries.")
    quadrature, settling, identity = (query.text in found for query in _PROBES)
    return Dialect(compound=identity, quadrature=quadrature, settling=settling)


_PROBES: tuple[Query[float], Query[InputsSettling], Query[Identity]] = (
    codec.quadrature(1),
    codec.settling(),
    identify(),
)
_ABILITIES = Query(";".join(query.text for query in _PROBES), _parse_abilities)


def _settled(settling: InputsSettling, scan: ScanState) -> tuple[Settling, ScanState]:
    return settling.measurement, scan


def _plain_number(text: str) -> float:
    if not _PLAIN_NUMBER.fullmatch(text):
        raise BadReply(f"{text[:40]!r} is not a number.")
    return float(text)
