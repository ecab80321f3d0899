import pytest

from ocs.params import ParamError


@pytest.fixture
def on(lab):
    """The sample heater in its 1 mA range."""
    lab.succeed("set_heater_range", range=1e-3)
    lab.bench.lines.clear()
    return lab


class TestRange:
    def test_is_confirmed_by_the_unit(self, lab):
        assert lab.succeed("set_heater_range", range=3.16e-3) == (
            "The sample heater's range is 0.00316 A."
        )
        assert lab.data == {"heater": "sample", "range": 3.16e-3}
        assert lab.say("RANGE? 0") == "5"

    @pytest.mark.parametrize("value", ["off", "OFF", 0, 0.0, False])
    def test_off(self, on, value):
        on.succeed("set_heater_range", range=value)
        assert on.say("RANGE? 0") == "0"
        assert on.data["range"] == 0

    @pytest.mark.parametrize("value", ["0.01", 0.01, "10e-3", 0.010001])
    def test_amperes_in_any_form(self, lab, value):
        lab.succeed("set_heater_range", heater="Sample", range=value, wait=0)
        assert lab.say("RANGE? 0") == "6"

    def test_still_on_and_off(self, lab):
        lab.succeed("set_heater_range", heater="still", range="off")
        assert lab.say("RANGE? 2") == "0"
        lab.succeed("set_heater_range", heater="still", range="On")
        assert lab.say("RANGE? 2") == "1"
        assert lab.data == {"heater": "still", "range": "on"}

    def test_nothing_is_sent_nor_waited_for_if_it_is_there_already(self, on):
        before = on.bench.now
        assert "already" in on.succeed("set_heater_range", range=1e-3, wait=100)
        assert on.commands() == []
        assert on.bench.now - before < 1

    def test_wait(self, lab):
        before = lab.bench.now
        lab.succeed("set_heater_range", range=1e-3, wait=100)
        assert lab.bench.now - before > 100

    def test_the_wait_can_be_ended(self, lab):
        lab.meanwhile = lambda: lab.agent.ops["set_heater_range"][1](lab.session, None)
        assert "ended early" in lab.fail("set_heater_range", range=1e-3, wait=100)
        assert lab.session.status == "stopping"

    @pytest.mark.parametrize("value", [0.5e-3, "on", "much", -1e-3, 1, "nan"])
    def test_no_such_range(self, lab, value):
        message = lab.fail("set_heater_range", range=value)
        assert "3.16e-05, 0.0001, 0.000316, 0.001, 0.00316, 0.01, 0.0316, 0.1 A" in message
        assert lab.commands() == []

    def test_a_still_has_no_amperes(self, lab):
        assert "'on' or 'off'" in lab.fail("set_heater_range", heater="still", range=1e-3)

    def test_no_such_heater(self, lab):
        with pytest.raises(ParamError, match="warmup"):
            lab.run("set_heater_range", heater="control", range=1e-3)

    def test_without_a_mode_it_is_refused(self, lab):
        assert "mode is Off" in lab.fail("set_heater_range", heater="warmup", range="on")

    def test_a_unit_that_does_not_take_it(self, lab):
        lab.driver.after = lambda _: lab.say("RANGE 0,0")
        message = lab.fail("set_heater_range", range=1e-3)
        assert "has not switched the sample heater to 0.001 A: its range is off" in message
        assert "TLIMIT" in message
        assert lab.data == {}

    def test_above_a_temperature_limit(self, lab):
        lab.bench.wait(10)
        lab.say("TLIMIT 1,1")
        lab.bench.wait(300)
        # The unit may take the range for a moment, but what the client is told is what stays.
        lab.driver.after = lambda _: lab.bench.wait(5)
        assert "TLIMIT" in lab.fail("set_heater_range", range=1e-3)

    @pytest.mark.parametrize(
        ("limits", "option"),
        [
            ({"sample_heater_range_a": 316e-6}, "--max-sample-heater-range"),
            ({"sample_heater_power_w": 1e-4}, "--max-sample-heater-power"),
        ],
    )
    def test_above_the_sites_limit(self, make_lab, limits, option):
        lab = make_lab(**limits)
        assert option in lab.fail("set_heater_range", range=1e-3)
        assert lab.commands() == []
        lab.succeed("set_heater_range", range=316e-6)

    def test_a_still_set_higher_than_its_limit_is_not_switched_on(self, make_lab):
        lab = make_lab(still_percent=5)
        lab.succeed("set_heater_range", heater="still", range="off")
        assert "--max-still-output" in lab.fail("set_heater_range", heater="still", range="on")
        assert lab.say("RANGE? 2") == "0"

    def test_the_unit_is_away(self, lab):
        lab.driver.away = True
        assert "No answer" in lab.fail("set_heater_range", range=1e-3)


class TestOutput:
    def test_is_published_once_it_is_confirmed(self, on):
        on.succeed("set_heater_output", heater="sample", output=25, display="current")
        assert on.published == [("sample_heater_out", {"sample_heater_out": 25.0})]
        assert on.data == {
            "heater": "sample",
            "output": 25.0,
            "units": "%",
            "display": "current",
            "range": 1e-3,
        }
        on.bench.wait(1)
        assert on.say("HTR?") == "+25.0000E+00"

    def test_watts(self, on):
        on.succeed("set_heater_output", heater="sample", output=30e-6, display="power")
        assert on.published == [("sample_heater_out", {"sample_heater_out": 30e-6})]
        assert on.say("HTRSET? 0") == "+120.000,8,+0000.00,2"
        on.bench.wait(1)
        assert on.say("HTR?") == "+30.0000E-06"

    def test_a_percentage_is_never_taken_for_watts(self, on):
        on.succeed("set_heater_output", heater="sample", output=50, display="current")
        on.bench.lines.clear()
        on.succeed("set_heater_output", heater="sample", output=30e-6, display="power")
        assert on.commands() == ["MOUT 0,0", "HTRSET 0,120,0,0,2", "MOUT 0,0.00003"]

    def test_the_display_stays_when_it_is_not_given(self, on):
        on.say("HTRSET 0,120,0,0,2")
        on.succeed("set_heater_output", heater="sample", output=30e-6)
        assert on.data["units"] == "W"

    def test_a_still_in_percent(self, lab):
        lab.succeed("set_output_mode", heater="still", mode="open loop")
        lab.succeed("set_heater_output", heater="still", output=12.5)
        assert lab.published == [("still_heater_out", {"still_heater_out": 12.5})]

    def test_range_off(self, lab):
        message = lab.fail("set_heater_output", heater="sample", output=25)
        assert "range is off" in message
        assert lab.published == []
        assert lab.commands() == []

    def test_mode_off(self, lab):
        assert "mode is Off" in lab.fail("set_heater_output", heater="warmup", output=5)

    def test_too_much_power(self, on):
        message = on.fail("set_heater_output", heater="sample", output=130e-6, display="power")
        assert "0 to 0.00012 W" in message
        assert on.published == []
        assert on.say("MOUT? 0") == "+000.000E+00"

    def test_no_watts_for_the_still(self, lab):
        assert "percent" in lab.fail("set_heater_output", heater="still", output=5, display="power")

    @pytest.mark.parametrize("output", [-1, 100.1, "5", float("nan")])
    def test_no_percentage(self, on, output):
        with pytest.raises(ParamError, match="output"):
            on.run("set_heater_output", heater="sample", output=output)

    def test_a_unit_that_does_not_take_it(self, on):
        on.driver.after = lambda _: on.say("MOUT 0,1")
        message = on.fail("set_heater_output", heater="sample", output=25)
        assert "has not taken 25" in message
        assert "it has 1" in message
        assert on.published == []

    def test_a_range_that_goes_off_meanwhile(self, on):
        on.driver.after = lambda _: on.say("RANGE 0,0")
        assert "off" in on.fail("set_heater_output", heater="sample", output=25)
        assert on.published == []

    def test_a_broken_heater(self, on):
        on.bench.instrument.set_condition("heater_open", "0", active=True)
        assert "open" in on.fail("set_heater_output", heater="sample", output=25)
        assert on.published == []

    def test_a_heater_that_does_not_answer(self, on):
        on.bench.instrument.set_condition("dead_heater", "0", active=True)
        assert "No answer" in on.fail("set_heater_output", heater="sample", output=25)

    def test_above_the_sites_limit(self, make_lab):
        lab = make_lab(sample_heater_power_w=1e-5)
        # Somebody has chosen a range by hand that the site does not allow.
        lab.say("RANGE 0,4")
        message = lab.fail("set_heater_output", heater="sample", output=50)
        assert "3e-05 W is above the site's limit, 1e-05 W (--max-sample-heater-power)" in message
        lab.succeed("set_heater_output", heater="sample", output=25)

    def test_above_the_stills_limit(self, make_lab):
        lab = make_lab(still_percent=20)
        lab.succeed("set_output_mode", heater="still", mode="Open Loop")
        assert "--max-still-output" in lab.fail("set_heater_output", heater="still", output=21)
        assert lab.published == []


class TestStill:
    def test_is_published_once_it_is_confirmed(self, lab):
        assert lab.succeed("set_still_output", output=20.5) == "The still's output is 20.5 %."
        assert lab.published == [("still_heater_still_out", {"still_heater_still_out": 20.5})]
        assert lab.data == {"still_heater_still_out": "+20.50", "percent": 20.5, "active": True}

    def test_without_effect_nothing_is_published(self, lab):
        lab.succeed("set_heater_range", heater="still", range="off")
        assert "does not take effect" in lab.succeed("set_still_output", output=20)
        assert lab.published == []
        assert lab.data["active"] is False

    def test_a_unit_that_does_not_take_it(self, lab):
        lab.driver.after = lambda _: lab.say("STILL 1")
        assert "has not taken 20 %" in lab.fail("set_still_output", output=20)
        assert lab.published == []

    def test_above_the_sites_limit(self, make_lab):
        lab = make_lab(still_percent=15)
        assert "(--max-still-output)" in lab.fail("set_still_output", output=20)
        assert lab.say("STILL?") == "+10.60"

    def test_no_percentage(self, lab):
        with pytest.raises(ParamError, match="output"):
            lab.run("set_still_output", output=101)

    def test_get(self, lab):
        lab.succeed("get_still_output")
        assert lab.data == {"still_heater_still_out": "+10.60", "percent": 10.6}

    def test_get_from_a_unit_that_is_away(self, lab):
        lab.driver.away = True
        assert "No answer" in lab.fail("get_still_output")


class TestSampleHeater:
    def test_get(self, on):
        on.succeed("set_heater_output", heater="sample", output=50)
        on.bench.wait(1)
        on.succeed("get_sample_heater")
        assert on.data.pop("power") == pytest.approx(30e-6)
        assert on.data == {
            "output": 50.0,
            "units": "%",
            "resistance": 120.0,
            "display": "current",
            "range": 1e-3,
            "mode": "Open Loop",
            "fault": None,
        }

    def test_a_fault(self, lab):
        lab.bench.instrument.set_condition("heater_short", "0", active=True)
        lab.succeed("get_sample_heater")
        assert lab.data["fault"] == "short"

    def test_no_answer(self, lab):
        lab.bench.instrument.set_condition("dead_heater", "0", active=True)
        assert "No answer" in lab.fail("get_sample_heater")


class TestWarmUp:
    def test_set_and_get(self, lab):
        lab.succeed("set_warmup", output=40, control="continuous")
        assert lab.say("WARMUP?") == "1,+040.00"
        lab.succeed("get_warmup")
        assert lab.data == {"output": 40.0, "control": "continuous"}

    def test_get_from_a_unit_that_is_away(self, lab):
        lab.driver.away = True
        assert "No answer" in lab.fail("get_warmup")

    def test_a_unit_that_does_not_take_it(self, lab):
        lab.driver.after = lambda _: lab.say("WARMUP 0,1")
        assert "it has control auto_off, percent 1" in lab.fail("set_warmup", output=40)

    def test_above_the_sites_limit(self, make_lab):
        lab = make_lab(warm_up_percent=30)
        assert "--max-warm-up-output" in lab.fail("set_warmup", output=40)
        assert lab.commands() == []

    def test_its_limit_also_holds_by_hand(self, make_lab):
        lab = make_lab(warm_up_percent=30)
        lab.succeed("set_output_mode", heater="warmup", mode="open loop")
        lab.succeed("set_heater_range", heater="warmup", range="on")
        assert "--max-warm-up-output" in lab.fail("set_heater_output", heater="warmup", output=31)
        lab.succeed("set_heater_output", heater="warmup", output=30)
        assert lab.published == [("warmup_heater_out", {"warmup_heater_out": 30.0})]

    def test_a_limit_also_holds_when_it_is_switched_on(self, make_lab):
        lab = make_lab(warm_up_percent=30)
        lab.say("WARMUP 1,40")
        lab.succeed("set_output_mode", heater="warmup", mode="warm up")
        assert "--max-warm-up-output" in lab.fail("set_heater_range", heater="warmup", range="on")
        lab.succeed("set_warmup", output=30)
        lab.succeed("set_heater_range", heater="warmup", range="on")
        assert "decides by itself" in lab.fail(
            "set_output_mode", heater="warmup", mode="closed loop"
        )


class TestAllOff:
    def test_everything_is_off_and_at_zero(self, on):
        on.succeed("set_heater_output", heater="sample", output=50)
        on.succeed("set_output_mode", heater="warmup", mode="open loop")
        on.succeed("set_heater_range", heater="warmup", range="on")
        on.succeed("heaters_off")
        assert on.data == {"off": ["sample", "warmup", "still"], "failed": {}}
        assert on.say("RANGE? 0;RANGE? 1;RANGE? 2") == "0;0;0"
        assert on.say("MOUT? 0;MOUT? 1;STILL?") == "+000.000E+00;+000.000E+00;+00.00"

    def test_a_monitor_output_too(self, lab):
        lab.succeed("set_output_mode", heater="still", mode="monitor out")
        lab.succeed("heaters_off")
        assert lab.say("OUTMODE? 2").startswith("0,")

    def test_one_that_fails_does_not_keep_the_others(self, on):
        on.bench.instrument.set_condition("dead_heater", "1", active=True)
        message = on.fail("heaters_off")
        assert message.startswith("Not everything is certainly off. warmup: No answer")
        assert on.data["off"] == ["sample", "still"]
        assert on.say("RANGE? 0;RANGE? 2") == "0;0"
