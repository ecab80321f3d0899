"""The weather at the APEX site, from its live archive (``sisock-apex-weather``).

Files ``targets/<prefix>_<field>_<start>_<end>.dat`` of rows ``time value``
(spec/sisock-protocol.md, 7.6).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ocs.connection import Connection
from sisock.nodes.archive import ArchiveField, FileSeries, FileSpan
from sisock.nodes.files import Directory, TableCache
from sisock.nodes.program import NodeService, make_parser, point_limit, run_node
from sisock.nodes.tables import Table, complete_lines, make_table, parse_pairs

__all__ = ["DESCRIPTION", "FIELDS", "NAME", "file_span", "main", "make_series", "parse_file"]

NAME = "apex_weather"
DESCRIPTION = "Weather station information from APEX."

FIELDS: Mapping[str, ArchiveField] = {
    "humidity": ArchiveField("Relative humidity", "%"),
    "pressure": ArchiveField("Air pressure", "mBar"),
    "radiometer": ArchiveField("Precipitable water vapour", "mm"),
    "dewpoint": ArchiveField("Dew point", "C"),
    "temperature": ArchiveField("Air temperature", "C"),
    "windspeed": ArchiveField("Wind speed", "km/h"),
    "winddirection": ArchiveField("Direction the wind comes from", "deg"),
}

_FILE = re.compile(rf"(?:.*_)?(?P<field>{'|'.join(FIELDS)})_(?P<start>\d+)_(?P<end>\d+)\.dat")


def file_span(name: str) -> FileSpan | None:
    """Tell which field and time span a file holds; None if it is no data file."""
    found = _FILE.fullmatch(name)
    if found is None:
        return None
    # Whole seconds in the name: the last row may lie within the second after.
    return FileSpan(found["field"], float(found["start"]), float(found["end"]) + 1.0)


def parse_file(_name: str, data: bytes) -> Table:
    """Read a data file."""
    times, values, refused = parse_pairs(complete_lines(data))
    return make_table(times, values, refused=refused)


def make_series(data_dir: Path, max_points: int | None = None) -> FileSeries:
    """Return what the node serves.

    Args:
        data_dir: The site's directory, in which ``targets`` lies.
        max_points: Most samples of a field in one answer.
    """
    directory = Directory(data_dir / "targets", ".dat")
    return FileSeries(directory, FIELDS, file_span, TableCache(parse_file), max_points)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node (``sisock-apex-weather``)."""
    program = "sisock-apex-weather"
    args = make_parser(
        program,
        "Serve the APEX weather archive to the live monitor.",
        data_dir="/data",
        data_dir_help="directory in which the archive's directory 'targets' lies",
        max_points=True,
    ).parse_args(argv)

    def make_service(connection: Connection, reactor: Any) -> NodeService:
        series = make_series(Path(args.data_dir), point_limit(args.max_points))
        return NodeService(connection, reactor, NAME, DESCRIPTION, series)

    return run_node(program, args, make_service)


if __name__ == "__main__":
    raise SystemExit(main())
