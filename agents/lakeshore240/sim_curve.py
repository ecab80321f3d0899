"""The calibration curve that each input of the simulated 240 holds.

Facts from the project's Lake Shore specification, section 3.2.
"""

import bisect
import math
from enum import IntEnum

import attrs

from agents.lakeshore240.input_tables import ReadingStatus

__all__ = ["MAX_POINTS", "Curve", "CurveFormat", "CurveHeader"]

MAX_POINTS = 200


class CurveFormat(IntEnum):
    """What the first number of a point is."""

    VOLTS = 2
    OHMS = 3
    LOG_OHMS = 4


@attrs.frozen
class CurveHeader:
    """What ``CRVHDR?`` answers.

    Attributes:
        name: up to 15 characters.
        serial: of the sensor, up to 10 characters.
        format: unit of the points' signal.
        limit_k: highest setpoint; kept, and nothing else done with it.
        coefficient: 1 negative, 2 positive.
    """

    name: str = "User Curve"
    serial: str = ""
    format: CurveFormat = CurveFormat.VOLTS
    limit_k: float = 375.0
    coefficient: int = 1


class Curve:
    """A header and up to 200 points.

    Args:
        header: what it says of itself.
        points: pairs of signal and kelvin, from the first one on.
    """

    def __init__(
        self, header: CurveHeader | None = None, points: list[tuple[float, float]] | None = None
    ) -> None:
        self.header = header or CurveHeader()
        self._points = dict(enumerate(points or [], start=1))
        self._table: tuple[list[float], list[float]] | None = None

    def point(self, index: int) -> tuple[float, float]:
        """Return a point; zeros where there is none."""
        return self._points.get(index, (0.0, 0.0))

    def set_point(self, index: int, signal: float, temperature_k: float) -> None:
        """Put a point in its place; zeros remove the one that is there."""
        self._table = None
        if signal == temperature_k == 0:
            self._points.pop(index, None)
        else:
            self._points[index] = (signal, temperature_k)

    def kelvin(self, signal: float) -> tuple[float, ReadingStatus]:
        """Return the temperature of a signal in volts or ohms, and what is wrong with it.

        Without a curve that can be used it is 0 K, with nothing said to be wrong.
        """
        signals, kelvins = self._usable()
        if len(signals) < 2:
            return 0.0, ReadingStatus(0)
        at = math.log10(signal) if self.header.format is CurveFormat.LOG_OHMS else signal
        if not signals[0] <= at <= signals[-1]:
            end_k = kelvins[0] if at < signals[0] else kelvins[-1]
            coldest = end_k == min(kelvins)
            return 0.0, ReadingStatus.T_UNDER_RANGE if coldest else ReadingStatus.T_OVER_RANGE
        right = min(max(bisect.bisect_right(signals, at), 1), len(signals) - 1)
        part = (at - signals[right - 1]) / (signals[right] - signals[right - 1])
        return kelvins[right - 1] + part * (kelvins[right] - kelvins[right - 1]), ReadingStatus(0)

    def _usable(self) -> tuple[list[float], list[float]]:
        """Return the points up to the first gap by rising signal, or none if two are alike."""
        if self._table is None:
            points: list[tuple[float, float]] = []
            while (index := len(points) + 1) in self._points:
                points.append(self._points[index])
            points.sort()
            signals = [signal for signal, _ in points]
            if len(set(signals)) < len(signals):
                points = []
            self._table = ([signal for signal, _ in points], [kelvin for _, kelvin in points])
        return self._table
