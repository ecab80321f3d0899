"""The simulated outputs: settings, bounds, formats, and what comes out."""

import re

import pytest

NUMBER = r"[+-]\d[\d.]*(E[+-]\d\d)?"


def refused(bench, line):
    bench.say("*CLS")
    return bench.say(line) is None and bench.say("*ESR?") == "016"


def later(bench, query, seconds=0.2):
    bench.wait(seconds)
    return bench.say(query)


@pytest.mark.parametrize(
    ("query", "pattern"),
    [
        ("OUTMODE? 0", r"2,10,1,0,0,001"),
        ("OUTMODE? 1", r"0,0,0,0,0,001"),
        ("OUTMODE? 2", r"4,16,1,0,0,001"),
        ("HTRSET? 0", r"\+120\.000,8,\+0000\.00,1"),
        ("HTRSET? 1", r"1,1,\+0000\.00,1"),
        ("HTRSET? 2", r"\+120\.000,8,\+0000\.00,1"),
        ("RANGE? 0", "0"),
        ("RANGE? 1", "0"),
        ("RANGE? 2", "1"),
        ("STILL?", r"\+10\.60"),
        ("HTR?", r"\+00\.0000E\+00"),
        ("HTR? 0", r"\+00\.0000E\+00"),
        ("WARMUP?", r"[01],\+\d{3}\.\d\d"),
        ("AOUT? 1", NUMBER),
        ("AOUT? 2", r"\+010\.60"),
        ("HTRST? 0", "0"),
        ("HTRST? 1", "0"),
        ("MOUT? 0", NUMBER),
        ("PID?", f"{NUMBER},{NUMBER},{NUMBER}"),
        ("PID? 1", f"{NUMBER},{NUMBER},{NUMBER}"),
        ("SETP?", NUMBER),
        ("SETP? 1", NUMBER),
        ("RAMP? 0", f"[01],{NUMBER}"),
        ("RAMPST? 1", "0"),
        ("ZONE? 1,10", ",".join([NUMBER] * 5 + [r"\d", NUMBER, "[01]", "[01]"])),
    ],
)
def test_replies_have_the_recorded_formats(bench, query, pattern):
    assert re.fullmatch(pattern, bench.say(query))
    assert bench.say("*ESR?") == "128"


@pytest.mark.parametrize(
    ("command", "query", "answer"),
    [
        ("OUTMODE 0,5,A,0,1,1,255", "OUTMODE? 0", "5,A,0,1,1,255"),
        ("OUTMODE 1,6,0,1,0,0,1", "OUTMODE? 1", "6,0,1,0,0,001"),
        ("OUTMODE 2,1,07,0,1,0,2", "OUTMODE? 2", "1,7,0,1,0,002"),
        ("HTRSET 0,2000,0,0,2", "HTRSET? 0", "+2000.000,8,+0000.00,2"),
        ("HTRSET 0,+120.000,8,+0000.00,2", "HTRSET? 0", "+120.000,8,+0000.00,2"),
        ("HTRSET 1,2,0,0.25,2", "HTRSET? 1", "2,0,+0000.25,2"),
        ("RANGE 0 4", "RANGE? 0", "4"),
        ("RANGE 2,0", "RANGE? 2", "0"),
        ("MOUT 0 12.5", "MOUT? 0", "+12.5000E+00"),
        ("PID 0,1000,10000,2500", "PID?", "+1000.000,+10000.00,+02500.00"),
        ("PID 1,0.001,0,0", "PID? 1", "+0000.001,+00000.00,+00000.00"),
        ("SETP 0,0.1", "SETP?", "+100.000E-03"),
        ("RAMP 0,1,0.001", "RAMP? 0", "1,+000.001"),
        ("RAMP 1,0,0", "RAMP? 1", "0,+000.000"),
        ("STILL 100", "STILL?", "+100.00"),
        ("WARMUP 1,33.3", "WARMUP?", "1,+033.30"),
        (
            "ZONE 0,10,0.5,10,20,30,40,8,1.5,1,0",
            "ZONE? 0,10",
            "+500.000E-03,+0010.000,+00020.00,+00030.00,+040.00,8,+001.500,1,0",
        ),
    ],
)
def test_settings_are_given_back(bench, command, query, answer):
    assert bench.say(f"{command};{query}") == answer
    assert bench.say("*ESR?") == "128"


@pytest.mark.parametrize(
    "line",
    [
        "OUTMODE 3,0,0,0,0,0,1",
        *(f"OUTMODE 0,{mode},10,0,0,0,1" for mode in (1, 4, 6, 7)),
        *(f"OUTMODE 1,{mode},10,0,0,0,1" for mode in (1, 4)),
        *(f"OUTMODE 2,{mode},10,0,0,0,1" for mode in (3, 5, 6)),
        "OUTMODE 1,2,10,0,1,0,1",
        "OUTMODE 0,2,17,0,0,0,1",
        "OUTMODE 0,2,B,0,0,0,1",
        "OUTMODE 0,2,10,2,0,0,1",
        "OUTMODE 0,2,10,0,0,0,0",
        "OUTMODE 0,2,10,0,0,0,256",
        "OUTMODE 0,2",
        "HTRSET 0,0.5,0,0,1",
        "HTRSET 0,2001,0,0,1",
        "HTRSET 0,120,0,0,3",
        "HTRSET 1,3,0,0,1",
        "HTRSET 1,1,3,0,1",
        "HTRSET 2,120,0,0,1",
        "RANGE 0,9",
        "RANGE 2,2",
        "RANGE 3,0",
        "RANGE 0",
        "MOUT 0,101",
        "MOUT 0,-1",
        "MOUT 2,x",
        "PID 0,1001,0,0",
        "PID 0,1,10001,0",
        "PID 0,1,1,2501",
        "PID 2,1,1,1",
        "PID 0,1,1",
        "SETP 0,-1",
        "SETP 2,1",
        "RAMP 0,1,0.0009",
        "RAMP 0,1,101",
        "RAMP 0,2,1",
        "STILL -1",
        "STILL 101",
        "WARMUP 2,1",
        "WARMUP 1,101",
        "ZONE 0,11,1,1,1,1,1,1,1,0,0",
        "ZONE 0,1,1,1,1,1,1,9,1,0,0",
        "ZONE 1,1,1,1,1,1,1,2,1,0,0",
        "ZONE 0,1,1,1,1,1,1,1,1,2,0",
        "AOUT? 0",
        "HTRST? 3",
        "ZONE? 0",
        "STILL? 1",
    ],
)
def test_what_is_out_of_bounds_changes_nothing(bench, line):
    everything = ";".join(
        [f"OUTMODE? {o};HTRSET? {o};RANGE? {o};MOUT? {o}" for o in (0, 1, 2)]
        + [f"PID? {o};SETP? {o};RAMP? {o};ZONE? {o},1" for o in (0, 1)]
        + ["STILL?;WARMUP?"]
    )
    before = bench.say(everything)
    assert refused(bench, line)
    assert bench.say(everything) == before


def test_a_range_means_nothing_to_an_output_that_is_off(bench):
    bench.say("OUTMODE 0,0,10,0,0,0,1;RANGE 0,5")
    assert bench.say("RANGE? 0;*ESR?") == "0;128"
    bench.say("OUTMODE 0,2,10,0,0,0,1;RANGE 0,5")
    assert bench.say("RANGE? 0") == "5"
    bench.say("OUTMODE 0,0,10,0,0,0,1;OUTMODE 0,2,10,0,0,0,1")
    assert bench.say("RANGE? 0") == "0"


def test_the_sample_heater_in_percent_and_in_watts(bench):
    bench.say("RANGE 0,5;MOUT 0,50")
    assert bench.say("HTR?") == "+50.0000E+00"
    bench.say("HTRSET 0,120,0,0,2")
    # Half of 3.16 mA through 120 ohms.
    assert bench.say("HTR?;MOUT? 0") == "+299.568E-06;+299.568E-06"
    bench.say("MOUT 0 0.0001")
    assert bench.say("MOUT? 0;HTR?") == "+100.000E-06;+100.000E-06"
    assert refused(bench, "MOUT 0,0.0012")
    bench.say("HTRSET 0,120,0,0,1")
    assert float(bench.say("MOUT? 0")) == pytest.approx(28.89, abs=0.01)
    bench.say("RANGE 0,0")
    assert bench.say("HTR?") == "+00.0000E+00"


def test_heat_on_the_mixing_chamber_warms_it(bench):
    before = float(later(bench, "KRDG? A"))
    bench.say("RANGE 0,5;MOUT 0,45")
    after = float(later(bench, "KRDG? A", 120))
    assert before < 0.03
    assert 0.08 < after < 0.12
    bench.say("RANGE 0,0")
    assert float(later(bench, "KRDG? A", 120)) == pytest.approx(before, rel=0.1)


def test_the_still_heater_warms_the_still(bench):
    bench.say("SCAN 6,0")
    before = float(later(bench, "KRDG? 6", 10))
    bench.say("STILL 30")
    assert bench.say("AOUT? 2") == "+030.00"
    assert float(later(bench, "KRDG? 6", 120)) > 1.4 * before
    bench.say("OUTMODE 2,2,0,1,0,0,1;MOUT 2 0")
    assert bench.say("AOUT? 2") == "+000.00"
    assert float(later(bench, "KRDG? 6", 200)) < before


def test_output_2_shows_a_reading_as_monitor(bench):
    bench.say("SCAN 1,0;OUTMODE 2,1,1,0,0,0,1;RANGE 2,0;ANALOG 2,0,1,1,1,50,40,0")
    assert bench.say("RANGE? 2") == "1"
    bench.wait(5)
    kelvin, percent = map(float, bench.say("KRDG? 1;AOUT? 2").split(";"))
    assert percent == pytest.approx((kelvin - 40) * 10, abs=0.01)
    bench.say("OUTMODE 2,1,1,0,1,0,1")
    kelvin, percent = map(float, bench.say("KRDG? 1;AOUT? 2").split(";"))
    assert percent == pytest.approx((kelvin - 40) * 20 - 100, abs=0.02)
    bench.say("ANALOG 2,0,1,1,1,10,0,0;OUTMODE 2,1,1,0,0,0,1")
    assert bench.say("AOUT? 2") == "+100.00"


def test_a_setpoint_stays_below_the_curves_limit(bench):
    bench.say("SETP 0,500")
    assert bench.say("SETP? 0") == "+40.0000E+00"
    bench.say("INTYPE 10,0,5,1,15,0,2;SETP 0,25000")
    assert bench.say("SETP? 0") == "+25.0000E+03"


def test_factory_defaults_and_power_up(bench):
    bench.say("RANGE 0,5;MOUT 0,45;OUTMODE 1,2,A,0,0,0,1;RANGE 1,1;INSET 5,0,99,99,0,2;CRVDEL 21")
    bench.say("*RST")
    # Output 0 is to stay on over a power cycle, output 1 is not.
    assert bench.say("RANGE? 0;RANGE? 1") == "5;0"
    assert refused(bench, "DFLT 1")
    bench.say("DFLT 99")
    assert bench.say("RANGE? 0;MOUT? 0;OUTMODE? 1;INSET? 5") == (
        "0;+000.000E+00;0,0,0,0,0,001;1,010,003,25,1"
    )
    assert bench.say("CRVHDR? 21").startswith("CERNOX")
