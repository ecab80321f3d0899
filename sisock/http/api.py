"""What the live page, scripts and Grafana's Infinity data source ask (``/api/v1``).

See spec/simplejson-api.md, section 6, and docs/grafana.md.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask, Response

from sisock.errors import BadRequest
from sisock.http.answering import answer_query, find_marks
from sisock.http.answers import Series
from sisock.http.directory import FieldEntry, NodeView
from sisock.http.facade import MonitorFacade, Unavailable
from sisock.http.gaps import with_breaks
from sisock.http.queries import parse_rows, parse_window, single
from sisock.http.respond import json_response, parameters, router_state
from sisock.http.rows import long_rows, to_csv, wide_rows
from sisock.http.targets import select

__all__ = ["add_api"]

FORMATS = ("long", "wide", "csv")
GAPS = ("line", "null")
MAX_ROWS = 500_000  # some 200 MB on their way
_TROUBLE_CHARS = 1000


def add_api(app: Flask, monitor: MonitorFacade) -> None:
    """Add the routes below ``/api/v1``."""
    _add_state(app, monitor)

    @app.route("/api/v1/fields", methods=["GET"])
    def fields() -> Response:
        entries = monitor.fields()
        for key, name_of in (("node", _node_name), ("field", _field_name)):
            wanted = single(parameters(), key)
            if wanted is not None:
                names = set(select(wanted, dict.fromkeys(map(name_of, entries))))
                entries = [entry for entry in entries if name_of(entry) in names]
        return json_response([_field(entry) for entry in entries])

    @app.route("/api/v1/rows", methods=["GET"])
    def rows() -> Response:
        args = parameters()
        shape = _one_of(args, "format", FORMATS)
        broken = _one_of(args, "gaps", GAPS) == "null"
        query = parse_rows(args)
        answers = answer_query(monitor, query)
        series = [found for answer in answers for found in answer.series]
        count = sum(found.times.size for found in series)
        if count > MAX_ROWS:
            raise BadRequest(
                f"the answer would have {count} rows: allowed are {MAX_ROWS}; ask for less with "
                "max_points, or for fewer fields or a shorter time at once"
            )
        if broken:
            span_s = query.end - query.start
            series = [with_breaks(found, span_s, query.max_points) for found in series]
        if shape == "csv":
            answer = Response(to_csv(series), content_type="text/csv; charset=utf-8")
        else:
            answer = json_response(wide_rows(series) if shape == "wide" else long_rows(series))
        trouble = _trouble(series)
        if trouble:
            answer.headers["X-Sisock-Trouble"] = trouble
        return answer

    @app.route("/api/v1/annotations", methods=["GET"])
    def marks() -> Response:
        args = parameters()
        start, end = parse_window(args)
        what = single(args, "target") or single(args, "node") or ""
        return json_response(find_marks(monitor, start, end, what))


def _one_of(args: Mapping[str, Sequence[str]], key: str, choices: Sequence[str]) -> str:
    """Return a parameter with a few possible values; the first of them where it is missing."""
    value = single(args, key) or choices[0]
    if value not in choices:
        raise BadRequest(f"{key} is {value[:80]!r}: allowed are {', '.join(choices)}")
    return value


def _add_state(app: Flask, monitor: MonitorFacade) -> None:
    @app.route("/api/v1/status", methods=["GET"])
    def status() -> Response:
        nodes = [_node(node) for node in monitor.nodes()]
        router = router_state(monitor.router())
        return json_response({"router": router, "nodes": nodes, "now": monitor.now()})

    @app.route("/api/v1/latest", methods=["GET"])
    def latest() -> Response:
        router = monitor.router()
        if router.state != "connected":
            raise Unavailable(f"not connected to the router: {router.reason}")
        return json_response(
            [
                {
                    "name": series.name,
                    "time": float(series.times[-1]),
                    "value": series.values[-1:].tolist()[0],
                }
                for series in monitor.latest()
            ]
        )


def _node_name(entry: FieldEntry) -> str:
    return entry.node


def _field_name(entry: FieldEntry) -> str:
    return entry.field


def _trouble(series: list[Series]) -> str:
    """Say in a header what rows cannot say: why a target has none."""
    text = "; ".join(dict.fromkeys(found.error for found in series if found.error))
    ascii_text = text.encode("ascii", "backslashreplace").decode()
    return "".join(char if char.isprintable() else " " for char in ascii_text)[:_TROUBLE_CHARS]


def _field(entry: FieldEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "node": entry.node,
        "field": entry.field,
        "units": entry.info.units,
        "description": entry.info.description,
        "type": entry.info.type,
        "last_time": entry.last_time,
    }


def _node(node: NodeView) -> dict[str, Any]:
    return {
        "name": node.name,
        "description": node.description,
        "connected": node.connected,
        "since": node.since,
        "reason": node.reason,
        "last_time": node.last_time,
        "fields": len(node.listing.fields) if node.listing else 0,
    }
