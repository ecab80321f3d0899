"""init-docker-env.sh, against a stand-in for the docker command."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# Remembers networks and volumes as empty files beside itself.
DOCKER = """#!/bin/sh
state=$(dirname "$0")/state
mkdir -p "$state"
case "$1 ${2:-}" in
    "info "*) [ -z "${DOCKER_SAYS:-}" ] || { echo "$DOCKER_SAYS" >&2; exit 1; } ;;
    *" inspect") [ -e "$state/$3" ] ;;
    *" create") : >"$state/$3" ;;
    *" rm") rm "$state/$3" ;;
    *) exit 9 ;;
esac
"""
MADE = {"sisock-net", "grafana-storage", "grafana-legacy-storage"}


class Site:
    """A site's directory and the engine's memory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.tools = directory / "tools"
        self.tools.mkdir()
        docker = self.tools / "docker"
        docker.write_text(DOCKER)
        docker.chmod(0o755)
        for name in ("init-docker-env.sh", "setup-tls.sh"):
            shutil.copy(ROOT / name, directory)

    def init(self, *options: str, status: int = 0, answer: str = "", **env: str) -> str:
        path = f"{self.tools}:{os.environ['PATH']}"
        done = subprocess.run(
            ["./init-docker-env.sh", *options],
            cwd=self.directory, env={**os.environ, "PATH": path, **env},
            capture_output=True, text=True, input=answer, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def state(self) -> set[str]:
        directory = self.tools / "state"
        return {path.name for path in directory.iterdir()} if directory.exists() else set()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_what_is_missing_is_made_and_then_kept(site: Site) -> None:
    assert "made network sisock-net" in site.init()
    assert site.state == MADE
    again = site.init()
    assert "made" not in again.replace("setup-tls", "")
    assert again.count("is there") == len(MADE) + 1
    assert site.state == MADE


def test_the_data_directory_is_the_one_in_the_settings(site: Site) -> None:
    (site.directory / ".env").write_text("# where\nDATA_DIR=./archive/hk\n")
    site.init()
    assert (site.directory / "archive" / "hk").is_dir()
    assert not (site.directory / "data").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_containers_may_read_what_is_theirs_and_not_the_authoritys_key(site: Site) -> None:
    subprocess.run(["./setup-tls.sh"], cwd=site.directory, check=True, capture_output=True)
    site.init()
    crossbar = site.directory / ".crossbar"

    def owner_and_mode(name: str) -> tuple[int, int]:
        found = (crossbar / name).stat()
        return found.st_gid, stat.S_IMODE(found.st_mode)

    for name in ("server_key.pem", "secrets/server.secret", "secrets/grafana_admin.secret"):
        assert owner_and_mode(name) == (5000, 0o640), name
    assert stat.S_IMODE((crossbar / "ca_key.pem").stat().st_mode) == 0o600
    # A renewed key is as readable as the old one, without this script.
    subprocess.run(
        ["./setup-tls.sh", "--renew"], cwd=site.directory, check=True, capture_output=True
    )
    assert owner_and_mode("server_key.pem") == (5000, 0o640)
    assert stat.S_IMODE((crossbar / "ca_key.pem").stat().st_mode) == 0o600


def test_removing_asks(site: Site) -> None:
    site.init()
    assert "nothing was removed" in site.init("--remove", answer="no\n", status=1)
    assert "nothing was removed" in site.init("--remove", status=1)
    assert site.state == MADE
    assert "removed network sisock-net" in site.init("--remove", answer="yes\n")
    assert site.state == set()
    assert (site.directory / "data").is_dir()


@pytest.mark.parametrize(
    ("docker_says", "word"),
    [
        ("permission denied while trying to connect to the Docker daemon socket", "with sudo"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "is it running"),
    ],
)
def test_without_an_engine_the_message_says_what_to_do(
    site: Site, docker_says: str, word: str
) -> None:
    said = site.init(status=1, DOCKER_SAYS=docker_says)
    assert word in said
    assert said.count("\n") == 1


def test_without_docker_the_message_says_what_to_install(site: Site) -> None:
    (site.tools / "docker").unlink()
    for tool in ("sh", "dirname", "cat"):
        (site.tools / tool).symlink_to(str(shutil.which(tool)))
    done = subprocess.run(
        ["./init-docker-env.sh"], cwd=site.directory, env={"PATH": str(site.tools)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "apt install docker.io" in done.stderr


def test_help_and_unknown_options(site: Site) -> None:
    assert "--remove" in site.init("--help")
    assert "unknown option --purge" in site.init("--purge", status=2)
    assert site.state == set()
