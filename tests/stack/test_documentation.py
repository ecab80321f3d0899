"""The commands of docs/lab-host.md, one after the other, in a fresh clone."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stack_run import OVERRIDE, ROOT, Stack, run

from ocs.testing import wait_for

PAGE = ROOT / "docs" / "lab-host.md"
# What is done already where the tests run: packages by docker/ci/engine.sh, the clone by a fixture.
BEFORE = ("sudo apt install ", "git clone ", "cd cryo-ocs")
ELSEWHERE = ("ssh ",)
PROJECT = "ocs-page-test"


def commands() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if re.match(" {4}\\S", line)]


def test_packages_are_those_that_ci_installs() -> None:
    (line,) = (line for line in commands() if line.startswith("sudo apt install "))
    engine = (ROOT / "docker" / "ci" / "engine.sh").read_text(encoding="utf-8")
    for package in line.split()[3:]:
        assert package == "git" or f" {package} " in engine


@pytest.fixture
def shell(images: Stack) -> Iterator[list[str]]:
    """Words that run a command as a person in the clone would; clears up what was left running."""
    wrapper = images.directory / "bin"
    wrapper.mkdir(exist_ok=True)
    program, *words = shlex.split(images.command)
    compose = shlex.join([str(shutil.which(program)), *words])
    for name, command in (("docker-compose", compose), ("sudo", "")):
        (wrapper / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        (wrapper / name).chmod(0o755)
    yield [f"PATH={wrapper}:$PATH"]
    running = run("docker", "ps", "-aq", "--filter", "network=sisock-net").stdout.split()
    if running:
        run("docker", "rm", "-f", *running)
    run("docker", "volume", "rm", "-f", f"{PROJECT}_demo-data")


def test_every_command_does_what_the_page_says(images: Stack, shell: list[str]) -> None:
    clone = images.directory
    shutil.rmtree(clone / "site-configs" / "yale", ignore_errors=True)
    env = {**os.environ, "COMPOSE_PROJECT_NAME": PROJECT}
    at = clone
    ran = 0
    for command in commands():
        if command.startswith((*BEFORE, *ELSEWHERE)):
            continue
        if command.startswith("cd "):
            at /= command.removeprefix("cd ")
            continue
        # Grafana's image cannot be had here.
        override = Path(os.path.relpath(clone / OVERRIDE, at))
        done = subprocess.run(
            ["sh", "-c", f"{shell[0]}; {command}"],
            cwd=at, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
            env=env | {"COMPOSE_FILE": f"docker-compose.yml:{override}"},
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        ran += 1
        if command.endswith("--profile demo up -d"):
            wait_until_curves_move()
    assert ran >= 13


def wait_until_curves_move() -> None:
    """Wait until the monitor has channels of the 372, and more of them as it scans on."""

    def channels() -> int:
        check = (
            "import urllib.request as u; print(u.urlopen('http://sisock-http:5000/search').read())"
        )
        bridge = run(
            "docker", "ps", "-q", "--filter", "label=com.docker.compose.service=sisock-http"
        ).stdout.split()
        done = run("docker", "exec", *bridge, "python", "-c", check, ok=False)
        return done.stdout.count("LSA23JD::")

    first = wait_for(channels, 90, "channels of the 372")
    wait_for(lambda: channels() > first, 60, "more channels of the 372")
