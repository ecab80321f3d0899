"""The control port: makes a running simulator misbehave, one line a request, one JSON line back."""

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol

from agents.lakeshore.messages import BadReply, LineFramer
from agents.lakeshore.sim.faults import ActiveFault, FaultBoard
from agents.lakeshore.sim.misbehaviour import BadFault
from agents.lakeshore.sim.player import ScenarioPlayer
from agents.lakeshore.sim.server import CannotListen
from ocs.errors import OcsError

__all__ = ["COMMANDS", "ControlServer", "Controller"]

COMMANDS = {
    "help": "what can be asked, and the faults there are",
    "status": "the faults that are on, and the scenario",
    "fault NAME [TARGET] [for SECONDS]": "switch a fault on, for a time or until it is cleared; "
    "TARGET is a channel, an output, or the fault's argument",
    "clear [NAME]": "switch the faults of this name off, or all, and end the scenario",
    "scenario FILE": "play a scenario: a YAML file of the simulator's machine, or a name of ours",
}
"""Requests of the control port, each with a line of help."""

_LONGEST_S = 86400.0


class Controller:
    """Answers the requests of a control port.

    Args:
        board: the faults.
        player: plays scenarios.
        reactor: Twisted's, for the time.
    """

    def __init__(self, board: FaultBoard, player: ScenarioPlayer, reactor: Any) -> None:
        self._board = board
        self._player = player
        self._reactor = reactor
        self._requests: dict[str, Callable[[list[str]], dict[str, Any]]] = {
            "help": self._help,
            "status": self._status,
            "fault": self._fault,
            "clear": self._clear,
            "scenario": self._scenario,
        }

    def handle(self, request: str) -> dict[str, Any]:
        """Carry a request out; return the answer, with ``ok`` and, if that is false, ``error``."""
        word, *words = request.split() or [""]
        try:
            if word not in self._requests:
                raise BadFault(f"There is no request {word!r}; there are {', '.join(COMMANDS)}.")
            return {"ok": True, **self._requests[word](words)}
        except OcsError as error:
            return {"ok": False, "error": str(error)}

    def _help(self, words: list[str]) -> dict[str, Any]:
        _at_most(words, 0, "help")
        return {"requests": COMMANDS, "faults": dict(self._board.available())}

    def _status(self, words: list[str]) -> dict[str, Any]:
        _at_most(words, 0, "status")
        return {
            "faults": [self._describe(fault) for fault in self._board.active()],
            "scenario": self._player.playing,
        }

    def _describe(self, fault: ActiveFault) -> dict[str, Any]:
        now = self._reactor.seconds()
        left_s = None if fault.until_s is None else round(max(0.0, fault.until_s - now), 3)
        return {
            "name": fault.name,
            "target": fault.target,
            "for_s": round(now - fault.since_s, 3),
            "left_s": left_s,
        }

    def _fault(self, words: list[str]) -> dict[str, Any]:
        duration_s = None
        if len(words) > 2 and words[-2] == "for":
            *words, _, text = words
            duration_s = _seconds(text)
        if len(words) not in {1, 2} or "for" in words:
            raise BadFault("A request for a fault is: fault NAME [TARGET] [for SECONDS].")
        name, target = words[0], words[1] if len(words) == 2 else None
        self._board.begin(name, target, duration_s)
        return self._status([])

    def _clear(self, words: list[str]) -> dict[str, Any]:
        _at_most(words, 1, "clear [NAME]")
        if not words:
            self._player.stop()
        cleared = self._board.clear(words[0] if words else None)
        return {"cleared": [self._describe(fault) for fault in cleared], **self._status([])}

    def _scenario(self, words: list[str]) -> dict[str, Any]:
        if len(words) != 1:
            raise BadFault("A request for a scenario is: scenario FILE.")
        self._player.play(words[0])
        return self._status([])


class _Control(Protocol):
    """One connection of the control port."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._framer = LineFramer(terminator=b"\n")

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        transport: Any = self.transport
        try:
            lines = self._framer.feed(data)
        except BadReply as error:
            transport.write(_line({"ok": False, "error": str(error)}))
            return
        for line in lines:
            request = line.decode("utf-8", "replace").strip()
            transport.write(_line(self._controller.handle(request)))


class _ControlFactory(Factory):
    noisy = False

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def buildProtocol(self, addr: IAddress | None) -> Protocol:  # noqa: N802, ARG002
        return _Control(self._controller)


class ControlServer:
    """The control port.

    Args:
        reactor: Twisted's.
        controller: who answers.
        host: address to listen on; whoever reaches it can make the simulator misbehave.
        port: TCP port; 0 takes a free one.
    """

    def __init__(self, reactor: Any, controller: Controller, host: str, port: int) -> None:
        self._reactor = reactor
        self.factory = _ControlFactory(controller)
        self._host = host
        self._port = port
        self._listening: Any = None

    @property
    def address(self) -> str:
        """Where it is found."""
        return f"{self._host}:{self._port}"

    def open(self) -> None:
        """Begin to listen.

        Raises:
            CannotListen: the address is not to be had.
        """
        try:
            self._listening = self._reactor.listenTCP(
                self._port, self.factory, interface=self._host
            )
        except CannotListenError as error:
            raise CannotListen(
                f"cannot listen on {self.address} (--control): {error.socketError.strerror}"
            ) from None
        self._port = self._listening.getHost().port

    async def close(self) -> None:
        """Listen no more."""
        if self._listening is not None:
            await self._listening.stopListening()


def _line(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode() + b"\n"


def _at_most(words: list[str], number: int, form: str) -> None:
    if len(words) > number:
        raise BadFault(f"The request is: {form}.")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= _LONGEST_S:
        raise BadFault(f"{text!r} is no time above 0 and up to {_LONGEST_S:g} seconds.")
    return value
