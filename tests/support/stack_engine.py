"""The Docker engine that the tests of the containers use: commands, and what is whose in it."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ocs import testing

ROOT = Path(__file__).parents[2]
NETWORK = "sisock-net"
VOLUMES = ("grafana-storage", "grafana-legacy-storage")
ROUTER = "sisock_crossbar"

# Begins the name of every project of Compose that the tests start: nobody else's does.
PREFIX = "ocs-test-"
# The volume of this name says that the network and the volumes with fixed names are the tests'.
MARK = "ocs-test-mark"

_PROJECT = "com.docker.compose.project"
# Every question to an engine is a process or two.
_POLL_S = 0.5

T = TypeVar("T")


def run(
    *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None, ok: bool = True
) -> "subprocess.CompletedProcess[str]":
    """Run a command; unless told otherwise it has to succeed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if ok and done.returncode:
        words = " ".join(map(str, command))
        raise AssertionError(f"{words}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def wait_for(condition: Callable[[], T], deadline_s: float, what: str) -> T:
    """Wait as `ocs.testing.wait_for` does, but ask twice a second only."""
    asked = False

    def unhurried() -> T:
        nonlocal asked
        if asked:
            time.sleep(_POLL_S)
        asked = True
        return condition()

    return testing.wait_for(unhurried, deadline_s, what)


def clear() -> None:
    """Remove what the tests have made in this engine, also in a run that was broken off.

    Raises:
        AssertionError: there is a stack that is not the tests': it must not suffer.
    """
    if containers := _of_the_tests("container"):
        run("docker", "rm", "--force", "--volumes", *containers)
    volumes = _of_the_tests("volume")
    if MARK in _names("volume"):
        if NETWORK in _names("network"):
            run("docker", "network", "rm", NETWORK)
        volumes += [name for name in (*VOLUMES, MARK) if name in _names("volume")]
    if volumes:
        run("docker", "volume", "rm", *volumes)
    there = {*_names("container"), *_names("network"), *_names("volume")}
    theirs = sorted(there & {NETWORK, ROUTER, *VOLUMES})
    assert not theirs, f"this computer has a stack, which the tests would ruin: {theirs}"


def _names(kind: str) -> list[str]:
    return [name for name, _ in _names_and_projects(kind)]


def _of_the_tests(kind: str) -> list[str]:
    return [name for name, project in _names_and_projects(kind) if project.startswith(PREFIX)]


def _names_and_projects(kind: str) -> list[tuple[str, str]]:
    words = ["ps", "--all"] if kind == "container" else [kind, "ls"]
    name = "{{.Names}}" if kind == "container" else "{{.Name}}"
    form = f'{name}\t{{{{.Label "{_PROJECT}"}}}}'
    lines = run("docker", *words, "--format", form).stdout.splitlines()
    return [(found, project) for found, _, project in (line.partition("\t") for line in lines)]


def containers_of(project: str) -> dict[str, str]:
    """Return the ids of a project's containers by the names of their services."""
    form = '{{.Label "com.docker.compose.service"}} {{.ID}}'
    mine = f"label={_PROJECT}={project}"
    lines = run("docker", "ps", "--all", "--filter", mine, "--format", form).stdout.splitlines()
    return dict(line.split() for line in sorted(lines))


def throwaway(*words: str | Path, ok: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run a container of its own, as root, in the stack's network; `words` begin with options."""
    label = f"{_PROJECT}={PREFIX}throwaway"
    options = ("--rm", "--network", NETWORK, "--user", "0:0", "--label", label)
    return run("docker", "run", *options, *words, ok=ok)


def listeners() -> set[str]:
    """Return the addresses this computer listens on, less those of the loopback interface."""
    lines = run("ss", "-Hltn").stdout.splitlines()
    addresses = {line.split()[3] for line in lines}
    return {at for at in addresses if not at.startswith(("127.", "[::1]"))}


def inspect(*containers: str) -> list[dict[str, Any]]:
    """Return what the engine tells about containers, in their order."""
    answer: list[dict[str, Any]] = json.loads(run("docker", "inspect", *containers).stdout)
    return answer


def last_words(lines: int = 25) -> str:
    """Return, of each of the tests' containers, how it is and the last lines it wrote."""
    found = _of_the_tests("container")
    parts = []
    for one in inspect(*found) if found else []:
        state = one["State"]
        health = state.get("Health", {})
        said = run("docker", "logs", f"--tail={lines}", one["Id"], ok=False)
        checks = [check["Output"].strip() for check in health.get("Log") or []]
        head = f"== {one['Name'].strip('/')}: {state['Status']} {health.get('Status', '')}"
        parts += [head, said.stdout + said.stderr, *(f"health: {text}" for text in checks[-2:])]
    return "\n".join(parts)
