"""The registry: heartbeats in, states out (spec/ocs-protocol.md, section 9)."""

import argparse
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger

from agents.registry.registry import AgentRecord, Registry, make_parser
from ocs.feed_block import Block
from ocs.op_session import OpSession
from ocs.params import check_params


class FakeAgent:
    """What the registry uses of an agent."""

    def __init__(self, reactor: Clock) -> None:
        self.reactor = reactor
        self.agent_address = "observatory.registry"
        self.site_args = argparse.Namespace(address_root="observatory")
        self.log = Logger()
        self.ops: dict[str, Any] = {}
        self.feeds: dict[str, Any] = {}
        self.subscribed: dict[str, Any] = {}
        self.published: list[dict[str, Any]] = []

    def register_task(self, name: str, func: Any, **options: Any) -> None:
        self.ops[name] = (func, options)

    def register_process(self, name: str, func: Any, stop: Any, **options: Any) -> None:
        self.ops[name] = (func, stop, options)

    def register_feed(self, name: str, **options: Any) -> None:
        self.feeds[name] = options

    def subscribe_on_start(self, handler: Any, topic: str, options: Any) -> None:
        self.subscribed[topic] = (handler, options)

    def publish_to_feed(self, feed_name: str, message: Any) -> None:
        assert feed_name == "agent_operations"
        Block(message["block_name"], message["data"]).append(message)
        self.published.append(message)


class World:
    def __init__(self) -> None:
        self.reactor = Clock()
        self.reactor.advance(1000.0)
        self.agent = FakeAgent(self.reactor)
        self.registry = Registry(self.agent, 30.0, clock=self.reactor.seconds)  # type: ignore[arg-type]
        self.session = OpSession(0, "main", clock=self.reactor.seconds)
        self.session.set_status("running")

    def beat(self, address: str = "observatory.a", codes: Any = None, **feed: Any) -> None:
        handler, _ = self.agent.subscribed["observatory..feeds.heartbeat"]
        handler(
            [
                {"acq": 3} if codes is None else codes,
                {"agent_address": address, "agent_class": "AClass", **feed},
            ]
        )

    def start(self, **params: Any) -> "Deferred[Any]":
        checked = check_params(self.registry.main, params)
        return Deferred.fromCoroutine(self.registry.main(self.session, checked))

    def published(self) -> dict[str, int]:
        codes = {m["block_name"]: m["data"][m["block_name"]] for m in self.agent.published}
        self.agent.published.clear()
        return codes


@pytest.fixture
def world() -> World:
    return World()


def test_what_it_declares(world: World) -> None:
    agent = world.agent
    assert agent.subscribed["observatory..feeds.heartbeat"][1] == {"match": "wildcard"}
    assert agent.feeds == {"agent_operations": {"record": True, "agg_params": {"frame_length": 60}}}
    assert agent.ops["main"][2] == {"blocking": False, "startup": True}
    assert make_parser().parse_args([]).wait_time == 30.0
    assert make_parser().parse_args(["--wait-time", "5"]).wait_time == 5.0


def test_session_data(world: World) -> None:
    world.beat(codes={"acq": 3, "task": 1})
    world.start()
    assert world.session.data == {
        "observatory.a": {
            "expired": False,
            "time_expired": None,
            "last_updated": 1000.0,
            "op_codes": {"acq": 3, "task": 1},
            "agent_class": "AClass",
            "agent_address": "observatory.a",
        }
    }


def test_silence_expires_after_more_than_five_seconds(world: World) -> None:
    world.beat()
    world.start()
    for _ in range(5):
        world.reactor.advance(1.0)
        assert world.session.data["observatory.a"]["expired"] is False
    world.published()
    world.reactor.advance(1.0)
    entry = world.session.data["observatory.a"]
    assert entry["expired"] is True
    assert entry["time_expired"] == 1006.0
    assert entry["op_codes"] == {"acq": 7}
    assert world.published() == {"observatory_a_acq": 7}
    world.reactor.advance(1.0)
    assert world.session.data["observatory.a"]["time_expired"] == 1006.0
    assert world.published() == {}


def test_heartbeats_keep_alive_and_revive(world: World) -> None:
    world.beat()
    world.start()
    for _ in range(20):
        world.reactor.advance(1.0)
        world.beat()
    assert world.session.data["observatory.a"]["expired"] is False
    for _ in range(7):
        world.reactor.advance(1.0)
    assert world.session.data["observatory.a"]["expired"] is True
    world.published()
    world.beat()
    assert world.published() == {"observatory_a_acq": 3}
    world.reactor.advance(1.0)
    entry = world.session.data["observatory.a"]
    assert (entry["expired"], entry["time_expired"]) == (False, None)
    assert entry["op_codes"] == {"acq": 3}


def test_changes_are_published_at_once_and_everything_now_and_then(world: World) -> None:
    world.start()
    world.beat("observatory.a-1", {"my-op": 3, "b": 1})
    assert world.published() == {"observatory_a_1_my_op": 3, "observatory_a_1_b": 1}
    world.beat("observatory.a-1", {"my-op": 3, "b": 1})
    assert world.published() == {}
    world.beat("observatory.a-1", {"my-op": 4, "b": 1})
    assert world.published() == {"observatory_a_1_my_op": 4, "observatory_a_1_b": 1}
    for _ in range(29):
        world.beat("observatory.a-1", {"my-op": 4, "b": 1})
        world.reactor.advance(1.0)
    assert world.published() == {}
    world.reactor.advance(1.0)
    assert world.published() == {"observatory_a_1_my_op": 4, "observatory_a_1_b": 1}


def test_heartbeats_of_2019(world: World) -> None:
    world.beat(codes=0)
    world.start()
    assert world.session.data["observatory.a"]["op_codes"] == {}


@pytest.mark.parametrize(
    "codes", [None, [], "x", {"acq": None}, {"acq": "3"}, {"acq": 2**80}, {3: 3}, {"acq": [1]}]
)
def test_one_bad_heartbeat_does_not_end_the_watch(world: World, codes: Any) -> None:
    ended = world.start()
    world.beat("observatory.good")
    handler, _ = world.agent.subscribed["observatory..feeds.heartbeat"]
    handler([codes, {"agent_address": "observatory.bad", "agent_class": {"not": "text"}}])
    handler(codes)
    handler([codes])
    handler([codes, {"agent_address": 3}])
    for _ in range(40):
        world.reactor.advance(1.0)
    assert not ended.called
    assert world.session.data["observatory.good"]["op_codes"] == {"acq": 7}
    assert world.session.data["observatory.bad"]["agent_class"] is None


def test_it_stops(world: World) -> None:
    results: list[Any] = []
    world.start().addCallback(results.append)
    Deferred.fromCoroutine(world.registry.stop_main(world.session, None))
    world.reactor.advance(1.0)
    assert results == [(True, "Stopped watching heartbeats")]
    assert world.reactor.getDelayedCalls() == []


def test_test_mode_ends_after_one_round(world: World) -> None:
    results: list[Any] = []
    world.start(test_mode=True).addCallback(results.append)
    assert results[0][0] is True


@pytest.mark.parametrize("params", [None, {}, {"agent_data": {"agent_address": "observatory.a"}}])
def test_announcements_of_2019_are_accepted(world: World, params: Any) -> None:
    results: list[Any] = []
    coroutine = world.registry.register_agent(world.session, params)
    Deferred.fromCoroutine(coroutine).addCallback(results.append)
    assert results[0][0] is True


def test_a_record() -> None:
    record = AgentRecord("observatory.a")
    assert record.refresh({"acq": 1}, "AClass", 10.0)
    assert not record.refresh({"acq": 1}, "AClass", 11.0)
    assert not record.expire(16.0)
    assert record.expire(16.5)
    assert record.refresh({"acq": 1}, "AClass", 17.0)
