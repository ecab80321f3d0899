import pytest

from ocs.params import ParamError

ZONE = {"zone": 3, "upper": 0.1, "P": 40, "I": 2.5, "D": 0, "range": 1e-3}


def test_set_and_get(lab):
    message = lab.succeed("set_zone", **ZONE, output=5, rate=0.2, relay2=1)
    assert message == "Zone 3 of the sample heater is up to 0.1 K, with range 0.001 A."
    lab.succeed("get_zone", zone=3)
    assert lab.data == {
        "zone": 3,
        "upper": 0.1,
        "P": 40.0,
        "I": 2.5,
        "D": 0.0,
        "output": 5.0,
        "range": 1e-3,
        "rate": 0.2,
        "relay1": 0,
        "relay2": 1,
    }


def test_of_the_warm_up_heater(lab):
    lab.succeed("set_zone", **{**ZONE, "range": "on"}, heater="warmup")
    assert lab.data["range"] == "on"


@pytest.mark.parametrize("change", [{"zone": 11}, {"P": 1001}, {"rate": 0.0001}, {"relay1": 3}])
def test_out_of_bounds(lab, change):
    with pytest.raises(ParamError):
        lab.run("set_zone", **{**ZONE, **change})


def test_no_such_range(lab):
    assert "'off' or 3.16e-05" in lab.fail("set_zone", **{**ZONE, "range": 1})


def test_a_unit_that_does_not_take_it(lab):
    lab.driver.after = lambda _: lab.say("ZONE 0,3,0.2,1,1,1,0,0,0,0,0")
    assert "has not taken these settings of zone 3" in lab.fail("set_zone", **ZONE)


def test_above_the_sites_limit(make_lab):
    lab = make_lab(sample_heater_range_a=316e-6)
    assert "--max-sample-heater-range" in lab.fail("set_zone", **ZONE)
    assert lab.commands() == []


def test_get_from_a_unit_that_is_away(lab):
    lab.driver.away = True
    assert "No answer" in lab.fail("get_zone", zone=1)


def test_heaters_off_ends_a_zone_which_would_bring_its_range_back(lab):
    lab.succeed("set_zone", **ZONE)
    lab.succeed("set_output_mode", heater="sample", mode="Zone")
    lab.succeed("heaters_off")
    lab.succeed("get_output_setup", heater="sample")
    assert lab.data["mode"] == "Off"
