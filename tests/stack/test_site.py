"""A site of its own, made as docs/lab-host.md says, with its agents in containers; and its life.

The last tests are what docs/docker.md says for day 2.
"""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stack_engine import NETWORK, PREFIX, ROOT, VOLUMES, run, throwaway, wait_for
from support.stack_page import Page, Reader, blocks
from support.stack_run import Stack, copy_of_the_project

PROFILES = ["agents", "apex"]
DOCKER_PAGE = ROOT / "docs" / "docker.md"
IMAGE = "cryo-ocs/sisock-http:0.1.0"
GRAFANA, _ = VOLUMES
# Grafana's user in its container, who is nobody on this computer.
GRAFANA_UID = 472
# 1 January 2019, 00:00 UTC.
T0 = 1546300800

# What day 2 has and the tests have not: a repository to pull from, a registry, ssh, a firewall.
NOT_RUN = {"Upgrade", "Seeing it from elsewhere", "Firewall"}

# Runs where an unmodified container of upstream's would: it trusts one file, and has one secret.
UPSTREAMS = ("/app/.crossbar/server_cert.pem", "server", "Q5#x4%HCmgTsS!Pj")


@pytest.fixture(scope="module")
def site(images: Stack, page: Page, reader: Reader) -> Iterator[Stack]:
    """What the page says up to its end, with a site whose 372 is simulated."""
    page.follow("ln -s yale.yaml default.yaml")
    yale = page.at
    rewrite(yale / "yale.yaml", {"LSA22YE": "LSA23JD", "10.10.10.4": "demo-ls372-sim"})
    profiles = {"#COMPOSE_PROFILES=agents": f"COMPOSE_PROFILES={','.join(PROFILES)}"}
    rewrite(yale / ".env", profiles | {"SISOCK_COMPAT_SECRETS=0": "SISOCK_COMPAT_SECRETS=1"})
    page.follow("sudo ./init-docker-env.sh")
    weather_archives(yale / "data")
    stack = Stack(reader.compose, yale, PREFIX + yale.name, profiles=PROFILES)
    try:
        page.follow("docker-compose up -d")
        assert page.left == []
        stack.compose("up", "-d", "demo-ls372-sim")
        stack.wait_until_healthy()
        yield stack
    finally:
        down(stack)


def rewrite(path: Path, changes: dict[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def weather_archives(data: Path) -> None:
    """Write some rows in the formats of the two archives."""
    (data / "apex" / "targets").mkdir(parents=True)
    rows = "".join(f"{T0 + 60 * n} {n / 4}\n" for n in range(60))
    (data / "apex" / "targets" / f"apex_humidity_{T0}_{T0 + 3600}.dat").write_text(rows)
    (data / "radiometer" / "PWV").mkdir(parents=True)
    rows = "".join(f"{1 + n * 0.0007:.4f} {n % 9 + 0.5}\n" for n in range(60))
    (data / "radiometer" / "PWV" / "PWV_UCSC_2019-001.txt").write_text(f"day pwv\n{rows}")


def down(stack: Stack) -> None:
    stack.compose("rm", "--stop", "--force", "demo-ls372-sim")
    stack.compose("down", "--volumes")


def recorded(directory: Path) -> set[str]:
    return {path.name for path in (directory / "data").glob("*/*.g3")}


def test_agents_in_containers_serve_and_record(site: Stack) -> None:
    assert site.health().keys() >= {"lakeshore372", "aggregator", "registry", "apex-weather"}
    site.wait_for_samples_after(time.time(), deadline_s=30)
    call = (
        "from ocs.client_http import ControlClient; "
        "client = ControlClient('observatory.aggregator', url='http://sisock-crossbar:8001/call'); "
        "client.request('start', 'record')"
    )
    site.in_network("python", "-c", call)
    wait_for(lambda: recorded(site.directory), 90, "a file of the aggregator")
    (first, *_) = (site.directory / "data").glob("*/*.g3")
    assert (first.stat().st_uid, first.stat().st_gid) == (5000, 5000)


def test_a_serial_device_comes_without_further_rights(site: Stack) -> None:
    host = site.inspect("lakeshore240")["HostConfig"]
    assert [device["PathInContainer"] for device in host["Devices"]] == ["/dev/ttyUSB0"]
    assert not host["Privileged"]
    assert not host["CapAdd"]
    assert host["GroupAdd"] == ["20"]


def test_a_sites_weather_archives_are_served(site: Stack) -> None:
    body = {
        "range": {"from": "2019-01-01T00:00:00.000Z", "to": "2019-01-01T01:00:00.000Z"},
        "intervalMs": 1000,
        "maxDataPoints": 1000,
        "targets": [
            {"refId": "A", "target": "apex_weather::humidity"},
            {"refId": "B", "target": "ucsc_radiometer::pwv"},
        ],
    }
    humidity, vapour = site.ask("/query", body)
    assert humidity["datapoints"][:2] == [[0.0, T0 * 1000], [0.25, (T0 + 60) * 1000]]
    assert [value for value, _ in vapour["datapoints"][:3]] == [0.5, 1.5, 2.5]


def join(crossbar: Path, *who: str, authority_in_its_place: bool = True) -> str:
    """Join as a container of upstream's would that has this directory."""
    script = Path(__file__).with_name("join.py")
    certificate = "ca_cert.pem" if authority_in_its_place else "server_cert.pem"
    return throwaway(
        *("-v", f"{script}:/join.py:ro"),
        *("-v", f"{crossbar / certificate}:/app/.crossbar/server_cert.pem:ro"),
        *("--entrypoint", "python", IMAGE, "/join.py", *who),
    ).stdout.splitlines()[0]


def test_upstreams_own_containers_can_join(site: Stack) -> None:
    crossbar = site.directory / ".crossbar"
    assert join(crossbar, *UPSTREAMS) == "joined"
    assert join(crossbar, *UPSTREAMS, authority_in_its_place=False) == "closed"


def recipes() -> dict[str, list[str]]:
    """Return the blocks under each bold title of day 2."""
    text = DOCKER_PAGE.read_text(encoding="utf-8")
    text = text.partition("\n## Day 2\n")[2].partition("\n## ")[0]
    parts = re.split(r"^\*\*(.*?)\.\*\*", text, flags=re.MULTILINE)[1:]
    found = zip(parts[::2], parts[1::2], strict=True)
    return {title: blocks(text) for title, text in found if blocks(text)}


@pytest.fixture(scope="module")
def day_2(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The recipes that can run here, with a directory of the tests for the disk with backups."""
    backup = tmp_path_factory.mktemp("backup")
    found = {}
    for title, commands in recipes().items():
        if title not in NOT_RUN:
            (command,) = commands
            found[title] = command.replace("/mnt/backup", str(backup))
    return found


def test_every_recipe_of_day_2_is_run(day_2: dict[str, str]) -> None:
    assert day_2.keys() | NOT_RUN == recipes().keys()
    assert day_2.keys() == {
        "Back up",
        "Certificates and secrets",
        "Restore, or move to another computer",
    }


def in_grafanas_volume(*command: str) -> str:
    return throwaway("-v", f"{GRAFANA}:/volume", "--entrypoint", "sh", IMAGE, "-c", *command).stdout


def test_backing_up_stops_nothing_but_grafana(
    site: Stack, reader: Reader, day_2: dict[str, str]
) -> None:
    uid = GRAFANA_UID
    in_grafanas_volume(f"echo mine >/volume/grafana.db && chown {uid}:0 /volume/grafana.db")
    started = {name: site.inspect(name)["State"]["StartedAt"] for name in ("aggregator", "sensors")}
    before = recorded(site.directory)
    reader.type(day_2["Back up"], site.directory)
    assert started == {name: site.inspect(name)["State"]["StartedAt"] for name in started}
    site.wait_until_healthy()
    target = Path(day_2["Back up"].split()[-1])
    assert recorded(target) >= before
    # It has everybody's passwords, if only their hashes.
    assert (target / "grafana-storage.tar.gz").stat().st_mode & 0o077 == 0
    site.wait_for_samples_after(time.time())


def test_renewed_certificates_and_secrets_are_taken_up(
    site: Stack, reader: Reader, day_2: dict[str, str]
) -> None:
    def own_secret() -> str:
        return (site.directory / ".crossbar" / "secrets" / "server.secret").read_text().strip()

    crossbar = site.directory / ".crossbar"
    old, certificate = own_secret(), (crossbar / "server_cert.pem").read_bytes()
    reader.type(day_2["Certificates and secrets"], site.directory)
    site.compose("up", "-d", "--force-recreate", "demo-ls372-sim")
    site.wait_until_healthy()
    site.wait_for_samples_after(time.time(), deadline_s=30)
    trust, *_ = UPSTREAMS
    assert join(crossbar, trust, "site-server", own_secret()) == "joined"
    assert join(crossbar, trust, "site-server", old).startswith("refused: wamp.error")
    assert (crossbar / "server_cert.pem").read_bytes() != certificate


def test_everything_is_there_again_on_another_computer(
    site: Stack, reader: Reader, day_2: dict[str, str], tmp_path: Path
) -> None:
    copied = recorded(Path(day_2["Back up"].split()[-1]))
    down(site)
    run("sh", "-c", "echo yes | ./init-docker-env.sh --remove", cwd=site.directory)
    assert not {GRAFANA, NETWORK} & everything_of_the_engine()
    # The image has the name that docker-compose.yml gives to it, or the recipe could not use it.
    assert json.loads(run("docker", "image", "inspect", IMAGE).stdout)

    clone = copy_of_the_project(tmp_path / "clone")
    reader.type(day_2["Restore, or move to another computer"], clone)
    yale = clone / "site-configs" / "yale"
    stack = Stack(reader.compose, yale, f"{PREFIX}clone", profiles=PROFILES)
    try:
        stack.compose("up", "-d", "demo-ls372-sim")
        stack.wait_until_healthy()
        stack.wait_for_samples_after(time.time(), deadline_s=30)
        assert recorded(yale) >= copied
        said = in_grafanas_volume("cat /volume/grafana.db; stat -c %u /volume/grafana.db")
        assert said.split() == ["mine", str(GRAFANA_UID)]
    finally:
        down(stack)


def everything_of_the_engine() -> set[str]:
    names = run("docker", "volume", "ls", "--format", "{{.Name}}").stdout.split()
    return {*names, *run("docker", "network", "ls", "--format", "{{.Name}}").stdout.split()}
