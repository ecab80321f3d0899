"""Control scripts over WAMP (spec/ocs-protocol.md, section 17).

A script is a function ``script(app, parsed_args)``: a generator that yields what it waits
for, as in 2019, or ``async def``::

    from ocs import client_t, site_config

    async def script(app, args):
        acq = client_t.ProcessClient(app, f"{args.address_root}.{args.target}", "acq")
        code, message, session = await acq.start()

    parser = site_config.add_arguments()
    parser.add_argument("--target")
    client_t.run_control_script(script, parser)
"""

import argparse
import contextlib
import sys
from collections.abc import Awaitable, Callable, Mapping
from types import GeneratorType
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger, LoggingFile

from ocs import site_config
from ocs._control_script import ControlScript, add_connect_timeout
from ocs.connection import Connection, RouterUrlError
from ocs.runner import run_service

__all__ = [
    "ControlApp",
    "OperationClient",
    "ProcessClient",
    "TaskClient",
    "dsleep",
    "run_control_script",
    "run_control_script2",
]

Params = Mapping[str, Any] | None
Reply = Deferred[list[Any]]


class ControlApp:
    """What a control script gets to talk to agents with.

    Args:
        connection: The connection behind it.

    Attributes:
        connection: The same; its calls, events and status are at the script's disposal.
        log: Logger of the script.
    """

    log = Logger(namespace="script")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Call a remote procedure; all arguments, ``timeout`` too, go to the other side.

        Returns:
            The result, or an ``ApplicationError``, or :class:`ocs.connection.NotConnected`
            if the connection breaks before the answer.
        """
        return Deferred.fromCoroutine(self.connection.call_with(procedure, args, kwargs))

    def publish(self, topic: str, *args: Any) -> bool:
        """Publish an event; False means that there is no connection at the moment."""
        return self.connection.publish(topic, *args)


class OperationClient:
    """One operation of one agent. Each method returns an awaitable ``[code, message, session]``.

    Args:
        app: What the script got.
        root_address: Address of the agent, such as ``observatory.LSA23JD``.
        op_name: Name of the operation.
    """

    def __init__(self, app: ControlApp, root_address: str, op_name: str) -> None:
        self.app = app
        self.root = root_address
        self.op_name = op_name

    def request(self, action: str, params: Params = None, timeout: float | None = None) -> Reply:
        """Ask for an action; ``timeout`` (s) is for the agent's ``wait``."""
        return self.app.call(
            f"{self.root}.ops", action, self.op_name, params=params, timeout=timeout
        )

    def status(self, params: Params = None) -> Reply:
        """Ask for the latest session."""
        return self.request("status", params=params)

    def start(self, params: Params = None) -> Reply:
        """Start the operation."""
        return self.request("start", params=params)

    def wait(self, params: Params = None, timeout: float | None = None) -> Reply:
        """Wait until the operation has ended, or ``timeout`` seconds at most."""
        return self.request("wait", params=params, timeout=timeout)


class TaskClient(OperationClient):
    """A task."""

    def abort(self, params: Params = None) -> Reply:
        """Ask the task to give up."""
        return self.request("abort", params=params)


class ProcessClient(OperationClient):
    """A process."""

    def stop(self, params: Params = None) -> Reply:
        """Ask the process to stop."""
        return self.request("stop", params=params)


def dsleep(seconds: float) -> Deferred[None]:
    """Return an awaitable that fires after ``seconds``."""
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    return deferLater(reactor, seconds, lambda: None)


def run_control_script(
    function: Callable[..., Any],
    parser: argparse.ArgumentParser | None = None,
    *args: Any,
    **kwargs: Any,
) -> None:
    """Connect to the router, run a control script, and end the program if it failed.

    The log goes to standard output, and so does, line by line, what the script prints.

    Args:
        function: Called as ``function(app, parsed_args, *args, **kwargs)`` with a
            :class:`ControlApp`. A generator gets the result of each awaitable it yields;
            ``async def`` and functions that return a Deferred do as well.
        parser: Parser with the script's own options; None makes one. The options of the
            site configuration and ``--connect-timeout`` are added.
        *args: Handed on to ``function``.
        **kwargs: Handed on to ``function``.

    Raises:
        SystemExit: 1 if the script raised or no router was reached in time, 2 for a faulty
            command line or configuration, 130 if interrupted, else what the script
            gave to ``SystemExit``. A script that succeeds simply returns.
    """
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    parser = site_config.add_arguments(parser)
    add_connect_timeout(parser)
    with site_config.exit_on_config_error(parser.prog):
        parsed = site_config.resolve_args("*control*", parser)
        site_config.require_site_attributes(parsed, "site_hub", "site_realm")
    try:
        connection = Connection(reactor, parsed.site_hub, parsed.site_realm, name=parser.prog)
    except RouterUrlError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")

    def script() -> Awaitable[Any]:
        printed = LoggingFile(Logger(namespace="script"))
        with_timestamps.enter_context(contextlib.redirect_stdout(printed))  # type: ignore[type-var]
        return _as_deferred(function, ControlApp(connection), parsed, *args, **kwargs)

    with contextlib.ExitStack() as with_timestamps:
        service = ControlScript(reactor, connection, script, parsed.connect_timeout)
        status = run_service(reactor, service)
    if status:
        sys.exit(status)


def run_control_script2(
    function: Callable[..., Any],
    parser: argparse.ArgumentParser | None = None,
    *args: Any,
    **kwargs: Any,
) -> None:
    """Do the same as :func:`run_control_script`, under the name of 2019."""
    run_control_script(function, parser, *args, **kwargs)


def _as_deferred(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
    outcome = function(*args, **kwargs)
    if isinstance(outcome, GeneratorType):
        return inlineCallbacks(lambda: outcome)()
    return maybeDeferred(lambda: outcome)
