"""Where a field has no samples though it should: marks for a plot, or breaks in its line.

A gap is three times as long as the usual distance of two samples.
"""

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from sisock.http.answers import Series, milliseconds
from sisock.series import FloatArray
from sisock.thinning import bucket_width

__all__ = ["GAP_POINTS", "gap_rows", "with_breaks"]

GAP_POINTS = 20_000
"""Points to ask for when gaps are wanted: what is shorter than a few of them cannot be seen."""

_LONGER = 3.0  # than what is usual
_BUCKETS = 2.1  # of thinned samples, two neighbours are up to two buckets apart
_MOST_GAPS = 500


def gap_rows(series: Series, span_s: float) -> list[dict[str, Any]]:
    """Return the gaps between samples as Grafana marks them, the longest 500 in order of time.

    Args:
        series: At most `GAP_POINTS` samples.
        span_s: Length of the window they were asked for, in seconds.
    """
    at, usual_s = _gaps(series.times, span_s, GAP_POINTS)
    distances = np.diff(series.times)
    longest = np.sort(at[np.argsort(-distances[at], kind="stable")[:_MOST_GAPS]])
    times = milliseconds(series.times)
    node = series.name.partition("::")[0]
    return [
        {
            "time": float(times[i]),
            "timeEnd": float(times[i + 1]),
            "title": f"{series.name} has a gap",
            "text": f"{distances[i]:.6g} s without a sample; usual are {usual_s:.3g} s",
            "tags": f"{node},gap",
        }
        for i in longest.tolist()
    ]


def with_breaks(series: Series, span_s: float, max_points: int) -> Series:
    """Return the series with a NaN in the middle of every gap; text is left as it is.

    Args:
        series: At most ``max_points`` samples.
        span_s: Length of the window they were asked for, in seconds.
        max_points: What was asked for.
    """
    if series.values.dtype == np.object_:
        return series
    at, _ = _gaps(series.times, span_s, max_points)
    middles = (series.times[at] + series.times[at + 1]) / 2
    values = series.values.astype(np.float64) if at.size else series.values
    return attrs.evolve(
        series,
        times=np.insert(series.times, at + 1, middles),
        values=np.insert(values, at + 1, np.nan) if at.size else values,
    )


def _gaps(times: FloatArray, span_s: float, points: int) -> tuple[NDArray[np.intp], float]:
    """Return the indices of the samples before gaps, and the usual distance in seconds."""
    if times.size < 3:
        return np.empty(0, dtype=np.intp), 0.0
    distances = np.diff(times)
    usual_s = float(np.median(distances))
    least_s = max(_LONGER * usual_s, _BUCKETS * bucket_width(span_s, points))
    return np.flatnonzero(distances > least_s), usual_s
