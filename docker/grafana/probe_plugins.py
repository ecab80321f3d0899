"""What Grafana's data sources Infinity and SimpleJson send, and how they read the answers."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

__all__ = ["PLUGINS", "Bridge", "Infinity", "ProbeError", "SimpleJson", "Span", "interpolate"]

_TIMEOUT_S = 30  # of Grafana's proxy
_PIXELS = 1000
_VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$(\w+)|\[\[(\w+)\]\]")


class ProbeError(Exception):
    """Something that Grafana would show in red; the message says what."""


@dataclass(frozen=True)
class Span:
    """A dashboard's range in milliseconds, and the width it is drawn in."""

    first: int
    last: int

    def interval_ms(self, points: int) -> int:
        """Return the step Grafana suggests for a panel."""
        return max((self.last - self.first) // points, 1)


class Bridge:
    """Sends requests as a data source does.

    Args:
        url: Where the bridge is.
        token: Sent as bearer token; None for none.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Accept": "application/json, text/plain, */*"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, params: Sequence[tuple[str, str]] = ()) -> Any:
        """Ask with GET; the parameters are encoded as Go does it, in the order of their names."""
        query = urllib.parse.urlencode(sorted(params, key=lambda pair: pair[0]))
        return self._ask(f"{path}?{query}" if query else path, None)

    def post(self, path: str, body: object) -> Any:
        """Ask with POST and a JSON body."""
        return self._ask(path, json.dumps(body).encode())

    def _ask(self, path: str, body: bytes | None) -> Any:
        headers = {**self._headers, "Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, body, headers)  # noqa: S310 - ours
        method = request.get_method()
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                status, kind, text = answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as error:
            with error:
                words = error.read(500).decode(errors="replace").strip()
            raise ProbeError(f"{method} {path}: status {error.code}: {words}") from None
        except OSError as error:
            raise ProbeError(f"{method} {path}: no answer ({error})") from None
        if status != 200 or not str(kind).startswith("application/json"):
            raise ProbeError(f"{method} {path}: status {status}, {kind}: expected 200 and JSON")
        try:
            return json.loads(text, parse_constant=_no_constant)
        except ValueError as error:
            raise ProbeError(f"{method} {path}: the answer is not JSON ({error})") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def interpolate(text: str, values: Mapping[str, str | Sequence[str]], style: str) -> str:
    """Put variables in their places as Grafana does, in format ``glob`` or ``regex``."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2] or match[3]
        if name not in values:
            raise ProbeError(f"{text!r}: there is no variable called {name}")
        found = values[name]
        several = [found] if isinstance(found, str) else list(found)
        if style == "regex":
            several = [re.sub(r"([\\^$*+?.()|\[\]{}/])", r"\\\1", each) for each in several]
            return several[0] if len(several) == 1 else f"({'|'.join(several)})"
        return several[0] if len(several) == 1 else "{" + ",".join(several) + "}"

    return _VARIABLE.sub(value, text)


class Infinity:
    """The Infinity data source: GET with parameters, rows by the columns that are given."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def test(self) -> None:
        """Ask whether the bridge is well (the plugin itself asks nothing)."""
        self._bridge.get("/healthz")

    def options(self, variable: Mapping[str, Any]) -> list[str]:
        """Return the values of a variable."""
        query = variable["query"]["infinityQuery"]
        return [str(row[0]) for row in self._rows(query, {})]

    def values(self, panel: Mapping[str, Any], values: Mapping[str, str], span: Span) -> int:
        """Ask for a panel's data and return the number of values in it."""
        known = _times(values, span, panel.get("maxDataPoints") or _PIXELS)
        return sum(self._count(target, known) for target in panel["targets"])

    def annotations(
        self, annotation: Mapping[str, Any], values: Mapping[str, str], span: Span
    ) -> None:
        """Ask for the marks of a dashboard."""
        self._rows(annotation["target"], _times(values, span, _PIXELS))

    def _count(self, target: Mapping[str, Any], known: Mapping[str, str]) -> int:
        rows = self._rows(target, known)
        kinds = [column["type"] for column in target["columns"]]
        if target["format"] == "timeseries":
            at = kinds.index("timestamp_epoch")
            moments = [row[at] for row in rows]
            if any(later < earlier for earlier, later in pairwise(moments)):
                raise ProbeError(f"{target['url']}: times are not ascending, Grafana wants them so")
        values = [at for at, kind in enumerate(kinds) if kind in ("number", "boolean")]
        return sum(row[at] is not None for row in rows for at in values)

    def _rows(self, query: Mapping[str, Any], known: Mapping[str, str]) -> list[list[Any]]:
        options = query["url_options"]
        if options["method"] != "GET" or query["source"] != "url" or query["parser"] != "backend":
            raise ProbeError("a query that this probe does not know: expected GET, url, backend")
        path = interpolate(query["url"], known, "glob")
        params = [(p["key"], interpolate(p["value"], known, "glob")) for p in options["params"]]
        answer = self._bridge.get(path, params)
        for key in filter(None, query["root_selector"].split(".")):
            answer = answer.get(key) if isinstance(answer, dict) else None
        if not isinstance(answer, list):
            raise ProbeError(f"GET {path}: no list at root selector {query['root_selector']!r}")
        return [[_cell(row, column, path) for column in query["columns"]] for row in answer]


def _cell(row: Mapping[str, Any], column: Mapping[str, str], path: str) -> Any:
    selector, kind = column["selector"], column["type"]
    if selector not in row:
        raise ProbeError(f"GET {path}: a row without {selector}")
    value = row[selector]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "number": number,
        "timestamp_epoch": number,
        "timestamp_epoch_s": number,
        "boolean": isinstance(value, bool),
        "string": isinstance(value, str),
    }
    if kind not in fits:
        raise ProbeError(f"column {selector}: the data source has no type {kind}")
    if value is not None and not fits[kind]:
        raise ProbeError(f"GET {path}: {selector} is {value!r}, which is no {kind}")
    return value


class SimpleJson:
    """The SimpleJson data source: POST /search, /query and /annotations."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def test(self) -> None:
        """Do what "Save & Test" does."""
        self._bridge.get("/")

    def options(self, variable: Mapping[str, Any]) -> list[str]:
        """Return the values of a variable, after its regular expression."""
        names = self._bridge.post("/search", {"target": variable["query"]})
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ProbeError("POST /search: expected a list of names")
        pattern = str(variable["regex"]).strip("/")
        found = [match[1] for name in names if (match := re.search(pattern, name))]
        return list(dict.fromkeys(found))

    def values(self, panel: Mapping[str, Any], values: Mapping[str, str], span: Span) -> int:
        """Ask for a panel's data and return the number of values in it."""
        points = panel.get("maxDataPoints") or _PIXELS
        targets = [
            {
                "target": interpolate(target["target"], values, "regex"),
                "refId": target["refId"],
                "type": target["type"],
            }
            for target in panel["targets"]
        ]
        interval = span.interval_ms(points)
        body = {
            "timezone": "browser",
            "panelId": panel["id"],
            "range": _iso_range(span),
            "rangeRaw": {"from": "now-1h", "to": "now"},
            "interval": f"{interval}ms",
            "intervalMs": interval,
            "targets": targets,
            "maxDataPoints": points,
            "scopedVars": {"__interval_ms": {"text": interval, "value": interval}},
            "adhocFilters": [],
        }
        answer = self._bridge.post("/query", body)
        if not isinstance(answer, list):
            raise ProbeError("POST /query: expected a list")
        order = [target["refId"] for target in targets]
        given = [part.get("refId") for part in answer]
        if sorted(given, key=order.index) != given:
            raise ProbeError(f"POST /query: answers for {given}, asked in the order {order}")
        return sum(_size(part) for part in answer)

    def annotations(
        self, annotation: Mapping[str, Any], values: Mapping[str, str], span: Span
    ) -> None:
        """Ask for the marks of a dashboard."""
        query = interpolate(annotation["query"], values, "glob")
        body = {"range": _iso_range(span), "annotation": {**annotation, "query": query}}
        marks = self._bridge.post("/annotations", body)
        if not isinstance(marks, list) or any("time" not in mark for mark in marks):
            raise ProbeError("POST /annotations: expected a list of marks with their times")


def _size(part: Mapping[str, Any]) -> int:
    """Return the number of values in one part of an answer to ``/query``."""
    if part.get("type") == "table":
        width = len(part["columns"])
        if any(len(row) != width for row in part["rows"]):
            raise ProbeError("POST /query: a table's row is not as long as its heading")
        return len(part["rows"])
    times = [point[1] for point in part["datapoints"]]
    if any(later < earlier for earlier, later in pairwise(times)):
        raise ProbeError(f"POST /query: the times of {part['target']} are not ascending")
    return sum(point[0] is not None for point in part["datapoints"])


def _times(values: Mapping[str, str], span: Span, points: int) -> dict[str, str]:
    return {
        **values,
        "__from": str(span.first),
        "__to": str(span.last),
        "__interval_ms": str(span.interval_ms(points)),
    }


def _iso_range(span: Span) -> dict[str, str]:
    def iso(milliseconds: int) -> str:
        moment = datetime.fromtimestamp(milliseconds / 1e3, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    return {"from": iso(span.first), "to": iso(span.last)}


PLUGINS: dict[str, type[Infinity] | type[SimpleJson]] = {
    "yesoreyeram-infinity-datasource": Infinity,
    "grafana-simple-json-datasource": SimpleJson,
}
