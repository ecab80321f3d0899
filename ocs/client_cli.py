"""``ocs-client-cli``: look at a running system (spec/ocs-protocol.md, section 16.3)."""

import argparse
import code
import contextlib
import importlib
import importlib.util
import os
import readline
import rlcompleter
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from ocs import site_config
from ocs._control_script import ControlScript, add_connect_timeout
from ocs.base import OpCode
from ocs.client_http import ControlClientError
from ocs.connection import Connection
from ocs.errors import OcsError
from ocs.logs import start_logging
from ocs.ocs_client import OCSClient
from ocs.runner import run_service

__all__ = ["get_parser", "main"]

SCAN_S = 2.0
"""Agents beat once a second."""

_DESCRIPTION = """\
Look at a running system: list its agents, listen to feeds, or command agents from Python.

The site is found through OCS_CONFIG_DIR, or by the --site options, which come before the
command:

  %(prog)s scan --details
  %(prog)s listen --json observatory.LSA23JD.feeds.temperatures
  %(prog)s shell LSA23JD

Exit status: 0 done; 1 the router or an agent does not answer; 2 wrong usage or configuration.
"""


def get_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, without the options of the site configuration."""
    parser = argparse.ArgumentParser(
        prog="ocs-client-cli",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_connect_timeout(parser)
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)

    shell = commands.add_parser("shell", help="start a Python shell with a client for an agent")
    shell.add_argument("instance_id", nargs="+", metavar="ID", help="instance-id of an agent")
    shell.add_argument("--simple", action="store_true", help="no IPython, even if it is there")

    scan = commands.add_parser("scan", help="list the agents that are running")
    scan.add_argument("--details", action="store_true", help="list their operations as well")
    scan.add_argument(
        "--use-registry",
        nargs="?",
        const="registry",
        metavar="ID",
        help="ask the registry (default ID: registry) instead of listening for 2 seconds",
    )

    listen = commands.add_parser("listen", help="print the messages of feeds as they come")
    listen.add_argument("--json", action="store_true", help="one JSON object a line")
    listen.add_argument(
        "feed_selector",
        metavar="SELECTOR",
        help="address of a feed; an empty component matches any, "
        "as in observatory..feeds.heartbeat",
    )
    return parser


def main(args: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        args: Command line; None takes ``sys.argv[1:]``.

    Returns:
        The exit status.
    """
    options = site_config.parse_args("*control*", get_parser(), args)
    start_logging("warn", sys.stderr)
    commands = {"scan": _scan, "listen": _listen, "shell": _shell}
    try:
        with site_config.exit_on_config_error("ocs-client-cli"):
            return commands[options.command](options)
    except OcsError as error:
        print(f"ocs-client-cli: {error}", file=sys.stderr)
        return 1


def _scan(options: argparse.Namespace) -> int:
    if options.use_registry:
        kind, op_codes = "Registered", _ask_registry(options)
    else:
        kind, op_codes = "Detected", {}
        print(f"Listening to heartbeat feeds for {SCAN_S:g} seconds ...", flush=True)
        status = _collect_heartbeats(options, op_codes)
        if status:
            return status
    print(f"List of {kind} Agents: ({len(op_codes)})")
    for instance_id in sorted(op_codes):
        print(f"  {instance_id}")
        if options.details:
            for name, op_code in op_codes[instance_id].items():
                print(f"    {name:20}: {_op_code_name(op_code)}")
    print()
    return 0


def _ask_registry(options: argparse.Namespace) -> dict[str, Mapping[str, int]]:
    registry = options.use_registry
    try:
        data = OCSClient(registry, args=options).main.status().session.get("data", {})
    except AttributeError:
        raise OcsError(f"{registry} is no registry: it has no process 'main'") from None
    except ControlClientError as error:
        if error.uri != "wamp.error.no_such_procedure":
            raise
        raise OcsError(
            f"no agent {registry!r} is running; start the registry, or scan without --use-registry"
        ) from None
    prefix = f"{options.address_root}."
    return {
        address.removeprefix(prefix): entry["op_codes"]
        for address, entry in data.items()
        if isinstance(entry, dict) and "op_codes" in entry
    }


def _collect_heartbeats(options: argparse.Namespace, op_codes: dict[str, Mapping[str, int]]) -> int:
    def on_beat(topic: str, message: Any, *_: Any) -> None:
        beat = message[0] if isinstance(message, list | tuple) and message else None
        if not isinstance(beat, dict):
            # Agents of 2019 send a bare number.
            beat = {"old_agent_no_opcodes": OpCode.EXPIRED.value}
        instance_id = topic.removeprefix(f"{options.address_root}.")
        op_codes[instance_id.removesuffix(".feeds.heartbeat")] = beat

    def listen(reactor: Any, connection: Connection) -> Callable[[], Awaitable[None]]:
        topic = f"{options.address_root}..feeds.heartbeat"
        connection.subscribe(topic, on_beat, match="wildcard", with_topic=True)
        return lambda: deferLater(reactor, SCAN_S, lambda: None)

    return _run(options, listen)


def _listen(options: argparse.Namespace) -> int:
    def write(topic: str, *args: Any) -> None:
        message = args[0] if len(args) == 1 else list(args)
        if options.json:
            line = orjson.dumps(
                {"topic": topic, "message": message}, default=repr, option=orjson.OPT_NON_STR_KEYS
            ).decode()
        else:
            line = f"[{topic}] {message}"
        try:
            print(line, flush=True)
        except BrokenPipeError:
            # `| head` has seen enough. Nothing may be written at exit either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ended.cancel()

    ended: Deferred[None] = Deferred(lambda waiting: waiting.callback(None))

    def listen(_reactor: Any, connection: Connection) -> Callable[[], Awaitable[None]]:
        connection.subscribe(options.feed_selector, write, match="wildcard", with_topic=True)
        return lambda: ended

    if not options.json:
        print(f"Subscribing to {options.feed_selector}", flush=True)
    return _run(options, listen)


def _run(
    options: argparse.Namespace,
    prepare: Callable[[Any, Connection], Callable[[], Awaitable[None]]],
) -> int:
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    site_config.require_site_attributes(options, "site_hub", "site_realm", "address_root")
    connection = Connection(reactor, options.site_hub, options.site_realm, name="ocs-client-cli")
    script = prepare(reactor, connection)
    service = ControlScript(reactor, connection, script, options.connect_timeout)
    return run_service(reactor, service, begin_logging=False)


def _shell(options: argparse.Namespace) -> int:
    clients = [OCSClient(instance_id, args=options) for instance_id in options.instance_id]
    names: dict[str, Any] = {"clients": clients}
    if len(clients) == 1:
        names["client"] = clients[0]
        banner = f"client.<operation> talks to {options.instance_id[0]}"
    else:
        banner = "\n".join(
            f"clients[{number}].<operation> talks to {instance_id}"
            for number, instance_id in enumerate(options.instance_id)
        )
    if not options.simple and importlib.util.find_spec("IPython") is not None:
        importlib.import_module("IPython").embed(header=banner, user_ns=names, colors="linux")
        return 0
    readline.set_completer(rlcompleter.Completer(names).complete)
    readline.parse_and_bind("tab: complete")
    with contextlib.suppress(SystemExit):
        code.InteractiveConsole(names).interact(banner=banner, exitmsg="")
    return 0


def _op_code_name(op_code: int) -> str:
    try:
        return OpCode(op_code).name
    except ValueError:
        return f"unknown code {op_code}"


if __name__ == "__main__":
    sys.exit(main())
