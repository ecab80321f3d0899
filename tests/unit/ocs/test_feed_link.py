"""Gaps are filled over the router; here with a connection that answers as it is told."""

from typing import Any

from ocs.connection import CallTimeout, NotConnected
from ocs.feed_follower import FeedEvent, FeedFollower
from ocs.feed_link import FeedLink

SESSION = "1795384317.3341737"


class ToldConnection:
    """Answers calls with what is in `answers`, in order; exceptions are raised."""

    session_id = 1

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[Any, ...]] = []
        self.joined: Any = None

    def on_join(self, hook: Any) -> None:
        self.joined = hook

    async def call(self, procedure: str, *args: Any, timeout: float) -> Any:
        self.calls.append((procedure, *args[:3]))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def event(seq: int) -> list[Any]:
    feed = {
        "address": "observatory.a.feeds.f",
        "agent_address": "observatory.a",
        "feed_name": "f",
        "session_id": SESSION,
        "seq": seq,
    }
    return [{"n": seq}, feed]


def history(*seqs: int, next_seq: int) -> dict[str, Any]:
    messages = [event(seq) for seq in seqs]
    return {"session_id": SESSION, "oldest_seq": 0, "next_seq": next_seq, "messages": messages}


def linked(connection: ToldConnection) -> tuple[FeedLink, list[int]]:
    delivered: list[int] = []

    def deliver(item: FeedEvent) -> None:
        delivered.append(item.message["n"])

    return FeedLink(connection, FeedFollower(backfill_from_start=False), deliver), delivered


def test_a_gap_is_filled_from_the_history():
    connection = ToldConnection(history(1, 2, next_seq=4))
    link, delivered = linked(connection)
    link.receive(event(0))
    link.receive(event(3))
    assert connection.calls == [("observatory.a.feed_history", "f", SESSION, 1)]
    assert delivered == [0, 1, 2, 3]


def test_a_publisher_that_is_too_busy_to_answer_is_asked_again_and_nothing_is_given_up():
    connection = ToldConnection(CallTimeout("busy"), CallTimeout("busy"), history(1, next_seq=3))
    link, delivered = linked(connection)
    link.receive(event(0))
    link.receive(event(2))
    assert len(connection.calls) == 3
    assert delivered == [0, 1, 2]


def test_a_publisher_that_never_answers_costs_only_what_it_kept_for_itself():
    connection = ToldConnection(*[CallTimeout("busy")] * 4)
    link, delivered = linked(connection)
    link.receive(event(0))
    link.receive(event(2))
    assert delivered == [0, 2]


def test_a_question_that_was_cut_off_is_asked_again_after_the_next_join():
    connection = ToldConnection(NotConnected("gone"), history(1, 2, next_seq=3))
    link, delivered = linked(connection)
    link.receive(event(0))
    link.receive(event(2))
    assert delivered == [0]
    rejoin(connection)
    assert delivered == [0, 1, 2]


def rejoin(connection: ToldConnection) -> None:
    try:
        connection.joined().send(None)
    except StopIteration:
        return
    raise AssertionError("the join hook waited for something")


def test_what_is_no_feed_message_is_ignored():
    link, delivered = linked(ToldConnection())
    for other in (None, 1, [], [1], {"a": 1}, [[], []]):
        link.receive(other)
    assert delivered == []
