"""The simulated inputs: settings, their bounds, readings in the unit's own formats."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.lakeshore372.sim_build import make_instrument

READING = re.compile(r"[+-](\d\.\d{5}|\d\d\.\d{4}|\d{3}\.\d{3})E[+-]\d\d")


def refused(bench, line):
    bench.say("*CLS")
    return bench.say(line) is None and bench.say("*ESR?") == "016"


@pytest.mark.parametrize(
    ("query", "pattern"),
    [
        ("SCAN?", r"\d\d,[01]"),
        ("INSET? 1", r"[01],\d{3},\d{3},\d\d,[12]"),
        ("INSET? A", r"[01],\d{3},\d{3},\d\d,[12]"),
        ("INTYPE? 1", r"[01],\d\d,[01],\d\d,[01],[12]"),
        ("INTYPE? A", r"1,\d\d,[012],\d\d,[01],[12]"),
        ("INNAME? 1", "Channel 01"),
        ("INCRV? 1", r"\d\d"),
        ("TLIMIT? 1", r"\+\d{4}"),
        ("FILTER? 1", r"[01],\d{3},\d\d"),
        ("FREQ? 0", r"\d"),
        ("FREQ? A", r"\d"),
        ("CMR?", "[01]"),
        ("RDGST? 1", r"\d{3}"),
        ("RDGSTL?", "[012],[012]"),
        ("KRDG? 1", READING),
        ("RDGK? A", READING),
        ("RDGR? 1", READING),
        ("SRDG? A", READING),
        ("QRDG? 1", READING),
        ("RDGPWR? 1", READING),
        ("MDAT? 1", f"{READING.pattern},{READING.pattern}"),
    ],
)
def test_replies_have_the_recorded_formats(bench, query, pattern):
    assert re.fullmatch(pattern, bench.say(query))
    assert bench.say("*ESR?") == "128"


@pytest.mark.parametrize(
    ("command", "query", "answer"),
    [
        ("INSET 3,0,200,200,1,1", "INSET? 3", "0,200,200,01,1"),
        ("INSET 3,1,1,3,0,2", "INSET? 3", "1,001,003,00,2"),
        ("INSET 3,1,20,5,22,", "INSET? 3", "1,020,005,22,1"),
        ("INSET A,1,0,7,0,2", "INSET? a", "1,000,007,00,2"),
        ("INSET 3,1,9,9,22,1;INSET 3,0,0,0,0,0", "INSET? 3", "0,009,009,00,1"),
        ("INTYPE 3,1,8,0,14,1,2", "INTYPE? 3", "1,08,0,14,1,2"),
        ("INTYPE A,1,6,2,0,0,1", "INTYPE? A", "1,06,2,15,0,1"),
        ("INCRV 3,21", "INCRV? 3", "21"),
        ("INCRV A,0", "INCRV? A", "00"),
        ('INNAME 3,"a, b; c"', "INNAME? 3", "a, b; c"),
        ("INNAME A Plate", "INNAME? A", "Plate"),
        ('INNAME 3,""', "INNAME? 3", ""),
        ("TLIMIT 3,300.0", "TLIMIT? 3", "+0300"),
        ("FILTER 3,1,200,80", "FILTER? 3", "1,200,80"),
        ("FREQ 0,5", "FREQ? 0", "5"),
        ("FREQ A,2", "FREQ? A", "2"),
        ("CMR 1", "CMR?", "1"),
    ],
)
def test_settings_are_given_back(bench, command, query, answer):
    assert bench.say(f"{command};{query}") == answer
    assert bench.say("*ESR?") == "128"


def test_channel_0_means_all_measurement_channels(bench):
    bench.say("INSET 0,0,7,4,0,2;FILTER 0,1,9,20")
    for channel in range(1, 17):
        assert bench.say(f"INSET? {channel};FILTER? {channel}") == "0,007,004,00,2;1,009,20"
    assert bench.say("INSET? A;FILTER? A") == "1,010,003,37,1;0,005,10"


@pytest.mark.parametrize(
    "line",
    [
        "INSET 17,1,10,3,21,1",
        "INSET 1,2,10,3,21,1",
        "INSET 1,1,0,3,21,1",
        "INSET 1,1,201,3,21,1",
        "INSET 1,1,10,2,21,1",
        "INSET 1,1,10,201,21,1",
        "INSET 1,1,10,3,60,1",
        "INSET 1,1,10,3,21,3",
        "INSET 1,1,10,3",
        "INSET A,1,10,2,21,1",
        "INTYPE 0,0,5,0,15,0,1",
        "INTYPE 1,2,5,0,15,0,1",
        "INTYPE 1,0,0,0,15,0,1",
        "INTYPE 1,0,13,0,15,0,1",
        "INTYPE 1,1,23,0,15,0,1",
        "INTYPE 1,0,5,2,15,0,1",
        "INTYPE 1,0,5,0,23,0,1",
        "INTYPE 1,0,5,0,15,2,1",
        "INTYPE 1,0,5,0,15,0,3",
        "INTYPE A,1,7,0,0,0,1",
        "INNAME 1",
        "INNAME 0,x",
        "INNAME 1,sixteen letters.",
        "INCRV 1,60",
        "INCRV 0,21",
        "TLIMIT 1,-1",
        "TLIMIT 1,10000",
        "TLIMIT 1,hot",
        "FILTER 1,1,0,10",
        "FILTER 1,1,201,10",
        "FILTER 1,1,5,81",
        "FREQ 1,1",
        "FREQ 0,6",
        "CMR 2",
        "SCAN 17,1",
        "SCAN A,1",
        "SCAN?1",
        "QRDG? A",
        "RDGST? 0",
        "MNMXRST 1",
    ],
)
def test_what_is_out_of_bounds_changes_nothing(bench, line):
    everything = ";".join(
        f"INSET? {c};INTYPE? {c};INNAME? {c};FILTER? {c};TLIMIT? {c}" for c in (1, "A")
    )
    before = bench.say(f"{everything};SCAN?;FREQ? 0;CMR?")
    assert refused(bench, line)
    assert bench.say(f"{everything};SCAN?;FREQ? 0;CMR?") == before


@settings(max_examples=60, deadline=None)
@given(mode=st.integers(0, 1), excitation=st.integers(1, 22), step=st.integers(1, 22))
def test_a_range_is_taken_only_with_an_excitation_that_goes_with_it(mode, excitation, step):
    instrument = make_instrument(clock=lambda: 1e9)
    instrument.handle_line(f"INTYPE 5,{mode},{excitation},0,{step},0,1".encode())
    taken = instrument.handle_line(b"INTYPE? 5").text == f"{mode},{excitation:02d},0,{step:02d},0,1"
    # As the maker's table of what exists is written out in the specification, by the half decade.
    if mode == 1:
        exists = max(1, 20 - excitation) <= step <= min(22, 31 - excitation)
    else:
        exists = excitation <= 12 and max(1, excitation - 3) <= step <= min(22, excitation + 18)
    assert taken == exists


def test_autorange_takes_a_range_that_goes_with_the_excitation(bench):
    bench.say("INTYPE 10,1,8,1,1,0,1")
    assert bench.say("INTYPE? 10") == "1,08,1,16,0,1"
    bench.say("SCAN 10,0;INTYPE 10,1,12,1,1,0,1")
    bench.wait(4)
    assert bench.say("INTYPE? 10;RDGST? 10") == "1,12,1,16,0,1;000"


def test_without_excitation_there_is_no_reading(bench):
    bench.say("SCAN 1,0;INTYPE 1,0,5,1,15,1,1")
    bench.wait(4)
    assert bench.say("KRDG? 1;SRDG? 1;RDGST? 1;RDGPWR? 1") == (
        "+000.000E+00;+000.000E+00;032;+000.000E+00"
    )


def test_excitation_power_is_what_flows_squared(bench):
    bench.say("SCAN 10,0;INTYPE 10,1,8,1,16,0,1")
    bench.wait(4)
    ohms, watts = map(float, bench.say("SRDG? 10;RDGPWR? 10").split(";"))
    assert watts == pytest.approx((3.16e-9) ** 2 * ohms, rel=1e-4)
    bench.say("INTYPE 10,0,3,0,16,0,1")
    bench.wait(1)
    ohms, watts = map(float, bench.say("SRDG? 10;RDGPWR? 10").split(";"))
    assert watts == pytest.approx((20e-6 / 63.2e3) ** 2 * ohms, rel=1e-4)


def test_the_control_input_is_read_all_the_time(bench):
    bench.say("SCAN 1,0")
    seen = set()
    for _ in range(50):
        bench.wait(0.1)
        seen.add(bench.say("KRDG? A"))
    assert len(seen) > 40
    assert all(0.015 < float(value) < 0.03 for value in seen)
    bench.say("INSET A,0,10,3,37,1")
    last = bench.say("SRDG? A")
    bench.wait(5)
    assert bench.say("SRDG? A") == last


def test_the_filter_calms_readings_and_needs_its_time(bench):
    def jitter():
        seen = []
        for _ in range(40):
            bench.wait(0.1)
            seen.append(float(bench.say("SRDG? 10")))
        return sum(abs(one - other) for one, other in pairwise(seen))

    bench.say("SCAN 10,0")
    bench.wait(3.05)
    loud = jitter()
    bench.say("FILTER 10,1,20,10;SCAN 1,0;SCAN 10,0")
    bench.wait(3.05)
    assert bench.say("RDGSTL?") == "0,1"
    bench.wait(20)
    assert bench.say("RDGSTL?") == "0,0"
    assert 0 < jitter() < loud / 3


def test_extremes_are_kept_until_they_are_reset(bench):
    bench.say("SCAN 10,0")
    bench.wait(3.05)
    bench.say("MNMXRST")
    seen = []
    for _ in range(20):
        bench.wait(0.1)
        seen.append(bench.say("KRDG? 10"))
    assert bench.say("MDAT? 10") == f"{min(seen, key=float)},{max(seen, key=float)}"
    bench.say("MNMXRST")
    assert bench.say("MDAT? 10") == "+000.000E+00,+000.000E+00"


def test_a_change_of_frequency_takes_its_time(bench):
    bench.say("SCAN 3,0")
    bench.wait(5)
    assert bench.say("RDGSTL?") == "0,0"
    bench.say("FREQ 0,3")
    assert bench.say("RDGSTL?") == "0,2"
    bench.wait(3.1)
    assert bench.say("RDGSTL?") == "0,0"


def test_a_scan_comes_back_to_a_control_channel_all_the_time(bench):
    for channel in range(5, 17):
        bench.say(f"INSET {channel},0,10,3,21,1")
    bench.say("INSET 0,1,2,3,21,1;INSET 10,0,2,3,30,1;OUTMODE 0,5,10,1,0,0,1;RANGE 0,1")
    order = []
    for _ in range(370):
        bench.wait(0.1)
        active = bench.say("SCAN?")
        if not order or order[-1] != active:
            order.append(active)
    assert order == ["01,1", "10,1", "02,1", "10,1", "03,1", "10,1"]
