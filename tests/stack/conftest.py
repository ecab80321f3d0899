"""Tests of the containers. They need a Docker engine, root and minutes: `.ci/run` runs them.

``STACK_COMPOSE`` names the command of Compose; without it nothing here is collected.
``PYTHON_IMAGE`` names the image that ours are made from.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stack_run import NETWORK, Stack, copy_of_the_project, listeners, run

collect_ignore_glob = [] if os.environ.get("STACK_COMPOSE") else ["test_*.py"]

PROJECT = "ocs-stack-test"


@pytest.fixture(scope="session")
def listened_before() -> set[str]:
    return listeners()


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory, listened_before: set[str]) -> Iterator[Path]:
    """A fresh clone, with certificates, and Docker prepared by the project's own scripts."""
    there = run("docker", "network", "ls", "--format", "{{.Name}}").stdout.split()
    assert NETWORK not in there, f"{NETWORK} exists: this computer has a stack that must not suffer"
    directory = copy_of_the_project(tmp_path_factory.mktemp("clone"))
    run("./setup-tls.sh", cwd=directory)
    run("./init-docker-env.sh", cwd=directory)
    yield directory
    run("sh", "-c", "echo yes | ./init-docker-env.sh --remove", cwd=directory)


@pytest.fixture(scope="session")
def images(clone: Path) -> Stack:
    """All images, built; nothing runs."""
    stack = Stack(os.environ["STACK_COMPOSE"], clone, PROJECT, profiles=["demo", "agents", "apex"])
    stack.compose("build")
    return stack


@pytest.fixture(scope="module")
def demo(images: Stack) -> Iterator[Stack]:
    """The stack with simulated instruments, up and healthy."""
    stack = Stack(os.environ["STACK_COMPOSE"], images.directory, PROJECT, profiles=["demo"])
    stack.compose("up", "-d")
    try:
        stack.wait_until_healthy()
        yield stack
    finally:
        stack.compose("down", "--volumes")
