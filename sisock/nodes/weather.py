"""The example archive of APEX weather (``sisock-weather``).

Every file ``<field>.dat`` of one directory is a field (spec/sisock-protocol.md, 7.4). Without a
directory of its own the node serves synthetic data that come with the package.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

import sisock
from ocs.connection import Connection
from sisock.nodes.archive import thinned_blocks
from sisock.nodes.files import Directory, Entry, TableCache
from sisock.nodes.program import NodeService, make_parser, run_node
from sisock.nodes.tables import Table, complete_lines, make_table, parse_pairs
from sisock.series import Block, Column, FieldInfo, FieldList, TimelineInfo

__all__ = [
    "DESCRIPTION",
    "EXAMPLE_DATA",
    "NAME",
    "WeatherArchive",
    "main",
    "make_series",
    "parse_file",
]

NAME = "apex_archive"
DESCRIPTION = "Archived APEX weather."
EXAMPLE_DATA = Path(sisock.__file__).with_name("example_data")

SUFFIX = ".dat"
HEADER_LINES = 3


def parse_file(_name: str, data: bytes) -> Table:
    """Read a file: three comment lines (description, timeline, units), then rows and comments.

    Raises:
        ValueError: the three lines are not there (yet).
    """
    lines = complete_lines(data)
    header: list[str] = []
    for line in lines.split(b"\n", HEADER_LINES)[:HEADER_LINES]:
        if not line.startswith(b"#"):
            raise ValueError(
                "it does not begin with three lines '# description', '# timeline', '# units'"
            )
        header.append(line.lstrip(b"#").strip().decode("utf-8", errors="replace"))
    times, values, refused = parse_pairs(lines)
    return make_table(times, values, tuple(header), refused)


@attrs.frozen(eq=False)
class _Field:
    table: Table
    timeline: str


@attrs.frozen(eq=False)
class _Timeline:
    """Fields whose rows have the very same times."""

    name: str
    declared: str
    fields: list[str]
    table: Table

    @property
    def interval_s(self) -> float | None:
        """Mean distance of samples; a row that repeats the one before, at midnight, is none."""
        times = self.table.times
        steps = int(np.count_nonzero(times[1:] != times[:-1]))
        return float(times[-1] - times[0]) / steps if steps else None


class WeatherArchive:
    """A directory in which every ``*.dat`` file is a field; a `TimeSeries`.

    Fields whose files name the same timeline share it if their rows have the same times. Otherwise
    the first field by name has it, and each other time vector is called
    ``TIMELINE.FIRST_FIELD_THAT_HAS_IT``.

    Args:
        directory: Where the files are.
        cache: Reads the files.
    """

    def __init__(self, directory: Directory, cache: TableCache) -> None:
        self._directory = directory
        self._cache = cache
        # Replaced as a whole, so that any thread reads what belongs together.
        self._catalogue: tuple[tuple[Entry, ...], Mapping[str, _Field], Mapping[str, _Timeline]] = (
            (),
            {},
            {},
        )

    def fields(self, start: float, end: float) -> FieldList:
        """List the fields that have a sample in ``[start, end)``; see `TimeSeries`."""
        fields, timelines = self._read()
        infos: dict[str, FieldInfo] = {}
        listed: dict[str, TimelineInfo] = {}
        for timeline in timelines.values():
            rows = timeline.table.rows(start, end)
            if rows.start == rows.stop:
                continue
            listed[timeline.name] = TimelineInfo(
                tuple(timeline.fields), timeline.interval_s, float(timeline.table.times[-1])
            )
            for name in timeline.fields:
                description, _, units = fields[name].table.header
                infos[name] = FieldInfo(description or None, timeline.name, "number", units or None)
        return FieldList(dict(sorted(infos.items())), listed)

    def data(
        self, fields: Sequence[str], start: float, end: float, max_points: int | None = None
    ) -> list[Block]:
        """Return samples of ``[start, end)``; see `TimeSeries`."""
        known, timelines = self._read()
        wanted: dict[str, dict[str, Table]] = {}
        for name in fields:
            if name in known:
                wanted.setdefault(known[name].timeline, {})[name] = known[name].table
        blocks: list[Block] = []
        for name, tables in wanted.items():
            times = timelines[name].table.times
            rows = timelines[name].table.rows(start, end)
            columns: dict[str, Column] = {
                field: table.values[rows] for field, table in tables.items()
            }
            final = float(times[-1]) if times.size else None
            blocks.extend(
                thinned_blocks(times[rows], columns, name, end - start, max_points, final)
            )
        return blocks

    def _read(self) -> tuple[Mapping[str, _Field], Mapping[str, _Timeline]]:
        entries = self._directory.entries()
        known, fields, timelines = self._catalogue
        if known is not entries:
            fields, timelines = self._sorted(entries)
            self._catalogue = (entries, fields, timelines)
        return fields, timelines

    def _sorted(
        self, entries: Sequence[Entry]
    ) -> tuple[Mapping[str, _Field], Mapping[str, _Timeline]]:
        fields: dict[str, _Field] = {}
        timelines: dict[str, _Timeline] = {}
        for entry in entries:
            table = self._cache.get(entry)
            if table is None:
                continue
            name = entry.path.name.removesuffix(SUFFIX)
            timeline = self._timeline(name, table, timelines)
            timeline.fields.append(name)
            fields[name] = _Field(table, timeline.name)
        return fields, timelines

    def _timeline(self, field: str, table: Table, timelines: dict[str, _Timeline]) -> _Timeline:
        """Return the timeline with these times, a new one if there is none yet."""
        declared = table.header[1] or field
        for timeline in timelines.values():
            if timeline.declared == declared and np.array_equal(timeline.table.times, table.times):
                return timeline
        name = declared
        while name in timelines:
            name = f"{name}.{field}"
        timelines[name] = _Timeline(name, declared, [], table)
        return timelines[name]


def make_series(data_dir: Path = EXAMPLE_DATA) -> WeatherArchive:
    """Return what the node serves: the files ``<field>.dat`` of a directory."""
    return WeatherArchive(Directory(data_dir, SUFFIX), TableCache(parse_file))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node (``sisock-weather``)."""
    program = "sisock-weather"
    args = make_parser(
        program,
        "Serve the example archive of APEX weather to the live monitor.",
        data_dir=str(EXAMPLE_DATA),
        data_dir_help="directory of files <field>.dat",
    ).parse_args(argv)

    def make_service(connection: Connection, reactor: Any) -> NodeService:
        series = make_series(Path(args.data_dir))
        return NodeService(connection, reactor, NAME, DESCRIPTION, series)

    return run_node(program, args, make_service)


if __name__ == "__main__":
    raise SystemExit(main())
