"""The record of one run of an operation (spec/ocs-protocol.md, section 5)."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ocs.base import OpCode

__all__ = ["SESSION_STATUS_CODES", "OpSession", "json_data"]

SESSION_STATUS_CODES = [None, "starting", "running", "stopping", "done"]
"""The statuses in their order; a session only moves forward, and may skip some."""

MESSAGES_KEPT_S = 3600.0
MESSAGES_KEPT_AT_LEAST = 5
MESSAGES_KEPT_AT_MOST = 10_000


def json_data(value: Any) -> Any:
    """Convert `value` to what strict JSON can carry.

    Arrays become lists, tuples become lists, keys become strings. NaN and the infinities, which
    JSON does not have, become null; integers of more than 64 bits, which nobody else has, become
    floats.

    Raises:
        TypeError: There is something in it that has no JSON form.
    """
    match value:
        case None | bool():
            return value
        case np.generic() | np.ndarray():
            return json_data(value.tolist())
        case str():
            return _unicode(value)
        case int() if -(2**63) <= value < 2**64:
            return int(value)
        case int():
            return float(value) if abs(value) < 2**1023 else None
        case float():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            # list(): other threads may be writing to it.
            return {_unicode(str(key)): json_data(item) for key, item in list(value.items())}
        case list() | tuple() | set() | frozenset() | deque():
            return [json_data(item) for item in list(value)]
    raise TypeError(f"session data cannot hold {value!r} ({type(value).__name__})")


def _unicode(text: str) -> str:
    # File names may hold bytes that are no Unicode; one of them must not make a reply unsendable.
    return str(text).encode(errors="replace").decode()


def _has_infinity(value: Any) -> bool:
    match value:
        case float():
            return math.isinf(value)
        case np.ndarray() if value.dtype.kind == "f":
            return bool(np.isinf(value).any())
        case Mapping():
            return any(map(_has_infinity, list(value.values())))
        case list() | tuple() | deque():
            return any(map(_has_infinity, list(value)))
    return False


class OpSession:
    """One run of an operation; safe to use from the operation's own thread.

    Args:
        session_id: Number of the run in its agent, from 0.
        op_name: The operation's name.
        app: The agent.
        cred_level: Credential level of whoever started it.
        clock: Gives Unix time in seconds.

    Attributes:
        data: Whatever the operation wants clients to see; must have a JSON form.
        success: None until done.
        start_time: Unix s.
        end_time: Unix s, None until done.
    """

    log = Logger()

    def __init__(
        self,
        session_id: int,
        op_name: str,
        app: Any = None,
        cred_level: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.session_id = session_id
        self.op_name = op_name
        self.app = app
        self.cred_level = cred_level
        self.data: Any = {}
        self.success: bool | None = None
        self.end_time: float | None = None
        self._clock = clock
        self._lock = threading.RLock()
        self._messages: deque[tuple[float, str]] = deque(maxlen=MESSAGES_KEPT_AT_MOST)
        self._status = "starting"
        self._degraded = False
        self._told_infinity = False
        self._waiters: list[Deferred[None]] = []
        self.start_time = clock()
        self.add_message('Status is now "starting".', self.start_time)

    @property
    def status(self) -> str:
        """One of ``starting``, ``running``, ``stopping``, ``done``."""
        return self._status

    @property
    def degraded(self) -> bool:
        """Whether the operation runs but cannot do its job."""
        return self._degraded

    @degraded.setter
    def degraded(self, value: bool) -> None:
        self._degraded = bool(value)

    @property
    def op_code(self) -> OpCode:
        """State in one number."""
        match self._status:
            case "starting":
                return OpCode.STARTING
            case "running":
                return OpCode.DEGRADED if self._degraded else OpCode.RUNNING
            case "stopping":
                return OpCode.STOPPING
            case _:
                return OpCode.SUCCEEDED if self.success else OpCode.FAILED

    @property
    def messages(self) -> list[tuple[float, str]]:
        """The messages that are kept, oldest first: Unix time in s, text."""
        with self._lock:
            return list(self._messages)

    def set_status(self, status: str, timestamp: float | None = None) -> None:
        """Move to another status.

        Raises:
            ValueError: It is unknown, or lies behind the present one.
        """
        order = SESSION_STATUS_CODES
        if status not in order[1:]:
            raise ValueError(f"unknown status {status!r}; allowed: {order[1:]}")
        with self._lock:
            if order.index(status) < order.index(self._status):
                raise ValueError(f"{self.op_name}: {self._status!r} cannot go back to {status!r}")
            if status == self._status:
                return
            now = self._clock() if timestamp is None else timestamp
            self._status = status
            if status == "done":
                self.end_time = now
            self.add_message(f'Status is now "{status}".', now)

    def begin(self) -> None:
        """Say that the operation's function is entered now, unless it has been stopped before."""
        with self._lock:
            if self._status == "starting":
                self.set_status("running")

    def finish(self, success: bool, message: str) -> None:
        """End the run (reactor thread only): outcome, last message, waiters."""
        self.success = success
        self.add_message(message)
        self.set_status("done")
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def when_done(self) -> "Deferred[None]":
        """Return a Deferred of the caller's own that fires at the end of the run; cancel at will.

        Reactor thread only.
        """
        waiter: Deferred[None] = Deferred(self._forget)
        if self._status == "done":
            waiter.callback(None)
        else:
            self._waiters.append(waiter)
        return waiter

    def _forget(self, waiter: "Deferred[None]") -> None:
        self._waiters.remove(waiter)

    def add_message(self, message: str, timestamp: float | None = None) -> None:
        """Note something for whoever looks at the session; it goes to the log too."""
        now = self._clock() if timestamp is None else timestamp
        message = _unicode(message)
        with self._lock:
            self._messages.append((now, message))
            while (
                len(self._messages) > MESSAGES_KEPT_AT_LEAST
                and self._messages[0][0] < now - MESSAGES_KEPT_S
            ):
                self._messages.popleft()
        self.log.info("{op}:{id} {text}", op=self.op_name, id=self.session_id, text=message)

    def encoded(self) -> dict[str, Any]:
        """Return the session as clients see it (all eleven keys)."""
        unshown = ""
        try:
            data = json_data(self.data)
            if not self._told_infinity and _has_infinity(self.data):
                self._told_infinity = True
                self.add_message("session.data holds inf, which JSON has not: shown as null")
        except (TypeError, RecursionError) as error:
            unshown = f"session.data cannot be shown: {error}"
            data = {}
        messages = [list(entry) for entry in self.messages]
        if unshown:
            messages.append([self._clock(), unshown])
        return {
            "session_id": self.session_id,
            "op_name": self.op_name,
            "op_code": self.op_code.value,
            "cred_level": self.cred_level,
            "status": self._status,
            "degraded": self._degraded,
            "success": self.success,
            "start_time": self.start_time,
            "end_time": self.end_time,
            "data": data,
            "messages": messages,
        }
