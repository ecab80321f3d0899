import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lakeshore372.limits import LimitExceeded, Limits, add_arguments, from_args
from agents.lakeshore372.output_tables import SAMPLE_HEATER_RANGE_A

CHECKS = [
    ("setpoint_k", "--max-setpoint", Limits.check_setpoint),
    ("sample_heater_power_w", "--max-sample-heater-power", Limits.check_power),
    ("still_percent", "--max-still-output", Limits.check_still),
    ("warm_up_percent", "--max-warm-up-output", Limits.check_warm_up),
]


def parse(*args):
    return from_args(add_arguments(argparse.ArgumentParser()).parse_args(args))


def test_a_site_sets_them_as_text_on_the_command_line():
    assert parse(
        "--max-setpoint=0.3",
        "--max-sample-heater-range=10e-3",
        *("--max-sample-heater-power", "1e-4"),
        "--max-still-output=25",
        "--max-warm-up-output",
        "0",
    ) == Limits(0.3, 0.01, 1e-4, 25.0, 0.0)


def test_without_options_there_are_none():
    assert parse() == Limits()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-setpoint=0"],
        ["--max-setpoint=cold"],
        ["--max-setpoint=nan"],
        ["--max-sample-heater-range=-1"],
        ["--max-sample-heater-power=inf"],
        ["--max-still-output=101"],
        ["--max-warm-up-output=-0.1"],
    ],
)
def test_an_impossible_limit_is_one_line_and_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        parse(*arguments)
    assert end.value.code == 2
    assert arguments[0].split("=")[0] in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "option", "check"), CHECKS, ids=lambda value: getattr(value, "__name__", value)
)
@given(limit=st.floats(1e-6, 100), factor=st.floats(0, 3))
def test_what_is_above_is_refused_and_nothing_else(name, option, check, limit, factor):
    limits, value = Limits(**{name: limit}), limit * factor
    if factor > 1.0001:
        with pytest.raises(LimitExceeded) as error:
            check(limits, value)
        assert f"{value:g}" in str(error.value)
        assert f"{limit:g}" in str(error.value)
        assert option in str(error.value)
    elif factor < 0.9999:
        check(limits, value)


@given(value=st.floats(0, 100))
def test_without_limits_all_but_setpoints_from_1_k_on_are_allowed(value):
    limits = Limits()
    for name, _, check in CHECKS:
        if name == "setpoint_k" and value >= 1:
            with pytest.raises(LimitExceeded, match="--max-setpoint"):
                check(limits, value)
        else:
            check(limits, value)


def test_a_site_may_allow_setpoints_above_1_k():
    Limits(setpoint_k=4.0).check_setpoint(4.0)


@pytest.mark.parametrize("step", SAMPLE_HEATER_RANGE_A)
def test_a_range_up_to_the_limit_itself(step):
    limits = Limits(sample_heater_range_a=SAMPLE_HEATER_RANGE_A[step])
    limits.check_range(step, 120)
    limits.check_range(0, 120)
    if step < 8:
        with pytest.raises(LimitExceeded, match="--max-sample-heater-range"):
            limits.check_range(step + 1, 120)


@given(
    step=st.sampled_from(list(SAMPLE_HEATER_RANGE_A)),
    resistance=st.floats(1, 2000),
    limit=st.floats(1e-9, 20),
)
def test_the_full_power_of_a_range_counts(step, resistance, limit):
    limits = Limits(sample_heater_power_w=limit)
    power = SAMPLE_HEATER_RANGE_A[step] ** 2 * resistance
    if power > 1.0001 * limit:
        with pytest.raises(LimitExceeded, match="--max-sample-heater-power"):
            limits.check_range(step, resistance)
    elif power < limit:
        limits.check_range(step, resistance)
