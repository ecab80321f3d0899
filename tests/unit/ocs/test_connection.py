"""What of a connection needs no router; the rest is in tests/integration/test_connection.py."""

from pathlib import Path
from typing import Any

import pytest
from support.certificates import Issued
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock

from ocs.connection import Connection, NotConnected, RouterUrlError
from ocs.credentials import Credentials
from ocs.router_address import RouterAddress
from ocs.router_link import RouterLink
from ocs.tls_trust import TrustError


def connection(reactor: Any = None, url: str = "ws://127.0.0.1:8001/ws") -> Connection:
    return Connection(reactor or MemoryReactorClock(), url, "realm", name="test")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8001",
        "http://localhost/ws",
        "ws://",
        "ws://:8001/ws",
        "ws://host:port/ws",
        "ws://host:99999/ws",
        "ws://[::1/ws",
        "ws://host/ws#part",
        "ws://user@host/ws",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(RouterUrlError, match="expected something like ws://localhost:8001/ws"):
        connection(url=url)


@pytest.mark.parametrize("url", ["ws://host/ws", "ws://[::1]:8001/ws", "ws://10.0.0.1:1/"])
def test_addresses(url: str) -> None:
    assert connection(url=url).url == url


def test_tls_needs_a_secret_and_somebody_to_trust(tmp_path: Path) -> None:
    ca = tmp_path / "ca_cert.pem"
    ca.write_bytes(Issued.make("a CA", authority=True).pem)
    reactor, who = MemoryReactorClock(), Credentials("server", "s3cret")
    safe, plain = "wss://sisock_crossbar:8080/ws", "ws://sisock_crossbar:8001/ws"

    def connect(url: str, **more: Any) -> Connection:
        return Connection(reactor, url, "realm", name="test", **more)

    assert connect(safe, credentials=who, trust=ca).url == safe
    with pytest.raises(RouterUrlError, match=r"needs credentials .* and a file of trusted"):
        connect(safe)
    with pytest.raises(RouterUrlError, match=r"needs a file of trusted.*setup-tls\.sh"):
        connect(safe, credentials=who)
    with pytest.raises(RouterUrlError, match="needs credentials"):
        connect(safe, trust=ca)
    for more in ({"credentials": who}, {"trust": ca}):
        with pytest.raises(RouterUrlError, match="is not encrypted"):
            connect(plain, **more)
    with pytest.raises(TrustError, match=r"cannot read the certificates in .*nowhere"):
        connect(safe, credentials=who, trust=tmp_path / "nowhere")
    ca.write_text("no certificate")
    with pytest.raises(TrustError, match="holds no certificate"):
        connect(safe, credentials=who, trust=ca)


def test_a_secret_is_never_shown() -> None:
    assert "s3cret" not in f"{Credentials('server', 's3cret')} {Credentials('server', 's3cret')!r}"


def test_before_the_start() -> None:
    link = connection()
    assert (link.status.state, link.session_id) == ("stopped", None)
    assert link.publish("a.b", 1) is False
    failures: list[Any] = []
    Deferred.fromCoroutine(link.call("a.b")).addErrback(failures.append)
    assert isinstance(failures[0].value, NotConnected)


def test_procedures_are_declared_before_the_start() -> None:
    link = connection()
    link.start()
    with pytest.raises(RuntimeError, match="before the connection is started"):
        link.register("a.b", lambda: None)
    with pytest.raises(RuntimeError, match="already started"):
        link.start()


class FakeSubscription:
    active = True

    def __init__(self, session: "FakeSession", topic: str) -> None:
        self.session, self.topic = session, topic

    def unsubscribe(self) -> "Deferred[None]":
        self.session.topics.remove(self.topic)
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done


class FakeSession:
    """Answers subscriptions when told to."""

    session_id = 7

    def __init__(self) -> None:
        self.joined: Deferred[Any] = Deferred()
        self.topics: list[str] = []
        self.waiting: list[tuple[str, Deferred[Any]]] = []

    def subscribe(self, handler: Any, topic: str, options: Any) -> "Deferred[Any]":
        self.waiting.append((topic, Deferred()))
        return self.waiting[-1][1]

    def is_attached(self) -> bool:
        return True

    def answer(self) -> None:
        topic, waiting = self.waiting.pop(0)
        self.topics.append(topic)
        waiting.callback(FakeSubscription(self, topic))


class Details:
    realm = session = authid = authrole = authmethod = authprovider = "x"


class FakeProtocol:
    def __init__(self) -> None:
        self.is_closed: Deferred[None] = Deferred()


def test_subscriptions_may_come_and_go_while_the_router_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reactor = MemoryReactorClock()
    link = connection(reactor)
    session: Any = FakeSession()
    protocol = FakeProtocol()

    async def opened(_: Any, address: RouterAddress, __: str) -> RouterLink:
        return RouterLink(reactor, address, session, protocol)

    monkeypatch.setattr(RouterLink, "open", opened)
    first, second, third = (link.subscribe(topic, print) for topic in ("t.1", "t.2", "t.3"))
    link.start()
    session.joined.callback(Details())
    assert [topic for topic, _ in session.waiting] == ["t.1"]
    first.cancel()
    first.cancel()
    link.subscribe("t.4", print)
    session.answer()
    assert session.topics == [], "cancelled while it was being answered"
    session.answer()
    session.answer()
    third.cancel()
    assert link.status.state == "connecting"
    session.answer()
    assert session.topics == ["t.2", "t.4"]
    assert link.status.state == "connected"
    link.subscribe("t.5", print)
    session.answer()
    second.cancel()
    assert session.topics == ["t.4", "t.5"]
    protocol.is_closed.callback(None)
    assert (link.status.state, link.session_id) == ("connecting", None)
    Deferred.fromCoroutine(link.stop())
    assert link.status.state == "stopped"


def test_a_listener_that_fails_costs_nothing() -> None:
    link = connection()
    told: list[str] = []

    def failing(status: Any) -> None:
        raise KeyError

    link.on_status(failing)
    link.on_status(lambda status: told.append(status.state))
    link.start()
    assert told == ["connecting"]
