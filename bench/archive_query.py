"""Measure queries of a year of weather: one row a minute, seven fields, a file a day for each.

Compared with reading the files at every query and going through them row by row, which is how
upstream's nodes answer.

Run: python bench/archive_query.py
Exit status 1 when a limit is broken.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from sisock.node import answer_data
from sisock.nodes.apex_weather import FIELDS, make_series

T0 = 1_546_300_800
DAYS, DAY_S = 365, 86_400
PANEL_POINTS = 1000
MOST_YEAR_MS = 100.0
MOST_MONTH_MS = 50.0
MOST_FIRST_MS = 2000.0
LEAST_GAIN = 10.0


def write_year(directory: Path) -> None:
    """Write the files."""
    directory.mkdir()
    random = np.random.default_rng(1)
    for day in range(DAYS):
        start = T0 + day * DAY_S
        times = [f"{start + 60 * minute}.0" for minute in range(1440)]
        for field in FIELDS:
            values = random.normal(10, 1, len(times))
            rows = (f"{t} {value:.4f}\n" for t, value in zip(times, values, strict=True))
            (directory / f"apex_{field}_{start}_{start + DAY_S}.dat").write_text("".join(rows))


def row_by_row(directory: Path, field: str) -> list[tuple[float, float]]:
    """Read a field the simple way, and keep every k-th row."""
    rows = []
    for path in sorted(directory.glob(f"*{field}*")):
        with path.open() as file:
            rows += [(float(t), float(value)) for t, value in (line.split() for line in file)]
    return rows[:: max(len(rows) // PANEL_POINTS, 1)]


def took_ms(func: Callable[[], Any], count: int) -> float:
    """Return the median time of a call, in milliseconds."""
    durations = []
    for _ in range(count):
        begin = time.perf_counter()
        func()
        durations.append(1e3 * (time.perf_counter() - begin))
    return median(durations)


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        targets = Path(scratch) / "targets"
        write_year(targets)
        series = make_series(Path(scratch))
        end = T0 + DAYS * DAY_S

        def query(days: int, fields: list[str]) -> Any:
            start = end - days * DAY_S
            return answer_data(series, fields, start, end, max_points=PANEL_POINTS)

        first = took_ms(lambda: query(DAYS, ["humidity"]), 1)
        year = took_ms(lambda: query(DAYS, ["humidity"]), 11)
        all_year = took_ms(lambda: query(DAYS, list(FIELDS)), 3)
        month = took_ms(lambda: query(30, list(FIELDS)), 11)
        simple = took_ms(lambda: row_by_row(targets, "humidity"), 3)
    print(f"{DAYS * 1440} rows a field in {DAYS} files, {PANEL_POINTS} points a panel")
    print(f"first query of a year, one field: {first:8.1f} ms")
    print(f"a year, one field, again:         {year:8.1f} ms")
    print(f"a year, all seven fields:         {all_year:8.1f} ms")
    print(f"a month, all seven fields:        {month:8.1f} ms")
    print(f"row by row at every query:        {simple:8.1f} ms, {simple / year:.0f} times as long")
    good = (
        first < MOST_FIRST_MS
        and year < MOST_YEAR_MS
        and month < MOST_MONTH_MS
        and simple / year > LEAST_GAIN
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
