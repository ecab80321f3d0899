"""Gaps are found, and thinning makes none."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sisock.http.answers import Series
from sisock.http.gaps import GAP_POINTS, gap_rows
from sisock.thinning import thin

T0 = 1_800_000_000.0


@given(st.integers(0, 2**32 - 1), st.integers(20_000, 60_000))
def test_thinned_noise_has_no_gap_and_a_real_one_is_found(seed: int, samples: int) -> None:
    random = np.random.default_rng(seed)
    times = T0 + 0.1 * np.arange(samples)
    values = random.normal(size=samples)
    span = samples * 0.1
    assert gap_rows(Series("A::x", *thin(times, values, GAP_POINTS, span)), span) == []
    hole = (times < T0 + 300) | (times > T0 + 320)
    found = gap_rows(Series("A::x", *thin(times[hole], values[hole], GAP_POINTS, span)), span)
    assert len(found) == 1
    assert abs(found[0]["time"] / 1e3 - T0 - 300) < 2
    assert abs(found[0]["timeEnd"] / 1e3 - T0 - 320) < 2


def test_the_longest_gaps_are_kept_in_order() -> None:
    steps = np.ones(5000)
    steps[::5] = 10.0
    steps[2500] = 20.0
    found = gap_rows(Series("A::x", T0 + np.cumsum(steps), np.zeros(5000)), 20_000.0)
    assert len(found) == 500
    assert [row["time"] for row in found] == sorted(row["time"] for row in found)
    assert any(row["text"].startswith("20 s") for row in found)


def test_too_few_samples_for_a_gap() -> None:
    assert gap_rows(Series("A::x", np.array([T0, T0 + 100]), np.zeros(2)), 200.0) == []
