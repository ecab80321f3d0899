"""Lines to and from a Lake Shore instrument: queries and commands out, typed replies in. No I/O.

A `Query` is the text of a question together with the strict parser of its answer. `combine` joins
several into one line, so that what they say belongs together: a unit that takes compound lines
answers one with one line.

Facts from the project's Lake Shore specification, sections 1.1 and 3.1.
"""

import math
import re
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Generic, TypeVar

import attrs

from ocs.errors import OcsError

__all__ = [
    "MAX_LINE_BYTES",
    "TERMINATOR",
    "BadReply",
    "Command",
    "Identity",
    "InstrumentError",
    "LineFramer",
    "Query",
    "combine",
    "decimal",
    "fields",
    "identify",
    "integer",
    "member",
    "printable",
]

TERMINATOR = b"\r\n"
MAX_LINE_BYTES = 1024
"""Longest line either side may send; the instruments' own stay far below."""

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)

_INTEGER = re.compile(r"\d{1,3}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d{1,12}(?:\.\d{0,20})?|\.\d{1,20})(?:[Ee][+-]?\d{1,2})?", re.ASCII)
_PRINTABLE = re.compile(r"[\x20-\x7e]*", re.ASCII)


class InstrumentError(OcsError):
    """What an operation wanted of the instrument was not to be had; the message says why."""


class BadReply(InstrumentError):
    """The instrument's reply is not one that it can give to this question.

    Something else than the expected Lake Shore may answer at this address, or the line is
    disturbed.
    """


class LineFramer:
    """Cut a byte stream into lines, however it was cut into packets.

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

    def end_line(self) -> bytes:
        """Take what is held for a whole line, though its end has not come."""
        line, self._buffer = self._buffer, b""
        return line


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


def identify() -> Query[Identity]:
    """``*IDN?``: maker, model, serial number, firmware."""
    return Query("*IDN?", _parse_identity)


def _parse_identity(text: str) -> Identity:
    parts = fields(text, ("maker", "model", "serial number", "firmware"))
    if not all(part and _PRINTABLE.fullmatch(part) for part in parts):
        raise BadReply("A field is empty or unreadable.")
    return Identity(*parts)


def fields(text: str, names: Sequence[str]) -> list[str]:
    """Split a reply at its commas.

    Raises:
        BadReply: there are not as many fields as names.
    """
    found = [field.strip(" ") for field in text.split(",")]
    if len(found) != len(names):
        raise BadReply(f"{len(names)} fields ({', '.join(names)}) were expected.")
    return found


def integer(text: str, low: int, high: int, what: str) -> int:
    """Read a whole number without a sign, padded with zeros or not.

    Raises:
        BadReply: it is none, or outside of `low` to `high`.
    """
    if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
        raise BadReply(f"{what} is {text[:20]!r}, not a whole number from {low} to {high}.")
    return int(text)


def decimal(text: str, what: str, low: float = -math.inf, high: float = math.inf) -> float:
    """Read a number with or without sign, point and exponent.

    Raises:
        BadReply: it is none, or outside of `low` to `high`.
    """
    if not _DECIMAL.fullmatch(text):
        raise BadReply(f"{what} is {text[:20]!r}, not a number.")
    value = float(text)
    if not low <= value <= high:
        raise BadReply(f"{what} is {text}, not from {low:g} to {high:g}.")
    return value


def member(kind: type[E], text: str, what: str) -> E:
    """Read a member of an enumeration, given as its number.

    Raises:
        BadReply: there is no member of this number.
    """
    number = integer(text, 0, 999, what)
    try:
        return kind(number)
    except ValueError:
        allowed = ", ".join(f"{item.value} {item.name.lower()}" for item in kind)
        raise BadReply(f"{what} is {number}; it can be {allowed}.") from None


def printable(text: str, longest: int, what: str) -> str:
    """Read a text, in double quotes or not, padded with spaces or not.

    Raises:
        BadReply: it is too long, or holds control characters.
    """
    found = text.strip('" ')
    if len(found) > longest or not _PRINTABLE.fullmatch(found):
        raise BadReply(f"{what} is {text[:40]!r}, not up to {longest} printable characters.")
    return found
