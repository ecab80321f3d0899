"""Upstream's 372 Agent on our simulated unit, and ours on upstream's emulators: equal feeds."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.ls372_peers import PORT, Site, UnframedUnit, ask, own_address

from ocs.client_http import ControlClientError
from ocs.testing import AgentProcess, wait_for

pytestmark = [pytest.mark.upstream, pytest.mark.timeout(600)]

EMULATOR = """
import os, socket, sys, time, types
# The module makes a fixture, too, which is not needed here, nor is pytest in that environment.
sys.modules["pytest"] = types.ModuleType("pytest")
from socs.testing import device_emulator

class Elsewhere(socket.socket):
    # It listens on 127.0.0.1 only, upstream's Agent knows port 7777 only, and others use both.
    def bind(self, address):
        super().bind(("ADDRESS", address[1]))

device_emulator.socket.socket = Elsewhere
answers = {"*IDN?": "LSCI,MODEL372,LSA23JD,1.3", "SCAN?": "05,0", "RDGST? 5": "000"}
for n in ("A", *range(1, 17)):
    answers |= {f"INSET? {n}": "1,007,003,21,1", f"INNAME? {n}": f"Channel {n}",
                f"INTYPE? {n}": "0,07,1,10,0,1", f"TLIMIT? {n}": "+0000"}
answers["INTYPE? A"] = "1,04,0,15,0,2"
for n in (0, 2):
    answers |= {f"OUTMODE? {n}": "2,6,1,0,0,001", f"HTRSET? {n}": "+120.000,8,+0000.00,1"}
answers |= {"KRDG? 5": "+293.873E+00", "SRDG? 5": "+108.278E+00", "HTR?": "+00.0005E+00"}
device = device_emulator.DeviceEmulator(answers, reconnect=True)
device.create_tcp_relay(7777)
print("it listens", flush=True)
try:
    time.sleep(1000)
finally:
    # Its thread waits for clients for ever.
    os._exit(0)
"""

STATE = [
    "SCAN?",
    *(f"INSET? {n}" for n in (3, 5, 7, 8)),
    *(f"INTYPE? {n}" for n in (5, 8)),
    *(f"{word}? {n}" for word in ("OUTMODE", "HTRSET", "RANGE", "MOUT") for n in (0, 2)),
    "PID? 0",
    "SETP? 0",
    "STILL?",
]

SETTINGS = """
LSA23JD:
  device_settings: {autoscan: 'off'}
  channel:
    8: {enable: 'on', excitation_mode: voltage, excitation_value: 2.0e-3, autorange: 'off',
        resistance_range: 2.0e+3, dwell: 23, pause: 5, calibration_curve_num: 25,
        temperature_coeff: negative}
"""

TASKS = [
    ("set_excitation_mode", {"channel": 5, "mode": "current"}),
    ("set_excitation", {"channel": 5, "value": 1e-9}),
    ("get_excitation", {"channel": 5}),
    ("engage_autorange", {"channel": 5, "state": "off"}),
    ("set_resistance_range", {"channel": 5, "resistance_range": 6.32e3}),
    ("get_resistance_range", {"channel": 5}),
    ("set_dwell", {"channel": 5, "dwell": 17}),
    ("get_dwell", {"channel": 5}),
    ("engage_channel", {"channel": 7, "state": "off"}),
    ("set_calibration_curve", {"channel": 3, "curve_number": 27}),
    ("get_input_setup", {"channel": 5}),
    ("set_output_mode", {"heater": "sample", "mode": "Open Loop"}),
    ("set_heater_range", {"heater": "sample", "range": 3.16e-3}),
    ("set_heater_output", {"heater": "sample", "output": 1e-4, "display": "power"}),
    ("set_heater_output", {"heater": "sample", "output": 10, "display": "current"}),
    ("set_output_mode", {"heater": "still", "mode": "Still"}),
    ("set_still_output", {"output": 11.5}),
    ("get_still_output", {}),
    ("set_output_mode", {"heater": "still", "mode": "Open Loop"}),
    ("set_heater_range", {"heater": "still", "range": "on"}),
    ("set_heater_output", {"heater": "still", "output": 20}),
    ("set_pid", {"P": 40, "I": 2, "D": 0}),
    ("set_autoscan", {"autoscan": False}),
    ("set_active_channel", {"channel": 6}),
    ("servo_to_temperature", {"temperature": 0.1}),
    ("check_temperature_stability", {"measurements": 5, "threshold": 50}),
    ("set_heater_range", {"heater": "sample", "range": "off"}),
    ("enable_control_chan", {}),
    ("disable_control_chan", {}),
    ("input_configfile", {"configfile": "settings.yaml"}),
]


@pytest.fixture
def site(tmp_path, router, reactor_thread, upstream) -> Iterator[Site]:
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    site = Site(tmp_path, router, reactor_thread, upstream)
    with site.closing:
        yield site


def start_simulator(site: Site, *arguments: str) -> SimpleNamespace:
    """Start a simulated unit; it ends after the Agents that are started later."""
    address = own_address()
    truth = site.directory / f"truth-{address}.jsonl"
    argv = ["-m", "agents.lakeshore372.simulator", f"--host={address}", f"--port={PORT}"]
    simulator = AgentProcess([*argv, f"--truth={truth}", *arguments])
    site.closing.enter_context(simulator)
    simulator.wait_for_line("listens on")
    return SimpleNamespace(address=address, truth=truth)


def sent(truth: Path) -> set[tuple[str, float]]:
    """All readings that the simulator has sent, by the field that they belong to."""
    found = set()
    for line in truth.read_text().splitlines():
        entry = json.loads(line)
        if entry.get("quantity") in {"T", "R"}:
            channel = entry["channel"]
            stem = "control" if channel == "A" else f"Channel_{channel:02d}"
            found.add((f"{stem}_{entry['quantity']}", float(entry["value"])))
    return found


def without_status(layout):
    return {
        name: {field for field in fields if not field.endswith("_status")}
        for name, fields in layout.items()
    }


def test_both_agents_read_our_simulator_at_once(site):
    """Both sockets of the unit in use, over channel changes: the same fields, only true values."""
    simulator = start_simulator(site, "--dwell=3", "--pause=3")
    arguments = ("--enable-control-chan", "--sample-heater", "True")
    theirs = site.agent("THEIRS372", simulator.address, *arguments, theirs=True)
    wait_for(lambda: theirs.samples, 60, "upstream's agent's data")
    ours = site.agent("OURS372", simulator.address, *arguments, theirs=False)
    channels = {"Channel 02", "Channel 03"}
    for peer in (theirs, ours):
        wait_for(lambda peer=peer: channels <= peer.layout.keys(), 60, "data of two visits")
    # What is under way has arrived, too.
    last = ours.samples[-1][1]
    wait_for(lambda: theirs.samples[-1][1] > last and ours.samples[-1][1] > last, 30, "more")

    common = theirs.layout.keys() & ours.layout.keys()
    assert {"control_chan", "heaters"} | channels <= common
    ours_alike = without_status(ours.layout)
    for name in common:
        assert ours_alike[name] == theirs.layout[name]
    for peer in (theirs, ours):
        assert len(peer.values()) > 100
        assert peer.values() <= sent(simulator.truth)
    # They have read most of the same readings.
    seen = {value for value in theirs.values() if value[0].startswith("Channel_03")}
    assert len(seen & ours.values()) > len(seen) / 2

    left, right = theirs.session()["data"], ours.session()["data"]
    assert {"Channel_02", "Channel_03", "control"} <= right["fields"].keys()
    for name in left["fields"].keys() & right["fields"].keys():
        assert right["fields"][name].keys() == left["fields"][name].keys()
    assert right["bad_replies"] == 0


def test_the_same_tasks_do_the_same(site):
    """Each on a fresh unit: session.data and all that the unit has been set to are equal."""
    expected = []
    simulator = start_simulator(site)
    ours = start_initialized(site, "OURS372T", simulator.address, theirs=False)
    for op, params in TASKS:
        session = ours.run(op, **params)
        assert session["success"], (op, params, session["messages"])
        expected.append((session["data"] or {}, ask(simulator.address, STATE)))

    simulator = start_simulator(site)
    theirs = start_initialized(site, "THEIRS372T", simulator.address, theirs=True)
    for (op, params), (data, state) in zip(TASKS, expected, strict=True):
        session = theirs.run(op, **params)
        assert session["success"], (op, params, session["messages"])
        found = session["data"] or {}
        assert found.keys() <= data.keys(), (op, params)
        for key, value in found.items():
            assert same(data[key], value), (op, key, data[key], value)
        if op == "set_excitation_mode":
            # Upstream keeps the number of the step: another excitation. Ours keeps the excitation.
            continue
        # Upstream does not wait until the unit has taken a command.
        wait_for(lambda state=state: ask(simulator.address, STATE) == state, 5, f"{op} {params}")


def start_initialized(site, name, address, *, theirs):
    agent = site.agent(name, address, "--mode", "init", theirs=theirs)
    wait_for(lambda: initialized(agent), 60, f"{name} is initialized")
    return agent


def initialized(agent):
    try:
        return agent.session("init_lakeshore")["success"]
    except (ControlClientError, KeyError):
        return False


def same(ours, theirs):
    # Upstream gives the still's output as text.
    return ours == theirs or float(ours) == float(theirs)


def test_both_agents_on_upstreams_emulator(site):
    """Canned answers without line ends: the same fields and the same values."""
    address = own_address()
    argv = [str(site.upstream), "-u", "-c", EMULATOR.replace("ADDRESS", address)]
    emulator = site.closing.enter_context(AgentProcess(argv, cwd=site.directory))
    emulator.wait_for_line("it listens", 60)
    theirs = site.agent("THEIRS372C", address, "--sample-heater", "True", theirs=True)
    wait_for(lambda: len(theirs.samples) > 5, 60, "upstream's agent's data")
    theirs.program.stop()
    arguments = ("--sample-heater", "True", "--dialect", "emulator")
    ours = site.agent("OURS372C", address, *arguments, theirs=False)
    wait_for(lambda: "Channel 5" in ours.layout, 30, "our agent's data")
    assert without_status(ours.layout) == theirs.layout
    assert ours.values() == theirs.values() == {("Channel_5_T", 293.873), ("Channel_5_R", 108.278)}
    heaters = [
        {data["sample_heater_output"] for name, _, data in peer.samples if name == "heaters"}
        for peer in (theirs, ours)
    ]
    assert heaters == [{0.0005}, {0.0005}]
    session = ours.session()
    assert not session["degraded"]
    assert session["data"]["bad_replies"] == 0


def test_both_agents_on_a_unit_without_framing(site):
    """Of the kind of upstream's simulator, over a channel change, with a task in between."""
    address = own_address()
    unit = UnframedUnit(address)
    # Before the Agents, so after them.
    site.closing.callback(unit.close)
    found = {}
    for name, theirs in (("THEIRS372U", True), ("OURS372U", False)):
        unit.channel = 1
        arguments = () if theirs else ("--dialect", "emulator")
        agent = site.agent(name, address, "--enable-control-chan", *arguments, theirs=theirs)
        wait_for(lambda agent=agent: len(agent.values()) == 12, 60, f"{name}: channel 1 and A")
        unit.channel = 2
        wait_for(lambda agent=agent: len(agent.values()) == 18, 60, f"{name}: all values")
        session = agent.run("set_dwell", channel=5, dwell=33)
        assert session["success"], session["messages"]
        assert agent.run("get_dwell", channel=5)["data"] == {"dwell_time": 33}
        found[name] = agent
        assert not agent.session()["degraded"]
        agent.program.stop()
    theirs, ours = found.values()
    assert without_status(ours.layout) == theirs.layout
    assert ours.values() == theirs.values()
