import pytest

from agents.aggregator.frames import DataFrame, FrameBuilder, StatusFrame
from agents.aggregator.messages import MessageParser

NOW = 1_700_000_000.0


class Feeds:
    """A builder with the parser before it."""

    def __init__(self, feed):
        self.feed = feed
        self.builder = FrameBuilder()
        self.parser = MessageParser()
        self.next_id = 0

    def add(self, message, now=NOW, **header):
        parsed = self.parser.parse(message, self.feed(**header), now)
        assert parsed.refusals == ()
        self.next_id += 1
        return self.builder.add(parsed.message, self.next_id - 1)


@pytest.fixture
def feeds(feed):
    return Feeds(feed)


def shape(frames):
    """Frames in short: ('status', ids) and ('data', id, [(block, times)])."""
    return [
        ("status", [prov_id for prov_id, _ in frame.providers])
        if isinstance(frame, StatusFrame)
        else ("data", frame.prov_id, [(b.name, (b.times - NOW).tolist()) for b in frame.blocks])
        for frame in frames
    ]


def test_a_provider_is_listed_at_once_and_written_when_due(feeds, block):
    feeds.add(block([NOW], x=[1.0]))
    assert shape(feeds.builder.collect(NOW)) == [("status", [0])]
    feeds.add(block([NOW + 290], x=[2.0]), now=NOW + 290)
    assert feeds.builder.collect(NOW + 300) == []
    assert shape(feeds.builder.collect(NOW + 300.1)) == [("data", 0, [("temps", [0, 290])])]
    assert feeds.builder.collect(NOW + 301) == []


def test_a_feed_says_how_long_its_frames_are(feeds, block):
    feeds.add(block([NOW], x=[1.0]), agg_params={"frame_length": 10})
    feeds.builder.collect(NOW)
    assert feeds.builder.collect(NOW + 10) == []
    assert len(feeds.builder.collect(NOW + 10.1)) == 1


def test_old_samples_are_written_at_once(feeds, block):
    feeds.add(block([NOW - 400], x=[1.0]))
    assert [kind for kind, *_ in shape(feeds.builder.collect(NOW))] == ["status", "data"]


def test_idle_blocks_are_left_out_of_a_frame(feeds, block):
    feeds.add({**block([NOW], name="a", x=[1.0]), **block([NOW], name="b", y=[1.0])})
    feeds.builder.finish(NOW)
    feeds.add(block([NOW + 1], name="b", y=[2.0]))
    assert shape(feeds.builder.finish(NOW + 1)) == [("data", 0, [("b", [1])])]


def test_a_frame_names_the_messages_it_holds(feeds, block):
    feeds.add(block([NOW], x=[1.0]))
    feeds.add(block([NOW], y=[1]), address="observatory.other.feeds.f")
    feeds.add(block([NOW + 1], x=[1.0]))
    frames = [f for f in feeds.builder.finish(NOW) if isinstance(f, DataFrame)]
    assert [frame.message_ids for frame in frames] == [(0, 2), (1,)]


def test_a_silent_provider_is_written_and_leaves_the_list(feeds, block):
    feeds.add(block([NOW], x=[1.0]))
    feeds.builder.collect(NOW)
    assert shape(feeds.builder.collect(NOW + 180.1)) == [
        ("data", 0, [("temps", [0])]),
        ("status", []),
    ]
    (report,) = feeds.builder.reports.values()
    assert report == {
        "last_refresh": NOW,
        "sessid": "1700000000.5",
        "stale": True,
        "last_block_received": "temps",
    }
    feeds.add(block([NOW + 200], x=[1.0]), now=NOW + 200)
    assert shape(feeds.builder.collect(NOW + 200)) == [("status", [1])]


def test_a_restarted_agent_stands_beside_its_old_session(feeds, block):
    feeds.add(block([NOW], x=[1.0]))
    feeds.add(block([NOW + 1], x=[1]), session_id="2.0")
    (status,) = feeds.builder.collect(NOW + 1)
    assert [prov_id for prov_id, _ in status.providers] == [0, 1]
    assert len({address for _, address in status.providers}) == 1


def test_a_message_without_blocks_keeps_a_provider_alive_but_makes_none(feeds, block):
    feeds.add({})
    assert feeds.builder.collect(NOW) == []
    feeds.add(block([NOW], x=[1.0]))
    feeds.builder.finish(NOW)
    feeds.add({}, now=NOW + 100)
    assert feeds.builder.collect(NOW + 200) == []


def test_changed_fields_open_a_new_prov_id(feeds, block):
    feeds.add(block([NOW], x=[1.0]))
    feeds.builder.collect(NOW)
    why = feeds.add(block([NOW + 1], x=[1.0], y=[2.0]))
    assert "fields of block 'temps' changed: y" in why
    assert shape(feeds.builder.finish(NOW + 1)) == [
        ("status", [0, 1]),
        ("data", 0, [("temps", [0])]),
        ("status", [1]),
        ("data", 1, [("temps", [1])]),
    ]


def test_several_changes_between_two_looks(feeds, block):
    for n, fields in enumerate([{"a": [1.0]}, {"b": [1.0]}, {"a": [1.0]}]):
        feeds.add(block([NOW + n], **fields))
    assert shape(feeds.builder.collect(NOW)) == [
        ("status", [0, 1, 2]),
        ("data", 0, [("temps", [0])]),
        ("data", 1, [("temps", [1])]),
        ("status", [2]),
    ]


def test_numbers_widen_while_nothing_is_written(feeds, block):
    feeds.add(block([NOW], x=[True], i=[1]))
    feeds.add(block([NOW + 1], x=[2], i=[1.5]))
    feeds.add(block([NOW + 2], x=[2.5], i=[3]))
    _, frame = feeds.builder.finish(NOW)
    assert frame.blocks[0].columns["x"].tolist() == [1.0, 2.0, 2.5]
    assert frame.blocks[0].columns["i"].tolist() == [1.0, 1.5, 3.0]
    # Integers may follow floats that are written.
    assert feeds.add(block([NOW + 3], x=[7], i=[7])) is None
    (frame,) = feeds.builder.finish(NOW)
    assert frame.blocks[0].columns["x"].dtype.kind == "f"


@pytest.mark.parametrize(
    ("first", "second"),
    [(1, 1.5), (True, 1), (1.0, "x"), ("x", 1.0), (0.5, 2**53 + 1)],
)
def test_a_type_that_does_not_follow_what_is_written_opens_a_new_prov_id(
    feeds, block, first, second
):
    feeds.add(block([NOW], x=[first]))
    feeds.builder.finish(NOW)
    assert "type of field 'x'" in feeds.add(block([NOW + 1], x=[second]))
    *_, frame = feeds.builder.finish(NOW)
    assert frame.prov_id == 1
    assert list(frame.blocks[0].columns["x"]) == [second]


def test_widening_that_would_lose_digits_opens_a_new_prov_id(feeds, block):
    feeds.add(block([NOW], x=[2**53 + 1]))
    assert feeds.add(block([NOW], x=[0.5])) is not None


def test_samples_in_one_frame_are_sorted_stably(feeds, block):
    feeds.add(block([NOW + 3, NOW + 1], x=[3.0, 1.0], s=["c", "a"]))
    feeds.add(block([NOW + 2, NOW + 1], x=[2.0, 1.5], s=["b", "a2"]))
    _, frame = feeds.builder.finish(NOW)
    assert frame.blocks[0].columns["x"].tolist() == [1.0, 1.5, 2.0, 3.0]
    assert frame.blocks[0].columns["s"] == ["a", "a2", "b", "c"]


def test_times_before_what_is_written_open_a_new_prov_id(feeds, block):
    feeds.add(block([NOW, NOW + 10], x=[1.0, 2.0]))
    feeds.builder.finish(NOW)
    assert feeds.add(block([NOW + 10], x=[2.5])) is None
    assert "go back" in feeds.add(block([NOW + 5], x=[3.0]))
    assert shape(feeds.builder.finish(NOW))[-1] == ("data", 1, [("temps", [5])])


def test_a_message_goes_into_one_provider_as_a_whole(feeds, block):
    feeds.add({**block([NOW], name="a", x=[1.0]), **block([NOW], name="b", y=[1.0])})
    feeds.builder.finish(NOW)
    feeds.add({**block([NOW + 1], name="a", x=[1.0]), **block([NOW + 1], name="b", z=[1.0])})
    frames = feeds.builder.finish(NOW)
    assert [f.message_ids for f in frames if isinstance(f, DataFrame)] == [(1,)]


def test_feeds_never_leave_the_report(feeds, block):
    for n in range(3):
        feeds.add(block([NOW], x=[1.0]), address=f"observatory.a{n}.feeds.f")
    feeds.builder.collect(NOW + 1000)
    assert [r["stale"] for r in feeds.builder.reports.values()] == [True] * 3
