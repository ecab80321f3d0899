"""The data nodes that come with the monitor: real processes on a real router, seen over HTTP."""

import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from autobahn.wamp.exception import ApplicationError
from support.certificates import Site
from twisted.internet.task import Clock

from ocs.connection import Connection
from ocs.testing import AgentProcess, ReactorThread, RouterProcess, free_port, wait_for
from sisock import uris
from sisock.nodes.sensor_readers import Reading
from sisock.nodes.sensors import SensorsService
from sisock.nodes.weather import EXAMPLE_DATA

REAL = Path(__file__).parents[3] / "shared" / "data" / "apex"
ARCHIVES = [path for path in (EXAMPLE_DATA, REAL) if path.is_dir()]
FIRST, LAST = 1499990400.0, 1501200000.0
NODES = {
    "apex_archive": "Archived APEX weather.",
    "apex_weather": "Weather station information from APEX.",
    "ucsc_radiometer": "PWV readings from the UCSC radiometer.",
    "sensors": "The results of the UNIX 'sensors' command.",
}
UNITS = {
    "apex_archive::apex_humidity": "%",
    "apex_archive::apex_pressure": "mBar",
    "apex_archive::apex_radiometer": "mm",
    "apex_archive::apex_temperature": "C",
    "apex_archive::apex_windspeed": "km/h",
    "apex_weather::dewpoint": "C",
    "apex_weather::humidity": "%",
    "apex_weather::pressure": "mBar",
    "apex_weather::radiometer": "mm",
    "apex_weather::temperature": "C",
    "apex_weather::winddirection": "deg",
    "apex_weather::windspeed": "km/h",
    "ucsc_radiometer::pwv": "mm",
}
MODULES = ("weather", "apex_weather", "radiometer", "sensors")
T0 = 1_546_300_800  # 2019-01-01

Rows = list[tuple[float, float]]


def rows_of(file: Path) -> Rows:
    """Read ``time value`` rows the simple way."""
    lines = file.read_text().splitlines()
    rows = (line.split() for line in lines if line and not line.startswith("#"))
    return [(float(row[0]), float(row[1])) for row in rows]


class Nodes:
    """Router, hub, bridge and the four nodes."""

    def __init__(self, directory: Path, archive: Path) -> None:
        self.data = directory / "data"
        self.data.mkdir()
        self.router = RouterProcess(directory / "router")
        self.http_port = free_port()
        self.env = {
            "CROSSBAR_HOST": "127.0.0.1",
            "CROSSBAR_OCS_PORT": str(self.router.port),
            "WAMP_TRANSPORT": "plain",
            "PORT": str(self.http_port),
        }
        data = {"DATA_DIR": str(self.data)}
        self.programs = [
            AgentProcess(["-m", module], env={**self.env, **more})
            for module, more in (
                ("sisock.hub", {}),
                ("sisock.http.main", {}),
                ("sisock.nodes.weather", {"DATA_DIR": str(archive)}),
                ("sisock.nodes.apex_weather", data),
                ("sisock.nodes.radiometer", {**data, "MAX_POINTS": "50"}),
                ("sisock.nodes.sensors", {}),
            )
        ]

    def __enter__(self) -> "Nodes":
        self.router.start()
        for program in self.programs:
            program.start()
        wait_for(self.all_connected, 40, "all nodes in the status")
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.ExitStack() as rest:
            for program in (self.router, *self.programs):
                rest.callback(program.stop)

    def ask(self, path: str, body: object = None) -> Any:
        """Return the answer of a request; None when there is none."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{path}",
            None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=25) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return None
        except (urllib.error.URLError, ConnectionError):
            return None

    def all_connected(self) -> bool:
        status = self.ask("/api/v1/status") or {"nodes": []}
        return {node["name"] for node in status["nodes"] if node["connected"]} == NODES.keys()

    def sensors(self) -> list[str]:
        """Return the names of the sensors' fields."""
        return [name for name in self.ask("/search") or [] if name.startswith("sensors::")]

    def query(self, target: str, start: float, end: float, points: int = 200_000) -> Rows:
        """Return rows of time in seconds and value; both ends included, as Grafana asks."""
        answer = self.ask(
            "/query",
            {
                "range": {"from": start * 1000, "to": end * 1000},
                "maxDataPoints": points,
                "targets": [{"target": target}],
            },
        )
        if not answer:
            return []
        return [(ms / 1000, value) for value, ms in answer[0]["datapoints"]]


@pytest.fixture(scope="module", params=ARCHIVES, ids=lambda path: path.name)
def archive(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Iterator[Nodes]:
    with Nodes(tmp_path_factory.mktemp("nodes"), archive) as nodes:
        yield nodes


@pytest.fixture
def wamp(nodes: Nodes, reactor_thread: ReactorThread) -> Iterator[Connection]:
    """A client of the router, as upstream's bridge is one."""
    connection = Connection(
        reactor_thread.reactor, nodes.router.url, nodes.router.realm, name="test"
    )
    reactor_thread.call(connection.start)
    reactor_thread.call(connection.when_connected)
    yield connection
    reactor_thread.call(connection.stop)


def test_every_node_with_its_fields_and_units(nodes: Nodes) -> None:
    status = nodes.ask("/api/v1/status")
    assert {node["name"]: node["description"] for node in status["nodes"]} == NODES
    wait_for(nodes.sensors, 10, "a first reading of the sensors")
    listed = nodes.ask("/search")
    assert {name for name in listed if not name.startswith("sensors::")} == UNITS.keys()
    units = {field["name"]: field["units"] for field in nodes.ask("/api/v1/fields")}
    assert {name: units[name] for name in UNITS} == UNITS


def test_the_weather_is_what_the_files_say(nodes: Nodes, archive: Path) -> None:
    for file in sorted(archive.glob("*.dat")):
        served = nodes.query(f"apex_archive::{file.stem}", FIRST, LAST)
        assert served == rows_of(file)
    (first, *_, last) = nodes.query("apex_archive::apex_humidity", FIRST + 1, LAST - 1)
    assert (first[0], last[0]) == (FIRST + 3600, LAST - 3600)


def test_the_weather_thinned_for_a_panel(nodes: Nodes, archive: Path) -> None:
    everything = rows_of(archive / "apex_radiometer.dat")
    served = nodes.query("apex_archive::apex_radiometer", FIRST, LAST, points=400)
    assert 200 <= len(served) <= 400
    assert set(served) <= set(everything)
    values = [value for _, value in everything]
    assert min(value for _, value in served) == min(values)
    assert max(value for _, value in served) == max(values)


def test_directories_that_are_mounted_later(nodes: Nodes) -> None:
    """Until then the nodes stay, and say in their log what they miss."""
    assert nodes.query("apex_weather::humidity", T0, T0 + 86400) == []
    missing = [program for program in nodes.programs if "cannot read" in program.output]
    assert len(missing) == 2
    (nodes.data / "targets").mkdir()
    for begin, count in ((T0, 600), (T0 + 43200, 720)):
        rows = "".join(f"{begin + 60 * n} {n / 4}\n" for n in range(count))
        (nodes.data / "targets" / f"apex_humidity_{begin}_{begin + 43200}.dat").write_text(rows)
    (nodes.data / "PWV").mkdir()
    rows = "".join(f"{1 + n * 0.0007:.4f} {n % 9 + 0.5 if n % 7 else 'NaN'}\n" for n in range(300))
    (nodes.data / "PWV" / "PWV_UCSC_2019-001.txt").write_text(f"day pwv\n{rows}")
    served = wait_for(
        lambda: nodes.query("apex_weather::humidity", T0, T0 + 86400), 10, "the humidity"
    )
    assert [time_s for time_s, _ in served] == [
        T0 + 60 * n for n in (*range(600), *range(720, 1440))
    ]
    # In the gap between the two files begins what ends in the second.
    assert nodes.query("apex_weather::humidity", T0 + 40_000, T0 + 43_260)[0][0] == T0 + 43_200
    pwv = wait_for(lambda: nodes.query("ucsc_radiometer::pwv", T0, T0 + 605), 10, "the PWV")
    measured = (1, 2, 3, 4, 5, 6, 8, 9, 10)
    assert [time_s for time_s, _ in pwv] == pytest.approx(
        [T0 + 60.48 * n for n in measured], rel=0, abs=1e-3
    )
    assert [value for _, value in pwv] == [n % 9 + 0.5 for n in measured]
    assert 4 < len(nodes.query("ucsc_radiometer::pwv", T0, T0 + 86400)) <= 50, "MAX_POINTS"


def test_the_sensors_move_on(nodes: Nodes) -> None:
    name = wait_for(nodes.sensors, 10, "a sensor")[0]

    def readings() -> Rows:
        return nodes.query(name, time.time() - 600, time.time())

    wait_for(lambda: len(readings()) >= 2, 10, "two readings")
    (first, _), (second, _) = readings()[:2]
    assert second - first == pytest.approx(2.5, abs=1.5)


@pytest.mark.parametrize(
    ("args", "kwargs", "count"),
    [
        ((FIRST, FIRST + 7200), {}, 2),
        ((1, 0), {}, 350),
        ((1, FIRST), {}, 0),
        ((LAST, FIRST), {}, 0),
        ((-10, 0), {}, 0),
        ((1, 0, None), {}, 350),
        ((1, 0, 60), {}, 350),
        ((1, 0), {"min_stride": 60}, 350),
        ((1, 0), {"min_stride": None}, 350),
        ((1, 0), {"min_stride": 1e9}, 2),
    ],
)
def test_queries_as_upstream_sends_them(
    wamp: Connection,
    reactor_thread: ReactorThread,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    count: int,
) -> None:
    fields = ["apex_humidity", "no_such", "apex_humidity"]
    get_data = partial(wamp.call, timeout=10, **kwargs)
    answer = reactor_thread.call(get_data, uris.get_data_uri("apex_archive"), fields, *args)
    assert answer["data"].keys() == set(fields)
    assert answer["data"]["no_such"] == []
    assert len(answer["data"]["apex_humidity"]) == count
    assert list(answer["timeline"]) == (["hourly"] if count else [])
    if count:
        assert len(answer["timeline"]["hourly"]["t"]) == count


def test_answers_of_the_other_shapes(wamp: Connection, reactor_thread: ReactorThread) -> None:
    call = partial(wamp.call, timeout=10)

    def get_data(node: str, *args: Any) -> Any:
        return reactor_thread.call(call, uris.get_data_uri(node), *args)

    assert get_data("apex_archive", [], 1, 0) == {"data": {}, "timeline": {}}
    assert get_data("apex_weather", ["../x"], 1, 0) == {"data": {"../x": []}, "timeline": {}}
    with pytest.raises(ApplicationError, match="list of field names"):
        get_data("ucsc_radiometer", "pwv", 1, 0)
    fields, timelines = reactor_thread.call(call, uris.get_fields_uri("apex_weather"), 1, 0)
    assert {name: field["timeline"] for name, field in fields.items()} == {n: n for n in fields}
    assert {line["interval"] for line in timelines.values()} == {None}


def test_a_killed_router_is_found_again(nodes: Nodes, archive: Path) -> None:
    nodes.router.kill()
    wait_for(lambda: not nodes.all_connected(), 10, "the loss of the nodes")
    nodes.router.start()
    wait_for(nodes.all_connected, 15, "all nodes on the router again")
    assert nodes.query("apex_archive::apex_pressure", FIRST, LAST) == rows_of(
        archive / "apex_pressure.dat"
    )


def test_every_generation_of_feeds(
    nodes: Nodes, wamp: Connection, reactor_thread: ReactorThread
) -> None:
    """The environment of the seed's thermometry service, which knew no FEED."""
    env = {**nodes.env, "TARGET": "OLD", "NAME": "OLD", "DESCRIPTION": "an agent of 2019"}
    address = "observatory.OLD"
    now = time.time()
    messages = [
        {"Channel 1": [now - 9, 1.5]},
        [{"Channel 1": [now - 8, 2.5]}, {"Channel 1": [now - 7, 3.5]}],
        [{"timestamp": now - 6, "data": {"Channel 1": 4.5}}],
        {"b": {"block_name": "b", "timestamps": [now - 5, now - 4], "data": {"On": [True, False]}}},
        "nothing of this kind",
    ]
    with AgentProcess(["-m", "sisock.feed_node"], env=env) as node:
        node.wait_for_line("on the hub's list")
        for message in messages:
            for sender in ("observatory.SOMEBODY", address):
                event = [message, {"agent_address": sender, "feed_name": "temperatures"}]
                assert reactor_thread.call(
                    wamp.publish, uris.feed_topic("observatory", "OLD", "temperatures"), event
                )

        def samples() -> Rows:
            return nodes.query("OLD::channel_1", now - 60, now)

        wait_for(lambda: len(samples()) == 4, 10, "four samples")
        assert [value for _, value in samples()] == [1.5, 2.5, 3.5, 4.5]
        expected = {"OLD::channel_1": "number", "OLD::on": "bool"}
        wait_for(
            lambda: (
                expected.items()
                <= {field["name"]: field["type"] for field in nodes.ask("/api/v1/fields")}.items()
            ),
            10,
            "both fields, with their types",
        )


def test_a_slow_sensor_does_not_hold_up_the_reactor(reactor_thread: ReactorThread) -> None:
    asked, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def read() -> dict[str, float]:
        asked.set()
        go_on.wait(10)
        done.set()
        return {"slow_temp1": 20.0}

    connection = Connection(
        reactor_thread.reactor, f"ws://127.0.0.1:{free_port()}/ws", "test_realm", name="slow"
    )
    service = SensorsService(
        connection,
        reactor_thread.reactor,
        choose=lambda: (Reading("a slow sensor", "C", read), []),
    )
    reactor_thread.reactor.callFromThread(service.start)
    try:
        assert asked.wait(10)
        assert not reactor_thread.call(done.is_set), "the reactor answers while the sensor is read"
        go_on.set()
        wait_for(lambda: service.series.fields(1, 4e9).fields, 10, "the reading")
    finally:
        go_on.set()
        reactor_thread.call(service.stop)


def test_an_unforeseen_error_of_a_sensor_ends_the_program(reactor_thread: ReactorThread) -> None:
    """Whoever watches over it starts it anew; nobody would notice a node that only sits there."""

    class Timers(Clock):
        stopped = False

        def stop(self) -> None:
            self.stopped = True

    timers = Timers()
    readings = [{"x_temp1": 20.0}]
    connection = Connection(
        reactor_thread.reactor, f"ws://127.0.0.1:{free_port()}/ws", "test_realm", name="broken"
    )
    service = SensorsService(
        connection,
        timers,
        choose=lambda: (Reading("a sensor", "C", readings.pop), []),
    )
    reactor_thread.reactor.callFromThread(service.start)
    wait_for(lambda: service.series.fields(1, 4e9).fields, 10, "the only reading")
    assert not timers.stopped

    def go_on() -> bool:
        reactor_thread.call(timers.advance, 2.5)
        return timers.stopped

    wait_for(go_on, 10, "the end")
    assert service.exit_status == 1
    reactor_thread.call(service.stop)


def test_over_tls_with_the_secret_of_servers(tmp_path: Path) -> None:
    """In a directory as ``./setup-tls.sh`` leaves it, with no setting but where the router is."""
    site = Site(tmp_path)
    tls = {"CROSSBAR_HOST": "localhost", "CROSSBAR_TLS_PORT": str(free_port())}
    with contextlib.ExitStack() as running:

        def start(module: str, plain_port: int) -> AgentProcess:
            env = {**tls, "CROSSBAR_OCS_PORT": str(plain_port)}
            return running.enter_context(AgentProcess(["-m", module], env=env, cwd=tmp_path))

        start("sisock.router_main", free_port()).wait_for_line("hub is up", 30)
        assert site.ca_file.exists()
        # Nobody listens at the plain port they are given.
        nodes = [start(f"sisock.nodes.{module}", free_port()) for module in MODULES]
        for node in nodes:
            node.wait_for_line("is on the hub's list", 30)


@pytest.mark.parametrize("module", MODULES)
def test_ends_when_asked_and_names_bad_settings(module: str) -> None:
    env = {"CROSSBAR_HOST": "127.0.0.1", "WAMP_TRANSPORT": "plain"}
    lonely = {**env, "CROSSBAR_OCS_PORT": str(free_port())}
    with AgentProcess(["-m", f"sisock.nodes.{module}"], env=lonely) as program:
        program.wait_for_line("cannot reach")
        assert program.stop() == 0
    bad = [{**env, "CROSSBAR_OCS_PORT": "x"}]
    if module in ("apex_weather", "radiometer"):
        bad.append({**env, "MAX_POINTS": "-1"})
    for settings in bad:
        with AgentProcess(["-m", f"sisock.nodes.{module}"], env=settings) as program:
            assert program.wait() == 2
            assert "Traceback" not in program.output
