"""The simulated 372's curves: what is stored, kelvin from it, and the commands about it.

Facts from the project's Lake Shore specification, section 1.4.
"""

import bisect
import math
from collections.abc import Iterable, Mapping

import attrs

from agents.lakeshore.sim.sensors import RutheniumOxide, Sensor, calibration_points
from agents.lakeshore372.input_tables import (
    Channel,
    ReadingStatus,
    TemperatureCoefficient,
)
from agents.lakeshore372.sim_words import (
    Arguments,
    Commands,
    Queries,
    format_six_digits,
    number,
    real,
    refuse,
    text,
)

__all__ = ["CONTROL_CURVE", "FIRST_CURVE", "Curve", "CurveStore"]

FIRST_CURVE = 21
"""The curve of channel 1 as the unit is delivered; the other channels' follow."""

CONTROL_CURVE = 37
"""The curve of the control input's sensor as the unit is delivered."""

LAST_CURVE = 59
POINTS = 200

LINEAR, LOGARITHMIC, SPLINE = 3, 4, 7
_USUAL_LIMIT_K = 375.0
_GOOD = ReadingStatus(0)

Point = tuple[float, float, float]
"""Sensor units, kelvin, curvature (of spline curves)."""

_NO_POINT: Point = (0.0, 0.0, 0.0)

_STANDARD: Mapping[int, tuple[str, Sensor]] = {
    1: ("RX-102A", RutheniumOxide(lowest_k=0.05)),
    2: ("RX-202A", RutheniumOxide(r0_ohm=2000.0, lowest_k=0.05)),
    3: ("RX-103A", RutheniumOxide(r0_ohm=10000.0, lowest_k=1.4)),
}


@attrs.define
class Curve:
    """A curve location.

    Attributes:
        name: up to 15 characters.
        serial: up to 10 characters.
        format: 3 ohms, 4 logarithm of ohms, 7 ohms with curvatures.
        limit_k: highest setpoint.
        points: as sent; the first that is all zero ends the curve.
    """

    name: str = "User Curve"
    serial: str = ""
    format: int = LOGARITHMIC
    limit_k: float = _USUAL_LIMIT_K
    points: list[Point] = attrs.field(factory=lambda: [_NO_POINT] * POINTS)
    _sorted: list[Point] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.arrange()

    @property
    def usable(self) -> bool:
        """True if there is enough of it to tell a temperature."""
        return len(self._sorted) >= 2

    @property
    def coefficient(self) -> TemperatureCoefficient:
        """The sign of its slope, worked out from the first two points."""
        (one, one_k, _), (two, two_k, _) = self.points[:2]
        if (two - one) * (two_k - one_k) > 0:
            return TemperatureCoefficient.POSITIVE
        return TemperatureCoefficient.NEGATIVE

    def arrange(self) -> None:
        """Take changed points into use."""
        units_of = [point[:2] for point in self.points]
        count = units_of.index((0.0, 0.0)) if (0.0, 0.0) in units_of else len(units_of)
        # Two points of the same units say nothing about what is between them.
        self._sorted = sorted({point[0]: point for point in self.points[:count]}.values())

    def kelvin(self, resistance_ohm: float) -> tuple[float, ReadingStatus]:
        """Return the temperature at a resistance, 0 where there is none, and what is wrong."""
        points = self._sorted
        if len(points) < 2:
            return 0.0, _GOOD
        units = resistance_ohm
        if self.format == LOGARITHMIC:
            units = math.log10(resistance_ohm) if resistance_ohm > 0 else -math.inf
        if not points[0][0] <= units <= points[-1][0]:
            rises = points[-1][1] > points[0][1]
            too_hot = (units > points[-1][0]) == rises
            return 0.0, ReadingStatus.T_OVER_RANGE if too_hot else ReadingStatus.T_UNDER_RANGE
        right = min(bisect.bisect_right(points, (units, math.inf, 0.0)), len(points) - 1)
        (left_u, left_k, left_c), (right_u, right_k, right_c) = points[right - 1], points[right]
        width = right_u - left_u
        b = (units - left_u) / width
        a = 1 - b
        kelvin = a * left_k + b * right_k
        if self.format == SPLINE:
            kelvin += ((a**3 - a) * left_c + (b**3 - b) * right_c) * width**2 / 6
        return kelvin, _GOOD


def _of_sensor(name: str, serial: str, sensor: Sensor) -> Curve:
    found = calibration_points(sensor, POINTS, logarithmic=True)
    return Curve(
        name,
        serial,
        limit_k=sensor.highest_k,
        points=[(units, kelvin, 0.0) for units, kelvin in found],
    )


class CurveStore:
    """All curve locations, 1 to 59; up to 20 the maker's, which cannot be changed.

    Args:
        sensors: what the unit's channels look at; each has its own calibration at
            `FIRST_CURVE` and following.
    """

    def __init__(self, sensors: Mapping[Channel, Sensor]) -> None:
        self._sensors = dict(sensors)
        self._curves: dict[int, Curve] = {}
        self.reset()
        self.queries: Queries = {"CRVHDR?": self._read_header, "CRVPT?": self._read_point}
        self.commands: Commands = {
            "CRVHDR": self._set_header,
            "CRVPT": self._set_point,
            "CRVDEL": self._delete,
        }

    def reset(self) -> None:
        """Go back to the curves as delivered."""
        self._curves = {place: Curve(name="") for place in range(1, FIRST_CURVE)}
        self._curves |= {place: Curve() for place in range(FIRST_CURVE, LAST_CURVE + 1)}
        for place, (name, sensor) in _STANDARD.items():
            self._curves[place] = _of_sensor(name, "STANDARD", sensor)
        for channel, sensor in self._sensors.items():
            place = CONTROL_CURVE if channel == "A" else FIRST_CURVE - 1 + int(channel)
            name = type(sensor).__name__.upper()[:15]
            self._curves[place] = _of_sensor(name, f"SIM{place:03d}", sensor)

    def usable(self, place: int) -> Curve | None:
        """Return the curve at a location; None for 0 and for one without points."""
        curve = self._curves.get(place)
        return curve if curve is not None and curve.usable else None

    def _read_header(self, arguments: Arguments) -> str:
        (place,) = arguments.take(1)
        it = self._curves[number(place, 1, LAST_CURVE)]
        return f"{it.name:15},{it.serial:10},{it.format},{it.limit_k:+08.3f},{it.coefficient:d}"

    def _read_point(self, arguments: Arguments) -> str:
        place, index = arguments.take(2)
        it = self._curves[number(place, 1, LAST_CURVE)]
        point = it.points[number(index, 1, POINTS) - 1]
        return _numbers(point if it.format == SPLINE else point[:2])

    def _set_header(self, arguments: Arguments) -> None:
        fields = arguments.fields
        if len(fields) != 6:
            refuse()
        curve = self._user(fields[0])
        name, serial = text(fields[1], 15), text(fields[2], 10)
        form = number(fields[3], LINEAR, SPLINE)
        if form not in (LINEAR, LOGARITHMIC, SPLINE):
            refuse()
        limit_k = real(fields[4], 0, 9999)
        number(fields[5], 1, 2)
        curve.name, curve.serial, curve.format, curve.limit_k = name, serial, form, limit_k

    def _set_point(self, arguments: Arguments) -> None:
        place, index, *values = arguments.take(4, 5)
        curve = self._user(place)
        units, kelvin, *rest = (_six_digits(real(value, -1e9, 1e9)) for value in values)
        curve.points[number(index, 1, POINTS) - 1] = (units, kelvin, rest[0] if rest else 0.0)
        curve.arrange()

    def _delete(self, arguments: Arguments) -> None:
        (place,) = arguments.take(1)
        self._user(place)
        self._curves[int(place)] = Curve()

    def _user(self, word: str) -> Curve:
        return self._curves[number(word, FIRST_CURVE, LAST_CURVE)]


def _numbers(values: Iterable[float]) -> str:
    return ",".join(format_six_digits(value) for value in values)


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")
