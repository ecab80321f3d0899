"""The root of the package's errors."""

__all__ = ["OcsError"]


class OcsError(Exception):
    """Something went wrong in the control system; the message says what, and what to do."""
