"""Running a short program of a person: connect, do something, leave with an exit status."""

import argparse
from collections.abc import Awaitable, Callable
from typing import Any

from autobahn.wamp.exception import ApplicationError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocs.connection import Connection, NotConnected
from ocs.errors import OcsError
from ocs.runner import Service

__all__ = ["ControlScript", "add_connect_timeout", "explain_call_error"]

log = Logger()

CONNECT_TIMEOUT_S = 10.0
"""How long a person's program tries to reach the router before it gives up."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as a shell has it."""


def explain_call_error(error: ApplicationError) -> str:
    """Return a WAMP error as one line for a person: its name, then what it says."""
    return ": ".join([str(error.error), *(str(arg).strip() for arg in error.args)])


def add_connect_timeout(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--connect-timeout`` of programs that end when there is no router."""
    parser.add_argument(
        "--connect-timeout",
        metavar="SECONDS",
        type=float,
        default=CONNECT_TIMEOUT_S,
        help="give up if the router cannot be reached for so long (default: %(default)g)",
    )


class ControlScript(Service):
    """Connects, runs a script once, and ends the program with a status.

    The status is 0, or 1 if the router is away or the script raises, or what the script
    passes to ``SystemExit``, or 130 if it was interrupted. An interrupted script is
    cancelled while the connection is still there, so that its ``finally`` can use it.

    Args:
        reactor: The Twisted reactor.
        connection: The connection, not yet started.
        script: Called once connected; what it returns is awaited.
        connect_timeout_s: Seconds after which an absent router ends the program.
    """

    def __init__(
        self,
        reactor: Any,
        connection: Connection,
        script: Callable[[], Awaitable[Any]],
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self._reactor = reactor
        self._connection = connection
        self._script = script
        self._connect_timeout_s = connect_timeout_s
        self._stopping = False
        self._running: Deferred[None] | None = None
        self._finished: Deferred[None] = Deferred()

    def start(self) -> None:
        """Begin to connect; the script follows."""
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._failed)
        self._running.addCallback(self._ended)

    async def stop(self) -> None:
        """Cancel the script if it still runs, then leave the router."""
        self._stopping = True
        if self._running is not None and not self._finished.called:
            self._running.cancel()
            await self._finished
        await self._connection.stop()

    async def _run(self) -> None:
        self._connection.start()
        connected = self._connection.when_connected()
        connected.addTimeout(self._connect_timeout_s, self._reactor)
        try:
            await connected
        except DeferredTimeout:
            raise NotConnected(
                f"gave up after {self._connect_timeout_s:g} s: {self._connection.status.reason}"
            ) from None
        await self._script()

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        self.exit_status = 1
        if isinstance(error, SystemExit):
            if isinstance(error.code, str):
                log.error("{why}", why=error.code)
            else:
                self.exit_status = error.code or 0
        elif isinstance(error, CancelledError) and self._stopping:
            self.exit_status = INTERRUPTED
        elif isinstance(error, ApplicationError):
            log.error("{why}", why=explain_call_error(error))
        elif isinstance(error, OcsError):
            log.error("{why}", why=str(error))
        else:
            log.failure("the script failed", failure=failure)

    def _ended(self, _result: None) -> None:
        self._finished.callback(None)
        if not self._stopping:
            self._reactor.stop()
