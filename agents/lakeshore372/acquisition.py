"""Decide what the scanner's readings mean: which channel, which are fresh, which are good. No I/O.

The scanner has three states:

    unknown --channel learnt--> settling --valid--> reading --channel changed--> settling ...
       ^                                                |
       +---------------------- forget() ----------------+

While a channel settles no reading is asked for: the unit would repeat the previous one.
"""

import math
import re
import time
from collections.abc import Callable
from enum import Enum
from typing import Protocol, TypeVar

import attrs

from agents.lakeshore.messages import Query, combine
from agents.lakeshore372 import codec
from agents.lakeshore372.codec import ChannelSettings, Reading
from agents.lakeshore372.input_tables import ReadingStatus, Settling

__all__ = ["Ask", "Sample", "ScanReader", "SettleBy", "channel_stem"]

T = TypeVar("T")

_SAME_UPDATE_S = 0.15
"""The unit makes a new reading every 0.1 s: an equal one that soon after is the same one."""


class Ask(Protocol):
    """How the reader asks the instrument; see `InstrumentLink.ask`."""

    def __call__(self, query: Query[T], /) -> T:
        """Return the answer to a query."""
        ...


class SettleBy(Enum):
    """How to tell that a channel's readings are fresh after a change to it."""

    PAUSE = "pause"
    """Wait for as long as the channel's change pause."""

    STATUS = "status"
    """Wait until the unit says valid, but no longer than the pause."""


@attrs.frozen
class Sample:
    """One reading, as it is published.

    Attributes:
        time_s: Unix time halfway between question and answer.
        channel: 1 to 16.
        block_name: the channel's name on the unit, as ``Channel 01``.
        stem: the name made fit for field names, as ``Channel_01``.
        temperature_k: NaN if the unit flags it or has no curve for the channel.
        resistance_ohm: NaN if the unit flags it.
        status: what the unit says against the reading.
    """

    time_s: float
    channel: int
    block_name: str
    stem: str
    temperature_k: float
    resistance_ohm: float
    status: ReadingStatus


@attrs.frozen
class _Arrival:
    """The scanner was seen on a channel for the first time."""

    channel: int
    seen_s: float
    ask_status: bool


@attrs.frozen
class _Visit:
    """The scanner's stay at one channel.

    Attributes:
        fresh_at_s: when its readings may be taken; if the status is asked, the latest such time.
    """

    channel: int
    block_name: str
    stem: str
    settings: ChannelSettings
    fresh_at_s: float
    ask_status: bool
    settled: bool = False


def channel_stem(name: str, channel: int) -> str:
    """Turn a channel's name into the beginning of its field names.

    ``Channel 01`` becomes ``Channel_01``. ``Channel_`` and the number stand in for a name that
    leaves no legal field name (letters, digits and underscores, the first a letter), and for one
    that is another channel's ``Channel_`` and number.
    """
    own = f"Channel_{channel:02d}"
    stem = re.sub(r"[^A-Za-z0-9_]", "", name.strip().replace(" ", "_"))
    if not re.match(r"[A-Za-z]", stem) or re.fullmatch(r"Channel_\d\d", stem):
        return own
    return stem


class ScanReader:
    """Follow the scanner and return every reading once.

    Args:
        ask: asks the instrument.
        settle_by: how to tell when readings are fresh after a channel change.
        extra_delay_s: further wait after that; made shorter where it would use up the dwell.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        settle_by: SettleBy = SettleBy.PAUSE,
        extra_delay_s: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ask = ask
        self._settle_by = settle_by
        self._extra_delay_s = extra_delay_s
        self._clock = clock
        self._arrival: _Arrival | None = None
        self._visit: _Visit | None = None
        self._last: tuple[int, Reading, float] | None = None
        self._stem_owners: dict[str, int] = {}

    def forget(self) -> None:
        """Learn the scanner's state anew, as after an interruption of unknown length."""
        self._arrival = None
        self._visit = None

    def step(self) -> Sample | None:
        """Ask the instrument what there is now; return a reading if it is a new, fresh one.

        Raises:
            BadReply: an answer made no sense; the next step may be better.
            InstrumentUnavailable: no answer.
        """
        if self._visit is None:
            self._visit = self._enter(self._arrival or self._first_arrival())
        if not self._visit.settled:
            self._visit = self._settle(self._visit)
        if self._visit is None or not self._visit.settled:
            return None
        return self._read(self._visit)

    def _first_arrival(self) -> _Arrival:
        scan = self._ask(codec.scan_state())
        # How long ago the channel changed is not known: only the unit can tell.
        self._arrival = _Arrival(scan.channel, self._clock(), ask_status=True)
        return self._arrival

    def _arrive(self, channel: int) -> None:
        ask_status = self._settle_by is SettleBy.STATUS
        self._arrival = _Arrival(channel, self._clock(), ask_status)

    def _enter(self, arrival: _Arrival) -> _Visit:
        channel = arrival.channel
        name = self._ask(codec.input_name(channel))
        settings = self._ask(codec.channel_settings(channel))
        wait_s: float = settings.inset.pause_s
        if not arrival.ask_status:
            wait_s += self._delay_s(settings)
        stem = self._own_stem(name, channel)
        return _Visit(
            channel=channel,
            block_name=name if stem == name.replace(" ", "_") else stem.replace("_", " "),
            stem=stem,
            settings=settings,
            fresh_at_s=arrival.seen_s + wait_s,
            ask_status=arrival.ask_status,
        )

    def _delay_s(self, settings: ChannelSettings) -> float:
        # At least a second of the dwell is left for readings.
        return min(self._extra_delay_s, max(0.0, settings.inset.dwell_s - 1.0))

    def _own_stem(self, name: str, channel: int) -> str:
        """Give each channel field names of its own, even where two bear one name."""
        stem = channel_stem(name, channel)
        if self._stem_owners.setdefault(stem, channel) != channel:
            return f"Channel_{channel:02d}"
        return stem

    def _settle(self, visit: _Visit) -> _Visit | None:
        """Look whether the visit's readings are fresh by now; None if it is over already."""
        if visit.ask_status:
            state, scan = self._ask(combine(_pair, codec.settling(), codec.scan_state()))
        else:
            state, scan = Settling.HARDWARE, self._ask(codec.scan_state())
        if scan.channel != visit.channel:
            self._arrive(scan.channel)
            return None
        now = self._clock()
        if state is Settling.VALID or now >= visit.fresh_at_s:
            delay_s = self._delay_s(visit.settings) if visit.ask_status else 0.0
            visit = attrs.evolve(
                visit,
                fresh_at_s=now + delay_s,
                ask_status=False,
                settled=not delay_s,
            )
        return visit

    def _read(self, visit: _Visit) -> Sample | None:
        asked_s = self._clock()
        reading = self._ask(codec.reading(visit.channel))
        time_s = (asked_s + self._clock()) / 2
        fresh = not self._is_repeat(visit.channel, reading, time_s)
        if fresh:
            self._last = visit.channel, reading, time_s
        if reading.scan.channel != visit.channel:
            # What it said is still the last reading of the channel it has just left.
            self._arrive(reading.scan.channel)
            self._visit = None
        return _sample(visit, reading, time_s) if fresh else None

    def _is_repeat(self, channel: int, reading: Reading, time_s: float) -> bool:
        """Tell whether the unit has repeated itself for want of a newer reading.

        Temperature and resistance alone would not do: with noise of a few digits two readings in
        a thousand are equal. The quadrature, which is nearly all noise, decides. Flagged readings
        are all alike: each is taken, that none seems to be missing.
        """
        if self._last is None:
            return False
        last_channel, last, last_time_s = self._last
        same = channel == last_channel and attrs.evolve(reading, scan=last.scan) == last
        left = reading.scan.channel != channel
        soon = time_s - last_time_s < _SAME_UPDATE_S and not reading.status
        return same and (left or soon)


def _pair(state: Settling, scan: codec.ScanState) -> tuple[Settling, codec.ScanState]:
    return state, scan


def _sample(visit: _Visit, reading: Reading, time_s: float) -> Sample:
    # A unit without a curve for the channel says 0 K, which no sensor can.
    no_temperature = reading.status.temperature_invalid or reading.temperature_k == 0.0
    return Sample(
        time_s=time_s,
        channel=visit.channel,
        block_name=visit.block_name,
        stem=visit.stem,
        temperature_k=math.nan if no_temperature else reading.temperature_k,
        resistance_ohm=(math.nan if reading.status.resistance_invalid else reading.resistance_ohm),
        status=reading.status,
    )
