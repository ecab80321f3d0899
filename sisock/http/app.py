"""The web application: SimpleJson for Grafana, and the live page (spec/simplejson-api.md)."""

import gzip
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask, Request, Response, request
from twisted.logger import Logger
from twisted.python.failure import Failure
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.security import safe_join

from sisock.errors import BadRequest
from sisock.http.answers import Series, TargetAnswer, query_answer, to_json
from sisock.http.directory import FieldEntry, NodeView
from sisock.http.facade import MonitorFacade, Unavailable
from sisock.http.monitor import Window
from sisock.http.queries import Query, parse_body, parse_query, search_text
from sisock.http.targets import Expansion, expand
from sisock.uris import split_name

__all__ = ["LIVE_PAGE", "MAX_BODY_BYTES", "create_app"]

log = Logger()

LIVE_PAGE = Path(__file__).resolve().parent.parent / "live"
MAX_BODY_BYTES = 2**20
MAX_QUERY_SERIES = 2000
MAX_SEARCH_NAMES = 2000
_GZIP_FROM_BYTES = 1400  # below, it fits one packet anyway
_GZIP_LEVEL = 3

# Not from the system's table: slim images have none, and a browser runs no script without a type.
_CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".map": "application/json; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}


class _App(Flask):
    """Flask, writing what it did not expect to our log."""

    def log_exception(self, exc_info: Any) -> None:
        """Log an error nobody foresaw."""
        kind, value, trace = exc_info
        log.failure(
            "{method} {path} failed",
            failure=Failure(value, kind, trace),  # type: ignore[no-untyped-call]
            method=request.method,
            path=request.path,
        )


def create_app(
    monitor: MonitorFacade, *, live_page: Path = LIVE_PAGE, cors_origin: str | None = None
) -> Flask:
    """Build the web application.

    Args:
        monitor: Gives nodes, fields and samples; called in the web server's threads.
        live_page: Directory with the live page's files.
        cors_origin: Origin whose pages may ask directly (Grafana's "browser" access); None for
            no other than ours.
    """
    app = _App("sisock.http", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.strict_slashes = False
    app.url_map.redirect_defaults = False
    _add_manners(app, cors_origin)
    _add_grafana(app, monitor)
    _add_api(app, monitor)
    _add_live_page(app, live_page)
    return app


def _json(value: object, status: int = HTTPStatus.OK) -> Response:
    return Response(to_json(value), status, content_type="application/json; charset=utf-8")


def _message(text: str, status: int) -> Response:
    return _json({"message": text}, status)


def _body(asked: Request) -> dict[str, Any]:
    return parse_body(asked.get_data(cache=False))


def _add_manners(app: Flask, cors_origin: str | None) -> None:
    """Add what holds for every route: errors in JSON, headers, compression."""

    @app.errorhandler(BadRequest)
    def bad_request(error: BadRequest) -> Response:
        return _message(str(error), HTTPStatus.BAD_REQUEST)

    @app.errorhandler(Unavailable)
    def unavailable(error: Unavailable) -> Response:
        return _message(str(error), HTTPStatus.SERVICE_UNAVAILABLE)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
        text = error.description or error.name
        if status == HTTPStatus.NOT_FOUND:
            text = f"there is nothing at {request.path}"
        elif status == HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
            text = f"{request.method} {request.path} is not allowed; allowed: {allowed}"
        elif status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            text = f"the body is too large: allowed are {MAX_BODY_BYTES} bytes"
        elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            text = "the monitor has a fault; its log says more"
        return _message(text, status)

    @app.before_request
    def options() -> Response | None:
        if request.method == "OPTIONS" and not isinstance(request.routing_exception, NotFound):
            return Response(status=HTTPStatus.NO_CONTENT, headers={"Allow": "GET, POST, OPTIONS"})
        return None

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        if cors_origin is not None:
            response.headers["Access-Control-Allow-Origin"] = cors_origin
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
            response.headers["Access-Control-Allow-Headers"] = (
                "accept, content-type, authorization, x-grafana-org-id"
            )
        return _compressed(response)


def _compressed(response: Response) -> Response:
    body = response.get_data()
    response.vary.add("Accept-Encoding")
    if len(body) >= _GZIP_FROM_BYTES and request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(body, _GZIP_LEVEL, mtime=0))
        response.content_encoding = "gzip"
    return response


def _add_grafana(app: Flask, monitor: MonitorFacade) -> None:
    """Add what Grafana's SimpleJson data source asks for."""

    def health() -> Response:
        router = monitor.router()
        if router.state == "connected":
            return _json({"message": "connected to the router", "router": _router(monitor)})
        return _message(
            f"not connected to the router: {router.reason}", HTTPStatus.SERVICE_UNAVAILABLE
        )

    app.add_url_rule("/", "root", health, methods=["GET"])
    app.add_url_rule("/healthz", "healthz", health, methods=["GET"])

    @app.route("/search", methods=["GET", "POST"])
    def search() -> Response:
        words = search_text(_body(request)).lower().split()
        names = (entry.name for entry in monitor.fields())
        found = [name for name in names if all(word in name.lower() for word in words)]
        return _json(found[:MAX_SEARCH_NAMES])

    @app.route("/query", methods=["POST"])
    def query() -> Response:
        answers = _answer_query(monitor, parse_query(_body(request)))
        series = [found for answer in answers for found in answer.series]
        if series and all(found.failed for found in series):
            troubles = dict.fromkeys(found.error for found in series)
            return _message("; ".join(troubles), HTTPStatus.BAD_GATEWAY)
        for found in series:
            if found.failed:
                log.debug("no data of {name}: {why}", name=found.name, why=found.error)
        return _json(query_answer(answers))

    @app.route("/annotations", methods=["GET", "POST"])
    def annotations() -> Response:
        return _json([])

    @app.route("/tag-keys", methods=["GET", "POST"])
    def tag_keys() -> Response:
        return _json([{"type": "string", "text": key} for key in ("node", "field")])

    @app.route("/tag-values", methods=["GET", "POST"])
    def tag_values() -> Response:
        # SimpleJson waits for ever when this call fails: whatever happens, it gets a list.
        try:
            key = _body(request).get("key")
            entries = monitor.fields()
        except (BadRequest, Unavailable):
            return _json([])
        names = {"node": (e.node for e in entries), "field": (e.name for e in entries)}
        return _json([{"text": text} for text in dict.fromkeys(names.get(str(key), ()))])


def _answer_query(monitor: MonitorFacade, query: Query) -> list[TargetAnswer]:
    expansions = _expand(monitor, query)
    wanted: dict[tuple[str, str], None] = {}
    for expansion in expansions:
        wanted.update(dict.fromkeys(_pairs(expansion.names)))
    if len(wanted) > MAX_QUERY_SERIES:
        raise BadRequest(
            f"the targets stand for {len(wanted)} fields: allowed are {MAX_QUERY_SERIES}"
        )
    window = Window(query.start, query.end, query.max_points, query.stride_s)
    found = monitor.fetch(list(wanted), window) if wanted else {}
    return [
        TargetAnswer(target, _series_of(target.text, expansion, found))
        for target, expansion in zip(query.targets, expansions, strict=True)
    ]


def _expand(monitor: MonitorFacade, query: Query) -> list[Expansion]:
    """Find out what the targets mean; asks for new lists of fields only where that may help."""
    known = dict.fromkeys(entry.name for entry in monitor.fields(fresh=False))
    expansions = [expand(target.text, known) for target in query.targets]
    if any(not expansion.names for expansion in expansions):
        known = dict.fromkeys(entry.name for entry in monitor.fields())
        expansions = [expand(target.text, known) for target in query.targets]
    return expansions


def _pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    return [pair for pair in map(split_name, names) if pair is not None]


def _series_of(
    text: str, expansion: Expansion, found: Mapping[tuple[str, str], Series]
) -> tuple[Series, ...]:
    if not expansion.names:
        return (Series(text, error=expansion.trouble),)
    return tuple(found[pair] for pair in _pairs(expansion.names))


def _router(monitor: MonitorFacade) -> dict[str, Any]:
    router = monitor.router()
    return {
        "connected": router.state == "connected",
        "since": router.since,
        "reason": router.reason,
    }


def _add_api(app: Flask, monitor: MonitorFacade) -> None:
    """Add what the live page and scripts ask for."""

    @app.route("/api/v1/fields", methods=["GET"])
    def fields() -> Response:
        return _json([_field(entry) for entry in monitor.fields()])

    @app.route("/api/v1/status", methods=["GET"])
    def status() -> Response:
        nodes = [_node(node) for node in monitor.nodes()]
        return _json({"router": _router(monitor), "nodes": nodes, "now": monitor.now()})

    @app.route("/api/v1/latest", methods=["GET"])
    def latest() -> Response:
        router = monitor.router()
        if router.state != "connected":
            raise Unavailable(f"not connected to the router: {router.reason}")
        return _json(
            [
                {
                    "name": series.name,
                    "time": float(series.times[-1]),
                    "value": series.values[-1:].tolist()[0],
                }
                for series in monitor.latest()
            ]
        )


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


def _add_live_page(app: Flask, directory: Path) -> None:
    @app.route("/live", defaults={"file": "index.html"}, methods=["GET"])
    @app.route("/live/<path:file>", methods=["GET"])
    def live(file: str) -> Response:
        joined = safe_join(str(directory), file)
        path = Path(joined) if joined is not None else None
        content_type = _CONTENT_TYPES.get(path.suffix) if path is not None else None
        if path is None or content_type is None or not path.is_file():
            raise NotFound
        return Response(path.read_bytes(), content_type=content_type)
