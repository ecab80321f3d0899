"""One WAMP session and what lives on it; `ocs.connection` makes one after the other of them."""

import contextlib
from collections.abc import Callable
from typing import Any

import attrs
from autobahn.exception import Disconnected
from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp.auth import AuthWampCra
from autobahn.wamp.exception import ApplicationError, TransportLost
from autobahn.wamp.types import (
    Challenge,
    CloseDetails,
    ComponentConfig,
    SessionDetails,
    SubscribeOptions,
)
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocs.credentials import Credentials

__all__ = ["GONE", "Handler", "RouterSession", "Subscription", "answering", "describe", "explain"]

Handler = Callable[..., Any]

log = Logger(namespace="ocs.connection")

# autobahn says the first when the session has gone, the second while the socket is closing.
GONE = (TransportLost, Disconnected)

_NOT_LET_IN = (
    ApplicationError.NOT_AUTHORIZED,
    ApplicationError.AUTHENTICATION_FAILED,
    ApplicationError.NO_AUTH_METHOD,
)


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
    """One WAMP session, from the opened socket to its end.

    Args:
        realm: The realm to join.
        credentials: For the router's challenge; None joins as anybody.
    """

    def __init__(self, realm: str, credentials: Credentials | None = None) -> None:
        super().__init__(ComponentConfig(realm=realm))
        self._credentials = credentials
        self.joined: Deferred[SessionDetails] = Deferred()
        self.end_reason = ""
        self.end_error = ""

    def onConnect(self) -> None:  # noqa: N802
        """Ask to join; with credentials by challenge and response, and not otherwise."""
        if self._credentials is None:
            self.join(self.config.realm)
        else:
            self.join(self.config.realm, authmethods=["wampcra"], authid=self._credentials.authid)

    def onChallenge(self, challenge: Challenge) -> str:  # noqa: N802
        """Prove that we know the secret."""
        if self._credentials is None or challenge.method != "wampcra":
            raise ApplicationError(
                ApplicationError.AUTHENTICATION_FAILED,
                f"the router asks for {challenge.method}, which this program has no secret for",
            )
        known = AuthWampCra(authid=self._credentials.authid, secret=self._credentials.secret)
        answer: str = known.on_challenge(self, challenge)
        return answer

    def onJoin(self, details: SessionDetails) -> None:  # noqa: N802
        """Tell the connection that the session is usable."""
        self.joined.callback(details)

    def onLeave(self, details: CloseDetails) -> None:  # noqa: N802
        """Keep the router's reason, then close the socket."""
        self.end_error = details.reason or ""
        self.end_reason = explain_refusal(
            self.end_error, details.message or details.reason or "session closed", self._credentials
        )
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


def explain_refusal(error: str, text: str, credentials: Credentials | None) -> str:
    """Say why the router did not let us in, and what helps."""
    if credentials is None:
        if error in _NOT_LET_IN:
            return f"{text} (this port wants a name and a secret: they go with wss://)"
        return text
    if error in _NOT_LET_IN:
        return (
            f"{text} (does it know {credentials.authid!r} with the secret that is given here? "
            "./setup-tls.sh makes secrets; the router reads them when it starts)"
        )
    return text


def describe(details: SessionDetails) -> str:
    """Describe a session as upstream's agents log it."""
    return (
        f"SessionDetails(realm=<{details.realm}>, session={details.session}, "
        f"authid=<{details.authid}>, authrole=<{details.authrole}>, "
        f"authmethod={details.authmethod}, authprovider={details.authprovider})"
    )
