"""Water vapour from the UCSC radiometer (``sisock-radiometer``).

Daily files ``PWV/PWV_UCSC_<year>-<day of year>.txt`` (spec/sisock-protocol.md, 7.7). Of 2018, days
up to 201 have year and day the other way round.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ocs.connection import Connection
from sisock.nodes.archive import ArchiveField, FileSeries, FileSpan
from sisock.nodes.files import Directory, TableCache
from sisock.nodes.program import NodeService, make_parser, point_limit, run_node
from sisock.nodes.tables import Table, complete_lines, make_table, parse_pairs

__all__ = ["DESCRIPTION", "FIELDS", "NAME", "file_span", "main", "make_series", "parse_file"]

NAME = "ucsc_radiometer"
DESCRIPTION = "PWV readings from the UCSC radiometer."
FIELD = "pwv"
FIELDS: Mapping[str, ArchiveField] = {
    FIELD: ArchiveField("Precipitable water vapour", "mm", interval_s=60.48)
}

DAY_S = 86400.0
_FILE = re.compile(r"PWV_UCSC_(?:(\d{4})-(\d{3})|(\d{3})-(\d{4}))\.txt")
_HALF_A_YEAR = 183


def _date(name: str) -> tuple[int, int] | None:
    """Return year and day of year of a file; None if it is none of ours."""
    found = _FILE.fullmatch(name)
    if found is None:
        return None
    year, day = int(found[1] or found[4]), int(found[2] or found[3])
    return (year, day) if year >= 1970 and 1 <= day <= 366 else None


def _new_year(year: int) -> float:
    """Return the Unix time at which a year begins in UTC."""
    return datetime(year, 1, 1, tzinfo=UTC).timestamp()


def file_span(name: str) -> FileSpan | None:
    """Tell which days a file holds; None if it is no data file."""
    date = _date(name)
    if date is None:
        return None
    noon = _new_year(date[0]) + (date[1] - 0.5) * DAY_S
    # The first and last rows of a day may lie beyond midnight: a day to spare on both sides.
    return FileSpan(FIELD, noon - 1.5 * DAY_S, noon + 1.5 * DAY_S)


def parse_file(name: str, data: bytes) -> Table:
    """Read a daily file: a header line, then rows of day of year (1.0: New Year) and millimetres.

    Raises:
        ValueError: the name holds no date.
    """
    date = _date(name)
    if date is None:
        raise ValueError("its name holds no date")
    year, day_of_file = date
    lines = complete_lines(data)
    days, values, refused = parse_pairs(lines[lines.find(b"\n") + 1 :])
    measured = ~np.isnan(values)
    days, values = days[measured], values[measured]
    times = _new_year(year) + (days - 1.0) * DAY_S
    # A row just across New Year counts in the year on its own side of it.
    before, after = days - day_of_file > _HALF_A_YEAR, day_of_file - days > _HALF_A_YEAR
    times[before] += _new_year(year - 1) - _new_year(year)
    times[after] += _new_year(year + 1) - _new_year(year)
    return make_table(times, values, refused=refused)


def make_series(data_dir: Path, max_points: int | None = None) -> FileSeries:
    """Return what the node serves.

    Args:
        data_dir: The directory in which ``PWV`` lies.
        max_points: Most samples in one answer.
    """
    directory = Directory(data_dir / "PWV", ".txt")
    return FileSeries(directory, FIELDS, file_span, TableCache(parse_file), max_points)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node (``sisock-radiometer``)."""
    program = "sisock-radiometer"
    args = make_parser(
        program,
        "Serve the UCSC radiometer's files to the live monitor.",
        data_dir="/data",
        data_dir_help="directory in which the radiometer's directory 'PWV' lies",
        max_points=True,
    ).parse_args(argv)

    def make_service(connection: Connection, reactor: Any) -> NodeService:
        series = make_series(Path(args.data_dir), point_limit(args.max_points))
        return NodeService(connection, reactor, NAME, DESCRIPTION, series)

    return run_node(program, args, make_service)


if __name__ == "__main__":
    raise SystemExit(main())
