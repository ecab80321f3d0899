"""One socket to the router with one WAMP session on it, from the first byte to the last."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from autobahn.twisted.websocket import WampWebSocketClientFactory, WampWebSocketClientProtocol
from autobahn.wamp.exception import ApplicationError, SessionNotReady
from autobahn.wamp.serializer import CBORSerializer, MsgPackSerializer
from autobahn.wamp.types import SessionDetails
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.python.failure import Failure

from ocs.errors import OcsError
from ocs.router_address import RouterAddress
from ocs.tls_trust import TrustError, explain_tls_error
from ocs.wamp_session import GONE, Handler, RouterSession, Subscription, answering, explain

__all__ = ["LEAVE_TIMEOUT_S", "MAX_MESSAGE_BYTES", "JoinFailed", "RouterLink"]

MAX_MESSAGE_BYTES = 16 * 2**20
"""Largest WebSocket message we send or accept; the router's configuration has the same number.

Left to its default, autobahn refuses more than 1 MiB and the request behind it hangs for ever
(spec/sisock-protocol.md, 2.2).
"""

CONNECT_TIMEOUT_S = 5.0
PING_INTERVAL_S = 10.0
PING_TIMEOUT_S = 5.0
LEAVE_TIMEOUT_S = 1.0


class JoinFailed(OcsError):
    """The router is there but the session could not be set up.

    Args:
        message: Why, for people.
        uri: WAMP error URI, if the router gave one.
    """

    def __init__(self, message: str, uri: str = "") -> None:
        super().__init__(message)
        self.uri = uri


class _Protocol(WampWebSocketClientProtocol):  # type: ignore[misc]
    """autobahn's protocol, which keeps why the socket was lost to itself."""

    lost_because: BaseException | None = None

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        self.lost_because = reason.value
        super().connectionLost(reason)


class RouterLink:
    """An open socket to the router; made by `open`.

    Attributes:
        session: The WAMP session on it.
        lost: Fires when the socket is closed.
    """

    def __init__(
        self, reactor: Any, address: RouterAddress, session: RouterSession, protocol: Any
    ) -> None:
        self.session = session
        self.lost: Deferred[None] = Deferred()
        self._reactor = reactor
        self._url = address.url
        self._protocol = protocol
        protocol.is_closed.addCallback(self._closed)

    @classmethod
    async def open(cls, reactor: Any, address: RouterAddress, realm: str) -> Self:
        """Connect; the session is not joined yet.

        Raises:
            ConnectError, DNSLookupError: There is nobody to connect to.
            TrustError: The file of trusted certificates is of no use any more.
        """
        session = RouterSession(realm, address.credentials)
        factory = WampWebSocketClientFactory(
            lambda: session, url=address.url, serializers=[MsgPackSerializer(), CBORSerializer()]
        )
        factory.protocol = _Protocol
        factory.setProtocolOptions(
            maxFramePayloadSize=MAX_MESSAGE_BYTES,
            maxMessagePayloadSize=MAX_MESSAGE_BYTES,
            autoPingInterval=PING_INTERVAL_S,
            autoPingTimeout=PING_TIMEOUT_S,
            openHandshakeTimeout=CONNECT_TIMEOUT_S,
            closeHandshakeTimeout=LEAVE_TIMEOUT_S,
        )
        protocol = await address.endpoint(reactor, CONNECT_TIMEOUT_S).connect(factory)
        # autobahn 26.10.2 asks for this before the transport exists and swallows the error;
        # with Nagle's algorithm on, the 99th percentile of an event is 46 ms instead of 5.
        protocol.transport.setTcpNoDelay(True)
        return cls(reactor, address, session, protocol)

    def _closed(self, _: Any) -> None:
        session = self.session
        if not session.joined.called:
            session.joined.errback(self._refusal())
        self.lost.callback(None)

    def _refusal(self) -> JoinFailed:
        because = self._protocol.lost_because
        if isinstance(because, TrustError):
            return JoinFailed(f"{self._url} is not trusted: {because}")
        if isinstance(because, SSL.Error):
            return JoinFailed(f"cannot talk to {self._url}: {explain_tls_error(because)}")
        session = self.session
        why = session.end_reason or (
            "it closed the socket before the session was joined (ws:// is for the plain port, 8001 "
            "by default, wss:// for the TLS port, 8080)"
        )
        return JoinFailed(f"{self._url} refused the session: {why}", session.end_error)

    async def join(
        self, procedures: Mapping[str, Handler], subscriptions: Sequence[Subscription]
    ) -> SessionDetails:
        """Wait for the session, then put all procedures and subscriptions in place.

        Raises:
            JoinFailed: The router, or what should be the router, refused.
        """
        session = self.session
        session.joined.addTimeout(CONNECT_TIMEOUT_S, self._reactor)
        try:
            details = await session.joined
        except DeferredTimeout:
            raise JoinFailed(f"{self._url} did not answer the request to join") from None
        try:
            for procedure, func in procedures.items():
                await session.register(answering(func), procedure)
            # The list may change while the router answers.
            applied: set[Subscription] = set()
            while missing := [s for s in subscriptions if s not in applied]:
                applied.add(missing[0])
                await missing[0].apply(session)
        except ApplicationError as error:
            raise JoinFailed(f"{self._url}: {explain(error)}", error.error) from error
        except (*GONE, SessionNotReady):
            raise JoinFailed(f"connection to {self._url} lost while joining") from None
        return details

    async def leave(self) -> None:
        """Say goodbye if there is still somebody to say it to, and close the socket."""
        protocol, session = self._protocol, self.session
        # Not `lost.called`: a cancelled Deferred counts as called.
        if protocol.is_closed.called:
            return
        gone: Deferred[None] = Deferred()
        protocol.is_closed.addCallback(lambda _: gone.callback(None))
        gone.addTimeout(LEAVE_TIMEOUT_S, self._reactor)
        try:
            if session.is_attached():
                session.leave()
            else:
                # Nobody on the other side knows us yet.
                protocol.transport.abortConnection()
            await gone
        except (DeferredTimeout, *GONE):
            pass
        finally:
            # Also if we are cancelled here: `stop` may come while a refused session ends.
            if not protocol.is_closed.called:
                protocol.transport.abortConnection()
