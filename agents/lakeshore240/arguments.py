"""The Agent's command line: every option of any era, and what it means today.

Era by era: the project's Lake Shore specification, section 7. Site configurations hand numbers
over as text.
"""

import argparse
import re

from agents.lakeshore240.acq_process import Era
from agents.lakeshore240.driver import Ls240Driver, connector_for, manners_for

__all__ = ["DEFAULT_RATE_HZ", "add_arguments", "make_drivers", "options_without_effect", "rate"]

DEFAULT_RATE_HZ = 2.5
HIGHEST_RATE_HZ = 10.0
"""As often as a module makes a new reading."""


def rate(text: str | float) -> float:
    """Read a sampling frequency in hertz.

    Raises:
        ValueError: it is none, or not above 0 and up to 10 Hz.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= HIGHEST_RATE_HZ:
        raise ValueError(f"a sampling frequency of {text} Hz is not above 0 and up to 10 Hz")
    return value


def _rate(text: str) -> float:
    try:
        return rate(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) for name in names):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a serial number, or several with commas between them"
        )
    if len(set(names)) != len(names):
        raise argparse.ArgumentTypeError(f"{text!r} names a module twice")
    return names


def _ports(text: str) -> list[str]:
    return [port.strip() for port in text.split(",")]


def add_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the Agent's own options to a parser and return it."""
    group = parser.add_argument_group("Lake Shore 240")
    group.add_argument(
        "--serial-number",
        type=_names,
        metavar="SN[,SN...]",
        help="serial number of the module, to find its port by; any other module is refused. "
        "Several modules with commas between them",
    )
    group.add_argument(
        "--port",
        type=_ports,
        metavar="PORT[,PORT...]",
        help="where the module is, if it is not to be found by its serial number: path of a serial "
        "port, socket://HOST:PORT for a serial port in the network, tcp://HOST:PORT for a "
        "simulator; as many as serial numbers",
    )
    group.add_argument(
        "--mode",
        choices=("idle", "init", "acq"),
        default="idle",
        help="what to do on starting: nothing, init_lakeshore, or acq (default: idle)",
    )
    group.add_argument(
        "--sampling-frequency",
        type=_rate,
        default=DEFAULT_RATE_HZ,
        metavar="HZ",
        help="readings a second of each input, up to 10; a module with eight enabled inputs "
        f"manages about 3 (default: {DEFAULT_RATE_HZ})",
    )
    group.add_argument(
        "--era",
        choices=[era.value for era in Era],
        default=Era.CURRENT.value,
        help="2019: publish the fields of that year, too: each input's name, in its preferred "
        "units (default: current)",
    )
    group.add_argument(
        "--fake-data", nargs="?", const="1", help="accepted, without effect: run ls240-sim"
    )
    group.add_argument("--num-channels", help="accepted, without effect: the module says it")
    return parser


def options_without_effect(args: argparse.Namespace) -> list[str]:
    """Return one sentence for each option given that has no effect."""
    sentences = []
    if args.fake_data is not None:
        sentences.append("--fake-data has no effect: run ls240-sim and give its port.")
    if args.num_channels is not None:
        sentences.append("--num-channels has no effect: the module says how many it has.")
    return sentences


def make_drivers(args: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Ls240Driver]:
    """Return a driver for each module; end the program if the options do not go together."""
    serials: list[str | None] = args.serial_number or [None]
    ports: list[str | None] = args.port or [None] * len(serials)
    if len(ports) > 1 and len(ports) != len(serials):
        parser.error(
            f"--port names {len(ports)} ports, but --serial-number {len(serials)} modules; "
            "give as many"
        )
    if len(ports) == 1 < len(serials):
        parser.error("--port names one port, but --serial-number several modules; leave it out")
    try:
        return [
            Ls240Driver(
                connector_for(port, serial), expected_serial=serial, manners=manners_for(port)
            )
            for port, serial in zip(ports, serials, strict=True)
        ]
    except ValueError as error:
        parser.error(str(error))
