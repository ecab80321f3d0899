"""Make answers of the web application, and read what it is asked."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Response, request

from ocs.connection import ConnectionStatus
from sisock.http.answers import to_json
from sisock.http.queries import parse_body

__all__ = ["body", "json_response", "message_response", "parameters", "router_state"]


def json_response(value: object, status: int = HTTPStatus.OK) -> Response:
    """Answer with a value as strict JSON."""
    return Response(to_json(value), status, content_type="application/json; charset=utf-8")


def message_response(text: str, status: int) -> Response:
    """Answer with words for a person, in the form every data source shows."""
    return json_response({"message": text}, status)


def body() -> dict[str, Any]:
    """Return the JSON object in the body of the request at hand.

    Raises:
        BadRequest: it is not JSON, or no object.
    """
    return parse_body(request.get_data(cache=False))


def parameters() -> Mapping[str, Sequence[str]]:
    """Return the parameters in the URL of the request at hand, each with all its values."""
    return request.args.to_dict(flat=False)


def router_state(router: ConnectionStatus) -> dict[str, Any]:
    """Return what a client may know of the connection to the router."""
    return {
        "connected": router.state == "connected",
        "since": router.since,
        "reason": router.reason,
    }
