"""Everything that the provisioned dashboards ask, asked of a real bridge with real nodes."""

import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ocs.testing import AgentProcess, RouterProcess, free_port, site_config, wait_for

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "docker" / "grafana"
PUBLISHER = str(Path(__file__).with_name("thermometer_publisher.py"))
NODES = ("LSA23JD", "ls240", "apex_archive", "sensors")


class Monitor:
    """Router, hub, two thermometers with their nodes, weather, sensors and the bridge."""

    def __init__(self, directory: Path) -> None:
        self.router = RouterProcess(directory / "router")
        self.port = free_port()
        agents = [
            {"agent-class": "Thermometer", "instance-id": name, "arguments": []}
            for name in ("LSA23JD", "ls240")
        ]
        site_config(directory / "config", self.router, agents)
        self.env = env = {
            "OCS_CONFIG_DIR": str(directory / "config"),
            "CROSSBAR_HOST": "127.0.0.1",
            "CROSSBAR_OCS_PORT": str(self.router.port),
            "WAMP_TRANSPORT": "plain",
            "PORT": str(self.port),
        }
        self.programs = [
            AgentProcess(["-m", module], env=env)
            for module in (
                "sisock.hub",
                "sisock.http.main",
                "sisock.nodes.weather",
                "sisock.nodes.sensors",
            )
        ]
        for name, kind in (("LSA23JD", ["16", "2", "R"]), ("ls240", ["8", "1", "V"])):
            place = ["--site-host=localhost", "--crossbar-timeout=0"]
            agent = [PUBLISHER, *kind, f"--instance-id={name}", *place]
            feed = {**env, "TARGET": name, "NAME": name, "DESCRIPTION": "test thermometer"}
            self.programs += [
                AgentProcess(agent, env=env),
                AgentProcess(["-m", "sisock.feed_node"], env=feed),
            ]

    def __enter__(self) -> "Monitor":
        self.router.start()
        for program in self.programs:
            program.start()
        names = {f"LSA23JD::channel_{n:02d}_t" for n in range(1, 17)}
        names |= {f"ls240::channel_{n}_v" for n in range(1, 9)} | {"apex_archive::apex_windspeed"}
        try:
            wait_for(
                lambda: (
                    names <= (found := self.fields())
                    and any(name.startswith("sensors::") for name in found)
                ),
                60,
                "the fields of all nodes",
            )
        except AssertionError as error:
            outputs = "\n\n".join(program.output for program in self.programs)
            raise AssertionError(f"{error}\n{sorted(self.fields())}\n{outputs}") from None
        return self

    def __exit__(self, *_: object) -> None:
        for program in self.programs:
            if program.process.poll() is None:
                program.process.send_signal(signal.SIGINT)
        with contextlib.ExitStack() as rest:
            for program in (self.router, *self.programs):
                rest.callback(program.stop)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def read(self, path: str, **params: Any) -> tuple[bytes, Any]:
        query = urllib.parse.urlencode(params, doseq=True)
        with urllib.request.urlopen(f"{self.url}{path}?{query}", timeout=25) as answer:
            return answer.read(), answer.headers

    def fields(self) -> set[str]:
        try:
            return {entry["name"] for entry in json.loads(self.read("/api/v1/fields")[0])}
        except (urllib.error.URLError, ConnectionError):
            return set()


def run_probe(
    url: str, dialect: str, *more: str, dashboards: Path | None = None
) -> subprocess.CompletedProcess[str]:
    folder = GRAFANA / dialect
    command = [
        sys.executable,
        str(GRAFANA / "probe.py"),
        f"--url={url}",
        f"--provisioning={folder / 'provisioning'}",
        f"--dashboards={dashboards or folder / 'dashboards'}",
        *more,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitor]:
    with Monitor(tmp_path_factory.mktemp("grafana")) as monitor:
        yield monitor


@pytest.mark.parametrize("dialect", ["current", "legacy"])
def test_every_panel_of_every_dashboard_has_data(monitor: Monitor, dialect: str) -> None:
    found = run_probe(
        monitor.url, dialect, "--complete", *(f"--expect-data={name}" for name in NODES)
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.splitlines()[-1] == "all is well"
    full = [line for line in found.stdout.splitlines() if "panels have data" in line]
    counts = [line.split(": ")[1].split(" panels")[0] for line in full]
    assert sorted(counts) == ["11 of 11", "2 of 2", "20 of 20", "5 of 5"]


@pytest.mark.parametrize("dialect", ["current", "legacy"])
def test_the_probe_sees_what_is_wrong(monitor: Monitor, dialect: str, tmp_path: Path) -> None:
    model = (GRAFANA / dialect / "dashboards" / "lakeshore-372.json").read_text()
    (tmp_path / "broken.json").write_text(model.replace("channel_03_t", "channel_33_t"))
    found = run_probe(
        monitor.url, dialect, "--complete", "--expect-data=LSA23JD", dashboards=tmp_path
    )
    assert found.returncode == 1
    assert "wrong: Lake Shore 372: no data of LSA23JD in 5 Channel 3" in found.stdout
    missing = run_probe(monitor.url, dialect, "--expect-data=LSX")
    assert missing.returncode == 1
    assert "no dashboard shows data node LSX" in missing.stdout
    nobody = run_probe(f"http://127.0.0.1:{free_port()}", dialect)
    assert nobody.returncode == 1
    assert "no answer" in nobody.stdout


def test_a_bridge_with_a_token(monitor: Monitor, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-token-of-more-than-16-characters\n")
    port = free_port()
    env = {**monitor.env, "PORT": str(port), "HTTP_TOKEN_FILE": str(token)}
    with AgentProcess(["-m", "sisock.http.main"], env=env) as bridge:
        bridge.wait_for_line("listening on")
        url = f"http://127.0.0.1:{port}"

        def well() -> bool:
            try:
                with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
                    return bool(answer.status == 200)
            except (urllib.error.URLError, ConnectionError):
                return False

        wait_for(well, 15, "the bridge on the router")
        refused = run_probe(url, "current")
        assert refused.returncode == 1
        assert "status 401" in refused.stdout
        assert "bearer token" in refused.stdout
        arguments = (f"--token-file={token}", "--expect-data=apex_archive")
        wait_for(
            lambda: run_probe(url, "current", *arguments).returncode == 0, 20, "answers by token"
        )
    token.write_text("short\n")
    with AgentProcess(["-m", "sisock.http.main"], env=env) as bridge:
        assert bridge.wait() == 2
        assert "HTTP_TOKEN_FILE" in bridge.output
        assert "Traceback" not in bridge.output


def test_rows_are_the_samples_of_a_query(monitor: Monitor) -> None:
    """The same numbers for every client, whatever the form."""
    names = ["LSA23JD::channel_01_t", "LSA23JD::channel_02_r"]
    end = time.time() * 1e3
    span = {"from": end - 20_000, "to": end - 1_000}
    body = {"range": span, "targets": [{"target": n} for n in names], "maxDataPoints": 5000}
    request = urllib.request.Request(f"{monitor.url}/query", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=25) as answer:
        expected = {
            series["target"]: [(ms, value) for value, ms in series["datapoints"]]
            for series in json.load(answer)
        }
    assert all(len(points) > 5 for points in expected.values())
    args = {"target": names, "max_points": 5000, **span}
    rows = json.loads(monitor.read("/api/v1/rows", **args)[0])
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    for name in names:
        assert [(r["time"], r["value"]) for r in rows if r["name"] == name] == expected[name]
    wide = json.loads(monitor.read("/api/v1/rows", format="wide", **args)[0])
    for name in names:
        points = [(row["time"], row[name]) for row in wide if row[name] is not None]
        assert points == expected[name]
    text, headers = monitor.read("/api/v1/rows", format="csv", **args)
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = text.decode().split("\r\n")
    assert lines[0] == "time,name,value"
    assert len(lines) - 2 == len(rows)


def test_the_newest_sample_for_a_single_value(monitor: Monitor) -> None:
    end = time.time() * 1e3
    args = {"target": "LSA23JD::channel_05_t", "from": end - 60_000, "to": end - 500}
    every = json.loads(monitor.read("/api/v1/rows", max_points=100_000, **args)[0])
    (newest,) = json.loads(monitor.read("/api/v1/rows", max_points=1, **args)[0])
    assert newest == every[-1]


def test_a_node_that_goes_is_marked(monitor: Monitor) -> None:
    def marks() -> list[tuple[str, bool]]:
        now = time.time() * 1e3
        raw, _ = monitor.read(
            "/api/v1/annotations", **{"from": now - 3_600_000, "to": now + 1000, "node": "ls240"}
        )
        return [(mark["title"], mark["timeEnd"] is not None) for mark in json.loads(raw)]

    assert marks() == [("ls240 is there", False)]
    node = monitor.programs[-1]
    node.kill()
    wait_for(lambda: marks()[-1] == ("ls240 is away", False), 5, "the mark of a node gone")
    node.start()
    wait_for(lambda: marks()[-2:] == [("ls240 is away", True), ("ls240 is there", False)], 15, "it")
