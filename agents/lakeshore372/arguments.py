"""The Agent's command line: every option of any era, and what it means today.

Era by era: the project's Lake Shore specification, section 6.1. Site configurations hand numbers
and booleans over as text.
"""

import argparse

import attrs

from agents.lakeshore372 import limits
from agents.lakeshore372.acq_process import AcqOptions, Era
from agents.lakeshore372.acquisition import SettleBy
from agents.lakeshore372.dialect import EMULATOR
from agents.lakeshore372.driver import DEFAULT_PORT
from agents.lakeshore372.settings_file import SettingsError, find_settings, load_settings

__all__ = [
    "Address",
    "acq_options",
    "add_arguments",
    "check_configfile",
    "instrument_address",
    "options_without_effect",
    "parse_address",
]

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


@attrs.frozen
class Address:
    """Where the instrument is; no port stands for the usual one."""

    host: str
    port: int | None = None


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a TCP port, 1 to 65535")
    return int(text)


def parse_address(text: str) -> Address:
    """Read ``HOST`` or ``HOST:PORT``; an IPv6 address with a port is in square brackets.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        malformed = not bracket or colon not in {"", ":"}
    elif text.count(":") > 1:
        host, colon, port, malformed = text, "", "", False
    else:
        host, colon, port = text.partition(":")
        malformed = False
    if malformed or not host or any(character.isspace() for character in text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an address or address:port")
    return Address(host, _port(port) if colon else None)


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 200:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds, 0 to 200")
    return int(text)


def _settle_by(text: str) -> SettleBy:
    try:
        return SettleBy(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither pause nor status") from None


def add_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the Agent's own options to a parser and return it."""
    group = parser.add_argument_group("Lake Shore 372")
    group.add_argument(
        "--serial-number", metavar="SN", help="serial number; any other unit is refused"
    )
    group.add_argument(
        "--ip-address",
        type=parse_address,
        required=True,
        metavar="HOST[:PORT]",
        help="address of the unit",
    )
    group.add_argument(
        "--port", type=_port, metavar="PORT", help=f"its TCP port (default: {DEFAULT_PORT})"
    )
    group.add_argument(
        "--mode",
        choices=("idle", "init", "acq"),
        default="acq",
        help="what to do on starting: nothing, init_lakeshore, or acq (default: acq)",
    )
    group.add_argument(
        "--dwell-time-delay",
        type=_seconds,
        default=0,
        metavar="SECONDS",
        help="further wait after a channel change, at most the dwell less 1 s (default: 0)",
    )
    group.add_argument(
        "--settle-by",
        type=_settle_by,
        default=SettleBy.PAUSE,
        metavar="{pause,status}",
        help="after a channel change wait for the channel's whole change pause, or only until the "
        "unit says that its reading is valid (default: pause)",
    )
    group.add_argument(
        "--sample-heater",
        type=_boolean,
        nargs="?",
        const=True,
        default=False,
        metavar="{true,false}",
        help="publish the sample heater's output too (default: false)",
    )
    group.add_argument(
        "--enable-control-chan", action="store_true", help="read the control input, A, too"
    )
    group.add_argument(
        "--configfile",
        metavar="FILE",
        help="channel settings to apply on starting in the modes init and acq; a relative path is "
        "meant from $OCS_CONFIG_DIR",
    )
    group.add_argument(
        "--era",
        choices=[era.value for era in Era],
        default=Era.CURRENT.value,
        help="2019: publish the field of that year, too: the channel's name, in its preferred "
        "units (default: current)",
    )
    group.add_argument(
        "--dialect",
        choices=("instrument", "emulator"),
        default="instrument",
        help="emulator: it is upstream's emulator, which ends no line (default: instrument)",
    )
    group.add_argument(
        "--auto-acquire", action="store_true", help="accepted; it is what --mode acq does"
    )
    group.add_argument(
        "--fake-data", type=int, default=0, help="accepted, without effect: run ls372-sim"
    )
    limits.add_arguments(parser)
    return parser


def instrument_address(args: argparse.Namespace, parser: argparse.ArgumentParser) -> Address:
    """Return host and port from ``--ip-address`` and ``--port``; end the program if they differ."""
    given: Address = args.ip_address
    if args.port is not None and given.port is not None and args.port != given.port:
        parser.error(f"--ip-address says port {given.port}, but --port says {args.port}")
    return Address(given.host, given.port or args.port or DEFAULT_PORT)


def acq_options(args: argparse.Namespace) -> AcqOptions:
    """Return how readings are to be taken."""
    return AcqOptions(
        settle_by=args.settle_by,
        dwell_time_delay_s=args.dwell_time_delay,
        dialect=EMULATOR if args.dialect == "emulator" else None,
        era=Era(args.era),
    )


def check_configfile(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """End the program if there is something wrong with the file of ``--configfile``."""
    if args.configfile is None:
        return
    path = find_settings(args.configfile)
    try:
        units = load_settings(path)
    except SettingsError as error:
        parser.error(f"--configfile: {error}")
    if args.serial_number not in {None, *units}:
        parser.error(
            f"--configfile: {path} has nothing for the unit with serial number "
            f"{args.serial_number}, only for {', '.join(units)}"
        )


def options_without_effect(args: argparse.Namespace) -> list[str]:
    """Return one sentence for each option given that has no effect any more."""
    if args.fake_data:
        return ["--fake-data has no effect: run ls372-sim and give its address."]
    return []
