"""``lakeshore-curve``: calibration curves between files and instruments, without an Agent.

An Agent that uses the same instrument can go on over TCP (the 372 takes two connections); a 240's
serial port is for one program at a time.
"""

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agents.lakeshore.curve_files import read_curve, write_340
from agents.lakeshore.curve_transfer import CurveIncomplete, CurveTransfer, Progress
from agents.lakeshore.curves import Curve, CurveLocations, CurveUnfit
from agents.lakeshore.link import InstrumentLink
from agents.lakeshore.messages import InstrumentError
from agents.lakeshore240.driver import LS240_CURVES, Ls240Driver, connector_for, manners_for
from agents.lakeshore372.arguments import parse_address
from agents.lakeshore372.curve_operations import LS372_CURVES
from agents.lakeshore372.driver import DEFAULT_PORT, Ls372Driver

__all__ = ["main", "make_parser"]

_KINDS = {"372": LS372_CURVES, "240": LS240_CURVES}

_EPILOG = """\
exit status:
  0  done; with check: the file is fit
  1  refused: the file is not fit, or is there already, or the location is taken
  2  wrong command line, or the instrument does not answer; nothing was changed
  3  writing failed halfway: the location is empty or incomplete, write it again
"""


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="lakeshore-curve",
        description="Check and convert calibration files (.340, .cal, .34A, .curve, .cof), and "
        "move curves between files and a Lake Shore 372 or 240.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="read a file and say what is in it, or wrong with it")
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument(
        "--for", dest="kind", choices=_KINDS, help="instrument it must be fit for (default: either)"
    )
    check.set_defaults(run=_check)

    convert = commands.add_parser("convert", help="write a file of any form anew as .340")
    convert.add_argument("file", type=Path, metavar="FILE")
    convert.add_argument("out", type=Path, metavar="OUT.340", help="must not be there yet")
    convert.set_defaults(run=_convert)

    write = commands.add_parser("write", help="write a file to an instrument, and verify it")
    write.add_argument("file", type=Path, metavar="FILE")
    _add_instrument(write)
    write.add_argument("--overwrite", action="store_true", help="replace a curve that is there")
    write.add_argument("--dry-run", action="store_true", help="check everything, change nothing")
    write.set_defaults(run=_write)

    read = commands.add_parser("read", help="read a curve from an instrument into a .340 file")
    read.add_argument("out", type=Path, metavar="OUT.340", help="must not be there yet")
    _add_instrument(read)
    read.set_defaults(run=_read)
    return parser


def _add_instrument(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--address", type=parse_address, metavar="HOST[:PORT]", help="network address of a 372"
    )
    where.add_argument(
        "--port", metavar="PORT", help="port of a 240: a path, socket:// or tcp://HOST:PORT"
    )
    parser.add_argument("--serial-number", metavar="SN", help="refuse any other instrument")
    parser.add_argument(
        "--location",
        type=int,
        required=True,
        metavar="N",
        help="curve 21 to 59 of a 372 (read: 1 to 59), channel 1 to 8 of a 240",
    )


@contextmanager
def _instrument(options: argparse.Namespace) -> Iterator[tuple[CurveTransfer, CurveLocations]]:
    """Open the instrument that is meant; close it in the end."""
    link: InstrumentLink
    if options.address is not None:
        host, port = options.address.host, options.address.port or DEFAULT_PORT
        link, where = Ls372Driver(host, port, expected_serial=options.serial_number), LS372_CURVES
    else:
        connector, manners = connector_for(options.port, None), manners_for(options.port)
        link = Ls240Driver(connector, expected_serial=options.serial_number, manners=manners)
        where = LS240_CURVES
    try:
        yield (
            CurveTransfer(link, where, on_progress=_progress_line(), cancel=options.cancel),
            where,
        )
    finally:
        link.close()


def _check(options: argparse.Namespace) -> str:
    curve = read_curve(options.file)
    fits = [
        kind
        for kind, where in _KINDS.items()
        if options.kind in {None, kind} and not curve.problems(where.formats)
    ]
    if not fits:
        curve.require_fit(_KINDS[options.kind or "372"].formats)
    return f"{options.file}: {_describe(curve)}. Fit for the {' and the '.join(fits)}."


def _convert(options: argparse.Namespace) -> str:
    curve = read_curve(options.file)
    curve.require_fit(tuple(dict.fromkeys(LS372_CURVES.formats + LS240_CURVES.formats)))
    write_340(options.out, curve)
    return f"{options.out}: {_describe(curve)}."


def _write(options: argparse.Namespace) -> str:
    curve = read_curve(options.file)
    location, overwrite = options.location, options.overwrite
    with _instrument(options) as (transfer, where):
        if not options.dry_run:
            return transfer.write(location, curve, overwrite=overwrite)
        present = transfer.require_writable(location, curve, overwrite=overwrite)
    return (
        f"{options.file}: {_describe(curve)}. {where.title(location)} holds {present}. Nothing was "
        "changed."
    )


def _read(options: argparse.Namespace) -> str:
    location = options.location
    with _instrument(options) as (transfer, where):
        last = where.locations[-1]
        if not 1 <= location <= last:
            raise CurveUnfit(f"There is no {where.word} {location}; there are 1 to {last}.")
        curve = transfer.read(location)
    if not curve.points:
        raise CurveUnfit(f"{where.title(location)} holds no curve; no file was written.")
    write_340(options.out, curve)
    return f"{options.out}: {_describe(curve)}."


def _describe(curve: Curve) -> str:
    header, points = curve.header, curve.points
    kelvins = [point.kelvin for point in points]
    return (
        f"{header.name!r}, serial number {header.serial!r}, format {header.format:d} "
        f"({header.format.name.lower().replace('_', ' ')}), {len(points)} points, "
        f"{points[0].units:g} to {points[-1].units:g}, {min(kelvins):g} to {max(kelvins):g} K"
    )


def _progress_line() -> Callable[[Progress], None] | None:
    """Return what shows progress on one line of a terminal; None if nobody looks."""
    if not sys.stderr.isatty():
        return None

    def show(progress: Progress) -> None:
        end = "\n" if progress.done == progress.total else ""
        sys.stderr.write(f"\r{progress.phase} {progress.done} of {progress.total}   {end}")
        sys.stderr.flush()

    return show


def main(args: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    parser = make_parser()
    options = parser.parse_args(args)
    options.cancel = threading.Event()
    # Ctrl-C ends a transfer between two messages, and the message says what that means.
    before = signal.signal(signal.SIGINT, lambda *_: options.cancel.set())
    try:
        sys.stdout.write(f"{options.run(options)}\n")
    except CurveIncomplete as error:
        return _fail(error, 3)
    except CurveUnfit as error:
        return _fail(error, 1)
    except (InstrumentError, ValueError) as error:
        return _fail(error, 2)
    finally:
        signal.signal(signal.SIGINT, before)
    return 0


def _fail(error: Exception, status: int) -> int:
    sys.stderr.write(f"lakeshore-curve: {error}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
