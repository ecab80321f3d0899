"""A real agent program against a real router (spec/ocs-protocol.md, sections 21 and 22)."""

import itertools
import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from ocs.connection import Connection
from ocs.feed_follower import FeedEvent, FeedFollower
from ocs.feed_link import FeedLink
from ocs.testing import (
    AgentProcess,
    ReactorThread,
    RouterProcess,
    free_port,
    site_config,
    wait_for,
)

ROOT = Path(__file__).parents[2]
ECHO = ROOT / "tests" / "agents" / "echo_agent.py"
REGISTRY = ROOT / "agents" / "registry" / "registry.py"

SESSION_KEYS = {
    "session_id",
    "op_name",
    "op_code",
    "cred_level",
    "status",
    "degraded",
    "success",
    "start_time",
    "end_time",
    "data",
    "messages",
}


def agent_process(
    directory: Path, router: RouterProcess, instance: str, *options: str, program: Path = ECHO
) -> AgentProcess:
    agent_class = "EchoAgent" if program == ECHO else "RegistryAgent"
    config = directory / instance
    entry = {"agent-class": agent_class, "instance-id": instance, "arguments": []}
    site_config(config, router, [entry])
    return AgentProcess(
        [str(program), "--instance-id", instance, *options], env={"OCS_CONFIG_DIR": str(config)}
    )


class Client:
    """Speaks to one agent through the router's HTTP caller, as ``curl`` would."""

    def __init__(self, router: RouterProcess, instance: str) -> None:
        self.url = router.http_url
        self.address = f"observatory.{instance}"

    def post(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        body = {"procedure": procedure, "args": args, "kwargs": kwargs}
        request = urllib.request.Request(
            self.url,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response, parse_constant=_not_json)

    def ops(self, action: str, op: str, *args: Any, **kwargs: Any) -> Any:
        reply = self.post(f"{self.address}.ops", action, op, *args, **kwargs)
        assert "error" not in reply, reply
        return reply["args"][0]

    def api(self, query: str = "get_api") -> Any:
        return self.post(self.address, query)["args"][0]

    def joined(self) -> bool:
        try:
            return "error" not in self.post(self.address, "get_agent_class")
        except OSError:
            return False


def _not_json(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents")


@pytest.fixture(scope="module")
def agent(directory: Path, router: RouterProcess) -> Iterator[AgentProcess]:
    with agent_process(directory, router, "echo") as process:
        process.wait_for_line("session joined")
        yield process


@pytest.fixture(scope="module")
def duplicate(
    agent: AgentProcess, directory: Path, router: RouterProcess
) -> Iterator[AgentProcess]:
    """A second copy of the running instance; it takes ten seconds to give up."""
    with agent_process(directory, router, "echo") as process:
        yield process


@pytest.fixture
def client(agent: AgentProcess, duplicate: AgentProcess, router: RouterProcess) -> Client:
    client = Client(router, "echo")
    wait_for(client.joined, what="the agent")
    return client


class Recorder:
    """Follows one feed as the aggregator and the data node do."""

    def __init__(self, thread: ReactorThread, router: RouterProcess, topic: str) -> None:
        self.thread = thread
        self.events: list[FeedEvent] = []
        self.topics: list[tuple[float, Any]] = []
        self.heartbeats: list[float] = []
        agent_address, _, feed = topic.rpartition(".feeds.")

        def start() -> None:
            self.connection = Connection(thread.reactor, router.url, router.realm, name="recorder")
            self.follower = FeedFollower(backfill_from_start=True)
            link = FeedLink(self.connection, self.follower, self.events.append)
            link.follow(agent_address, feed)
            self.connection.subscribe(topic, link.receive)
            self.connection.subscribe(
                f"{agent_address}.feeds.heartbeat",
                lambda _: self.heartbeats.append(time.monotonic()),
            )
            self.connection.start()

        thread.call(start)

    def call(self, procedure: str, *args: Any) -> Any:
        return self.thread.call(
            lambda: Deferred.fromCoroutine(self.connection.call(procedure, *args, timeout=10))
        )

    def stop(self) -> None:
        self.thread.call(self.connection.stop)

    def counts(self) -> list[int]:
        return [
            count for event in self.events for count in event.message["counts"]["data"]["count"]
        ]


@pytest.fixture
def record(reactor_thread: ReactorThread) -> Iterator[Callable[..., Recorder]]:
    recorders: list[Recorder] = []

    def make(router: RouterProcess, topic: str) -> Recorder:
        recorders.append(Recorder(reactor_thread, router, topic))
        return recorders[-1]

    yield make
    for recorder in recorders:
        recorder.stop()


def test_get_api(client: Client, agent: AgentProcess) -> None:
    api = client.api()
    assert api.keys() == {
        "agent_class",
        "instance_hostname",
        "instance_pid",
        "feeds",
        "processes",
        "tasks",
        "access_control",
    }
    assert api["agent_class"] == "EchoAgent"
    assert api["instance_pid"] == agent.pid
    assert [name for name, _ in api["feeds"]] == ["counts", "heartbeat"]
    assert api["feeds"][0][1].keys() == {
        "agent_address",
        "agg_params",
        "feed_name",
        "address",
        "record",
        "session_id",
        "agent_class",
    }
    assert [name for name, _, _ in api["processes"]] == ["acq", "loop"]
    tasks = {name: info for name, _, info in api["tasks"]}
    assert tasks["delay_task"] == {
        "blocking": False,
        "abortable": True,
        "docstring": "delay_task(delay=5, succeed=True)\n\nWaits.",
        "op_type": "task",
        "min_privs": 1,
    }
    assert client.api("get_feeds") == api["feeds"]
    assert client.api("get_agent_class") == "EchoAgent"
    assert client.api("bogus") is None
    assert client.post(client.address)["error"] == "wamp.error.runtime_error"


def test_a_task(client: Client) -> None:
    code, message, session = client.ops("start", "delay_task", {"delay": 0.2})
    assert (code, message, session["status"]) == (0, 'Started task "delay_task".', "starting")
    code, message, session = client.ops("start", "delay_task", {"delay": 1})
    assert (code, session["op_name"]) == (-1, "delay_task")
    code, message, session = client.ops("wait", "delay_task", None, timeout=0.01)
    assert code == 1
    code, message, session = client.ops("wait", "delay_task", timeout=10)
    assert (code, session["success"], session["op_code"]) == (0, True, 5)
    assert len(session["messages"]) == 4
    assert session.keys() == SESSION_KEYS


def test_an_aborted_task(client: Client) -> None:
    client.ops("start", "delay_task", {"delay": 30})
    wait_for(lambda: client.ops("status", "delay_task")[2]["status"] == "running", what="the task")
    assert client.ops("abort", "delay_task")[0] == 0
    code, _, session = client.ops("wait", "delay_task", {"delay": 30}, timeout=10)
    assert (code, session["success"], session["status"]) == (0, False, "done")


def test_stopping_twice(client: Client) -> None:
    client.ops("start", "loop")
    wait_for(lambda: client.ops("status", "loop")[2]["status"] == "running", what="the process")
    assert client.ops("stop", "loop", [])[0] == 0
    assert client.ops("wait", "loop", timeout=10)[2]["success"] is True
    code, message, session = client.ops("stop", "loop")
    assert (code, message, session) == (-1, "The operation is already done", {})


def test_bad_parameters(client: Client) -> None:
    code, message, session = client.ops("start", "delay_task", {"delay": "x"})
    assert (code, session) == (-1, {})
    assert message.startswith("Param 'delay'=x is not of required type")


def test_refused_calls(client: Client) -> None:
    ops = f"{client.address}.ops"
    assert client.post("observatory.nosuch.ops", "status", "acq")["error"] == (
        "wamp.error.no_such_procedure"
    )
    for args, kwargs in ((["status"], {}), (["status", "acq"], {"nonsense": 1})):
        assert client.post(ops, *args, **kwargs)["error"] == "wamp.error.runtime_error"
    assert client.ops("status", "acq", [])[2].keys() == SESSION_KEYS


def test_data_without_a_json_form(client: Client) -> None:
    client.ops("start", "data")
    code, _, session = client.ops("wait", "data", timeout=10)
    assert code == 0
    assert session["data"] == {"inf": None, "nan": None, "list": [1.5, None], "1": "int key"}
    assert any("inf" in text for _, text in session["messages"])
    assert client.api()["agent_class"] == "EchoAgent"


def test_a_crash(client: Client, agent: AgentProcess) -> None:
    client.ops("start", "crash")
    session = client.ops("wait", "crash", timeout=10)[2]
    assert (session["success"], session["op_code"]) == (False, 6)
    assert session["messages"][-2][1].startswith("CRASH: ValueError: boom")
    agent.wait_for_line("builtins.ValueError: boom")


def test_bad_samples_are_told_to_the_thread_that_published_them(client: Client) -> None:
    client.ops("start", "publish_bad")
    session = client.ops("wait", "publish_bad", timeout=10)[2]
    assert session["messages"][-2][1].startswith("told: Field 'count' of block 'counts'")
    assert client.ops("status", "acq")[2]["status"] == "running"


def test_a_stop_does_not_wait_for_busy_operations(client: Client) -> None:
    client.ops("start", "loop")
    for number in range(12):
        assert client.ops("start", f"busy{number}")[0] == 0

    def all_busy() -> bool:
        names = [f"busy{number}" for number in range(12)] + ["loop"]
        return {client.ops("status", name)[2]["status"] for name in names} == {"running"}

    wait_for(all_busy, what="thirteen running threads")
    begin = time.monotonic()
    assert client.ops("stop", "loop")[0] == 0
    assert client.ops("wait", "loop", timeout=10)[2]["success"] is True
    assert time.monotonic() - begin < 1.0


def test_the_registry(
    client: Client, directory: Path, router: RouterProcess, record: Callable[..., Recorder]
) -> None:
    recorder = record(router, "observatory.registry.feeds.agent_operations")
    registry = Client(router, "registry")
    with agent_process(directory, router, "registry", program=REGISTRY) as process:
        process.wait_for_line("session joined")

        def entry(instance: str) -> Any:
            data = registry.ops("status", "main")[2].get("data", {})
            return data.get(f"observatory.{instance}")

        with agent_process(directory, router, "mortal") as mortal:
            wait_for(lambda: entry("mortal"), what="the agent in the registry")
            assert entry("mortal")["expired"] is False
            assert entry("mortal")["agent_class"] == "EchoAgent"
            mortal.kill()
            killed = time.monotonic()
        wait_for(lambda: entry("mortal")["expired"], what="its expiry")
        assert 4.0 < time.monotonic() - killed < 7.0
        assert set(entry("mortal")["op_codes"].values()) == {7}
        assert entry("echo")["expired"] is False
        assert entry("registry") is None, "nobody hears himself"

        name = "observatory_mortal_acq"
        codes = wait_for(
            lambda: [
                event.message[name]["data"][name][-1]
                for event in recorder.events
                if event.message.get(name) and event.message[name]["data"][name][-1] == 7
            ],
            what="the expiry in the feed",
        )
        assert codes == [7]
        event = next(event for event in recorder.events if name in event.message)
        block = event.message[name]
        assert block.keys() == {"block_name", "data", "timestamps", "influxdb_tags"}
        assert block["block_name"] == name
        assert block["data"].keys() == {name}
        assert event.feed["agg_params"] == {"frame_length": 60}
        code, _, _ = registry.ops("start", "register_agent", {"anything": 1})
        assert code == 0
        assert registry.ops("wait", "register_agent", timeout=5)[2]["success"] is True


def test_a_second_copy_ends_and_the_first_goes_on(
    client: Client, agent: AgentProcess, duplicate: AgentProcess
) -> None:
    assert duplicate.wait(20) == 1
    assert "is this agent already running?" in duplicate.output
    assert 'agent_address="observatory.echo"' in duplicate.output
    assert "startup-op" not in duplicate.output
    assert client.api()["instance_pid"] == agent.pid
    assert client.ops("status", "acq")[2]["session_id"] == 0
    assert agent.process.poll() is None


def test_signals_end_it_soon_also_with_a_stuck_operation(
    directory: Path, router: RouterProcess
) -> None:
    agents = [agent_process(directory, router, name) for name in ("int", "term", "int-stuck")]
    with agents[0], agents[1], agents[2]:
        for agent in agents:
            agent.wait_for_line('acq:0 Status is now "running"')
        stuck = Client(router, "int-stuck")
        stuck.ops("start", "stuck")
        wait_for(lambda: stuck.ops("status", "stuck")[2]["status"] == "running", what="the task")
        begin = time.monotonic()
        for agent, number in zip(
            agents, (signal.SIGINT, signal.SIGTERM, signal.SIGINT), strict=True
        ):
            os.kill(agent.pid, number)
        assert [agent.wait(10) for agent in agents[:2]] == [0, 0]
        assert time.monotonic() - begin < 2.0
        assert agents[2].wait(10) == 0
        assert time.monotonic() - begin < 4.0
        for agent in agents:
            assert "acquisition ended" in agent.output
            assert "Traceback" not in agent.output
            assert "Unhandled" not in agent.output
            assert "ERROR" not in agent.output
        assert "still running at the end: stuck" in agents[2].output


def test_without_a_router_it_ends_when_told_to(
    directory: Path, router: RouterProcess, tmp_path: Path
) -> None:
    hub = f"ws://127.0.0.1:{free_port()}/ws"
    impatient = agent_process(
        directory, router, "impatient", "--site-hub", hub, "--crossbar-timeout", "1"
    )
    patient = agent_process(directory, router, "patient", "--site-hub", hub)
    with impatient, patient:
        assert impatient.wait(10) == 1
        assert "--crossbar-timeout" in impatient.output
        patient.wait_for_line("trying again")
        begin = time.monotonic()
        assert patient.stop() == 0
        assert time.monotonic() - begin < 2.0
        assert "Traceback" not in patient.output


def test_the_router_goes_away_and_nothing_is_lost(
    directory: Path,
    reactor_thread: ReactorThread,
    tmp_path: Path,
    record: Callable[..., Recorder],
) -> None:
    with RouterProcess(tmp_path) as router, agent_process(directory, router, "survivor") as agent:
        recorder = record(router, "observatory.survivor.feeds.counts")
        client = Client(router, "survivor")
        wait_for(lambda: len(recorder.counts()) > 20, what="samples")
        feeds = client.api("get_feeds")

        # In the same moment for everybody: the worker is killed first.
        workers = Path(f"/proc/{router.pid}/task/{router.pid}/children").read_text().split()
        for pid in workers:
            os.kill(int(pid), signal.SIGKILL)
        router.kill()
        away = time.monotonic()
        wait_for(lambda: time.monotonic() - away > 5.0, what="five seconds without a router")
        before = len(recorder.counts())
        beats = len(recorder.heartbeats)
        router.start()
        wait_for(lambda: len(recorder.heartbeats) > beats + 1, 20, "heartbeats")
        wait_for(lambda: len(recorder.counts()) > before + 5 * 45, 20, "the samples in between")

        counts = recorder.counts()
        assert counts == list(range(len(counts))), "in order, none twice, none missing"
        assert [event.feed["seq"] for event in recorder.events] == list(range(len(recorder.events)))
        assert recorder.follower.lost == {}
        times = [t for event in recorder.events for t in event.message["counts"]["timestamps"]]
        assert times == sorted(times)
        assert max(b - a for a, b in itertools.pairwise(times)) < 3.0

        assert client.api("get_feeds") == feeds, "the same session id"
        assert client.ops("status", "acq")[2]["session_id"] == 0
        assert agent.output.count("startup-op: launching acq") == 1
        assert agent.output.count("session joined") == 2

        session_id = feeds[0][1]["session_id"]
        reply = recorder.call("observatory.survivor.feed_history", "counts", session_id, 3, 2000)
        assert (reply["session_id"], reply["oldest_seq"]) == (session_id, 0)
        assert [entry[1]["seq"] for entry in reply["messages"]][:2] == [3, 4]
        assert reply["messages"][0] == [recorder.events[3].message, recorder.events[3].feed]

        client.ops("stop", "acq")
        client.ops("wait", "acq", timeout=10)
        total = client.ops("status", "acq")[2]["data"]["count"]
        wait_for(lambda: len(recorder.counts()) == total, what="the last samples of the buffer")
        assert "Traceback" not in agent.output
