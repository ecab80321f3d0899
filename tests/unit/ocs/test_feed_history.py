"""The messages a feed keeps."""

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from ocs.feed_history import FeedHistory


def test_numbers_start_at_zero_and_have_no_holes() -> None:
    history = FeedHistory()
    assert (history.oldest_seq, history.next_seq) == (0, 0)
    assert [history.append({"n": n}, 0.0) for n in range(3)] == [0, 1, 2]
    assert [kept.unpack() for kept in history.since(0)] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert [kept.seq for kept in history.since(2)] == [2]
    assert list(history.since(3)) == []
    assert [kept.seq for kept in history.since(-5)] == [0, 1, 2]


def test_the_oldest_go_when_there_are_too_many_bytes() -> None:
    history = FeedHistory(max_bytes=10)
    for n in range(30):
        history.append(n, 0.0)
    assert history.size_bytes == 10
    assert (history.oldest_seq, history.next_seq) == (20, 30)
    assert [kept.seq for kept in history.since(0)] == list(range(20, 30))


def test_the_oldest_go_when_they_are_too_old() -> None:
    history = FeedHistory(max_age_s=10)
    for second in range(15):
        history.append(second, float(second))
    assert history.oldest_seq == 4


def test_what_nobody_has_had_may_grow_old() -> None:
    history = FeedHistory(max_age_s=10)
    for second in range(0, 1000, 5):
        history.append(second, float(second), keep_from=7)
    assert history.oldest_seq == 7
    history.append(0, 1000.0, keep_from=history.next_seq)
    assert history.oldest_seq == 198


def test_a_message_larger_than_the_history_is_not_kept() -> None:
    history = FeedHistory(max_bytes=10)
    history.append("x" * 100, 0.0)
    assert (history.oldest_seq, history.next_seq, history.size_bytes) == (1, 1, 0)


def test_an_answer_has_at_least_one_message() -> None:
    history = FeedHistory()
    for _ in range(5):
        history.append("x" * 100, 0.0)
    assert [kept.seq for kept in history.since(1, max_bytes=1)] == [1]
    assert [kept.seq for kept in history.since(1, max_bytes=210)] == [1, 2]


def test_messages_that_are_not_kept_are_counted() -> None:
    history = FeedHistory()
    assert [history.count_unkept() for _ in range(3)] == [0, 1, 2]
    assert (history.oldest_seq, history.next_seq) == (3, 3)
    assert list(history.since(0)) == []


@given(
    st.lists(st.tuples(st.binary(max_size=8), st.floats(0, 5))),
    st.integers(1, 40),
    st.floats(0, 20),
)
def test_the_limits_hold_and_nothing_in_between_is_missing(
    entries: list[tuple[bytes, float]], max_bytes: int, max_age_s: float
) -> None:
    history = FeedHistory(max_bytes, max_age_s)
    now = 0.0
    for payload, pause in entries:
        now += pause
        history.append(payload, now)
    kept = list(history.since(0))
    assert [message.seq for message in kept] == list(range(history.oldest_seq, history.next_seq))
    assert history.size_bytes == sum(len(message.packed) for message in kept) <= max_bytes
    assert all(message.time >= now - max_age_s for message in kept)
    assert [message.unpack() for message in kept] == [
        payload for payload, _ in entries[history.oldest_seq :]
    ]
    assert all(msgpack.unpackb(message.packed) == message.unpack() for message in kept)
