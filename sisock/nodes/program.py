"""What the programs of all these nodes have in common: settings, connection, start and end."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from ocs.connection import Connection
from ocs.runner import Service, run_service
from sisock.errors import Misconfigured
from sisock.node import DataNodeServer
from sisock.router_access import add_access_arguments, tls_router
from sisock.series import TimeSeries
from sisock.settings import add_setting, run_main

__all__ = ["NodeService", "make_parser", "point_limit", "run_node"]


class NodeService(Service):
    """A data node that serves one time series for as long as the program runs.

    Args:
        connection: Not started yet.
        reactor: For timers.
        name: The node's name.
        description: For people.
        series: What it serves.
    """

    def __init__(
        self, connection: Connection, reactor: Any, name: str, description: str, series: TimeSeries
    ) -> None:
        self._connection = connection
        self.node = DataNodeServer(connection, reactor, name, description, series=series)

    def start(self) -> None:
        """Connect and serve."""
        self._connection.start()

    async def stop(self) -> None:
        """Leave the router."""
        await self._connection.stop()


def make_parser(
    program: str,
    description: str,
    environ: Mapping[str, str] | None = None,
    *,
    data_dir: str | None = None,
    data_dir_help: str = "",
    max_points: bool = False,
) -> argparse.ArgumentParser:
    """Return a node's command line, with defaults from the environment.

    Args:
        program: Name of the command.
        description: What it does, in a sentence.
        environ: The environment; the process's own if None.
        data_dir: Where its files are by default; None when it reads none.
        data_dir_help: What lies there.
        max_points: Whether it knows ``MAX_POINTS``.
    """
    parser = argparse.ArgumentParser(prog=program, description=description)
    if data_dir is not None:
        add_setting(
            parser, "--data-dir", "DATA_DIR", default=data_dir, what=data_dir_help, environ=environ
        )
    if max_points:
        add_setting(
            parser,
            "--max-points",
            "MAX_POINTS",
            default=None,
            what="most samples of a field in one answer; no limit if unset or 0",
            environ=environ,
        )
    add_access_arguments(parser, environ)
    return parser


def point_limit(text: str | None) -> int | None:
    """Read ``MAX_POINTS``.

    Returns:
        The limit; None for no limit.

    Raises:
        Misconfigured: it is no whole number, or negative.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise Misconfigured(f"MAX_POINTS={text}: must be a whole number; 0 or unset for no limit")
    return int(text) or None


def run_node(
    program: str,
    args: argparse.Namespace,
    make_service: Callable[[Connection, Any], Service],
) -> int:
    """Run a node until it is told to stop.

    Args:
        program: Name of the command.
        args: Of `make_parser`.
        make_service: Makes the node of a connection, not started yet, and the reactor. A
            foreseeable error (`ocs.errors.OcsError`) becomes one line.

    Returns:
        The program's exit status.
    """

    def run() -> int:
        access = tls_router(args)

        from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

        connection = access.connection(reactor, name=program)
        return run_service(reactor, make_service(connection, reactor))

    return run_main(program, run)
