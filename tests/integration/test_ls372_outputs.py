"""The outputs' operations of the Agent's program, on a simulator, while it acquires."""

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

AGENT = "LSA23JH"
LOOP = {
    "setpoint": 0.05,
    "heater": "sample",
    "channel": 10,
    "P": 1e-3,
    "I": 0.2,
    "update_time": 1.0,
    "sample_heater_range": 1e-3,
}


class Lab:
    """A simulator, an Agent that acquires from it, a client, and a listener to its feed."""

    def __init__(self, client: ControlClient) -> None:
        self.client = client
        self.blocks: list = []

    def hear(self, event) -> None:
        message, _ = event
        self.blocks += message.items()

    def run(self, op, **params):
        """Run a task; return whether it succeeded, its last words but one, and its data."""
        code, text, _ = self.client.request("start", op, params)
        assert code == 0, text
        session = self.client.request("wait", op)[2]
        return session["success"], session["messages"][-2][1], session["data"]

    def session(self, op):
        try:
            return self.client.request("status", op)[2]
        except ControlClientError:
            return {}

    def block(self, name):
        """All values published in a block, under the field of its name."""
        bodies = [body for block, body in list(self.blocks) if block == name]
        return [value for body in bodies for value in body["data"][name]]


@pytest.fixture
def lab(tmp_path: Path, router: RouterProcess, reactor_thread: ReactorThread) -> Iterator[Lab]:
    port = free_port()
    simulator = AgentProcess(
        ["-m", "agents.lakeshore372.simulator", f"--port={port}", "--scan-scale=0.1"]
    )
    arguments = [
        *("--ip-address=127.0.0.1", f"--port={port}", "--settle-by=status"),
        *("--max-setpoint=0.2", "--max-still-output=30"),
    ]
    config = site_config(
        tmp_path / "config",
        router,
        [
            {
                "agent-class": "Lakeshore372Agent",
                "instance-id": AGENT,
                "arguments": [[word] for word in arguments],
            }
        ],
    )
    agent = AgentProcess(
        [
            *("-m", "agents.lakeshore372.LS372_agent"),
            *(f"--instance-id={AGENT}", "--site-host=localhost"),
        ],
        env={"OCS_CONFIG_DIR": str(config.parent)},
    )
    lab = Lab(ControlClient(f"observatory.{AGENT}", url=router.http_url))
    connections = []

    async def listen():
        connection = Connection(
            reactor_thread.reactor, router.url, router.realm, name="test listener"
        )
        connection.subscribe(f"observatory.{AGENT}.feeds.temperatures", lab.hear)
        connection.start()
        connections.append(connection)
        await connection.when_connected()

    with simulator, agent:
        reactor_thread.call(listen)
        wait_for(lambda: lab.blocks, 40, "data")
        yield lab
    for connection in connections:
        reactor_thread.call(connection.stop)


def test_while_it_acquires(lab):
    """Tasks get in between readings; refusals are refusals; a loop runs beside acq; all off."""
    ok, words, _ = lab.run("set_heater_output", heater="sample", output=10)
    assert (ok, lab.block("sample_heater_out")) == (False, [])
    assert "range is off" in words

    assert lab.run("set_heater_range", heater="sample", range=1e-3, wait=0)[0]
    ok, words, data = lab.run("set_heater_output", heater="sample", output=10, display="current")
    assert ok, words
    assert data["output"] == 10
    wait_for(lambda: lab.block("sample_heater_out") == [10.0], 5, "the output in the feed")

    ok, words, _ = lab.run("set_still_output", output=31)
    assert not ok
    assert "30 % (--max-still-output)" in words
    ok, words, _ = lab.run("servo_to_temperature", temperature=0.3)
    assert not ok
    assert "0.2 K (--max-setpoint)" in words

    code, text, _ = lab.client.request("start", "custom_pid", LOOP)
    assert code == 0, text
    wait_for(lambda: lab.session("custom_pid").get("data", {}).get("power"), 20, "a power")
    readings = len(lab.blocks)
    wait_for(lambda: len(lab.block("sample_heater_out")) > 4, 20, "the loop's outputs in the feed")
    assert len(lab.blocks) > readings
    assert lab.session("acq")["status"] == "running"
    assert not lab.session("acq")["degraded"]
    assert not lab.session("custom_pid")["degraded"]

    ok, words, data = lab.run("heaters_off")
    assert ok, words
    assert data["off"] == ["sample", "warmup", "still"]
    session = lab.client.request("wait", "custom_pid")[2]
    assert session["status"] == "done"
    ok, _, data = lab.run("get_sample_heater")
    assert (ok, data["range"], data["output"]) == (True, 0.0, 0.0)
