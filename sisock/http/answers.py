"""Write what Grafana expects (spec/simplejson-api.md, 2.5), as strict JSON."""

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import orjson
from numpy.typing import NDArray

from sisock.http.queries import Target
from sisock.series import Column, FieldType, FloatArray

__all__ = [
    "NO_SAMPLES",
    "Series",
    "Table",
    "TargetAnswer",
    "milliseconds",
    "plottable",
    "query_answer",
    "to_json",
]

NO_SAMPLES: FloatArray = np.empty(0)


@attrs.frozen(eq=False)
class Series:
    """Samples of one field, or the reason why there are none.

    Attributes:
        name: ``NODE::field``.
        times: Unix seconds, ascending, shape (n,).
        values: Shape (n,).
        error: What is wrong, for a person; empty if nothing is.
        failed: Whether the field might have samples that could not be had.
    """

    name: str
    times: FloatArray = attrs.field(default=NO_SAMPLES)
    values: Column = attrs.field(default=NO_SAMPLES)
    error: str = ""
    failed: bool = False


@attrs.frozen
class Table:
    """A table of the bridge's own.

    Attributes:
        columns: Heading and type (``time``, ``number``, ``string``) of each.
        rows: Their cells, times in Unix milliseconds.
    """

    columns: tuple[tuple[str, str], ...]
    rows: list[list[Any]]


@attrs.frozen(eq=False)
class TargetAnswer:
    """What was found for one target of a query: series, or a table of the bridge's own."""

    target: Target
    series: tuple[Series, ...] = ()
    table: Table | None = None


def to_json(value: object) -> bytes:
    """Write strict JSON: NaN and infinities become ``null``."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def milliseconds(times: FloatArray) -> FloatArray:
    """Return Unix milliseconds, exact to the microsecond that WAMP carries."""
    # Apart, the fraction keeps all its digits: times * 1e6 would be rounded before the rint.
    seconds = np.floor(times)
    exact: FloatArray = seconds * 1e3 + np.rint((times - seconds) * 1e6) / 1e3
    return exact


def query_answer(answers: Sequence[TargetAnswer]) -> list[dict[str, Any]]:
    """Return the answer to ``/query``, in the order of its targets."""
    return [part for answer in answers for part in _answer(answer)]


def plottable(values: Column) -> Column:
    """Return values as a plot takes them: true and false as 1 and 0."""
    return values.astype(np.int64) if values.dtype == np.bool_ else values


def _answer(answer: TargetAnswer) -> list[dict[str, Any]]:
    target = answer.target
    if answer.table is not None:
        return [
            {
                "type": "table",
                **({} if target.ref_id is None else {"refId": target.ref_id}),
                "columns": [{"text": text, "type": kind} for text, kind in answer.table.columns],
                "rows": answer.table.rows,
            }
        ]
    alias = target.alias if len(answer.series) == 1 else None
    shape = _table if target.table else _timeserie
    return [shape(target, series, alias or series.name) for series in answer.series]


def _timeserie(target: Target, series: Series, name: str) -> dict[str, Any]:
    values = plottable(series.values)
    points: NDArray[np.float64] | list[list[Any]]
    if values.dtype == np.float64:
        points = np.column_stack((values, milliseconds(series.times)))
    else:
        pairs = zip(values.tolist(), milliseconds(series.times).tolist(), strict=True)
        points = [[value, time] for value, time in pairs]
    return {"target": name, **_common(target, series), "datapoints": points}


def _table(target: Target, series: Series, name: str) -> dict[str, Any]:
    times = milliseconds(series.times).tolist()
    return {
        "type": "table",
        **_common(target, series),
        "columns": [
            {"text": "Time", "type": "time"},
            {"text": name, "type": _column_type(series.values)},
        ],
        "rows": [list(row) for row in zip(times, series.values.tolist(), strict=True)],
    }


def _common(target: Target, series: Series) -> dict[str, Any]:
    common: dict[str, Any] = {}
    if target.ref_id is not None:
        common["refId"] = target.ref_id
    if series.error:
        common["meta"] = {"custom": {"error": series.error}}
    return common


def _column_type(values: Column) -> FieldType | str:
    if values.dtype == np.object_:
        return "string"
    return "boolean" if values.dtype == np.bool_ else "number"
