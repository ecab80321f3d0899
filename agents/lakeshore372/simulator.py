"""``ls372-sim``: a simulated Lake Shore 372 on a real TCP port.

Any client of the real instrument can talk to it. With ``--truth`` it writes down every reading it
sends, so that what has arrived elsewhere can be compared with it; with ``--control`` and
``--scenario`` it misbehaves.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from agents.lakeshore.sim.conversation import Unit
from agents.lakeshore.sim.misbehaviour import Pace
from agents.lakeshore.sim.program import add_common_arguments, run_simulator, whole
from agents.lakeshore.sim.replies import SimulatedInstrument
from agents.lakeshore.sim.server import TcpServer
from agents.lakeshore372.driver import DEFAULT_PORT
from agents.lakeshore372.sim_build import make_instrument

__all__ = ["MAX_CLIENTS", "PACE", "main", "make_parser"]

MAX_CLIENTS = 2
"""The unit has two sockets; a further client is turned away."""

PACE = Pace(after_command_s=0.05, after_query_s=0.0, after_curve_point_s=0.065)
"""What the manual asks, except after queries, where clients of the network port ignore it."""


def _scale(text: str) -> float:
    value = float(text)
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and up to 100")
    return value


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line of ``ls372-sim``."""
    parser = argparse.ArgumentParser(
        prog="ls372-sim",
        description="A simulated Lake Shore 372 with a 16-channel scanner on a TCP port. "
        "Environment: LOGLEVEL (default info).",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=whole(0, 65535),
        default=DEFAULT_PORT,
        help="TCP port to listen on; 0 takes a free one and says which (default: %(default)s)",
    )
    add_common_arguments(parser, serial="LSA23JD")
    parser.add_argument(
        "--dwell",
        type=whole(1, 200),
        default=10,
        help="seconds of readings in each visit (default: %(default)s)",
    )
    parser.add_argument(
        "--pause",
        type=whole(3, 200),
        default=3,
        help="seconds without after a channel change (default: %(default)s)",
    )
    parser.add_argument(
        "--scan-scale",
        type=_scale,
        default=1.0,
        metavar="F",
        help="multiply dwells and pauses by F: 1 is as real, 0.1 scans ten times faster "
        "(default: %(default)g)",
    )
    return parser


def main(args: Sequence[str] | None = None) -> int:
    """Run the simulator until it is told to stop; return the exit status."""
    options = make_parser().parse_args(args)
    from twisted.internet import reactor as installed  # noqa: PLC0415 - importing it installs it

    def instrument(clock: Callable[[], float]) -> SimulatedInstrument:
        return make_instrument(
            serial=options.serial,
            seed=options.seed,
            dwell_s=options.dwell,
            pause_s=options.pause,
            scale=options.scan_scale,
            clock=clock,
        )

    def server(reactor: Any, unit: Unit) -> TcpServer:
        return TcpServer(
            reactor,
            unit,
            options.host,
            options.port,
            max_clients=MAX_CLIENTS,
            hint="Choose another one with --host and --port.",
        )

    return run_simulator(
        installed,
        options,
        program="ls372-sim",
        title=f"Simulated Lake Shore 372, serial number {options.serial},",
        pace=PACE,
        make_instrument=instrument,
        make_server=server,
    )


if __name__ == "__main__":
    sys.exit(main())
