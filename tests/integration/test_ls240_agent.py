"""The Agent as a program, against the simulator as a program, over a real router."""

import json
import math
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocs.client_http import ControlClient, ControlClientError
from ocs.connection import Connection
from ocs.testing import (
    AgentProcess,
    ReactorThread,
    RouterProcess,
    free_port,
    site_config,
    wait_for,
)

AGENT_DIRECTORY = Path(__file__).parents[2] / "agents" / "lakeshore240"
FIELDS = {f"Channel_{n}_{end}" for n in range(1, 9) for end in ("T", "V", "status")}


class Simulator(AgentProcess):
    """ls240-sim, and what it says it sent."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.control_port = free_port()
        self.truth_file = directory / "truth.jsonl"
        super().__init__(
            [
                *("-m", "agents.lakeshore240.simulator", *arguments),
                *(f"--truth={self.truth_file}", f"--control={self.control_port}"),
            ]
        )

    def start(self):
        already = len(self.lines)
        super().start()
        wait_for(
            lambda: any("control port" in line for line in self.lines[already:]), 10, "ls240-sim"
        )
        return self

    def control(self, request):
        with socket.create_connection(("127.0.0.1", self.control_port), 5) as connection:
            connection.sendall(request.encode() + b"\n")
            answer = json.loads(connection.makefile().readline())
        assert answer["ok"], answer

    def truth(self):
        """All good readings sent: sets of values by input and quantity."""
        found = {}
        for line in self.truth_file.read_text().splitlines():
            entry = json.loads(line)
            quantity = {"T": "T", "S": "V"}.get(entry.get("quantity"))
            # Of a temperature under or over its curve's range the sensor's reading is good.
            if quantity is not None and entry["status"] in (
                [0] if quantity == "T" else [0, 16, 32]
            ):
                key = f"Channel_{entry['channel']}", quantity
                found.setdefault(key, set()).add(float(entry["value"]))
        return found


class Lab:
    """A site with one Agent, a client of it, and a listener to its feed."""

    def __init__(self, directory: Path, router: RouterProcess, name: str, *arguments: str) -> None:
        address = f"observatory.{name}"
        entry = {
            "agent-class": "Lakeshore240Agent",
            "instance-id": name,
            "arguments": [[word] for word in arguments],
        }
        config = site_config(directory / f"config-{name}", router, [entry])
        self.topic = f"{address}.feeds.temperatures"
        self.client = ControlClient(address, url=router.http_url)
        self.events: list = []
        self.agent = AgentProcess(
            ["LS240_agent.py", f"--instance-id={name}", "--site-host=localhost"],
            env={"OCS_CONFIG_DIR": str(config.parent)},
            cwd=AGENT_DIRECTORY,
        )

    def session(self, op="acq"):
        try:
            return self.client.request("status", op)[2]
        except ControlClientError:
            return {}

    def run(self, op, **params):
        """Run an operation; return whether it succeeded, and what it said."""
        code, text, _ = self.client.request("start", op, params)
        assert code == 0, text
        session = self.client.request("wait", op)[2]
        return session["success"], session["messages"][-2][1]

    def messages(self):
        return [text for _, text in self.session().get("messages", [])]

    def samples(self, block="temps"):
        """All sweeps received: time and fields, in order."""
        found = []
        for message, _ in list(self.events):
            if block in message:
                data = message[block]["data"]
                found += [
                    (when, {name: values[row] for name, values in data.items()})
                    for row, when in enumerate(message[block]["timestamps"])
                ]
        return found

    def require_true(self, truth, block="temps", prefix=""):
        """Every value received is one that the module has sent."""
        checked = 0
        for _, data in self.samples(block):
            for (channel, quantity), values in truth.items():
                value = data[f"{prefix}{channel}_{quantity}"]
                if not math.isnan(value):
                    assert value in values, (channel, quantity, value)
                    checked += 1
        assert checked > 20


@pytest.fixture
def make_simulator(tmp_path: Path) -> Iterator:
    simulators = []

    def make(*arguments):
        directory = tmp_path / f"sim{len(simulators)}"
        directory.mkdir()
        simulators.append(Simulator(directory, *arguments))
        return simulators[-1]

    yield make
    for simulator in simulators:
        if simulator._process is not None:
            simulator.stop()


@pytest.fixture
def make_lab(tmp_path: Path, router: RouterProcess, reactor_thread: ReactorThread):
    labs, connections = [], []

    def make(name, *arguments):
        lab = Lab(tmp_path, router, name, *arguments)

        async def listen():
            connection = Connection(
                reactor_thread.reactor, router.url, router.realm, name="test listener"
            )
            connection.subscribe(lab.topic, lab.events.append)
            connection.start()
            connections.append(connection)
            await connection.when_connected()

        reactor_thread.call(listen)
        lab.agent.start()
        labs.append(lab)
        return lab

    yield make
    for lab in labs:
        lab.agent.stop()
    for connection in connections:
        reactor_thread.call(connection.stop)


def test_from_absent_to_data_and_back(make_lab, make_simulator, tmp_path):
    """Not plugged in at start, plugged in, pulled out, plugged in again."""
    port = tmp_path / "ls240"
    simulator = make_simulator(f"--pty={port}", "--shy")
    lab = make_lab("LSA2359", "--serial-number=LSA2359", f"--port={port}", "--mode=acq")
    wait_for(lambda: lab.session().get("degraded"), 15, "degraded without a module")
    assert lab.session()["op_code"] == 8
    (told,) = [text for text in lab.messages() if str(port) in text]
    assert "no such file or directory" in told
    assert "USB cable is plugged in" in told
    assert lab.events == []

    simulator.start()
    wait_for(lambda: len(lab.samples()) > 3, 15, "data")
    assert not lab.session()["degraded"]

    simulator.kill()
    wait_for(lambda: lab.session()["degraded"], 5, "degraded without the module")
    assert lab.session()["status"] == "running"
    assert not lab.session()["data"]["connection"]["connected"]
    last = lab.samples()[-1][0]
    simulator.start()
    wait_for(lambda: lab.samples()[-1][0] > last + 0.5, 15, "data again")
    assert not lab.session()["degraded"]
    assert lab.messages().count("Connection re-established.") == 2

    began = time.monotonic()
    assert lab.client.request("stop", "acq")[0] == 0
    session = lab.client.request("wait", "acq")[2]
    assert session["success"]
    assert time.monotonic() - began < 1
    for _, data in lab.samples():
        assert data.keys() == FIELDS
    lab.require_true(simulator.truth())
    assert session["data"]["fields"].keys() == {f"Channel_{n}" for n in range(1, 9)}
    assert session["data"]["fields"]["Channel_1"].keys() == {"T", "V"}
    assert session["data"]["connection"].keys() == {"last_attempt", "connected"}
    ((_, header), *_) = lab.events
    assert header["agg_params"] == {"frame_length": 60}


def test_tasks_get_in_while_acquiring(make_lab, make_simulator, tmp_path):
    """Set an input up, look at it, and write a curve, all beside acq; over TCP."""
    port = free_port()
    simulator = make_simulator(f"--tcp={port}").start()
    lab = make_lab("LSTASKS", f"--port=tcp://127.0.0.1:{port}", "--mode=acq")
    wait_for(lambda: len(lab.samples()) > 1, 15, "data")
    assert lab.run("set_values", channel=2, name="still", filter=20) == (
        True,
        "Channel 2: name 'still', filter 20.",
    )
    done, text = lab.run("get_values", channel=2)
    assert done
    assert lab.session("get_values")["data"]["name"] == "still"
    curve = tmp_path / "2.340"
    assert lab.run("download_cal_curve", channel=2, filename=str(curve))[0]
    done, text = lab.run("upload_cal_curve", channel=2, filename=str(curve))
    assert done, text
    assert "verified" in text
    assert lab.run("init_lakeshore")[0]
    # Two inputs have been withheld at most a few sweeps; no other has missed one.
    sweeps = [data for _, data in lab.samples()]
    assert any(math.isnan(data["Channel_2_T"]) for data in sweeps)
    assert not any(math.isnan(data["Channel_1_T"]) for data in sweeps)
    now = len(sweeps)
    wait_for(
        lambda: len(lab.samples()) > now and lab.samples()[-1][1]["Channel_2_T"] > 0, 10, "T again"
    )
    commands = lab.session()["data"]["commands"]
    assert commands["count"] > 150
    assert commands["longest_s"] < 1
    # What a curve gave before and gives again has been sent in between, too.
    lab.require_true(simulator.truth())


def test_two_modules_in_one_process(make_lab, make_simulator, tmp_path):
    ports = [tmp_path / "a", tmp_path / "b"]
    serials = ["LSA1", "LSA2"]
    simulators = [
        make_simulator(f"--pty={port}", f"--serial={serial}", "--model=2P").start()
        for port, serial in zip(ports, serials, strict=True)
    ]
    lab = make_lab(
        "LSTWO",
        f"--serial-number={','.join(serials)}",
        f"--port={','.join(map(str, ports))}",
        "--mode=acq",
        "--sampling-frequency=5",
    )
    wait_for(lambda: lab.samples("temps_LSA1") and lab.samples("temps_LSA2"), 15, "both")
    simulators[0].control("fault overrange 1")
    wait_for(
        lambda: lab.samples("temps_LSA1")[-1][1]["LSA1_Channel_1_status"] == 64, 10, "the flag"
    )
    assert math.isnan(lab.samples("temps_LSA1")[-1][1]["LSA1_Channel_1_T"])
    assert lab.samples("temps_LSA2")[-1][1]["LSA2_Channel_1_status"] == 0
    simulators[1].kill()
    wait_for(lambda: lab.session()["degraded"], 5, "degraded without one")
    seen = len(lab.samples("temps_LSA1"))
    wait_for(lambda: len(lab.samples("temps_LSA1")) > seen + 5, 10, "the other goes on")
    assert any(text.startswith("LSA2: No answer") for text in lab.messages())
    lab.require_true(simulators[0].truth(), "temps_LSA1", "LSA1_")


def test_every_misbehaviour_ends_in_data_again_and_no_wrong_value(make_lab, make_simulator):
    port = free_port()
    simulator = make_simulator(f"--tcp={port}", "--seed=3").start()
    lab = make_lab("LSBAD", f"--port=socket://127.0.0.1:{port}", "--mode=acq")
    wait_for(lambda: len(lab.samples()) > 1, 15, "data")
    for fault in ("disconnect", "garbage", "truncated", "wrong_terminator", "split", "extra_line"):
        simulator.control(f"fault {fault} for 1")
        last = time.time() + 1
        wait_for(
            lambda last=last: lab.samples()[-1][0] > last and not lab.session()["degraded"],
            15,
            f"data after {fault}",
        )
    lab.require_true(simulator.truth())
    assert "Traceback" not in lab.agent.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Give the serial number of the module, or its port"),
        (["--port=foo://x"], "foo://x"),
        (["--port=/dev/a,/dev/b"], "give as many"),
        (["--serial-number=A", "--sampling-frequency=0"], "not above 0"),
    ],
)
def test_bad_arguments_end_the_program_in_one_line(tmp_path, router, arguments, told):
    config = site_config(
        tmp_path,
        router,
        [{"agent-class": "Lakeshore240Agent", "instance-id": "LS", "arguments": arguments}],
    )
    with AgentProcess(
        ["-m", "agents.lakeshore240.LS240_agent", "--instance-id=LS", "--site-host=localhost"],
        env={"OCS_CONFIG_DIR": str(config.parent)},
    ) as agent:
        assert agent.wait() == 2
    assert told in agent.lines[-1]
    assert "Traceback" not in agent.output
