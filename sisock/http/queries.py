"""Read what Grafana asks, and say plainly what is wrong (spec/simplejson-api.md, 2, 3, 6)."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import orjson

from sisock.errors import BadRequest

__all__ = [
    "DEFAULT_MAX_POINTS",
    "MAX_TARGETS",
    "MOST_POINTS",
    "TABLES",
    "Query",
    "Target",
    "parse_body",
    "parse_query",
    "parse_range",
    "parse_rows",
    "parse_window",
    "search_text",
    "single",
]

DEFAULT_MAX_POINTS = 1000
MOST_POINTS = 200_000  # what a data node gives in one answer
MAX_TARGETS = 500
TABLES = ("annotations", "nodes")
"""Targets that stand for a table of the bridge's own, and for no field."""

_PLACEHOLDER = "select metric"  # what SimpleJson's editor shows before anything is chosen
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ALL_HISTORY = 1.0  # zero would mean "now" on the wire
_SERIES_TYPES = ("timeserie", "timeseries", "table")
_INTERVAL = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhdwy])")
_UNIT_S = {"ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31_536_000}
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{0,9})?")
_NO_LIMIT = 1e12


@attrs.frozen
class Target:
    """One line of a query.

    Attributes:
        text: The name or pattern, as it came.
        ref_id: Grafana's letter for it; None if there was none.
        table: Whether a table is wanted instead of a time series.
        alias: Name to show instead of the field's; None for the field's.
        own_table: The table of `TABLES` that is asked for; None if fields are.
    """

    text: str
    ref_id: str | None = None
    table: bool = False
    alias: str | None = None
    own_table: str | None = None


@attrs.frozen
class Query:
    """A checked ``/query``.

    Attributes:
        start: Unix time in seconds, included.
        end: Unix time in seconds, excluded; one millisecond after the last one asked for.
        max_points: Most samples a series may have.
        stride_s: Distance of samples Grafana suggests, in seconds; None if it did not.
        targets: In the order they were asked for.
    """

    start: float
    end: float
    max_points: int
    stride_s: float | None
    targets: tuple[Target, ...]


def parse_body(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a request's body; an empty body counts as ``{}``.

    Raises:
        BadRequest: it is not JSON, or no object.
    """
    if not body.strip():
        return {}
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(
            f"the body is not JSON: {error.msg} (line {error.lineno}, column {error.colno}, "
            f"character {error.pos})"
        ) from error
    if not isinstance(parsed, dict):
        raise BadRequest(f"the body must be a JSON object, not {_show(parsed)}")
    return parsed


def search_text(body: Mapping[str, Any]) -> str:
    """Return what a user typed into the metric box; empty for everything."""
    text = body.get("target", "")
    if text is None or text == _PLACEHOLDER:
        return ""
    if not isinstance(text, str):
        raise BadRequest(f"target must be a string, not {_show(text)}")
    return text.strip()


def parse_query(body: Mapping[str, Any]) -> Query:
    """Check a ``/query``; keys nobody knows are ignored.

    Raises:
        BadRequest: a key is missing or its value cannot be used; the message names it.
    """
    first, last = parse_range(body)
    return Query(
        start=first,
        end=last + 1e-3,
        # Grafana 5 sends what was typed into the panel's settings: text.
        max_points=_max_points(_number(body.get("maxDataPoints")), "maxDataPoints"),
        stride_s=_stride(body),
        targets=_targets(body.get("targets")),
    )


def parse_rows(args: Mapping[str, Sequence[str]]) -> Query:
    """Check the parameters of ``/api/v1/rows``: what a ``/query`` has, under shorter names.

    Args:
        args: ``target`` (once or more), ``from``, ``to``, and perhaps ``interval_ms`` and
            ``max_points``; others are ignored.

    Raises:
        BadRequest: a parameter is missing or its value cannot be used; the message names it.
    """
    first, last = parse_window(args)
    targets = _targets([{"target": text} for text in args.get("target", ())])
    if not targets:
        raise BadRequest("target is missing: expected target=NODE::field, once or more")
    return Query(
        start=first,
        end=last + 1e-3,
        max_points=_max_points(_number(single(args, "max_points")), "max_points"),
        stride_s=_milliseconds(_number(single(args, "interval_ms")), "interval_ms"),
        targets=targets,
    )


def parse_window(args: Mapping[str, Sequence[str]]) -> tuple[float, float]:
    """Return the parameters ``from`` and ``to`` in Unix seconds.

    Raises:
        BadRequest: one is missing or cannot be used.
    """
    return _range({key: _number(single(args, key)) for key in ("from", "to")}, "")


def single(args: Mapping[str, Sequence[str]], key: str) -> str | None:
    """Return the value of a parameter that counts once; None where it is missing or empty."""
    return (args.get(key) or [""])[-1].strip() or None


def _number(raw: object) -> object:
    """Turn the text of a number into that number; leave everything else as it is."""
    return float(raw) if isinstance(raw, str) and _DECIMAL.fullmatch(raw) else raw


def parse_range(body: Mapping[str, Any]) -> tuple[float, float]:
    """Return the first and the last moment of a body's ``range``, in Unix seconds.

    Raises:
        BadRequest: it is missing or cannot be used.
    """
    value = body.get("range")
    if value is None:
        raise BadRequest('range is missing: expected {"from": ISO 8601 time, "to": ISO 8601 time}')
    if not isinstance(value, dict):
        raise BadRequest(f"range must be an object with from and to, not {_show(value)}")
    return _range(value, "range.")


def _range(value: Mapping[str, Any], prefix: str) -> tuple[float, float]:
    start, end = (_instant(value.get(key), prefix + key) for key in ("from", "to"))
    if start > end:
        raise BadRequest(
            f"{prefix}from ({_show(value['from'])}) is after {prefix}to ({_show(value['to'])})"
        )
    first, last = ((moment - _EPOCH) / _MICROSECOND / 1e6 for moment in (start, end))
    return max(first, _ALL_HISTORY), max(last, _ALL_HISTORY)


def _instant(raw: object, name: str) -> datetime:
    if raw is None:
        raise BadRequest(
            f"{name} is missing: expected an ISO 8601 time, or milliseconds since 1970"
        )
    moment = None
    if isinstance(raw, str):
        try:
            moment = datetime.fromisoformat(raw)
        except ValueError:
            moment = None
    elif isinstance(raw, int | float) and not isinstance(raw, bool) and abs(raw) < 1e15:
        try:
            moment = _EPOCH + timedelta(milliseconds=raw)
        except OverflowError:
            moment = None
    if moment is None:
        raise BadRequest(
            f"{name} is {_show(raw)}: expected an ISO 8601 time such as "
            "2019-01-10T15:00:00.000Z, or milliseconds since 1970"
        )
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not _EPOCH <= moment <= _LATEST:
        raise BadRequest(f"{name} is {_show(raw)}: allowed are the years 1970 to 2199")
    return moment


def _max_points(raw: object, name: str) -> int:
    if raw is None:
        return DEFAULT_MAX_POINTS
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 1 <= raw < _NO_LIMIT:
        raise BadRequest(f"{name} is {_show(raw)}: expected a number, 1 or more")
    return min(int(raw), MOST_POINTS)


def _stride(body: Mapping[str, Any]) -> float | None:
    raw = body.get("intervalMs")
    if raw is not None:
        return _milliseconds(raw, "intervalMs")
    text = body.get("interval")
    if text is None:
        return None
    found = _INTERVAL.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise BadRequest(
            f"interval is {_show(text)}: expected a number with one of the units "
            f"{', '.join(_UNIT_S)}, such as 20s"
        )
    return float(found[1]) * _UNIT_S[found[2]] or None


def _milliseconds(raw: object, name: str) -> float | None:
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 <= raw < _NO_LIMIT:
        raise BadRequest(f"{name} is {_show(raw)}: expected a number of milliseconds")
    return raw / 1e3 or None


def _targets(raw: object) -> tuple[Target, ...]:
    if not isinstance(raw, list):
        found = "missing" if raw is None else _show(raw)
        raise BadRequest(f'targets is {found}: expected a list of {{"target": "NODE::field"}}')
    if len(raw) > MAX_TARGETS:
        raise BadRequest(f"targets has {len(raw)} entries: allowed are {MAX_TARGETS}")
    targets = (_target(entry, f"targets[{index}]") for index, entry in enumerate(raw))
    return tuple(target for target in targets if target is not None)


def _target(entry: object, where: str) -> Target | None:
    """Check one target; None for one that shall not be answered."""
    if not isinstance(entry, dict):
        raise BadRequest(f"{where} must be an object with a target, not {_show(entry)}")
    text = entry.get("target")
    if entry.get("hide") is True or text in (None, "", _PLACEHOLDER):
        return None
    if not isinstance(text, str):
        raise BadRequest(f"{where}.target is {_show(text)}: expected a string NODE::field")
    given = entry.get("payload")
    payload = given if isinstance(given, dict) else {}
    kind = entry.get("type") or payload.get("type")
    if kind is not None and kind not in _SERIES_TYPES:
        raise BadRequest(f"{where}.type is {_show(kind)}: allowed are timeserie and table")
    ref_id, alias = entry.get("refId"), payload.get("alias")
    own_table = "annotations" if payload.get("annotations") is True else text
    return Target(
        text,
        ref_id if isinstance(ref_id, str) else None,
        kind == "table",
        alias if isinstance(alias, str) and alias else None,
        own_table if own_table in TABLES else None,
    )


def _show(value: object) -> str:
    """Write a value as JSON, cut to a length that a panel can show."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
