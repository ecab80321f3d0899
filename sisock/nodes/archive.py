"""A directory of data files as a `TimeSeries`: every field in many files, each of some time span.

Which field and span a file holds is told by its name, so that a query reads what it needs and
nothing else.
"""

from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np

from sisock.nodes.files import Directory, Entry, TableCache
from sisock.series import Block, Column, FieldInfo, FieldList, FloatArray, TimelineInfo
from sisock.thinning import Buckets, width_for

__all__ = ["ArchiveField", "FileSeries", "FileSpan", "thinned_blocks"]


@attrs.frozen
class ArchiveField:
    """A field of an archive; its timeline has the same name.

    Attributes:
        description: For people.
        units: Unit symbol.
        interval_s: Distance of samples in seconds; None if aperiodic or unknown.
    """

    description: str
    units: str
    interval_s: float | None = None


@attrs.frozen
class FileSpan:
    """What the name of a file says of its content.

    Attributes:
        field: Which field it holds.
        start: No row of it lies before this Unix time.
        end: No row of it lies after this Unix time.
    """

    field: str
    start: float
    end: float


class FileSeries:
    """Fields out of files; a `TimeSeries`. All fields are listed always, as upstream does.

    Args:
        directory: Where the files are.
        fields: The fields by name.
        span: Tells by the name of a file what it holds; None if it is none of ours.
        cache: Reads the files.
        max_points: Most samples of a field in any answer; None for no limit of our own.
    """

    def __init__(
        self,
        directory: Directory,
        fields: Mapping[str, ArchiveField],
        span: Callable[[str], FileSpan | None],
        cache: TableCache,
        max_points: int | None = None,
    ) -> None:
        self._directory = directory
        self._fields = dict(fields)
        self._span = span
        self._cache = cache
        self._max_points = max_points
        # Replaced as a whole, so that any thread reads a consistent pair.
        self._catalogue: tuple[tuple[Entry, ...], dict[str, list[tuple[FileSpan, Entry]]]] = (
            (),
            {},
        )

    def fields(self, start: float, end: float) -> FieldList:  # noqa: ARG002 - the protocol's
        """List all fields; see `TimeSeries`."""
        infos = {
            name: FieldInfo(field.description, name, "number", field.units)
            for name, field in self._fields.items()
        }
        timelines = {
            name: TimelineInfo((name,), field.interval_s, self._last_time(name))
            for name, field in self._fields.items()
        }
        return FieldList(infos, timelines)

    def data(
        self, fields: Sequence[str], start: float, end: float, max_points: int | None = None
    ) -> list[Block]:
        """Return samples of ``[start, end)``; see `TimeSeries`."""
        limits = [limit for limit in (max_points, self._max_points) if limit is not None]
        most = min(limits) if limits else None
        blocks: list[Block] = []
        for name in dict.fromkeys(fields):
            times, values = self._samples(name, start, end)
            blocks.extend(thinned_blocks(times, {name: values}, name, end - start, most))
        return blocks

    def _samples(self, field: str, start: float, end: float) -> tuple[FloatArray, Column]:
        parts: list[tuple[FloatArray, FloatArray]] = []
        for span, entry in self._files(field):
            if span.start < end and span.end >= start:
                table = self._cache.get(entry)
                if table is not None:
                    rows = table.rows(start, end)
                    parts.append((table.times[rows], table.values[rows]))
        if len(parts) <= 1:
            return parts[0] if parts else (np.empty(0), np.empty(0))
        times = np.concatenate([times for times, _ in parts])
        values = np.concatenate([values for _, values in parts])
        if (times[1:] < times[:-1]).any():  # files that overlap
            order = np.argsort(times, kind="stable")
            return times[order], values[order]
        return times, values

    def _last_time(self, field: str) -> float | None:
        for _, entry in sorted(
            self._files(field), key=lambda file: (file[0].end, file[0].start), reverse=True
        ):
            table = self._cache.get(entry)
            if table is not None and table.times.size:
                return float(table.times[-1])
        return None

    def _files(self, field: str) -> list[tuple[FileSpan, Entry]]:
        """Return the files of a field by time."""
        entries = self._directory.entries()
        known, catalogue = self._catalogue
        if known is not entries:
            catalogue = self._sorted(entries)
            self._catalogue = (entries, catalogue)
        return catalogue.get(field, [])

    def _sorted(self, entries: Sequence[Entry]) -> dict[str, list[tuple[FileSpan, Entry]]]:
        catalogue: dict[str, list[tuple[FileSpan, Entry]]] = {}
        for entry in entries:
            span = self._span(entry.path.name)
            if span is not None:
                catalogue.setdefault(span.field, []).append((span, entry))
        for files in catalogue.values():
            files.sort(key=lambda file: (file[0].start, file[0].end))
        return catalogue


def thinned_blocks(
    times: FloatArray,
    columns: Mapping[str, Column],
    timeline: str,
    span_s: float,
    max_points: int | None,
    finalized_until: float | None = None,
) -> list[Block]:
    """Make blocks of samples that share a timeline, with at most ``max_points`` a field.

    Args:
        times: Unix seconds, ascending, shape (n,).
        columns: Values by field, each of shape (n,).
        timeline: Name of the timeline all the fields follow.
        span_s: Length of the window that was asked for, in seconds.
        max_points: None for every sample.
        finalized_until: Until when samples that are not thinned are final; None for the time of
            the last of them.
    """
    if not times.size:
        return []
    timelines = dict.fromkeys(columns, timeline)
    if max_points == 1:
        times, columns = times[-1:], {name: values[-1:] for name, values in columns.items()}
    if max_points is None or times.size <= max_points:
        final = float(times[-1]) if finalized_until is None else finalized_until
        return [Block(times, columns, timelines, final)]
    buckets = Buckets.cut(times, width_for(times, max_points, span_s))
    blocks = []
    for name, values in columns.items():
        kept = buckets.keep(values)
        blocks.append(
            Block(times[kept], {name: values[kept]}, {name: timeline}, buckets.finalized_until)
        )
    return blocks
