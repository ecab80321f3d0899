"""Upstream's published clients against our agents, and ours against upstream's.

Rows of spec/ocs-protocol.md, section 21.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ocs.client_http import ControlClientError
from ocs.ocs_client import OCSClient
from ocs.testing import AgentProcess, RouterProcess, site_config, wait_for

pytestmark = pytest.mark.upstream

ROOT = Path(__file__).parents[2]
AGENT = ROOT / "tests" / "agents" / "fake_agent.py"

CALLS = """
import json, sys, time
from ocs.client_http import ControlClientError
from ocs.ocs_client import OCSClient

c = OCSClient("ourfake")
found = {"doc": c.delay_task.start.__doc__, "printed": str(c.delay_task(delay=0.5))}
found["bad"] = str(c.delay_task.start(delay="x"))
found["first"] = c.delay_task.start(delay=30)
found["second"] = c.delay_task.start(delay=1)
found["abort"] = c.delay_task.abort()
found["aborted"] = c.delay_task.wait()
c.delay_task.start(delay=5)
found["late"] = c.delay_task.wait(timeout=0.2)
c.delay_task.abort()
c.delay_task.wait()
found["acq"] = c.acq.start()
while c.acq.status().session["status"] != "running":
    time.sleep(0.01)
found["stop"] = c.acq.stop()
found["stop_again"] = c.acq.stop()
found["stopped"] = c.acq.wait()
try:
    OCSClient("nosuch")
except ControlClientError as error:
    found["absent"] = error.args[0]
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def env(router: RouterProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    directory = tmp_path_factory.mktemp("site")
    site_config(
        directory,
        router,
        [
            {"agent-class": "FakeAgent", "instance-id": "ourfake"},
            {
                "agent-class": "FakeDataAgent",
                "instance-id": "theirfake",
                "arguments": ["--mode", "idle", "--num-channels", 2],
            },
        ],
    )
    return {"OCS_CONFIG_DIR": str(directory)}


@pytest.fixture
def ours(env: dict[str, str]) -> Iterator[AgentProcess]:
    with AgentProcess([str(AGENT), "--instance-id=ourfake"], env=env) as process:
        process.wait_for_line("session joined")
        yield process


# Building the environment takes its time, once.
@pytest.mark.timeout(600)
def test_scan(upstream: Path, env: dict[str, str], ours: AgentProcess) -> None:
    """Row 2."""
    with AgentProcess(
        [str(upstream.with_name("ocs-client-cli")), "scan", "--details"], env=env
    ) as scan:
        assert scan.wait(20) == 0
    title = next(line for line in scan.lines if "List of Detected Agents: (" in line)
    listing = scan.lines[scan.lines.index(title) :]
    assert listing.count("  ourfake") == 1
    assert f"    {'acq':20}: NONE" in listing
    assert "old_agent_no_opcodes" not in scan.output


def test_calls(upstream: Path, env: dict[str, str], ours: AgentProcess) -> None:
    """Rows 5 to 11."""
    done = subprocess.run(
        [str(upstream), "-c", CALLS],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["doc"].startswith("delay_task(delay=5, succeed=True)")
    printed = found["printed"].splitlines()
    assert printed[0].startswith("OCSReply: OK : ")
    assert printed[0].endswith("(SUCCEEDED).")
    assert printed[2] == "  messages (4 of 4):"
    assert printed[-1] == "  other keys in .session: op_code, cred_level, degraded, data"
    assert found["bad"].startswith("OCSReply: ERROR : Param 'delay'=x is not of required type")
    assert found["second"][0] == -1
    assert found["second"][2]["session_id"] == found["first"][2]["session_id"]
    assert [found["abort"][0], found["aborted"][0]] == [0, 0]
    assert found["aborted"][2]["success"] is False
    assert found["aborted"][2]["status"] == "done"
    assert found["late"][0] == 1
    assert [found["acq"][0], found["stop"][0], found["stop_again"][0]] == [0, 0, -1]
    assert "already stopping" in found["stop_again"][1]
    assert found["stopped"][2]["success"] is True
    assert found["absent"][4] == "wamp.error.no_such_procedure"


def test_listen(upstream: Path, env: dict[str, str], ours: AgentProcess) -> None:
    """Row 15."""
    command = [str(upstream.with_name("ocs-client-cli")), "listen", "--json"]
    with AgentProcess([*command, "observatory..feeds.heartbeat"], env=env) as listen:
        listen.wait_for_line("observatory.ourfake.feeds.heartbeat", 20)
    # Upstream's program logs to standard output, too.
    lines = [line[line.index("{") :] for line in listen.lines if '"topic"' in line]
    events = [json.loads(line) for line in lines]
    event = next(e for e in events if e["topic"] == "observatory.ourfake.feeds.heartbeat")
    assert set(event["message"][0]) == {"acq", "delay_task", "init_lakeshore"}
    assert all(type(code) is int for code in event["message"][0].values())


def client_for(instance_id: str, site_file: str) -> OCSClient | None:
    """Upstream's agents say that they have joined before they offer anything."""
    try:
        return OCSClient(instance_id, args=[site_file])
    except ControlClientError:
        return None


def test_our_client_drives_their_agent(upstream: Path, env: dict[str, str]) -> None:
    """Row 19."""
    command = [str(upstream.with_name("ocs-agent-cli")), "--instance-id", "theirfake"]
    site_file = f"--site-file={env['OCS_CONFIG_DIR']}/default.yaml"
    with AgentProcess(command, env=env) as theirs:
        theirs.wait_for_line("session joined", 30)
        client = wait_for(lambda: client_for("theirfake", site_file), what="their agent")
        assert client.acq.start().status == 0
        assert client.acq.status().session["op_name"] == "acq"
        assert "acq[session=" in repr(client.acq.status())
        assert client.acq.start().status == -1
        assert client.acq.stop().status == 0
        reply = client.acq.wait()
        assert (reply.status, reply.session["success"]) == (0, True)
        reply = client.delay_task(delay=0.1, succeed=False)
        assert (reply.status, reply.session["success"]) == (0, False)
        assert client.delay_task.start(delay="x").status == -1
        with AgentProcess(
            ["-m", "ocs.client_cli", site_file, "scan", "--details"], env=env
        ) as scan:
            assert scan.wait() == 0
        assert "  theirfake" in scan.lines
