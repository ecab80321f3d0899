"""Which servers are trusted, by real TLS handshakes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.certificates import Issued
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from zope.interface import implementer

from ocs.connection import Connection
from ocs.credentials import Credentials
from ocs.router_address import RouterAddress
from ocs.testing import ReactorThread, wait_for

AUTHORITY = Issued.make("an authority", authority=True)
OTHER = Issued.make("another authority", authority=True)
ISSUED = Issued.make("router", by=AUTHORITY, names=["localhost", "sisock_crossbar", "127.0.0.1"])
SELF_SIGNED = Issued.make("localhost")


class Greeter(Protocol):
    def connectionMade(self) -> None:
        self.transport.write(b"hello")


class Listener(Protocol):
    """Fires with what it hears, or with why it hears nothing."""

    def __init__(self, heard: "Deferred[bytes]") -> None:
        self.heard = heard

    def dataReceived(self, data: bytes) -> None:
        if not self.heard.called:
            self.heard.callback(data)
        self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        if not self.heard.called:
            self.heard.errback(reason)


Serve = Callable[[Issued], int]


@pytest.fixture
def serve(
    reactor_thread: ReactorThread, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serve]:
    ports: list[Any] = []

    def listen(issued: Issued) -> int:
        files = tmp_path_factory.mktemp("server")
        (files / "cert.pem").write_bytes(issued.pem)
        (files / "key.pem").write_bytes(issued.key_pem)
        options = DefaultOpenSSLContextFactory(str(files / "key.pem"), str(files / "cert.pem"))
        factory = Factory.forProtocol(Greeter)
        port = reactor_thread.call(
            lambda: reactor_thread.reactor.listenSSL(0, factory, options, interface="127.0.0.1")
        )
        ports.append(port)
        number: int = port.getHost().port
        return number

    yield listen
    for port in ports:
        reactor_thread.call(port.stopListening)


def verdict(thread: ReactorThread, port: int, trust: Path, host: str = "localhost") -> str:
    """Connect and say "trusted" or why not."""

    async def ask() -> str:
        heard: Deferred[bytes] = Deferred()
        address = RouterAddress("", host, port, None, trust)
        endpoint = address.endpoint(thread.reactor, 5.0)
        await endpoint.connect(Factory.forProtocol(lambda: Listener(heard)))  # type: ignore[arg-type]
        heard.addCallbacks(lambda data: "trusted", lambda failure: str(failure.value))
        answer: str = await heard
        return answer

    answer: str = thread.call(lambda: Deferred.fromCoroutine(ask()))
    return answer


def pem(directory: Path, *issued: Issued) -> Path:
    path = directory / "trust.pem"
    path.write_bytes(b"".join(one.pem for one in issued))
    return path


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST"])
def test_issued_by_the_authority(
    reactor_thread: ReactorThread, serve: Serve, tmp_path: Path, host: str
) -> None:
    port = serve(ISSUED)
    assert verdict(reactor_thread, port, pem(tmp_path, AUTHORITY), host) == "trusted"
    assert verdict(reactor_thread, port, pem(tmp_path, OTHER, AUTHORITY), host) == "trusted"


def test_somebody_elses(reactor_thread: ReactorThread, serve: Serve, tmp_path: Path) -> None:
    trust = pem(tmp_path, OTHER)
    for issued in (ISSUED, SELF_SIGNED):
        answer = verdict(reactor_thread, serve(issued), trust)
        assert "was not issued by any in" in answer
        assert str(trust) in answer
        assert "copy ca_cert.pem" in answer


def test_another_name(reactor_thread: ReactorThread, serve: Serve, tmp_path: Path) -> None:
    elsewhere = Issued.make("localhost", by=AUTHORITY, names=["lab.example", "10.1.2.3"])
    nameless = Issued.make("localhost", by=AUTHORITY)
    trust = pem(tmp_path, AUTHORITY)
    for host in ("localhost", "127.0.0.1"):
        answer = verdict(reactor_thread, serve(elsewhere), trust, host)
        assert f"is for lab.example, 10.1.2.3, not for {host}" in answer
        assert "for no name at all" in verdict(reactor_thread, serve(nameless), trust, host)


def test_a_pinned_certificate_needs_no_name(
    reactor_thread: ReactorThread, serve: Serve, tmp_path: Path
) -> None:
    """Of either kind: signed by itself, as the seed's sites have it, or by an authority."""
    issued = Issued.make("router", by=OTHER, names=["lab.example"])
    for pinned in (SELF_SIGNED, issued):
        assert verdict(reactor_thread, serve(pinned), pem(tmp_path, pinned)) == "trusted"
    another = Issued.make("router", by=OTHER, names=["localhost"])
    assert "was not issued by any" in verdict(
        reactor_thread, serve(another), tmp_path / "trust.pem"
    )


def test_out_of_time(reactor_thread: ReactorThread, serve: Serve, tmp_path: Path) -> None:
    expired = Issued.make("router", by=AUTHORITY, names=["localhost"], days=(-10, -1))
    answer = verdict(reactor_thread, serve(expired), pem(tmp_path, AUTHORITY))
    assert f"expired on {expired.certificate.not_valid_after_utc:%Y-%m-%d}" in answer
    assert "./setup-tls.sh --renew" in answer
    pinned = Issued.make("localhost", days=(-10, -1))
    assert "expired on" in verdict(reactor_thread, serve(pinned), pem(tmp_path, pinned))
    future = Issued.make("router", by=AUTHORITY, names=["localhost"], days=(1, 9))
    answer = verdict(reactor_thread, serve(future), pem(tmp_path, AUTHORITY))
    assert "is not valid before" in answer
    assert "clocks" in answer


def test_a_name_with_an_underscore(
    reactor_thread: ReactorThread, serve: Serve, tmp_path: Path
) -> None:
    """The seed's router is called sisock_crossbar, which no internet host may be."""
    reactor = reactor_thread.reactor

    @implementer(IHostnameResolver)
    class SeedsNames:
        """Resolves the router's name as the container network's name server does."""

        def __init__(self, real: Any) -> None:
            self.real = real

        def resolveHostName(self, receiver: Any, name: str, *args: Any, **kwargs: Any) -> Any:
            known = "127.0.0.1" if "_" in name else name
            return self.real.resolveHostName(receiver, known, *args, **kwargs)

    real = reactor_thread.call(lambda: reactor.nameResolver)
    reactor_thread.call(lambda: reactor.installNameResolver(SeedsNames(real)))
    try:
        port = serve(ISSUED)
        trust = pem(tmp_path, AUTHORITY)
        assert verdict(reactor_thread, port, trust, "sisock_crossbar") == "trusted"
        assert "not for another_name" in verdict(reactor_thread, port, trust, "another_name")
    finally:
        reactor_thread.call(lambda: reactor.installNameResolver(real))


def test_what_a_connection_says(
    reactor_thread: ReactorThread, serve: Serve, tmp_path: Path
) -> None:
    """It tells, keeps trying, and takes the right file when it comes."""
    trust = pem(tmp_path, OTHER)

    def start(port: int) -> Connection:
        link = Connection(
            reactor_thread.reactor,
            f"wss://localhost:{port}/ws",
            "realm",
            name="test",
            credentials=Credentials("server", "s"),
            trust=trust,
            retry_policy=lambda attempt: 0.05,
        )
        link.start()
        return link

    link = reactor_thread.call(start, serve(ISSUED))
    try:
        wait_for(lambda: "is not trusted: the router's" in link.status.reason, 10, "the reason")
        trust.unlink()
        wait_for(lambda: "cannot read the certificates" in link.status.reason, 10, "the lost file")
        pem(tmp_path, AUTHORITY)
        # It is no router: what is heard from it is no WebSocket.
        wait_for(lambda: "refused the session" in link.status.reason, 10, "the trusted answer")
    finally:
        reactor_thread.call(link.stop)


def test_a_port_without_tls(reactor_thread: ReactorThread, tmp_path: Path) -> None:
    port = reactor_thread.call(
        lambda: reactor_thread.reactor.listenTCP(
            0, Factory.forProtocol(Greeter), interface="127.0.0.1"
        )
    )
    link = Connection(
        reactor_thread.reactor,
        f"wss://localhost:{port.getHost().port}/ws",
        "realm",
        name="test",
        credentials=Credentials("server", "s"),
        trust=pem(tmp_path, AUTHORITY),
    )
    reactor_thread.call(link.start)
    try:
        wait_for(lambda: "no TLS is spoken at this port" in link.status.reason, 10, "the reason")
    finally:
        reactor_thread.call(link.stop)
        reactor_thread.call(port.stopListening)
