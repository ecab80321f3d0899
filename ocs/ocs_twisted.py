"""Helpers for the operations of agents: a lock that tells who holds it, and a pace.

Semantics: spec/ocs-protocol.md, section 6.3.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.threadable import isInIOThread

__all__ = ["Pacemaker", "TimeoutLock", "dsleep", "in_reactor_context"]


def in_reactor_context() -> bool:
    """Whether this is the reactor's thread."""
    return bool(isInIOThread())  # type: ignore[no-untyped-call]


def dsleep(seconds: float) -> "Deferred[None]":
    """Return a Deferred that fires after so many seconds (the reactor's thread)."""
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    waiting: Deferred[None] = deferLater(reactor, seconds, lambda: None)
    return waiting


class TimeoutLock:
    """A lock that is acquired for a while at most, handed over fairly.

    Two locks make it: whoever waits holds the first one, so that `release_and_acquire` cannot
    take the lock back before a waiting acquirer has had it.

    Args:
        default_timeout: Seconds `acquire` waits when not told otherwise; 0 not at all, -1 for
            ever.

    Attributes:
        job: What the present holder said it wants the lock for; None if it is free.
    """

    def __init__(self, default_timeout: float = 0) -> None:
        self.job: str | None = None
        self._default = default_timeout
        self._active = threading.Lock()
        self._next = threading.Lock()

    def acquire(self, timeout: float | None = None, job: str | None = None) -> bool:
        """Try to get the lock.

        Args:
            timeout: Seconds for each of the two locks; None is the default, 0 does not wait, -1
                waits for ever.
            job: Name for what follows.

        Returns:
            Whether it was acquired.
        """
        if timeout is None:
            timeout = self._default
        wait: dict[str, Any] = {"blocking": False} if timeout == 0 else {"timeout": timeout}
        if not self._next.acquire(**wait):
            return False
        try:
            acquired = self._active.acquire(**wait)
            if acquired:
                self.job = job
            return acquired
        finally:
            self._next.release()

    def release(self) -> None:
        """Give the lock back."""
        self.job = None
        self._active.release()

    def release_and_acquire(self, timeout: float | None = None) -> bool:
        """Let one waiting acquirer in, then get the lock again under the same job name."""
        job = self.job
        self.release()
        return self.acquire(timeout=timeout, job=job)

    @contextmanager
    def acquire_timeout(
        self, timeout: float | None = None, job: str | None = "unnamed"
    ) -> Iterator[bool]:
        """Hold the lock during a ``with`` block, whose target tells whether it was acquired."""
        acquired = self.acquire(timeout=timeout, job=job)
        try:
            yield acquired
        finally:
            if acquired:
                self.release()


class Pacemaker:
    """Keep a loop at a steady rate: the first beat at once, the others a period apart.

    A late beat does not move those after it; beats that are missed altogether are left out.

    Args:
        sample_freq: Rate in Hz.
        quantize: Whether to wake at whole multiples of the period; needs a whole-number rate.
        clock: Gives Unix time in seconds.
        pause: How `sleep` waits so many seconds; an event's ``wait`` makes it end early.

    Raises:
        ValueError: The rate is not positive, or not whole though `quantize` is set.
    """

    def __init__(
        self,
        sample_freq: float,
        quantize: bool = False,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        if not sample_freq > 0:
            raise ValueError(f"sample_freq must be positive, not {sample_freq} Hz")
        if quantize and sample_freq != int(sample_freq):
            raise ValueError(f"quantize needs a whole number of Hz, not {sample_freq}")
        self.sample_freq = sample_freq
        self.sample_time = 1 / sample_freq
        self.quantize = quantize
        self._clock = clock
        self._wait = pause
        self.next_sample = clock()

    def _set_next_sample(self) -> None:
        now = self._clock()
        wake = self.next_sample + self.sample_time
        if not now < wake <= now + 2 * self.sample_time:
            # Too late for that one, or the clock has been set.
            wake = now + self.sample_time
        if self.quantize:
            wake = round(wake * self.sample_freq) / self.sample_freq
        self.next_sample = wake

    def _pause(self) -> float:
        # Never longer than that, also when the clock has been set back meanwhile.
        return min(max(0.0, self.next_sample - self._clock()), 2 * self.sample_time)

    def sleep(self) -> None:
        """Block until the next beat (threads of operations)."""
        self._wait(self._pause())
        self._set_next_sample()

    def dsleep(self) -> "Deferred[None]":
        """Return a Deferred that fires at the next beat (the reactor's thread)."""
        return dsleep(self._pause()).addCallback(lambda _: self._set_next_sample())
