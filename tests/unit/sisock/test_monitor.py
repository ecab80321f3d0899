"""The bridge's side of the router, without a router."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from autobahn.wamp.exception import ApplicationError
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ocs.connection import CallTimeout, ConnectionStatus, NotConnected
from sisock import uris
from sisock.cache import RingCache
from sisock.http.monitor import Monitor, Window
from sisock.node import Allowance, answer_data, answer_fields

T0 = 1_800_000_000.0
WINDOW = Window(T0 - 300, T0, 1000)


class Node:
    """A node of ours behind the fake connection."""

    def __init__(self, connection: Any, name: str, *, samples: int = 3000, fields: int = 2) -> None:
        self.cache = RingCache(timeline_name=lambda field: "o." + field, clock=lambda: T0)
        self.allowance = Allowance()
        self.caps = True
        self.asked: list[list[str]] = []
        if samples:
            self.fill(samples, fields)
        connection.procedures[uris.get_fields_uri(name)] = self.get_fields
        connection.procedures[uris.get_data_uri(name)] = self.get_data

    def fill(self, samples: int, fields: int) -> None:
        times = T0 - 300 + np.arange(samples) * (300 / samples)
        columns = {f"f{i}": np.sin(np.arange(samples) + i) for i in range(fields)}
        self.cache.append("b", times, columns)

    def get_fields(self, start: float, end: float) -> Any:
        fields, timelines = answer_fields(self.cache, start, T0 if end == 0 else end)
        if not self.caps:
            for timeline in timelines.values():
                del timeline["caps"]
        return [fields, timelines]

    def get_data(self, field: list[str], start: float, end: float, **more: Any) -> Any:
        assert self.caps or "max_points" not in more
        self.asked.append(field)
        return answer_data(self.cache, field, start, end, **more, allowance=self.allowance)


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.advance(T0)
    return clock


@pytest.fixture
def monitor(connection: Any, clock: Clock) -> Iterator[Monitor]:
    yield Monitor(connection, clock, clock=clock.seconds)


def join(connection: Any) -> None:
    for hook in connection.joined:
        Deferred.fromCoroutine(hook())


def added(connection: Any, name: str) -> None:
    connection.handlers[uris.NODE_ADDED]({"name": name, "description": "about " + name})


def names(monitor: Monitor) -> list[str]:
    return [entry.name for entry in monitor.directory.fields()]


def test_joining_lists_nodes_and_fields(monitor: Monitor, connection: Any) -> None:
    Node(connection, "A")
    connection.procedures[uris.GET_DATA_NODE] = lambda: [
        {"name": "A", "description": "about A"},
        {"name": "dead", "description": None},
    ]
    join(connection)
    assert names(monitor) == ["A::f0", "A::f1"]
    a, dead = monitor.directory.nodes()
    assert (a.connected, a.description, a.reason) == (True, "about A", "")
    assert a.last_time is not None
    assert (dead.connected, dead.reason) == (False, "it is not on the router")


def test_a_late_hub_is_asked_again(monitor: Monitor, connection: Any, clock: Clock) -> None:
    Node(connection, "A")
    join(connection)
    assert names(monitor) == []
    connection.procedures[uris.GET_DATA_NODE] = lambda: [{"name": "A", "description": None}]
    clock.advance(3.1)
    assert names(monitor) == ["A::f0", "A::f1"]


def test_a_node_that_leaves_stays_listed(monitor: Monitor, connection: Any, clock: Clock) -> None:
    Node(connection, "A")
    added(connection, "A")
    clock.advance(5)
    connection.handlers[uris.NODE_SUBTRACTED]({"name": "A", "description": None})
    (node,) = monitor.directory.nodes()
    assert (node.connected, node.since, node.reason) == (False, T0 + 5, "it has left the router")
    assert names(monitor) == ["A::f0", "A::f1"]
    clock.advance(5)
    added(connection, "A")
    (node,) = monitor.directory.nodes()
    assert (node.connected, node.since, node.description) == (True, T0 + 10, "about A")


@pytest.mark.parametrize("event", [(), (None,), ({},), ({"name": 3},), ("A",)])
def test_events_of_strangers_do_nothing(
    monitor: Monitor, connection: Any, event: tuple[Any, ...]
) -> None:
    connection.handlers[uris.NODE_ADDED](*event)
    connection.handlers[uris.NODE_SUBTRACTED](*event)
    assert monitor.directory.nodes() == []


def test_losing_the_router(monitor: Monitor, connection: Any) -> None:
    Node(connection, "A")
    added(connection, "A")
    for hook in connection.status_hooks:
        hook(ConnectionStatus("connecting", T0, "lost"))
    (node,) = monitor.directory.nodes()
    assert not node.connected
    assert "no connection to the router" in node.reason


def test_who_is_gone_after_a_restart_of_the_hub(
    monitor: Monitor, connection: Any, clock: Clock
) -> None:
    Node(connection, "A")
    Node(connection, "B")
    added(connection, "A")
    added(connection, "B")
    connection.procedures[uris.GET_DATA_NODE] = lambda: [{"name": "B", "description": None}]
    connection.handlers[uris.HUB_STARTED]()
    assert all(node.connected for node in monitor.directory.nodes())
    clock.advance(10)
    assert [node.connected for node in monitor.directory.nodes()] == [False, True]


def test_the_known_bug_is_absent(monitor: Monitor, connection: Any, clock: Clock, run: Any) -> None:
    """A node announced with an empty cache answers as soon as it has samples."""
    node = Node(connection, "A", samples=0)
    added(connection, "A")
    assert names(monitor) == []
    node.fill(100, 1)
    series = run(monitor.fetch([("A", "f0")], WINDOW))[("A", "f0")]
    assert series.times.size == 100
    assert not series.error
    clock.advance(1.5)
    run(monitor.fetch([("A", "f0")], WINDOW))
    assert names(monitor) == ["A::f0"]


def test_a_node_nobody_has_told_of(monitor: Monitor, connection: Any, run: Any) -> None:
    Node(connection, "A")
    series = run(monitor.fetch([("A", "f0")], WINDOW))[("A", "f0")]
    assert series.times.size > 500
    assert names(monitor) == ["A::f0", "A::f1"]


@pytest.mark.parametrize("caps", [True, False])
def test_thinned_wherever(monitor: Monitor, connection: Any, run: Any, caps: bool) -> None:
    node = Node(connection, "A")
    node.caps = caps
    added(connection, "A")
    series = run(monitor.fetch([("A", "f0"), ("A", "f1")], WINDOW))
    assert 500 < series["A", "f0"].times.size <= 1000
    (block,) = node.cache.data(["f0"], 1, T0)
    assert series["A", "f0"].values.max() == block.columns["f0"].max()
    assert len(node.asked) == 1


def test_many_fields_are_asked_for_in_parts(monitor: Monitor, connection: Any, run: Any) -> None:
    node = Node(connection, "A", fields=10)
    added(connection, "A")
    wanted = [("A", f"f{i}") for i in range(10)]
    window = Window(T0 - 300, T0, 50_000)
    series = run(monitor.fetch(wanted, window))
    assert {found.times.size for found in series.values()} == {3000}
    assert [len(part) for part in node.asked] == [4, 4, 2]


def test_too_much_is_asked_for_field_by_field(monitor: Monitor, connection: Any, run: Any) -> None:
    node = Node(connection, "A", fields=5)
    node.allowance = Allowance(samples=3500)
    node.caps = False
    added(connection, "A")
    window = Window(T0 - 300, T0, 5000)
    series = run(monitor.fetch([("A", f"f{i}") for i in range(5)], window))
    assert {found.times.size for found in series.values()} == {3000}
    node.allowance = Allowance(samples=100)
    series = run(monitor.fetch([("A", "f0")], window))
    assert series["A", "f0"].failed
    assert "too much data" in series["A", "f0"].error


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (ApplicationError("wamp.error.runtime_error", "boom"), "boom"),
        (CallTimeout("late"), "did not answer within 12 s"),
        (NotConnected("not connected to ws://x"), "not connected"),
        ({"nonsense": 1}, "must have the keys"),
    ],
)
def test_one_bad_node_does_not_spoil_the_others(
    monitor: Monitor, connection: Any, run: Any, answer: object, complaint: str
) -> None:
    Node(connection, "A")
    Node(connection, "B")
    for name in ("A", "B"):
        added(connection, name)
    connection.procedures[uris.get_data_uri("B")] = lambda *_, **__: answer
    series = run(monitor.fetch([("B", "f0"), ("A", "f0")], WINDOW))
    assert series["A", "f0"].times.size > 0
    assert series["B", "f0"].failed
    assert complaint in series["B", "f0"].error


def test_unknown_fields_and_nodes_are_named(monitor: Monitor, connection: Any, run: Any) -> None:
    Node(connection, "A")
    added(connection, "A")
    wanted = [("A", "nope"), ("Z", "f0"), ("bad name", "f0")]
    series = run(monitor.fetch(wanted, WINDOW))
    assert series["A", "nope"].error == "data node A has no field nope"
    assert not series["A", "nope"].failed
    assert series["Z", "f0"].error == "no data node called Z is connected"
    assert series["Z", "f0"].failed
    assert "white space" in series["bad name", "f0"].error
    assert [node.name for node in monitor.directory.nodes()] == ["A"]


def test_a_known_field_without_samples_is_no_error(
    monitor: Monitor, connection: Any, run: Any
) -> None:
    Node(connection, "A")
    added(connection, "A")
    series = run(monitor.fetch([("A", "f0")], Window(5.0, 6.0, 10)))["A", "f0"]
    assert (series.times.size, series.error, series.failed) == (0, "", False)


def test_a_silent_node_delays_nobody_and_may_come_back(
    monitor: Monitor, connection: Any, clock: Clock, run: Any
) -> None:
    Node(connection, "A")
    added(connection, "A")
    get_fields = connection.procedures[uris.get_fields_uri("A")]
    connection.procedures[uris.get_fields_uri("A")] = lambda *_: CallTimeout("late")
    clock.advance(2)
    run(monitor.refresh(max_age_s=1.0))
    (node,) = monitor.directory.nodes()
    assert (node.connected, node.reason) == (False, "no answer within 4 s")
    waiting: Deferred[object] = Deferred()
    connection.procedures[uris.get_fields_uri("A")] = lambda *_: waiting
    clock.advance(6)
    run(monitor.refresh(max_age_s=1.0))
    waiting.callback(get_fields(1, 0))
    (node,) = monitor.directory.nodes()
    assert node.connected


def test_a_node_that_hangs_is_waited_for_by_one_only(
    monitor: Monitor, connection: Any, run: Any
) -> None:
    """Whoever waits holds a thread of the web server, which has few."""
    Node(connection, "A")
    added(connection, "A")
    get_data = connection.procedures[uris.get_data_uri("A")]
    connection.procedures[uris.get_data_uri("A")] = lambda *_, **__: CallTimeout("late")
    assert run(monitor.fetch([("A", "f0")], WINDOW))["A", "f0"].failed
    waiting: Deferred[object] = Deferred()
    asked = len(connection.calls)
    connection.procedures[uris.get_data_uri("A")] = lambda *_, **__: waiting
    first = Deferred.fromCoroutine(monitor.fetch([("A", "f0")], WINDOW))
    for _ in range(20):
        series = run(monitor.fetch([("A", "f0")], WINDOW))["A", "f0"]
        assert series.failed
        assert "being asked again" in series.error
    assert len(connection.calls) == asked + 1
    waiting.callback(get_data(["f0"], WINDOW.start, WINDOW.end))
    connection.procedures[uris.get_data_uri("A")] = get_data
    for answer in (first.result, run(monitor.fetch([("A", "f0")], WINDOW))):
        assert answer["A", "f0"].times.size


def test_one_who_gives_up_waiting_leaves_the_node_to_others(
    monitor: Monitor, connection: Any, run: Any
) -> None:
    Node(connection, "A")
    added(connection, "A")
    get_data = connection.procedures[uris.get_data_uri("A")]
    connection.procedures[uris.get_data_uri("A")] = lambda *_, **__: CallTimeout("late")
    run(monitor.fetch([("A", "f0")], WINDOW))
    connection.procedures[uris.get_data_uri("A")] = lambda *_, **__: Deferred()
    first = Deferred.fromCoroutine(monitor.fetch([("A", "f0")], WINDOW))
    first.addErrback(lambda _: None)
    first.cancel()
    connection.procedures[uris.get_data_uri("A")] = get_data
    assert run(monitor.fetch([("A", "f0")], WINDOW))["A", "f0"].times.size


def test_listings_asked_for_at_once_are_asked_once(
    monitor: Monitor, connection: Any, clock: Clock
) -> None:
    Node(connection, "A")
    added(connection, "A")
    get_fields = connection.procedures[uris.get_fields_uri("A")]
    waiting: Deferred[object] = Deferred()
    connection.procedures[uris.get_fields_uri("A")] = lambda *_: waiting
    clock.advance(5)
    connection.calls.clear()
    done: list[object] = []
    for _ in range(3):
        Deferred.fromCoroutine(monitor.refresh(max_age_s=1.0)).addCallback(done.append)
    assert len(connection.calls) == 1
    assert done == []
    waiting.callback(get_fields(1, 0))
    assert len(done) == 3


def test_latest(monitor: Monitor, connection: Any, run: Any) -> None:
    node = Node(connection, "A", fields=3)
    Node(connection, "empty", samples=0)
    added(connection, "A")
    added(connection, "empty")
    latest = run(monitor.latest())
    assert [series.name for series in latest] == ["A::f0", "A::f1", "A::f2"]
    assert {series.times.size for series in latest} == {1}
    assert latest[0].times[0] == node.cache.data(["f0"], 1, T0)[0].times[-1]
    assert len(node.asked) == 1
