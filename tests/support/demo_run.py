"""A real demo for tests: `make demo` without make, and questions to it."""

import json
import os
import signal
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ocs.testing import AgentProcess, free_port

INSTRUMENT = "LSA23JD"
OUTPUT = Path(__file__).parents[1] / "output"


class DemoRun(AgentProcess):
    """`make demo` without make, on free ports."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.http = f"http://127.0.0.1:{(http_port := free_port())}"
        self.call_url = f"http://127.0.0.1:{(router_port := free_port())}/call"
        super().__init__(
            ["-m", "demo"],
            env={
                "DEMO_HTTP_PORT": str(http_port),
                "DEMO_ROUTER_PORT": str(router_port),
                "DEMO_LS372_PORT": str(free_port()),
                "DEMO_DATA_DIR": str(directory),
            },
        )

    @property
    def site_dir(self) -> Path:
        return self.directory / "site"

    def request(self, path: str, body: Any = None, url: str | None = None) -> Any:
        """Send JSON (or GET) and return the decoded answer; None if nobody answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            (url or self.http) + path, data, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def call(self, procedure: str, *args: Any) -> Any:
        """Call a WAMP procedure through the router's HTTP caller; None if there is no answer."""
        body = {"procedure": procedure, "args": args}
        answer = self.request("", body, url=self.call_url)
        return answer["args"][0] if answer and "error" not in answer else None

    def points(self, field: str, start: float, end: float) -> list[list[float]]:
        """Return all samples of a field as /query gives them: [[value, ms], ...]."""
        body = {
            "range": {"from": iso(start), "to": iso(end)},
            "intervalMs": 1,
            "maxDataPoints": 1_000_000,
            "targets": [{"target": f"{INSTRUMENT}::{field}", "refId": "A", "type": "timeserie"}],
        }
        answer = self.request("/query", body)
        return answer[0]["datapoints"] if answer else []

    def published(self, field: str) -> list[tuple[float, float]]:
        """Return what the Agent says it has published of a field: (time in s, value)."""
        reply = self.call(f"observatory.{INSTRUMENT}.feed_history", "temperatures", None, 0)
        assert reply is not None, "the Agent does not answer"
        numbers = [feed["seq"] for _, feed in reply["messages"]]
        assert numbers == list(range(reply["oldest_seq"], reply["next_seq"])), "a hole or a cut"
        return [
            sample
            for message, _ in reply["messages"]
            for block in message.values()
            if field in block["data"]
            for sample in zip(block["timestamps"], block["data"][field], strict=True)
        ]

    def newest(self) -> float:
        """Return the time of the newest sample that the bridge knows."""
        latest = self.request("/api/v1/latest")
        return max((entry["time"] for entry in latest), default=0.0) if latest else 0.0

    def children(self) -> dict[int, str]:
        """Return process id and command line of every program of the demo."""
        found = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
                words = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.pid:
                found[int(stat.parent.name)] = words
        return found

    def kill_program(self, part: str) -> None:
        """SIGKILL the one program whose command line has `part`."""
        matching = [pid for pid, words in self.children().items() if part in words]
        assert len(matching) == 1, f"{part}: {self.children()}"
        os.kill(matching[0], signal.SIGKILL)


def iso(time_s: float) -> str:
    """Format Unix seconds as Grafana does."""
    text = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def truth_entries(directory: Path) -> list[dict[str, Any]]:
    """Return what the simulator says it sent, in order."""
    text = (directory / f"truth-{INSTRUMENT}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def read_truth(directory: Path) -> dict[tuple[int, str], set[float]]:
    """Return what the simulator says it sent: (channel, quantity) to values."""
    sent: dict[tuple[int, str], set[float]] = {}
    for entry in truth_entries(directory):
        sent.setdefault((entry["channel"], entry["quantity"]), set()).add(float(entry["value"]))
    return sent
