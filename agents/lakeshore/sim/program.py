"""What the simulators' programs have in common: options, and everything put together."""

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from twisted.logger import Logger

from agents.lakeshore.sim.addresses import host_and_port
from agents.lakeshore.sim.clock import Life, SimClock
from agents.lakeshore.sim.control import Controller, ControlServer
from agents.lakeshore.sim.conversation import Unit
from agents.lakeshore.sim.faults import FaultBoard, Wire
from agents.lakeshore.sim.misbehaviour import Misbehaviour, Pace
from agents.lakeshore.sim.player import ScenarioPlayer
from agents.lakeshore.sim.replies import SimulatedInstrument
from agents.lakeshore.sim.scenario import shipped_scenarios
from agents.lakeshore.sim.truth import TruthFile
from ocs.errors import OcsError
from ocs.runner import Service, run_service

__all__ = ["Server", "add_common_arguments", "run_simulator", "whole"]


class Server(Wire, Protocol):
    """The instrument's port, of whatever kind."""

    @property
    def address(self) -> str:
        """Where clients find it."""
        ...

    def open(self) -> None:
        """Let clients in."""
        ...

    async def close(self) -> None:
        """Let nobody in any more and close all connections."""
        ...


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `low` to `high`, for argparse."""

    def number(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not from {low} to {high}")
        return value

    return number


def _serial(text: str) -> str:
    if not text.isascii() or not text.isalnum():
        raise argparse.ArgumentTypeError(f"{text!r} is not made of letters and digits")
    return text


def _above_zero(highest: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not 0 < value <= highest:
            raise argparse.ArgumentTypeError(f"{text} is not above 0 and up to {highest:g}")
        return value

    return number


def add_common_arguments(parser: argparse.ArgumentParser, *, serial: str) -> None:
    """Add the options that every simulator has; `serial` is the serial number by default."""
    parser.add_argument(
        "--serial", type=_serial, default=serial, help="its serial number (default: %(default)s)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="seed of all drifts, noise and faults (default: %(default)s)",
    )
    parser.add_argument(
        "--speed",
        type=_above_zero(1000.0),
        default=1.0,
        metavar="X",
        help="let its time run X times as fast as real time (default: %(default)g)",
    )
    parser.add_argument(
        "--truth",
        type=Path,
        metavar="FILE",
        help="append every reading sent and every fault to FILE, one JSON object a line",
    )
    parser.add_argument(
        "--control",
        type=host_and_port,
        metavar="HOST:PORT",
        help="port at which lakeshore-sim-control switches faults; PORT alone is of this machine "
        "only",
    )
    parser.add_argument(
        "--scenario",
        metavar="FILE",
        help="play this scenario from the start: a YAML file, or the name of one of ours "
        f"({', '.join(shipped_scenarios())})",
    )
    parser.add_argument(
        "--strict-pace",
        action="store_true",
        help="lose messages that come sooner than the manual allows, like the real one",
    )
    parser.add_argument(
        "--idle-answer",
        type=_above_zero(10.0),
        metavar="SECONDS",
        help="take a message without an end as complete after this time without more bytes "
        "(0.02 suits clients made for other simulators, which send none)",
    )


class _Simulator(Service):
    """An instrument, its port, its faults, and its life between questions."""

    log = Logger(namespace="simulator")

    def __init__(
        self,
        server: Server,
        board: FaultBoard,
        player: ScenarioPlayer,
        life: Life,
        control: ControlServer | None,
        truth: TruthFile | None,
        title: str,
    ) -> None:
        self._server = server
        self._board = board
        self._player = player
        self._life = life
        self._control = control
        self._truth = truth
        self._title = title

    def start(self) -> None:
        self._life.start()
        self.log.info("{title} listens on {where}", title=self._title, where=self._server.address)
        if self._control is not None:
            self.log.info("its control port is {where}", where=self._control.address)

    async def stop(self) -> None:
        self._player.stop()
        self._life.stop()
        # First: the end of a refusal opens the port again.
        self._board.stop()
        await self._server.close()
        if self._control is not None:
            await self._control.close()
        if self._truth is not None:
            self._truth.close()


def run_simulator(
    reactor: Any,
    options: argparse.Namespace,
    *,
    program: str,
    title: str,
    pace: Pace,
    make_instrument: Callable[[Callable[[], float]], SimulatedInstrument],
    make_server: Callable[[Any, Unit], Server],
    shy: bool = False,
) -> int:
    """Put a simulator together and run it until it is told to stop.

    Args:
        reactor: Twisted's.
        options: what `add_common_arguments` has read.
        program: the command's name, for messages.
        title: what it simulates, for the log.
        pace: what the instrument's manual asks of its clients.
        make_instrument: builds the instrument around a clock of Unix time.
        make_server: builds its port around a reactor and the unit.
        shy: whether the first message after power-up gets no answer.

    Returns:
        The exit status: 2 after an error that is the command line's, told in one line.
    """
    clock = SimClock(options.speed)
    truth = None
    if options.truth is not None:
        try:
            truth = TruthFile(options.truth.open("a", encoding="ascii"), clock)
        except OSError as error:
            return _fail(program, f"cannot write --truth {options.truth}: {error.strerror}")
    with contextlib.ExitStack() as undo:
        if truth is not None:
            undo.callback(truth.close)
        instrument = make_instrument(clock)
        misbehaviour = Misbehaviour(pace, reactor.seconds, seed=options.seed)
        unit = Unit(
            instrument,
            misbehaviour,
            reactor,
            truth=truth,
            idle_answer_s=options.idle_answer,
            shy=shy,
        )
        server = make_server(reactor, unit)
        board = FaultBoard(misbehaviour, instrument, server, reactor, truth)
        player = ScenarioPlayer(board, reactor)
        control = None
        if options.control is not None:
            controller = Controller(board, player, reactor)
            control = ControlServer(reactor, controller, *options.control)
        life = Life(instrument.advance, reactor, options.speed)
        try:
            if options.strict_pace:
                board.begin("strict_pace")
            if options.scenario is not None:
                player.play(options.scenario)
            if control is not None:
                control.open()
            # Last: a link that has been made must be removed again, by the service.
            server.open()
        except OcsError as error:
            return _fail(program, str(error))
        return run_service(reactor, _Simulator(server, board, player, life, control, truth, title))


def _fail(program: str, message: str) -> int:
    sys.stderr.write(f"{program}: {message}\n")
    return 2
