"""The HTTP bridge between Grafana or a browser and the data nodes (``sisock-http``)."""

import argparse
from collections.abc import Mapping, Sequence

from twisted.logger import Logger

from ocs.connection import Connection
from ocs.runner import Service, run_service
from sisock.http.access import read_token
from sisock.http.app import create_app
from sisock.http.facade import ThreadedMonitor
from sisock.http.monitor import Monitor
from sisock.http.server import HttpServer
from sisock.router_access import add_access_arguments, tls_router
from sisock.settings import add_setting, port_number, run_main

__all__ = ["main", "make_parser"]

log = Logger()


class Bridge(Service):
    """Flask and the WAMP session, in one process.

    Args:
        connection: Not started yet.
        monitor: Waiting threads are let go when the bridge stops.
        server: Listening already.
    """

    def __init__(
        self, connection: Connection, monitor: ThreadedMonitor, server: HttpServer
    ) -> None:
        self._connection = connection
        self._monitor = monitor
        self._server = server

    def start(self) -> None:
        """Connect and answer."""
        self._server.start()
        self._connection.start()

    async def stop(self) -> None:
        """Close the port, answer who still waits, leave the router."""
        self._monitor.close()
        await self._server.stop()
        await self._connection.stop()


def make_parser(environ: Mapping[str, str] | None = None) -> argparse.ArgumentParser:
    """Return the command line, with defaults from the environment."""
    parser = argparse.ArgumentParser(
        prog="sisock-http", description="Serve the live monitor's data to Grafana and browsers."
    )
    for flag, variable, default, what in (
        ("--host", "HOST", "127.0.0.1", "address to listen on; 0.0.0.0 opens it to the network"),
        ("--port", "PORT", "5000", "TCP port to listen on"),
        ("--cors-origin", "CORS_ORIGIN", None, "origin whose pages may ask directly, or *"),
        ("--token-file", "HTTP_TOKEN_FILE", None, "file with the token that clients must send"),
    ):
        add_setting(parser, flag, variable, default=default, what=what, environ=environ)
    add_access_arguments(parser, environ, role="consumer")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bridge (``sisock-http``)."""
    args = make_parser().parse_args(argv)

    def run() -> int:
        port = port_number(args.port, "PORT")
        token = read_token(args.token_file)
        access = tls_router(args)

        from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

        connection = access.connection(reactor, name="sisock-http")
        monitor = ThreadedMonitor(Monitor(connection, reactor), reactor)
        app = create_app(monitor, cors_origin=args.cors_origin, token=token)
        server = HttpServer(reactor, app)
        number = server.listen(args.host, port)
        log.info("listening on http://{host}:{port}/", host=args.host, port=number)
        return run_service(reactor, Bridge(connection, monitor, server))

    return run_main("sisock-http", run)


if __name__ == "__main__":
    raise SystemExit(main())
