"""The Aggregator as a program, with a publisher as a program, over a real router.

Run as a script this file is the publisher: an agent that numbers its samples.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import so3g  # noqa: F401 - before spt3g, or the interpreter crashes
from so3g import hk

from ocs import site_config as config
from ocs.client_http import ControlClient, ControlClientError
from ocs.ocs_agent import init_site_agent
from ocs.testing import AgentProcess, RouterProcess, site_config, wait_for

ROOT = Path(__file__).parents[2]
PUBLISHER = "counter"
FULL = f"observatory.{PUBLISHER}.feeds.numbers.n"


def publish(count: int, rate_hz: float) -> None:
    """Publish `count` samples with the values 0, 1, 2, ..."""
    args = config.parse_args("CounterAgent", None, ["--instance-id", PUBLISHER])
    agent, runner = init_site_agent(args)
    agent.register_feed("numbers", record=True, agg_params={"frame_length": 1})

    def acq(session: Any, _params: Any) -> tuple[bool, str]:
        start = time.time()
        for n in range(count):
            at = start + n / rate_hz
            time.sleep(max(0.0, at - time.time()))
            agent.publish_to_feed("numbers", {"block_name": "b", "timestamp": at, "data": {"n": n}})
            session.data = {"published": n + 1}
            if session.status != "running":
                break
        return True, "done"

    agent.register_process("acq", acq, lambda session, _: session.set_status("stopping"))
    runner.run(agent)


class Op:
    """One operation of one agent, through the router's HTTP caller."""

    def __init__(self, router: RouterProcess, instance: str, name: str) -> None:
        self.client = ControlClient(f"observatory.{instance}", url=router.http_url)
        self.name = name

    def __call__(self, action: str, params: Any = None, **more: Any) -> tuple[int, str, dict]:
        try:
            return tuple(self.client.request(action, self.name, params, **more))
        except ControlClientError as error:
            return -9, str(error), {}

    @property
    def data(self) -> dict[str, Any]:
        return self("status")[2].get("data") or {}


class Lab:
    """A router, an aggregator and a publisher."""

    def __init__(self, directory: Path, router: RouterProcess, *arguments: str) -> None:
        self.router = router
        self.data_dir = directory / "data"
        self.env = {"OCS_CONFIG_DIR": str(directory / "config")}
        words = [["--data-dir", str(self.data_dir)], ["--time-per-file", "3"]]
        site_config(
            directory / "config",
            router,
            [
                {"agent-class": "CounterAgent", "instance-id": PUBLISHER, "arguments": []},
                {
                    "agent-class": "AggregatorAgent",
                    "instance-id": "aggregator",
                    "arguments": [*words, *([word] for word in arguments)],
                },
            ],
        )
        self.aggregator = AgentProcess(
            [str(ROOT / "agents" / "aggregator" / "aggregator_agent.py")], env=self.env
        )
        self.record = Op(router, "aggregator", "record")
        self.aggregate = Op(router, "aggregator", "aggregate")
        self.acq = Op(router, PUBLISHER, "acq")

    def publisher(self, count: int, rate_hz: float) -> AgentProcess:
        return AgentProcess([__file__, str(count), str(rate_hz)], env=self.env)

    def begin(self) -> None:
        """Start publishing once recording has begun."""
        wait_for(lambda: "counts" in self.record.data, 20, "recording")
        wait_for(lambda: self.acq("start")[0] == 0, 20, "the publisher")

    def published(self) -> int:
        return self.acq.data.get("published", 0)

    def end(self, count: int) -> dict[str, Any]:
        """Wait until `count` samples are archived, stop the recording and return its session."""
        wait_for(lambda: self.acq("status")[2].get("status") == "done", 40, "the last sample")
        wait_for(lambda: self.archived() >= count, 40, f"{count} samples in the archive")
        self.record("stop")
        _, _, session = self.record("wait", timeout=10)
        assert session["success"], session
        return session

    def archived(self) -> int:
        try:
            return len(self.numbers())
        except (RuntimeError, ValueError):  # a frame is just being written; no file yet
            return 0

    def numbers(self) -> list[int]:
        """What is in the archive, by time."""
        scanner = hk.HKArchiveScanner()
        for path in sorted(self.data_dir.glob("[0-9]*/*.g3")):
            scanner.process_file(str(path))
        times, values = scanner.finalize().simple(FULL)
        return [int(value) for _, value in sorted(zip(times, values, strict=True))]


@pytest.fixture
def lab(tmp_path: Path, router: RouterProcess) -> Iterator[Callable[..., Lab]]:
    yield lambda *arguments: Lab(tmp_path, router, *arguments)


def test_each_sample_is_in_the_archive_once_although_the_aggregator_was_killed(lab):
    lab = lab("--initial-state=record")
    with lab.publisher(1500, 250), lab.aggregator as aggregator:
        lab.begin()
        for stop_at in (200, 500, 800, 1100):
            wait_for(lambda at=stop_at: lab.published() > at, 20, f"{stop_at} samples")
            aggregator.kill()
            wait_for(lambda at=stop_at: lab.published() > at + 50, 20, "samples nobody hears")
            aggregator.start()
            wait_for(lambda: "counts" in lab.record.data, 20, "recording again")
        session = lab.end(1500)
    assert lab.numbers() == list(range(1500))
    assert session["data"]["gaps"] == {}
    assert session["data"]["quarantine"] == {}


def test_a_restart_misses_nothing(lab):
    lab = lab("--initial-state=record")
    with lab.publisher(600, 200), lab.aggregator as aggregator:
        lab.begin()
        wait_for(lambda: lab.published() > 200, 20, "200 samples")
        assert aggregator.stop() == 0
        wait_for(lambda: lab.published() > 300, 20, "samples nobody hears")
        aggregator.start()
        lab.end(600)
    assert lab.numbers() == list(range(600))


def test_the_router_may_go_away(tmp_path):
    with RouterProcess(tmp_path / "router") as router:
        lab = Lab(tmp_path, router, "--initial-state=record")
        with lab.publisher(1200, 200), lab.aggregator:
            lab.begin()
            wait_for(lambda: lab.published() > 200, 20, "200 samples")
            router.restart()
            session = lab.end(1200)
        assert lab.numbers() == list(range(1200))
        assert session["data"]["gaps"] == {}


def test_operations(lab, tmp_path):
    lab = lab()
    with lab.aggregator, AgentProcess(lab.aggregator.argv, env=lab.env) as second:
        wait_for(lambda: lab.record("status")[0] == 0, 20, "the aggregator")
        subscribe = Op(lab.router, "aggregator", "subscribe")
        subscribe("start", {"agent_address": "observatory.x", "feed_name": "f"})
        assert subscribe("wait", timeout=5)[2]["success"]
        assert lab.aggregate("start", {"time_per_file": 5, "data_dir": "elsewhere/"})[0] == 0
        wait_for(lambda: "current_file" in lab.aggregate.data, 10, "recording")
        assert any("is ignored" in text for _, text in lab.aggregate("status")[2]["messages"])
        assert lab.record("start")[0] == 0
        _, _, session = lab.record("wait", timeout=5)
        assert not session["success"]
        assert "'aggregate' is recording already" in session["messages"][-2][1]
        lab.aggregate("stop")
        assert lab.aggregate("wait", timeout=5)[2]["success"]
        assert list(lab.data_dir.glob("*/*.g3")) == []
        assert lab.record("start", {"test_mode": True})[0] == 0
        assert lab.record("wait", timeout=5)[2]["success"]
        second.kill()


def test_a_second_aggregator_on_the_directory_is_refused(lab, tmp_path):
    lab = lab("--initial-state=record")
    site_file = tmp_path / "config" / "default.yaml"
    site_file.write_text(
        site_file.read_text().replace("instance-id: aggregator", "instance-id: agg2")
    )
    second = AgentProcess(lab.aggregator.argv, env=lab.env)
    with second:
        other = Op(lab.router, "agg2", "record")
        wait_for(lambda: "counts" in other.data, 20, "the second aggregator")
        site_file.write_text(
            site_file.read_text().replace("instance-id: agg2", "instance-id: aggregator")
        )
        with lab.aggregator:
            wait_for(lambda: lab.record("status")[2].get("status") == "done", 20, "the refusal")
            session = lab.record("status")[2]
            assert not session["success"]
            assert "another aggregator" in session["messages"][-2][1]
            assert "journal.sqlite" in session["messages"][-2][1]
        assert other("status")[2]["status"] == "running"


def test_a_directory_that_cannot_be_written_heals(lab):
    lab = lab("--initial-state=record")
    lab.data_dir.write_text("a file where the directory should be")
    with lab.publisher(100, 100), lab.aggregator:
        wait_for(lambda: lab.record("status")[2].get("degraded"), 20, "a degraded process")
        assert "data" in lab.record.data["problem"]
        lab.data_dir.unlink()
        wait_for(lambda: "counts" in lab.record.data, 20, "recording")
        wait_for(lambda: lab.acq("start")[0] == 0, 20, "the publisher")
        lab.end(100)
    assert lab.numbers() == list(range(100))


if __name__ == "__main__":
    publish(int(sys.argv[1]), float(sys.argv[2]))
