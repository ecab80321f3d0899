"""Order, duplicates and gaps of followed feeds."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocs.feed_follower import FeedEvent, FeedFollower, HistoryRequest
from ocs.feed_history import FeedHistory

AGENT = "observatory.a"
ADDRESS = "observatory.a.feeds.f"


def header(session: str, seq: int) -> dict[str, Any]:
    return {
        "agent_address": AGENT,
        "feed_name": "f",
        "address": ADDRESS,
        "session_id": session,
        "seq": seq,
    }


def reply(session: str, oldest: int, next_seq: int, seqs: list[int]) -> dict[str, Any]:
    return {
        "session_id": session,
        "oldest_seq": oldest,
        "next_seq": next_seq,
        "messages": [[f"{session}:{seq}", header(session, seq)] for seq in seqs],
    }


def receive(follower: FeedFollower, session: str, seq: int) -> list[Any]:
    return seen(follower.receive(f"{session}:{seq}", header(session, seq)))


def seen(events: list[FeedEvent]) -> list[Any]:
    return [event.message for event in events]


def only_request(follower: FeedFollower) -> HistoryRequest:
    (request,) = follower.requests()
    return request


def test_messages_in_order_pass() -> None:
    follower = FeedFollower(backfill_from_start=False)
    assert [receive(follower, "s", seq) for seq in (7, 8, 9)] == [["s:7"], ["s:8"], ["s:9"]]
    assert follower.requests() == []
    assert follower.lost == {}


def test_duplicates_vanish() -> None:
    follower = FeedFollower(backfill_from_start=False)
    assert receive(follower, "s", 7) == ["s:7"]
    assert receive(follower, "s", 7) == []
    assert receive(follower, "s", 6) == []


def test_messages_of_upstream_peers_pass_untouched() -> None:
    follower = FeedFollower(backfill_from_start=True)
    feed = {key: value for key, value in header("s", 0).items() if key != "seq"}
    assert follower.receive("a", feed) == [FeedEvent("a", feed)]
    assert follower.receive("a", feed) == [FeedEvent("a", feed)]
    assert follower.requests() == []


def test_a_gap_is_asked_for_once_and_filled() -> None:
    follower = FeedFollower(backfill_from_start=False)
    receive(follower, "s", 7)
    assert receive(follower, "s", 10) == []
    assert receive(follower, "s", 11) == []
    request = only_request(follower)
    assert request == HistoryRequest(ADDRESS, AGENT, "f", "s", 8)
    assert follower.requests() == []
    answer = reply("s", 0, 12, [8, 9, 10, 11])
    assert seen(follower.answer(request, answer)) == ["s:8", "s:9", "s:10", "s:11"]
    assert follower.lost == {}
    assert follower.requests() == []


def test_a_cut_answer_is_continued() -> None:
    follower = FeedFollower(backfill_from_start=True)
    follower.follow(AGENT, "f")
    request = only_request(follower)
    assert request.session_id is None
    assert seen(follower.answer(request, reply("s", 0, 4, [0, 1]))) == ["s:0", "s:1"]
    request = only_request(follower)
    assert (request.session_id, request.first_seq) == ("s", 2)
    assert seen(follower.answer(request, reply("s", 0, 4, [2, 3]))) == ["s:2", "s:3"]
    assert follower.requests() == []


def test_without_history_what_is_held_is_released_and_the_loss_counted() -> None:
    follower = FeedFollower(backfill_from_start=False)
    receive(follower, "s", 7)
    receive(follower, "s", 10)
    receive(follower, "s", 12)
    assert seen(follower.answer(only_request(follower), None)) == ["s:10", "s:12"]
    assert follower.lost == {ADDRESS: 3}
    assert receive(follower, "s", 13) == ["s:13"]


def test_held_messages_that_left_the_history_are_not_lost() -> None:
    # Held: 7. The history has shrunk to 10 and later.
    follower = FeedFollower(backfill_from_start=False)
    receive(follower, "s", 4)
    receive(follower, "s", 7)
    answer = reply("s", 10, 12, [10, 11])
    assert seen(follower.answer(only_request(follower), answer)) == ["s:7", "s:10", "s:11"]
    assert follower.lost == {ADDRESS: 4}
    assert receive(follower, "s", 12) == ["s:12"]
    assert follower.requests() == []


def test_a_gap_that_opened_after_the_answer_was_made_is_asked_for_again() -> None:
    follower = FeedFollower(backfill_from_start=False)
    receive(follower, "s", 4)
    follower.resync()
    request = only_request(follower)
    # 5 got lost, 6 overtook the answer, which was made before both.
    assert receive(follower, "s", 6) == []
    assert follower.answer(request, reply("s", 0, 5, [])) == []
    again = only_request(follower)
    assert again.first_seq == 5
    assert seen(follower.answer(again, reply("s", 0, 7, [5, 6]))) == ["s:5", "s:6"]
    assert follower.lost == {}


def test_a_restart_ends_the_old_session() -> None:
    follower = FeedFollower(backfill_from_start=False)
    receive(follower, "s", 4)
    receive(follower, "s", 6)
    assert receive(follower, "t", 1) == ["s:6"]
    assert follower.lost == {ADDRESS: 1}
    request = only_request(follower)
    assert (request.session_id, request.first_seq) == ("t", 0)
    assert seen(follower.answer(request, reply("t", 0, 2, [0, 1]))) == ["t:0", "t:1"]
    # What comes late from the old one is not lost, and not doubled.
    assert receive(follower, "s", 6) == []
    assert receive(follower, "s", 7) == ["s:7"]
    assert receive(follower, "s", 7) == []
    assert receive(follower, "t", 2) == ["t:2"]
    assert follower.lost == {ADDRESS: 1}


def test_a_restart_that_only_the_answer_tells_of() -> None:
    follower = FeedFollower(backfill_from_start=False)
    receive(follower, "s", 4)
    receive(follower, "s", 6)
    answer = reply("t", 0, 0, [])
    # Nothing will fill the gap any more: 6 must not wait for the new session's first message.
    assert seen(follower.answer(only_request(follower), answer)) == ["s:6"]
    assert receive(follower, "t", 0) == ["t:0"]
    assert follower.lost == {ADDRESS: 1}


def test_what_was_gone_before_the_first_contact_is_no_loss() -> None:
    follower = FeedFollower(backfill_from_start=True)
    assert receive(follower, "s", 50) == []
    answer = reply("s", 45, 51, [45, 46, 47, 48, 49, 50])
    assert len(follower.answer(only_request(follower), answer)) == 6
    assert follower.lost == {}


def test_positions_are_resumed() -> None:
    follower = FeedFollower(
        backfill_from_start=False, positions={(ADDRESS, "s"): 10, (ADDRESS, "t"): 3}
    )
    request = only_request(follower)
    assert request == HistoryRequest(ADDRESS, AGENT, "f", "t", 3)
    answer = reply("s", 12, 14, [12, 13])
    assert seen(follower.answer(request, answer)) == ["s:12", "s:13"]
    assert follower.lost == {ADDRESS: 2}


def test_too_many_held_messages_are_released() -> None:
    follower = FeedFollower(backfill_from_start=False, max_held=3)
    receive(follower, "s", 0)
    for seq in (2, 3, 4):
        assert receive(follower, "s", seq) == []
    assert receive(follower, "s", 5) == ["s:2", "s:3", "s:4", "s:5"]
    assert follower.lost == {ADDRESS: 1}


def test_a_number_the_publisher_never_used_does_not_block_the_feed() -> None:
    follower = FeedFollower(backfill_from_start=False)
    receive(follower, "s", 4)
    assert receive(follower, "s", 10**9) == []
    assert follower.answer(only_request(follower), reply("s", 0, 5, [])) == []
    assert follower.requests() == [], "asked for ever"
    assert receive(follower, "s", 5) == ["s:5"]
    assert follower.lost == {}


@pytest.mark.parametrize("seq", ["7", None, 1.5])
def test_a_seq_that_is_no_number_counts_as_none(seq: Any) -> None:
    follower = FeedFollower(backfill_from_start=True)
    assert len(follower.receive("a", {**header("s", 0), "seq": seq})) == 1


class World:
    """A publisher, a network that does what it likes, and a follower."""

    def __init__(self, *, from_start: bool, history_bytes: int) -> None:
        self.history_bytes = history_bytes
        self.follower = FeedFollower(backfill_from_start=from_start, max_held=10_000)
        self.session = 0
        self.history = FeedHistory(max_bytes=history_bytes)
        self.events: list[tuple[int, int]] = []
        self.asked: list[HistoryRequest] = []
        self.answers: list[tuple[HistoryRequest, dict[str, Any] | None]] = []
        self.delivered: list[tuple[int, int]] = []

    def publish(self) -> None:
        seq = self.history.append(0, 0.0)
        self.events.append((self.session, seq))

    def restart(self) -> None:
        self.session += 1
        self.history = FeedHistory(max_bytes=self.history_bytes)

    def arrive(self, index: int, keep: bool) -> None:
        # A router does not let a program's last message overtake its successor's first one.
        oldest = min(self.events, default=(0, 0))[0]
        events = [event for event in self.events if event[0] == oldest]
        if events:
            event = session, seq = events[index % len(events)]
            if not keep:
                self.events.remove(event)
            self._take(self.follower.receive(event, header(str(session), seq)))
            self.asked += self.follower.requests()

    def drop(self, index: int) -> None:
        if self.events:
            del self.events[index % len(self.events)]

    def reach_publisher(self, index: int, limit: int) -> None:
        if self.asked:
            request = self.asked.pop(index % len(self.asked))
            session = str(self.session)
            start = request.first_seq if request.session_id == session else 0
            kept = list(self.history.since(start, limit))
            self.answers.append(
                (
                    request,
                    {
                        "session_id": session,
                        "oldest_seq": self.history.oldest_seq,
                        "next_seq": self.history.next_seq,
                        "messages": [[(self.session, k.seq), header(session, k.seq)] for k in kept],
                    },
                )
            )

    def answer(self, index: int) -> None:
        if self.answers:
            self._take(self.follower.answer(*self.answers.pop(index % len(self.answers))))
            self.asked += self.follower.requests()

    def reconnect(self) -> None:
        """Everything on its way is gone; the follower asks anew."""
        self.asked.clear()
        self.follower.resync()
        self.asked += self.follower.requests()

    def settle(self) -> None:
        while self.events:
            self.arrive(0, keep=False)
        while self.asked or self.answers:
            self.reach_publisher(0, 3)
            self.answer(0)

    def _take(self, events: list[FeedEvent]) -> None:
        self.delivered += [event.message for event in events]


step = st.one_of(
    st.just(("publish",)),
    st.just(("publish",)),
    st.tuples(st.just("arrive"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("arrive"), st.just(0), st.just(False)),
    st.tuples(st.just("drop"), st.integers(0, 5)),
    st.tuples(st.just("reach_publisher"), st.integers(0, 2), st.integers(1, 6)),
    st.tuples(st.just("answer"), st.integers(0, 2)),
    st.just(("reconnect",)),
    st.just(("restart",)),
)


@settings(max_examples=600, deadline=None)
@given(st.lists(step, max_size=60), st.booleans(), st.one_of(st.just(10**6), st.integers(1, 8)))
def test_every_message_exactly_once_in_order_and_the_loss_exactly_counted(
    steps: list[tuple[Any, ...]], from_start: bool, history_bytes: int
) -> None:
    world = World(from_start=from_start, history_bytes=history_bytes)
    for name, *args in steps:
        getattr(world, name)(*args)
    world.settle()
    world.reconnect()
    world.settle()

    delivered = world.delivered
    assert len(delivered) == len(set(delivered)), "duplicates"
    for session in range(world.session + 1):
        got = [seq for s, seq in delivered if s == session]
        assert got == sorted(got), "order"
    if not delivered:
        return
    first_session, first_seq = min(delivered)
    kept = {(world.session, kept.seq) for kept in world.history.since(0)}
    if not from_start and world.session == first_session:
        kept = {message for message in kept if message >= min(delivered)}
    assert kept <= set(delivered), "the publisher still has it"

    # Every number between the first contact and the end of what could be known is either handed
    # on or counted as lost.
    endless = history_bytes == 10**6
    everything = from_start and endless
    missed = 0
    for session in range(first_session, world.session + 1):
        got = [seq for s, seq in delivered if s == session]
        begin = first_seq if session == first_session and not everything else 0
        if session == world.session:
            missed += world.history.next_seq - begin - len(got)
        elif got:
            missed += max(got) + 1 - begin - len(got)
    lost = sum(world.follower.lost.values())
    if endless:
        assert lost == missed
    else:
        # What left the history before the first contact does not count, and an answer without
        # messages is a contact, too.
        assert lost >= missed
