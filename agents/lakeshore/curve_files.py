"""Calibration files: read what is sold with a sensor, write what was read from an instrument.

Forms that are read, told apart by what is in them and not by their names:

- ``.340``, ``.cal`` and many a ``.txt``: header lines ``Key: value``, numbered points;
- ``.34A``: header lines, ``Point 1: units,kelvin``;
- ``.curve``: header lines, ohms, kelvin and curvature of a spline;
- ``.cof``: a Chebyshev fit, from which points are computed;
- two in-house forms of 2019: sections ``[HEADER]`` and ``[DATA]``, and a header of one line under
  a ``#`` heading.

Facts from the project's Lake Shore specification, section 5.
"""

import math
import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import TypeVar

import attrs
import numpy as np

from agents.lakeshore.curves import (
    MAX_POINTS,
    NAME_LENGTH,
    SERIAL_LENGTH,
    Coefficient,
    Curve,
    CurveFormat,
    CurveHeader,
    CurvePoint,
    CurveUnfit,
)

__all__ = ["CurveFileError", "format_340", "parse_curve", "read_curve", "write_340"]

E = TypeVar("E", bound=IntEnum)


class CurveFileError(CurveUnfit):
    """A calibration file cannot be read.

    The message names the line. Of a sensor's sister files, .340, .34A, .curve and .cof can be.
    """


_SISTERS = (
    "Of the files sold with a sensor take the one whose name ends in .340, .34A, .curve or .cof."
)

_KEYS = {
    "sensormodel": "name",
    "name": "name",
    "serialnumber": "serial",
    "sn": "serial",
    "dataformat": "format",
    "format": "format",
    "setpointlimit": "limit",
    "limit": "limit",
    "temperaturecoefficient": "coefficient",
    "coefficient": "coefficient",
    "coeff": "coefficient",
    "numberofbreakpoints": "count",
}

_KEY_LINE = re.compile(r"\s*([A-Za-z][A-Za-z .]*?)\s*[:=\t]\s*(.*?)\s*")
_POINT_LINE = re.compile(r"\s*point\s+(\d+)\s*:\s*(.*)", re.IGNORECASE)
_Lines = list[tuple[int, str]]
"""The lines of a file that are not empty, with their numbers from 1."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d+)?")


def read_curve(path: Path) -> Curve:
    """Read a calibration file.

    Raises:
        CurveFileError: it cannot be read, or is of no known form.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CurveFileError(f"{path}: cannot be read: {why}.") from error
    try:
        return parse_curve(text)
    except CurveFileError as error:
        raise CurveFileError(f"{path}: {error}") from None


def parse_curve(text: str) -> Curve:
    """Read the text of a calibration file.

    Raises:
        CurveFileError: it is of no known form; the message names the line.
    """
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if any("fit range" in line.lower() for _, line in lines):
        return _chebyshev(lines)
    if any(line.strip().upper() == "[HEADER]" for _, line in lines):
        return _points(lines, _header_of_sections(lines))
    if lines and lines[0][1].lstrip().startswith("#"):
        return _points(lines, _header_of_one_line(lines))
    return _points(lines, _header_of_keys(lines))


def format_340(curve: Curve) -> str:
    """Write a curve as a ``.340`` file (CR LF, as the maker's own)."""
    header = curve.header
    coefficient = header.coefficient.name.capitalize()
    kind = header.format.name.lower().replace("_", " ")
    lines = [
        f"Sensor Model:\t{header.name}",
        f"Serial Number:\t{header.serial}",
        f"Data Format:\t{header.format:d}\t({kind})",
        f"SetPoint Limit:\t{header.limit_k:g}\t(Kelvin)",
        f"Temperature coefficient:\t{header.coefficient:d} ({coefficient})",
        f"Number of Breakpoints:\t{len(curve.points)}",
        "",
        "No.\tUnits\tTemperature (K)",
        "",
    ]
    for number, point in enumerate(curve.points, start=1):
        values = [point.units, point.kelvin]
        if point.curvature is not None:
            values.append(point.curvature)
        lines.append("\t".join([f"{number:3d}", *(f"{value:.6g}" for value in values)]))
    return "\r\n".join(lines) + "\r\n"


def write_340(path: Path, curve: Curve) -> None:
    """Write a curve to a new ``.340`` file.

    Raises:
        CurveFileError: the file exists, or cannot be written.
    """
    try:
        with path.open("x", encoding="ascii", newline="") as stream:
            stream.write(format_340(curve))
    except FileExistsError:
        raise CurveFileError(f"{path} exists already; choose another name.") from None
    except OSError as error:
        raise CurveFileError(f"{path}: cannot be written: {error.strerror}.") from error


def _number(text: str, line: int, what: str) -> float:
    found = _NUMBER.match(text.strip())
    if not found:
        raise CurveFileError(f"line {line}: {what} is {text[:30]!r}, not a number.")
    return float(found[0])


def _header(values: Mapping[str, tuple[int, str]]) -> CurveHeader:
    """Make a header of values by their names, each with its line."""
    missing = [name for name in ("name", "serial", "format", "limit") if name not in values]
    if missing:
        raise CurveFileError(
            f"the header lacks {', '.join(missing)}: this is no calibration file of a known form. "
            f"{_SISTERS}"
        )

    def number(name: str) -> float:
        line, text = values[name]
        return _number(text, line, f"the {name}")

    def member(name: str, kind: type[E]) -> E:
        try:
            return kind(int(number(name)))
        except ValueError:
            line, text = values[name]
            raise CurveFileError(
                f"line {line}: the {name} is {text!r}, which is unknown."
            ) from None

    coefficient = Coefficient.NEGATIVE
    if "coefficient" in values:
        coefficient = member("coefficient", Coefficient)
    return CurveHeader(
        name=values["name"][1].strip('" ')[:NAME_LENGTH],
        # As upstream does: of a long serial number the end tells sensors apart.
        serial=values["serial"][1].strip('" ')[-SERIAL_LENGTH:],
        format=member("format", CurveFormat),
        limit_k=number("limit"),
        coefficient=coefficient,
    )


def _by_key(items: Iterable[tuple[int, str]]) -> dict[str, tuple[int, str]]:
    values: dict[str, tuple[int, str]] = {}
    for line, text in items:
        found = _KEY_LINE.fullmatch(text)
        if found:
            key = _KEYS.get(re.sub(r"[ .]", "", found[1]).lower())
            if key is not None:
                values.setdefault(key, (line, found[2]))
    return values


def _header_of_keys(lines: _Lines) -> tuple[CurveHeader, int]:
    values = _by_key(lines)
    header = _header(values)
    last = max(line for line, _ in values.values())
    return header, last


def _header_of_sections(lines: _Lines) -> tuple[CurveHeader, int]:
    data = [line for line, text in lines if text.strip().upper() == "[DATA]"]
    if not data:
        raise CurveFileError("there is a [HEADER], but no [DATA].")
    values = _by_key(item for item in lines if item[0] < data[0])
    return _header(values), data[0]


def _header_of_one_line(lines: _Lines) -> tuple[CurveHeader, int]:
    plain = [(line, text) for line, text in lines if not text.lstrip().startswith("#")]
    if not plain:
        raise CurveFileError("there are only comments.")
    line, text = plain[0]
    parts = [part.strip() for part in re.split(r"[,\t]", text)]
    if len(parts) != 5:
        raise CurveFileError(
            f"line {line}: name, serial number, format, limit and coefficient were expected."
        )
    names = ("name", "serial", "format", "limit", "coefficient")
    return _header({name: (line, part) for name, part in zip(names, parts, strict=True)}), line


def _points(lines: _Lines, found: tuple[CurveHeader, int]) -> Curve:
    header, last_header_line = found
    points: list[CurvePoint] = []
    declared = _by_key(lines).get("count")
    spline = header.format is CurveFormat.OHMS_SPLINE
    for line, text in lines:
        if line <= last_header_line or text.lstrip().startswith("#"):
            continue
        point = _POINT_LINE.fullmatch(text)
        parts = re.split(r"[,\s]+", (point[2] if point else text).strip().rstrip(","))
        if not points and not _NUMBER.fullmatch(parts[0]):
            # Column headings stand between header and points.
            continue
        values = [_number(part, line, "a number") for part in parts]
        wanted = 3 if spline else 2
        if not point and len(values) == wanted + 1:
            values = values[1:]
        if len(values) != wanted:
            raise CurveFileError(f"line {line}: {wanted} numbers were expected: {text.strip()!r}.")
        points.append(CurvePoint(*values))
    if declared is not None and int(_number(declared[1], declared[0], "the count")) != len(points):
        raise CurveFileError(
            f"line {declared[0]} announces {declared[1]} points, but there are {len(points)}: "
            "the file is incomplete or was edited by hand."
        )
    return Curve(header, tuple(points))


@attrs.frozen
class _Fit:
    """One range of a Chebyshev fit; ``z`` is the resistance, or its decimal logarithm."""

    logarithmic: bool
    z_lower: float
    z_upper: float
    lower_ohm: float
    upper_ohm: float
    coefficients: tuple[float, ...]

    def kelvin(self, ohm: float) -> float:
        z = math.log10(ohm) if self.logarithmic else ohm
        x = ((z - self.z_lower) - (self.z_upper - z)) / (self.z_upper - self.z_lower)
        # Limits in the file are rounded: an end may lie a hair outside.
        return float(np.polynomial.chebyshev.chebval(min(1.0, max(-1.0, x)), self.coefficients))


def _chebyshev(lines: _Lines) -> Curve:
    """Turn a Chebyshev fit into points evenly spaced in log ohms."""
    values = _by_key(lines)
    fits = sorted(_fits(lines), key=lambda fit: fit.lower_ohm)
    # Where two ranges meet there may be a bend: a point of its own keeps it.
    joints = [math.log10(fit.upper_ohm) for fit in fits[:-1]]
    ends = math.log10(fits[0].lower_ohm), math.log10(fits[-1].upper_ohm)
    between = np.linspace(*ends, MAX_POINTS - len(joints))
    points = []
    for log_ohm in np.union1d(between, joints):
        ohm = 10.0**log_ohm
        fit = next((fit for fit in fits if ohm <= fit.upper_ohm), fits[-1])
        points.append(CurvePoint(float(log_ohm), fit.kelvin(ohm)))
    rising = points[-1].kelvin > points[0].kelvin
    return Curve(
        CurveHeader(
            name=values.get("name", (0, "From .cof"))[1][:NAME_LENGTH],
            serial=values.get("serial", (0, ""))[1][-SERIAL_LENGTH:],
            format=CurveFormat.LOG_OHMS,
            limit_k=round(max(point.kelvin for point in points), 3),
            coefficient=Coefficient.POSITIVE if rising else Coefficient.NEGATIVE,
        ),
        tuple(points),
    )


def _fits(lines: _Lines) -> list[_Fit]:
    ranges: list[dict[str, tuple[int, str]]] = []
    for line, text in lines:
        key, colon, value = (part.strip() for part in text.partition(":"))
        name = key.lower()
        if colon and name == "fit range":
            ranges.append({})
        elif colon and ranges:
            ranges[-1][name.split(" ")[0]] = (line, value)
    if not ranges:
        raise CurveFileError("there is no FIT RANGE.")
    return [_fit(number, values) for number, values in enumerate(ranges, start=1)]


def _fit(number: int, values: Mapping[str, tuple[int, str]]) -> _Fit:
    def value(key: str) -> float:
        if key not in values:
            raise CurveFileError(f"fit range {number} lacks its {key!r}.")
        line, text = values[key]
        return _number(text, line, key)

    kind = values.get("fit", (0, ""))[1].upper()
    if not kind.startswith(("LOG", "LIN")):
        raise CurveFileError(f"fit range {number} has type {kind!r}; LOG and LIN are known.")
    order = int(value("order"))
    fit = _Fit(
        logarithmic=kind.startswith("LOG"),
        z_lower=value("zlower"),
        z_upper=value("zupper"),
        lower_ohm=value("lower"),
        upper_ohm=value("upper"),
        coefficients=tuple(value(f"c({power})") for power in range(order + 1)),
    )
    if not (fit.z_upper > fit.z_lower and fit.upper_ohm > fit.lower_ohm > 0):
        raise CurveFileError(f"fit range {number} has limits that are not in order.")
    return fit
