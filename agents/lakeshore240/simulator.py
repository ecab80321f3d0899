"""``ls240-sim``: a simulated Lake Shore 240-2P or 240-8P on a real serial port, or a TCP port.

The serial port is a pseudo-terminal, found by a link at a path of your choice. Any client of the
real module can open it. With ``--truth`` it writes down every reading it sends, so that what has
arrived elsewhere can be compared with it; with ``--control`` and ``--scenario`` it misbehaves.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agents.lakeshore.sim.addresses import host_and_port
from agents.lakeshore.sim.conversation import Unit
from agents.lakeshore.sim.misbehaviour import Pace
from agents.lakeshore.sim.program import Server, add_common_arguments, run_simulator
from agents.lakeshore.sim.pty_server import PtyServer
from agents.lakeshore.sim.replies import SimulatedInstrument
from agents.lakeshore.sim.server import TcpServer
from agents.lakeshore240.sim_instrument import make_instrument

__all__ = ["MAX_CLIENTS", "PACE", "main", "make_parser"]

MAX_CLIENTS = 8
"""With --tcp; the real module has a serial port only."""

PACE = Pace(after_command_s=0.01, after_query_s=0.01, after_curve_point_s=0.01)


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line of ``ls240-sim``."""
    parser = argparse.ArgumentParser(
        prog="ls240-sim",
        description="A simulated Lake Shore 240 on a serial port or a TCP port. "
        "Environment: LOGLEVEL (default info).",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--pty",
        type=Path,
        metavar="PATH",
        help="make a serial port, with a link to it at PATH that clients open at any speed",
    )
    where.add_argument(
        "--tcp",
        type=host_and_port,
        metavar="HOST:PORT",
        help="TCP port to listen on; PORT alone is of this machine only, 0 takes a free one",
    )
    parser.add_argument(
        "--model",
        choices=["2P", "8P"],
        default="8P",
        help="module with two or eight inputs (default: %(default)s)",
    )
    add_common_arguments(parser, serial="LSA2359")
    parser.add_argument(
        "--factory-new",
        action="store_true",
        help="as out of its box: all inputs disabled, no curves",
    )
    parser.add_argument(
        "--shy",
        action="store_true",
        help="leave the first message after power-up unanswered, as the real one often does",
    )
    return parser


def main(args: Sequence[str] | None = None) -> int:
    """Run the simulator until it is told to stop; return the exit status."""
    options = make_parser().parse_args(args)
    from twisted.internet import reactor as installed  # noqa: PLC0415 - importing it installs it

    def instrument(clock: Callable[[], float]) -> SimulatedInstrument:
        return make_instrument(
            channels=int(options.model[0]),
            serial=options.serial,
            seed=options.seed,
            factory_new=options.factory_new,
            clock=clock,
        )

    def server(reactor: Any, unit: Unit) -> Server:
        if options.pty is not None:
            return PtyServer(reactor, unit, options.pty)
        host, port = options.tcp
        return TcpServer(
            reactor,
            unit,
            host,
            port,
            max_clients=MAX_CLIENTS,
            hint="Choose another one with --tcp.",
        )

    return run_simulator(
        installed,
        options,
        program="ls240-sim",
        title=f"Simulated Lake Shore 240-{options.model}, serial number {options.serial},",
        pace=PACE,
        make_instrument=instrument,
        make_server=server,
        shy=options.shy,
    )


if __name__ == "__main__":
    sys.exit(main())
