"""A simulated 372, an Agent that reads it, a client of it, and a listener to its feed."""

import json
import socket
from pathlib import Path

from ocs.client_http import ControlClient, ControlClientError
from ocs.testing import AgentProcess, RouterProcess, free_port, site_config, wait_for

AGENT_DIRECTORY = Path(__file__).parents[2] / "agents" / "lakeshore372"


class Simulator(AgentProcess):
    """ls372-sim with a scan of ten seconds, and what it says it sent."""

    def __init__(self, directory: Path, scan_scale: float = 0.05) -> None:
        self.port = free_port()
        self.control_port = free_port()
        self.truth_file = directory / "truth.jsonl"
        super().__init__(
            [
                *("-m", "agents.lakeshore372.simulator", f"--port={self.port}"),
                *(f"--scan-scale={scan_scale}", f"--truth={self.truth_file}"),
                f"--control={self.control_port}",
            ]
        )

    def start(self):
        already = len(self.lines)
        super().start()
        wait_for(
            lambda: any("listens on" in line for line in self.lines[already:]), 10, "ls372-sim"
        )
        return self

    def control(self, request: str) -> None:
        """Send a request to the control port."""
        with socket.create_connection(("127.0.0.1", self.control_port), 5) as connection:
            connection.sendall(f"{request}\n".encode())
            answer = json.loads(connection.makefile().readline())
        assert answer["ok"], answer

    def truth(self):
        """All readings sent: (channel, K, ohm, time they were made), in order."""
        lines = [json.loads(line) for line in self.truth_file.read_text().splitlines()]
        columns = [[line for line in lines if line["quantity"] == quantity] for quantity in "TR"]
        return [
            (kelvin["channel"], float(kelvin["value"]), float(ohms["value"]), kelvin["time"])
            for kelvin, ohms in zip(*columns, strict=True)
        ]


class Lab:
    """A site with one Agent, a client of it, and a listener to its feed."""

    def __init__(self, directory: Path, router: RouterProcess, name: str, *arguments: str) -> None:
        address = f"observatory.{name}"
        entry = {
            "agent-class": "Lakeshore372Agent",
            "instance-id": name,
            "arguments": [["--settle-by", "status"], *([word] for word in arguments)],
        }
        config = site_config(directory / "config", router, [entry])
        self.topic = f"{address}.feeds.temperatures"
        self.client = ControlClient(address, url=router.http_url)
        self.events: list = []
        self.agent = AgentProcess(
            ["LS372_agent.py", f"--instance-id={name}", "--site-host=localhost"],
            env={"OCS_CONFIG_DIR": str(config.parent)},
            cwd=AGENT_DIRECTORY,
        )

    def session(self, op="acq"):
        try:
            return self.client.request("status", op)[2]
        except ControlClientError:
            return {}

    def run(self, op, params=None):
        """Start an operation and return its session when it has ended."""
        code, text, _ = self.client.request("start", op, params)
        assert code == 0, text
        return self.client.request("wait", op)[2]

    def messages(self, op="acq"):
        return [text for _, text in self.session(op).get("messages", [])]

    def samples(self):
        """All samples received: (channel, K, ohm, status, time), in order of time."""
        found = []
        for message, _ in list(self.events):
            for name, block in message.items():
                if not name.startswith("Channel "):
                    continue
                stem = name.replace(" ", "_")
                columns = [block["data"][f"{stem}_{end}"] for end in ("T", "R", "status")]
                rows = zip(*columns, block["timestamps"], strict=True)
                found += [(int(name.removeprefix("Channel ")), *row) for row in rows]
        return sorted(found, key=lambda row: row[-1])
