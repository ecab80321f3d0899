"""What Grafana's data sources SimpleJson and simPod JSON ask (spec/simplejson-api.md, 2 and 3)."""

from collections.abc import Iterable
from typing import Any

from flask import Flask, Response
from twisted.logger import Logger

from sisock.errors import BadRequest
from sisock.http.answering import answer_query, find_marks
from sisock.http.answers import query_answer
from sisock.http.facade import MonitorFacade, Unavailable
from sisock.http.queries import parse_query, parse_range, search_text
from sisock.http.respond import body, json_response

__all__ = ["add_grafana"]

log = Logger()

MAX_SEARCH_NAMES = 2000

_TYPES = [{"label": "time series", "value": "timeserie"}, {"label": "table", "value": "table"}]
_PAYLOADS = [
    {"name": "type", "label": "Answer", "type": "select", "options": _TYPES},
    {"name": "alias", "label": "Alias", "type": "input", "placeholder": "name in the legend"},
]


def add_grafana(app: Flask, monitor: MonitorFacade) -> None:
    """Add the routes of both data sources; they do not collide."""
    _add_lists(app, monitor)
    _add_simpod_lists(app, monitor)

    @app.route("/query", methods=["POST"])
    def query() -> Response:
        answers = answer_query(monitor, parse_query(body()))
        for series in (found for answer in answers for found in answer.series if found.failed):
            log.debug("no data of {name}: {why}", name=series.name, why=series.error)
        return json_response(query_answer(answers))

    @app.route("/annotations", methods=["GET", "POST"])
    def annotations() -> Response:
        asked = body()
        if "range" not in asked:
            return json_response([])
        start, end = parse_range(asked)
        annotation = asked.get("annotation")
        query = annotation.get("query") if isinstance(annotation, dict) else None
        what = query.strip().removeprefix("#sisock") if isinstance(query, str) else ""
        rows = find_marks(monitor, start, end, what)
        # The plugin does not know "no end": it marks a span down to 1970.
        marks = ({k: v for k, v in row.items() if v is not None} for row in rows)
        return json_response([{"annotation": annotation, **mark} for mark in marks])


def _add_lists(app: Flask, monitor: MonitorFacade) -> None:
    @app.route("/search", methods=["GET", "POST"])
    def search() -> Response:
        return json_response(_found(monitor, search_text(body())))

    @app.route("/tag-keys", methods=["GET", "POST"])
    def tag_keys() -> Response:
        return json_response([{"type": "string", "text": key} for key in ("node", "field")])

    @app.route("/tag-values", methods=["GET", "POST"])
    def tag_values() -> Response:
        # SimpleJson waits for ever when this call fails: whatever happens, it gets a list.
        try:
            key = body().get("key")
            entries = monitor.fields()
        except (BadRequest, Unavailable):
            return json_response([])
        names = {"node": (e.node for e in entries), "field": (e.name for e in entries)}
        return json_response([{"text": text} for text in dict.fromkeys(names.get(str(key), ()))])


def _add_simpod_lists(app: Flask, monitor: MonitorFacade) -> None:
    @app.route("/metrics", methods=["POST"])
    def metrics() -> Response:
        chosen = body().get("metric")
        names = [entry.name for entry in monitor.fields()][:MAX_SEARCH_NAMES]
        if isinstance(chosen, str) and chosen and chosen not in names:
            names.append(chosen)  # the editor empties its box when the list lacks what it holds
        return json_response(
            [{"label": name, "value": name, "payloads": _PAYLOADS} for name in names]
        )

    @app.route("/metric-payload-options", methods=["POST"])
    def payload_options() -> Response:
        return json_response(_TYPES if body().get("name") == "type" else [])

    @app.route("/variable", methods=["POST"])
    def variable() -> Response:
        asked = body()
        payload = asked.get("payload", asked)
        if not isinstance(payload, dict):
            raise BadRequest('payload must be an object such as {"target": "fields"}')
        return json_response(_options(monitor, payload))


def _found(monitor: MonitorFacade, text: str) -> list[str]:
    """Return the names that contain every word of ``text``; at the end, how many are left out."""
    words = text.lower().split()
    names = (entry.name for entry in monitor.fields())
    found = [name for name in names if all(word in name.lower() for word in words)]
    more = len(found) - MAX_SEARCH_NAMES
    if more > 0:
        # No field is called so: chosen all the same, it is a target without data.
        found[MAX_SEARCH_NAMES:] = [f"({more} more: type a part of the name)"]
    return found


def _options(monitor: MonitorFacade, payload: dict[str, Any]) -> list[dict[str, str]]:
    """Return the options of a variable: nodes, fields, fields of a node, or what is searched."""
    node = payload.get("node")
    if node is not None:
        entries = [entry for entry in monitor.fields() if entry.node == node]
        return [{"__text": entry.field, "__value": entry.name} for entry in entries]
    text = search_text(payload)
    if text == "nodes":
        return _same(dict.fromkeys(entry.node for entry in monitor.fields()))
    return _same(_found(monitor, "" if text == "fields" else text)[:MAX_SEARCH_NAMES])


def _same(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"__text": name, "__value": name} for name in names]
