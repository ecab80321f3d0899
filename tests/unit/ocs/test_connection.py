"""What of a connection needs no router; the rest is in tests/integration/test_connection.py."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock

from ocs.connection import Connection, NotConnected, RouterUrlError


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


def test_subscriptions_may_come_and_go_while_the_router_answers() -> None:
    link = connection()
    session = FakeSession()
    first, second, third = (link.subscribe(topic, print) for topic in ("t.1", "t.2", "t.3"))
    joining = Deferred.fromCoroutine(link._join(session))  # type: ignore[arg-type]
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
    session.answer()
    assert session.topics == ["t.2", "t.4"]
    assert joining.called
    assert link.status.state == "connected"
    link.subscribe("t.5", print)
    session.answer()
    second.cancel()
    assert session.topics == ["t.4", "t.5"]


def test_a_listener_that_fails_costs_nothing() -> None:
    link = connection()
    told: list[str] = []

    def failing(status: Any) -> None:
        raise KeyError

    link.on_status(failing)
    link.on_status(lambda status: told.append(status.state))
    link.start()
    assert told == ["connecting"]
