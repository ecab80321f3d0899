import argparse
from types import SimpleNamespace

import pytest

from agents.lakeshore240.arguments import add_arguments, make_drivers, options_without_effect
from agents.lakeshore240.driver import SerialNumberConnector


def parser():
    return add_arguments(argparse.ArgumentParser())


def drivers(*words):
    return make_drivers(parser().parse_args(words), parser())


def test_arguments_of_every_era_are_taken():
    words = ["--serial-number", "LSA22ZC", "--mode", "acq", "--num-channels", "2", "--fake-data"]
    args = parser().parse_args([*words, "--sampling-frequency", "1.5"])
    assert (args.mode, args.sampling_frequency) == ("acq", 1.5)
    assert [sentence.split()[0] for sentence in options_without_effect(args)] == [
        "--fake-data",
        "--num-channels",
    ]
    assert options_without_effect(parser().parse_args([])) == []


def test_a_module_is_found_by_serial_number_or_port():
    (found,) = drivers("--serial-number", "LSA22ZC")
    assert found.address == "serial number LSA22ZC"
    (given,) = drivers("--serial-number", "LSA22ZC", "--port", "/dev/ttyUSB3")
    assert (given.address, given.expected_serial) == ("/dev/ttyUSB3", "LSA22ZC")
    (simulated,) = drivers("--serial-number", "LS_SIM", "--port", "tcp://sim:1094")
    assert simulated.address == "sim:1094"


def test_several_modules_in_one_process():
    found = drivers("--serial-number", "LSA22ZC,LSA22ZD", "--port", "/dev/a,/dev/b")
    assert [(it.expected_serial, it.address) for it in found] == [
        ("LSA22ZC", "/dev/a"),
        ("LSA22ZD", "/dev/b"),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Give the serial number of the module, or its port"),
        (["--serial-number", "A,A"], "names a module twice"),
        (["--serial-number", "../etc"], "not a serial number"),
        (["--serial-number", "A,B", "--port", "/dev/a"], "several modules"),
        (["--serial-number", "A", "--port", "/dev/a,/dev/b"], "give as many"),
        (["--port", "tcp://sim"], "'tcp://sim' is not tcp://HOST:PORT"),
        (["--sampling-frequency", "0"], "not above 0"),
        (["--sampling-frequency", "often"], "often Hz"),
        (["--mode", "run"], "--mode"),
        (["--era", "1919"], "--era"),
        (["--port", "foo://sim"], "'foo://sim' is neither"),
    ],
)
def test_bad_arguments_are_refused_by_name(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        drivers(*words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def usb(device, serial_number):
    return SimpleNamespace(device=device, serial_number=serial_number)


def test_a_module_is_looked_for_where_it_is_plugged_in_now(tmp_path):
    ports = []
    finder = SerialNumberConnector("LSA22ZC", devices=tmp_path, usb_ports=lambda: ports)
    assert finder.find() is None
    with pytest.raises(OSError, match="plugged in"):
        finder.open(None)
    by_id = tmp_path / "serial/by-id/usb-Lake_Shore_240-8P_LSA22ZC-if00-port0"
    by_id.parent.mkdir(parents=True)
    by_id.touch()
    assert finder.find() == str(by_id)
    ports.append(usb("/dev/ttyUSB1", "OTHER"))
    assert finder.find() == str(by_id)
    ports.append(usb("/dev/ttyUSB2", "LSA22ZC"))
    assert finder.find() == "/dev/ttyUSB2"
    (tmp_path / "LSA22ZC").touch()
    assert finder.find() == str(tmp_path / "LSA22ZC")
