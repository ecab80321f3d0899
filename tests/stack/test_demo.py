"""The demo profile: simulated instruments, agents, recorder and monitor, all in containers."""

import re
import shutil
import time
from pathlib import Path

import pytest
from support.stack_engine import containers_of, listeners, run, throwaway, wait_for
from support.stack_page import Page
from support.stack_run import Stack

# Who has to be there for a curve of the 372 to go on.
ON_THE_WAY = [
    "sisock-crossbar",
    "sisock-http",
    "LSA23JD",
    "demo-lakeshore372",
    "demo-ls372-sim",
]
BESIDE = ["weather", "sensors", "demo-registry", "demo-aggregator"]
BACK_WITHIN_S = 15.0


def test_everything_is_healthy_and_curves_move(demo: Stack) -> None:
    assert demo.health().keys() >= {"grafana", "sensors", *ON_THE_WAY, *BESIDE}
    assert set(demo.health().values()) == {"healthy"}
    for _ in range(3):
        demo.wait_for_samples_after(time.time())
    demo.wait_for_samples_after(time.time(), "ls240")


@pytest.mark.parametrize("kind", ["current", "legacy"])
def test_grafanas_data_source_gets_what_its_dashboards_show(demo: Stack, kind: str) -> None:
    demo.wait_for_samples_after(time.time())
    said = demo.in_network(
        "python",
        "/grafana/probe.py",
        "--url=http://sisock-http:5000",
        f"--provisioning=/grafana/{kind}/provisioning",
        f"--dashboards=/grafana/{kind}/dashboards",
        *(f"--expect-data={node}" for node in ("LSA23JD", "ls240", "apex_archive", "sensors")),
    ).stdout
    assert "372" in said


def test_nothing_listens_beyond_loopback(demo: Stack, listened_before: set[str]) -> None:
    assert demo.container("sisock-http")
    assert listeners() <= listened_before


def test_containers_have_no_more_rights_than_they_need(demo: Stack) -> None:
    for service in containers_of(demo.project):
        found = demo.inspect(service)
        config, host = found["Config"], found["HostConfig"]
        assert config["User"] == "5000:5000", service
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert not host["CapAdd"], service
        assert not host["Privileged"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["Memory"] > 0, service
        assert 0 < host["PidsLimit"] <= 256, service
        assert host["RestartPolicy"]["Name"] in {"always", "unless-stopped"}, service
        assert host["LogConfig"]["Config"]["max-size"], service
        assert config["Healthcheck"]["Test"], service
        status = run("docker", "exec", demo.container(service), "cat", "/proc/1/status").stdout
        assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE), service
        assert re.search(r"^Uid:\s+5000\s", status, re.MULTILINE), service


def test_a_container_has_the_secrets_of_its_role_only(demo: Stack) -> None:
    def files(service: str) -> set[str]:
        listing = run("docker", "exec", demo.container(service), "find", "/app/.crossbar", "-type",
                      "f", ok=False)  # fmt: skip
        return {Path(line).name for line in listing.stdout.split()}

    assert files("sisock-http") == {"ca_cert.pem", "consumer.secret"}
    assert files("weather") == {"ca_cert.pem", "server.secret"}
    assert files("LSA23JD") == set()
    assert "ca_key.pem" not in files("sisock-crossbar")


def join(stack: Stack, trust: Path, *who: str) -> str:
    """Try to join over TLS from another container of the network."""
    image = stack.inspect("sisock-http")["Config"]["Image"]
    script = Path(__file__).with_name("join.py")
    mounts = ("-v", f"{script}:/join.py:ro", "-v", f"{trust}:/trust.pem:ro")
    done = throwaway(*mounts, "--entrypoint", "python", image, "/join.py", "/trust.pem", *who)
    return done.stdout.splitlines()[0]


def test_the_tls_port_lets_in_only_who_knows_a_secret(demo: Stack) -> None:
    crossbar = demo.directory / ".crossbar"
    trust = crossbar / "ca_cert.pem"
    secret = (crossbar / "secrets" / "consumer.secret").read_text().strip()
    assert join(demo, trust, "site-consumer", secret) == "joined"
    assert join(demo, trust).startswith("refused: wamp.error")
    assert join(demo, trust, "site-consumer", "guessed").startswith("refused: wamp.error")
    # The secrets that upstream's programs have compiled in.
    assert join(demo, trust, "server", "Q5#x4%HCmgTsS!Pj").startswith("refused: wamp.error")


def test_a_router_that_another_authority_vouches_for_is_refused(
    demo: Stack, tmp_path: Path
) -> None:
    shutil.copy(demo.directory / "setup-tls.sh", tmp_path)
    run("./setup-tls.sh", cwd=tmp_path)
    # The TLS handshake already is our end of it.
    assert join(demo, tmp_path / ".crossbar" / "ca_cert.pem") == "closed"

    # Ours, too: a bridge that trusts another authority never answers.
    image = demo.inspect("sisock-http")["Config"]["Image"]
    secret = demo.directory / ".crossbar" / "secrets" / "consumer.secret"
    another = throwaway(
        *("-v", f"{tmp_path}/.crossbar/ca_cert.pem:/app/.crossbar/ca_cert.pem:ro"),
        *("-v", f"{secret}:/app/.crossbar/secrets/consumer.secret:ro"),
        *("-e", "CROSSBAR_HOST=sisock-crossbar", "--entrypoint", "sisock-healthcheck"),
        *(image, "router"),
        ok=False,
    )
    assert another.returncode == 1
    assert "certificate" in another.stderr


@pytest.mark.parametrize("service", ON_THE_WAY)
def test_data_return_by_themselves_after_a_crash(demo: Stack, service: str) -> None:
    demo.wait_for_samples_after(time.time())
    before = demo.inspect(service)["RestartCount"]
    demo.kill(service)
    killed = time.time()
    wait_for(lambda: demo.inspect(service)["RestartCount"] > before, 10, f"{service} to be back")
    left_s = BACK_WITHIN_S - (time.time() - killed)
    demo.wait_for_samples_after(time.time(), deadline_s=left_s)


@pytest.mark.parametrize("service", BESIDE)
def test_others_come_back_by_themselves_after_a_crash(demo: Stack, service: str) -> None:
    before = demo.inspect(service)["RestartCount"]
    demo.kill(service)
    wait_for(lambda: demo.inspect(service)["RestartCount"] > before, 10, f"{service} to be back")

    def serves() -> bool:
        check = demo.inspect(service)["Config"]["Healthcheck"]["Test"][1:]
        return run("docker", "exec", demo.container(service), *check, ok=False).returncode == 0

    wait_for(serves, BACK_WITHIN_S, f"{service} to serve")
    demo.wait_for_samples_after(time.time())


def test_what_was_recorded_survives_down_and_up(demo: Stack, page: Page) -> None:
    def recorded() -> set[str]:
        recorder = demo.container("demo-aggregator")
        listing = run("docker", "exec", recorder, "find", "/data", "-name", "*.g3", ok=False)
        return set(listing.stdout.split())

    wait_for(recorded, 90, "a file of the recorder")
    before = recorded()
    page.follow("docker-compose --profile demo down")
    assert not containers_of(demo.project)
    demo.compose("up", "-d")
    demo.wait_until_healthy()
    assert before <= recorded()
    demo.wait_for_samples_after(time.time())
