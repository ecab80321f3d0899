"""The compose file of the seed's document, with nothing but the names of the images changed.

Agents run on the host, as that document has it.
"""

import shutil
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.stack_engine import PREFIX, ROOT, containers_of, run, wait_for
from support.stack_page import Reader
from support.stack_run import Stack

from ocs.testing import AgentProcess, free_port

SEED = Path(__file__).with_name("seed-docker-compose.yml")
DOCUMENT = ROOT.parent / "shared" / "seed" / "live_monitoring.rst"
IMAGES = {
    "sisock-crossbar": "sisock-crossbar",
    "sisock-http": "sisock-http",
    "dans-example-weather": "sisock-weather-server",
    "dans-thermometry": "sisock-data-feed-server",
}
# Grafana's image cannot be had where this runs.
OVERRIDE = {
    "version": "2",
    "services": {
        "grafana": {
            "image": "cryo-ocs/sisock-http:0.1.0",
            "entrypoint": ["sleep", "infinity"],
            "volumes": ["./docker/grafana:/grafana:ro", "./seed-dashboards:/dashboards:ro"],
        }
    },
}


def test_the_copy_here_is_what_the_document_says() -> None:
    if not DOCUMENT.exists():
        pytest.skip("the seed's document is not beside this clone")
    text = DOCUMENT.read_text(encoding="utf-8")
    block = text[text.index("    version: '2'") : text.index("The head of this file should")]
    assert textwrap.dedent(block).split() == SEED.read_text(encoding="utf-8").split()


@pytest.fixture(scope="module")
def seed(images: Stack, reader: Reader) -> Iterator[Stack]:
    text = SEED.read_text(encoding="utf-8")
    for name, ours in IMAGES.items():
        theirs = f"grumpy.physics.yale.edu/{name}:0.1.0"
        assert theirs in text
        text = text.replace(theirs, f"cryo-ocs/{ours}:0.1.0")
    (images.directory / "seed.yml").write_text(text, encoding="utf-8")
    override = images.directory / "seed-override.yml"
    override.write_text(yaml.safe_dump(OVERRIDE), encoding="utf-8")
    # The seed has neither a 240 nor the computer's own sensors.
    for kind in ("current", "legacy"):
        target = images.directory / "seed-dashboards" / kind
        target.mkdir(parents=True)
        for name in ("lakeshore-372.json", "weather.json"):
            shutil.copy(
                images.directory / "docker" / "grafana" / kind / "dashboards" / name, target
            )
    files = ("seed.yml", "seed-override.yml")
    stack = Stack(reader.compose, images.directory, f"{PREFIX}seed", files)
    try:
        stack.compose("up", "-d")
        yield stack
    finally:
        stack.compose("down", "--timeout=2")


@pytest.fixture
def on_the_host(tmp_path: Path) -> Iterator[Path]:
    """A 372, its agent, an aggregator and a registry as processes of this computer."""
    port = free_port()
    instances = [
        ("Lakeshore372Agent", "LSA23JD", ["--ip-address", f"127.0.0.1:{port}"]),
        ("RegistryAgent", "registry", []),
        ("AggregatorAgent", "aggregator", ["--data-dir", str(tmp_path / "hk")]),
    ]
    site = {
        "hub": {
            "wamp_server": "ws://localhost:8001/ws",
            "wamp_http": "http://localhost:8001/call",
            "wamp_realm": "test_realm",
            "address_root": "observatory",
        },
        "hosts": {
            "localhost": {
                "agent-instances": [
                    {"agent-class": kind, "instance-id": name, "arguments": [arguments]}
                    for kind, name, arguments in instances
                ]
            }
        },
    }
    (tmp_path / "default.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    env = {"OCS_CONFIG_DIR": str(tmp_path)}
    agents = ROOT / "agents"
    with (
        AgentProcess(["-m", "agents.lakeshore372.simulator", "--port", str(port)]),
        AgentProcess([str(agents / "registry" / "registry.py")], env=env),
        AgentProcess(
            [str(agents / "aggregator" / "aggregator_agent.py"), "--initial-state=record"], env=env
        ),
        AgentProcess(
            [str(agents / "lakeshore372" / "LS372_agent.py"), "--instance-id=LSA23JD"], env=env
        ),
    ):
        yield tmp_path


def test_what_agents_on_the_host_publish_reaches_grafana(seed: Stack, on_the_host: Path) -> None:
    seed.wait_for_samples_after(time.time(), deadline_s=60)
    wanted = {"apex_archive::apex_radiometer", "LSA23JD::channel_01_t"}
    wait_for(
        lambda: wanted <= set(seed.ask("/search", {"target": ""})), 60, f"{wanted} to be listed"
    )
    wait_for(lambda: list(on_the_host.glob("hk/*/*.g3")), 90, "a file of the aggregator")
    for kind in ("current", "legacy"):
        seed.in_network(
            "python",
            "/grafana/probe.py",
            "--url=http://sisock-http:5000",
            f"--provisioning=/grafana/{kind}/provisioning",
            f"--dashboards=/dashboards/{kind}",
            "--expect-data=LSA23JD",
            "--expect-data=apex_archive",
        )


def test_its_services_have_their_names(seed: Stack) -> None:
    ports = run("docker", "port", "sisock_crossbar").stdout.split()
    assert ports[-1] == "127.0.0.1:8001"
    assert containers_of(seed.project).keys() == {
        "grafana",
        "sisock-crossbar",
        "sisock-http",
        "weather",
        "LSA23JD",
    }
