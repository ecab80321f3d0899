"""The web application: what holds for every route, and the live page (spec/simplejson-api.md)."""

import gzip
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from twisted.logger import Logger
from twisted.python.failure import Failure
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.security import safe_join

from sisock.errors import BadRequest
from sisock.http.access import allowed
from sisock.http.answering import AllFailed
from sisock.http.api import add_api
from sisock.http.facade import MonitorFacade, Unavailable
from sisock.http.grafana import add_grafana
from sisock.http.respond import json_response, message_response, router_state

__all__ = ["LIVE_PAGE", "MAX_BODY_BYTES", "create_app"]

log = Logger()

LIVE_PAGE = Path(__file__).resolve().parent.parent / "live"
MAX_BODY_BYTES = 2**20
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
    monitor: MonitorFacade,
    *,
    live_page: Path = LIVE_PAGE,
    cors_origin: str | None = None,
    token: str | None = None,
) -> Flask:
    """Build the web application.

    Args:
        monitor: Gives nodes, fields and samples; called in the web server's threads.
        live_page: Directory with the live page's files.
        cors_origin: Origin whose pages may ask directly (Grafana's "browser" access); None for
            no other than ours.
        token: What a request must carry (`sisock.http.access`); None lets everybody ask.
    """
    app = _App("sisock.http", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.strict_slashes = False
    app.url_map.redirect_defaults = False
    _add_errors(app)
    _add_manners(app, cors_origin)
    if token is not None:
        _add_access(app, token)
    _add_health(app, monitor)
    add_grafana(app, monitor)
    add_api(app, monitor)
    _add_live_page(app, live_page)
    return app


def _add_errors(app: Flask) -> None:
    """Tell every error in JSON, in words for the person at the panel."""

    @app.errorhandler(BadRequest)
    def bad_request(error: BadRequest) -> Response:
        return message_response(str(error), HTTPStatus.BAD_REQUEST)

    @app.errorhandler(Unavailable)
    def unavailable(error: Unavailable) -> Response:
        return message_response(str(error), HTTPStatus.SERVICE_UNAVAILABLE)

    @app.errorhandler(AllFailed)
    def all_failed(error: AllFailed) -> Response:
        return message_response(str(error), HTTPStatus.BAD_GATEWAY)

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
        return message_response(text, status)


def _add_manners(app: Flask, cors_origin: str | None) -> None:
    """Add headers, compression, and the questions a browser asks before it asks."""

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
            if cors_origin != "*":
                response.headers["Access-Control-Allow-Credentials"] = "true"
                response.vary.add("Origin")
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


def _add_access(app: Flask, token: str) -> None:
    """Answer only those who show the token; whether the bridge is well, everybody may ask."""

    @app.before_request
    def check() -> Response | None:
        if request.endpoint == "healthz" or allowed(request, token):
            return None
        refused = message_response(
            "this monitor wants a token: send it as bearer token, or as password of basic auth",
            HTTPStatus.UNAUTHORIZED,
        )
        refused.headers["WWW-Authenticate"] = 'Basic realm="sisock", charset="UTF-8"'
        return refused


def _add_health(app: Flask, monitor: MonitorFacade) -> None:
    def health() -> Response:
        router = monitor.router()
        if router.state == "connected":
            state = router_state(router)
            return json_response({"message": "connected to the router", "router": state})
        return message_response(
            f"not connected to the router: {router.reason}", HTTPStatus.SERVICE_UNAVAILABLE
        )

    app.add_url_rule("/", "root", health, methods=["GET"])
    app.add_url_rule("/healthz", "healthz", health, methods=["GET"])


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
