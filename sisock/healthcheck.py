"""Ask a service of the stack whether it serves (``sisock-healthcheck``).

The containers' health checks. They ask what a user of the service would ask, not whether its
process lives:

    bridge       ``GET /healthz``: it is joined to the router
    node         the hub lists it
    agent        it answers to its address
    router       a session over TLS joins and the hub answers it
    instrument   it says who it is

A check runs every few seconds in every container, so all but the router's speak HTTP or plain TCP
and import nothing heavy: the router's ``/call`` bridge carries their questions.
"""

import argparse
import http.client
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ocs.client_http import ControlClient, ControlClientError
from ocs.errors import OcsError
from sisock.settings import add_router_arguments, add_setting, port_number, required, run_main
from sisock.uris import GET_DATA_NODE

if TYPE_CHECKING:
    from ocs.connection import Connection

__all__ = ["Unhealthy", "main", "make_parser"]

TIMEOUT_S = 5.0

Check = Callable[[argparse.Namespace], None]


class Unhealthy(OcsError):
    """The service does not serve; the message says what was asked and what came back."""


def check_bridge(args: argparse.Namespace) -> None:
    """See that the HTTP bridge of this container is joined to the router."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port_number(args.port, "PORT"), timeout=TIMEOUT_S
    )
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise Unhealthy(f"no answer from port {args.port}: {error}") from None
    finally:
        connection.close()
    if response.status != HTTPStatus.OK:
        raise Unhealthy(f"/healthz answered {response.status}: {text.strip()}")


def check_node(args: argparse.Namespace) -> None:
    """See that the hub lists this data node."""
    name = required(args.name, "NAME", "--name")
    listed = [node.get("name") for node in _ask_router(args, GET_DATA_NODE)]
    if name not in listed:
        raise Unhealthy(f"the hub lists {listed}, not {name}")


def check_agent(args: argparse.Namespace) -> None:
    """See that the agent answers to its address."""
    instance = required(args.instance_id, "INSTANCE_ID", "--instance-id")
    _ask_router(args, f"{args.address_root}.{instance}", "get_agent_class")


def check_instrument(args: argparse.Namespace) -> None:
    """See that an instrument's port in this container answers the identification query."""
    port = port_number(args.port, "PORT")
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as line:
            line.sendall(b"*IDN?\r\n")
            answer = line.recv(200)
    except OSError as error:
        raise Unhealthy(f"no answer from port {port}: {error}") from None
    if b"," not in answer:
        raise Unhealthy(f"port {port} answered {answer!r} to *IDN?")


def check_router(_: argparse.Namespace) -> None:
    """See that a session joins over TLS with this container's secret, and the hub answers."""
    from twisted.internet import reactor as installed  # noqa: PLC0415 - heavy; only this check
    from twisted.internet.defer import Deferred  # noqa: PLC0415

    from sisock.router_access import add_access_arguments, tls_router  # noqa: PLC0415

    access = argparse.ArgumentParser()
    add_access_arguments(access, role="consumer")
    reactor: Any = installed
    connection = tls_router(access.parse_args([])).connection(reactor, name="sisock-healthcheck")
    trouble: list[str] = []

    async def ask() -> None:
        try:
            await _ask_hub(connection, reactor)
        except OcsError as error:
            trouble.append(f"{error} ({connection.status.reason})")
        finally:
            await connection.stop()
            reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(ask()))
    reactor.run()
    if trouble:
        raise Unhealthy(trouble[0])


async def _ask_hub(connection: "Connection", reactor: Any) -> None:
    from autobahn.wamp.exception import ApplicationError  # noqa: PLC0415
    from twisted.internet.defer import TimeoutError as TooLate  # noqa: PLC0415

    connection.start()
    try:
        await connection.when_connected().addTimeout(TIMEOUT_S, reactor)
    except TooLate:
        raise Unhealthy(f"no session within {TIMEOUT_S:g} s") from None
    try:
        await connection.call(GET_DATA_NODE, timeout=TIMEOUT_S)
    except ApplicationError as error:
        raise Unhealthy(f"the hub does not answer: {error.error}") from None


def _ask_router(args: argparse.Namespace, procedure: str, *arguments: str) -> Any:
    port = port_number(args.crossbar_port, "CROSSBAR_OCS_PORT")
    url = f"http://{args.crossbar_host}:{port}/call"
    client = ControlClient(procedure, url=url, reply_timeout=TIMEOUT_S)
    try:
        return client.call(procedure, *arguments)
    except ControlClientError as error:
        raise Unhealthy(f"{procedure} did not answer: {error}") from None


def make_parser(environ: Mapping[str, str] | None = None) -> argparse.ArgumentParser:
    """Return the command line, with defaults from the environment."""
    parser = argparse.ArgumentParser(
        prog="sisock-healthcheck",
        description="Ask a service of the stack whether it serves; exit status 0 if so, 1 if not.",
    )
    kinds = parser.add_subparsers(required=True, metavar="SERVICE")
    port = ("--port", "PORT", "5000", "TCP port it listens on")
    name = ("--name", "NAME", None, "its name in the hub's list")
    instance = ("--instance-id", "INSTANCE_ID", None, "its instance-id")
    root = ("--address-root", "ADDRESS_ROOT", "observatory", "first part of its address")
    checks: tuple[tuple[str, Check, tuple[tuple[str, str, str | None, str], ...], str], ...] = (
        ("bridge", check_bridge, (port,), "whether the HTTP bridge is joined to the router"),
        ("node", check_node, (name,), "whether the hub lists a data node"),
        ("agent", check_agent, (instance, root), "whether an agent answers"),
        ("instrument", check_instrument, (port,), "whether a simulated instrument answers"),
        ("router", check_router, (), "whether a session over TLS reaches the hub"),
    )
    for kind, check, settings, what in checks:
        command = kinds.add_parser(kind, help=what, description=f"See {what}.")
        command.set_defaults(check=check)
        for flag, variable, default, text in settings:
            add_setting(command, flag, variable, default=default, what=text, environ=environ)
        if kind in {"node", "agent"}:
            add_router_arguments(command, environ)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one check (``sisock-healthcheck``)."""
    args = make_parser().parse_args(argv)

    def run() -> int:
        try:
            args.check(args)
        except Unhealthy as error:
            sys.stderr.write(f"{error}\n")
            return 1
        return 0

    return run_main("sisock-healthcheck", run)


if __name__ == "__main__":
    raise SystemExit(main())
