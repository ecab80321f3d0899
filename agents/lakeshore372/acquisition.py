"""Decide what the scanner's readings mean: which channel, which are fresh, which are good. No I/O.

The scanner has three states:

    unknown --channel learnt--> settling --valid--> reading --channel changed--> settling ...
       ^                                                |
       +---------------------- forget() ----------------+

While a channel settles no reading is asked for: the unit would repeat the previous one.
"""

import math
import time
from collections.abc import Callable, Mapping
from enum import Enum

import attrs

from agents.lakeshore372 import codec, input_codec
from agents.lakeshore372.channel_names import channel_stems
from agents.lakeshore372.dialect import Ask, ChannelSettings, Dialect, Reading, learn
from agents.lakeshore372.input_tables import MEASUREMENT_CHANNELS, ReadingStatus, Settling, Units
from agents.lakeshore372.watch import Freshness, ScanWatch

__all__ = ["ControlReader", "ControlSample", "Sample", "ScanReader", "SettleBy"]


_HELD_UP_S = 2.0
"""An answer that takes so long came over an interruption: when its reading was made is not known.

The next one, 0.1 s later, is as good.
"""

_LEAVING_S = 0.5
"""A channel's last reading is taken if the scanner was still seen there no longer ago than this."""


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
        resistance_ohm: NaN if the unit flags it, or has none yet.
        status: what the unit says against the reading.
        units: which of the two the channel prefers.
    """

    time_s: float
    channel: int
    block_name: str
    stem: str
    temperature_k: float
    resistance_ohm: float
    status: ReadingStatus
    units: Units

    @property
    def preferred(self) -> float:
        """The reading in the channel's preferred units."""
        return self.temperature_k if self.units is Units.KELVIN else self.resistance_ohm


@attrs.frozen
class ControlSample:
    """One reading of the control input; attributes as in `Sample`."""

    time_s: float
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


class ScanReader:
    """Follow the scanner and return every reading once.

    Args:
        ask: asks the instrument.
        settle_by: how to tell when readings are fresh after a channel change.
        extra_delay_s: further wait after that; made shorter where it would use up the dwell.
        dialect: what the unit understands; None finds out.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        settle_by: SettleBy = SettleBy.PAUSE,
        extra_delay_s: float = 0.0,
        dialect: Dialect | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ask = ask
        self._settle_by = settle_by
        self._extra_delay_s = extra_delay_s
        self._known_dialect = dialect
        self._dialect = dialect or Dialect()
        self._learnt = dialect is not None
        self._clock = clock
        self._arrival: _Arrival | None = None
        self._visit: _Visit | None = None
        self._freshness: dict[int, Freshness] = {}
        self._scan_watch = ScanWatch()
        self._overdue: codec.ScanState | None = None
        self._names: dict[int, str] = {}
        self._seen_there_s = 0.0

    @property
    def dialect(self) -> Dialect:
        """What the unit understands, as far as that is known."""
        return self._dialect

    def troubles(self) -> Mapping[str, str]:
        """Say what is wrong with the scanner and its channels now, by what it is about."""
        return {**self._scan_watch.troubles(), **_dead_channels(self._freshness)}

    def forget(self) -> None:
        """Learn the scanner's state anew, as after a change to a channel by somebody else."""
        self._arrival = None
        self._visit = None

    def reconnect(self) -> None:
        """Learn everything anew, as after an interruption: it may be another unit."""
        self.forget()
        self._scan_watch.forget()
        self._learnt = self._known_dialect is not None

    def step(self) -> Sample | None:
        """Ask the instrument what there is now; return a reading if it is a new, fresh one.

        Raises:
            BadReply: an answer made no sense; the next step may be better.
            InstrumentUnavailable: no answer.
        """
        if not self._learnt:
            self._dialect = learn(self._ask)
            self._learnt = True
        if self._overdue is not None:
            self._judge_scan(self._overdue)
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
        self._visit = None
        for other, freshness in self._freshness.items():
            if other != channel:
                freshness.pass_over(channel)

    def _enter(self, arrival: _Arrival) -> _Visit:
        channel = arrival.channel
        stem, name = self._name(channel)
        settings = self._dialect.channel_settings(self._ask, channel)
        wait_s: float = settings.inset.pause_s
        if not arrival.ask_status:
            wait_s += self._delay_s(settings)
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

    def _name(self, channel: int) -> tuple[str, str]:
        """Return what a channel's fields begin with, and its name on the unit.

        Which channels share a name does not depend on which of them the scanner visits first: all
        names are asked for when one is new.
        """
        name = self._ask(input_codec.input_name(channel))
        if self._names.get(channel) != name:
            others = [other for other in MEASUREMENT_CHANNELS if other != channel]
            names = {other: self._ask(input_codec.input_name(other)) for other in others}
            self._names = {**names, channel: name}
        return channel_stems(self._names)[channel], name

    def _settle(self, visit: _Visit) -> _Visit | None:
        """Look whether the visit's readings are fresh by now; None if it is over already."""
        if visit.ask_status:
            state, scan = self._dialect.settled(self._ask)
        else:
            state, scan = Settling.HARDWARE, self._ask(codec.scan_state())
        if scan.channel != visit.channel:
            self._arrive(scan.channel)
            return None
        now = self._clock()
        self._watch_scan(scan, visit, now)
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
        reading = self._dialect.reading(self._ask, visit.channel)
        answered_s = self._clock()
        time_s = (asked_s + answered_s) / 2
        left = reading.scan.channel != visit.channel
        freshness = self._freshness.setdefault(visit.channel, Freshness())
        if left:
            # It may have gone long ago: between two questions, something else may have taken time.
            timely = answered_s - self._seen_there_s <= _LEAVING_S
        else:
            timely = answered_s - asked_s <= _HELD_UP_S
        fresh = timely and freshness.take(
            (reading.temperature_k, reading.resistance_ohm, reading.quadrature_ohm),
            time_s,
            flagged=bool(reading.status) and not left,
            distinct=self._dialect.quadrature,
            # An emulator may well say the same for ever.
            excited=visit.settings.intype.excitation_on and not self._dialect.plain_numbers,
        )
        if left:
            # What it said is still the last reading of the channel it has just left.
            self._arrive(reading.scan.channel)
        else:
            self._watch_scan(reading.scan, visit, time_s)
        return _sample(visit, reading, time_s) if fresh else None

    def _watch_scan(self, scan: codec.ScanState, visit: _Visit, now: float) -> None:
        self._seen_there_s = now
        if not scan.autoscan:
            for channel, freshness in self._freshness.items():
                if channel != scan.channel:
                    freshness.excuse()
        if self._scan_watch.overdue(scan, visit.settings.inset, now):
            self._overdue = scan

    def _judge_scan(self, scan: codec.ScanState) -> None:
        # What the unit has been told may have changed since the scanner came to this channel.
        settings = self._dialect.scanner_settings(self._ask)
        self._scan_watch.judge(scan, settings, self._clock())
        self._overdue = None


class ControlReader:
    """Return every reading of the control input once.

    Args:
        ask: asks the instrument.
        clock: Unix time in seconds.
    """

    def __init__(self, ask: Ask, *, clock: Callable[[], float] = time.time) -> None:
        self._ask = ask
        self._clock = clock
        self._freshness = Freshness()

    def troubles(self) -> Mapping[str, str]:
        """Say what is wrong with the control input now."""
        return _dead_channels({"A": self._freshness})

    def step(self, dialect: Dialect) -> ControlSample | None:
        """Ask for the reading of the control input; return it if it is a new one.

        Raises:
            BadReply, InstrumentUnavailable: as the driver does.
        """
        asked_s = self._clock()
        reading = dialect.control_reading(self._ask)
        answered_s = self._clock()
        time_s = (asked_s + answered_s) / 2
        fresh = answered_s - asked_s <= _HELD_UP_S and self._freshness.take(
            (reading.temperature_k, reading.resistance_ohm, None),
            time_s,
            flagged=bool(reading.status),
            distinct=False,
            excited=not dialect.plain_numbers,
        )
        if not fresh:
            return None
        return ControlSample(
            time_s,
            _kelvin(reading.status, reading.temperature_k),
            _ohms(reading.status, reading.resistance_ohm),
            reading.status,
        )


def _dead_channels(channels: Mapping[int, Freshness] | Mapping[str, Freshness]) -> dict[str, str]:
    return {
        f"channel {channel}": (
            f"Channel {channel} gives the same reading over and over: it is not published any "
            "more. Check its sensor, wiring and excitation; if they are right, switch the unit off "
            "and on."
        )
        for channel, freshness in channels.items()
        if freshness.dead
    }


def _sample(visit: _Visit, reading: Reading, time_s: float) -> Sample:
    return Sample(
        time_s=time_s,
        channel=visit.channel,
        block_name=visit.block_name,
        stem=visit.stem,
        temperature_k=_kelvin(reading.status, reading.temperature_k),
        resistance_ohm=_ohms(reading.status, reading.resistance_ohm),
        status=reading.status,
        units=visit.settings.intype.units,
    )


def _kelvin(status: ReadingStatus, kelvin: float) -> float:
    # A unit without a curve for the channel says 0 K, which no sensor can.
    return math.nan if status.temperature_invalid or kelvin == 0.0 else kelvin


def _ohms(status: ReadingStatus, ohms: float) -> float:
    # Six zeros are what the unit says before it has a reading; a short has noise.
    return math.nan if status.resistance_invalid or ohms == 0.0 else ohms
