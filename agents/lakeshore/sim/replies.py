"""What passes between a simulated instrument and the server that gives it a port."""

from collections.abc import Mapping
from typing import Protocol

import attrs

__all__ = ["Reply", "SentReading", "SimulatedInstrument"]


@attrs.frozen
class SentReading:
    """A reading that an answer carries for the first time.

    Attributes:
        time_s: when the instrument made the reading, Unix time.
        channel: a number, or ``A`` for the 372's control input.
        quantity: ``T`` kelvin, ``R`` ohms, ``Q`` quadrature ohms, ``S`` sensor units (volts of a
            diode, ohms of a resistor).
        value: exactly as sent.
        update: number of the reading; the quantities of one reading share it.
        status: its ``RDGST?`` bits.
    """

    time_s: float
    channel: int | str
    quantity: str
    value: str
    update: int
    status: int


@attrs.frozen
class Reply:
    """What goes out in answer to a line.

    Attributes:
        text: the line to send, without its end; None for silence.
        readings: new readings in it.
    """

    text: str | None
    readings: tuple[SentReading, ...] = ()


class SimulatedInstrument(Protocol):
    """An instrument without its port: lines in, what the real one would answer out."""

    def advance(self) -> None:
        """Go on to the present, as `handle_line` does; called now and then in quiet times."""
        ...

    def handle_line(self, line: bytes) -> Reply:
        """Carry out a line, given without its end, and return the answer."""
        ...

    def refuse_line(self) -> None:
        """Note a line that was too long to be taken."""
        ...

    def conditions(self) -> Mapping[str, str]:
        """Return what can be made to go wrong in the instrument: name and one line of help."""
        ...

    def set_condition(self, name: str, target: str | None, *, active: bool) -> None:
        """Make something go wrong in the instrument, or right again.

        Args:
            name: one of `conditions`.
            target: the channel or output it is about, as a client would write it (``3``, ``A``,
                ``0``); None for all of them, or where there is only one.
            active: False to make it right again.

        Raises:
            ValueError: the name or the target is none; the words name what is allowed.
        """
        ...
