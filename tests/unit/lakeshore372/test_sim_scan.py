"""The simulated scanner's times, and what readings are old or new in them."""

import pytest

from agents.lakeshore.sim.replies import SentReading


def reading(bench, channel):
    """What a client knows of a channel's last reading."""
    return bench.say(f"KRDG? {channel};SRDG? {channel};QRDG? {channel}")


def visit_order(bench, seconds):
    order = []
    for _ in range(int(seconds / 0.5)):
        active = int(bench.say("SCAN?").split(",")[0])
        if not order or order[-1] != active:
            order.append(active)
        bench.wait(0.5)
    return order


def test_the_scan_goes_round_the_enabled_channels(bench):
    for channel in range(3, 15):
        bench.say(f"INSET {channel},0,10,3,21,1")
    assert visit_order(bench, 13 * 6) == [1, 2, 15, 16, 1, 2]


def test_a_scan_takes_pause_and_dwell_of_each_channel(bench):
    bench.say("INSET 2,1,20,5,22,1")
    bench.wait(12.9)
    assert bench.say("SCAN?") == "01,1"
    bench.wait(0.2)
    assert bench.say("SCAN?") == "02,1"
    bench.wait(24.8)
    assert bench.say("SCAN?") == "02,1"
    bench.wait(0.2)
    assert bench.say("SCAN?") == "03,1"


def test_the_scan_scale_shortens_both(make_bench):
    bench = make_bench(scale=0.01)
    bench.wait(0.125)
    assert bench.say("SCAN?;INSET? 1") == "01,1;1,010,003,21,1"
    bench.wait(0.01)
    assert bench.say("SCAN?") == "02,1"


def test_a_channel_repeats_its_reading_in_the_pause_and_while_it_is_not_scanned(bench):
    bench.wait(12.95)
    last = reading(bench, 1)
    before = reading(bench, 2)
    bench.wait(0.1)
    for _ in range(29):
        assert bench.say("RDGSTL?;SCAN?") == "0,2;02,1"
        assert (reading(bench, 1), reading(bench, 2)) == (last, before)
        bench.wait(0.1)
    bench.wait(0.1)
    assert bench.say("RDGSTL?") == "0,0"
    assert reading(bench, 2) != before
    assert reading(bench, 1) == last


def test_readings_are_made_ten_times_a_second(bench):
    bench.wait(3.001)
    seen = []
    for _ in range(100):
        seen.append(reading(bench, 1))
        bench.wait(0.01)
    assert len(set(seen)) == 10


def test_an_instrument_left_alone_has_scanned_all_the_same(bench):
    bench.wait(13 * 16 + 3.05)
    assert bench.say("SCAN?") == "01,1"
    sent = {channel: bench.reply(f"KRDG? {channel}").readings[0] for channel in range(1, 17)}
    # The last reading of each visit is the one 0.1 s before its end.
    assert sent[1].time_s == pytest.approx(bench.now - 0.05)
    for channel in range(2, 17):
        end = bench.now - 3.05 - 13 * (16 - channel)
        assert sent[channel].time_s == pytest.approx(end - 0.1)


def test_scan_can_be_set_and_stopped(bench):
    bench.say("SCAN 9,0")
    assert bench.say("SCAN?") == "09,0"
    bench.wait(100)
    assert bench.say("SCAN?;RDGSTL?") == "09,0;0,0"
    bench.say("SCAN 9 1")
    bench.wait(9.9)
    assert bench.say("SCAN?") == "09,1"
    bench.wait(0.2)
    assert bench.say("SCAN?") == "10,1"


def test_a_channel_alone_is_read_without_a_pause(bench):
    for channel in range(2, 17):
        bench.say(f"INSET {channel},0,10,3,21,1")
    bench.wait(3.01)
    seen = set()
    for _ in range(300):
        assert bench.say("RDGSTL?") == "0,0"
        seen.add(reading(bench, 1))
        bench.wait(0.1)
    assert len(seen) == 300


def test_truth_is_each_reading_once_as_sent(bench):
    bench.wait(3.05)
    for _ in range(30):
        kelvin, ohms = bench.say("KRDG? 1;RDGR? 1").split(";")
        bench.wait(0.03)
        assert kelvin in [s.value for s in bench.sent if s.quantity == "T"]
        assert ohms in [s.value for s in bench.sent if s.quantity == "R"]
    updates = [s.update for s in bench.sent if s.quantity == "T"]
    assert len(updates) == len(set(updates)) == 10
    assert updates == [s.update for s in bench.sent if s.quantity == "R"]
    first = bench.sent[0]
    assert first == SentReading(first.time_s, 1, "T", first.value, updates[0], 0)


def test_same_seed_same_readings(make_bench):
    def run(seed):
        bench = make_bench(seed=seed)
        values = []
        for _ in range(50):
            bench.wait(1)
            values.append(reading(bench, 1))
        return values

    assert run(3) == run(3)
    assert run(3) != run(4)


@pytest.mark.parametrize("often_s", [0.013, 0.1, 0.37])
def test_it_does_not_matter_how_often_it_is_asked(make_bench, often_s):
    seldom, often = make_bench(), make_bench()
    lines = ("RANGE 0,5;MOUT 0,30", "SCAN 10,0", "SCAN 10,1", "SCAN 3,1")
    for line in lines:
        for bench in (seldom, often):
            bench.say(line)
        asked_s = 0.0
        while asked_s < 20:
            often.wait(often_s)
            often.say("KRDG? 10;SRDG? 3;KRDG? A;SCAN?")
            asked_s += often_s
        seldom.wait(often.now - seldom.now)
        for channel in (1, 3, 10, "A"):
            assert seldom.say(f"KRDG? {channel};SRDG? {channel}") == often.say(
                f"KRDG? {channel};SRDG? {channel}"
            )
