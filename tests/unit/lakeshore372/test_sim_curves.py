"""The simulated curve memory: transfer as clients do it, and what readings come of it."""

import math

import pytest


def refused(bench, line):
    bench.say("*CLS")
    return bench.say(line) is None and bench.say("*ESR?") == "016"


def held(bench, channel):
    """Have a channel read all the time, and return its kelvin, ohms and status."""
    bench.say(f"SCAN {channel},0")
    bench.wait(3.2)
    kelvin, ohms, status = bench.say(f"KRDG? {channel};SRDG? {channel};RDGST? {channel}").split(";")
    return float(kelvin), float(ohms), status


def upload(bench, place, points, form):
    bench.say(f"CRVDEL {place}")
    bench.say(f'CRVHDR {place},"MINE, TOO","U1",{form},40.0,1')
    for index, point in enumerate(points, start=1):
        bench.say(f"CRVPT {place}, {index}, {', '.join(map(str, point))}")


def test_every_channel_has_a_curve_of_its_own_as_delivered(bench):
    for channel in range(1, 17):
        assert bench.say(f"INCRV? {channel}") == f"{20 + channel:02d}"
        name, serial, form, limit, sign = bench.say(f"CRVHDR? {20 + channel}").split(",")
        assert (len(name), len(serial), form, sign) == (15, 10, "4", "1")
        assert serial.strip() == f"SIM0{20 + channel}"
        assert float(limit) in (40.0, 325.0)
    for place, first in ((21, 2), (31, 2)):
        points = [bench.say(f"CRVPT? {place},{index}").split(",") for index in range(1, 201)]
        assert all(len(point) == first for point in points)
        assert all(float(units) for units, _ in points)


def test_standard_curves_are_there_to_be_used_but_not_changed(bench):
    assert bench.say("CRVHDR? 1").startswith("RX-102A        ,STANDARD  ,4,+040.000,1")
    assert bench.say("CRVHDR? 9").startswith(" " * 15)
    for line in ("CRVDEL 1", "CRVPT 1,1,1,1", 'CRVHDR 20,"x","y",4,300,1'):
        assert refused(bench, line)
    bench.say("INCRV 10,1")
    kelvin, _, status = held(bench, 10)
    # A sensor colder than where the standard curve begins.
    assert (kelvin, status) == (0, "128")


def test_a_deleted_curve_is_empty_again(bench):
    bench.say("CRVDEL 30")
    assert bench.say("CRVHDR? 30") == "User Curve     ,          ,4,+375.000,1"
    assert bench.say("CRVPT? 30,1") == "+0.00000,+0.00000"
    kelvin, ohms, status = held(bench, 10)
    assert (kelvin, status) == (0, "000")
    assert ohms > 1e4


@pytest.mark.parametrize(("form", "units"), [(3, lambda r: r), (4, math.log10)])
def test_readings_follow_a_new_curve_at_once(bench, form, units):
    _, before_ohm, _ = held(bench, 10)
    low, high = before_ohm * 0.5, before_ohm * 2
    upload(bench, 40, [(units(low), 30.0), (units(high), 10.0)], form)
    bench.say("INSET 10,1,10,3,40,1")
    assert bench.say("INSET? 10;CRVHDR? 40") == (
        f"1,010,003,40,1;MINE, TOO      ,U1        ,{form},+040.000,1"
    )
    kelvin, ohms, status = held(bench, 10)
    share = (units(ohms) - units(low)) / (units(high) - units(low))
    assert (kelvin, status) == (pytest.approx(30 - 20 * share, rel=1e-3), "000")


def test_a_spline_curve_bends_by_its_curvatures(bench):
    _, before_ohm, _ = held(bench, 10)
    low, high = before_ohm * 0.5, before_ohm * 1.5
    bend = 10 / (high - low) ** 2
    upload(bench, 40, [(low, 30.0, bend), (high, 10.0, bend)], 7)
    assert len(bench.say("CRVPT? 40,1").split(",")) == 3
    bench.say("INCRV 10,40")
    kelvin, ohms, _ = held(bench, 10)
    share = (ohms - low) / (high - low)
    straight = 30 - 20 * share
    # T'' is the same all over: a parabola between the points.
    assert kelvin == pytest.approx(straight - 5 * share * (1 - share), rel=1e-3)


def test_beyond_the_curve_the_temperature_is_flagged(bench):
    _, ohms, _ = held(bench, 10)
    upload(bench, 40, [(ohms * 2, 10.0), (ohms * 3, 5.0)], 3)
    bench.say("INCRV 10,40")
    assert held(bench, 10)[0::2] == (0, "064")
    upload(bench, 40, [(ohms * 0.2, 10.0), (ohms * 0.3, 5.0)], 3)
    assert held(bench, 10)[0::2] == (0, "128")
    upload(bench, 40, [(ohms * 0.2, 5.0), (ohms * 0.3, 10.0)], 3)
    assert held(bench, 10)[0::2] == (0, "064")


def test_the_coefficient_comes_from_the_points_whatever_was_sent(bench):
    upload(bench, 40, [(100, 5.0), (200, 10.0)], 3)
    assert bench.say("CRVHDR? 40").endswith(",2")
    bench.say("INSET 10,1,10,3,40,1")
    assert bench.say("INSET? 10") == "1,010,003,40,2"


def test_a_location_without_a_curve_is_not_assigned(bench):
    bench.say("INSET 10,1,10,3,41,1")
    assert bench.say("INCRV? 10") == "00"
    bench.say("CRVPT 41,1,100,5;INCRV 10,41")
    assert bench.say("INCRV? 10") == "00"
    bench.say("CRVPT 41,2,200,4;INCRV 10,41")
    assert bench.say("INCRV? 10") == "41"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("1000.0, 0.123456", "+1000.00,+0.123456"),
        ("3.0000049,0.0215", "+3.00000,+0.0215000"),
        ("123456789,40", "+123457000,+40.0000"),
        ("4.99 2.5E-2", "+4.99000,+0.0250000"),
    ],
)
def test_points_keep_six_digits(bench, sent, kept):
    bench.say(f"CRVPT 59,200,{sent}")
    assert bench.say("CRVPT? 59,200") == kept


def test_a_point_past_the_end_does_not_count(bench):
    upload(bench, 40, [(100, 9.0), (200, 5.0)], 3)
    bench.say("CRVPT 40,4,1e6,1")
    bench.say("INCRV 10,40")
    assert held(bench, 10)[2] == "128"


@pytest.mark.parametrize(
    "line",
    [
        "CRVHDR? 0",
        "CRVHDR? 60",
        "CRVPT? 21,0",
        "CRVPT? 21,201",
        "CRVPT? 21",
        "CRVPT 21,201,1,1",
        "CRVPT 21,1,one,1",
        "CRVPT 60,1,1,1",
        'CRVHDR 21,"sixteen letters.","1",4,300,1',
        'CRVHDR 21,"x","eleven chars",4,300,1',
        'CRVHDR 21,"x","1",5,300,1',
        'CRVHDR 21,"x","1",4,300,3',
        'CRVHDR 21,"x","1",4,-1,1',
        'CRVHDR 21,"x","1",4,300',
        "CRVDEL 60",
    ],
)
def test_what_is_out_of_bounds_changes_nothing(bench, line):
    before = bench.say("CRVHDR? 21;CRVPT? 21,1;CRVPT? 21,200")
    assert refused(bench, line)
    assert bench.say("CRVHDR? 21;CRVPT? 21,1;CRVPT? 21,200") == before
