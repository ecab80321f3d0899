import math

import pytest

from agents.lakeshore.messages import BadReply
from agents.lakeshore372 import codec
from agents.lakeshore372.acquisition import ScanReader, SettleBy
from agents.lakeshore372.channel_names import channel_stem


def make_reader(bench, settle_by=SettleBy.STATUS, delay_s=0.0):
    return ScanReader(
        bench.ask, settle_by=settle_by, extra_delay_s=delay_s, clock=lambda: bench.now
    )


def run(bench, reader, seconds, period_s=0.1):
    samples = []
    end = bench.now + seconds
    while bench.now < end:
        started = bench.now
        sample = reader.step()
        if sample is not None:
            samples.append(sample)
        bench.now = max(bench.now, started + period_s)
    return samples


def truth(bench, quantity):
    return [(s.channel, float(s.value)) for s in bench.sent if s.quantity == quantity]


@pytest.mark.parametrize("settle_by", SettleBy)
@pytest.mark.parametrize("period_s", [0.1, 0.037, 0.23])
@pytest.mark.parametrize("phase_s", [0.0, 0.02, 0.0999])
def test_every_reading_sent_is_taken_once(bench, settle_by, period_s, phase_s):
    bench.wait(phase_s)
    samples = run(bench, make_reader(bench, settle_by), 13 * 17, period_s)
    assert [(s.channel, s.temperature_k) for s in samples] == truth(bench, "T")
    assert [(s.channel, s.resistance_ohm) for s in samples] == truth(bench, "R")
    assert {s.channel for s in samples} == set(range(1, 17))
    times = [s.time_s for s in samples]
    assert times == sorted(set(times))
    if period_s == 0.037:
        # Asked fast enough, no reading the unit makes is missed.
        assert len(samples) >= 1680


def test_nothing_is_taken_from_the_pause(bench):
    for settle_by in SettleBy:
        samples = run(bench, make_reader(bench, settle_by), 13 * 4)
        made = {(s.channel, float(s.value)): s.time_s for s in bench.sent if s.quantity == "T"}
        for sample in samples:
            assert sample.time_s - made[sample.channel, sample.temperature_k] < 0.11


def test_the_pause_is_waited_out_whatever_the_status_says(make_bench):
    # The pause takes 0.3 s, but the unit says that it is 3 s.
    bench = make_bench(scale=0.1, dwell_s=100)
    reader = make_reader(bench, SettleBy.PAUSE)
    run(bench, reader, 10.5)
    arrived = bench.now
    samples = run(bench, reader, 5)
    assert samples[0].channel == 2
    assert 2.7 < samples[0].time_s - arrived < 3.2
    quick = make_reader(bench, SettleBy.STATUS)
    assert run(bench, quick, 1)


def test_the_extra_delay(bench):
    reader = make_reader(bench, SettleBy.STATUS, delay_s=4)
    samples = run(bench, reader, 26)
    first = next(s for s in samples if s.channel == 2)
    assert first.time_s == pytest.approx(1_800_000_013 + 3 + 4, abs=0.2)


@pytest.mark.parametrize("settle_by", SettleBy)
def test_the_extra_delay_leaves_a_second_of_the_dwell(bench, settle_by):
    samples = run(bench, make_reader(bench, settle_by, delay_s=50), 26)
    of_second = [s for s in samples if s.channel == 2]
    assert 7 <= len(of_second) <= 11


def test_a_reader_that_comes_in_the_pause_waits(bench):
    bench.wait(13 + 1)
    samples = run(bench, make_reader(bench, SettleBy.PAUSE), 4)
    assert samples[0].channel == 2
    assert samples[0].time_s == pytest.approx(1_800_000_016, abs=0.2)


def test_a_channel_changed_by_hand_is_followed(bench):
    reader = make_reader(bench)
    run(bench, reader, 5)
    bench.say("SCAN 12,0")
    samples = run(bench, reader, 4)
    assert {s.channel for s in samples} <= {1, 12}
    bench.say("SCAN 3,0")
    run(bench, reader, 1)
    bench.say("SCAN 4,0")
    samples = run(bench, reader, 4)
    assert {s.channel for s in samples} == {4}


def test_flagged_readings_are_not_numbers(bench):
    reader = make_reader(bench)
    run(bench, reader, 4)
    bench.say("INTYPE 1,0,5,0,10,0,1")
    bench.wait(0.2)
    over = run(bench, reader, 1)
    assert len(over) >= 9
    for sample in over:
        assert math.isnan(sample.temperature_k)
        assert math.isnan(sample.resistance_ohm)
        assert sample.status == 16


def test_a_temperature_out_of_the_curve_leaves_the_resistance(bench):
    bench.say("INSET 11,1,10,3,21,1;SCAN 11,0")
    (first, *_) = run(bench, make_reader(bench), 4)
    assert math.isnan(first.temperature_k)
    assert first.resistance_ohm > 20e3
    assert first.status == 128


def test_no_curve_is_no_temperature(bench):
    bench.say("INSET 1,1,10,3,0,1")
    (first, *_) = run(bench, make_reader(bench), 4)
    assert math.isnan(first.temperature_k)
    assert first.resistance_ohm > 100
    assert first.status == 0


def test_names(bench):
    bench.say('INNAME 1,"Channel 1";INNAME 2,"MC plate";INNAME 3,"MC plate";INNAME 4,"4K-stage"')
    bench.say('INNAME 5,"Channel 09";INNAME 6,"A-B"')
    samples = run(bench, make_reader(bench), 13 * 9)
    names = {s.channel: (s.block_name, s.stem) for s in samples}
    assert names[1] == ("Channel 1", "Channel_1")
    # Both of two with one name, whichever the scanner has visited first.
    assert names[2] == ("Channel 02", "Channel_02")
    assert names[3] == ("Channel 03", "Channel_03")
    assert names[4] == ("Channel 04", "Channel_04")
    assert names[5] == ("Channel 05", "Channel_05")
    assert names[6] == ("AB", "AB")
    assert names[9] == ("Channel 09", "Channel_09")


def test_a_rename_makes_no_two_channels_one(bench):
    bench.say('INNAME 1,"MC plate"')
    reader = make_reader(bench)
    (first, *_) = run(bench, reader, 4)
    assert first.stem == "MC_plate"
    bench.say('INNAME 2,"mc plate"')
    later = {sample.channel: sample.stem for sample in run(bench, reader, 13 * 17)}
    assert (later[1], later[2], later[3]) == ("Channel_01", "Channel_02", "Channel_03")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Channel 01", "Channel_01"),
        ("", "Channel_07"),
        ("7", "Channel_07"),
        ("_x", "Channel_07"),
        ("T(still)", "Tstill"),
        ("Channel 02", "Channel_07"),
    ],
)
def test_field_names_are_legal(name, stem):
    assert channel_stem(name, 1 if name == "Channel 01" else 7) == stem


def test_a_bad_reply_loses_nothing_but_itself(bench):
    """Every answer in turn is garbage once; what is read otherwise is as sent, once each."""
    asked = 0

    def ask(query):
        nonlocal asked
        asked += 1
        if asked % 7 == 0:
            raise BadReply("garbage")
        return bench.ask(query)

    reader = ScanReader(ask, settle_by=SettleBy.STATUS, clock=lambda: bench.now)
    samples, bad = [], 0
    end = bench.now + 60
    while bench.now < end:
        bench.wait(0.1)
        try:
            sample = reader.step()
        except BadReply:
            bad += 1
        else:
            samples += [sample] if sample else []
    assert bad > 50
    assert [(s.channel, s.temperature_k) for s in samples] == truth(bench, "T")


def test_forget_learns_the_channel_anew(bench):
    reader = make_reader(bench)
    run(bench, reader, 4)
    reader.forget()
    bench.wait(13 * 3)
    bench.lines.clear()
    samples = run(bench, reader, 1)
    assert bench.lines[0] == codec.scan_state().text
    assert {s.channel for s in samples} == {4}
