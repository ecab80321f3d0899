"""The seed's last step with our own agents: spec/ocs-protocol.md, section 21, row 24."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ocs.testing import AgentProcess, RouterProcess, free_port, site_config

ROOT = Path(__file__).parents[2]
SCRIPTS = {
    "of_2019": Path(__file__).parent / "seed_script" / "therm_and_agg_ctrl.py",
    "ours": ROOT / "clients" / "therm_and_agg_ctrl.py",
}
STEPS = [
    "Entered control",
    "Registering tasks",
    "Starting Aggregator",
    "Starting Data Acquisition",
]


@pytest.fixture
def data_dir(router: RouterProcess, tmp_path: Path, monkeypatch) -> Iterator[Path]:
    """Where a running aggregator records a running thermometer's feed."""
    port = free_port()
    data = tmp_path / "data"
    site_config(
        tmp_path,
        router,
        [
            {
                "agent-class": "Lakeshore372Agent",
                "instance-id": "LSA23JD",
                "arguments": [["--ip-address", "127.0.0.1"], ["--port", port], ["--mode", "idle"]],
            },
            {
                "agent-class": "AggregatorAgent",
                "instance-id": "aggregator",
                "arguments": [["--data-dir", str(data)]],
            },
        ],
    )
    monkeypatch.setenv("OCS_CONFIG_DIR", str(tmp_path))
    agents = ROOT / "agents"
    with (
        AgentProcess(["-m", "agents.lakeshore372.simulator", "--port", str(port)], cwd=ROOT) as sim,
        AgentProcess([str(agents / "aggregator" / "aggregator_agent.py")]) as aggregator,
        AgentProcess([str(agents / "lakeshore372" / "LS372_agent.py")]) as thermometer,
    ):
        sim.wait_for_line(f":{port}")
        aggregator.wait_for_line("session joined", 20)
        thermometer.wait_for_line("session joined", 20)
        yield data


@pytest.mark.parametrize("script", SCRIPTS)
def test_from_start_to_stop(script: str, data_dir: Path) -> None:
    with AgentProcess([str(SCRIPTS[script]), "--target=LSA23JD"]) as run:
        assert run.wait(30) == 0, run.output
    said = [line.split(" ", 1)[1] for line in run.lines]
    assert [text for text in said if text in STEPS] == STEPS
    assert said[-2:] == ["Stopping Data Acquisition", "Stopping Data Aggregator"]
    assert [path.stat().st_size > 0 for path in data_dir.glob("*/*.g3")] == [True]
