"""Calibration curves: what they are made of, and what an instrument takes. No I/O.

Facts from the project's Lake Shore specification, sections 1.4, 3.2 and 5.
"""

import math
from collections.abc import Iterable, Sequence
from enum import IntEnum
from itertools import pairwise

import attrs
import numpy as np

from agents.lakeshore.messages import (
    BadReply,
    Command,
    InstrumentError,
    Query,
    decimal,
    fields,
    member,
)

__all__ = [
    "MAX_POINTS",
    "Coefficient",
    "Curve",
    "CurveFormat",
    "CurveHeader",
    "CurveLocations",
    "CurvePoint",
    "CurveUnfit",
    "six_digits",
]

MAX_POINTS = 200
"""Breakpoints that a location of either instrument holds."""

NAME_LENGTH = 15
SERIAL_LENGTH = 10


class CurveUnfit(InstrumentError):
    """A curve is not one that the instrument can use; nothing was sent.

    The message lists what is wrong with it. Correct the file.
    """


class CurveFormat(IntEnum):
    """What a curve's units are, and how the instrument goes from point to point."""

    VOLTS = 2
    """Volts to kelvin, straight lines (240)."""

    OHMS = 3
    """Ohms to kelvin, straight lines."""

    LOG_OHMS = 4
    """Decimal logarithm of ohms to kelvin, straight lines."""

    OHMS_SPLINE = 7
    """Ohms to kelvin, cubic spline with a curvature a point (372)."""


class Coefficient(IntEnum):
    """Sign of the slope of units over temperature."""

    NEGATIVE = 1
    POSITIVE = 2


@attrs.frozen
class CurveHeader:
    """What an instrument keeps about a curve beside its points.

    Attributes:
        name: up to 15 characters.
        serial: serial number of the sensor, up to 10 characters.
        format: see `CurveFormat`.
        limit_k: highest setpoint in kelvin that it allows.
        coefficient: see `Coefficient`; the 372 works it out by itself.
    """

    name: str
    serial: str
    format: CurveFormat
    limit_k: float
    coefficient: Coefficient


@attrs.frozen
class CurvePoint:
    """One breakpoint: sensor units, kelvin, and for a spline its curvature."""

    units: float
    kelvin: float
    curvature: float | None = None


def _ascending(points: Iterable[CurvePoint]) -> tuple[CurvePoint, ...]:
    return tuple(sorted(points, key=lambda point: point.units))


@attrs.frozen
class Curve:
    """A calibration.

    Attributes:
        header: name, serial number, format, limit.
        points: its breakpoints, units ascending as the instruments want them.
    """

    header: CurveHeader
    points: tuple[CurvePoint, ...] = attrs.field(converter=_ascending)

    def kelvin(self, units: float) -> float:
        """Return the temperature between two points, on a straight line; NaN outside of them.

        For a spline this is the chord: good to look at, not to calibrate with.
        """
        return float(
            np.interp(
                units,
                [point.units for point in self.points],
                [point.kelvin for point in self.points],
                left=math.nan,
                right=math.nan,
            )
        )

    def problems(self, formats: Sequence[CurveFormat]) -> list[str]:
        """Say what keeps an instrument that knows these formats from using the curve.

        Returns:
            A sentence a problem; none if it is fit.
        """
        return [*self._header_problems(formats), *self._point_problems()]

    def require_fit(self, formats: Sequence[CurveFormat]) -> None:
        """Check the curve.

        Raises:
            CurveUnfit: it has `problems`.
        """
        problems = self.problems(formats)
        if problems:
            raise CurveUnfit(f"Curve {self.header.name!r} is not fit: {' '.join(problems)}")

    def _header_problems(self, formats: Sequence[CurveFormat]) -> list[str]:
        header = self.header
        problems = []
        if header.format not in formats:
            allowed = ", ".join(f"{item.value} {_title(item)}" for item in formats)
            problems.append(
                f"Its format is {header.format.value} {_title(header.format)}; this instrument "
                f"knows {allowed}."
            )
        for what, text, longest in (
            ("name", header.name, NAME_LENGTH),
            ("serial number", header.serial, SERIAL_LENGTH),
        ):
            if len(text) > longest or not text.isascii() or not text.isprintable():
                problems.append(f"Its {what} {text!r} is not up to {longest} ASCII characters.")
            # The 240 takes them without quotes, and would see another field begin.
            if any(character in text for character in ',;"'):
                problems.append(f"Its {what} {text!r} holds a comma, a semicolon or a quote.")
        if not 0 < header.limit_k <= 9999:
            problems.append(f"Its setpoint limit is {header.limit_k:g} K, not above 0 to 9999 K.")
        return problems

    def _point_problems(self) -> list[str]:
        count = len(self.points)
        if not 2 <= count <= MAX_POINTS:
            return [f"It has {count} points; 2 to {MAX_POINTS} are allowed."]
        problems = []
        for number, point in enumerate(self.points, start=1):
            values = [point.units, point.kelvin, point.curvature or 0.0]
            if not all(math.isfinite(value) for value in values) or point.kelvin <= 0:
                problems.append(f"Point {number} is {point.units:g}, {point.kelvin:g} K.")
        if problems:
            return problems
        # As the instrument will see them: two that differ in the seventh digit are one.
        sent = [(float(six_digits(p.units)), float(six_digits(p.kelvin))) for p in self.points]
        steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(sent)]
        for number, (units, kelvin) in enumerate(steps, start=1):
            if units <= 0:
                problems.append(f"Points {number} and {number + 1} have the same units.")
            if kelvin == 0:
                problems.append(f"Points {number} and {number + 1} have the same temperature.")
        if not problems and len({kelvin > 0 for _, kelvin in steps}) > 1:
            turn = next(
                n for n, (_, kelvin) in enumerate(steps, 1) if (kelvin > 0) != (steps[0][1] > 0)
            )
            problems.append(f"The temperature turns round at point {turn}.")
        if (
            not problems
            and self.header.format is CurveFormat.OHMS_SPLINE
            and any(point.curvature is None for point in self.points)
        ):
            problems.append("A spline curve needs a curvature at each point.")
        return problems


def _title(kind: CurveFormat) -> str:
    return kind.name.lower().replace("_", " ")


def six_digits(value: float) -> str:
    """Write a number with the six digits that the instruments keep, without an exponent."""
    return np.format_float_positional(value, precision=6, unique=False, fractional=False, trim="-")


@attrs.frozen
class CurveLocations:
    """Where one kind of instrument keeps its curves, and how it is told about them.

    Attributes:
        locations: numbers that can be written.
        word: what they are called, as ``curve`` (372) or ``channel`` (240).
        formats: formats it knows.
        quoted: whether texts go in double quotes.
        pause_s: silence after each point sent, or some are lost (specification 1.1).
    """

    locations: range
    word: str
    formats: tuple[CurveFormat, ...]
    quoted: bool
    pause_s: float

    def title(self, location: int) -> str:
        """Name a location at the beginning of a sentence, as ``Curve 21``."""
        return f"{self.word.capitalize()} {location}"

    def require(self, location: int) -> int:
        """Return a location that can be written.

        Raises:
            CurveUnfit: there is none of this number.
        """
        if location not in self.locations:
            raise CurveUnfit(
                f"{self.title(location)} cannot be written; "
                f"{self.locations[0]} to {self.locations[-1]} can."
            )
        return location

    def header(self, location: int) -> Query[CurveHeader]:
        """``CRVHDR?``: name, serial number, format, setpoint limit, coefficient."""
        return Query(f"CRVHDR? {location}", _parse_header)

    def set_header(self, location: int, header: CurveHeader) -> Command:
        """``CRVHDR``: as `header`."""
        name, serial = (
            f'"{text}"' if self.quoted else text for text in (header.name, header.serial)
        )
        return Command(
            f"CRVHDR {self.require(location)},{name},{serial},{header.format:d},"
            f"{header.limit_k:.3f},{header.coefficient:d}"
        )

    def point(self, location: int, index: int) -> Query[CurvePoint]:
        """``CRVPT?``: a point, 1 to 200; zeros past the end."""
        return Query(f"CRVPT? {location},{_index(index)}", _parse_point)

    def set_point(self, location: int, index: int, point: CurvePoint) -> Command:
        """``CRVPT``: a point, with six digits a number."""
        values = [point.units, point.kelvin]
        if point.curvature is not None:
            values.append(point.curvature)
        sent = ",".join(six_digits(value) for value in values)
        return Command(f"CRVPT {self.require(location)},{_index(index)},{sent}")

    def delete(self, location: int) -> Command:
        """``CRVDEL``: empty a location."""
        return Command(f"CRVDEL {self.require(location)}")


def _index(index: int) -> int:
    if not 1 <= index <= MAX_POINTS:
        raise ValueError(f"No point {index}; there are 1 to {MAX_POINTS}.")
    return index


def _parse_header(text: str) -> CurveHeader:
    name, serial, kind, limit, coefficient = fields(
        text, ("name", "serial number", "format", "setpoint limit", "coefficient")
    )
    for what, found in (("name", name), ("serial number", serial)):
        if not found.isprintable():
            raise BadReply(f"the {what} is unreadable.")
    return CurveHeader(
        name=name.strip('" '),
        serial=serial.strip('" '),
        format=member(CurveFormat, kind, "the format"),
        limit_k=decimal(limit, "the setpoint limit"),
        coefficient=member(Coefficient, coefficient, "the coefficient"),
    )


def _parse_point(text: str) -> CurvePoint:
    values = [decimal(part.strip(" "), "a number of the point") for part in text.split(",")]
    if not 2 <= len(values) <= 3:
        raise BadReply("two or three numbers were expected.")
    return CurvePoint(*values)
