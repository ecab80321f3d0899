"""``ls372-sim``: a simulated Lake Shore 372 on a real TCP port.

Any client of the real instrument can talk to it. With ``--truth`` it writes down every reading it
sends, so that what has arrived elsewhere can be compared with it.
"""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from agents.lakeshore.messages import BadReply, LineFramer
from agents.lakeshore372.driver import DEFAULT_PORT
from agents.lakeshore372.sim_build import make_instrument
from agents.lakeshore372.sim_instrument import SentReading, SimulatedLs372
from ocs.runner import Service, run_service

__all__ = ["Ls372Factory", "TruthFile", "main", "make_parser"]

MAX_CLIENTS = 2
"""The unit has two sockets; a further client is turned away."""

_IDLE_STEP_S = 1.0


class TruthFile:
    """Every reading sent, one JSON object a line, in the file before it is on the network.

    Keys: ``time`` (Unix time the instrument made the reading), ``sent`` (Unix time of the answer),
    ``channel`` (1 to 16), ``quantity`` (``T`` kelvin, ``R`` ohms, ``Q`` quadrature ohms),
    ``value`` (text exactly as sent), ``status`` (its ``RDGST?`` bits), ``update`` (the T, R and Q
    of one reading share it). An answer that repeats a reading adds nothing.

    Args:
        stream: an open text file.
        clock: Unix time in seconds.
    """

    _log = Logger(namespace="ls372-sim")

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.time) -> None:
        self._stream = stream
        self._clock = clock
        self._incomplete = False

    def write(self, readings: Sequence[SentReading]) -> None:
        """Write down readings that are about to be sent."""
        if not readings:
            return
        sent = self._clock()
        lines = [
            json.dumps(
                {
                    "time": round(reading.time_s, 6),
                    "sent": round(sent, 6),
                    "channel": reading.channel,
                    "quantity": reading.quantity,
                    "value": reading.value,
                    "status": reading.status,
                    "update": reading.update,
                }
            )
            for reading in readings
        ]
        try:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()
        except OSError as error:
            # The instrument goes on: a log of the simulation is not worth its data.
            if not self._incomplete:
                self._log.error("the truth file is incomplete from here: {why}", why=error)
            self._incomplete = True

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._stream.close()


class _Client(Protocol):
    """One client's connection."""

    def __init__(self, factory: "Ls372Factory") -> None:
        self._owner = factory
        self._framer = LineFramer(terminator=b"\n")

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        self._transport.setTcpNoDelay(True)
        self._owner.clients.add(self)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override] # noqa: N802, ARG002
        self._owner.clients.discard(self)

    @property
    def _transport(self) -> Any:
        return self.transport

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        instrument = self._owner.instrument
        try:
            lines = self._framer.feed(data)
        except BadReply:
            instrument.refuse_line()
            return
        for line in lines:
            reply = instrument.handle_line(line.rstrip(b"\r"))
            if reply.text is not None:
                if self._owner.truth is not None:
                    self._owner.truth.write(reply.readings)
                self._transport.write(reply.text.encode("ascii") + b"\r\n")

    def drop(self) -> None:
        self._transport.loseConnection()


class Ls372Factory(Factory):
    """The instrument's TCP port, with room for two clients.

    Args:
        instrument: who answers.
        truth: where the readings sent are written down.
    """

    noisy = False

    def __init__(self, instrument: SimulatedLs372, truth: TruthFile | None = None) -> None:
        self.instrument = instrument
        self.truth = truth
        self.clients: set[_Client] = set()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:  # noqa: N802, ARG002
        """Give a client its connection; None, which closes it, if there are two already."""
        if len(self.clients) >= MAX_CLIENTS:
            return None
        return _Client(self)

    def drop_clients(self) -> None:
        """Close all connections."""
        for client in tuple(self.clients):
            client.drop()


class _Simulator(Service):
    """The listening port and the instrument's life between questions."""

    log = Logger(namespace="ls372-sim")

    def __init__(self, reactor: Any, factory: Ls372Factory, port: Any, serial: str) -> None:
        self._factory = factory
        self._port = port
        self._serial = serial
        # In quiet times the scan goes on in small steps, not in one leap at the next question.
        self._life = LoopingCall(factory.instrument.advance)
        self._life.clock = reactor

    def start(self) -> None:
        self._life.start(_IDLE_STEP_S)
        address = self._port.getHost()
        self.log.info(
            "Simulated Lake Shore 372, serial number {serial}, listens on {host}:{port}",
            serial=self._serial,
            host=address.host,
            port=address.port,
        )

    async def stop(self) -> None:
        self._life.stop()
        await self._port.stopListening()
        self._factory.drop_clients()
        if self._factory.truth is not None:
            self._factory.truth.close()


def _whole(low: int, high: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not from {low} to {high}")
        return value

    return number


def _scale(text: str) -> float:
    value = float(text)
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and up to 100")
    return value


def _serial(text: str) -> str:
    if not text.isascii() or not text.isalnum():
        raise argparse.ArgumentTypeError(f"{text!r} is not made of letters and digits")
    return text


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line of ``ls372-sim``."""
    parser = argparse.ArgumentParser(
        prog="ls372-sim",
        description="A simulated Lake Shore 372 with a 16-channel scanner on a TCP port. "
        "Environment: LOGLEVEL (default info).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port",
        type=_whole(0, 65535),
        default=DEFAULT_PORT,
        help="TCP port to listen on; 0 takes a free one and says which",
    )
    parser.add_argument("--serial", type=_serial, default="LSA23JD", help="its serial number")
    parser.add_argument("--seed", type=int, default=1, help="seed of all drifts and noise")
    parser.add_argument(
        "--dwell", type=_whole(1, 200), default=10, help="seconds of readings in each visit"
    )
    parser.add_argument(
        "--pause", type=_whole(3, 200), default=3, help="seconds without after a channel change"
    )
    parser.add_argument(
        "--scan-scale",
        type=_scale,
        default=1.0,
        metavar="F",
        help="multiply dwells and pauses by F: 1 is as real, 0.1 scans ten times faster",
    )
    parser.add_argument(
        "--truth",
        type=Path,
        metavar="FILE",
        help="append every reading sent to FILE, one JSON object a line",
    )
    return parser


def main(args: Sequence[str] | None = None) -> int:
    """Run the simulator until it is told to stop; return the exit status."""
    options = make_parser().parse_args(args)
    from twisted.internet import reactor as installed  # noqa: PLC0415 - importing it installs it

    reactor: Any = installed
    truth = None
    if options.truth is not None:
        try:
            truth = TruthFile(options.truth.open("a", encoding="ascii"))
        except OSError as error:
            return _fail(f"cannot write --truth {options.truth}: {error.strerror}")
    instrument = make_instrument(
        serial=options.serial,
        seed=options.seed,
        dwell_s=options.dwell,
        pause_s=options.pause,
        scale=options.scan_scale,
    )
    factory = Ls372Factory(instrument, truth)
    try:
        port = reactor.listenTCP(options.port, factory, interface=options.host)
    except CannotListenError as error:
        return _fail(
            f"cannot listen on {options.host}:{options.port}: {error.socketError.strerror}. "
            "Choose another one with --host and --port."
        )
    return run_service(reactor, _Simulator(reactor, factory, port, options.serial))


def _fail(message: str) -> int:
    sys.stderr.write(f"ls372-sim: {message}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
