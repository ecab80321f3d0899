"""Times as callers give them (spec/sisock-protocol.md, section 5.2)."""

import math

from sisock.errors import BadArgument

__all__ = ["resolve", "resolve_interval"]


def resolve(value: object, now: float, what: str = "time") -> float:
    """Return the Unix time, in seconds, that ``value`` means.

    Args:
        value: Seconds. Positive: Unix time. Zero or negative: that much before ``now``.
        now: The node's clock, read once a call.
        what: Name of the argument, for the error.

    Raises:
        BadArgument: it is not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadArgument(
            f"{what} must be a finite number of seconds (positive: Unix time; zero or negative: "
            f"relative to now), not {value!r}"
        )
    return float(value) if value > 0 else now + value


def resolve_interval(start: object, end: object, now: float) -> tuple[float, float]:
    """Return ``start`` and ``end`` as Unix times; see `resolve`."""
    return resolve(start, now, "start"), resolve(end, now, "end")
