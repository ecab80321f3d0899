"""Thin a time series for a plot so that every spike is still seen.

Time is cut into buckets of one width, counted from the Unix epoch and not from the window's edge:
a window that moves on cuts the same buckets, so a live plot does not flicker. Each bucket keeps the
first of its smallest and the first of its largest samples. See docs/decisions/0005-thinning.md.
"""

import math

import attrs
import numpy as np
from numpy.typing import NDArray

from sisock.series import Column, FloatArray

__all__ = ["Buckets", "bucket_width", "denser_than", "thin", "thin_by_width", "width_for"]

IndexArray = NDArray[np.intp]

_STEPS = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.4, 8.0)
_SHORTEST_WIDTH_S = 1e-6  # WAMP carries times to the microsecond; nothing finer is asked for


def _tidy(width_s: float) -> float:
    """Round a width up to a step, so that small changes of a window leave it as it was."""
    width_s = max(width_s, _SHORTEST_WIDTH_S)
    decade = 10.0 ** math.floor(math.log10(width_s))
    for step in _STEPS:
        if step * decade >= width_s * (1 - 1e-9):
            return step * decade
    return 10.0 * decade


def bucket_width(span_s: float, max_points: int) -> float:
    """Return the bucket width, in seconds, that brings ``span_s`` down to ``max_points`` points.

    The width depends on nothing but the two numbers. A bucket may give two points, and a window
    may cut a bucket at each end: both are allowed for.
    """
    buckets = max(max_points // 2 - 2, 1)
    return _tidy(max(span_s, 0.0) / buckets)


def width_for(times: FloatArray, max_points: int, span_s: float | None = None) -> float:
    """Return the bucket width for these samples; see `thin` for the arguments."""
    sampled_s = float(times[-1] - times[0])
    if span_s is None or span_s > 2 * sampled_s:
        span_s = sampled_s
    width = bucket_width(span_s, max_points)
    most = max(max_points // 2, 1)
    while math.floor(times[-1] / width) - math.floor(times[0] / width) >= most:
        width = _tidy(width * 1.01)
    return width


@attrs.frozen(eq=False)
class Buckets:
    """Samples sorted into buckets by their times; serves every column that shares the times.

    Attributes:
        width_s: Width of a bucket in seconds.
        starts: Index of the first sample of each bucket that has any.
        of_sample: For each sample, which of those buckets it is in.
        finalized_until: Unix time at which the last, still growing bucket begins.
    """

    width_s: float
    starts: IndexArray
    of_sample: IndexArray
    finalized_until: float

    @classmethod
    def cut(cls, times: FloatArray, width_s: float) -> "Buckets":
        """Sort samples (ascending times, at least one) into buckets of ``width_s`` seconds."""
        numbers = np.floor(times / width_s)
        new = np.empty(times.size, dtype=np.bool_)
        new[0] = True
        np.not_equal(numbers[1:], numbers[:-1], out=new[1:])
        return cls(
            width_s=width_s,
            starts=np.flatnonzero(new),
            of_sample=np.cumsum(new) - 1,
            finalized_until=float(numbers[-1]) * width_s,
        )

    def keep(self, values: Column) -> IndexArray:
        """Return the indices of the samples to keep, ascending.

        NaN is passed over where a bucket has anything else; a bucket of nothing but NaN keeps one.
        Of text, which has no extremes, a bucket keeps its first and last sample.
        """
        kept = np.zeros(values.size, dtype=np.bool_)
        if values.dtype == np.object_:
            kept[self.starts] = True
            kept[self.starts[1:] - 1] = True
            kept[-1] = True
            return np.flatnonzero(kept)
        for extreme in (np.fmin, np.fmax):
            found = np.flatnonzero(values == extreme.reduceat(values, self.starts)[self.of_sample])
            buckets = self.of_sample[found]
            first = np.ones(found.size, dtype=np.bool_)
            np.not_equal(buckets[1:], buckets[:-1], out=first[1:])
            kept[found[first]] = True
        covered = np.zeros(self.starts.size, dtype=np.bool_)
        covered[self.of_sample[kept]] = True
        kept[self.starts[~covered]] = True
        return np.flatnonzero(kept)


def thin_by_width(
    times: FloatArray, values: Column, width_s: float
) -> tuple[FloatArray, Column, float]:
    """Thin with buckets of a given width.

    Returns:
        Times, values, and the time before which they are final.
    """
    buckets = Buckets.cut(times, width_s)
    index = buckets.keep(values)
    return times[index], values[index], buckets.finalized_until


def thin(
    times: FloatArray, values: Column, max_points: int, span_s: float | None = None
) -> tuple[FloatArray, Column]:
    """Return at most ``max_points`` of the samples; all of them when there are no more.

    Args:
        times: Unix seconds, ascending, shape (n,).
        values: Shape (n,).
        max_points: At least 1. One point alone is the newest sample.
        span_s: Length of the window the samples were asked for. Given the same length the bucket
            width is the same however the window moves. A window mostly empty of samples counts
            as long as they reach.
    """
    if times.size <= max_points:
        return times, values
    if max_points <= 1:
        return times[-1:], values[-1:]
    thinned = thin_by_width(times, values, width_for(times, max_points, span_s))
    return thinned[0], thinned[1]


def denser_than(times: FloatArray, stride_s: float) -> bool:
    """Tell whether samples are on average closer together than ``stride_s`` seconds."""
    return times.size > 1 and float(times[-1] - times[0]) < stride_s * (times.size - 1)
