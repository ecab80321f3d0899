import argparse

import pytest

from agents.lakeshore372.acq_process import AcqOptions, Era
from agents.lakeshore372.acquisition import SettleBy
from agents.lakeshore372.arguments import (
    Address,
    acq_options,
    add_arguments,
    check_configfile,
    instrument_address,
    options_without_effect,
)
from agents.lakeshore372.dialect import EMULATOR


def parse(*words):
    return add_arguments(argparse.ArgumentParser()).parse_args(["--ip-address", "10.0.0.6", *words])


def test_defaults():
    args = parse()
    assert (args.mode, args.settle_by, args.sample_heater) == ("acq", SettleBy.PAUSE, False)
    assert instrument_address(args, argparse.ArgumentParser()) == Address("10.0.0.6", 7777)
    assert options_without_effect(args) == []


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.6", Address("10.0.0.6")),
        ("sim:7778", Address("sim", 7778)),
        ("fe80::1", Address("fe80::1")),
        ("[fe80::1]", Address("fe80::1")),
        ("[::1]:7778", Address("::1", 7778)),
    ],
)
def test_addresses(text, address):
    assert parse("--ip-address", text).ip_address == address


def test_the_port_may_be_given_twice_but_not_two_ports(capsys):
    parser = argparse.ArgumentParser()
    args = parse("--ip-address", "sim:7778", "--port", "7778")
    assert instrument_address(args, parser) == Address("sim", 7778)
    with pytest.raises(SystemExit):
        instrument_address(parse("--ip-address", "sim:7778", "--port", "7777"), parser)
    assert "7778, but --port says 7777" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ([], False),
        (["--sample-heater"], True),
        (["--sample-heater", "False"], False),
        (["--sample-heater", "True"], True),
        (["--sample-heater", "off"], False),
    ],
)
def test_sample_heater_is_a_boolean(words, value):
    args = parse(*words)
    assert args.sample_heater is value


def test_options_without_effect_are_told():
    (told,) = options_without_effect(parse("--fake-data", "1", "--auto-acquire"))
    assert told.startswith("--fake-data has no effect")


def test_how_readings_are_taken():
    assert acq_options(parse()) == AcqOptions()
    words = ["--dialect=emulator", "--era=2019", "--settle-by=status", "--dwell-time-delay=5"]
    assert acq_options(parse(*words)) == AcqOptions(SettleBy.STATUS, 5, EMULATOR, Era.Y2019)


def test_the_settings_file_is_checked_before_anything_starts(tmp_path, capsys):
    path = tmp_path / "settings.yaml"
    path.write_text("LSA1: {device_settings: {autoscan: on}, channel: {17: {}}}")
    with pytest.raises(SystemExit) as ended:
        check_configfile(parse("--configfile", str(path)), argparse.ArgumentParser())
    assert ended.value.code == 2
    assert "no channel 17; there are 1 to 16" in capsys.readouterr().err
    path.write_text(
        "LSA1: {device_settings: {autoscan: on}, channel: {1: {enable: on, dwell: 10, pause: 3, "
        "excitation_mode: current, excitation_value: 1e-9, autorange: on, "
        "calibration_curve_num: 0, temperature_coeff: negative}}}"
    )
    check_configfile(parse("--configfile", str(path)), argparse.ArgumentParser())
    with pytest.raises(SystemExit):
        check_configfile(
            parse("--configfile", str(path), "--serial-number", "LSA2"), argparse.ArgumentParser()
        )
    assert "serial number LSA2, only for LSA1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--ip-address", "sim:"],
        ["--ip-address", "sim:7777x"],
        ["--ip-address", ":7777"],
        ["--ip-address", "[::1"],
        ["--ip-address", "a b"],
        ["--port", "0"],
        ["--port", "70000"],
        ["--mode", "run"],
        ["--settle-by", "luck"],
        ["--era", "2020"],
        ["--dialect", "greek"],
        ["--dwell-time-delay", "-1"],
        ["--sample-heater", "maybe"],
    ],
)
def test_bad_values_are_refused_by_name(words, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(*words)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert words[0] in error
    assert words[1].removeprefix("sim:") in error
