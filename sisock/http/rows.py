"""Samples as flat rows, for Grafana's Infinity data source and for scripts."""

import csv
import io
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from sisock.http.answers import Series, milliseconds, plottable

__all__ = ["COLUMNS", "long_rows", "to_csv", "wide_rows"]

COLUMNS = ("time", "name", "value")


def long_rows(series: Iterable[Series]) -> list[dict[str, Any]]:
    """Return one row a sample: ``time`` (Unix milliseconds), ``name`` and ``value``.

    Rows are in the order of their times over all series: what turns long rows into one column a
    series (Grafana's plugin library) refuses any other order.
    """
    unique = _unique(series)
    times = [time for found in unique for time in milliseconds(found.times).tolist()]
    names = [found.name for found in unique for _ in range(found.times.size)]
    values = [value for found in unique for value in plottable(found.values).tolist()]
    order = np.argsort(np.array(times), kind="stable").tolist()
    return [{"time": times[i], "name": names[i], "value": values[i]} for i in order]


def wide_rows(series: Iterable[Series]) -> list[dict[str, Any]]:
    """Return one row a time, with a key for each series: null where it has no sample then."""
    unique = _unique(series)
    empty = dict.fromkeys(found.name for found in unique)
    rows: dict[float, dict[str, Any]] = {}
    for found in unique:
        pairs = zip(
            milliseconds(found.times).tolist(), plottable(found.values).tolist(), strict=True
        )
        for time, value in pairs:
            rows.setdefault(time, {"time": time, **empty})[found.name] = value
    return [rows[time] for time in sorted(rows)]


def to_csv(series: Iterable[Series]) -> str:
    """Return `long_rows` as CSV with a heading; no value is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in long_rows(series):
        value = row["value"]
        if isinstance(value, float) and not math.isfinite(value):
            row["value"] = None
        writer.writerow(row)
    return text.getvalue()


def _unique(series: Iterable[Series]) -> list[Series]:
    """Drop repetitions: two targets may stand for one field."""
    return list({found.name: found for found in series}.values())
