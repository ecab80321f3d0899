"""The thermal model and the cryostat: energy, stability, steady states, seeds."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.lakeshore.sim.thermal import Cooling, Link, PowerLaw, Stage, ThermalModel
from agents.lakeshore372.sim_cryostat import MIXING_CHAMBER, PLACES, STILL, Cryostat

COLD = Stage("cold", PowerLaw(0.5, 1), Cooling(0.02, 2, 0.01))
WARM = Stage("warm", PowerLaw(3.0, 0), Cooling(0.3, 1, 3.0))
LINK = Link("warm", "cold", 1e-4, 2)


def two_stages(*temperatures_k):
    return ThermalModel((WARM, COLD), (LINK,), list(temperatures_k or (4.0, 0.1)))


def test_at_rest_what_is_put_in_is_what_is_taken_out():
    model = two_stages()
    for _ in range(20):
        model.advance(3600.0, [0.5, 1e-3], [1.0, 1.0])
    warm_k, cold_k = model.temperatures_k
    flow_w = 1e-4 * (warm_k**2 - cold_k**2)
    assert WARM.cooling.power_w(warm_k) == pytest.approx(0.5 - flow_w)
    assert COLD.cooling.power_w(cold_k) == pytest.approx(1e-3 + flow_w)


@pytest.mark.parametrize("step_s", [0.001, 0.1, 10.0, 3600.0])
def test_no_energy_is_lost_or_made(step_s):
    model = two_stages()
    heat_w, cooling = [0.2, 5e-3], [1.0, 1.0]
    for _ in range(50):
        before_j = model.energy_j()
        model.advance(step_s, heat_w, cooling)
        out_w = sum(model.outflow_w(model.temperatures_k, cooling))
        change_j = model.energy_j() - before_j
        assert change_j == pytest.approx((sum(heat_w) - out_w) * step_s, abs=1e-7 * before_j)


def test_without_cooling_the_heat_stays():
    model = two_stages()
    before_j = model.energy_j()
    for _ in range(100):
        model.advance(0.5, [0.1, 0.01], [0.0, 0.0])
    assert model.energy_j() - before_j == pytest.approx(0.11 * 50, rel=1e-6)


def test_a_step_of_heat_is_followed_with_the_stages_time():
    model = ThermalModel((Stage("one", PowerLaw(6.0, 0), Cooling(0.3, 1, 3.0)),), (), [4.0])
    for _ in range(2000):
        model.advance(0.01, [0.6], [1.0])
    # From 4 K towards 5 K with 6 J/K over 0.3 W/K: after one such time, 20 s, 63 % of the way.
    assert model.temperatures_k[0] == pytest.approx(5 - math.exp(-1), abs=1e-3)


@settings(deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.floats(1e-3, 3600), st.floats(0, 10), st.floats(0, 10), st.sampled_from([0, 0.3, 1])
        ),
        max_size=8,
    )
)
def test_no_step_is_too_long_and_no_heater_too_strong(steps):
    model = two_stages()
    for elapsed_s, warm_w, cold_w, cooling in steps:
        model.advance(elapsed_s, [warm_w, cold_w], [cooling, cooling])
        for temperature_k in model.temperatures_k:
            assert math.isfinite(temperature_k)
            assert 1e-4 <= temperature_k < 1e5


def test_short_and_long_steps_end_at_the_same_place():
    short, long = two_stages(), two_stages()
    for _ in range(36_00):
        short.advance(1.0, [0.5, 2e-3], [1.0, 1.0])
    long.advance(3600.0, [0.5, 2e-3], [1.0, 1.0])
    assert short.temperatures_k == pytest.approx(long.temperatures_k, rel=1e-2)


STILL_W = (0.106 * 10) ** 2 / 120


def test_stages_stay_where_they_belong():
    cryostat = Cryostat(seed=5, now=0.0)
    channels = [channel for place in PLACES for channel in place.channels]
    assert sorted(map(str, channels)) == sorted(["A", *map(str, range(1, 17))])
    for step in range(1500):
        cryostat.advance(step * 2.0, {STILL: STILL_W})
        for place in PLACES:
            for channel in place.channels:
                temperature_k = cryostat.temperature_k(channel, step * 2.0)
                assert temperature_k == pytest.approx(place.base_k, rel=0.12)


def settled(heat_w):
    cryostat = Cryostat(seed=1, now=0.0)
    for step in range(1, 10):
        cryostat.advance(step * 600.0, heat_w)
    return {
        name: cryostat.temperature_k(channel, 5400.0)
        for name, channel in {"still": 6, "cold plate": 8, "mixing": 10, "focal": 12}.items()
    }


def test_heaters_warm_what_they_sit_on_and_what_hangs_on_it():
    usual = settled({STILL: STILL_W})
    heated = settled({STILL: STILL_W, MIXING_CHAMBER: 250e-6})
    assert heated["mixing"] == pytest.approx(0.1, rel=0.1)
    assert heated["focal"] > 1.2 * usual["focal"]
    assert heated["still"] == pytest.approx(usual["still"], rel=0.02)


def test_without_heat_on_the_still_too_little_helium_goes_round():
    usual, cold = settled({STILL: STILL_W}), settled({})
    assert cold["still"] < 0.8 * usual["still"]
    assert cold["mixing"] > 2 * usual["mixing"]


def test_an_hour_in_one_step_or_in_many_does_not_matter_much():
    one, many = Cryostat(seed=1, now=0.0), Cryostat(seed=1, now=0.0)
    one.advance(3600.0, {STILL: STILL_W})
    for step in range(1, 3601):
        many.advance(float(step), {STILL: STILL_W})
    for channel in (1, 3, 6, 8, 10, 12):
        assert one.temperature_k(channel, 3600.0) == pytest.approx(
            many.temperature_k(channel, 3600.0), rel=0.1
        )
