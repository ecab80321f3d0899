import pytest

from ocs.params import ParamError


class TestOutputMode:
    @pytest.mark.parametrize(
        ("heater", "mode", "number"),
        [
            ("sample", "Off", "0"),
            ("sample", "Zone", "3"),
            ("sample", "closed loop", "5"),
            ("Still", "Monitor Out", "1"),
            ("still", "OPEN LOOP", "2"),
            ("warmup", "Warm up", "6"),
            ("warmup", "warm_up", "6"),
        ],
    )
    def test_all_its_names(self, lab, heater, mode, number):
        lab.succeed("set_output_mode", heater=heater, mode=mode)
        output = {"sample": 0, "warmup": 1, "still": 2}[heater.lower()]
        assert lab.say(f"OUTMODE? {output}").startswith(f"{number},")

    def test_all_else_stays(self, lab):
        lab.succeed("set_output_mode", heater="sample", mode="Closed Loop")
        assert lab.say("OUTMODE? 0") == "5,10,1,0,0,001"

    def test_all_that_can_be_set(self, lab):
        lab.succeed(
            "set_output_mode",
            heater="sample",
            mode="Closed Loop",
            channel=6,
            powerup=False,
            polarity="bipolar",
            filter="on",
            delay=5,
        )
        assert lab.say("OUTMODE? 0") == "5,6,0,1,1,005"
        assert lab.data == {
            "heater": "sample",
            "mode": "Closed Loop",
            "channel": 6,
            "powerup": False,
            "polarity": "bipolar",
            "filter": True,
            "delay": 5,
            "range": "off",
            "resistance": 120.0,
            "display": "current",
            "manual_output": 0.0,
        }

    @pytest.mark.parametrize(("channel", "text"), [("A", "A"), ("a", "A"), (0, "0"), ("16", "16")])
    def test_inputs(self, lab, channel, text):
        lab.succeed("set_output_mode", heater="sample", mode="Closed Loop", channel=channel)
        assert lab.say("OUTMODE? 0") == f"5,{text},1,0,0,001"

    def test_a_mode_that_the_output_lacks(self, lab):
        message = lab.fail("set_output_mode", heater="still", mode="Closed Loop")
        assert message == (
            "The still heater has no mode Closed Loop; it has these: Off, Monitor Out, Open Loop, "
            "Still."
        )
        assert lab.commands() == []

    def test_a_bipolar_warm_up_heater(self, lab):
        assert "unipolar" in lab.fail(
            "set_output_mode", heater="warmup", mode="Off", polarity="bipolar"
        )

    @pytest.mark.parametrize(
        "params",
        [
            {"mode": "Loop"},
            {"mode": "Off", "heater": "A"},
            {"mode": "Off", "channel": 17},
            {"mode": "Off", "channel": -1},
            {"mode": "Off", "filter": "perhaps"},
            {"mode": "Off", "delay": 0},
            {"mode": "Off", "delay": 256},
        ],
    )
    def test_what_is_no_setting(self, lab, params):
        with pytest.raises(ParamError):
            lab.run("set_output_mode", **{"heater": "sample", **params})

    def test_a_unit_that_does_not_take_it(self, lab):
        lab.driver.after = lambda _: lab.say("OUTMODE 0,0,10,1,0,0,1")
        message = lab.fail("set_output_mode", heater="sample", mode="Closed Loop")
        assert "it has mode Off, channel 10" in message

    def test_a_setpoint_above_the_sites_limit(self, make_lab):
        lab = make_lab(setpoint_k=0.2)
        lab.say("SETP 0,0.5")
        assert "(--max-setpoint)" in lab.fail(
            "set_output_mode", heater="sample", mode="Closed Loop"
        )
        lab.succeed("set_output_mode", heater="sample", mode="Open Loop")

    def test_zones_where_the_site_has_limits(self, make_lab):
        lab = make_lab(sample_heater_range_a=1e-3)
        lab.succeed("set_heater_range", range=1e-3)
        assert "Mode Zone" in lab.fail("set_output_mode", heater="sample", mode="Zone")

    def test_a_setpoint_raised_by_hand_before_the_range_is_switched_on(self, make_lab):
        lab = make_lab(setpoint_k=0.2)
        lab.succeed("set_output_mode", heater="sample", mode="Closed Loop")
        lab.say("SETP 0,5")
        assert "(--max-setpoint)" in lab.fail("set_heater_range", range=1e-3)
        assert lab.say("RANGE? 0") == "0"

    def test_a_setpoint_in_ohms_where_the_site_limits_it_in_kelvin(self, make_lab):
        lab = make_lab(setpoint_k=0.2)
        lab.say("INTYPE 10,0,5,1,16,0,2")
        words = lab.fail("set_output_mode", heater="sample", mode="Closed Loop")
        assert "it must be in kelvin" in words
        lab.say("OUTMODE 0,5,10,1,0,0,1")
        assert "it must be in kelvin" in lab.fail("set_heater_range", range=1e-3)
        assert lab.say("RANGE? 0") == "0"

    @pytest.mark.parametrize(
        ("heater", "limit"), [("sample", {"setpoint_k": 0.2}), ("warmup", {"warm_up_percent": 30})]
    )
    def test_zones_while_the_range_is_off(self, make_lab, heater, limit):
        """A zone brings a range of its own."""
        lab = make_lab(**limit)
        lab.succeed("set_heater_range", heater=heater, range="off")
        lab.bench.lines.clear()
        assert "Mode Zone" in lab.fail("set_output_mode", heater=heater, mode="Zone")
        assert lab.commands() == []

    def test_a_monitor_output_where_the_site_limits_the_still(self, make_lab):
        lab = make_lab(still_percent=50)
        assert "Mode Monitor Out" in lab.fail("set_output_mode", heater="still", mode="Monitor Out")

    def test_get(self, lab):
        lab.succeed("get_output_setup", heater="still")
        assert lab.data["mode"] == "Still"
        assert lab.data["channel"] == 16
        assert lab.data["range"] == "on"

    def test_get_from_a_unit_that_is_away(self, lab):
        lab.driver.away = True
        assert "No answer" in lab.fail("get_output_setup")


class TestPid:
    def test_set_and_get(self, lab):
        lab.succeed("set_pid", P=40, I=2, D=0)
        assert lab.say("PID? 0") == "+0040.000,+00002.00,+00000.00"
        lab.succeed("get_pid")
        assert lab.data == {"P": 40.0, "I": 2.0, "D": 0.0}

    def test_fractions_and_the_warm_up_heater(self, lab):
        lab.succeed("set_pid", P=0.5, I=2.25, D=1.5, heater="warmup")
        assert lab.say("PID? 1") == "+0000.500,+00002.25,+00001.50"

    @pytest.mark.parametrize(
        "terms", [{"P": -1}, {"P": 1001}, {"I": 10001}, {"D": 2501}, {"P": None}, {"I": True}]
    )
    def test_out_of_bounds(self, lab, terms):
        with pytest.raises(ParamError):
            lab.run("set_pid", **{"P": 1, "I": 1, "D": 1, **terms})

    def test_a_still_has_no_loop(self, lab):
        with pytest.raises(ParamError, match="warmup"):
            lab.run("set_pid", P=1, I=1, D=1, heater="still")

    def test_a_unit_that_does_not_take_it(self, lab):
        lab.driver.after = lambda _: lab.say("PID 0,1,2,3")
        message = lab.fail("set_pid", P=40, I=2, D=0)
        assert "has not taken P 40, I 2, D 0" in message
        assert "it has proportional 1, integral 2, derivative 3" in message

    def test_get_from_a_unit_that_is_away(self, lab):
        lab.driver.away = True
        assert "No answer" in lab.fail("get_pid")


class TestSetpoint:
    def test_set_and_get(self, lab):
        lab.succeed("set_setpoint", temperature=0.1)
        assert lab.say("SETP? 0") == "+100.000E-03"
        lab.succeed("get_setpoint")
        assert lab.data == {"setpoint": 0.1}

    def test_on_a_ramp(self, lab):
        lab.say("SETP 0,0.05")
        lab.succeed("set_ramp", rate=0.1)
        message = lab.succeed("set_setpoint", temperature=0.1)
        assert "ramps from 0.05" in message
        lab.succeed("get_ramp")
        assert lab.data == {"on": True, "rate": 0.1, "ramping": True}
        lab.bench.wait(60)
        lab.succeed("get_setpoint")
        assert lab.data == {"setpoint": 0.1}

    @pytest.mark.parametrize("kelvin", [0, -0.1, float("nan"), "cold"])
    def test_no_temperature(self, lab, kelvin):
        with pytest.raises(ParamError):
            lab.run("set_setpoint", temperature=kelvin)

    def test_from_1_k_on_only_where_the_site_allows_it(self, lab, make_lab):
        assert "unless the site configuration sets --max-setpoint" in lab.fail(
            "set_setpoint", temperature=1
        )
        allowing = make_lab(setpoint_k=4)
        allowing.succeed("set_setpoint", temperature=1.5)
        assert "5 K is above the site's limit, 4 K (--max-setpoint)" in allowing.fail(
            "set_setpoint", temperature=5
        )

    def test_an_input_in_ohms(self, lab):
        lab.say("INTYPE 10,0,5,1,16,0,2")
        assert "is in ohms" in lab.fail("set_setpoint", temperature=0.1)

    def test_no_input(self, lab):
        assert "no input to be controlled by" in lab.fail(
            "set_setpoint", temperature=0.1, heater="warmup"
        )

    def test_a_unit_that_does_not_take_it(self, lab):
        lab.driver.after = lambda _: lab.say("SETP 0,0.05")
        assert "it has 0.05 K" in lab.fail("set_setpoint", temperature=0.1)

    def test_get_from_a_unit_that_is_away(self, lab):
        lab.driver.away = True
        assert "No answer" in lab.fail("get_setpoint")


class TestRamp:
    def test_set(self, lab):
        lab.succeed("set_ramp", rate=0.25)
        assert lab.say("RAMP? 0") == "1,+000.250"
        assert "does not ramp" in lab.succeed("set_ramp", rate=0.25, on="off")
        assert lab.say("RAMP? 0") == "0,+000.250"

    @pytest.mark.parametrize("rate", [0.0005, 101, -1])
    def test_out_of_bounds(self, lab, rate):
        with pytest.raises(ParamError):
            lab.run("set_ramp", rate=rate)

    def test_a_unit_that_does_not_take_it(self, lab):
        lab.driver.after = lambda _: lab.say("RAMP 0,0,0")
        assert "has not taken a ramp of 0.25 K/min" in lab.fail("set_ramp", rate=0.25)

    def test_get_from_a_unit_that_is_away(self, lab):
        lab.driver.away = True
        assert "No answer" in lab.fail("get_ramp")
