"""Each task on inputs and scanner, and its refusal."""

import pytest

from agents.lakeshore.messages import InstrumentError
from agents.lakeshore372 import input_codec
from ocs.params import ParamError

SETUP = {
    "mode": "voltage",
    "excitation": 2e-4,
    "excitation_units": "volts",
    "autorange": "off",
    "csshunt": "on",
    "units": "kelvin",
    "enabled": True,
    "dwell_time": 10,
    "pause_time": 3,
    "curve_number": 25,
    "temperature_coefficient": "negative",
    "name": "Channel 05",
}


def setup(tasks, channel=5):
    return tasks.link.bench.ask(input_codec.input_setup(channel))


def test_get_input_setup(tasks):
    tasks.link.bench.say("INTYPE 5,0,5,0,13,0,1")
    assert tasks.succeed("get_input_setup", channel=5) == {**SETUP, "range": 2000.0}


def test_get_input_setup_of_the_control_input(tasks):
    data = tasks.succeed("get_input_setup", channel=0)
    assert data["mode"] == "current"
    assert data["excitation_units"] == "amps"
    assert data["range"] is None


@pytest.mark.parametrize("channel", [-1, 17])
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("get_input_setup", {}),
        ("set_excitation", {"value": 1e-3}),
        ("set_excitation_mode", {"mode": "current"}),
        ("get_excitation", {}),
        ("set_resistance_range", {"resistance_range": 2e3}),
        ("get_resistance_range", {}),
        ("set_dwell", {"dwell": 10}),
        ("get_dwell", {}),
        ("set_pause", {"pause": 10}),
        ("set_name", {"name": "still"}),
        ("engage_channel", {"state": "on"}),
        ("engage_autorange", {"state": "on"}),
        ("set_calibration_curve", {"curve_number": 21}),
        ("set_active_channel", {}),
    ],
)
def test_there_are_only_16_channels(tasks, name, params, channel):
    before = len(tasks.link.bench.lines)
    with pytest.raises(ParamError, match="channel"):
        tasks.run(name, channel=channel, **params)
    assert len(tasks.link.bench.lines) == before


def test_the_nearest_excitation(tasks):
    tasks.link.bench.say("INTYPE 5,0,5,0,13,0,1")
    ok, words, data = tasks.run("set_excitation", channel=5, value=6.0e-4)
    assert ok
    assert words == "Channel 5 is excited by voltage, 632 µV; 0.0006 V was asked for."
    assert data == {"excitation": 6.32e-4, "mode": "voltage", "excitation_units": "volts"}
    assert tasks.succeed("get_excitation", channel=5) == data
    assert setup(tasks).excitation == 6


@pytest.mark.parametrize("value", [0, -1e-3, float("nan"), float("inf")])
def test_an_excitation_is_a_positive_number(tasks, value):
    with pytest.raises(ParamError):
        tasks.run("set_excitation", channel=5, value=value)
    with pytest.raises(ParamError):
        tasks.run("set_resistance_range", channel=5, resistance_range=value)


def test_an_excitation_that_does_not_go_with_the_range_is_refused(tasks):
    tasks.link.bench.say("INTYPE 5,0,5,0,5,0,1")
    before = setup(tasks)
    assert tasks.fail("set_excitation", channel=5, value=0.632) == (
        "Channel 5: the range 200 mΩ does not go with an excitation of 632 mV: 20 Ω to 63.2 MΩ do. "
        "Nothing was changed."
    )
    assert setup(tasks) == before
    # With autorange on the unit is free to choose.
    tasks.link.bench.say("INTYPE 5,0,1,1,1,0,1")
    tasks.succeed("set_excitation", channel=5, value=0.632)
    assert setup(tasks).excitation == 12


def test_the_mode_changes_and_the_current_stays(tasks):
    """200 µV over 2 kΩ is 100 nA: the same step number, 5, would be 100 pA."""
    tasks.link.bench.say("INTYPE 5,0,5,0,13,0,1")
    data = tasks.succeed("set_excitation_mode", channel=5, mode="current")
    assert data == {"excitation": 1e-7, "mode": "current", "excitation_units": "amps"}
    data = tasks.succeed("set_excitation_mode", channel=5, mode="Voltage")
    assert data["excitation"] == 2e-4
    lines = len(tasks.link.bench.lines)
    tasks.succeed("set_excitation_mode", channel=5, mode="voltage")
    assert len(tasks.link.bench.lines) == lines + 1
    with pytest.raises(ParamError, match="voltage"):
        tasks.run("set_excitation_mode", channel=5, mode="light")


def test_the_range(tasks):
    tasks.link.bench.say("INTYPE 5,0,5,0,13,0,1")
    data = tasks.succeed("set_resistance_range", channel=5, resistance_range=7e3)
    assert data == {"resistance_range": 6.32e3}
    assert tasks.succeed("get_resistance_range", channel=5) == data
    words = tasks.fail("set_resistance_range", channel=5, resistance_range=2e-3)
    assert "2 mΩ does not go with an excitation of 200 µV" in words
    assert tasks.succeed("get_resistance_range", channel=5) == data


def test_dwell_and_pause(tasks):
    assert tasks.succeed("set_dwell", channel=5, dwell=200) == {"dwell_time": 200}
    assert tasks.succeed("get_dwell", channel=5) == {"dwell_time": 200}
    assert tasks.succeed("set_pause", channel=5, pause=5) == {"pause_time": 5}
    for name, params in (("set_dwell", {"dwell": 0}), ("set_pause", {"pause": 2})):
        with pytest.raises(ParamError):
            tasks.run(name, channel=5, **params)


@pytest.mark.parametrize("off", ["off", False, "False"])
def test_engage_channel_and_autorange(tasks, off):
    tasks.succeed("engage_channel", channel=5, state=off)
    assert not tasks.link.bench.ask(input_codec.input_settings(5)).enabled
    tasks.succeed("engage_channel", channel=5, state="on")
    assert tasks.link.bench.ask(input_codec.input_settings(5)).enabled
    tasks.succeed("engage_autorange", channel=5, state="on")
    assert tasks.succeed("get_input_setup", channel=5)["autorange"] == "on"
    tasks.succeed("engage_autorange", channel=5, state=off)
    assert tasks.succeed("get_input_setup", channel=5)["autorange"] == "off"
    with pytest.raises(ParamError, match="allowed"):
        tasks.run("engage_channel", channel=5, state="perhaps")


def test_curves(tasks):
    tasks.succeed("set_calibration_curve", channel=5, curve_number=22)
    assert tasks.succeed("get_input_setup", channel=5)["curve_number"] == 22
    with pytest.raises(ParamError):
        tasks.run("set_calibration_curve", channel=5, curve_number=60)


def test_an_empty_curve_is_refused_and_the_old_one_stays(tasks):
    words = tasks.fail("set_calibration_curve", channel=5, curve_number=58)
    assert "has not taken curve 58" in words
    assert tasks.succeed("get_input_setup", channel=5)["curve_number"] == 25


def test_names(tasks):
    tasks.succeed("set_name", channel=5, name="MC plate")
    assert tasks.succeed("get_input_setup", channel=5)["name"] == "MC plate"
    assert "quotes, commas or semicolons" in tasks.fail("set_name", channel=5, name='a","b')
    assert "15" in tasks.fail("set_name", channel=5, name="a" * 16)
    assert "ASCII" in tasks.fail("set_name", channel=5, name="Kühlplatte")


def test_the_scanner(tasks):
    ok, words, _ = tasks.run("set_active_channel", channel=9)
    assert (ok, words) == (True, "The scanner is at channel 9.")
    ok, words, _ = tasks.run("set_autoscan", autoscan=False)
    assert (ok, words) == (True, "Set autoscan to False; the scanner is at channel 9.")
    assert tasks.link.bench.say("SCAN?") == "09,0"
    tasks.succeed("set_autoscan", autoscan="on")
    assert tasks.link.bench.say("SCAN?") == "09,1"
    with pytest.raises(ParamError):
        tasks.run("set_autoscan", autoscan=3)


@pytest.mark.parametrize(
    ("name", "params", "told", "has"),
    [
        ("set_excitation", {"channel": 5, "value": 632e-6}, "step 6", "step 5"),
        ("set_excitation_mode", {"channel": 5, "mode": "current"}, "mode current", "voltage"),
        ("set_resistance_range", {"channel": 5, "resistance_range": 6e3}, "step 14", "step 13"),
        ("set_dwell", {"channel": 5, "dwell": 11}, "dwell in s 11", "10"),
        ("set_pause", {"channel": 5, "pause": 4}, "pause in s 4", "3"),
        ("set_name", {"channel": 5, "name": "still"}, "'still'", "Channel 05"),
        ("engage_channel", {"channel": 5, "state": "off"}, "enabled no", "enabled yes"),
        ("engage_autorange", {"channel": 5, "state": "on"}, "autorange current", "off"),
        ("set_autoscan", {"autoscan": False}, "autoscan off", "autoscan on"),
        ("set_active_channel", {"channel": 9}, "channel 9", "channel 1"),
        ("set_calibration_curve", {"channel": 5, "curve_number": 22}, "curve 22", "curve 25"),
    ],
)
def test_what_the_unit_does_not_take_is_not_reported_as_done(tasks, name, params, told, has):
    tasks.link.bench.say("INTYPE 5,0,5,0,13,0,1")
    tasks.link.deaf = True
    words = tasks.fail(name, **params)
    assert told in words
    assert has in words


def test_a_change_makes_acq_look_anew(tasks):
    tasks.succeed("get_dwell", channel=5)
    assert not tasks.changed.is_set()
    tasks.succeed("set_dwell", channel=5, dwell=11)
    assert tasks.changed.is_set()


def test_an_instrument_that_does_not_answer_is_told_in_words(tasks, monkeypatch):
    def ask(query, cancel=None):
        raise InstrumentError("No answer from the Lake Shore 372.")

    monkeypatch.setattr(tasks.link, "ask", ask)
    assert tasks.fail("get_dwell", channel=5) == "No answer from the Lake Shore 372."
