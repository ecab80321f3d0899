"""Feed messages of every generation."""

import numpy as np
import pytest

from sisock.feed_messages import FieldNames, field_name, parse_message

Parsed = dict[str, list[tuple[float, object]]]


def parsed(message: object) -> Parsed:
    found: Parsed = {}
    for samples in parse_message(message):
        for channel, values in samples.columns.items():
            pairs = zip(samples.times.tolist(), values.tolist(), strict=True)
            found.setdefault(channel, []).extend(pairs)
    return found


def f3(data: object, timestamps: object, **more: object) -> dict[str, object]:
    return {"b": {"block_name": "b", "data": data, "timestamps": timestamps, **more}}


def test_f1_plain() -> None:
    message = {"Channel 1": [10.0, 4.5], "Channel 2": [11.0, 4.6]}
    assert parsed(message) == {"Channel 1": [(10.0, 4.5)], "Channel 2": [(11.0, 4.6)]}


def test_f1_buffered() -> None:
    message = [{"Channel 1": [10.0, 4.5]}, {"Channel 1": [11.0, 4.6]}]
    assert parsed(message) == {"Channel 1": [(10.0, 4.5), (11.0, 4.6)]}


def test_f2() -> None:
    message = [
        {"timestamp": 10.0, "data": {"Channel 1": 1.0}, "block_name": "b"},
        {"timestamp": 11.0, "data": {"Channel 1": 2.0}, "block_name": "b"},
        {"timestamp": 11.0, "data": {"Channel 2": 3.0}},
    ]
    assert parsed(message) == {"Channel 1": [(10.0, 1.0), (11.0, 2.0)], "Channel 2": [(11.0, 3.0)]}


def test_f3_several_blocks_and_rates() -> None:
    message = {
        "A": {"block_name": "A", "data": {"x": [1.0, 2.0]}, "timestamps": [10.0, 11.0]},
        "B": {"block_name": "B", "data": {"y": [3.0]}, "timestamps": [12.0], "prefix": "p"},
    }
    assert parsed(message) == {"x": [(10.0, 1.0), (11.0, 2.0)], "y": [(12.0, 3.0)]}
    assert [samples.block for samples in parse_message(message)] == ["A", "B"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.0, float("nan")], "f"),
        ([1, 2], "i"),
        ([True, False], "b"),
        (["on", "off"], "O"),
        ([1.0, 2], "f"),
        ([1.0, None], "f"),
        ([2**70, 1], "f"),
    ],
)
def test_types_of_values(values: list[object], kind: str) -> None:
    (samples,) = parse_message(f3({"x": values}, [1.0, 2.0]))
    assert samples.columns["x"].dtype.kind == kind
    assert samples.columns["x"].size == 2


def test_bad_columns_do_not_spoil_good_ones() -> None:
    data = {
        "good": [1.0, 2.0],
        "short": [1.0],
        "nested": [[1.0], [2.0]],
        "ragged": [[1.0], 2.0],
        "mixed": [1.0, "a", None],
        "odd": [1.0, {}],
        "scalar": 1.0,
        "huge": [10**400, 1],
        7: [1.0, 2.0],
    }
    assert list(parsed(f3(data, [1.0, 2.0]))) == ["good"]


def test_samples_without_a_usable_time_are_left_out() -> None:
    message = f3({"x": [1.0, 2.0, 3.0]}, [1.0, float("nan"), float("inf")])
    assert parsed(message) == {"x": [(1.0, 1.0)]}


@pytest.mark.parametrize(
    "message",
    [
        None,
        3,
        "text",
        {},
        [],
        {"a": 1, "b": 2},
        {"op": "count", "state": {"x": 1}},
        [1, 2, 3],
        [None, {"a": "b"}],
        {"x": [1, 2, 3]},
        {"x": ["a", 1]},
        {"x": [True, 1]},
        f3({"x": [1.0]}, ["1.0"]),
        f3({"x": [1.0]}, [True]),
        f3({"x": []}, []),
        f3([1.0], [1.0]),
        f3({"x": [1.0]}, 1.0),
        f3({"x": [1.0]}, None),
    ],
)
def test_what_is_no_data_is_passed_over(message: object) -> None:
    assert parse_message(message) == []


def test_words_are_kept_once() -> None:
    (samples,) = parse_message(f3({"x": ["".join(["o", "n"]), "".join(["o", "n"])]}, [1.0, 2.0]))
    first, second = samples.columns["x"]
    assert first is second


def test_names_of_fields() -> None:
    assert field_name("Channel 01 R") == "channel_01_r"
    assert field_name("A.b-C") == "a.b-c"


def test_the_first_to_come_keeps_a_name() -> None:
    told: list[tuple[str, str, str]] = []
    names = FieldNames(lambda *args: told.append(args))
    message = f3({"Channel 1": [1.0], "channel_1": [2.0]}, [1.0])
    for _ in range(3):
        (samples,) = parse_message(message)
        columns = names.rename(samples)
        assert {field: values.tolist() for field, values in columns.items()} == {"channel_1": [1.0]}
    assert told == [("channel_1", "b/Channel 1", "b/channel_1")]
    names.reset()
    (other,) = parse_message({"Channel_1": [5.0, 6.0]})
    assert np.array_equal(names.rename(other)["channel_1"], [6.0])
