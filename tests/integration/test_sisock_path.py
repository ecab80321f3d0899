"""From an agent's feed to the answer of ``/query``, over a real router and real processes."""

import contextlib
import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ocs.connection import Connection
from ocs.testing import (
    AgentProcess,
    ReactorThread,
    RouterProcess,
    free_port,
    site_config,
    wait_for,
)
from sisock import uris

PUBLISHER = Path(__file__).with_name("sisock_publisher.py")
PERIOD_S = 0.05
FIELD = "PUB::channel_01_r"

Samples = list[tuple[float, float]]


def milliseconds(seconds: float) -> float:
    """Return the nearest microsecond of a time, in milliseconds."""
    return float((Decimal(seconds) * 1_000_000).to_integral_value() / 1000)


class Stack:
    """Router, publisher, hub, data node and bridge."""

    def __init__(self, directory: Path) -> None:
        self.router = RouterProcess(directory / "router")
        self.sent_file = directory / "sent"
        self.http_port = free_port()
        site_config(
            directory / "config",
            self.router,
            [{"agent-class": "Publisher", "instance-id": "pub", "arguments": []}],
        )
        env = {
            "OCS_CONFIG_DIR": str(directory / "config"),
            "CROSSBAR_HOST": "127.0.0.1",
            "CROSSBAR_OCS_PORT": str(self.router.port),
            "TARGET": "pub",
            "NAME": "PUB",
            "DESCRIPTION": "test publisher",
            "PORT": str(self.http_port),
        }
        self.env = env
        self.publisher = AgentProcess(
            [
                str(PUBLISHER),
                str(PERIOD_S),
                str(self.sent_file),
                "--instance-id=pub",
                "--site-host=localhost",
                "--crossbar-timeout=0",
            ],
            env=env,
        )
        self.hub = AgentProcess(["-m", "sisock.hub"], env=env)
        self.node = AgentProcess(["-m", "sisock.feed_node"], env=env)
        self.bridge = AgentProcess(["-m", "sisock.http.main"], env=env)
        self.programs = [self.publisher, self.hub, self.node, self.bridge]

    def __enter__(self) -> "Stack":
        self.router.start()
        for program in self.programs:
            program.start()
        wait_for(lambda: len(self.sent()) > 20, 15, "a publisher that publishes")
        self.wait_until_current()
        return self

    def __exit__(self, *_: object) -> None:
        for program in self.programs:
            if program.process.poll() is None:
                program.process.send_signal(signal.SIGINT)
        with contextlib.ExitStack() as rest:  # whoever does not end, the others do
            for program in (self.router, *self.programs):
                rest.callback(program.stop)

    def ask(self, path: str, body: object = None) -> tuple[int, Any]:
        """Return status and answer of a request."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{path}",
            None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=25) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def get(self, path: str, body: object = None) -> Any:
        status, answer = self.ask(path, body)
        assert status == 200, answer
        return answer

    def get_or_none(self, path: str, body: object = None) -> Any:
        try:
            status, answer = self.ask(path, body)
        except (urllib.error.URLError, ConnectionError):
            return None
        return answer if status == 200 else None

    def query(self, *targets: str, **more: Any) -> Any:
        now = time.time()
        body = {
            "range": {"from": (now - 600) * 1000, "to": (now + 60) * 1000},
            "maxDataPoints": 200_000,
            "targets": [{"target": target} for target in targets],
            **more,
        }
        return self.get_or_none("/query", body)

    def sent(self) -> Samples:
        """Return what the publisher sent so far: time to the microsecond in ms, and value."""
        lines = self.sent_file.read_text().split("\n")[:-1] if self.sent_file.exists() else []
        rows = [json.loads(line) for line in lines]
        return [(milliseconds(row[0]), row[2]) for row in rows]

    def received(self) -> Samples:
        answer = self.query(FIELD)
        return [(ms, value) for value, ms in answer[0]["datapoints"]] if answer else []

    def wait_until_current(self, deadline_s: float = 15.0) -> Samples:
        """Wait until everything sent before now has come through; return what has come."""
        due: list[tuple[float, float]] = []

        def current() -> Samples | None:
            if not due:
                due.extend(self.sent()[-1:])
            received = self.received()
            return received if due and due[0] in received else None

        try:
            return wait_for(current, deadline_s, "the newest sample in /query") or []
        except AssertionError as error:
            outputs = "\n\n".join(program.output for program in self.programs)
            received = self.received()
            raise AssertionError(
                f"{error}\n{due} of {len(self.sent())} sent, {len(received)} received, newest "
                f"{received[-1:]}\n{outputs}"
            ) from None

    def check_complete(self) -> None:
        """Check that every sample came through once, with its exact time."""
        received = self.wait_until_current()
        sent = self.sent()
        assert len(received) > 10
        assert received == sent[: len(received)]

    def status(self) -> Any:
        return self.get("/api/v1/status")

    def node_status(self, name: str = "PUB") -> Any:
        status = self.get_or_none("/api/v1/status") or {"nodes": []}
        return next((node for node in status["nodes"] if node["name"] == name), None)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


def test_every_sample_once_and_exact(stack: Stack) -> None:
    stack.check_complete()


def test_one_hub_entry_one_list_of_fields(stack: Stack) -> None:
    assert stack.get("/search") == ["PUB::channel_01_r", "PUB::channel_01_t"]
    fields = stack.get("/api/v1/fields")
    assert {field["type"] for field in fields} == {"number"}
    assert all(abs(time.time() - field["last_time"]) < 5 for field in fields)
    status = stack.status()
    assert status["router"]["connected"]
    (node,) = status["nodes"]
    assert (node["name"], node["description"]) == ("PUB", "test publisher")
    assert (node["connected"], node["fields"]) == (True, 2)


def test_latest_moves(stack: Stack) -> None:
    first = stack.get("/api/v1/latest")
    assert {entry["name"] for entry in first} == {"PUB::channel_01_r", "PUB::channel_01_t"}
    wait_for(lambda: stack.get("/api/v1/latest")[0]["time"] > first[0]["time"], 5, "a newer sample")


def test_a_good_target_among_bad_ones(stack: Stack) -> None:
    good, field, node, shape = stack.query(FIELD, "PUB::nope", "NOPE::x", "nonsense")
    assert good["datapoints"]
    errors = [bad["meta"]["custom"]["error"] for bad in (field, node, shape)]
    assert errors == [
        "data node PUB has no field nope",
        "no data node called NOPE is connected",
        "no field matches 'nonsense'",
    ]
    answer = stack.ask(
        "/query", {"range": {"from": 1000, "to": 2000}, "targets": [{"target": "NOPE::x"}]}
    )
    assert answer == (502, {"message": "no data node called NOPE is connected"})


def test_thinned_to_what_a_panel_asks_for(stack: Stack) -> None:
    wait_for(lambda: len(stack.received()) > 40, 10, "forty samples")
    (series,) = stack.query("PUB::channel_01_t", maxDataPoints=20)
    assert 2 <= len(series["datapoints"]) <= 20


def test_a_large_body_is_refused(stack: Stack) -> None:
    status, answer = stack.ask("/query", "x" * (3 * 2**20))
    assert status == 413
    assert "1048576 bytes" in answer["message"]


def test_a_killed_node_is_seen_and_fills_itself_again(stack: Stack) -> None:
    wait_for(lambda: stack.get("/search"), 5, "fields in /search")
    stack.node.kill()
    gone = wait_for(
        lambda: (n := stack.node_status()) is not None and not n["connected"] and n,
        3,
        "the node's absence",
    )
    assert gone["reason"]
    assert "PUB::channel_01_t" in stack.get("/search")
    stack.node.start()
    stack.check_complete()
    assert wait_for(lambda: stack.node_status()["connected"], 5, "the node in the status")


def test_a_second_node_of_the_same_name_waits_its_turn(stack: Stack) -> None:
    with AgentProcess(["-m", "sisock.feed_node"], env=stack.env) as second:
        second.wait_for_line("trying again")
        stack.check_complete()
        stack.node.kill()
        second.wait_for_line("on the hub's list")
        stack.check_complete()
        stack.node.start()
    stack.check_complete()


def test_a_restarted_bridge_needs_no_search(stack: Stack) -> None:
    stack.bridge.kill()
    stack.bridge.start()
    stack.check_complete()


def test_a_killed_hub_finds_everybody_again(stack: Stack, reactor_thread: ReactorThread) -> None:
    """Our nodes add themselves; one that knows nothing of hubs that die is found."""
    old_style = Connection(
        reactor_thread.reactor, stack.router.url, stack.router.realm, name="old style"
    )
    old_style.register(uris.get_fields_uri("weather"), _weather_fields)
    old_style.register(uris.get_data_uri("weather"), _weather_data)
    try:
        reactor_thread.call(old_style.start)
        reactor_thread.call(old_style.when_connected)
        stack.hub.kill()
        stack.check_complete()
        stack.hub.start()
        node = wait_for(lambda: stack.node_status("weather"), 10, "the old node in the status")
        assert node["connected"]
        assert "weather::wind" in stack.get("/search")
        (series,) = stack.query("weather::wind", range={"from": 1000, "to": 5_000_000})
        assert series["datapoints"] == [[3.5, 2_000_000.0], [None, 2_000_001.0]]
        assert wait_for(lambda: stack.node_status()["connected"], 5, "our node in the status")
    finally:
        reactor_thread.call(old_style.stop)


def _weather_fields(_start: float, _end: float) -> Any:
    return [
        {"wind": {"description": "", "timeline": "t", "type": "number", "units": "km/h"}},
        {"t": {"interval": None, "field": "wind"}},
    ]


def _weather_data(
    field: list[str], _start: float, _end: float, min_stride: float | None = None
) -> Any:
    assert min_stride is None or min_stride > 0
    times = {"t": [2000.0, 2000.001], "finalized_until": None}
    return {"data": {f: [3.5, float("nan")] for f in field}, "timeline": {"t": times}}


def test_a_killed_router_costs_no_sample(stack: Stack) -> None:
    before = len(stack.sent())
    stack.router.kill()
    wait_for(
        lambda: not stack.status()["router"]["connected"], 10, "the loss of the router in /status"
    )
    assert stack.ask("/")[0] == 503
    wait_for(lambda: len(stack.sent()) > before + 20, 10, "samples taken without a router")
    stack.router.start()
    wait_for(lambda: stack.get_or_none("/"), 15, "the bridge on the router")
    wait_for(lambda: stack.node_status()["connected"], 15, "the node on the router")
    stack.check_complete()


def test_everybody_ends_when_asked() -> None:
    """Also without a router; see `Stack.__exit__` for programs that are connected."""
    env = {
        "CROSSBAR_HOST": "127.0.0.1",
        "CROSSBAR_OCS_PORT": str(free_port()),
        "TARGET": "a",
        "NAME": "A",
        "DESCRIPTION": "d",
        "PORT": str(free_port()),
    }
    for module in ("sisock.hub", "sisock.feed_node", "sisock.http.main"):
        with AgentProcess(["-m", module], env=env) as program:
            program.wait_for_line("cannot reach")
            begin = time.monotonic()
            assert program.stop() == 0
            assert time.monotonic() - begin < 3


@pytest.mark.parametrize(
    ("module", "env", "complaint"),
    [
        ("sisock.feed_node", {}, "TARGET is not set"),
        ("sisock.feed_node", {"TARGET": "a", "DESCRIPTION": "d"}, "NAME is not set"),
        ("sisock.feed_node", {"TARGET": "a", "NAME": "A"}, "DESCRIPTION is not set"),
        (
            "sisock.feed_node",
            {"TARGET": "a", "NAME": "A", "DESCRIPTION": "d", "BUFFER_TIME": "soon"},
            "BUFFER_TIME=soon: must be a number of seconds",
        ),
        (
            "sisock.feed_node",
            {"TARGET": "a", "NAME": "A B", "DESCRIPTION": "d"},
            "white space",
        ),
        ("sisock.hub", {"CROSSBAR_OCS_PORT": "x"}, "CROSSBAR_OCS_PORT=x: must be a port"),
        ("sisock.http.main", {"PORT": "99999"}, "PORT=99999: must be a port"),
    ],
)
def test_bad_settings_are_named(module: str, env: dict[str, str], complaint: str) -> None:
    with AgentProcess(["-m", module], env={"PORT": "5000", **env}) as program:
        assert program.wait() == 2
        assert complaint in program.output
        assert "Traceback" not in program.output


def test_a_port_in_use_is_named(stack: Stack) -> None:
    with AgentProcess(["-m", "sisock.http.main"], env=stack.env) as second:
        assert second.wait() == 2
        assert f"port {stack.http_port} of 127.0.0.1" in second.output
        assert "PORT" in second.output
        assert "Traceback" not in second.output
