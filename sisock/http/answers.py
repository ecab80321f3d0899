"""Write what Grafana expects (spec/simplejson-api.md, 2.5), as strict JSON."""

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import orjson
from numpy.typing import NDArray

from sisock.http.queries import Target
from sisock.series import Column, FieldType, FloatArray

__all__ = ["NO_SAMPLES", "Series", "TargetAnswer", "milliseconds", "query_answer", "to_json"]

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


@attrs.frozen(eq=False)
class TargetAnswer:
    """What was found for one target of a query."""

    target: Target
    series: tuple[Series, ...]


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
    return [
        _table(answer.target, series) if answer.target.table else _timeserie(answer.target, series)
        for answer in answers
        for series in answer.series
    ]


def _timeserie(target: Target, series: Series) -> dict[str, Any]:
    values = series.values.astype(np.int64) if series.values.dtype == np.bool_ else series.values
    points: NDArray[np.float64] | list[list[Any]]
    if values.dtype == np.float64:
        points = np.column_stack((values, milliseconds(series.times)))
    else:
        pairs = zip(values.tolist(), milliseconds(series.times).tolist(), strict=True)
        points = [[value, time] for value, time in pairs]
    return {"target": series.name, **_common(target, series), "datapoints": points}


def _table(target: Target, series: Series) -> dict[str, Any]:
    times = milliseconds(series.times).tolist()
    return {
        "type": "table",
        **_common(target, series),
        "columns": [
            {"text": "Time", "type": "time"},
            {"text": series.name, "type": _column_type(series.values)},
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
