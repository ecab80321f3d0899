"""The one interface of time series: what the ring cache, an archive or both together offer.

Nodes, bridge and live page know nothing else of where data come from.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import attrs
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Block",
    "Column",
    "FieldInfo",
    "FieldList",
    "FieldType",
    "FloatArray",
    "TimeSeries",
    "TimelineInfo",
]

FloatArray = NDArray[np.float64]

Column = NDArray[Any]
"""Values of one field: float64, int64 or bool; an object array of ``str`` for text."""

FieldType = Literal["number", "string", "bool"]


@attrs.frozen
class FieldInfo:
    """What is known of one field.

    Attributes:
        description: For people; None if nobody said.
        timeline: Name of the timeline the field's samples follow.
        type: ``number``, ``string`` or ``bool``.
        units: Unit symbol; None if unknown.
    """

    description: str | None
    timeline: str
    type: FieldType
    units: str | None


@attrs.frozen
class TimelineInfo:
    """What is known of one timeline.

    Attributes:
        fields: Names of the fields that follow it.
        interval_s: Mean distance of its samples in seconds; None if unknown or aperiodic.
        last_time: Unix time of its newest sample; None if unknown.
    """

    fields: tuple[str, ...]
    interval_s: float | None = None
    last_time: float | None = None


@attrs.frozen
class FieldList:
    """Fields and the timelines they follow, each by name."""

    fields: Mapping[str, FieldInfo]
    timelines: Mapping[str, TimelineInfo]


@attrs.frozen(eq=False)
class Block:
    """Samples that share their times.

    Attributes:
        times: Unix times in seconds, ascending, shape (n,).
        columns: Values by field, each of shape (n,).
        timelines: For each field of ``columns``, the timeline it follows.
        finalized_until: No sample of this block before this Unix time will change any more;
            None when everything is final.
    """

    times: FloatArray
    columns: Mapping[str, Column]
    timelines: Mapping[str, str]
    finalized_until: float | None = None


class TimeSeries(Protocol):
    """Anything that holds samples of named fields. Methods may be called from any thread."""

    def fields(self, start: float, end: float) -> FieldList:
        """List the fields that have a sample in ``[start, end)`` (Unix seconds)."""
        ...

    def data(
        self, fields: Sequence[str], start: float, end: float, max_points: int | None = None
    ) -> list[Block]:
        """Return samples of ``[start, end)``, in time order.

        Args:
            fields: Names; unknown ones are passed over.
            start: Unix time in seconds, included.
            end: Unix time in seconds, excluded.
            max_points: At most this many samples a field, extremes kept
                (`sisock.thinning`); None for every sample.

        Returns:
            Blocks, none of them empty; a field stands in at most one of them.
        """
        ...
