"""Read one channel for a control loop: every reading once, and none that must not be acted on."""

import time
from collections.abc import Callable
from typing import Any

import attrs

from agents.lakeshore.messages import InstrumentError, Query, combine
from agents.lakeshore372 import codec
from agents.lakeshore372.codec import InputsSettling, ScanState
from agents.lakeshore372.dialect import Ask
from agents.lakeshore372.input_tables import Channel, ReadingStatus, Settling

__all__ = ["ChannelReader", "ChannelReading", "UnusableReading"]


class UnusableReading(InstrumentError):
    """A reading that nothing may be controlled by; the message says what is wrong with it."""


@attrs.frozen
class ChannelReading:
    """A good reading.

    Attributes:
        time_s: Unix time halfway between question and answer.
        temperature_k: kelvin.
        resistance_ohm: ohms.
    """

    time_s: float
    temperature_k: float
    resistance_ohm: float


@attrs.frozen
class _Answer:
    temperature_k: float
    resistance_ohm: float
    status: ReadingStatus
    settling: InputsSettling
    scan: ScanState
    quadrature_ohm: float = 0.0


class ChannelReader:
    """Reads one channel.

    Args:
        ask: asks the unit.
        channel: 1 to 16, or ``"A"``.
        clock: Unix time in seconds.
    """

    def __init__(
        self, ask: Ask, channel: Channel, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._ask = ask
        self._channel = channel
        self._clock = clock
        self._last: tuple[float, float, float] | None = None
        queries: list[Query[Any]] = [
            codec.kelvin(channel),
            codec.ohms(channel),
            codec.reading_status(channel),
            codec.settling(),
            codec.scan_state(),
        ]
        if channel != "A":
            queries.append(codec.quadrature(channel))
        self._query = combine(_Answer, *queries)

    def read(self) -> ChannelReading | None:
        """Return the channel's reading if it is a new one, and settled.

        Raises:
            UnusableReading: the unit flags it, has no temperature for it, or its scanner is on
                another channel.
            BadReply, InstrumentUnavailable, WrongInstrument, Cancelled: as the link does.
        """
        asked_s = self._clock()
        answer = self._ask(self._query)
        time_s = (asked_s + self._clock()) / 2
        if self._channel not in {"A", answer.scan.channel}:
            raise UnusableReading(
                f"The scanner is on channel {answer.scan.channel}: channel {self._channel} gives "
                "no new readings."
            )
        if not self._settled(answer.settling):
            return None
        if answer.status:
            raise UnusableReading(
                f"The unit flags channel {self._channel}: {', '.join(answer.status.names())}."
            )
        if not answer.temperature_k:
            raise UnusableReading(
                f"The unit gives no temperature for channel {self._channel}: has it a curve?"
            )
        # Two readings in a thousand are equal in six digits; with the quadrature, hardly any.
        values = answer.temperature_k, answer.resistance_ohm, answer.quadrature_ohm
        if values == self._last:
            return None
        self._last = values
        return ChannelReading(time_s, answer.temperature_k, answer.resistance_ohm)

    def _settled(self, settling: InputsSettling) -> bool:
        state = settling.control if self._channel == "A" else settling.measurement
        return state is Settling.VALID
