"""``lakeshore-sim-control``: makes a running simulator misbehave, from the command line."""

import argparse
import json
import socket
import sys
from collections.abc import Sequence

from agents.lakeshore.sim.addresses import host_and_port
from agents.lakeshore.sim.control import COMMANDS

__all__ = ["main", "make_parser"]

_TIMEOUT_S = 5.0


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line of ``lakeshore-sim-control``."""
    requests = "\n".join(f"  {form}\n      {text}" for form, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="lakeshore-sim-control",
        description="Make a running ls372-sim or ls240-sim misbehave. It must have been started "
        "with --control.",
        epilog=f"requests:\n{requests}\n\nexit status: 0 done, 1 refused by the simulator, "
        "2 wrong command line or no simulator there",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "address",
        type=host_and_port,
        metavar="HOST:PORT",
        help="the simulator's control port; PORT alone is one of this machine",
    )
    parser.add_argument("request", nargs="+", metavar="REQUEST", help="one of those below")
    return parser


def main(args: Sequence[str] | None = None) -> int:
    """Send one request, print the answer, return the exit status."""
    options = make_parser().parse_args(args)
    host, port = options.address
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection:
            connection.sendall(" ".join(options.request).encode() + b"\n")
            with connection.makefile("r", encoding="utf-8") as lines:
                line = lines.readline()
    except OSError as error:
        return _fail(f"no simulator answers at {host}:{port}: {error.strerror or error}")
    try:
        answer = json.loads(line)
        done = bool(answer["ok"])
    except (ValueError, KeyError, TypeError):
        return _fail(f"what answers at {host}:{port} is no simulator's control port")
    if not done:
        sys.stderr.write(f"lakeshore-sim-control: {answer['error']}\n")
        return 1
    del answer["ok"]
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"lakeshore-sim-control: {message}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
