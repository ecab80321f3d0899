"""Fixtures of the 372's tests: a simulator as a program, and Agents that read it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.ls372_lab import Lab, Simulator

from ocs.connection import Connection
from ocs.testing import ReactorThread, RouterProcess


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    """Not started yet."""
    simulator = Simulator(tmp_path)
    yield simulator
    if simulator._process is not None:
        simulator.stop()


@pytest.fixture
def make_lab(
    tmp_path: Path, router: RouterProcess, reactor_thread: ReactorThread
) -> Iterator[Callable[..., Lab]]:
    """Start Agents by name, each with a listener to its feed."""
    labs, connections = [], []

    def make(name, *arguments):
        lab = Lab(tmp_path, router, name, *arguments)

        async def listen():
            connection = Connection(
                reactor_thread.reactor, router.url, router.realm, name="test listener"
            )
            connection.subscribe(lab.topic, lab.events.append)
            connection.start()
            connections.append(connection)
            await connection.when_connected()

        reactor_thread.call(listen)
        lab.agent.start()
        labs.append(lab)
        return lab

    yield make
    for lab in labs:
        lab.agent.stop()
    for connection in connections:
        reactor_thread.call(connection.stop)
