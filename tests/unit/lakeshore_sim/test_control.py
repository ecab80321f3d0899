import argparse
import json

import pytest
from twisted.internet.testing import StringTransport

from agents.lakeshore.sim.addresses import host_and_port
from agents.lakeshore.sim.control import Controller, ControlServer
from agents.lakeshore.sim.player import ScenarioPlayer


class Control:
    """A control port's requests, without the port."""

    def __init__(self, rig):
        self.player = ScenarioPlayer(rig.board, rig.clock)
        self.controller = Controller(rig.board, self.player, rig.clock)

    def done(self, request):
        answer = self.controller.handle(request)
        assert answer.pop("ok") is True, answer
        return answer

    def refused(self, request):
        answer = self.controller.handle(request)
        assert answer["ok"] is False
        return answer["error"]


@pytest.fixture
def control(rig):
    return Control(rig)


def test_help_names_requests_and_all_faults(control):
    told = control.done("help")
    assert "fault NAME [TARGET] [for SECONDS]" in told["requests"]
    assert {"disconnect", "slow", "frozen"} <= set(told["faults"])


def test_faults_on_and_off(control, rig):
    told = control.done("fault slow 0.5 for 10")
    assert told["faults"] == [{"name": "slow", "target": "0.5", "for_s": 0.0, "left_s": 10.0}]
    control.done("fault frozen 2")
    rig.clock.advance(4)
    assert control.done("status") == {
        "faults": [
            {"name": "slow", "target": "0.5", "for_s": 4.0, "left_s": 6.0},
            {"name": "frozen", "target": "2", "for_s": 4.0, "left_s": None},
        ],
        "scenario": None,
    }
    told = control.done("clear frozen")
    assert [fault["name"] for fault in told["cleared"]] == ["frozen"]
    assert [fault["name"] for fault in told["faults"]] == ["slow"]
    assert control.done("clear")["faults"] == []
    control.done("fault silent for 3")
    rig.clock.advance(3)
    assert control.done("status")["faults"] == []


def test_scenarios(control, rig):
    assert control.done("scenario overrange")["scenario"] == "overrange"
    rig.clock.advance(10)
    assert rig.instrument.conditions_on == {("overrange", "1")}
    told = control.done("clear")
    assert told["scenario"] is None
    assert rig.instrument.conditions_on == set()
    assert rig.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ("", "There is no request ''; there are help, status, fault NAME"),
        ("falt slow", "There is no request 'falt'"),
        ("fault", "fault NAME [TARGET] [for SECONDS]"),
        ("fault slow 1 2", "fault NAME [TARGET] [for SECONDS]"),
        ("fault slow for", "fault NAME [TARGET] [for SECONDS]"),
        ("fault slow for ever", "'ever' is no time"),
        ("fault slow for nan", "'nan' is no time"),
        ("fault nonsense", "There is no fault 'nonsense'; there are disconnect"),
        ("fault frozen 9", "No channel '9'; there are 1 and 2."),
        ("clear nonsense", "There is no fault 'nonsense'"),
        ("clear slow now", "clear [NAME]"),
        ("status all", "status"),
        ("scenario", "scenario FILE"),
        ("scenario nowhere", "cannot read the scenario nowhere: No such file"),
    ],
)
def test_refusals_say_what_is_allowed(control, request_, told):
    assert told in control.refused(request_)
    assert control.done("status") == {"faults": [], "scenario": None}


def test_lines_over_the_port(control, rig):
    server = ControlServer(rig.clock, control.controller, "127.0.0.1", 0)
    protocol = server.factory.buildProtocol(None)
    transport = StringTransport()
    protocol.makeConnection(transport)
    for part in (b"sta", b"tus\r\nfau", b"lt slow\n\xff\n"):
        protocol.dataReceived(part)
    answers = [json.loads(line) for line in transport.value().splitlines()]
    assert [answer["ok"] for answer in answers] == [True, True, False]
    transport.clear()
    protocol.dataReceived(b"x" * 5000)
    assert not json.loads(transport.value())["ok"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("7780", ("127.0.0.1", 7780)),
        (":7780", ("127.0.0.1", 7780)),
        ("lab:0", ("lab", 0)),
        ("[::1]:7780", ("::1", 7780)),
    ],
)
def test_addresses(text, address):
    assert host_and_port(text) == address


@pytest.mark.parametrize("text", ["", "lab", "lab:", "lab:70000", "lab:x", "7780:lab"])
def test_what_is_no_address(text):
    with pytest.raises(argparse.ArgumentTypeError, match="HOST:PORT"):
        host_and_port(text)
