"""Feeds: blocks, messages, and what happens without a router (spec/ocs-protocol.md, section 7)."""

import math
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs import ocs_feed
from ocs.ocs_feed import Block, Feed, FeedSource

SOURCE = FeedSource("observatory.a", "AClass", "1700000000.5")


class Router:
    """Keeps what is published while it is up."""

    def __init__(self) -> None:
        self.up = True
        self.events: list[Any] = []
        self.refuses: Callable[[Any], bool] = lambda event: False

    def publish(self, topic: str, event: Any) -> bool:
        if not self.up:
            return False
        if self.refuses(event):
            raise ValueError("cannot be sent")
        msgpack.packb([topic, event])
        self.events.append(event)
        return True

    @property
    def messages(self) -> list[Any]:
        return [message for message, _ in self.events]

    @property
    def seqs(self) -> list[int]:
        return [feed["seq"] for _, feed in self.events]


class Reactor:
    """Runs what is due for now at once, and keeps the rest."""

    def __init__(self) -> None:
        self.later: list[tuple[float, Callable[[], None]]] = []

    def schedule(self, delay_s: float, func: Callable[[], None]) -> None:
        if delay_s:
            self.later.append((delay_s, func))
        else:
            func()

    def run_timers(self) -> None:
        while self.later:
            self.later.pop(0)[1]()


@pytest.fixture
def router() -> Router:
    return Router()


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


@pytest.fixture
def feed(router: Router, reactor: Reactor) -> Feed:
    return Feed(SOURCE, "f", publish=router.publish, schedule=reactor.schedule, record=True)


@pytest.fixture
def buffered(router: Router, reactor: Reactor) -> Feed:
    return Feed(
        SOURCE,
        "f",
        publish=router.publish,
        schedule=reactor.schedule,
        record=True,
        buffer_time=2.0,
        agg_params={"frame_length": 60},
    )


def sample(block: str = "b", timestamp: float = 1.0, **data: Any) -> dict[str, Any]:
    return {"block_name": block, "timestamp": timestamp, "data": data}


def samples(timestamps: Any, block: str = "b", **data: Any) -> dict[str, Any]:
    return {"block_name": block, "timestamps": timestamps, "data": data}


def test_the_event_of_one_sample(feed: Feed, router: Router) -> None:
    feed.publish_message(sample(x=1.5, y="on"))
    assert router.events == [
        [
            {
                "b": {
                    "block_name": "b",
                    "data": {"x": [1.5], "y": ["on"]},
                    "timestamps": [1.0],
                    "influxdb_tags": None,
                }
            },
            {
                "agent_address": "observatory.a",
                "agg_params": {},
                "feed_name": "f",
                "address": "observatory.a.feeds.f",
                "record": True,
                "session_id": "1700000000.5",
                "agent_class": "AClass",
                "seq": 0,
            },
        ]
    ]


def test_a_buffer_goes_out_with_its_timer(buffered: Feed, router: Router, reactor: Reactor) -> None:
    for t in range(3):
        buffered.publish_message(sample(timestamp=t, x=t))
    buffered.publish_message(samples([3, 4], x=[3, 4]))
    buffered.publish_message(sample("other", x=0.5))
    assert router.events == []
    assert [delay for delay, _ in reactor.later] == [2.0], "armed once"
    reactor.run_timers()
    (message,) = router.messages
    assert message["b"]["timestamps"] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert message["b"]["data"] == {"x": [0, 1, 2, 3, 4]}
    assert message["other"]["data"] == {"x": [0.5]}
    buffered.publish_message(sample(timestamp=9, x=9))
    reactor.run_timers()
    assert router.messages[1].keys() == {"b"}, "blocks without samples are left out"


def test_flush_sends_at_once(buffered: Feed, router: Router, reactor: Reactor) -> None:
    buffered.publish_message(sample(x=1))
    buffered.flush_buffer()
    assert router.seqs == [0]
    buffered.flush_buffer()
    reactor.run_timers()
    assert router.seqs == [0]


def test_numbers_become_the_wider_kind(buffered: Feed, router: Router, reactor: Reactor) -> None:
    buffered.publish_message(sample(x=1, n=1))
    buffered.publish_message(samples([2, 3], x=[2.5, 3], n=[2, 3]))
    reactor.run_timers()
    buffered.publish_message(sample(timestamp=4, x=4, n=4))
    reactor.run_timers()
    data = [message["b"]["data"] for message in router.messages]
    assert data == [{"x": [1.0, 2.5, 3.0], "n": [1, 2, 3]}, {"x": [4.0], "n": [4]}]
    assert {type(x) for part in data for x in part["x"]} == {float}
    assert {type(n) for part in data for n in part["n"]} == {int}


def test_numpy_goes_in_plain_python_comes_out(feed: Feed, router: Router) -> None:
    feed.publish_message(
        samples(
            np.array([1.0, 2.0]),
            f=np.array([1.0, np.nan], dtype=np.float32),
            i=np.array([1, 2], dtype=np.uint16),
            b=np.array([True, False]),
            s=np.array(["a", "b"]),
            m=[np.float64(1), np.float64(2)],
        )
    )
    feed.publish_message(sample("one", timestamp=np.float64(3.0), x=np.int32(3)))
    block = router.messages[0]["b"]
    assert block["timestamps"] == [1.0, 2.0]
    assert math.isnan(block["data"]["f"][1])
    assert {name: {type(v) for v in column} for name, column in block["data"].items()} == {
        "f": {float},
        "i": {int},
        "b": {bool},
        "s": {str},
        "m": {float},
    }
    assert router.messages[1]["one"]["data"] == {"x": [3]}


BAD = [
    pytest.param(samples([1.0, 2.0], x=[1.0]), ValueError, "1 values for 2 timestamps", id="len"),
    pytest.param(sample(y=1.0), ValueError, "has the fields ['x']", id="other fields"),
    pytest.param(sample(x=1.0, y=1.0), ValueError, "has the fields", id="more fields"),
    pytest.param(sample(x=None), TypeError, "type NoneType", id="null"),
    pytest.param(sample(x="text"), TypeError, "mixes float and str", id="mixed"),
    pytest.param(sample(x=True), TypeError, "mixes bool and float", id="bool"),
    pytest.param(sample(x=[1.0]), TypeError, "type list", id="list for one sample"),
    pytest.param(samples([1.0], x=1.0), TypeError, "must be a list", id="no list"),
    pytest.param(samples([1.0], x=np.ones((1, 1))), TypeError, "must be a list", id="2-d"),
    pytest.param(sample(timestamp=math.nan, x=1.0), ValueError, "finite", id="nan time"),
    pytest.param(sample(timestamp="1", x=1.0), ValueError, "finite", id="text time"),  # type: ignore[arg-type]
    pytest.param(sample(timestamp=10**400, x=1.0), ValueError, "finite", id="huge time"),
    pytest.param(sample(timestamp=True, x=1.0), ValueError, "finite", id="bool time"),
    pytest.param(sample(x=10**400), ValueError, "64 bits", id="huge int for float"),
    pytest.param(sample("i", x=2**63), ValueError, "64 bits", id="huge int"),
    pytest.param(sample("s", x="\udcff"), ValueError, "no Unicode", id="surrogate"),
    pytest.param(sample("n", **{"a b": 1.0}), ValueError, "invalid character ' '", id="name"),
    pytest.param(
        {"block_name": "n", "timestamp": 1.0, "data": {7: 1.0}}, TypeError, "no string", id="key"
    ),
    pytest.param({"block_name": "b", "data": {"x": 1.0}}, ValueError, "needs either", id="no time"),
    pytest.param({"timestamp": 1.0, "data": {"x": 1.0}}, TypeError, "block_name", id="no name"),
    pytest.param({"block_name": "b", "timestamp": 1.0}, TypeError, "'data' must be", id="no data"),
    pytest.param([1], TypeError, "samples are published as", id="no dict"),
    pytest.param(
        {**sample(x=1.0), "influxdb_tags": {"y": {"_field": "y"}}}, ValueError, "tags", id="tags"
    ),
    pytest.param({**sample(x=1.0), "influxdb_tags": [1]}, TypeError, "dict", id="tags list"),
    pytest.param(
        {**sample(x=1.0), "influxdb_tags": {"x": {"n": 1}}}, ValueError, "_field", id="no _field"
    ),
    pytest.param(
        {**sample(x=1.0), "influxdb_tags": {"x": {"_field": object()}}},
        TypeError,
        "cannot be sent",
        id="tag object",
    ),
]


@pytest.mark.parametrize(("message", "error", "text"), BAD)
def test_bad_samples_are_refused_and_poison_nothing(
    buffered: Feed,
    router: Router,
    reactor: Reactor,
    message: Any,
    error: type[Exception],
    text: str,
) -> None:
    buffered.publish_message(sample(x=1.0))
    with pytest.raises(error) as caught:
        buffered.publish_message(message)
    assert text in str(caught.value)
    buffered.publish_message(sample(timestamp=2.0, x=2.0))
    reactor.run_timers()
    assert router.messages == [
        {
            "b": {
                "block_name": "b",
                "data": {"x": [1.0, 2.0]},
                "timestamps": [1.0, 2.0],
                "influxdb_tags": None,
            }
        }
    ]


def test_no_samples_are_no_error(feed: Feed, router: Router) -> None:
    feed.publish_message(samples([], x=[]))
    assert router.events == []
    feed.publish_message(samples([1.0], x=[1]))
    feed.publish_message(samples([], x=[]))
    assert len(router.events) == 1


def test_tags_stay_and_are_the_feeds_own(feed: Feed, router: Router) -> None:
    tags = {"x": {"_field": "temperature", "channel": 1}}
    feed.publish_message({**sample(x=1.0), "influxdb_tags": tags})
    tags["x"]["_field"] = object()  # type: ignore[assignment]
    feed.publish_message(sample(timestamp=2.0, x=2.0))
    expected = {"x": {"_field": "temperature", "channel": 1}}
    assert [message["b"]["influxdb_tags"] for message in router.messages] == [expected] * 2


def test_agg_params_that_cannot_be_sent_are_refused_at_once(
    router: Router, reactor: Reactor
) -> None:
    with pytest.raises(TypeError, match="agg_params cannot be sent"):
        Feed(
            SOURCE,
            "f",
            publish=router.publish,
            schedule=reactor.schedule,
            agg_params={"frame_length": object()},
        )


@pytest.mark.parametrize("name", ["", "a.b", "a b", "a#", "a\t"])
def test_feed_names(name: str, router: Router, reactor: Reactor) -> None:
    with pytest.raises(ValueError, match="feed name"):
        Feed(SOURCE, name, publish=router.publish, schedule=reactor.schedule)


def test_without_a_router_messages_wait_in_order(feed: Feed, router: Router) -> None:
    feed.publish_message(sample(timestamp=0, x=0))
    router.up = False
    for t in range(1, 4):
        feed.publish_message(sample(timestamp=t, x=t))
    assert router.seqs == [0]
    router.up = True
    feed.publish_message(sample(timestamp=4, x=4))
    assert router.seqs == [0, 1, 2, 3, 4]
    assert [message["b"]["timestamps"] for message in router.messages] == [
        [float(t)] for t in range(5)
    ]
    assert feed.lost_messages == 0


def test_what_left_the_history_unsent_is_counted(feed: Feed, router: Router) -> None:
    feed.history.max_bytes = 400
    router.up = False
    for t in range(10):
        feed.publish_message(sample(timestamp=t, x=t))
    kept = 10 - feed.history.oldest_seq
    assert 0 < kept < 10
    router.up = True
    feed.send_pending()
    assert router.seqs == list(range(10 - kept, 10))
    assert feed.lost_messages == 10 - kept


def test_a_long_queue_goes_out_in_portions(feed: Feed, router: Router, reactor: Reactor) -> None:
    router.up = False
    for t in range(60):
        feed.publish_message(sample(timestamp=t, x="x" * 100_000))
    router.up = True
    feed.send_pending()
    assert 0 < len(router.events) < 30
    feed.publish_message(sample(timestamp=60, x="new"))
    reactor.run_timers()
    assert router.seqs == list(range(61))


def test_a_message_nobody_takes_is_a_counted_loss_and_blocks_nothing(
    feed: Feed, router: Router
) -> None:
    router.refuses = lambda event: event[1]["seq"] == 1
    for t in range(4):
        feed.publish_message(sample(timestamp=t, x=t))
    assert router.seqs == [0, 2, 3]
    assert feed.lost_messages == 1


def test_many_values_are_split(buffered: Feed, router: Router, reactor: Reactor) -> None:
    rows = 300_000
    times = np.arange(rows, dtype=float)
    buffered.publish_message(samples(times, x=times, y=times * 2))
    reactor.run_timers()
    assert len(router.events) > 1
    assert router.seqs == list(range(len(router.events)))
    joined: dict[str, list[float]] = defaultdict(list)
    for event in router.events:
        assert len(msgpack.packb(event)) < ocs_feed.EVENT_BYTES + 1000
        joined["t"] += event[0]["b"]["timestamps"]
        joined["y"] += event[0]["b"]["data"]["y"]
    assert joined["t"] == times.tolist()
    assert joined["y"] == (times * 2).tolist()


def test_long_texts_are_split_too(buffered: Feed, router: Router, reactor: Reactor) -> None:
    for t in range(10):
        buffered.publish_message(sample(timestamp=t, x="é" * 2**19))
        buffered.publish_message(sample("other", timestamp=t, x=t))
    reactor.run_timers()
    assert all(len(msgpack.packb(event)) < ocs_feed.EVENT_BYTES + 1000 for event in router.events)
    times = [t for m in router.messages if "b" in m for t in m["b"]["timestamps"]]
    assert times == list(range(10))
    assert sum(len(m["other"]["timestamps"]) for m in router.messages if "other" in m) == 10


def test_a_sample_larger_than_the_wire_takes_is_a_counted_loss(feed: Feed, router: Router) -> None:
    feed.publish_message(sample(timestamp=0, x="x" * 16 * 2**20))
    feed.publish_message(sample(timestamp=1, x="small"))
    assert [message["b"]["timestamps"] for message in router.messages] == [[1.0]]
    assert feed.lost_messages == 1
    assert router.seqs == [0]


def test_unrecorded_messages(router: Router, reactor: Reactor) -> None:
    feed = Feed(SOURCE, "f", publish=router.publish, schedule=reactor.schedule)
    message = {"a": [1, None, "x"], 3: (1, 2)}
    feed.publish_message(message)
    router.up = False
    feed.publish_message(1)
    router.up = True
    feed.publish_message("text")
    assert router.messages == [{"a": [1, None, "x"], 3: [1, 2]}, "text"]
    assert router.seqs == [0, 2]
    assert list(feed.history.since(0)) == []
    feed.flush_buffer()
    feed.send_pending()
    assert feed.lost_messages == 0, "nobody promised to keep them"


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (object(), TypeError),
        ({"x": np.arange(3)}, TypeError),
        (2**70, ValueError),
        ("\udcff", ValueError),
        ("x" * 2**24, ValueError),
    ],
)
def test_unrecorded_messages_that_cannot_be_sent_are_refused(
    message: Any, error: type[Exception], router: Router, reactor: Reactor
) -> None:
    feed = Feed(SOURCE, "f", publish=router.publish, schedule=reactor.schedule)
    with pytest.raises(error, match=r"cannot be sent|limit"):
        feed.publish_message(message)
    feed.publish_message(1)
    assert router.messages == [1]


def test_an_unrecorded_message_is_the_one_that_was_given(router: Router) -> None:
    pending: list[Callable[[], None]] = []
    feed = Feed(SOURCE, "f", publish=router.publish, schedule=lambda _, func: pending.append(func))
    message = {"x": 1}
    feed.publish_message(message)
    message["x"] = 2
    pending.pop()()
    assert router.messages == [{"x": 1}]


def test_history_answers(feed: Feed) -> None:
    for t in range(5):
        feed.publish_message(sample(timestamp=t, x=t))
    reply = feed.history_reply("1700000000.5", 3, 10**6)
    assert (reply["session_id"], reply["oldest_seq"], reply["next_seq"]) == ("1700000000.5", 0, 5)
    assert [entry[1]["seq"] for entry in reply["messages"]] == [3, 4]
    assert reply["messages"][0][0]["b"]["timestamps"] == [3.0]
    for other in (None, "another"):
        messages = feed.history_reply(other, 3, 10**6)["messages"]
        assert [entry[1]["seq"] for entry in messages] == [0, 1, 2, 3, 4]
    assert len(feed.history_reply(None, 0, 1)["messages"]) == 1


def test_threads_keep_their_order_and_lose_nothing(router: Router) -> None:
    """Four threads publish while one flushes, as the reactor's does."""
    due: list[Callable[[], None]] = []
    feed = Feed(
        SOURCE, "f", publish=router.publish, schedule=lambda _, func: due.append(func), record=True
    )
    count = 2000

    def publish(number: int) -> None:
        for t in range(count):
            feed.publish_message(sample(f"b{number}", timestamp=t, x=t))

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or due:
        if due:
            due.pop(0)()
    assert router.seqs == list(range(len(router.seqs)))
    for number in range(4):
        blocks = [m[f"b{number}"] for m in router.messages if f"b{number}" in m]
        assert [t for block in blocks for t in block["timestamps"]] == list(range(count))
        assert [x for block in blocks for x in block["data"]["x"]] == list(range(count))


numbers = st.integers(-(2**70), 2**70) | st.floats() | st.booleans() | st.text(max_size=3)
columns = st.lists(numbers | st.none(), max_size=4)


@given(st.lists(st.tuples(st.lists(st.floats(0, 9), max_size=4), columns, columns), max_size=8))
def test_whatever_is_published_the_block_stays_whole(
    messages: list[tuple[list[float], list[Any], list[Any]]],
) -> None:
    block = Block("b", ["x", "y"])
    rows = 0
    for times, xs, ys in messages:
        try:
            block.append(samples(times, x=xs, y=ys))
        except (TypeError, ValueError):
            pass
        else:
            rows += len(times)
    encoded = block.encoded()
    assert len(encoded["timestamps"]) == rows
    for column in encoded["data"].values():
        assert len(column) == rows
        assert len({type(value) for value in column}) <= 1
    msgpack.packb(encoded)
