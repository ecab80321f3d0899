"""Tests of the containers. They need a Docker engine, root and minutes: `.ci/run` runs them.

``STACK_COMPOSE`` names the command of Compose; without it nothing here is collected.
``PYTHON_IMAGE`` names the image that ours are made from.

Starting a stack takes a minute, so there are three of them only: what docs/lab-host.md has in its
clone (`demo`), what it has in the site's directory (`site`), and the seed's own (`seed`). Tests of
one stack follow each other as they stand in their file.
"""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from support.stack_engine import MARK, PREFIX, ROOT, clear, last_words, listeners, run
from support.stack_page import Page, Reader
from support.stack_run import Stack, copy_of_the_project

COMPOSE = os.environ.get("STACK_COMPOSE", "")
collect_ignore_glob = [] if COMPOSE else ["test_*.py"]

# Packages come from docker/ci/engine.sh, the clone from a fixture; ssh needs two computers.
NOT_HERE = ("sudo apt install ", "git clone ", "cd cryo-ocs", "ssh ")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the containers say when a test fails."""
    report = yield
    if report.failed:
        report.sections.append(("containers", last_words()))
    return report


@pytest.fixture(scope="session")
def listened_before() -> set[str]:
    return listeners()


@pytest.fixture(scope="session")
def engine(listened_before: set[str]) -> Iterator[None]:
    """An engine that has nothing of ours, neither before nor after."""
    clear()
    run("docker", "volume", "create", MARK)
    yield
    clear()


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(COMPOSE, tmp_path_factory.mktemp("tools"))


@pytest.fixture(scope="session")
def page(engine: None, reader: Reader, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """docs/lab-host.md, followed to where Docker is prepared."""
    clone = tmp_path_factory.mktemp("home") / "cryo-ocs"
    found = Page(ROOT / "docs" / "lab-host.md", reader, copy_of_the_project(clone), NOT_HERE)
    found.follow("sudo ./init-docker-env.sh")
    return found


@pytest.fixture(scope="session")
def clone(page: Page) -> Path:
    """A fresh clone, with certificates; Docker has what the stack expects."""
    return page.at


@pytest.fixture(scope="session")
def images(clone: Path) -> Stack:
    """All images, built; nothing runs."""
    stack = Stack(COMPOSE, clone, f"{PREFIX}images", profiles=["demo", "agents", "apex"])
    # The last target of the Dockerfile has all that takes long; the rest is done at once then.
    before = _ours()
    stack.compose("build", "aggregator")
    stack.compose("build")
    # Those of an earlier run that have lost their names, lest they fill the disk.
    for image in before - _ours():
        run("docker", "rmi", image, ok=False)
    return stack


def _ours() -> set[str]:
    return set(run("docker", "images", "--quiet", "--no-trunc", "cryo-ocs/*").stdout.split())


@pytest.fixture(scope="module")
def demo(images: Stack, page: Page) -> Iterator[Stack]:
    """The stack with simulated instruments, up and healthy."""
    stack = Stack(COMPOSE, page.at, PREFIX + page.at.name, profiles=["demo"])
    try:
        page.follow("docker-compose --profile demo up -d")
        stack.wait_until_healthy()
        yield stack
    finally:
        stack.compose("down", "--volumes")
