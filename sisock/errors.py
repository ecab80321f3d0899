"""What can go wrong in the monitor, in words for a person."""

from ocs.errors import OcsError

__all__ = ["BadArgument", "BadNodeName", "BadRequest", "Misconfigured", "SisockError"]


class SisockError(OcsError):
    """Something went wrong in the live monitor; the message says what, and what to do."""


class Misconfigured(SisockError):
    """A program was started with settings it cannot work with; set what the message names."""


class BadNodeName(SisockError):
    """A data node's name must not be empty nor contain white space or ``#``; choose another."""


class BadArgument(SisockError):
    """A remote call carried an argument that does not fit; the message says what is allowed."""


class BadRequest(SisockError):
    """An HTTP request does not fit; the message names the key, its value and what is allowed."""
