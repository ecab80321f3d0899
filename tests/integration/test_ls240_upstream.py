"""Upstream's 240 Agent on our simulated module, and ours on upstream's emulators: equal feeds."""

import contextlib
import json
import math
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocs.client_http import ControlClient, ControlClientError
from ocs.connection import Connection
from ocs.testing import (
    AgentProcess,
    ReactorThread,
    RouterProcess,
    site_config,
    wait_for,
)

pytestmark = pytest.mark.upstream

FIELDS = {f"Channel_{n}_{end}" for n in range(1, 9) for end in "TV"}

EMULATOR = """
import os, signal, sys, time, types
# Its thread would not let it end.
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: os._exit(0))
# The module makes a fixture, too, which is not needed here, nor is pytest in that environment.
sys.modules["pytest"] = types.ModuleType("pytest")
from socs.testing.device_emulator import DeviceEmulator
answers = {"*IDN?": "LSCI,MODEL240,LSA240S,1.3", "MODNAME?": "LSA240S"}
for n in range(1, 9):
    answers |= {f"INTYPE? {n}": "1,1,0,0,3,1", f"INNAME? {n}": f"Channel {n}",
                f"KRDG? {n}": f"+{n}.{n}E+01", f"SRDG? {n}": f"+{n}.5E+00"}
device = DeviceEmulator(answers, reconnect=True)
device.create_tcp_relay(0)
print(f"listens-on={device.socket_port}", flush=True)
time.sleep(1000)
"""


class Emulator:
    """As upstream's simulator: what arrives at once is a message; plain numbers, no line ends."""

    def __init__(self):
        self._values = {n: 10.123456789012345 * n for n in range(1, 9)}
        self._types = dict.fromkeys(range(1, 9), "1,0,0,0,3,1")
        self._names = {n: f"Channel {n}" for n in range(1, 9)}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._closing = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def answer(self, message):
        word, _, rest = message.strip().partition(" ")
        words = rest.split(",")
        channel = int(words[0]) if words[0].isdigit() else 0
        match word:
            case "*IDN?":
                return "Lakeshore,LSSIM_8P,LS_SIM,v0.0.0"
            case "MODNAME?":
                return "SIM_MODULE"
            case "INTYPE?":
                return self._types[channel]
            case "INTYPE":
                self._types[channel] = ",".join(words[1:])
            case "INNAME?":
                return self._names[channel]
            case "INNAME":
                self._names[channel] = words[1]
            case "KRDG?" | "SRDG?":
                return str(self._values[channel])
        return ""

    def close(self):
        self._closing = True
        # Wakes the thread, whose last client may still be there.
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._listener.close()

    def _serve(self):
        while not self._closing:
            client, _ = self._listener.accept()
            with client, contextlib.suppress(ConnectionError):
                while data := client.recv(1024):
                    for message in data.decode().split(";"):
                        client.sendall(self.answer(message).encode())


class Feed:
    """What an Agent publishes."""

    def __init__(self, events):
        self._events = events

    @property
    def sweeps(self):
        found = []
        for message, _ in list(self._events):
            data = message["temps"]["data"]
            found += [
                {name: values[row] for name, values in data.items()}
                for row in range(len(message["temps"]["timestamps"]))
            ]
        return found


class Site:
    """Agents of either make on one router."""

    def __init__(self, directory, router, reactor_thread, upstream):
        self.directory = directory
        self.router = router
        self.upstream = upstream
        self._reactor_thread = reactor_thread
        self.closing = contextlib.ExitStack()

    def agent(self, name, *arguments, theirs):
        """Start an Agent that acquires and return a client of it and its feed."""
        entry = {
            "agent-class": "Lakeshore240Agent",
            "instance-id": name,
            "arguments": [*arguments, "--mode", "acq", "--sampling-frequency", "5"],
        }
        config = site_config(self.directory / name, self.router, [entry])
        events: list = []

        async def listen():
            connection = Connection(
                self._reactor_thread.reactor, self.router.url, self.router.realm, name="listener"
            )
            connection.subscribe(f"observatory.{name}.feeds.temperatures", events.append)
            connection.start()
            self.closing.callback(self._reactor_thread.call, connection.stop)
            await connection.when_connected()

        self._reactor_thread.call(listen)
        module = "socs.agents.lakeshore240.agent" if theirs else "agents.lakeshore240.LS240_agent"
        python = str(self.upstream) if theirs else sys.executable
        argv = [python, "-m", module, f"--instance-id={name}", f"--site-file={config}"]
        agent = self.closing.enter_context(AgentProcess(argv, cwd=self.directory))
        client = ControlClient(f"observatory.{name}", url=self.router.http_url)
        return agent, client, Feed(events)

    def stop_acq(self, client):
        assert client.request("stop", "acq")[0] == 0
        with contextlib.suppress(ControlClientError):
            client.request("wait", "acq", timeout=10)


@pytest.fixture
def site(tmp_path, router: RouterProcess, reactor_thread: ReactorThread, upstream) -> Iterator:
    site = Site(tmp_path, router, reactor_thread, upstream)
    with site.closing:
        yield site


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Path]:
    """A simulated module at a serial port; returns the port's path."""
    port = tmp_path / "ls240"
    argv = ["-m", "agents.lakeshore240.simulator", f"--pty={port}"]
    with AgentProcess([*argv, f"--truth={tmp_path / 'truth.jsonl'}"]) as process:
        process.wait_for_line("listens on")
        yield port


def require_true(sweeps, truth_file):
    """Every value of a feed is one that the simulator has sent."""
    sent = set()
    for line in truth_file.read_text().splitlines():
        entry = json.loads(line)
        quantity = {"T": "T", "S": "V"}[entry["quantity"]]
        sent.add((f"Channel_{entry['channel']}_{quantity}", float(entry["value"])))
    received = {(name, row[name]) for row in sweeps for name in FIELDS}
    assert len(received) > 20
    assert received <= sent


@pytest.mark.timeout(600)
def test_both_agents_on_our_simulated_module(site, simulator, tmp_path):
    """The same fields in the same block, and every value one that was sent."""
    truth = tmp_path / "truth.jsonl"
    argument = ("--port", str(simulator))
    process, client, feed = site.agent("THEIRS", *argument, theirs=True)
    wait_for(lambda: len(feed.sweeps) > 3, 60, "upstream's agent's data")
    assert all(row.keys() == FIELDS for row in feed.sweeps)
    session = client.request("status", "acq")[2]
    site.stop_acq(client)
    process.stop()
    require_true(feed.sweeps, truth)

    _, client, ours = site.agent("OURS", *argument, theirs=False)
    wait_for(lambda: len(ours.sweeps) > 3, 30, "our agent's data")
    require_true(ours.sweeps, truth)
    assert all(row.keys() >= FIELDS for row in ours.sweeps)
    added = {name for row in ours.sweeps for name in row} - FIELDS
    assert sorted(added) == [f"Channel_{n}_status" for n in range(1, 9)]
    data = client.request("status", "acq")[2]["data"]
    for level in (data, session["data"]):
        assert level["fields"].keys() == {f"Channel_{n}" for n in range(1, 9)}
        assert level["fields"]["Channel_3"].keys() == {"T", "V"}
        assert level["connection"]["connected"] is True
        assert level["timestamp"] > 0
    assert session["data"].keys() <= data.keys()


@pytest.mark.timeout(600)
def test_both_agents_on_upstreams_emulator(site, upstream, tmp_path):
    """Canned answers without line ends: exactly the same values."""
    with AgentProcess([str(upstream), "-u", "-c", EMULATOR], cwd=tmp_path) as emulator:
        line = emulator.wait_for_line("listens-on=", 60)
        argument = ("--port", f"tcp://127.0.0.1:{line.strip().partition('=')[2]}")
        process, _, theirs = site.agent("THEIRS2", *argument, theirs=True)
        wait_for(lambda: len(theirs.sweeps) > 2, 60, "upstream's agent's data")
        process.stop()
        _, client, ours = site.agent("OURS2", *argument, theirs=False)
        wait_for(lambda: len(ours.sweeps) > 2, 30, "our agent's data")
        assert ours.sweeps[-1] == theirs.sweeps[-1]
        session = client.request("status", "acq")[2]
        assert not session["degraded"]
        assert session["data"]["bad_replies"] == 0


@pytest.mark.timeout(600)
def test_both_agents_on_an_emulator_without_framing(site):
    """Upstream's simulator: plain floats, and two messages in one packet are one to it."""
    emulator = Emulator()
    # Before the Agents, so after them.
    site.closing.callback(emulator.close)
    argument = ("--port", f"tcp://127.0.0.1:{emulator.port}")
    process, _, theirs = site.agent("THEIRS3", *argument, theirs=True)
    wait_for(lambda: len(theirs.sweeps) > 2, 60, "upstream's agent's data")
    process.stop()
    _, client, ours = site.agent("OURS3", *argument, theirs=False)
    wait_for(lambda: len(ours.sweeps) > 2, 30, "our agent's data")
    assert ours.sweeps[-1] == theirs.sweeps[-1]
    assert client.request("start", "set_values", {"channel": 2, "name": "x", "enabled": 0})[0] == 0
    session = client.request("wait", "set_values")[2]
    assert session["success"], session["messages"]
    wait_for(lambda: math.isnan(ours.sweeps[-1]["Channel_2_T"]), 10, "a disabled input")
    assert client.request("start", "get_values", {"channel": 2})[0] == 0
    session = client.request("wait", "get_values")[2]
    assert session["data"]["name"] == "x"
    assert not client.request("status", "acq")[2]["degraded"]
