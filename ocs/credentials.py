"""Who a program is to the router: a name and a secret."""

from pathlib import Path
from typing import Self

import attrs

from ocs.errors import OcsError

__all__ = ["Credentials", "SecretError", "read_secret"]


class SecretError(OcsError):
    """The secret cannot be used; ``./setup-tls.sh`` makes good ones."""


def read_secret(path: Path) -> str:
    """Return the secret in a file: its one line.

    Raises:
        SecretError: The file is missing, unreadable, or holds anything but one line.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SecretError(
            f"cannot read the secret in {path}: {error.strerror} (run ./setup-tls.sh, as the user "
            "this program runs as)"
        ) from error
    except UnicodeDecodeError as error:
        raise SecretError(f"{path} is no text: expected one line, the secret") from error
    if not text or len(text.splitlines()) != 1:
        raise SecretError(f"{path} must hold one line, the secret (run ./setup-tls.sh)")
    return text


@attrs.frozen
class Credentials:
    """Name and secret for the router's challenge (``wampcra``).

    The secret itself never goes over the wire, and is never printed.
    """

    authid: str
    secret: str = attrs.field(repr=False)

    @classmethod
    def from_file(cls, authid: str, path: Path) -> Self:
        """Take the secret from a file; raises as `read_secret`."""
        return cls(authid, read_secret(path))
