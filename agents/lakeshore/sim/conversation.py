"""One client's bytes in, a simulated instrument's answers out, whatever carries them."""

from collections import deque
from typing import Any, Protocol

from agents.lakeshore.messages import BadReply, LineFramer
from agents.lakeshore.sim.misbehaviour import Chunk, Misbehaviour
from agents.lakeshore.sim.replies import SimulatedInstrument
from agents.lakeshore.sim.truth import TruthFile

__all__ = ["Conversation", "Unit"]

_LONGEST_QUEUE = 1000


class Carrier(Protocol):
    """What a conversation is carried by."""

    def send(self, data: bytes) -> None:
        """Send bytes to the client."""
        ...

    def hang_up(self) -> None:
        """Close the connection at once."""
        ...


class Unit:
    """A simulated instrument together with the faults of its line.

    Args:
        instrument: who answers.
        misbehaviour: what becomes of messages and answers.
        reactor: Twisted's.
        truth: where the readings sent are written down.
        idle_answer_s: after this time without more bytes a message without an end is taken as
            complete; None: never.
        shy: whether the first message after power-up gets no answer.
    """

    def __init__(
        self,
        instrument: SimulatedInstrument,
        misbehaviour: Misbehaviour,
        reactor: Any,
        *,
        truth: TruthFile | None = None,
        idle_answer_s: float | None = None,
        shy: bool = False,
    ) -> None:
        self.instrument = instrument
        self.misbehaviour = misbehaviour
        self.reactor = reactor
        self.idle_answer_s = idle_answer_s
        self.truth = truth
        self._shy = self._waking = shy

    def plug_in(self) -> None:
        """Begin anew after the cable was out: a shy unit misses the next message."""
        self._waking = self._shy

    def answer(self, line: bytes) -> tuple[list[Chunk], bool]:
        """Carry out a line; return the bytes to send, and whether to hang up instead."""
        if self._waking:
            self._waking = False
            return [], False
        line = line.strip().lstrip(b"; ")
        if not line or not self.misbehaviour.hears(line):
            return [], False
        if self.misbehaviour.hangs_up():
            return [], True
        reply = self.instrument.handle_line(line)
        if reply.text is None:
            return [], False
        delivery = self.misbehaviour.deliver(reply.text.encode("ascii", "replace"))
        if self.truth is not None:
            self.truth.write(reply.readings, delivery.spoiled_by)
        return list(delivery.chunks), False


class Conversation:
    """One client's connection, without its bytes' carrier.

    Args:
        unit: who is talked to.
        carrier: where answers go.
    """

    def __init__(self, unit: Unit, carrier: Carrier) -> None:
        self._unit = unit
        self._carrier = carrier
        self._framer = LineFramer(terminator=b"\n")
        self._queue: deque[Chunk] = deque()
        self._sending: Any = None
        self._idle: Any = None
        self._dead = False

    def receive(self, data: bytes) -> None:
        """Take bytes from the client, and answer the lines that they complete."""
        if self._dead:
            return
        self._cancel_idle()
        try:
            lines = self._framer.feed(data)
        except BadReply:
            self._unit.instrument.refuse_line()
            return
        for line in lines:
            self._answer(line)
        if self._framer.pending_bytes and self._unit.idle_answer_s is not None:
            self._idle = self._unit.reactor.callLater(self._unit.idle_answer_s, self._end_line)

    def deaden(self) -> None:
        """Take no notice of the client from now on, and leave it in the belief that all is well."""
        self.finish()

    def finish(self) -> None:
        """Drop what has not been sent: the connection is gone."""
        self._dead = True
        self._queue.clear()
        self._cancel_idle()
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def _end_line(self) -> None:
        self._idle = None
        self.receive(b"\n")

    def _cancel_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _answer(self, line: bytes) -> None:
        if self._dead:
            return
        chunks, hang_up = self._unit.answer(line)
        if hang_up:
            self.finish()
            self._carrier.hang_up()
            return
        # A client that only asks and never waits must not fill the memory while answers are slow.
        if len(self._queue) < _LONGEST_QUEUE:
            self._queue.extend(chunks)
        if self._sending is None:
            self._send()

    def _send(self) -> None:
        self._sending = None
        while self._queue:
            chunk = self._queue.popleft()
            if chunk.delay_s > 0:
                self._queue.appendleft(Chunk(chunk.data))
                self._sending = self._unit.reactor.callLater(chunk.delay_s, self._send)
                return
            self._carrier.send(chunk.data)
