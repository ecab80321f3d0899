"""The connection against a real router that comes, goes and misbehaves."""

import contextlib
import gc
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.wamp.exception import ApplicationError
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, globalLogPublisher

from ocs.connection import CallTimeout, Connection, NotConnected, NotSendable
from ocs.testing import ReactorThread, RouterProcess, free_port, wait_for

STOP_S = 1.5
"""How long any stop may take: a second is what a router gets to say goodbye."""


def kill_router(router: RouterProcess) -> None:
    """End the router as a power cut would: its worker says goodbye to nobody."""
    tasks = Path(f"/proc/{router.pid}/task")
    workers = [
        int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()
    ]
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    router.kill()


@pytest.fixture(autouse=True)
def no_hidden_errors(reactor_thread: ReactorThread) -> Iterator[None]:
    """Nothing may fail unseen, and no socket may be left behind."""
    errors: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_failure") is not None:
            errors.append(event)

    def sockets() -> list[Any]:
        readers: list[Any] = reactor_thread.call(reactor_thread.reactor.getReaders)
        return [reader for reader in readers if isinstance(reader, tcp.Client)]

    before = sockets()
    globalLogPublisher.addObserver(observe)
    yield
    gc.collect()
    # Errors of Deferreds are logged in the reactor's thread.
    reactor_thread.call(lambda: None)
    globalLogPublisher.removeObserver(observe)
    assert [str(event["log_failure"]) for event in errors] == []
    wait_for(lambda: set(sockets()) <= set(before), what="the end of all sockets")


class Links:
    """Connections in the reactor's thread, stopped at the end of the test."""

    def __init__(self, thread: ReactorThread, url: str, realm: str) -> None:
        self.thread = thread
        self.url = url
        self.realm = realm
        self.made: list[Connection] = []

    def make(
        self,
        declare: Callable[[Connection], None] = lambda link: None,
        *,
        url: str | None = None,
        realm: str | None = None,
        wait: bool = True,
    ) -> Connection:
        def start() -> Connection:
            link = Connection(
                self.thread.reactor,
                url or self.url,
                realm or self.realm,
                name="test",
                retry_policy=lambda attempt: 0.05,
            )
            declare(link)
            link.start()
            return link

        link: Connection = self.thread.call(start)
        self.made.append(link)
        if wait:
            self.thread.call(self.connected, link)
        return link

    async def connected(self, link: Connection) -> None:
        await link.when_connected().addTimeout(20, self.thread.reactor)

    def call(self, link: Connection, *args: Any, **kwargs: Any) -> Any:
        return self.thread.call(lambda: Deferred.fromCoroutine(link.call(*args, **kwargs)))

    def publish(self, link: Connection, *args: Any) -> bool:
        sent: bool = self.thread.call(link.publish, *args)
        return sent

    def stop(self, link: Connection) -> float:
        begin = time.monotonic()
        self.thread.call(link.stop)
        return time.monotonic() - begin


@pytest.fixture
def links(reactor_thread: ReactorThread, router: RouterProcess) -> Iterator[Links]:
    links = Links(reactor_thread, router.url, router.realm)
    yield links
    for link in links.made:
        links.stop(link)


def test_the_socket_and_the_protocol(links: Links) -> None:
    link = links.make()

    def look() -> tuple[int, str]:
        protocol = link._session._transport  # type: ignore[union-attr]
        option = protocol.transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        return option, protocol.websocket_protocol_in_use

    option, subprotocol = links.thread.call(look)
    assert option != 0
    assert subprotocol in ("wamp.2.msgpack", "wamp.2.cbor")
    assert link.session_id
    assert link.status.state == "connected"


def test_calls(links: Links) -> None:
    async def coroutine(value: Any) -> Any:
        return value

    def deferred(value: Any) -> "Deferred[Any]":
        answer: Deferred[Any] = Deferred()
        answer.callback(value)
        return answer

    def declare(link: Connection) -> None:
        link.register("observatory.t.plain", lambda value, other=None: [value, other])
        link.register("observatory.t.coroutine", coroutine)
        link.register("observatory.t.deferred", deferred)

    links.make(declare)
    caller = links.make()
    assert links.call(caller, "observatory.t.plain", 1, other=2) == [1, 2]
    assert links.call(caller, "observatory.t.coroutine", "x") == "x"
    assert links.call(caller, "observatory.t.deferred", {"a": [1.5, None]}) == {"a": [1.5, None]}
    with pytest.raises(ApplicationError, match="no_such_procedure"):
        links.call(caller, "observatory.t.nobody")
    for procedure, value in (("observatory.t.plain", object()), ("not a URI", 1)):
        with pytest.raises(NotSendable):
            links.call(caller, procedure, value)
    assert links.call(caller, "observatory.t.plain", 3) == [3, None]


def test_messages_of_two_mebibytes_pass_and_too_large_ones_are_told(links: Links) -> None:
    events: list[bytes] = []

    def declare(link: Connection) -> None:
        link.register("observatory.big.echo", lambda value: value)
        link.subscribe("observatory.big.topic", events.append)

    receiver = links.make(declare)
    sender = links.make()
    big = os.urandom(2 * 2**20)
    assert links.call(sender, "observatory.big.echo", big) == big
    assert links.publish(sender, "observatory.big.topic", big)
    wait_for(lambda: events == [big], what="the event")
    session = sender.session_id
    with pytest.raises(NotSendable, match=r"cannot publish to observatory\.big\.topic"):
        links.publish(sender, "observatory.big.topic", "x" * 17 * 2**20)
    with pytest.raises(NotSendable, match="cannot publish"):
        links.publish(sender, "observatory.big.topic", object())
    assert links.publish(sender, "observatory.big.topic", b"small")
    wait_for(lambda: events == [big, b"small"], what="the small event")
    assert (sender.session_id, receiver.status.state) == (session, "connected")


def test_a_call_that_is_not_answered(links: Links) -> None:
    never: list[Deferred[None]] = []

    def silent() -> "Deferred[None]":
        never.append(Deferred())
        return never[-1]

    def declare(link: Connection) -> None:
        link.register("observatory.t.silent", silent)
        link.register("observatory.t.quick", lambda: 1)

    callee = links.make(declare)
    caller = links.make()
    with pytest.raises(CallTimeout, match=r"observatory\.t\.silent did not answer within 0\.1 s"):
        links.call(caller, "observatory.t.silent", timeout=0.1)
    assert links.call(caller, "observatory.t.quick", timeout=5) == 1

    lost: list[Any] = []

    def wait_and_lose() -> None:
        waiting = Deferred.fromCoroutine(caller.call("observatory.t.silent"))
        waiting.addErrback(lost.append)

    links.thread.call(wait_and_lose)
    wait_for(lambda: len(never) == 2, what="the call")
    links.stop(caller)
    wait_for(lambda: lost, what="the caller to be told")
    assert isinstance(lost[0].value, NotConnected)
    for waiting in never:
        links.thread.call(lambda waiting=waiting: waiting.called or waiting.callback(None))
    links.stop(callee)


def test_subscriptions(links: Links) -> None:
    got: list[Any] = []

    def failing(*args: Any) -> None:
        got.append(("failing", *args))

    receiver = links.make(lambda link: None)
    sender = links.make()

    def subscribe() -> Any:
        receiver.subscribe(
            "observatory..feeds.f", lambda *a: got.append(a), match="wildcard", with_topic=True
        )
        return receiver.subscribe("observatory.a.feeds.f", failing)

    exact = links.thread.call(subscribe)

    def arrives() -> bool:
        links.publish(sender, "observatory.a.feeds.f", "probe")
        return ("failing", "probe") in got and ("observatory.a.feeds.f", "probe") in got

    wait_for(arrives, what="both subscriptions")
    links.thread.call(exact.cancel)
    got.clear()
    links.publish(sender, "observatory.a.feeds.f", 1)
    links.publish(sender, "observatory.b.feeds.f", 2)
    wait_for(lambda: got and got[-1][-1] == 2, what="the last event")
    assert ("failing", 1) not in got
    assert got[-2:] == [("observatory.a.feeds.f", 1), ("observatory.b.feeds.f", 2)]


def test_a_taken_procedure_is_retried_until_it_is_free(links: Links) -> None:
    def declare(link: Connection) -> None:
        link.register("observatory.taken", lambda: link.session_id)

    first = links.make(declare)
    second = links.make(declare, wait=False)
    taken = "wamp.error.procedure_already_exists"
    wait_for(lambda: second.status.error == taken, what="the refusal")
    assert second.status.state == "connecting"
    assert "is another copy of this program running?" in second.status.reason
    since = second.status.since
    caller = links.make()
    assert links.call(caller, "observatory.taken") == first.session_id
    assert second.status.since == since, "since when it is not connected"
    links.stop(first)
    links.thread.call(links.connected, second)
    assert links.call(caller, "observatory.taken") == second.session_id
    assert second.status.error == ""


@pytest.mark.parametrize("realm", ["no_such_realm"])
def test_a_refused_session_says_why(links: Links, realm: str) -> None:
    link = links.make(realm=realm, wait=False)
    wait_for(lambda: "no_such_realm" in link.status.error, what="the reason")
    assert "refused the session" in link.status.reason


class Deaf(WebSocketServerProtocol):  # type: ignore[misc]
    """Speaks WebSocket and never answers a word of WAMP."""

    def onConnect(self, request: Any) -> Any:
        return request.protocols[0]

    def onMessage(self, payload: bytes, *_: Any) -> None:
        heard.append(payload)


heard: list[bytes] = []


@contextlib.contextmanager
def deaf_websocket(thread: ReactorThread) -> Iterator[int]:
    def listen() -> Any:
        factory = WebSocketServerFactory()
        factory.protocol = Deaf
        factory.setProtocolOptions(closeHandshakeTimeout=0.1)
        return thread.reactor.listenTCP(0, factory, interface="127.0.0.1")

    port = thread.call(listen)
    try:
        yield port.getHost().port
    finally:
        thread.call(port.stopListening)


@contextlib.contextmanager
def silent_tcp(thread: ReactorThread) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextlib.contextmanager
def full_backlog(thread: ReactorThread) -> Iterator[int]:
    """A port at which TCP itself does not answer."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@contextlib.contextmanager
def closed_port(thread: ReactorThread) -> Iterator[int]:
    yield free_port()


@pytest.mark.parametrize("state", [closed_port, full_backlog, silent_tcp, deaf_websocket])
def test_stop_while_connecting(
    links: Links, state: Callable[[ReactorThread], contextlib.AbstractContextManager[int]]
) -> None:
    with state(links.thread) as port:
        link = links.make(url=f"ws://127.0.0.1:{port}/ws", wait=False)
        waiting: list[Any] = []
        links.thread.call(lambda: link.when_connected().addErrback(waiting.append) and None)

        def underway() -> bool:
            if state is closed_port:
                return "cannot reach" in link.status.reason
            clients = [
                reader
                for reader in links.thread.call(links.thread.reactor.getReaders)
                if isinstance(reader, tcp.Client) and reader.getPeer().port == port
            ]
            if state is deaf_websocket:
                return bool(heard)
            return state is full_backlog or bool(clients)

        wait_for(underway, what="the attempt")
        assert links.stop(link) < STOP_S
        assert link.status.state == "stopped"
        assert isinstance(waiting[0].value, NotConnected)


def test_stop_while_joined_leaves_the_router(links: Links, router: RouterProcess) -> None:
    def declare(link: Connection) -> None:
        link.register("observatory.gone", lambda: 1)

    link = links.make(declare)
    caller = links.make()
    assert links.call(caller, "observatory.gone") == 1
    assert links.stop(link) < STOP_S
    assert link.session_id is None
    assert not links.publish(link, "observatory.t", 1)
    with pytest.raises(ApplicationError, match="no_such_procedure"):
        links.call(caller, "observatory.gone")
    assert links.stop(link) < 0.1, "a second stop has nothing to do"
    links.thread.call(link.start)
    links.thread.call(links.connected, link)
    assert links.call(caller, "observatory.gone") == 1


def test_stop_while_refused(links: Links) -> None:
    def declare(link: Connection) -> None:
        link.register("observatory.taken", lambda: None)

    links.make(declare)
    for attempt in range(10):
        second = links.make(declare, wait=False)
        if attempt % 2:
            wait_for(lambda link=second: link.status.error, what="the refusal")
        assert links.stop(second) < STOP_S


def test_it_all_comes_back_exactly_once(
    links: Links, reactor_thread: ReactorThread, tmp_path: Path
) -> None:
    with RouterProcess(tmp_path) as router:
        links.url = router.url
        events: list[Any] = []
        calls: list[Any] = []
        joins: list[str] = []
        states: list[str] = []

        async def joined() -> None:
            joins.append("joined")

        async def failing() -> None:
            joins.append("failing")

        def declare(link: Connection) -> None:
            link.register("observatory.back", calls.append)
            link.subscribe("observatory.a.feeds.f", events.append)
            link.subscribe("observatory..feeds.g", events.append, match="wildcard")
            link.on_join(failing)
            link.on_join(joined)
            link.on_status(lambda status: states.append(status.state))

        link = links.make(declare)
        other = links.make()
        for round_ in range(2):
            if round_ == 1:
                before = link.session_id
                kill_router(router)
                wait_for(lambda: link.status.state == "connecting", what="the loss to be noticed")
                assert not links.publish(link, "observatory.a.feeds.f", "nobody")
                router.start()
                for connection in (link, other):
                    reactor_thread.call(links.connected, connection)
                assert link.session_id != before
            events.clear()
            calls.clear()
            for number in range(50):
                assert links.publish(other, "observatory.a.feeds.f", number)
                assert links.publish(other, "observatory.a.feeds.g", -number)
            links.call(other, "observatory.back", "last")
            wait_for(lambda: len(events) >= 100, what="all events")
            links.call(other, "observatory.back", "really the last")
            assert events == [sign * number for number in range(50) for sign in (1, -1)]
            assert calls == ["last", "really the last"]
        assert joins == ["failing", "joined"] * 2
        assert states[0] == "connecting"
        assert states[-1] == "connected"
        for connection in (link, other):
            links.stop(connection)
