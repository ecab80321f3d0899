"""Run one long-lived program around a Twisted reactor: log, signals, exit status."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.logger import Logger

from ocs.errors import OcsError
from ocs.logs import LEVELS, start_logging

__all__ = ["LogLevelError", "Service", "log_level_from_environment", "run_service"]

log = Logger()

STOP_TIMEOUT_S = 4.0


class LogLevelError(OcsError):
    """The environment variable LOGLEVEL holds an unknown level."""


def log_level_from_environment() -> str:
    """Return the level that ``LOGLEVEL`` asks for, ``info`` by default.

    Raises:
        LogLevelError: It is none of `ocs.logs.LEVELS`.
    """
    level = os.environ.get("LOGLEVEL", "info").lower()
    if level == "warning":
        return "warn"
    if level not in LEVELS:
        raise LogLevelError(f"LOGLEVEL={level}: allowed are {', '.join(LEVELS)}")
    return level


class Service:
    """What `run_service` runs: something with a start and an end.

    Set `exit_status` and stop the reactor to end the program from inside.
    """

    exit_status = 0

    def start(self) -> None:
        """Begin; an exception from here ends the program with status 1."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Finish; called once, on SIGINT, SIGTERM or `reactor.stop`."""
        raise NotImplementedError


def run_service(
    reactor: Any,
    service: Service,
    *,
    begin_logging: bool = True,
    log_file: Path | None = None,
) -> int:
    """Run `service` until it is told to stop.

    Args:
        reactor: The Twisted reactor; this call runs it.
        service: What to start and stop.
        begin_logging: Whether the log goes to standard output from here.
        log_file: Appended to as well.

    Returns:
        The program's exit status.
    """
    if begin_logging:
        try:
            start_logging(log_level_from_environment(), log_file=log_file)
        except OcsError as error:
            sys.stderr.write(f"{error}\n")
            return 2

    def end(*_: Any) -> None:
        # A terminal's Ctrl-C and a supervisor's SIGTERM may both arrive; one is enough.
        _handle_signals(_no_more)
        reactor.callFromThread(reactor.stop)

    def start() -> None:
        # After Twisted's own handlers, which take every signal for a new request.
        _handle_signals(end)
        try:
            service.start()
        except OcsError as error:
            log.error("{why}", why=error)
        except Exception:  # noqa: BLE001 - the last stop of anything unforeseen
            log.failure("cannot start")
        else:
            return
        service.exit_status = 1
        reactor.stop()

    async def stop() -> None:
        _handle_signals(_no_more)
        try:
            await Deferred.fromCoroutine(service.stop()).addTimeout(STOP_TIMEOUT_S, reactor)
        except DeferredTimeout:
            log.error("not everything ended within {limit} s", limit=STOP_TIMEOUT_S)
        except Exception:  # noqa: BLE001 - the program ends all the same, but not unnoticed
            log.failure("an error at the end")
            service.exit_status = service.exit_status or 1

    reactor.callWhenRunning(start)
    reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(stop()))
    reactor.run()
    return service.exit_status


def _handle_signals(handler: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _no_more(*_: Any) -> None:
    # Not SIG_IGN: a signal already taken when that is set makes Python print a traceback.
    pass
