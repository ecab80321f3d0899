"""One WAMP session and what lives on it; `ocs.connection` makes one after the other of them."""

import contextlib
from collections.abc import Callable
from typing import Any

import attrs
from autobahn.exception import Disconnected
from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp.exception import ApplicationError, TransportLost
from autobahn.wamp.types import CloseDetails, ComponentConfig, SessionDetails, SubscribeOptions
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["GONE", "Handler", "RouterSession", "Subscription", "answering", "describe", "explain"]

Handler = Callable[..., Any]

log = Logger(namespace="ocs.connection")

# autobahn says the first when the session has gone, the second while the socket is closing.
GONE = (TransportLost, Disconnected)


@attrs.define(eq=False)
class Subscription:
    """One declared subscription; stays declared over reconnects until cancelled."""

    topic: str
    handler: Handler
    match: str
    with_topic: bool
    _forget: Callable[["Subscription"], None]
    _live: Any = None
    _cancelled: bool = False

    def cancel(self) -> None:
        """End the subscription, now and on every later join."""
        self._cancelled = True
        self._forget(self)
        self._release()

    async def apply(self, session: ApplicationSession) -> None:
        """Subscribe on a session that has just been joined."""
        options = SubscribeOptions(match=self.match, details=True)
        self._live = await session.subscribe(self._deliver, self.topic, options)
        if self._cancelled:
            # While the router was being asked.
            self._release()

    def _release(self) -> None:
        live, self._live = self._live, None
        if live is not None and live.active:
            Deferred.fromCoroutine(_unsubscribe(live))

    def _deliver(self, *args: Any, details: Any, **kwargs: Any) -> Any:
        if self._cancelled:
            # On its way when the subscription ended.
            return None
        if self.with_topic:
            return self.handler(details.topic, *args, **kwargs)
        return self.handler(*args, **kwargs)


class RouterSession(ApplicationSession):  # type: ignore[misc]
    """One WAMP session, from the opened socket to its end."""

    def __init__(self, realm: str) -> None:
        super().__init__(ComponentConfig(realm=realm))
        self.joined: Deferred[SessionDetails] = Deferred()
        self.end_reason = ""
        self.end_error = ""

    def onJoin(self, details: SessionDetails) -> None:  # noqa: N802
        """Tell the connection that the session is usable."""
        self.joined.callback(details)

    def onLeave(self, details: CloseDetails) -> None:  # noqa: N802
        """Keep the router's reason, then close the socket."""
        self.end_error = details.reason or ""
        self.end_reason = details.message or details.reason or "session closed"
        self.disconnect()

    def onUserError(self, fail: Failure, msg: str) -> None:  # noqa: N802
        """Log what one of our own handlers raised; autobahn answers the caller."""
        if isinstance(fail.value, CancelledError):
            # The caller gave up or went away.
            return
        log.failure("a message handler failed: {msg}", failure=fail, msg=msg)


async def _unsubscribe(live: Any) -> None:
    # The session may go away under this; there is nothing left to undo then.
    with contextlib.suppress(*GONE, ApplicationError):
        await live.unsubscribe()


def answering(func: Handler) -> Handler:
    """Let autobahn call plain functions, coroutines and Deferred-returning ones alike."""

    def endpoint(*args: Any, **kwargs: Any) -> Deferred[Any]:
        return maybeDeferred(func, *args, **kwargs)

    return endpoint


def explain(error: ApplicationError) -> str:
    """Say what the router refused, and what may be the reason."""
    text = str(error.args[0]) if error.args else error.error
    if error.error == "wamp.error.procedure_already_exists":
        return f"{text} (is another copy of this program running?)"
    if error.error == ApplicationError.NOT_AUTHORIZED:
        return f"{text} (do the realm and the address root agree with the router's configuration?)"
    return text


def describe(details: SessionDetails) -> str:
    """Describe a session as upstream's agents log it."""
    return (
        f"SessionDetails(realm=<{details.realm}>, session={details.session}, "
        f"authid=<{details.authid}>, authrole=<{details.authrole}>, "
        f"authmethod={details.authmethod}, authprovider={details.authprovider})"
    )
