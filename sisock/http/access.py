"""Who may ask: an optional token, as a bearer token or as the password of basic auth."""

import hmac
from pathlib import Path

from flask import Request

from sisock.errors import Misconfigured

__all__ = ["allowed", "read_token"]

_LEAST_CHARS = 16


def read_token(path: str | None) -> str | None:
    """Return the token in a file; None without a file, when everybody may ask.

    Raises:
        Misconfigured: the file cannot be read, or what it holds is no token.
    """
    if path is None:
        return None
    try:
        token = Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"HTTP_TOKEN_FILE={path}: cannot read a token from it ({error})"
        ) from error
    if len(token) < _LEAST_CHARS or any(char.isspace() for char in token):
        raise Misconfigured(
            f"HTTP_TOKEN_FILE={path}: must hold one word of {_LEAST_CHARS} characters or more"
        )
    return token


def allowed(request: Request, token: str) -> bool:
    """Tell whether a request carries the token; the user's name of basic auth does not matter."""
    given = request.authorization
    if given is None:
        return False
    secret = given.token if given.type == "bearer" else given.password
    return secret is not None and hmac.compare_digest(secret.encode(), token.encode())
