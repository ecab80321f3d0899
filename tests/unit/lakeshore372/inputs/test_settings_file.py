import threading

import pytest
import yaml

from agents.lakeshore.link import Cancelled
from agents.lakeshore372 import input_codec
from agents.lakeshore372.input_tables import Autorange, InputMode
from agents.lakeshore372.settings_file import SettingsError, find_settings, load_settings

ENTRY = {
    "enable": "on",
    "excitation_mode": "current",
    "excitation_value": 1e-9,
    "autorange": "off",
    "resistance_range": "2e3",
    "dwell": 12,
    "pause": 4,
    "calibration_curve_num": 22,
    "temperature_coeff": "negative",
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.setenv("OCS_CONFIG_DIR", str(tmp_path))

    def write(channels, serial="LSA23JD", autoscan="off"):
        tree = {serial: {"device_settings": {"autoscan": autoscan}, "channel": channels}}
        (tmp_path / "ls372.yaml").write_text(yaml.safe_dump(tree))
        return tmp_path / "ls372.yaml"

    return write


def test_a_file_is_applied(tasks, write):
    write({5: ENTRY, 6: {**ENTRY, "autorange": True, "enable": False, "calibration_curve_num": 0}})
    ok, words, _ = tasks.run("input_configfile", configfile="ls372.yaml")
    assert ok, words
    assert "2 channels of LSA23JD" in words
    ask = tasks.link.bench.ask
    five, six = ask(input_codec.input_setup(5)), ask(input_codec.input_setup(6))
    assert (five.mode, five.excitation, five.resistance_range) == (InputMode.CURRENT, 7, 13)
    assert (five.autorange, six.autorange) == (Autorange.OFF, Autorange.CURRENT)
    settings = ask(input_codec.input_settings(5))
    assert (settings.enabled, settings.dwell_s, settings.pause_s) == (True, 12, 4)
    assert settings.curve == 22
    assert not ask(input_codec.input_settings(6)).enabled
    assert ask(input_codec.input_settings(6)).curve == 0
    assert tasks.link.bench.say("SCAN?").endswith(",0")


def test_yaml_as_people_write_it(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "LSA23JD:\n"
        "  device_settings: {autoscan: on}\n"
        "  channel:\n"
        "    1: {enable: on, excitation_mode: voltage, excitation_value: 200e-6, autorange: off,\n"
        "        resistance_range: 2e3, dwell: 10, pause: 3, calibration_curve_num: 21,\n"
        "        temperature_coeff: positive}\n"
        "    '2': {enable: 'off', excitation_mode: current, excitation_value: 1e-9,\n"
        "        autorange: on, dwell: 10.0, pause: '3', calibration_curve_num: 0,\n"
        "        temperature_coeff: 1}\n"
    )
    unit = load_settings(path)["LSA23JD"]
    assert unit.autoscan
    assert (unit.channels[1].resistance_range, unit.channels[1].excitation) == (13, 5)
    assert (unit.channels[2].resistance_range, unit.channels[2].dwell_s) == (None, 10)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"enable": "yes"}, "enable: 'yes' is given; it must be on or off"),
        ({"excitation_mode": "light"}, "voltage or current"),
        ({"excitation_value": "much"}, "a number above 0"),
        ({"excitation_value": -1}, "a number above 0"),
        ({"excitation_value": True}, "a number above 0"),
        ({"resistance_range": 2e-3}, "resistance_range: 0.002 is given; it must be from"),
        ({"dwell": 0}, "a whole number from 1 to 200 s"),
        ({"dwell": 1.5}, "a whole number from 1 to 200 s"),
        ({"pause": 2}, "a whole number from 3 to 200 s"),
        ({"calibration_curve_num": 60}, "a whole number from 0 to 59"),
        ({"temperature_coeff": 3}, "negative or positive"),
        ({"dwel": 3}, "no setting 'dwel'; there are enable"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_sent(tasks, write, change, told):
    path = write({4: ENTRY, 5: {**ENTRY, **change}})
    before = len(tasks.link.bench.lines)
    words = tasks.fail("input_configfile", configfile="ls372.yaml")
    assert told in words
    assert words.startswith(f"{path}: LSA23JD: channel: 5:")
    assert len(tasks.link.bench.lines) == before
    assert tasks.settings.trouble.endswith(words)


@pytest.mark.parametrize("missing", ENTRY)
def test_every_setting_is_needed(tasks, write, missing):
    write({5: {key: value for key, value in ENTRY.items() if key != missing}})
    assert f"{missing!r} is missing" in tasks.fail("input_configfile", configfile="ls372.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a mapping with serial numbers"),
        ("a: [", "is not YAML"),
        ("a: 3", "a mapping with device_settings, channel"),
        ("a: {device_settings: {autoscan: on}}", "the section 'channel' is missing"),
        ("a: {device_settings: {autoscan: on}, channel: {17: {}}}", "no channel 17"),
        ("a: {device_settings: {autoscan: on}, channel: {A: {}}}", "no channel 'A'"),
        ("a: {device_settings: {scan: on}, channel: {1: {}}}", "no setting 'scan'"),
    ],
)
def test_files_that_are_no_settings(tmp_path, text, told):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        load_settings(path)
    assert told in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tasks, write, tmp_path):
    words = tasks.fail("input_configfile", configfile="none.yaml")
    assert words == f"{tmp_path / 'none.yaml'} cannot be read: no such file or directory."
    assert "--configfile" in tasks.fail("input_configfile")


def test_a_file_for_another_unit(tasks, write):
    write({5: ENTRY}, serial="LSA99ZZ")
    words = tasks.fail("input_configfile", configfile="ls372.yaml")
    assert "serial number LSA23JD, only for LSA99ZZ" in words


def test_what_the_unit_refuses_is_told_and_the_rest_applied(tasks, write):
    write({5: {**ENTRY, "calibration_curve_num": 58}, 6: ENTRY})
    words = tasks.fail("input_configfile", configfile="ls372.yaml")
    assert "Channel 5: the unit has not taken curve 58" in words
    assert "Channel 6" not in words
    assert tasks.link.bench.ask(input_codec.input_settings(6)).dwell_s == 12
    write({5: ENTRY})
    tasks.succeed("input_configfile", configfile="ls372.yaml")
    assert tasks.settings.trouble is None


def test_applying_ends_soon_when_the_agent_is_told_to_stop(tasks, write):
    """A file for all channels takes ten seconds; stopping must not."""
    write(dict.fromkeys(range(1, 17), ENTRY))
    cancel = threading.Event()
    tasks.link.meanwhile = lambda _: cancel.set()
    with pytest.raises(Cancelled):
        tasks.settings.apply("ls372.yaml", cancel)
    assert not [line for line in tasks.link.bench.lines if line.startswith("INTYPE 2,")]


def test_where_a_file_is_looked_for(tmp_path):
    assert find_settings("a.yaml", {"OCS_CONFIG_DIR": "/site"}).as_posix() == "/site/a.yaml"
    assert find_settings("/etc/a.yaml", {"OCS_CONFIG_DIR": "/site"}).as_posix() == "/etc/a.yaml"
    assert find_settings("a.yaml", {}).as_posix() == "a.yaml"
