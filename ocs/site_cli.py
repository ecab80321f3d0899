"""``ocs-site``: make the directory of a new site, or look over one."""

import argparse
import os
import re
import shlex
import socket
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from ocs.errors import OcsError
from ocs.logs import start_logging
from ocs.site_check import check_site_directory
from ocs.site_new import (
    DEFAULT_DATA_DIR,
    LAKESHORE_240,
    LAKESHORE_372,
    Instrument,
    InstrumentKind,
    NewSite,
    check_name,
    find_templates,
    make_site,
)

__all__ = ["UsageError", "main", "make_parser", "new_site", "run_check", "run_new"]

T = TypeVar("T")

Ask = Callable[[str], str]
Write = Callable[[str], object]

INTERRUPTED = 130
"""Exit status after Ctrl-C, as a shell has it."""

_DESCRIPTION = """\
Make the directory of a new site, or say what is wrong with one.

  %(prog)s new yale --lakeshore372 LSA23JD=10.10.10.6 --lakeshore240 LSA22ZC
  %(prog)s check yale

`%(prog)s COMMAND --help` tells the options of a command.

Exit status: 0 done, or in order; 1 check has found a problem; 2 wrong usage, or nothing was made.
"""

_NEW = """\
Copy the templates into a new directory, name the site's configuration after it, fill in this
computer and the instruments, link default.yaml to it, and load the result to see that it is right.
What is not given is asked for, on a terminal. Nothing is left behind if it fails.
"""

_CHECK = """\
Look over the directory of a site: its configuration, default.yaml, hosts, instances, the data
nodes of docker-compose.yml, .env, certificates and the modes of secrets. One line a finding, with
what to do about it: a "problem" keeps something from working or from being safe, a "note" does not.
"""


class UsageError(OcsError):
    """Something has to be said on the command line; the message names the option."""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="ocs-site", description=_DESCRIPTION, formatter_class=shape
    )
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)

    new = commands.add_parser(
        "new", help="make the directory of a new site", description=_NEW, formatter_class=shape
    )
    new.add_argument("name", nargs="?", metavar="NAME", help="name of the site, such as yale")
    new.add_argument(
        "--directory", type=Path, metavar="PATH", help="directory to make (default: ./NAME)"
    )
    new.add_argument(
        "--hostname",
        help="computer the agents run on (default: this one, %(default)s)",
        default=socket.gethostname(),
    )
    new.add_argument(
        "--lakeshore372",
        action="append",
        default=[],
        type=_lakeshore_372,
        metavar="SN=ADDRESS",
        help="a Lake Shore 372: serial number and IP address; may be given several times",
    )
    new.add_argument(
        "--lakeshore240",
        action="append",
        default=[],
        type=_lakeshore_240,
        metavar="SN[=PORT]",
        help="a Lake Shore 240: serial number, and its serial port if it is not to be found by it; "
        "may be given several times",
    )
    new.add_argument(
        "--no-instruments", action="store_true", help="a site without instruments of its own yet"
    )
    new.add_argument(
        "--data-dir",
        default=DEFAULT_DATA_DIR,
        metavar="DIR",
        help="where the Aggregator on this computer writes its files (default: %(default)s)",
    )
    new.add_argument(
        "--no-link", action="store_true", help="no default.yaml: programs need --site=NAME"
    )

    check = commands.add_parser(
        "check", help="say what is wrong with a site", description=_CHECK, formatter_class=shape
    )
    check.add_argument(
        "directory", nargs="?", type=Path, metavar="DIR", help="default: $OCS_CONFIG_DIR"
    )
    check.add_argument(
        "--hostname",
        help="check it for this computer (default: this one, %(default)s)",
        default=socket.gethostname(),
    )
    check.add_argument("--site", default="default", help="check DIR/SITE.yaml (default: default)")
    return parser


def main(args: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        args: Command line; None takes ``sys.argv[1:]``.

    Returns:
        The exit status.
    """
    options = make_parser().parse_args(args)
    try:
        if options.command == "check":
            # Keys of a site file that mean nothing to us are said in the log.
            start_logging("warn", sys.stderr)
            return run_check(
                options, os.environ.get("OCS_CONFIG_DIR"), datetime.now(UTC), sys.stdout.write
            )
        # A question on standard output would end up in a file with the rest.
        on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        return run_new(options, input if on_terminal else None, sys.stdout.write)
    except (OcsError, OSError) as error:
        sys.stderr.write(f"ocs-site: {error}\n")
        return 2
    except (KeyboardInterrupt, EOFError):
        sys.stderr.write("\nocs-site: nothing was made\n")
        return INTERRUPTED


def run_new(options: argparse.Namespace, ask: Ask | None, write: Write) -> int:
    """Make a site and say what comes next.

    Args:
        options: Of the command ``new``.
        ask: Puts a question and returns the answer; None if there is nobody to ask.
        write: Takes text for people.

    Returns:
        The exit status.

    Raises:
        OcsError: It cannot be made; nothing was left behind.
    """
    site = new_site(options, ask, write)
    templates = find_templates()
    make_site(site, templates)
    write(f"Made {site.directory}: {site.file_name} describes this site and is well-formed.\n")
    where = shlex.quote(str(site.directory.absolute()))
    steps = [
        (f"export OCS_CONFIG_DIR={where}", "in every terminal; best in ~/.bashrc"),
        ("cd $OCS_CONFIG_DIR && ./setup-tls.sh && sudo ./init-docker-env.sh", ""),
        ("docker-compose up -d", "the live monitor"),
    ]
    if not site.link:
        steps.append((f"--site={site.name}", "for every program: there is no default.yaml"))
    if templates.source is None:
        steps.insert(
            1, ("editor $OCS_CONFIG_DIR/.env", "set OCS_SOURCE to a clone of this project")
        )
    write("Next:\n\n")
    for command, remark in steps:
        write(f"    {command:<40}  # {remark}\n" if remark else f"    {command}\n")
    write("\n`ocs-site check` then says whether anything is missing.\n")
    return 0


def new_site(options: argparse.Namespace, ask: Ask | None, write: Write) -> NewSite:
    """Return the site that the options and the answers describe.

    Args:
        options: Of the command ``new``.
        ask: As for :func:`run_new`.
        write: Takes the reason why an answer will not do.

    Raises:
        UsageError: Something is missing, and nobody is there to ask.
    """
    name = options.name
    if name is None:
        if ask is None:
            raise UsageError("the name of the site is missing: ocs-site new NAME")
        name = _answer(ask, write, "Name of the site, such as yale: ", _site_name)
    instruments: list[Instrument] = [*options.lakeshore372, *options.lakeshore240]
    if options.no_instruments and instruments:
        raise UsageError("--no-instruments excludes --lakeshore372 and --lakeshore240")
    if not instruments and not options.no_instruments:
        if ask is None:
            raise UsageError(
                "no instrument is given: --lakeshore372 SN=ADDRESS, --lakeshore240 SN[=PORT], "
                "or --no-instruments"
            )
        instruments = [
            *_ask_instruments(ask, write, "Lake Shore 372, as SN=ADDRESS", _lakeshore_372),
            *_ask_instruments(ask, write, "Lake Shore 240, as SN or SN=PORT", _lakeshore_240),
        ]
    return NewSite(
        name=name,
        directory=options.directory or Path(name),
        hostname=options.hostname,
        instruments=instruments,
        data_dir=options.data_dir,
        link=not options.no_link,
    )


def run_check(options: argparse.Namespace, default: str | None, now: datetime, write: Write) -> int:
    """Look over a site and write what was found.

    Args:
        options: Of the command ``check``.
        default: The directory if none is given, or None.
        now: The time, with a time zone.
        write: Takes text for people.

    Returns:
        1 if a problem was found, else 0.

    Raises:
        UsageError: There is no directory to check.
    """
    directory = options.directory
    if directory is None:
        if not default:
            raise UsageError("which site? Give its directory, or set OCS_CONFIG_DIR")
        directory = Path(default)
    findings = check_site_directory(directory, options.hostname, now, options.site)
    problems = [finding for finding in findings if finding.serious]
    for finding in sorted(findings, key=lambda finding: not finding.serious):
        write(f"{'problem' if finding.serious else 'note'}: {finding.text}\n")
    if problems:
        write(f"{directory}: {len(problems)} problem{'s' if len(problems) > 1 else ''}\n")
        return 1
    write(f"{directory}: in order\n")
    return 0


def _answer(ask: Ask, write: Write, question: str, read: Callable[[str], T]) -> T:
    while True:
        try:
            return read(ask(question).strip())
        except (argparse.ArgumentTypeError, OcsError) as error:
            write(f"{error}\n")


def _ask_instruments(
    ask: Ask, write: Write, what: str, read: Callable[[str], Instrument]
) -> list[Instrument]:
    instruments: list[Instrument] = []
    question = f"{what} (nothing: no more): "
    while found := _answer(ask, write, question, lambda text: read(text) if text else None):
        instruments.append(found)
    return instruments


def _site_name(text: str) -> str:
    check_name(text)
    return text


def _lakeshore_372(text: str) -> Instrument:
    serial_number, _, address = text.partition("=")
    # With a port, or an IPv6 address, as the agent understands it.
    if not re.fullmatch(r"[A-Za-z0-9_.:\[\]-]+", address):
        raise argparse.ArgumentTypeError(f"{text!r} is not SN=ADDRESS, such as LSA23JD=10.10.10.6")
    return _instrument(LAKESHORE_372, serial_number, address)


def _lakeshore_240(text: str) -> Instrument:
    serial_number, equals, port = text.partition("=")
    if (equals and not port) or not port.isprintable() or "," in port:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not SN or SN=PORT, such as LSA22ZC=/dev/ttyUSB0"
        )
    return _instrument(LAKESHORE_240, serial_number, port)


def _instrument(kind: InstrumentKind, serial_number: str, place: str) -> Instrument:
    if not (serial_number.isascii() and serial_number.isalnum()):
        raise argparse.ArgumentTypeError(
            f"{serial_number!r} is no serial number: letters and digits, as on the unit's label"
        )
    return Instrument(kind, serial_number, place)


if __name__ == "__main__":
    sys.exit(main())
