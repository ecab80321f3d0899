"""Thinning keeps spikes and does not flicker."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.thinning import bucket_width, denser_than, thin, thin_by_width, width_for

T0 = 1_800_000_000.0


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


def test_few_samples_are_left_alone() -> None:
    times, values = T0 + np.arange(10.0), noise(10)
    got = thin(times, values, 10, 3600)
    assert got[0] is times
    assert got[1] is values


@given(
    n=st.integers(2, 3000),
    max_points=st.integers(1, 700),
    span_factor=st.sampled_from([None, 0.5, 1.0, 1.5, 100.0]),
    seed=st.integers(0, 5),
)
def test_extremes_survive_and_the_limit_holds(
    n: int, max_points: int, span_factor: float | None, seed: int
) -> None:
    gaps = np.random.default_rng(seed).exponential(size=n)
    times, values = T0 + np.cumsum(gaps), noise(n, seed)
    span = None if span_factor is None else span_factor * float(times[-1] - times[0])
    t, v = thin(times, values, max_points, span)
    assert 1 <= t.size <= max_points
    assert (np.diff(t) >= 0).all()
    assert set(zip(t, v, strict=True)) <= set(zip(times, values, strict=True))
    if max_points >= 2:
        assert v.min() == values.min()
        assert v.max() == values.max()
    else:
        assert t[0] == times[-1]


@given(shift=st.integers(1, 900))
def test_a_moved_window_gives_the_same_points(shift: int) -> None:
    """What both windows show is the same, but for the buckets that an edge cuts."""
    times, values = T0 + np.arange(10_000) * 0.1, noise(10_000)
    length = 6000
    first = thin(times[:length], values[:length], 100, 600.0)
    moved = thin(times[shift : shift + length], values[shift : shift + length], 100, 600.0)
    width = bucket_width(600.0, 100)
    low = times[shift] + width
    high = times[length - 1] - width
    a = {(t, v) for t, v in zip(*first, strict=True) if low <= t <= high}
    b = {(t, v) for t, v in zip(*moved, strict=True) if low <= t <= high}
    assert a == b
    assert len(a) > 30


def test_every_single_sample_spike_is_seen() -> None:
    times = T0 + np.arange(36_000) * 0.1
    for spike in range(0, 36_000, 1777):
        values = noise(36_000)
        values[spike] = 50.0
        _, v = thin(times, values, 800, 3600)
        assert v.max() == 50.0


def test_nan_is_passed_over_but_a_gap_stays_one() -> None:
    times = np.arange(40.0)
    values = np.ones(40)
    values[3] = np.nan
    values[10:20] = np.nan
    values[25] = -5.0
    t, v = thin_by_width(times, values, 10.0)[:2]
    assert t.tolist() == [0.0, 10.0, 20.0, 25.0, 30.0]
    assert np.isnan(v[1])
    assert np.nan_to_num(v).tolist() == [1.0, 0.0, 1.0, -5.0, 1.0]


def test_first_of_equal_extremes_in_time_order() -> None:
    t, v, final = thin_by_width(np.arange(6.0), np.array([2.0, 9.0, 1.0, 9.0, 1.0, 3.0]), 10.0)
    assert t.tolist() == [1.0, 2.0]
    assert v.tolist() == [9.0, 1.0]
    assert final == 0.0


@pytest.mark.parametrize("dtype", [np.int64, np.bool_])
def test_integers_and_booleans_stay_what_they_are(dtype: type) -> None:
    values = (np.arange(100) % 7 == 0).astype(dtype)
    got = thin(np.arange(100.0), values, 20)[1]
    assert got.dtype == dtype
    assert got.max() == 1


def test_text_keeps_first_and_last_of_a_bucket() -> None:
    values = np.array(["a", "b", "c", "d", "e"], dtype=np.object_)
    t, v, _ = thin_by_width(np.array([0.0, 1.0, 2.0, 10.0, 11.0]), values, 10.0)
    assert v.tolist() == ["a", "c", "d", "e"]
    assert t.tolist() == [0.0, 2.0, 10.0, 11.0]


def test_samples_of_one_instant() -> None:
    t, v = thin(np.full(100, T0), np.arange(100.0), 10, 0.0)
    assert v.tolist() == [0.0, 99.0]
    assert t.size == 2


def test_all_history_is_as_fine_as_the_last_hour() -> None:
    """Asked for 1970 until now, an hour of samples is not lumped into one bucket."""
    times = T0 + np.arange(36_000) * 0.1
    assert width_for(times, 1000, T0) < 10.0


def test_small_changes_of_a_window_leave_the_width_alone() -> None:
    widths = {bucket_width(3600 + jitter, 1000) for jitter in np.linspace(-20, 20, 50)}
    assert len(widths) == 1


def test_density() -> None:
    times = np.arange(0.0, 10.0, 0.5)
    assert denser_than(times, 1.0)
    assert not denser_than(times, 0.5)
    assert not denser_than(times[:1], 100.0)
