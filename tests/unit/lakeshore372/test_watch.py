"""Dead channels and stuck scans, as the reader sees them in the simulated unit."""

import pytest

from agents.lakeshore372.acquisition import ControlReader, ScanReader, SettleBy
from agents.lakeshore372.dialect import EMULATOR, Dialect


@pytest.fixture
def reader(bench):
    return ScanReader(bench.ask, settle_by=SettleBy.STATUS, clock=lambda: bench.now)


def run(bench, reader, seconds):
    samples = []
    end = bench.now + seconds
    while bench.now < end:
        started = bench.now
        sample = reader.step()
        samples += [sample] if sample else []
        bench.now = max(bench.now, started + 0.1)
    return samples


def test_all_is_well(bench, reader):
    run(bench, reader, 250)
    assert reader.troubles() == {}


def test_a_frozen_channel_is_told_and_not_published(bench, reader):
    bench.say("SCAN 5,0")
    run(bench, reader, 5)
    bench.instrument.set_condition("frozen", "5", active=True)
    samples = run(bench, reader, 9)
    assert len(samples) <= 2
    assert reader.troubles() == {}
    assert run(bench, reader, 3) == []
    assert list(reader.troubles()) == ["channel 5"]
    assert "Channel 5 gives the same reading over and over" in reader.troubles()["channel 5"]
    bench.instrument.set_condition("frozen", "5", active=False)
    assert len(run(bench, reader, 1)) >= 8
    assert reader.troubles() == {}


def test_a_frozen_channel_is_found_though_each_visit_is_short(bench, reader):
    run(bench, reader, 13 * 2)
    bench.instrument.set_condition("frozen", "2", active=True)
    samples = run(bench, reader, 13 * 16)
    assert "channel 2" in reader.troubles()
    assert len([sample for sample in samples if sample.channel == 2]) <= 2
    # Nobody reads it any more: it is no trouble.
    bench.say("INSET 2,0,10,3,22,1")
    run(bench, reader, 13 * 33)
    assert reader.troubles() == {}


def test_a_dead_channel_is_excused_when_the_scanner_stays_elsewhere(bench, reader):
    run(bench, reader, 13 * 2)
    bench.instrument.set_condition("frozen", "2", active=True)
    run(bench, reader, 13 * 16)
    assert "channel 2" in reader.troubles()
    bench.say("SCAN 7,0")
    run(bench, reader, 2)
    assert reader.troubles() == {}


def test_flagged_readings_are_no_dead_ones(bench, reader):
    bench.say("SCAN 5,0")
    bench.instrument.set_condition("overrange", "5", active=True)
    bench.wait(4)
    assert bench.say("RDGST? 5") == "016"
    bench.instrument.set_condition("frozen", "5", active=True)
    assert len(run(bench, reader, 30)) > 200
    assert reader.troubles() == {}


def test_a_channel_without_excitation_has_nothing_to_change(bench, reader):
    bench.say("SCAN 5,0;INTYPE 5,0,5,0,13,1,1")
    bench.instrument.set_condition("frozen", "5", active=True)
    run(bench, reader, 30)
    assert reader.troubles() == {}


def test_an_emulator_may_say_the_same_for_ever(bench):
    reader = ScanReader(bench.ask, dialect=EMULATOR, clock=lambda: bench.now)
    bench.say("SCAN 5,0")
    run(bench, reader, 5)
    bench.instrument.set_condition("frozen", "5", active=True)
    assert len(run(bench, reader, 30)) > 100
    assert reader.troubles() == {}


def test_a_reading_whose_time_is_not_known_is_not_taken(bench):
    def ask(query):
        answer = bench.ask(query)
        if query.text.startswith("KRDG?"):
            bench.now += held_up_s
        return answer

    bench.say("SCAN 5,0")
    bench.wait(4)
    readers = [
        ScanReader(ask, settle_by=SettleBy.STATUS, clock=lambda: bench.now),
        ControlReader(ask, clock=lambda: bench.now),
    ]
    scanner, control = readers[0].step, lambda: readers[1].step(Dialect())
    for held_up_s, step in [(1.5, scanner), (2.5, scanner), (1.5, control), (2.5, control)]:
        taken = [step() for _ in range(10)]
        assert any(taken) == (held_up_s < 2), (held_up_s, step)


@pytest.mark.parametrize(("late_s", "taken"), [(0.2, True), (1.0, False)])
def test_the_last_reading_of_a_channel_left_long_ago_is_not_taken(bench, reader, late_s, taken):
    bench.say("SCAN 5,0")
    run(bench, reader, 5)
    bench.wait(0.1)
    bench.say("SCAN 9,0")
    # As when the heater was asked meanwhile, and gave no answer.
    bench.wait(late_s)
    sample = reader.step()
    assert (sample is not None) == taken


def test_a_stuck_scan_is_told(bench, reader):
    run(bench, reader, 20)
    bench.instrument.set_condition("stuck_scan", None, active=True)
    run(bench, reader, 10)
    assert reader.troubles() == {}
    samples = run(bench, reader, 12)
    assert list(reader.troubles()) == ["scan"]
    assert (
        "stays at channel 2 for longer than its change pause and dwell, 13 s"
        in (reader.troubles()["scan"])
    )
    # What is read there is good all the same.
    assert len(samples) > 100
    bench.instrument.set_condition("stuck_scan", None, active=False)
    run(bench, reader, 16)
    assert reader.troubles() == {}


def test_a_stuck_scan_is_told_though_settings_change_all_the_time(bench, reader):
    run(bench, reader, 20)
    bench.instrument.set_condition("stuck_scan", None, active=True)
    for _ in range(12):
        reader.forget()
        run(bench, reader, 2)
    assert list(reader.troubles()) == ["scan"]


def test_a_dwell_made_shorter_holds_from_the_next_visit_on(bench, reader):
    bench.say("INSET 2,1,60,3,22,1")
    run(bench, reader, 20)
    bench.say("INSET 2,1,1,3,22,1")
    reader.forget()
    run(bench, reader, 50)
    assert reader.troubles() == {}
    assert bench.say("SCAN?") == "02,1"


@pytest.mark.parametrize(
    "told",
    [
        "SCAN 2,0",
        # The only channel that is on has nowhere to go.
        ";".join(f"INSET {n},0,10,3,{20 + n},1" for n in range(1, 17) if n != 2),
        # Its dwell is made longer while the scanner is there.
        "INSET 2,1,200,3,22,1",
    ],
)
def test_a_scanner_that_has_to_stay_is_not_stuck(bench, reader, told):
    run(bench, reader, 20)
    bench.say(told)
    run(bench, reader, 60)
    assert reader.troubles() == {}


def test_the_control_input(bench):
    reader = ControlReader(bench.ask, clock=lambda: bench.now)
    bench.instrument.set_condition("frozen", "A", active=True)
    for _ in range(200):
        bench.wait(0.1)
        reader.step(Dialect())
    assert list(reader.troubles()) == ["channel A"]
