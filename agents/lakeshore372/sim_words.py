"""How the simulated 372 reads a message and writes numbers.

Facts from the project's Lake Shore specification, sections 1.1 and 1.2.
"""

import math
import re
from collections.abc import Callable, Mapping
from enum import IntFlag
from typing import NoReturn

from agents.lakeshore372.input_tables import Channel

__all__ = [
    "Arguments",
    "Commands",
    "Event",
    "NoAnswer",
    "Queries",
    "Refused",
    "channel",
    "flag",
    "format_percent",
    "format_reading",
    "format_six_digits",
    "number",
    "real",
    "refuse",
    "split_line",
    "split_message",
    "text",
]

_MESSAGE = re.compile(r"\s*:?(\*?[A-Za-z]+\??)\s*(.*?)\s*", re.DOTALL)
_PARTS = re.compile(r'(?:[^;"]|"[^"]*"?)+')
_FIELDS = re.compile(r'(?:[^,"]|"[^"]*"?)*')
_WORDS = re.compile(r'"[^"]*"|[^\s]+')
_NUMBER = re.compile(r"\+?[0-9]{1,4}", re.ASCII)
_REAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[Ee][+-]?[0-9]{1,2})?", re.ASCII)
_PRINTABLE = re.compile(r"[\x20-\x7e]*", re.ASCII)


class Event(IntFlag):
    """Bits of the standard event register, ``*ESR?``."""

    OPERATION_COMPLETE = 1
    QUERY_ERROR = 4
    EXECUTION_ERROR = 16
    COMMAND_ERROR = 32
    POWER_ON = 128


class Refused(Exception):
    """The instrument takes no notice of a message but for a bit of the event register."""

    def __init__(self, event: Event) -> None:
        super().__init__(event.name)
        self.event = event


class NoAnswer(Exception):
    """The instrument does nothing at all about a message: a condition wants it so."""


def refuse() -> NoReturn:
    """Refuse a known message whose parameters are not possible.

    Raises:
        Refused: always.
    """
    raise Refused(Event.EXECUTION_ERROR)


class Arguments:
    """What follows a mnemonic.

    Args:
        raw: the rest of the message, stripped.
    """

    def __init__(self, raw: str) -> None:
        self._raw = raw

    @property
    def fields(self) -> list[str]:
        """What is between commas, stripped; quotes protect commas."""
        if not self._raw:
            return []
        if '"' not in self._raw:
            return [field.strip() for field in self._raw.split(",")]
        found = []
        position = 0
        while position <= len(self._raw):
            match = _FIELDS.match(self._raw, position)
            end = match.end() if match else position
            found.append(self._raw[position:end].strip())
            position = end + 1
        return found

    @property
    def words(self) -> list[str]:
        """The same, where a space separates as well as a comma."""
        found: list[str] = []
        for field in self.fields:
            found += _WORDS.findall(field) or [field]
        return found

    def take(self, *counts: int) -> list[str]:
        """Return the words if there are as many as one of the counts.

        Raises:
            Refused: there are not.
        """
        words = self.words
        if len(words) not in counts:
            refuse()
        return words

    def one_and_text(self) -> tuple[str, str]:
        """Return the first word and the rest as one text, which may hold spaces.

        Raises:
            Refused: there is no rest.
        """
        fields = self.fields
        if len(fields) == 1:
            fields = self._raw.split(None, 1)
        if len(fields) != 2:
            refuse()
        return fields[0], fields[1]


Queries = Mapping[str, Callable[[Arguments], str]]
"""Mnemonic with its question mark to what answers it."""

Commands = Mapping[str, Callable[[Arguments], None]]
"""Mnemonic to what carries it out."""


def split_line(line: str) -> list[str]:
    """Cut a compound line at its semicolons, but not inside of quotes."""
    return [part for part in _PARTS.findall(line) if part.strip()]


def split_message(message: str) -> tuple[str, Arguments]:
    """Return a message's mnemonic, in upper case, and its arguments.

    Raises:
        Refused: it does not begin with a mnemonic.
    """
    found = _MESSAGE.fullmatch(message)
    if found is None:
        raise Refused(Event.COMMAND_ERROR)
    return found[1].upper(), Arguments(found[2])


def number(word: str, low: int, high: int) -> int:
    """Read a whole number.

    Raises:
        Refused: it is none from `low` to `high`.
    """
    if not _NUMBER.fullmatch(word) or not low <= int(word) <= high:
        refuse()
    return int(word)


def flag(word: str) -> bool:
    """Read 0 or 1.

    Raises:
        Refused: it is neither.
    """
    return bool(number(word, 0, 1))


def real(word: str, low: float, high: float) -> float:
    """Read a number with or without point and exponent.

    Raises:
        Refused: it is none from `low` to `high`.
    """
    if not _REAL.fullmatch(word) or not low <= float(word) <= high:
        refuse()
    return float(word)


def channel(word: str, *, control: bool = True) -> Channel:
    """Read a channel: 1 to 16, or ``A``.

    Raises:
        Refused: it is none, or ``A`` without `control`.
    """
    if control and word.upper() == "A":
        return "A"
    return number(word, 1, 16)


def text(word: str, longest: int) -> str:
    """Read a text, in double quotes or not.

    Raises:
        Refused: it is too long, or not printable.
    """
    found = word.strip('"')
    if len(found) > longest or '"' in found or not _PRINTABLE.fullmatch(found):
        refuse()
    return found


def format_reading(value: float) -> str:
    """Write a number as the instrument does: six digits, exponent a multiple of three.

    293.873 is ``+293.873E+00`` and 0.0215 is ``+21.5000E-03``.
    """
    if value == 0:
        return "+000.000E+00"
    mantissa, exponent_text = f"{abs(value):.5e}".split("e")
    digits = mantissa.replace(".", "")
    exponent = int(exponent_text)
    scale = 3 * math.floor(exponent / 3)
    point = exponent - scale + 1
    sign = "-" if value < 0 else "+"
    return f"{sign}{digits[:point]}.{digits[point:]}E{scale:+03d}"


def format_percent(value: float) -> str:
    """Write a percentage as ``HTR?`` does: 0.0005 is ``+00.0005E+00``."""
    digits = 4 if abs(value) < 99.99995 else 3
    return f"{value:+08.{digits}f}E+00"


def format_six_digits(value: float) -> str:
    """Write a number of six digits without an exponent, as curve points are."""
    if value == 0:
        return "+0.00000"
    before_point = math.floor(math.log10(abs(value)))
    return f"{value:+.{min(max(5 - before_point, 0), 12)}f}"
