"""The ring cache against a model that is too simple to be wrong."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sisock.cache import RingCache
from sisock.series import Block, Column

T0 = 1_800_000_000.0


class Clock:
    def __init__(self, now: float = T0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def numbers(*values: float) -> Column:
    return np.array(values, dtype=np.float64)


def text(*values: str) -> Column:
    return np.array(values, dtype=np.object_)


def flat(blocks: list[Block]) -> dict[str, list[tuple[float, object]]]:
    return {
        field: list(zip(block.times.tolist(), values.tolist(), strict=True))
        for block in blocks
        for field, values in block.columns.items()
    }


def everything(cache: RingCache, *fields: str) -> dict[str, list[tuple[float, object]]]:
    return flat(cache.data(fields, 1.0, 2 * T0))


messages = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.sampled_from([("x",), ("x", "y"), ("z",)]),
        st.lists(st.integers(-150, 20), min_size=1, max_size=6),
        st.integers(0, 30),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(messages)
def test_like_a_sorted_list(steps: list[tuple[str, tuple[str, ...], list[int], int]]) -> None:
    clock = Clock()
    cache = RingCache(100.0, clock=clock)
    model: dict[str, list[tuple[float, float]]] = {"x": [], "y": [], "z": []}
    number = 0.0
    for block, fields, offsets, pause in steps:
        clock.now += pause
        cutoff = clock.now - 100.0
        times = clock.now + np.array(offsets, dtype=np.float64)
        values = number + np.arange(times.size, dtype=np.float64)
        number += times.size
        cache.append(block, times, dict.fromkeys(fields, values))
        for field in fields:
            kept = [p for p in zip(times, values, strict=True) if p[0] >= cutoff]
            model[field] = [p for p in model[field] if p[0] >= cutoff] + kept
        for samples in model.values():
            samples[:] = [p for p in samples if p[0] >= cutoff]
    end = clock.now + 200
    found = flat(cache.data(list(model), 1.0, end))
    for field, samples in model.items():
        got = found.get(field, [])
        # Between blocks the order of equal times is open; the set and the times are not.
        assert sorted(got) == sorted(samples)
        assert [t for t, _ in got] == sorted(t for t, _ in got)
    low, high = clock.now - 50, clock.now - 3
    window = flat(cache.data(list(model), low, high))
    for field, samples in model.items():
        assert sorted(window.get(field, [])) == sorted(p for p in samples if low <= p[0] < high)


def test_half_open_window() -> None:
    cache = RingCache(clock=Clock())
    cache.append("b", T0 - np.array([3.0, 2.0, 1.0]), {"x": numbers(1, 2, 3)})
    assert flat(cache.data(["x"], T0 - 3, T0 - 1))["x"] == [(T0 - 3, 1.0), (T0 - 2, 2.0)]
    assert cache.data(["x"], T0 - 1, T0 - 3) == []
    assert cache.data(["nope"], 1, T0) == []


def test_fields_of_a_block_share_their_times() -> None:
    cache = RingCache(clock=Clock(), timeline_name=lambda field: "tl." + field)
    cache.append("b", numbers(T0 - 1), {"x": numbers(1), "y": numbers(2)})
    (block,) = cache.data(["x", "y"], 1, T0)
    assert set(block.columns) == {"x", "y"}
    assert block.timelines == {"x": "tl.x", "y": "tl.y"}
    assert block.finalized_until == T0 - 1


def test_equal_times_are_kept_in_order_of_arrival() -> None:
    cache = RingCache(clock=Clock())
    for value in range(5):
        cache.append("b", numbers(T0 - 1), {"x": numbers(value)})
    cache.append("b", numbers(T0), {"x": numbers(9)})
    cache.append("b", numbers(T0 - 1), {"x": numbers(5)})
    assert [v for _, v in everything(cache, "x")["x"]] == [0, 1, 2, 3, 4, 5, 9]


def test_a_silent_field_vanishes() -> None:
    clock = Clock()
    cache = RingCache(3600.0, clock=clock)
    cache.append("b", numbers(T0), {"x": numbers(1)})
    clock.now += 3599
    assert list(cache.fields(1, clock.now).fields) == ["x"]
    clock.now += 2
    assert cache.fields(1, clock.now).fields == {}
    cache.prune()
    assert cache.size_bytes == 0


def test_listing_knows_types_interval_and_newest_sample() -> None:
    cache = RingCache(clock=Clock(), units={"x": "K"})
    times = T0 - np.array([3.0, 2.0, 1.0])
    cache.append(
        "b",
        times,
        {"x": numbers(1, 2, 3), "s": text("a", "b", "c"), "f": np.array([True, False, True])},
    )
    listing = cache.fields(1, T0)
    assert {name: info.type for name, info in listing.fields.items()} == {
        "x": "number",
        "s": "string",
        "f": "bool",
    }
    assert listing.fields["x"].units == "K"
    assert listing.fields["s"].units is None
    timeline = listing.timelines[listing.fields["x"].timeline]
    assert timeline.interval_s == pytest.approx(1.0)
    assert timeline.last_time == T0 - 1
    assert cache.fields(1, T0 - 100).fields == {}


def test_a_column_widens_and_keeps_what_it_had() -> None:
    cache = RingCache(clock=Clock())
    for values in ([True], [7], [2.5]):
        cache.append("b", numbers(T0), {"x": np.array(values)})
    assert everything(cache, "x")["x"] == [(T0, 1.0), (T0, 7.0), (T0, 2.5)]


def test_a_word_among_numbers_does_not_destroy_them() -> None:
    cache = RingCache(clock=Clock())
    cache.append("b", numbers(T0 - 3), {"x": numbers(1)})
    cache.append("b", numbers(T0 - 2), {"x": text("overload")})
    assert everything(cache, "x")["x"] == [(T0 - 2, "overload")]
    cache.append("b", numbers(T0 - 1), {"x": numbers(2)})
    assert everything(cache, "x")["x"] == [(T0 - 3, 1.0), (T0 - 1, 2.0)]


def test_samples_from_the_far_future_are_refused() -> None:
    cache = RingCache(100.0, clock=Clock())
    assert cache.append("b", numbers(T0, T0 + 1e6), {"x": numbers(1, 2)}) == 1
    assert cache.append("b", numbers(T0 - 200), {"x": numbers(3)}) == 1
    assert everything(cache, "x")["x"] == [(T0, 1.0)]


def test_one_point_is_the_newest() -> None:
    cache = RingCache(clock=Clock())
    cache.append("b", T0 - np.arange(10.0)[::-1], {"x": np.arange(10.0), "y": np.arange(10.0)})
    (block,) = cache.data(["x", "y"], 1, T0 + 1, max_points=1)
    assert block.times.tolist() == [T0]
    assert block.columns["x"].tolist() == [9.0]


def test_thinned_next_to_the_data() -> None:
    cache = RingCache(clock=Clock())
    values = np.sin(np.arange(3000.0))
    values[1234] = 99.0
    cache.append("b", T0 - 300 + np.arange(3000) * 0.1, {"x": values, "y": -values})
    blocks = cache.data(["x", "y"], T0 - 300, T0, max_points=200)
    found = flat(blocks)
    assert max(found["x"], key=lambda p: p[1])[1] == 99.0
    assert min(found["y"], key=lambda p: p[1])[1] == -99.0
    assert all(len(samples) <= 200 for samples in found.values())
    assert all(b.finalized_until is not None and b.finalized_until <= T0 for b in blocks)


def test_memory_stays_below_ten_bytes_a_value_with_sixteen_channels() -> None:
    clock = Clock()
    cache = RingCache(3600.0, clock=clock)
    per_second = 20
    for second in range(5400):
        clock.now = T0 + second
        times = clock.now + np.arange(per_second) / per_second
        cache.append("b", times, {f"c{i}": np.zeros(per_second) for i in range(16)})
    samples = 16 * 3600 * per_second
    assert cache.size_bytes / samples < 10.0
    (block,) = cache.data(["c0"], 1, 2 * T0)
    assert block.times.size == pytest.approx(3600 * per_second, abs=2 * per_second)


def test_arrays_shrink_when_a_feed_slows_down() -> None:
    clock = Clock()
    cache = RingCache(100.0, clock=clock)
    cache.append("b", T0 - np.linspace(99, 0, 100_000), {"x": np.zeros(100_000)})
    large = cache.size_bytes
    for second in range(200_000 // 1000):
        clock.now = T0 + second
        cache.append("b", np.full(100, clock.now), {"x": np.zeros(100)})
    assert cache.size_bytes < large / 4


def test_readers_in_other_threads_see_whole_messages() -> None:
    clock = Clock()
    cache = RingCache(50.0, clock=clock)
    stop = threading.Event()
    faults: list[str] = []

    def read() -> None:
        while not stop.is_set():
            for block in cache.data(["x", "y"], 1, 2 * T0):
                times, x, y = block.times, block.columns["x"], block.columns["y"]
                if not (x == y).all() or not (times - T0 == x).all() or times.size % 10:
                    faults.append(f"{times} {x} {y}")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for step in range(3000):
        values = step + np.arange(10) / 16
        clock.now = T0 + step
        cache.append("b", T0 + values, {"x": values.copy(), "y": values.copy()})
        if step % 7 == 0 and step > 20:  # a message that comes late
            late = step - 5.5 + np.arange(10) / 1024
            cache.append("b", T0 + late, {"x": late.copy(), "y": late.copy()})
    stop.set()
    for reader in readers:
        reader.join()
    assert faults == []
