"""The one way our programs talk to the router.

A :class:`Connection` keeps a WAMP session alive for ever. Procedures and subscriptions are
declared once; every time the session is (re)joined each of them is registered again, exactly
once, before anybody is told that the connection is up.

States (``docs/architecture.md`` has the drawing)::

    connecting --joined, everything registered--> connected
        ^  |                                          |
        |  '--refused, timed out: wait, try again     | session or socket lost
        '---------------------------------------------'
    any state --stop()--> stopped

Everything here belongs to the reactor's thread.
"""

import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import attrs
from autobahn.exception import PayloadExceededError
from autobahn.wamp.exception import ApplicationError, InvalidUriError, SerializationError
from autobahn.wamp.types import SessionDetails
from twisted.application.internet import backoffPolicy
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
)
from twisted.internet.task import deferLater
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from ocs.credentials import Credentials
from ocs.errors import OcsError
from ocs.router_address import RouterAddress, RouterUrlError
from ocs.router_link import MAX_MESSAGE_BYTES, JoinFailed, RouterLink
from ocs.tls_trust import TrustError
from ocs.wamp_session import GONE, Handler, RouterSession, Subscription, describe

__all__ = [
    "MAX_MESSAGE_BYTES",
    "CallTimeout",
    "Connection",
    "ConnectionStatus",
    "NotConnected",
    "NotSendable",
    "RouterUrlError",
    "Subscription",
]

# A lab has tens of programs, not thousands: trying about every second costs a dead router nothing,
# and brings the curves back within seconds of its return.
default_retry_policy = backoffPolicy(initialDelay=0.25, maxDelay=1.0, factor=1.5)

_UNSENDABLE = (SerializationError, PayloadExceededError, InvalidUriError)


class NotConnected(OcsError):
    """There is no connection to the router at the moment; it is being retried."""


class CallTimeout(OcsError):
    """A peer did not answer a call within the time given for it."""


class NotSendable(OcsError, ValueError):
    """The router's protocol cannot carry this: a type it does not know, a bad URI, or too large."""


@attrs.frozen
class ConnectionStatus:
    """What a connection is doing, since when (Unix s), and why."""

    state: Literal["connecting", "connected", "stopped"]
    since: float
    reason: str
    error: str = ""
    """WAMP error URI of what stands in the way, if the router gave one."""


_log = Logger()


class Connection:
    """A WAMP session that is always there, or on its way back.

    Args:
        reactor: The Twisted reactor.
        url: Router address, ``ws://HOST:PORT/ws``, or ``wss://HOST:PORT/ws`` with the next two.
        realm: WAMP realm to join.
        name: Who we are, for the log.
        credentials: Name and secret for the router's challenge.
        trust: PEM file that says which router to believe (`ocs.tls_trust`); read again for every
            attempt.
        retry_policy: Seconds to wait before attempt n (n from 1), jitter included.
        clock: Gives Unix time in seconds.

    Raises:
        RouterUrlError: The address has another scheme, or no host; or ``wss`` lacks credentials or
            trust, or ``ws`` has them.
        TrustError: The trust file is missing or no PEM file.
    """

    def __init__(
        self,
        reactor: Any,
        url: str,
        realm: str,
        *,
        name: str,
        credentials: Credentials | None = None,
        trust: Path | None = None,
        retry_policy: Callable[[int], float] = default_retry_policy,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._address = RouterAddress.parse(url, credentials, trust)
        self.url = url
        self.realm = realm
        self.name = name
        self._reactor = reactor
        self._retry_policy = retry_policy
        self._clock = clock
        self._procedures: dict[str, Handler] = {}
        self._subscriptions: list[Subscription] = []
        self._join_hooks: list[Callable[[], Awaitable[None]]] = []
        self._status_hooks: list[Callable[[ConnectionStatus], None]] = []
        self._waiting: list[Deferred[None]] = []
        self._session: RouterSession | None = None
        self._joined_once = False
        self._loop: Deferred[None] | None = None
        self._run: object | None = None
        self._status = ConnectionStatus("stopped", clock(), "not started")

    @property
    def status(self) -> ConnectionStatus:
        """What the connection is doing now."""
        return self._status

    @property
    def session_id(self) -> int | None:
        """The router's number for our session while joined."""
        session = self._usable
        return session.session_id if session is not None else None

    @property
    def _usable(self) -> RouterSession | None:
        # A session that said or heard goodbye still has its socket for a moment; what is sent
        # then arrives nowhere.
        session = self._session
        return session if session is not None and session.is_attached() else None

    def on_join(self, func: Callable[[], Awaitable[None]]) -> None:
        """Run `func` after every join, once all procedures and subscriptions are in place."""
        self._join_hooks.append(func)

    def on_status(self, func: Callable[[ConnectionStatus], None]) -> None:
        """Call `func` with every new status."""
        self._status_hooks.append(func)

    def register(self, procedure: str, func: Handler) -> None:
        """Offer `procedure` on every join from now on.

        `func` may be a plain function, ``async def``, or return a Deferred. To be called before
        `start`: a connection that is up announces what it offers as a whole.
        """
        if self._loop is not None:
            raise RuntimeError(f"{procedure} must be registered before the connection is started")
        self._procedures[procedure] = func

    def subscribe(
        self, topic: str, handler: Handler, *, match: str = "exact", with_topic: bool = False
    ) -> Subscription:
        """Receive the events of `topic`, now and after every rejoin.

        Args:
            topic: Topic URI; with ``match="wildcard"`` empty components match anything.
            handler: Called with the event's arguments, after the concrete topic `with_topic`.
            match: ``exact``, ``prefix`` or ``wildcard``.
            with_topic: Whether the handler wants to know the topic.
        """
        subscription = Subscription(topic, handler, match, with_topic, self._forget)
        self._subscriptions.append(subscription)
        session = self._usable
        if session is not None:
            Deferred.fromCoroutine(subscription.apply(session)).addErrback(
                lambda failure: _not_subscribed(topic, failure)
            )
        return subscription

    def _forget(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def start(self) -> None:
        """Begin to connect; returns at once, and keeps trying for ever."""
        if self._loop is not None:
            raise RuntimeError(f"the connection of {self.name} is already started")
        self._run = run = object()
        self._loop = Deferred.fromCoroutine(self._keep_connected(run))

    async def stop(self) -> None:
        """Leave the router and do not come back."""
        loop, self._loop, self._run = self._loop, None, None
        self._set_status("stopped", "stopped")
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.errback(NotConnected(f"{self.name} was stopped before it was connected"))
        if loop is not None:
            loop.cancel()
            with contextlib.suppress(CancelledError, ConnectingCancelledError):
                await loop

    def when_connected(self) -> Deferred[None]:
        """Fire once connected (at once if it is already so)."""
        waiter: Deferred[None] = Deferred()
        if self._status.state == "connected":
            waiter.callback(None)
        else:
            self._waiting.append(waiter)
        return waiter

    async def call(
        self, procedure: str, *args: Any, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Call a remote procedure.

        Args:
            procedure: Its URI.
            *args: Positional arguments.
            timeout: Seconds to wait for the answer; None waits as long as the callee takes.
            **kwargs: Keyword arguments (a remote argument called ``timeout`` can be given
                through `call_with`).

        Raises:
            NotConnected: No session at the moment, or lost before the answer came.
            CallTimeout: No answer within `timeout`.
            NotSendable: The arguments cannot be sent, or `procedure` is no URI.
            ApplicationError: The router or the callee answered with an error.
        """
        return await self.call_with(procedure, args, kwargs, timeout=timeout)

    async def call_with(
        self,
        procedure: str,
        args: tuple[Any, ...] | list[Any] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> Any:
        """As `call`, with the remote arguments kept apart from ours."""
        session = self._usable
        if session is None:
            raise NotConnected(f"not connected to {self.url}: cannot call {procedure}")
        try:
            answer = session.call(procedure, *args, **(kwargs or {}))
            if timeout is not None:
                answer.addTimeout(timeout, self._reactor)
            return await answer
        except DeferredTimeout:
            raise CallTimeout(f"{procedure} did not answer within {timeout:g} s") from None
        except _UNSENDABLE as error:
            raise NotSendable(f"cannot call {procedure}: {error}") from error
        except GONE as error:
            raise NotConnected(f"connection lost while calling {procedure}") from error
        except ApplicationError as error:
            if error.error == ApplicationError.CANCELED and self._usable is not session:
                raise NotConnected(f"connection lost while calling {procedure}") from error
            raise

    def publish(self, topic: str, *args: Any) -> bool:
        """Publish an event without acknowledgement.

        Returns:
            False if there is no connection: the event was not sent.

        Raises:
            NotSendable: An argument cannot be sent, or is larger than `MAX_MESSAGE_BYTES`.
        """
        session = self._usable
        if session is None:
            return False
        try:
            session.publish(topic, *args)
        except GONE:
            return False
        except _UNSENDABLE as error:
            raise NotSendable(f"cannot publish to {topic}: {error}") from error
        return True

    async def _keep_connected(self, run: object) -> None:
        failures = 0
        while True:
            self._set_status("connecting", self._status.reason, self._status.error)
            try:
                await self._connect_and_stay()
            except (ConnectError, ConnectionClosed, DNSLookupError) as error:
                reason, uri = f"cannot reach {self.url}: {error}", ""
                failures += 1
            except JoinFailed as error:
                reason, uri = str(error), error.uri
                failures += 1
            except TrustError as error:
                reason, uri = f"cannot reach {self.url}: {error}", ""
                failures += 1
            except (CancelledError, ConnectingCancelledError):
                raise
            except Exception as error:  # noqa: BLE001 - a program without a connection is dead
                _log.failure("{name}: connecting failed in an unforeseen way", name=self.name)
                reason, uri = f"{type(error).__name__}: {error}", ""
                failures += 1
            else:
                reason, uri = f"connection to {self.url} lost", ""
                failures = 1
            if self._run is not run:
                # Cancelling a name's resolution looks like a name that does not exist.
                return
            self._set_status("connecting", reason, uri)
            await deferLater(self._reactor, self._retry_policy(failures), lambda: None)

    async def _connect_and_stay(self) -> None:
        """Connect, join and register, then return when the connection is lost."""
        link = await RouterLink.open(self._reactor, self._address, self.realm)
        session = link.session
        link.lost.addCallback(lambda _: self._forget_session(session))
        try:
            details = await link.join(self._procedures, self._subscriptions)
            self._joined(session, details)
            await link.lost
        finally:
            self._forget_session(session)
            await link.leave()

    def _joined(self, session: RouterSession, details: SessionDetails) -> None:
        _log.info("transport connected")
        _log.info("session joined: {details}", details=describe(details))
        self._session = session
        self._joined_once = True
        self._set_status("connected", f"joined {self.realm} at {self.url}")
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)
        for hook in self._join_hooks:
            Deferred.fromCoroutine(_run_hook(hook))

    def _forget_session(self, session: RouterSession) -> None:
        if self._session is session:
            self._session = None

    def _set_status(self, state: Any, reason: str, error: str = "") -> None:
        old = self._status
        if (old.state, old.reason, old.error) == (state, reason, error):
            return
        since = old.since if old.state == state else self._clock()
        self._status = ConnectionStatus(state, since, reason, error)
        if state == "connecting" and old.reason != reason:
            # A router that has never been there may just be starting.
            level = LogLevel.warn if self._joined_once else LogLevel.info
            _log.emit(level, "{name}: {reason}; trying again", name=self.name, reason=reason)
        for hook in self._status_hooks:
            try:
                hook(self._status)
            except Exception:  # noqa: BLE001 - it is others' code and must not cost the connection
                _log.failure("a listener to the connection's status failed")


def _not_subscribed(topic: str, failure: Failure) -> None:
    # A session that has just gone is no reason to worry: the next one gets the subscription too.
    if not isinstance(failure.value, GONE):
        _log.error("cannot subscribe to {topic}: {why}", topic=topic, why=failure.value)


async def _run_hook(hook: Callable[[], Awaitable[None]]) -> None:
    try:
        await hook()
    except Exception:  # noqa: BLE001 - it is others' code; what it breaks is said in the log
        _log.failure("a task of the new session failed")
