"""Upstream's published client against the demo, unchanged."""

import json
import subprocess

import pytest
from support.demo_run import INSTRUMENT

from ocs.testing import AgentProcess

pytestmark = pytest.mark.upstream

REQUEST = f"""
import json
from ocs.ocs_client import OCSClient
reply = OCSClient("{INSTRUMENT}").acq.status()
print(json.dumps([reply.status, reply.session["status"], sorted(reply.session["data"]["fields"])]))
"""


@pytest.fixture
def run_upstream(demo, upstream):
    def run(*argv: str) -> str:
        done = subprocess.run(
            argv,
            env={"OCS_CONFIG_DIR": str(demo.site_dir), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    return run


def test_scan_lists_the_agents_and_what_they_do(run_upstream, upstream):
    text = run_upstream(str(upstream.with_name("ocs-client-cli")), "scan", "--details")
    assert "List of Detected Agents: (3)" in text
    lines = [line.split() for line in text.splitlines()]
    for instance in (INSTRUMENT, "aggregator", "registry"):
        assert [instance] in lines
    assert ["acq", ":", "RUNNING"] in lines
    assert ["record", ":", "RUNNING"] in lines


def test_a_client_object_reads_the_state_of_acquisition(run_upstream, upstream):
    text = run_upstream(str(upstream), "-c", REQUEST)
    status, session_status, channels = json.loads(text.splitlines()[-1])
    assert (status, session_status) == (0, "running")
    assert channels


def test_listen_shows_the_samples(demo, upstream):
    topic = f"observatory.{INSTRUMENT}.feeds.temperatures"
    command = [str(upstream.with_name("ocs-client-cli")), "listen", "--json", topic]
    with AgentProcess(command, env={"OCS_CONFIG_DIR": str(demo.site_dir)}) as listener:
        line = listener.wait_for_line('{"topic"', 30)
    event = json.loads(line[line.index("{") :])
    message, feed = event["message"]
    assert event["topic"] == feed["address"] == topic
    assert all(block["data"] for block in message.values())
