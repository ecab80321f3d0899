import pytest

from ocs.params import ParamError


class TestServo:
    def test_sets_everything_up(self, lab):
        lab.say("INTYPE 10,0,5,1,16,0,2")
        message = lab.succeed("servo_to_temperature", temperature=0.1)
        assert lab.say("OUTMODE? 0") == "5,10,1,0,0,001"
        assert lab.say("SCAN?") == "10,0"
        assert lab.say("INTYPE? 10") == "0,05,1,16,0,1"
        assert lab.say("SETP? 0") == "+100.000E-03"
        assert "range is off: switch it on" in message
        assert lab.data == {
            "setpoint": 0.1,
            "channel": 10,
            "mode": "Closed Loop",
            "range": "off",
        }

    def test_never_works_towards_an_old_setpoint(self, lab):
        lab.succeed("servo_to_temperature", temperature=0.1)
        told = [line.split()[0] for line in lab.commands()]
        assert told.index("SETP") < told.index("OUTMODE")

    def test_leaves_what_is_set_up_already(self, lab):
        lab.succeed("servo_to_temperature", temperature=0.1)
        lab.bench.lines.clear()
        lab.succeed("servo_to_temperature", temperature=0.1)
        assert lab.commands() == ["SETP 0,0.1"]

    def test_with_a_range_it_really_servoes(self, lab):
        lab.succeed("set_pid", P=200, I=10, D=0)
        message = lab.succeed("servo_to_temperature", temperature=0.1, heater_range=3.16e-3)
        assert message == ("The sample heater servoes input 10 to 0.1 K in the range 0.00316 A.")
        for _ in range(3000):
            lab.bench.wait(0.1)
            lab.bench.instrument.advance()
        lab.succeed("check_temperature_stability", measurements=20, threshold=1e-3)
        assert lab.data["mean"] == pytest.approx(0.1, abs=1e-3)

    def test_by_the_control_input(self, lab):
        lab.say("OUTMODE 0,2,A,1,0,0,1")
        lab.succeed("servo_to_temperature", temperature=0.1)
        assert lab.data["channel"] == "A"
        assert lab.say("SCAN?") == "01,1"

    def test_by_a_disabled_control_input(self, lab):
        lab.say("OUTMODE 0,2,A,1,0,0,1")
        lab.say("INSET A,0,10,3,37,1")
        words = lab.fail("servo_to_temperature", temperature=0.1)
        assert words == "Input A is disabled: enable it with engage_channel, channel 0."

    def test_without_an_input(self, lab):
        lab.say("OUTMODE 0,2,0,1,0,0,1")
        assert "no input" in lab.fail("servo_to_temperature", temperature=0.1)

    def test_a_loop_closed_in_ohms_never_heats_towards_as_many_kelvin(self, lab):
        """The unit takes a setpoint for kelvin as soon as the input is in kelvin."""
        lab.say("INTYPE 10,0,5,1,16,0,2")
        for line in ("OUTMODE 0,5,10,1,0,0,1", "SETP 0,20000", "RANGE 0,4"):
            lab.say(line)
        seen = []
        lab.driver.after = lambda _: seen.append(lab.say("INTYPE? 10;SETP? 0;RANGE? 0"))
        message = lab.succeed("servo_to_temperature", temperature=0.1)
        assert message == "The sample heater servoes input 10 to 0.1 K in the range 0.001 A."
        assert lab.input_changes
        heated_in_kelvin = [text for text in seen if text[12] == "1" and not text.endswith(";0")]
        assert heated_in_kelvin == ["0,05,1,16,0,1;+100.000E-03;4"]

    def test_a_range_that_does_not_exist_changes_nothing(self, lab):
        lab.bench.lines.clear()
        lab.fail("servo_to_temperature", temperature=0.1, heater_range=0.5)
        assert lab.commands() == []

    def test_by_an_input_without_a_curve(self, lab):
        lab.say("INSET 10,1,10,3,0,1")
        assert "heated without end" in lab.fail("servo_to_temperature", temperature=0.1)
        assert lab.say("OUTMODE? 0") == "2,10,1,0,0,001"

    @pytest.mark.parametrize("kelvin", [-0.1, 0, "0.1"])
    def test_no_temperature(self, lab, kelvin):
        with pytest.raises(ParamError):
            lab.run("servo_to_temperature", temperature=kelvin)

    def test_above_1_k(self, lab):
        lab.bench.lines.clear()
        assert "--max-setpoint" in lab.fail("servo_to_temperature", temperature=1.0)
        assert lab.bench.lines == []

    def test_above_the_sites_limits(self, make_lab):
        lab = make_lab(setpoint_k=0.3, sample_heater_range_a=1e-3)
        assert "0.4 K is above" in lab.fail("servo_to_temperature", temperature=0.4)
        assert "--max-sample-heater-range" in lab.fail(
            "servo_to_temperature", temperature=0.2, heater_range=3.16e-3
        )

    def test_a_range_by_hand_above_the_sites_limit(self, make_lab):
        lab = make_lab(sample_heater_range_a=1e-3)
        lab.say("RANGE 0,8")
        assert "--max-sample-heater-range" in lab.fail("servo_to_temperature", temperature=0.1)
        assert lab.say("OUTMODE? 0").startswith("2,")

    def test_a_scanner_that_is_stuck(self, lab):
        lab.bench.instrument.set_condition("stuck_scan", None, active=True)
        assert "has not taken channel 10" in lab.fail("servo_to_temperature", temperature=0.1)


@pytest.fixture
def held(lab):
    """The scanner stays on channel 10, at some 21 mK, and so is the setpoint."""
    lab.succeed("servo_to_temperature", temperature=0.0214)
    lab.bench.wait(5)
    return lab


class TestStability:
    def test_stable(self, held):
        began = held.bench.now
        message = held.succeed("check_temperature_stability", measurements=20, threshold=2e-3)
        assert "is less than 0.002 K from the setpoint, 0.0214 K" in message
        assert held.data["stable"]
        assert held.data["channel"] == 10
        assert held.data["difference"] == pytest.approx(held.data["mean"] - 0.0214)
        # Every one of them was a reading of its own.
        assert held.bench.now - began >= 19 * 0.1

    def test_defaults_of_2019(self, held):
        held.succeed("set_setpoint", temperature=0.5)
        message = held.fail("check_temperature_stability")
        assert "is not less than 0.0005 K from the setpoint, 0.5 K" in message
        assert not held.data["stable"]

    def test_the_pause_is_waited_out(self, lab):
        lab.succeed("servo_to_temperature", temperature=0.0214)
        began = lab.bench.now
        lab.succeed("check_temperature_stability", measurements=3, threshold=5e-3)
        assert lab.bench.now - began > 2.5

    def test_flagged_readings(self, held):
        held.bench.instrument.set_condition("overrange", "10", active=True)
        held.bench.wait(1)
        message = held.fail("check_temperature_stability")
        assert "The unit flags channel 10: R over range" in message

    def test_a_frozen_channel(self, held):
        held.bench.instrument.set_condition("frozen", "10", active=True)
        assert "of 10 new readings came within 7 s" in held.fail("check_temperature_stability")

    def test_a_scanner_elsewhere(self, held):
        held.say("SCAN 3,0")
        assert "on channel 3" in held.fail("check_temperature_stability")

    def test_a_channel_without_a_curve(self, held):
        held.say("INSET 10,1,10,3,0,1")
        held.bench.wait(1)
        assert "no temperature" in held.fail("check_temperature_stability")

    @pytest.mark.parametrize("params", [{"measurements": 0}, {"threshold": 0}, {"threshold": -1}])
    def test_nonsense(self, lab, params):
        with pytest.raises(ParamError):
            lab.run("check_temperature_stability", **params)


class TestWaiting:
    def test_until_it_is_stable(self, held):
        held.succeed("set_setpoint", temperature=0.03)
        began = held.bench.now

        def settle():
            if held.bench.now > began + 20:
                held.say("SETP 0,0.0214")

        held.meanwhile = settle
        held.succeed("wait_for_stability", threshold=2e-3)
        assert held.bench.now - began > 20

    def test_not_for_ever(self, held):
        held.succeed("set_setpoint", temperature=0.03)
        assert "Not stable within 30 s" in held.fail("wait_for_stability", timeout=30)

    @pytest.mark.parametrize("task", ["wait_for_stability", "check_temperature_stability"])
    def test_can_be_aborted(self, held, task):
        held.succeed("set_setpoint", temperature=0.03)
        held.meanwhile = lambda: held.agent.ops[task][1](held.session, None)
        began = held.bench.now
        assert "Stopped" in held.fail(task, measurements=1000)
        assert held.session.status == "stopping"
        assert held.bench.now - began < 1
