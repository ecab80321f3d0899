import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.aggregator.messages import BlockRefused, MessageParser

NOW = 1_700_000_000.0


@pytest.fixture
def parse(feed):
    parser = MessageParser()

    def run(message, **header):
        return parser.parse(message, feed(**header), NOW)

    return run


def test_columns_have_one_type_each(parse, block):
    parsed = parse(
        block([NOW, NOW + 1], f=[1.0, math.nan], i=[1, -(2**63)], b=[True, False], s=["a", "ü\0"])
    )
    assert parsed.refusals == ()
    (data,) = parsed.message.blocks
    assert data.times.dtype == np.float64
    assert {name: getattr(c, "dtype", str) for name, c in data.columns.items()} == {
        "f": np.float64,
        "i": np.int64,
        "b": np.bool_,
        "s": str,
    }
    assert data.columns["i"].tolist() == [1, -(2**63)]


@pytest.mark.parametrize(
    ("values", "stored"),
    [([1.0, 2], [1.0, 2.0]), ([True, 2], [1, 2]), ([2, True], [2, 1]), ([1.5, False], [1.5, 0.0])],
)
def test_mixed_numbers_are_widened(parse, block, values, stored):
    (data,) = parse(block([NOW, NOW], x=values)).message.blocks
    assert data.columns["x"].tolist() == stored


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0, None], "null"),
        ([1.0, "x"], "both text and numbers"),
        ([[1.0], [2.0]], "a list"),
        ([1.0], "1 values for 2 timestamps"),
        ([1, 2**63], "beyond 64 bits"),
        ([0.5, 2**53 + 1], "too large for a float"),
        (["a", "\ud800"], "no valid Unicode"),
        (b"ab", "bytes"),
        (None, "null"),
    ],
)
def test_a_bad_field_costs_its_block_only(parse, block, values, words):
    good = block([NOW, NOW + 1], name="good", x=[1.0, 2.0])
    parsed = parse({**block([NOW, NOW + 1], name="bad", x=values), **good})
    assert [data.name for data in parsed.message.blocks] == ["good"]
    (refusal,) = parsed.refusals
    assert refusal.block == "bad"
    assert words in refusal.reason
    assert "'x'" in refusal.reason


@pytest.mark.parametrize(
    "times", [None, "x", [None, 1.0], [True, 1.0], ["1", "2"], [math.nan, 1], [1.7e12, 1.7e12]]
)
def test_bad_times_are_refused(parse, times):
    parsed = parse({"b": {"block_name": "b", "timestamps": times, "data": {"x": [1.0, 2.0]}}})
    assert parsed.message.blocks == ()
    assert "timestamps" in parsed.refusals[0].reason


@pytest.mark.parametrize("message", [None, [], "text", 3.0])
def test_a_message_without_blocks_by_name_is_refused(parse, message):
    parsed = parse(message, seq=4)
    assert parsed.refusals[0].block == ""
    # It counts as received: nobody is asked for it again.
    assert parsed.message.seq == 4


@pytest.mark.parametrize("bad", [None, [], {"data": []}, {"data": {1: [1.0]}, "timestamps": [1.0]}])
def test_bad_blocks_are_refused(parse, bad):
    assert [r.block for r in parse({"b": bad}).refusals] == ["b"]


def test_a_block_name_that_is_no_text_is_refused(parse, block):
    bad = block([NOW], x=[1.0])["temps"]
    assert [r.block for r in parse({1: bad, "1": bad}).refusals] == ["1"]


@pytest.mark.parametrize(
    "header",
    [{"session_id": None}, {"session_id": ""}, {"session_id": 3}, {"session_id": "\ud800"}],
)
def test_a_header_without_session_is_refused(parse, block, header):
    with pytest.raises(BlockRefused):
        parse(block([NOW], x=[1.0]), **header)


def test_header_numbers_that_make_no_sense_give_the_defaults(parse, block):
    parsed = parse(block([NOW], x=[1.0]), agg_params={"frame_length": "60", "fresh_time": -1})
    assert (parsed.message.frame_length_s, parsed.message.fresh_time_s) == (None, 180.0)
    assert len(parsed.refusals) == 2
    assert parsed.message.blocks
    assert parse(block([NOW], x=[1.0]), agg_params=None).refusals == ()


def test_empty_blocks_are_left_out(parse, block):
    parsed = parse(block([], x=[]))
    assert (parsed.message.blocks, parsed.refusals) == ((), ())


def test_names_are_repaired_and_stay_with_their_field(parse, block):
    bad = {"a b": [1.0], "a_b": [2.0], "1": [3.0]}
    first = parse(block([NOW], **bad)).message.blocks[0]
    assert {name: c[0] for name, c in first.columns.items()} == {
        "a_b": 1.0,
        "a_b_01": 2.0,
        "invalid_field_1": 3.0,
    }
    shuffled = dict(reversed(bad.items()))
    again = parse(block([NOW], **shuffled)).message.blocks[0]
    assert {n: c[0] for n, c in again.columns.items()} == {
        n: c[0] for n, c in first.columns.items()
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ANY_BLOCK = st.fixed_dictionaries(
    {},
    optional={
        "block_name": JSON,
        "timestamps": JSON | st.lists(st.floats(0, 2e9), max_size=2),
        "data": JSON | st.dictionaries(st.text(max_size=3), st.lists(JSON, max_size=2), max_size=2),
    },
)


@given(message=JSON | st.dictionaries(st.text(max_size=3), ANY_BLOCK | JSON, max_size=3))
def test_anything_at_all_is_taken_or_refused_with_a_reason(message):
    header = {"address": "a.b.feeds.c", "session_id": "1.0", "agg_params": message}
    parsed = MessageParser().parse(message, header, NOW)
    assert all(refusal.reason for refusal in parsed.refusals)
    for data in parsed.message.blocks:
        assert all(len(column) == len(data.times) > 0 for column in data.columns.values())
