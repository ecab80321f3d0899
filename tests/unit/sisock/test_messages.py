"""Answers of nodes: ours, and those of others."""

import numpy as np
import pytest

from sisock.messages import decode_data, decode_fields, encode_data, encode_fields
from sisock.series import Block, FieldInfo, FieldList, TimelineInfo


def block(times: list[float], final: float | None = None, **columns: list[object]) -> Block:
    arrays = {name: np.array(values) for name, values in columns.items()}
    return Block(np.array(times), arrays, dict.fromkeys(columns, "tl"), final)


def test_listing_on_the_wire() -> None:
    listing = FieldList(
        {"x": FieldInfo(None, "o.A.x", "number", "K")},
        {"o.A.x": TimelineInfo(("x",), 0.5, 12.0)},
    )
    wire = encode_fields(listing)
    assert wire == [
        {"x": {"description": None, "timeline": "o.A.x", "type": "number", "units": "K"}},
        {
            "o.A.x": {
                "interval": 0.5,
                "field": ["x"],
                "caps": ["max_points", "minmax"],
                "last_time": 12.0,
            }
        },
    ]
    assert decode_fields(wire) == (listing, True)


def test_listing_of_upstream_nodes() -> None:
    wire = [
        {"humidity": {"description": "", "timeline": "humidity", "type": "number", "name": "h"}},
        {"humidity": {"interval": None, "field": "humidity"}},
    ]
    listing, takes_max_points = decode_fields(wire)
    assert not takes_max_points
    assert listing.timelines["humidity"].fields == ("humidity",)
    assert listing.fields["humidity"].units is None
    assert decode_fields([{}, {}]) == (FieldList({}, {}), False)


@pytest.mark.parametrize("bad", [None, False, {}, [], [{}], [1, 2], "x"])
def test_no_listing(bad: object) -> None:
    with pytest.raises(ValueError, match="get_fields"):
        decode_fields(bad)


def test_data_on_the_wire() -> None:
    wire = encode_data(
        ["x", "y", "no_such"], [block([1.0, 2.0], 2.0, x=[1.5, 2.5], y=[True, False])]
    )
    assert wire == {
        "data": {"x": [1.5, 2.5], "y": [True, False], "no_such": []},
        "timeline": {"tl": {"t": [1.0, 2.0], "finalized_until": 2.0, "fields": ["x", "y"]}},
    }
    assert encode_data(["x"], []) == {"data": {"x": []}, "timeline": {}}


def test_different_times_of_one_timeline_do_not_mix() -> None:
    wire = encode_data(["x", "y"], [block([1.0, 2.0], x=[1, 2]), block([1.5], y=[3])])
    answer = decode_data(wire, None)
    assert answer is not None
    assert answer.series["x"][0].tolist() == [1.0, 2.0]
    assert answer.series["y"][0].tolist() == [1.5]


def test_false_means_too_much() -> None:
    assert decode_data(False, None) is None


@pytest.mark.parametrize("bad", [None, True, {}, {"data": {}}, {"data": [], "timeline": {}}])
def test_no_data_answer(bad: object) -> None:
    with pytest.raises(ValueError, match="get_data"):
        decode_data(bad, None)


LISTING = FieldList({"x": FieldInfo(None, "declared", "number", None)}, {})


@pytest.mark.parametrize(
    "timelines",
    [
        {"group0": {"t": [1.0, 2.0], "fields": ["x"]}, "declared": {"t": [8.0, 9.0]}},
        {"group0": {"t": [1.0, 2.0], "field": ["x"]}, "other": {"t": [8.0, 9.0]}},
        {"declared": {"t": [1.0, 2.0]}, "other": {"t": [8.0, 9.0]}},
        {"whatever": {"t": [1.0, 2.0]}},
    ],
)
def test_where_times_come_from(timelines: dict[str, object]) -> None:
    answer = decode_data({"data": {"x": [5, 6]}, "timeline": timelines}, LISTING)
    assert answer is not None
    assert answer.series["x"][0].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "timelines",
    [{}, {"a": {"t": [1.0]}}, {"a": {"t": [1.0, 2.0]}, "b": {"t": [1.0, 2.0]}}, {"a": {"t": None}}],
)
def test_values_without_times_are_no_data(timelines: dict[str, object]) -> None:
    answer = decode_data({"data": {"x": [5, 6]}, "timeline": timelines}, None)
    assert answer is not None
    assert answer.series == {}


@pytest.mark.parametrize("times", [[1.0, {}], [[1.0, 2.0]], [["x"], ["y"]], ["x", "y"]])
def test_times_that_are_no_numbers(times: list[object]) -> None:
    """Whatever a node sends, its error is one that costs no other node's series."""
    answer = {"data": {"a": [1, 2]}, "timeline": {"x": {"t": times, "fields": ["a"]}}}
    with pytest.raises(ValueError, match=r"times|convert"):
        decode_data(answer, None)


def test_values_of_all_kinds() -> None:
    times = {"a": {"t": [1.0, 2.0], "fields": ["n", "s", "b", "m", "i"]}}
    data = {"n": [1.0, None], "s": ["a", "b"], "b": [True, False], "m": [1, "x"], "i": [1, 2]}
    answer = decode_data({"data": data, "timeline": times}, None)
    assert answer is not None
    kinds = {name: values.dtype.kind for name, (_, values) in answer.series.items()}
    assert kinds == {"n": "f", "s": "O", "b": "b", "m": "O", "i": "i"}


def test_disordered_samples_are_put_in_order() -> None:
    wire = {"data": {"x": [3, 1]}, "timeline": {"a": {"t": [3.0, 1.0], "fields": ["x"]}}}
    answer = decode_data(wire, None)
    assert answer is not None
    assert [column.tolist() for column in answer.series["x"]] == [[1.0, 3.0], [1, 3]]
