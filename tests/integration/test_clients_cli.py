"""ocs-client-cli and OCSClient against a real router and a real agent."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocs.client_http import ControlClientError
from ocs.ocs_client import OCSClient
from ocs.testing import AgentProcess, RouterProcess, free_port, site_config

AGENT = Path(__file__).parents[1] / "agents" / "fake_agent.py"


@pytest.fixture(scope="module")
def config(router: RouterProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    instance = {"agent-class": "FakeAgent", "instance-id": "fake_cli"}
    return site_config(tmp_path_factory.mktemp("site"), router, [instance])


@pytest.fixture(scope="module")
def fake(config: Path) -> Iterator[AgentProcess]:
    with AgentProcess([str(AGENT), f"--site-file={config}"]) as process:
        process.wait_for_line("session joined")
        yield process


@pytest.fixture
def client(config: Path, fake: AgentProcess) -> OCSClient:
    return OCSClient("fake_cli", args=[f"--site-file={config}"])


@pytest.fixture
def cli(config: Path):
    command = ["-m", "ocs.client_cli", f"--site-file={config}"]
    return lambda *args: AgentProcess([*command, *args])


class TestOCSClient:
    def test_a_task(self, client):
        reply = client.delay_task(delay=0.1)
        assert reply.status == 0
        assert reply.session["success"] is True
        assert client.delay_task(delay=0.0, succeed=False).session["success"] is False
        assert client.delay_task.start(delay="x").status == -1

    def test_an_aborted_task(self, client):
        assert client.delay_task.start(delay=30.0).status == 0
        assert client.delay_task.wait(timeout=0.05).status == 1
        assert client.delay_task.abort().status == 0
        assert client.delay_task.wait().session["success"] is False

    def test_a_process(self, client):
        assert client.acq.start().status == 0
        assert client.acq().session["status"] in {"starting", "running"}
        assert client.acq.stop().status == 0
        assert client.acq.wait().session["success"] is True

    def test_an_absent_agent(self, config):
        with pytest.raises(ControlClientError) as error:
            OCSClient("nosuch", args=[f"--site-file={config}"])
        assert error.value.uri == "wamp.error.no_such_procedure"

    def test_the_docstring_travels(self, client):
        assert client.delay_task.start.__doc__.startswith("delay_task(delay=5, succeed=True)")


class TestScan:
    def test_details(self, cli, fake):
        with cli("scan", "--details") as scan:
            assert scan.wait() == 0
        assert scan.lines[0] == "Listening to heartbeat feeds for 2 seconds ..."
        assert scan.lines[1].startswith("List of Detected Agents: (")
        at = scan.lines.index("  fake_cli")
        names = {line[4:24].strip() for line in scan.lines[at + 1 : at + 4]}
        assert names == {"acq", "delay_task", "init_lakeshore"}
        assert scan.lines[at + 1][24:26] == ": "

    def test_an_absent_registry(self, cli, fake):
        with cli("scan", "--use-registry", "nosuch") as scan:
            assert scan.wait() == 1
        assert scan.output == (
            "ocs-client-cli: no agent 'nosuch' is running; start the registry, "
            "or scan without --use-registry"
        )

    def test_an_agent_that_is_no_registry(self, cli, fake):
        with cli("scan", "--use-registry", "fake_cli") as scan:
            assert scan.wait() == 1
        assert scan.lines == ["ocs-client-cli: fake_cli is no registry: it has no process 'main'"]

    def test_an_absent_router(self, config):
        url = f"ws://127.0.0.1:{free_port()}/ws"
        command = ["-m", "ocs.client_cli", f"--site-file={config}", f"--site-hub={url}"]
        with AgentProcess([*command, "--connect-timeout=0.5", "scan"]) as scan:
            assert scan.wait() == 1
        assert f"gave up after 0.5 s: cannot reach {url}" in scan.lines[-1]
        assert "Traceback" not in scan.output


class TestListen:
    def test_json(self, cli, fake):
        with cli("listen", "--json", "observatory.fake_cli.feeds.heartbeat") as listen:
            line = json.loads(listen.wait_for_line('"topic"'))
            assert listen.stop() == 0
        assert line["topic"] == "observatory.fake_cli.feeds.heartbeat"
        beat, feed = line["message"]
        assert set(beat) == {"acq", "delay_task", "init_lakeshore"}
        assert feed["agent_address"] == "observatory.fake_cli"

    def test_numbers_that_json_does_not_know(self, cli, client):
        with cli("listen", "--json", "observatory..feeds.samples") as listen:
            client.acq.start()
            line = listen.wait_for_line('"topic"')
            client.acq.stop()
            client.acq.wait()
        assert json.loads(line)["message"][0]["samples"]["data"]["nan"] == [None]

    def test_for_a_person(self, cli, fake):
        with cli("listen", "observatory.fake_cli.feeds.heartbeat") as listen:
            listen.wait_for_line("[observatory.fake_cli.feeds.heartbeat] [{'")
        assert listen.lines[0] == "Subscribing to observatory.fake_cli.feeds.heartbeat"

    def test_a_reader_that_leaves(self, config, fake):
        command = [sys.executable, "-m", "ocs.client_cli", f"--site-file={config}", "listen"]
        listen = subprocess.Popen(
            [*command, "--json", "observatory..feeds.heartbeat"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert listen.stdout is not None
        listen.stdout.readline()
        listen.stdout.close()
        assert listen.wait(10) == 0
        assert listen.stderr is not None
        with listen.stderr as stderr:
            assert stderr.read() == b""


class TestShell:
    def test_it_knows_the_agent(self, config, fake):
        command = [sys.executable, "-m", "ocs.client_cli", f"--site-file={config}", "shell"]
        done = subprocess.run(
            [*command, "--simple", "fake_cli"],
            input="print(clients == [client], client.delay_task(delay=0.0).status)\n",
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        assert "True 0" in done.stdout
        assert "client.<operation> talks to fake_cli" in done.stderr

    def test_an_absent_agent(self, cli, fake):
        with cli("shell", "nosuch") as shell:
            assert shell.wait() == 1
        assert shell.output == (
            "ocs-client-cli: wamp.error.no_such_procedure: "
            "no callee registered for procedure <observatory.nosuch>"
        )

    def test_no_command(self, cli):
        with cli() as run:
            assert run.wait() == 2
