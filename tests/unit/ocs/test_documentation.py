"""What the documentation quotes is what is there."""

import json
from pathlib import Path

from ocs.router import router_config

ROOT = Path(__file__).parents[3]


def test_the_agent_in_the_guide_is_the_one_that_is_tested():
    guide = (ROOT / "docs" / "writing-agents.md").read_text()
    assert (ROOT / "tests" / "agents" / "counter_agent.py").read_text() in guide


def test_the_router_configuration_of_a_new_site_is_the_one_that_is_tested():
    shipped = ROOT / "site-configs" / "templates" / ".crossbar" / "config.json"
    assert json.loads(shipped.read_text()) == router_config()
