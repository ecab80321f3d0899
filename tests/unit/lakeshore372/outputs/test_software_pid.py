import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lakeshore372.software_pid import PiController, PiTerms


def controller(setpoint_k=0.1, gain=1e-3, integral_hz=0.05, maximum_w=1e-4):
    return PiController(PiTerms(setpoint_k, gain, integral_hz, maximum_w))


@given(
    temperatures=st.lists(st.floats(0, 300), min_size=1, max_size=50),
    gain=st.floats(0, 1e3),
    integral_hz=st.floats(0, 10),
    maximum_w=st.floats(0, 10),
    elapsed_s=st.floats(0, 1e4),
)
def test_the_power_stays_in_its_bounds(temperatures, gain, integral_hz, maximum_w, elapsed_s):
    pi = controller(1.0, gain, integral_hz, maximum_w)
    for temperature in temperatures:
        assert 0 <= pi.update(temperature, elapsed_s) <= maximum_w


def test_the_first_power_is_p_times_error_and_i_times_its_integral():
    assert controller().update(0.09, 2.0) == pytest.approx(1e-3 * 0.01 * (1 + 0.05 * 2))


def test_above_the_setpoint_it_does_not_heat():
    assert controller().update(0.2, 1.0) == 0


def test_a_long_time_at_full_power_is_not_made_up_for():
    pi = controller()
    for _ in range(10_000):
        assert pi.update(0.01, 1.0) > 0.9e-4
    assert pi.update(0.15, 1.0) == 0


def test_a_long_time_without_power_is_not_made_up_for():
    pi = controller()
    for _ in range(10_000):
        assert pi.update(0.5, 1.0) == 0
    assert pi.update(0.09, 1.0) == controller().update(0.09, 1.0)


def test_it_holds_a_small_thermal_model_at_its_setpoint():
    pi, kelvin = controller(gain=2e-3, integral_hz=0.02), 0.05
    history = []
    for _ in range(4000):
        power = pi.update(kelvin, 1.0)
        # 1 mJ/K, 0.5 mW/K to a bath of 50 mK.
        kelvin += (power - 0.5e-3 * (kelvin - 0.05)) / 20e-3
        history.append(kelvin)
    assert max(history) < 0.11
    assert all(abs(value - 0.1) < 1e-5 for value in history[-100:])


@pytest.mark.parametrize(("kelvin", "elapsed"), [(math.nan, 1), (math.inf, 1), (0.1, -1)])
def test_no_power_follows_from_nonsense(kelvin, elapsed):
    with pytest.raises(ValueError, match="no power follows"):
        controller().update(kelvin, elapsed)
