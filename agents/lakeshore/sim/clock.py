"""The time a simulated instrument lives in: as real, or faster."""

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["Life", "SimClock"]

_STEP_S = 1.0
_SHORTEST_STEP_S = 0.02


class SimClock:
    """Unix time that starts at the real one and runs `speed` times as fast.

    As in a real instrument nothing happens to it when the computer's clock is set.

    Args:
        speed: simulated seconds in one real second.
        wall: real Unix time in seconds; asked once.
        elapsed: real seconds that only ever grow.
    """

    def __init__(
        self,
        speed: float = 1.0,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._speed = speed
        self._elapsed = elapsed
        self._start = wall()
        self._begin = elapsed()

    def __call__(self) -> float:
        """Return the simulated Unix time in seconds."""
        return self._start + (self._elapsed() - self._begin) * self._speed


class Life:
    """Lets an instrument go on between questions, a simulated second at a time.

    Left alone for long it would do everything in one leap at the next question.

    Args:
        advance: brings the instrument to the present.
        reactor: Twisted's.
        speed: simulated seconds in one real second.
    """

    log = Logger()

    def __init__(self, advance: Callable[[], None], reactor: Any, speed: float = 1.0) -> None:
        self._step_s = max(_STEP_S / speed, _SHORTEST_STEP_S) if speed > 1 else _STEP_S
        self._loop = LoopingCall(advance)
        self._loop.clock = reactor

    def start(self) -> None:
        """Begin; an instrument that fails is told once in the log."""
        self._loop.start(self._step_s).addErrback(self._failed)

    def stop(self) -> None:
        """End."""
        if self._loop.running:
            self._loop.stop()

    def _failed(self, failure: Failure) -> None:
        self.log.failure("the simulated instrument stands still", failure)
