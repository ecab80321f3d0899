from threading import Event

import pytest
from autobahn.wamp.exception import ApplicationError
from twisted.internet.defer import Deferred

from agents.aggregator import reception as reception_module
from agents.aggregator.reception import Reception

NOW = 1_700_000_000.0
TOPIC = "observatory.LSA23JD.feeds.temperatures"


class Publisher:
    """A connection behind which one agent answers for its history."""

    session_id = 1

    def __init__(self):
        self.history = []
        self.asked = []
        self.hooks = []

    def on_join(self, func):
        self.hooks.append(func)

    async def call(self, procedure, feed_name, session_id, first_seq, max_bytes, timeout):
        self.asked.append((procedure, feed_name, session_id, first_seq))
        if not self.history:
            raise ApplicationError("wamp.error.no_such_procedure")
        seqs = [feed["seq"] for _, feed in self.history]
        return {
            "session_id": self.history[0][1]["session_id"],
            "oldest_seq": seqs[0],
            "next_seq": seqs[-1] + 1,
            "messages": [m for m in self.history if m[1]["seq"] >= first_seq],
        }


@pytest.fixture
def publisher():
    return Publisher()


@pytest.fixture
def open_reception(publisher, clock):
    def make(**more):
        options = {
            "positions": {},
            "resumed": False,
            "started": NOW + 100,
            "held_bytes": lambda: 0,
            "limit_bytes": 1000,
            "arrived": Event(),
            "clock": clock,
        }
        return Reception(publisher, **(options | more))

    return make


def numbers(arrivals):
    return [arrival.feed.get("seq") for arrival in arrivals]


def test_recorded_feeds_are_queued_in_order(open_reception, feed):
    arrived = Event()
    reception = open_reception(arrived=arrived)
    for seq in (7, 8, 8, 7, 9):
        reception.receive(TOPIC, [{}, feed(seq=seq)])
    reception.receive(TOPIC, [{}, feed()])
    assert arrived.is_set()
    assert numbers(reception.take()) == [7, 8, 9, None]
    assert reception.take() == []


@pytest.mark.parametrize(
    "header",
    [
        {"record": False},
        {"agg_params": {"exclude_aggregator": True}},
    ],
)
def test_feeds_that_are_not_to_be_recorded_are_skipped(open_reception, feed, header):
    reception = open_reception()
    reception.receive(TOPIC, [{}, feed(**header)])
    assert reception.take() == []


@pytest.mark.parametrize("event", [None, 3, [], [{}], [{}, "feed"], {"a": 1}, [{}, {}]])
def test_what_is_no_feeds_message_is_skipped(open_reception, event):
    reception = open_reception()
    reception.receive(TOPIC, event)
    assert reception.take() == []


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"address": "observatory.other.feeds.f"}, "not the topic"),
        ({"address": None}, "not the topic"),
        ({"session_id": None}, "session_id"),
        ({"session_id": 5}, "session_id"),
        ({"seq": "1"}, "seq"),
        ({"seq": -1}, "seq"),
        ({"seq": True}, "seq"),
        ({"seq": 2**70}, "seq"),
        ({"seq": 1, "agent_address": "observatory.other"}, "agent_address"),
        ({"seq": 1, "feed_name": None}, "feed_name"),
    ],
)
def test_headers_that_lie_are_refused(open_reception, feed, header, words):
    reception = open_reception()
    reception.receive(TOPIC, [{}, {**feed(), **header}])
    (arrival,) = reception.take()
    assert words in arrival.refused
    assert arrival.feed == {"address": TOPIC}


def test_a_gap_is_filled_from_the_history(open_reception, publisher, feed):
    reception = open_reception()
    publisher.history = [[{}, feed(seq=n)] for n in range(9)]
    reception.receive(TOPIC, [{}, feed(seq=3)])
    reception.receive(TOPIC, [{}, feed(seq=6)])
    assert numbers(reception.take()) == [3, 4, 5, 6, 7, 8]
    assert publisher.asked == [
        ("observatory.LSA23JD.feed_history", "temperatures", "1700000000.5", 4)
    ]
    assert reception.lost == {}


def test_what_no_history_has_is_counted_as_lost(open_reception, feed):
    reception = open_reception()
    reception.receive(TOPIC, [{}, feed(seq=3)])
    reception.receive(TOPIC, [{}, feed(seq=6)])
    assert numbers(reception.take()) == [3, 6]
    assert reception.lost == {TOPIC: 2}


def test_a_resumed_recording_asks_at_once_for_what_it_missed(open_reception, publisher, feed):
    publisher.history = [[{}, feed(seq=n)] for n in range(5)]
    reception = open_reception(resumed=True, positions={(TOPIC, "1700000000.5"): 2})
    assert numbers(reception.take()) == [2, 3, 4]


def test_an_agent_started_during_the_recording_is_wanted_whole(open_reception, publisher, feed):
    publisher.history = [[{}, feed(seq=n)] for n in range(4)]
    reception = open_reception(started=NOW)
    reception.receive(TOPIC, [{}, feed(seq=3)])
    assert numbers(reception.take()) == [0, 1, 2, 3]


def test_an_agent_started_before_is_wanted_from_now_on(open_reception, publisher, feed):
    publisher.history = [[{}, feed(seq=n)] for n in range(4)]
    reception = open_reception()
    reception.receive(TOPIC, [{}, feed(seq=3)])
    reception.receive(TOPIC, [{}, feed(seq=4, session_id="x")])
    assert numbers(reception.take())[0] == 3


def test_events_are_turned_away_while_too_much_waits_and_asked_for_later(
    open_reception, publisher, feed
):
    held = [0]
    reception = open_reception(held_bytes=lambda: held[0])
    publisher.history = [[{}, feed(seq=n)] for n in range(5)]
    reception.receive(TOPIC, [{}, feed(seq=0)])
    held[0] = 1001
    reception.receive(TOPIC, [{}, feed(seq=1)])
    reception.receive(TOPIC, [{}, feed(seq=2)])
    assert reception.turned_away == 2
    held[0] = 0
    reception.receive(TOPIC, [{}, feed(seq=3)])
    assert numbers(reception.take()) == [0, 1, 2, 3, 4]


def test_a_queue_nobody_empties_is_bounded(open_reception, feed, monkeypatch):
    monkeypatch.setattr(reception_module, "QUEUE_LIMIT", 10)
    reception = open_reception()
    for _ in range(20):
        reception.receive(TOPIC, [{}, feed()])
    assert (len(reception.take()), reception.turned_away) == (11, 9)


@pytest.mark.parametrize(("release", "queued"), [(True, [3, 6]), (False, [3])])
def test_at_the_end_held_messages_are_taken_or_left(
    open_reception, publisher, feed, release, queued
):
    # The history never answers: the request stays open.
    async def call(*_, **__):
        await Deferred()

    publisher.call = call
    reception = open_reception()
    reception.receive(TOPIC, [{}, feed(seq=3)])
    reception.receive(TOPIC, [{}, feed(seq=6)])
    reception.end(release=release)
    reception.receive(TOPIC, [{}, feed(seq=7)])
    assert numbers(reception.take()) == queued


def test_an_ended_reception_asks_nothing_when_the_router_is_back(open_reception, publisher, feed):
    reception = open_reception()
    reception.receive(TOPIC, [{}, feed(seq=3)])
    reception.end(release=True)
    for hook in publisher.hooks:
        with pytest.raises(StopIteration):
            hook().send(None)
    assert publisher.asked == []
