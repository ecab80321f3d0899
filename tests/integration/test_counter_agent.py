"""The example of docs/writing-agents.md against a real router."""

from pathlib import Path

import pytest

from ocs.ocs_client import OCSClient
from ocs.testing import AgentProcess, site_config

AGENT = Path(__file__).parents[1] / "agents" / "counter_agent.py"


@pytest.fixture
def counter(router, tmp_path, monkeypatch):
    site_config(tmp_path, router, [{"agent-class": "CounterAgent", "instance-id": "counter"}])
    monkeypatch.setenv("OCS_CONFIG_DIR", str(tmp_path))
    with AgentProcess([str(AGENT), "--instance-id=counter"]) as agent:
        agent.wait_for_line("session joined")
        yield OCSClient("counter")


def test_it_counts_in_the_steps_it_was_told(counter):
    refused = counter.set_step(step=0)
    assert refused.status == -1
    assert "step" in refused.msg
    assert counter.set_step(step=5).session["success"]
    counter.count.start()
    assert counter.count.wait(timeout=0.5).status == 1
    counter.count.stop()
    session = counter.count.wait(timeout=5).session
    assert session["success"]
    assert session["data"]["value"] % 5 == 0
    assert session["data"]["value"] > 0
