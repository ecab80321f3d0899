"""Settings common to the monitor's programs: flags, and the environment behind them."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping

from ocs.errors import OcsError
from sisock.errors import Misconfigured

__all__ = [
    "add_router_arguments",
    "add_setting",
    "in_range",
    "port_number",
    "positive_number",
    "required",
    "router_url",
    "run_main",
]


def add_setting(
    parser: argparse.ArgumentParser,
    flag: str,
    variable: str,
    *,
    default: str | None,
    what: str,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Add a flag whose default comes from an environment variable.

    An empty variable counts as unset, as ``${VARIABLE}`` of a compose file gives it.
    """
    environment = os.environ if environ is None else environ
    shown = f"; {default} by default" if default else ""
    parser.add_argument(
        flag,
        metavar=variable,
        default=environment.get(variable) or default,
        help=f"{what} (environment: {variable}{shown})",
    )


def add_router_arguments(
    parser: argparse.ArgumentParser, environ: Mapping[str, str] | None = None
) -> None:
    """Add the flags that say where the router is (spec/sisock-protocol.md, 2.4)."""
    for flag, variable, default, what in (
        ("--crossbar-host", "CROSSBAR_HOST", "sisock-crossbar", "router's host"),
        ("--crossbar-port", "CROSSBAR_OCS_PORT", "8001", "router's plain WebSocket port"),
        ("--realm", "WAMP_REALM", "test_realm", "WAMP realm"),
    ):
        add_setting(parser, flag, variable, default=default, what=what, environ=environ)


def router_url(args: argparse.Namespace) -> str:
    """Return the router's WebSocket address.

    Raises:
        Misconfigured: the port is no port number.
    """
    return f"ws://{args.crossbar_host}:{port_number(args.crossbar_port, 'CROSSBAR_OCS_PORT')}/ws"


def required(value: str | None, variable: str, flag: str) -> str:
    """Return the value of a setting that has no default.

    Raises:
        Misconfigured: it is not set.
    """
    if not value:
        raise Misconfigured(f"{variable} is not set: set the environment variable or give {flag}")
    return value


def in_range(text: str, variable: str, low: float, high: float, what: str) -> float:
    """Read a number between two others.

    Raises:
        Misconfigured: it is none, or outside.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise Misconfigured(f"{variable}={text}: must be {what} from {low:g} to {high:g}")
    return value


def port_number(text: str, variable: str) -> int:
    """Read a TCP port.

    Raises:
        Misconfigured: it is none.
    """
    if not text.isdecimal():
        raise Misconfigured(f"{variable}={text}: must be a port number from 1 to 65535")
    return int(in_range(text, variable, 1, 65535, "a port number"))


def positive_number(text: str, variable: str, unit: str) -> float:
    """Read a positive number.

    Raises:
        Misconfigured: it is none.
    """
    return in_range(text, variable, 1e-3, 1e9, f"a number of {unit}")


def run_main(program: str, run: Callable[[], int]) -> int:
    """Run a program; a foreseeable error becomes one line and exit status 2."""
    try:
        return run()
    except OcsError as error:
        sys.stderr.write(f"{program}: {error}\n")
        return 2
