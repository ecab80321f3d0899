"""The ring cache: the last hour of a feed, in numpy arrays.

Fields that arrive together share one array of times. Each group of such fields lies in arrays that
grow by an eighth, and once samples leave at the old end as fast as they come, the live part slides
through arrays of constant size. One lock makes every reader see whole messages only.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sisock.series import Block, Column, FieldInfo, FieldList, FieldType, FloatArray, TimelineInfo
from sisock.thinning import Buckets, width_for

__all__ = ["RingCache"]

_FIRST_ROWS = 32


class _Group:
    """Samples of fields that share their times; rows ``start:stop`` of each array are live."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.start = 0
        self.stop = 0
        self._capacity = _FIRST_ROWS
        self._times: FloatArray = np.empty(_FIRST_ROWS)
        self._columns: dict[str, Column] = {
            name: np.empty(_FIRST_ROWS, dtype=values.dtype) for name, values in columns.items()
        }

    @property
    def times(self) -> FloatArray:
        return self._times[self.start : self.stop]

    def column(self, field: str) -> Column:
        return self._columns[field][self.start : self.stop]

    def dtype(self, field: str) -> np.dtype[Any]:
        return self._columns[field].dtype

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self._columns)

    @property
    def size_bytes(self) -> int:
        return self._times.nbytes + sum(column.nbytes for column in self._columns.values())

    def append(self, times: FloatArray, columns: Mapping[str, Column]) -> None:
        """Put samples in where their times belong; equal times stay in order of arrival."""
        count = times.size
        if self.stop + count > self._capacity:
            self._make_room(count)
        for name, values in columns.items():
            held = self._columns[name]
            if held.dtype != values.dtype:
                wider = np.promote_types(held.dtype, values.dtype)
                if wider != held.dtype:
                    self._columns[name] = held.astype(wider)
        stop = self.stop
        if stop == self.start or times[0] >= self._times[stop - 1]:
            self._times[stop : stop + count] = times
            for name, values in columns.items():
                self._columns[name][stop : stop + count] = values
        else:
            self._insert(times, columns)
        self.stop = stop + count

    def _insert(self, times: FloatArray, columns: Mapping[str, Column]) -> None:
        """Merge samples that came late; moves only what is newer than the first of them."""
        begin = self.start + int(np.searchsorted(self.times, times[0], side="right"))
        moved = slice(begin, self.stop)
        end = self.stop + times.size
        merged = np.concatenate((self._times[moved], times))
        order = np.argsort(merged, kind="stable")
        self._times[begin:end] = merged[order]
        for name, values in columns.items():
            column = self._columns[name]
            column[begin:end] = np.concatenate((column[moved], values))[order]

    def _make_room(self, count: int) -> None:
        """Slide the live rows to the front, into larger or smaller arrays where that pays."""
        live = self.stop - self.start
        needed = live + count
        roomy = needed + needed // 8 + _FIRST_ROWS
        if not needed + needed // 16 <= self._capacity <= 2 * roomy:
            self._capacity = roomy
        self._times = self._moved(self._times)
        for name, column in self._columns.items():
            self._columns[name] = self._moved(column)
        self.start, self.stop = 0, live

    def _moved(self, array: NDArray[Any]) -> NDArray[Any]:
        live = array[self.start : self.stop]
        target = array if array.size == self._capacity else np.empty(self._capacity, array.dtype)
        target[: live.size] = live
        if array.dtype == np.object_:
            target[live.size :] = None  # let go of the strings that have left
        return target

    def drop_before(self, cutoff: float) -> None:
        """Let samples older than ``cutoff`` go."""
        if self.stop > self.start and self._times[self.start] < cutoff:
            self.start += int(np.searchsorted(self.times, cutoff, side="left"))

    def rows(self, start: float, end: float) -> slice:
        """Return which of the live rows lie in ``[start, end)``."""
        low, high = np.searchsorted(self.times, (start, end), side="left")
        return slice(int(low), max(int(low), int(high)))


def _kind(values: Column) -> str:
    return "text" if values.dtype == np.object_ else "number"


def _type_name(dtype: np.dtype[Any]) -> FieldType:
    if dtype == np.object_:
        return "string"
    return "bool" if dtype == np.bool_ else "number"


class RingCache:
    """Keep the newest samples of a feed and answer windows of them; a `TimeSeries`.

    One thread appends; any thread may read. Readers get copies.

    Args:
        buffer_time_s: Samples older than this are dropped; so are, on arrival, samples that claim
            to be further than this in the future, which would otherwise stay for ever.
        timeline_name: Gives the name of a field's timeline.
        units: Unit symbol by field, where known.
        clock: Gives the Unix time in seconds.
    """

    def __init__(
        self,
        buffer_time_s: float = 3600.0,
        *,
        timeline_name: Callable[[str], str] = str,
        units: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._buffer_time_s = buffer_time_s
        self._timeline_name = timeline_name
        self._units = dict(units or {})
        self._clock = clock
        self._lock = threading.Lock()
        self._groups: dict[tuple[str, tuple[str, ...], tuple[str, ...]], _Group] = {}

    @property
    def size_bytes(self) -> int:
        """Memory held by the arrays, in bytes (text itself not counted)."""
        with self._lock:
            return sum(group.size_bytes for group in self._groups.values())

    def append(self, block: str, times: FloatArray, columns: Mapping[str, Column]) -> int:
        """Add samples that share their times.

        Args:
            block: Name of the source; fields of different blocks never share times.
            times: Unix seconds, finite, shape (n,), in any order.
            columns: Values by field, each of shape (n,); text as an object array of ``str``.

        Returns:
            How many of the samples were too old or too far in the future to keep.
        """
        now = self._clock()
        given = times.size
        if given > 1 and (times[1:] < times[:-1]).any():
            order = np.argsort(times, kind="stable")
            times = times[order]
            columns = {name: values[order] for name, values in columns.items()}
        cutoff = now - self._buffer_time_s
        if given and (times[0] < cutoff or times[-1] > now + self._buffer_time_s):
            low, high = np.searchsorted(times, (cutoff, now + self._buffer_time_s))
            times = times[low:high]
            columns = {name: values[low:high] for name, values in columns.items()}
        if times.size and columns:
            key = (block, tuple(columns), tuple(map(_kind, columns.values())))
            with self._lock:
                group = self._groups.get(key)
                if group is None:
                    group = self._groups[key] = _Group(columns)
                group.drop_before(cutoff)
                group.append(times, columns)
        return given - times.size

    def prune(self) -> None:
        """Drop what has grown too old, also of fields that receive nothing any more."""
        with self._lock:
            self._prune()

    def _prune(self) -> None:
        cutoff = self._clock() - self._buffer_time_s
        for key, group in list(self._groups.items()):
            group.drop_before(cutoff)
            if group.start == group.stop:
                del self._groups[key]

    def _groups_by_field(self) -> dict[str, list[_Group]]:
        """Return each field's groups, the one with the newest sample last.

        A field lies in several when a block's set of fields changed. If it changed between
        number and text, only groups of its newest kind count.
        """
        found: dict[str, list[_Group]] = {}
        for group in sorted(self._groups.values(), key=lambda group: float(group.times[-1])):
            for name in group.fields:
                found.setdefault(name, []).append(group)
        for name, groups in found.items():
            if len(groups) > 1:
                text = groups[-1].dtype(name) == np.object_
                found[name] = [g for g in groups if (g.dtype(name) == np.object_) == text]
        return found

    def fields(self, start: float, end: float) -> FieldList:
        """List the fields that have a sample in ``[start, end)``; see `TimeSeries`."""
        fields: dict[str, FieldInfo] = {}
        timelines: dict[str, TimelineInfo] = {}
        with self._lock:
            self._prune()
            for name, groups in sorted(self._groups_by_field().items()):
                rows = [group.rows(start, end) for group in groups]
                if all(part.start == part.stop for part in rows):
                    continue
                newest = groups[-1].times
                dtype = np.result_type(*(group.dtype(name) for group in groups))
                timeline = self._timeline_name(name)
                fields[name] = FieldInfo(
                    description=None,
                    timeline=timeline,
                    type=_type_name(dtype),
                    units=self._units.get(name),
                )
                interval = (
                    float(newest[-1] - newest[0]) / (newest.size - 1) if newest.size > 1 else None
                )
                timelines[timeline] = TimelineInfo(
                    fields=(name,), interval_s=interval, last_time=float(newest[-1])
                )
        return FieldList(fields, timelines)

    def data(
        self, fields: Sequence[str], start: float, end: float, max_points: int | None = None
    ) -> list[Block]:
        """Return samples of ``[start, end)``; see `TimeSeries`."""
        blocks: list[Block] = []
        for times, columns in self._snapshot(fields, start, end, newest_only=max_points == 1):
            if max_points is None or times.size <= max_points:
                blocks.append(self._block(times, columns, float(times[-1])))
                continue
            buckets = Buckets.cut(times, width_for(times, max_points, end - start))
            for name, values in columns.items():
                index = buckets.keep(values)
                blocks.append(
                    self._block(times[index], {name: values[index]}, buckets.finalized_until)
                )
        return blocks

    def _block(self, times: FloatArray, columns: Mapping[str, Column], final: float) -> Block:
        timelines = {name: self._timeline_name(name) for name in columns}
        return Block(times, columns, timelines, final)

    def _snapshot(
        self, fields: Sequence[str], start: float, end: float, *, newest_only: bool
    ) -> list[tuple[FloatArray, dict[str, Column]]]:
        """Copy what was asked for while the writer waits."""
        taken: list[tuple[FloatArray, dict[str, Column]]] = []
        with self._lock:
            self._prune()
            by_field = self._groups_by_field()
            together: dict[int, tuple[_Group, list[str]]] = {}
            for name in dict.fromkeys(fields):
                groups = by_field.get(name, [])
                if len(groups) == 1:
                    together.setdefault(id(groups[0]), (groups[0], []))[1].append(name)
                elif groups:
                    taken.append(_merged(groups, name, start, end))
            for group, names in together.values():
                rows = group.rows(start, end)
                if newest_only:
                    rows = slice(max(rows.stop - 1, rows.start), rows.stop)
                times = group.times[rows].copy()
                taken.append((times, {name: group.column(name)[rows].copy() for name in names}))
        if newest_only:
            taken = [(t[-1:], {n: v[-1:] for n, v in columns.items()}) for t, columns in taken]
        return [(times, columns) for times, columns in taken if times.size]


def _merged(
    groups: list[_Group], name: str, start: float, end: float
) -> tuple[FloatArray, dict[str, Column]]:
    """Copy one field out of several groups, in time order."""
    rows = [group.rows(start, end) for group in groups]
    times = np.concatenate([g.times[r] for g, r in zip(groups, rows, strict=True)])
    values = np.concatenate([g.column(name)[r] for g, r in zip(groups, rows, strict=True)])
    order = np.argsort(times, kind="stable")
    return times[order], {name: values[order]}
