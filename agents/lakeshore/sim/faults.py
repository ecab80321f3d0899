"""All that can be made to go wrong with a simulated instrument: on, off, for how long."""

from collections.abc import Mapping
from typing import Any, Protocol

import attrs
from twisted.logger import Logger

from agents.lakeshore.sim.misbehaviour import FAULTS, BadFault, Misbehaviour
from agents.lakeshore.sim.replies import SimulatedInstrument
from agents.lakeshore.sim.truth import TruthFile

__all__ = ["ActiveFault", "FaultBoard", "Wire"]


class Wire(Protocol):
    """The connections of an instrument, for the faults that concern them as a whole."""

    def disconnect(self) -> None:
        """Close every connection."""
        ...

    def deaden(self) -> None:
        """Leave every connection open, but take and give nothing there any more."""
        ...

    def refuse(self, *, refused: bool) -> None:
        """Take no new connections, or take them again."""
        ...


@attrs.frozen
class ActiveFault:
    """A fault that is switched on.

    Attributes:
        name: which.
        target: channel, output or argument; None for all, or the default.
        since_s: the reactor's time at which it began.
        until_s: when it ends by itself; None if it does not.
    """

    name: str
    target: str | None
    since_s: float
    until_s: float | None


class FaultBoard:
    """Switches faults of the line and conditions of the instrument.

    Args:
        misbehaviour: the faults of the line.
        instrument: has conditions of its own.
        wire: its connections.
        reactor: Twisted's, for the time.
        truth: where it is noted.
    """

    log = Logger(namespace="simulator")

    def __init__(
        self,
        misbehaviour: Misbehaviour,
        instrument: SimulatedInstrument,
        wire: Wire,
        reactor: Any,
        truth: TruthFile | None = None,
    ) -> None:
        self._misbehaviour = misbehaviour
        self._instrument = instrument
        self._wire = wire
        self._reactor = reactor
        self._truth = truth
        self._active: dict[tuple[str, str | None], ActiveFault] = {}
        self._timers: dict[tuple[str, str | None], Any] = {}

    def available(self) -> Mapping[str, str]:
        """Return all faults there are: name and a line of help."""
        return {**FAULTS, **self._instrument.conditions()}

    def active(self) -> list[ActiveFault]:
        """Return the faults that are on, oldest first."""
        return list(self._active.values())

    def check_name(self, name: str) -> str:
        """Return a fault's name as it is kept.

        Raises:
            BadFault: there is no such fault.
        """
        known = self.available()
        # Words on a command line have hyphens, names in Python have not.
        name = name.replace("-", "_")
        if name not in known:
            raise BadFault(f"There is no fault {name!r}; there are {', '.join(known)}.")
        return name

    def begin(self, name: str, target: str | None = None, duration_s: float | None = None) -> None:
        """Switch a fault on, for a time or until it is cleared.

        Raises:
            BadFault: there is no such fault, or not for this target.
        """
        name = self.check_name(name)
        if name in FAULTS:
            self._misbehaviour.check(name, target)
            # The line has one fault of a kind; another argument takes the place of the first.
            self._clear(name)
            self._switch_line(name, target, on=True)
        else:
            self._set_condition(name, target, active=True)
        key = (name, target)
        self._forget_timer(key)
        now = self._reactor.seconds()
        until_s = None if duration_s is None else now + duration_s
        self._note(key, "begin")
        self.log.info("fault {what} begins", what=_words(key))
        if name == "disconnect" and duration_s is None:
            # It has happened: nothing is left that could be cleared.
            self._misbehaviour.end(name)
            self._note(key, "end")
            return
        self._active[key] = ActiveFault(name, target, now, until_s)
        if duration_s is not None:
            self._timers[key] = self._reactor.callLater(duration_s, self._end, key)

    def clear(self, name: str | None = None) -> list[ActiveFault]:
        """Switch faults of a name off, or all, and return them.

        Raises:
            BadFault: there is no such fault.
        """
        return self._clear(None if name is None else self.check_name(name))

    def stop(self) -> None:
        """Switch everything off for good."""
        self._clear(None)

    def _clear(self, name: str | None) -> list[ActiveFault]:
        cleared = [fault for fault in self._active.values() if name in {None, fault.name}]
        for fault in cleared:
            self._end((fault.name, fault.target))
        return cleared

    def _end(self, key: tuple[str, str | None]) -> None:
        self._forget_timer(key)
        del self._active[key]
        name, target = key
        if name in FAULTS:
            self._switch_line(name, target, on=False)
        else:
            self._set_condition(name, target, active=False)
            # Ending it for all must not end what was asked for one alone, and the reverse.
            for other_name, other_target in self._active:
                if other_name == name:
                    self._set_condition(name, other_target, active=True)
        self._note(key, "end")
        self.log.info("fault {what} has ended", what=_words(key))

    def _switch_line(self, name: str, argument: str | None, *, on: bool) -> None:
        if on:
            self._misbehaviour.begin(name, argument)
        else:
            self._misbehaviour.end(name)
        if name == "refuse":
            self._wire.refuse(refused=on)
        elif name == "disconnect" and on:
            self._wire.disconnect()
        elif name == "half_open" and on:
            self._wire.deaden()

    def _set_condition(self, name: str, target: str | None, *, active: bool) -> None:
        try:
            self._instrument.set_condition(name, target, active=active)
        except ValueError as error:
            raise BadFault(str(error)) from None

    def _forget_timer(self, key: tuple[str, str | None]) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None and timer.active():
            timer.cancel()

    def _note(self, key: tuple[str, str | None], state: Any) -> None:
        if self._truth is not None:
            self._truth.note_fault(*key, state)


def _words(key: tuple[str, str | None]) -> str:
    name, target = key
    return name if target is None else f"{name} {target}"
