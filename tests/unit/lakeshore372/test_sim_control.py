"""The simulated control loop on the simulated cryostat: it servoes, ramps, and is shut."""

import pytest

from agents.lakeshore372.sim_loop import PidGains, PidLoop, SetpointRamp

FULL_W = (3.16e-3) ** 2 * 120


def kelvin(bench, channel="10"):
    return float(bench.say(f"KRDG? {channel}"))


def servo(bench, setpoint, heater_range=5):
    bench.say("SCAN 10,0;OUTMODE 0,5,10,1,0,0,1;PID 0,40,2,0")
    bench.say(f"SETP 0,{setpoint};RANGE 0,{heater_range}")


def watch(bench, seconds, channel="10", step_s=1.0):
    seen = []
    for _ in range(round(seconds / step_s)):
        bench.wait(step_s)
        seen.append(kelvin(bench, channel))
    return seen


@pytest.mark.parametrize("setpoint", [0.05, 0.15])
def test_a_loop_settles_at_its_setpoint(bench, setpoint):
    servo(bench, setpoint)
    rise = watch(bench, 150)
    assert max(rise) < 1.05 * setpoint
    settled = watch(bench, 150)
    assert sum(settled) / len(settled) == pytest.approx(setpoint, rel=0.01)
    assert all(value == pytest.approx(setpoint, rel=0.02) for value in settled)
    servo(bench, 0.04)
    assert watch(bench, 200)[-1] == pytest.approx(0.04, rel=0.02)


def test_a_loop_by_the_control_input_while_the_scan_goes_on(bench):
    servo(bench, 0.08)
    bench.say("OUTMODE 0,5,A,1,0,0,1;SCAN 1,1")
    assert watch(bench, 200, "A")[-1] == pytest.approx(0.08, rel=0.02)
    assert bench.say("SCAN?") != "01,1"


def test_a_loop_in_ohms(bench):
    servo(bench, 0.1)
    bench.say("INTYPE 10,0,5,1,15,0,2;PID 0,0.01,5,0;SETP 0,6000")
    bench.wait(300)
    assert float(bench.say("SRDG? 10")) == pytest.approx(6000, rel=0.02)


def test_a_loop_gives_no_more_than_the_range_has(bench):
    servo(bench, 0.1, heater_range=4)
    watch(bench, 120)
    assert bench.say("HTR?") == "+100.000E+00"
    stuck = kelvin(bench)
    assert 0.05 < stuck < 0.08
    bench.say("RANGE 0,5")
    assert watch(bench, 200)[-1] == pytest.approx(0.1, rel=0.02)


def test_a_loop_switched_off_gives_nothing_and_begins_anew(bench):
    servo(bench, 0.1)
    watch(bench, 150)
    bench.say("RANGE 0,0")
    assert bench.say("HTR?") == "+00.0000E+00"
    bench.wait(200)
    assert kelvin(bench) < 0.03
    bench.say("RANGE 0,5")
    assert float(bench.say("HTR?")) == 0
    assert watch(bench, 200)[-1] == pytest.approx(0.1, rel=0.02)


def test_a_loop_holds_its_output_while_its_channel_is_not_read(bench):
    servo(bench, 0.1)
    watch(bench, 200)
    bench.say("SCAN 1,0")
    bench.wait(1)
    held = bench.say("HTR?")
    bench.wait(20)
    assert bench.say("HTR?") == held
    bench.say("SCAN 10,0;INCRV 10,0")
    bench.wait(30)
    assert float(bench.say("HTR?")) == pytest.approx(float(held), abs=3)


def test_a_setpoint_ramps_at_its_rate(bench):
    servo(bench, 0.05)
    bench.wait(100)
    bench.say("RAMP 0,1,0.02;SETP 0,0.07")
    assert bench.say("RAMPST? 0;SETP? 0") == "1;+50.0000E-03"
    bench.wait(30)
    assert float(bench.say("SETP? 0")) == pytest.approx(0.06, rel=0.01)
    assert 0.051 < kelvin(bench) < 0.06
    assert int(bench.say("*STB?")) & 128 == 0
    bench.wait(31)
    assert bench.say("RAMPST? 0;SETP? 0") == "0;+70.0000E-03"
    assert int(bench.say("*STB?")) & 128
    bench.say("*CLS")
    assert int(bench.say("*STB?")) & 128 == 0
    bench.say("RAMP 0,1,0;SETP 0,0.05")
    assert bench.say("RAMPST? 0;SETP? 0") == "0;+50.0000E-03"


def test_a_temperature_limit_shuts_all_outputs(bench):
    bench.say("SCAN 10,0;TLIMIT 10,1;OUTMODE 1,2,0,0,0,0,1;RANGE 1,1;RANGE 0,8;MOUT 0,50")
    watch(bench, 30)
    assert bench.say("RANGE? 0;RANGE? 1;RANGE? 2") == "0;0;0"
    assert kelvin(bench) < 1.5
    bench.say("TLIMIT 10,0;RANGE 0,8")
    bench.wait(30)
    assert bench.say("RANGE? 0") == "8"
    assert kelvin(bench) > 1


@pytest.mark.parametrize(("continuous", "left"), [(0, "0"), (1, "1")])
def test_warm_up_ends_at_its_setpoint_if_it_is_to(bench, continuous, left):
    bench.say(f"OUTMODE 1,6,A,0,0,0,1;WARMUP {continuous},50;SETP 1,5;RANGE 1,1")
    assert bench.say("AOUT? 1") == "+050.00"
    assert max(watch(bench, 60, "A")) > 4.9
    assert bench.say("RANGE? 1") == left


def test_zones_give_the_gains_and_the_range_of_the_setpoint(bench):
    bench.say("ZONE 0,1,0.06,40,2,0,0,4,0.1,0,0;ZONE 0,2,0.2,30,3,0,0,5,0.2,0,0")
    bench.say("SCAN 10,0;OUTMODE 0,3,10,1,0,0,1;SETP 0,0.05;RANGE 0,8")
    bench.wait(1)
    assert bench.say("RANGE? 0;PID? 0") == "4;+0040.000,+00002.00,+00000.00"
    bench.say("SETP 0,0.1")
    bench.wait(1)
    assert bench.say("RANGE? 0;PID? 0") == "5;+0030.000,+00003.00,+00000.00"
    assert watch(bench, 200)[-1] == pytest.approx(0.1, rel=0.02)


def test_an_instrument_left_alone_for_long_has_servoed_all_the_same(bench):
    servo(bench, 0.1)
    bench.wait(6 * 3600)
    assert kelvin(bench) == pytest.approx(0.1, rel=0.03)


def test_heat_is_accounted_for(bench):
    servo(bench, 0.1)
    bench.say("HTRSET 0,120,0,0,2")
    watch(bench, 200)
    # 84 n T² of the cryostat's circulation at 0.1 K, less what its own loads give.
    assert float(bench.say("HTR?")) == pytest.approx(0.0252 * 0.1**2, rel=0.15)
    assert float(bench.say("HTR?")) < FULL_W


def test_the_loop_by_itself():
    loop = PidLoop()
    gains = PidGains(p=10, i_s=20, d_s=4)
    loop.update(2.0, 0.0, gains, 0.0)
    assert loop.output_percent == pytest.approx(20)
    loop.update(2.5, 0.5, gains, 0.0)
    # 10 * 2.5, an integral of 10 * 2.5 * 0.5 / 20, a slope of 1 a second times 4.
    assert loop.output_percent == pytest.approx(25 + 0.625 + 40)
    loop.update(-100.0, 1.0, gains, 0.0)
    assert loop.output_percent == 0
    loop.update(-100.0, 1.5, gains, -100.0)
    assert loop.output_percent == -100
    loop.reset()
    assert loop.output_percent == 0


def test_what_a_heater_cannot_give_is_not_asked_for_later():
    loop = PidLoop()
    gains = PidGains(p=1, i_s=1)
    for step in range(100):
        loop.update(50.0, float(step), gains, 0.0)
    assert loop.output_percent == 100
    loop.update(-20.0, 100.0, gains, 0.0)
    assert loop.output_percent == pytest.approx(60)


def test_a_ramp_by_itself():
    ramp = SetpointRamp(enabled=True, rate_k_per_min=6.0)
    ramp.go_to(1.0)
    ramp.advance(5.0)
    assert (ramp.value, ramp.moving) == (pytest.approx(0.5), True)
    ramp.go_to(0.0)
    ramp.advance(10.0)
    assert (ramp.value, ramp.moving, ramp.finished) == (0.0, False, True)
