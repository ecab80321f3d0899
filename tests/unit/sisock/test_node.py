"""What nodes answer, and how they keep themselves on the hub's list."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from autobahn.wamp.exception import ApplicationError
from twisted.internet.task import Clock

from sisock import uris
from sisock.cache import RingCache
from sisock.errors import BadArgument, BadNodeName
from sisock.node import Allowance, DataNodeServer, answer_data, answer_fields

T0 = 1_800_000_000.0


@pytest.fixture
def cache() -> RingCache:
    cache = RingCache(timeline_name=lambda field: "o.A." + field, clock=lambda: T0)
    times = T0 - 300 + np.arange(3000) * 0.1
    cache.append("b", times, {"x": np.sin(np.arange(3000.0)), "y": np.arange(3000)})
    return cache


def test_every_requested_field_stands_in_the_answer(cache: RingCache) -> None:
    answer = answer_data(cache, ["x", "nope", "x"], T0 - 1, T0)
    assert answer
    assert sorted(answer["data"]) == ["nope", "x"]
    assert answer["data"]["nope"] == []
    assert len(answer["data"]["x"]) == 10
    assert list(answer["timeline"]) == ["o.A.x"]
    timeline = answer["timeline"]["o.A.x"]
    assert len(timeline["t"]) == 10
    assert timeline["fields"] == ["x"]
    assert timeline["finalized_until"] == timeline["t"][-1]


@pytest.mark.parametrize(("start", "end"), [(T0, T0 - 1), (T0, T0), (5.0, 6.0)])
def test_empty_ranges(cache: RingCache, start: float, end: float) -> None:
    assert answer_data(cache, ["x"], start, end) == {"data": {"x": []}, "timeline": {}}


def test_nothing_asked_for(cache: RingCache) -> None:
    assert answer_data(cache, [], 1, T0) == {"data": {}, "timeline": {}}


def test_min_stride_thins_to_absolute_buckets(cache: RingCache) -> None:
    answer = answer_data(cache, ["x"], T0 - 300, T0, min_stride=1.0)
    assert answer
    count = len(answer["data"]["x"])
    assert 250 <= count <= 302
    assert answer["timeline"]["o.A.x"]["finalized_until"] % 2.0 == 0
    untouched = answer_data(cache, ["x"], T0 - 300, T0, min_stride=0.05)
    assert untouched
    assert len(untouched["data"]["x"]) == 3000
    one = answer_data(cache, ["x"], T0 - 300, T0, min_stride=1e9)
    assert one
    assert len(one["data"]["x"]) <= 2


def test_max_points(cache: RingCache) -> None:
    answer = answer_data(cache, ["x", "y"], T0 - 300, T0, max_points=100)
    assert answer
    for field in ("x", "y"):
        timeline = answer["timeline"][f"o.A.{field}"]
        assert len(answer["data"][field]) == len(timeline["t"]) <= 100


def test_too_much_is_false(cache: RingCache) -> None:
    small = Allowance(samples=1000)
    assert answer_data(cache, ["x"], 1, T0, allowance=small) is False
    assert answer_data(cache, ["x"], 1, T0, min_stride=1.0, allowance=small)
    assert answer_data(cache, ["x"], 1, T0, max_points=500, allowance=small)
    assert answer_data(cache, ["x"], 1, T0, allowance=Allowance(size_bytes=1000)) is False


def test_an_allowance_must_fit_a_message() -> None:
    with pytest.raises(BadArgument, match="does not fit"):
        Allowance(size_bytes=2**30)


def test_fields_name_their_capabilities(cache: RingCache) -> None:
    fields, timelines = answer_fields(cache, 1, T0)
    assert fields["y"] == {
        "description": None,
        "timeline": "o.A.y",
        "type": "number",
        "units": None,
    }
    assert timelines["o.A.y"]["caps"] == ["max_points", "minmax"]
    assert timelines["o.A.y"]["field"] == ["y"]
    assert timelines["o.A.y"]["interval"] == pytest.approx(0.1)


class ReactorStyle(DataNodeServer):
    """A node that answers in the event loop."""

    def get_fields(self, start: float, end: float) -> Any:
        return [{"span": {"timeline": "t"}}, {"t": {"interval": end - start}}]

    async def get_data(  # type: ignore[override]
        self, field: Sequence[str], start: float, end: float, min_stride: float | None = None
    ) -> Any:
        return {"asked": [list(field), start, end, min_stride]}


@pytest.fixture
def node(connection: Any) -> ReactorStyle:
    return ReactorStyle(connection, Clock(), "A", "about A", clock=lambda: T0)


def test_relative_times_are_resolved_once(node: ReactorStyle, connection: Any, run: Any) -> None:
    get_fields = connection.registered[uris.get_fields_uri("A")]
    get_data = connection.registered[uris.get_data_uri("A")]
    assert run(get_fields(-60, 0))[1]["t"]["interval"] == 60
    assert run(get_data(["x"], -60, 0)) == {"asked": [["x"], T0 - 60, T0, None]}
    assert run(get_data(("x",), 1, 2, 0.5)) == {"asked": [["x"], 1.0, 2.0, 0.5]}
    assert run(get_data(["x"], 1, 2, min_stride=3)) == {"asked": [["x"], 1.0, 2.0, 3.0]}
    assert run(get_data(["x"], 1, 2, max_points=5)) == {"asked": [["x"], 1.0, 2.0, None]}


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        ((["x"], "a", 0), "start must be"),
        ((["x"], 1, None), "end must be"),
        (("x", 1, 0), "list of field names"),
        (([1], 1, 0), "list of field names"),
        ((["x"], 1, 0, -1), "min_stride"),
        ((["x"], 1, 0, None, "many"), "max_points"),
    ],
)
def test_bad_arguments_are_named(
    node: ReactorStyle, connection: Any, run: Any, args: tuple[Any, ...], complaint: str
) -> None:
    with pytest.raises(ApplicationError, match=complaint) as caught:
        run(connection.registered[uris.get_data_uri("A")](*args))
    assert caught.value.error == "wamp.error.invalid_argument"


def test_a_node_that_overrides_nothing_says_so(connection: Any) -> None:
    bare = DataNodeServer(connection, Clock(), "B", "")
    with pytest.raises(NotImplementedError, match="DataNodeServer"):
        bare.blocking_get_fields(1, 2)


def test_a_name_that_makes_no_uri(connection: Any) -> None:
    with pytest.raises(BadNodeName):
        DataNodeServer(connection, Clock(), "a b", "")


class TestAnnouncing:
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def node(self, connection: Any, clock: Clock) -> DataNodeServer:
        return DataNodeServer(connection, clock, "A", "about A")

    def test_adds_itself(self, node: DataNodeServer, connection: Any, run: Any) -> None:
        connection.procedures[uris.ADD] = lambda *_: True
        run(node.announce())
        assert connection.calls == [(uris.ADD, "A", "about A", 7, {})]

    def test_again_when_the_hub_has_started(self, node: DataNodeServer, connection: Any) -> None:
        connection.procedures[uris.ADD] = lambda *_: True
        connection.handlers[uris.HUB_STARTED]()
        assert len(connection.calls) == 1
        connection.session_id = None
        connection.handlers[uris.HUB_STARTED]()
        assert len(connection.calls) == 1

    def test_keeps_trying(
        self, node: DataNodeServer, connection: Any, clock: Clock, run: Any
    ) -> None:
        answers = iter([ApplicationError("wamp.error.no_such_procedure"), False, False, True])
        connection.procedures[uris.ADD] = lambda *_: next(answers)
        run(node.announce())
        for _ in range(10):
            clock.advance(3.1)
        assert len(connection.calls) == 4
        assert clock.getDelayedCalls() == []

    def test_one_retry_at_a_time(
        self, node: DataNodeServer, connection: Any, clock: Clock, run: Any
    ) -> None:
        connection.procedures[uris.ADD] = lambda *_: False
        for _ in range(5):
            run(node.announce())
        assert len(clock.getDelayedCalls()) == 1
