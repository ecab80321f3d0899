"""What can be made to go wrong with the simulated instrument itself."""

import pytest


def begin(bench, name, target=None):
    bench.instrument.set_condition(name, target, active=True)


def end(bench, name, target=None):
    bench.instrument.set_condition(name, target, active=False)


def reading(bench, channel):
    return bench.say(f"KRDG? {channel};SRDG? {channel};RDGST? {channel}").split(";")


def test_all_are_named_with_help(bench):
    conditions = bench.instrument.conditions()
    assert set(conditions) == {
        *("overrange", "underrange", "cs_overload", "vcm_overload", "t_over", "t_under"),
        *("frozen", "stuck_scan", "no_reading", "slow_settling"),
        *("heater_open", "heater_short", "dead_heater"),
    }
    assert all(words for words in conditions.values())


@pytest.mark.parametrize(
    ("name", "status", "kelvin", "ohms"),
    [
        ("overrange", "016", False, False),
        ("underrange", "032", False, False),
        ("cs_overload", "001", True, True),
        ("vcm_overload", "002", True, True),
        ("t_over", "064", False, True),
        ("t_under", "128", False, True),
        ("no_reading", "000", False, False),
    ],
)
@pytest.mark.parametrize("channel", ["10", "A"])
def test_a_channels_readings_are_flagged(bench, name, status, kelvin, ohms, channel):
    bench.say("SCAN 10,0")
    begin(bench, name, channel)
    bench.wait(4)
    found = reading(bench, channel)
    assert found[2] == status
    assert [float(value) != 0 for value in found[:2]] == [kelvin, ohms]
    assert reading(bench, "A" if channel == "10" else "10")[2] == "000"
    end(bench, name, channel)
    bench.wait(0.2)
    found = reading(bench, channel)
    assert found[2] == "000"
    assert float(found[0]) == pytest.approx(0.0215, rel=0.2)


def test_the_status_of_a_condition_is_in_the_truth(bench):
    bench.say("SCAN 10,0")
    begin(bench, "cs_overload", "10")
    bench.wait(4)
    (sent,) = bench.reply("KRDG? 10").readings
    assert (sent.channel, sent.quantity, sent.status) == (10, "T", 1)
    (sent,) = bench.reply("KRDG? A").readings
    assert (sent.channel, sent.quantity, sent.status) == ("A", "T", 0)


def test_a_frozen_channel_repeats_its_reading(bench):
    bench.say("SCAN 10,0")
    bench.wait(4)
    begin(bench, "frozen", "10")
    before = reading(bench, 10)
    bench.wait(20)
    assert reading(bench, 10) == before
    assert bench.reply("KRDG? 10").readings == ()
    end(bench, "frozen")
    bench.wait(1)
    assert reading(bench, 10) != before


def test_a_stuck_scan_stays_where_it_is(bench):
    begin(bench, "stuck_scan")
    bench.wait(100)
    assert bench.say("SCAN?") == "01,1"
    bench.say("SCAN 9,1")
    bench.wait(100)
    assert bench.say("SCAN?;*ESR?") == "01,1;128"
    end(bench, "stuck_scan")
    bench.wait(11)
    assert bench.say("SCAN?") == "02,1"


def test_slow_settling_is_off_for_long_after_a_change(bench):
    begin(bench, "slow_settling", "6")
    bench.say("SCAN 6,0")
    seen = []
    for _ in range(100):
        bench.wait(1)
        seen.append(float(bench.say("SRDG? 6")))
    early, late = seen[4], seen[-1]
    assert early > 1.3 * late
    assert bench.say("RDGST? 6;RDGSTL?") == "000;0,0"


@pytest.mark.parametrize(("name", "answer"), [("heater_open", "1"), ("heater_short", "2")])
def test_a_broken_heater_gives_no_heat(bench, name, answer):
    begin(bench, name, "0")
    bench.say("RANGE 0,5;MOUT 0,45")
    assert bench.say("HTRST? 0;HTRST? 1") == f"{answer};0"
    bench.wait(60)
    assert float(bench.say("KRDG? A")) < 0.03
    end(bench, name)
    bench.wait(60)
    assert bench.say("HTRST? 0") == "0"
    assert float(bench.say("KRDG? A")) > 0.06


def test_a_dead_heater_neither_answers_nor_does_anything(bench):
    begin(bench, "dead_heater", "0")
    for query in ("HTR?", "RANGE? 0", "OUTMODE? 0", "PID?", "SETP? 0", "HTRST? 0", "ZONE? 0,1"):
        assert bench.say(query) is None
    bench.say("RANGE 0,5;MOUT 0,45")
    assert bench.say("RANGE? 2;HTR?;SCAN?;*ESR?") == "1;01,1;128"
    end(bench, "dead_heater", "0")
    assert bench.say("RANGE? 0;HTR?") == "0;+00.0000E+00"
    begin(bench, "dead_heater")
    assert bench.say("STILL?") is None
    assert bench.say("WARMUP?") is None


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        ("on_fire", None, "There is no condition 'on_fire'; there are overrange"),
        ("frozen", "17", "frozen has no target '17'; it can be A, 1, 2"),
        ("heater_open", "A", "it can be 0, 1, 2"),
        ("stuck_scan", "3", "stuck_scan has no target '3'; it takes none"),
    ],
)
def test_what_there_is_not_is_named(bench, name, target, words):
    with pytest.raises(ValueError, match=words):
        begin(bench, name, target)
