import argparse

import pytest

from agents.lakeshore372.acquisition import SettleBy
from agents.lakeshore372.arguments import (
    Address,
    add_arguments,
    instrument_address,
    unsupported_options,
)


def parse(*words):
    return add_arguments(argparse.ArgumentParser()).parse_args(["--ip-address", "10.0.0.6", *words])


def test_defaults():
    args = parse()
    assert (args.mode, args.settle_by, args.sample_heater) == ("acq", SettleBy.PAUSE, False)
    assert instrument_address(args, argparse.ArgumentParser()) == Address("10.0.0.6", 7777)
    assert unsupported_options(args) == []


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
    assert len(unsupported_options(args)) == value


def test_options_without_effect_are_told():
    args = parse(
        "--enable-control-chan", "--configfile", "x.yaml", "--fake-data", "1", "--auto-acquire"
    )
    told = unsupported_options(args)
    assert [sentence.split()[0] for sentence in told] == [
        "--enable-control-chan",
        "--configfile",
        "--fake-data",
    ]


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
