"""The way from the web server's threads into the reactor's thread, and back."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.threads import blockingCallFromThread

from ocs.connection import ConnectionStatus
from sisock.errors import SisockError
from sisock.http.answers import Series
from sisock.http.directory import FieldEntry, NodeView
from sisock.http.events import NodeEvent
from sisock.http.monitor import Monitor, Window

__all__ = ["MonitorFacade", "ThreadedMonitor", "Unavailable"]

TOTAL_TIMEOUT_S = 18.0  # Grafana's proxy gives up after 30 s; spec asks for less than 20
LISTING_AGE_S = 0.8  # the live page asks every second

T = TypeVar("T")


class Unavailable(SisockError):
    """The bridge cannot answer now; the message says why."""


class MonitorFacade(Protocol):
    """What the web application needs to know; every method may wait."""

    def now(self) -> float:
        """Return the bridge's Unix time in seconds."""
        ...

    def router(self) -> ConnectionStatus:
        """Return the state of the connection to the router."""
        ...

    def nodes(self) -> list[NodeView]:
        """Return all nodes, present and past, with fresh field lists."""
        ...

    def fields(self, *, fresh: bool = True) -> list[FieldEntry]:
        """Return all fields; the list at hand if not ``fresh``."""
        ...

    def fetch(
        self, wanted: Sequence[tuple[str, str]], window: Window
    ) -> Mapping[tuple[str, str], Series]:
        """Return samples of pairs of node and field."""
        ...

    def latest(self) -> list[Series]:
        """Return the newest sample of every field."""
        ...

    def events(self) -> list[NodeEvent]:
        """Return when nodes came and went, oldest first."""
        ...


class ThreadedMonitor:
    """A `MonitorFacade` for threads that are not the reactor's.

    Args:
        monitor: Lives in the reactor's thread.
        reactor: That reactor.
    """

    def __init__(self, monitor: Monitor, reactor: Any) -> None:
        self._monitor = monitor
        self._reactor = reactor
        self._pending: set[Deferred[Any]] = set()
        self._closed = False

    def close(self) -> None:
        """Let all waiting threads go, and let none wait again; reactor's thread only."""
        self._closed = True
        for waiting in list(self._pending):
            waiting.cancel()

    def now(self) -> float:
        """See `MonitorFacade`."""
        return self._monitor.now()

    def router(self) -> ConnectionStatus:
        """See `MonitorFacade`."""
        return self._monitor.status

    def nodes(self) -> list[NodeView]:
        """See `MonitorFacade`."""

        async def ask() -> list[NodeView]:
            await self._monitor.refresh(LISTING_AGE_S)
            return self._monitor.directory.nodes()

        return self._run(ask)

    def fields(self, *, fresh: bool = True) -> list[FieldEntry]:
        """See `MonitorFacade`."""

        async def ask() -> list[FieldEntry]:
            if fresh:
                await self._monitor.refresh(LISTING_AGE_S)
            return self._monitor.directory.fields()

        return self._run(ask)

    def fetch(
        self, wanted: Sequence[tuple[str, str]], window: Window
    ) -> Mapping[tuple[str, str], Series]:
        """See `MonitorFacade`."""
        return self._run(lambda: self._monitor.fetch(wanted, window))

    def latest(self) -> list[Series]:
        """See `MonitorFacade`."""

        async def ask() -> list[Series]:
            # A node is announced with an empty cache: what it has by now must be learnt first.
            await self._monitor.refresh(LISTING_AGE_S)
            return await self._monitor.latest()

        return self._run(ask)

    def events(self) -> list[NodeEvent]:
        """See `MonitorFacade`."""

        async def ask() -> list[NodeEvent]:
            return self._monitor.events.all()

        return self._run(ask)

    def _run(self, func: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            answer: T = blockingCallFromThread(self._reactor, self._begin, func)
        except CancelledError:
            raise Unavailable("the monitor is being stopped") from None
        except DeferredTimeout:
            raise Unavailable(f"no answer within {TOTAL_TIMEOUT_S:g} s") from None
        return answer

    def _begin(self, func: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        if self._closed:
            raise Unavailable("the monitor is being stopped")
        answer = Deferred.fromCoroutine(func())
        self._pending.add(answer)
        answer.addTimeout(TOTAL_TIMEOUT_S, self._reactor)
        answer.addBoth(self._ended, answer)
        return answer

    def _ended(self, result: T, answer: Deferred[Any]) -> T:
        self._pending.discard(answer)
        return result
