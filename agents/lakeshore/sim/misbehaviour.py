"""What is wrong with the bytes between an instrument and its clients. No I/O.

A `Misbehaviour` is asked about every message that arrives and every answer that leaves, and says
what really becomes of it. The connections themselves (cut, refused, half open) are the server's.
"""

import random
import re
from collections.abc import Callable, Mapping

import attrs

from ocs.errors import OcsError

__all__ = ["FAULTS", "BadFault", "Chunk", "Delivery", "Misbehaviour", "Pace"]

TERMINATOR = b"\r\n"

FAULTS: Mapping[str, str] = {
    "disconnect": "close every connection now; with a duration, also at every message until then",
    "refuse": "take no new connections (TCP) or have no link (pty)",
    "half_open": "leave the present connections open, but dead; new ones work",
    "slow": "answer late; argument: seconds, default 1",
    "silent": "do as told, but send no answer; argument: share of answers, default 1",
    "garbage": "send noise in place of the answer; argument: share of answers, default 1",
    "truncated": "send the beginning of the answer, without its end; argument: share, default 1",
    "wrong_terminator": "end answers with lf, cr, lfcr or none (argument, default lf)",
    "split": "send the answer in several packets; argument: seconds between them, default 0.02",
    "extra_line": "send the answer twice; argument: share of answers, default 1",
    "strict_pace": "lose messages that come sooner than the manual allows",
}
"""What can be wrong with the connection: name and a line of help."""

_TERMINATORS = {"lf": b"\n", "cr": b"\r", "lfcr": b"\n\r", "none": b""}
_LONGEST_S = 600.0
_CURVE_POINT = re.compile(rb"CRVPT[ \d]", re.IGNORECASE)


class BadFault(OcsError):
    """There is no such fault, or it cannot be had with this argument."""


@attrs.frozen
class Chunk:
    """Some bytes, and how long after what went before they leave."""

    data: bytes
    delay_s: float = 0.0


@attrs.frozen
class Delivery:
    """What becomes of an answer.

    Attributes:
        chunks: bytes that leave, in order.
        hang_up: close the connection instead.
        spoiled_by: the fault that keeps the answer from being read as it was meant.
    """

    chunks: tuple[Chunk, ...] = ()
    hang_up: bool = False
    spoiled_by: str | None = None


@attrs.frozen
class Pace:
    """How soon after a message the instrument can take the next one.

    Attributes:
        after_command_s: less than this after a command, a message is lost.
        after_query_s: less than this after a query was answered, a message is lost.
        after_curve_point_s: between `after_command_s` and this after a curve point, some are lost.
    """

    after_command_s: float
    after_query_s: float
    after_curve_point_s: float


class Misbehaviour:
    """The faults of the line that are switched on, and what they do to messages.

    Args:
        pace: what the instrument's manual asks of its clients.
        clock: seconds that only ever grow, real ones.
        seed: everything random follows from it.
    """

    def __init__(self, pace: Pace, clock: Callable[[], float], seed: int = 1) -> None:
        self._pace = pace
        self._clock = clock
        self._rng = random.Random(seed)  # noqa: S311 - noise, not secrets
        self._active: dict[str, str | None] = {}
        self._busy_until = self._unsure_until = -1.0

    def check(self, name: str, argument: str | None) -> None:
        """Say whether a fault can be had.

        Raises:
            BadFault: it cannot; the words name what is allowed.
        """
        if name not in FAULTS:
            raise BadFault(f"There is no fault {name!r}; there are {', '.join(FAULTS)}.")
        if name in {"disconnect", "refuse", "half_open", "strict_pace"}:
            if argument is not None:
                raise BadFault(f"{name} takes no argument; {argument!r} was given.")
        elif name == "wrong_terminator":
            if argument is not None and argument not in _TERMINATORS:
                raise BadFault(f"{name} is {', '.join(_TERMINATORS)}; {argument!r} was given.")
        elif name in {"slow", "split"}:
            _number(name, argument, 1.0, "seconds", _LONGEST_S)
        else:
            _number(name, argument, 1.0, "a share", 1.0)

    def begin(self, name: str, argument: str | None = None) -> None:
        """Switch a fault on, in place of the same one with another argument.

        Raises:
            BadFault: there is no such fault, or no such argument.
        """
        self.check(name, argument)
        self._active[name] = argument

    def end(self, name: str) -> None:
        """Switch a fault off."""
        self._active.pop(name, None)

    def hears(self, line: bytes) -> bool:
        """Tell whether the instrument takes a message; called once for each, as it arrives."""
        now = self._clock()
        early = now < self._busy_until or (now < self._unsure_until and self._rng.random() < 0.3)
        if early and "strict_pace" in self._active:
            return False
        if b"?" in line:
            self._busy_until = now + self._pace.after_query_s
            self._unsure_until = -1.0
        else:
            self._busy_until = now + self._pace.after_command_s
            point = _CURVE_POINT.search(line)
            self._unsure_until = now + self._pace.after_curve_point_s if point else -1.0
        return True

    def hangs_up(self) -> bool:
        """Tell whether a message is met with the end of its connection."""
        return "disconnect" in self._active

    def deliver(self, answer: bytes) -> Delivery:
        """Say what becomes of an answer, given without its end."""
        if self._strikes("silent"):
            return Delivery(spoiled_by="silent")
        body, end, spoiled_by = answer, TERMINATOR, None
        if "wrong_terminator" in self._active:
            spoiled_by = "wrong_terminator"
            end = _TERMINATORS[self._active["wrong_terminator"] or "lf"]
        if self._strikes("garbage"):
            spoiled_by, body = "garbage", self._noise()
        if self._strikes("truncated"):
            spoiled_by, body, end = "truncated", body[: self._rng.randrange(len(body) + 1)], b""
        data = body + end
        if self._strikes("extra_line"):
            # One more line than was asked for: whoever takes it for the next answer is wrong.
            data += data
        return Delivery(chunks=self._in_time(data), spoiled_by=spoiled_by)

    def _in_time(self, data: bytes) -> tuple[Chunk, ...]:
        late_s = self._number("slow", 1.0) if "slow" in self._active else 0.0
        if "split" not in self._active or len(data) < 2:
            return (Chunk(data, late_s),)
        between_s = self._number("split", 0.02)
        cuts = sorted(self._rng.sample(range(1, len(data)), min(2, len(data) - 1)))
        first, *rest = [
            data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)
        ]
        return (Chunk(first, late_s), *(Chunk(part, between_s) for part in rest))

    def _strikes(self, name: str) -> bool:
        return name in self._active and self._rng.random() < self._number(name, 1.0)

    def _number(self, name: str, default: float) -> float:
        argument = self._active[name]
        return default if argument is None else float(argument)

    def _noise(self) -> bytes:
        """Return bytes that are never an answer: none of them is a digit, one is not ASCII."""
        noise = bytes(self._rng.choice(b"\x00\x02\x15~^`{|}\x7f\xfe\xff") for _ in range(11))
        return noise + bytes([self._rng.randrange(0x80, 0x100)])


def _number(name: str, argument: str | None, default: float, what: str, highest: float) -> float:
    try:
        value = default if argument is None else float(argument)
    except ValueError:
        value = -1.0
    if not 0 < value <= highest:
        raise BadFault(
            f"The argument of {name} is {what} above 0 and up to {highest:g}; "
            f"{argument!r} was given."
        )
    return value
