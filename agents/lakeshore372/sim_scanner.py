"""The simulated 372's scanner: which channel when, which reading is the last one of each.

Nothing runs by itself: `Scanner.advance` brings everything up to the time it is given. Timing
after the project's Lake Shore specification, section 1.6: after each change a pause in which the
channel's previous reading stays, then the dwell with ten readings a second.
"""

import math

import attrs

from agents.lakeshore372.input_tables import (
    MEASUREMENT_CHANNELS,
    RESISTANCE_RANGE_OHM,
    Autorange,
    InputMode,
    InputSettings,
    InputSetup,
    ReadingStatus,
    Settling,
    TemperatureCoefficient,
    Units,
    combination_exists,
)
from agents.lakeshore372.sim_physics import Cryostat, Measurement

__all__ = ["FIRST_CURVE", "UPDATE_S", "ChannelState", "Scanner", "SimReading"]

_GOOD = ReadingStatus(0)

UPDATE_S = 0.1
"""Time between two readings."""

FIRST_CURVE = 21
"""The curve of channel 1; the other channels' follow."""

_OVER_RANGE = 1.2
"""How far beyond its full scale a range still measures."""


@attrs.frozen
class SimReading:
    """One reading the bridge has made; it reads 0 where it is flagged.

    Attributes:
        time_s: when it was made.
        update: counts the instrument's readings from 0.
        temperature_k: kelvin through the assigned curve; 0 without one.
        resistance_ohm: ohms.
        quadrature_ohm: ohms out of phase.
        status: what is wrong with it.
    """

    time_s: float
    update: int
    temperature_k: float = 0.0
    resistance_ohm: float = 0.0
    quadrature_ohm: float = 0.0
    status: ReadingStatus = _GOOD


@attrs.define
class ChannelState:
    """A measurement channel as it is set, and its last reading."""

    name: str
    settings: InputSettings
    setup: InputSetup
    reading: SimReading


@attrs.frozen
class _Visit:
    """The scanner's stay at a channel: no new readings before ``fresh_s``."""

    channel: int
    fresh_s: float
    end_s: float


class Scanner:
    """Sixteen channels, of which one is measured.

    Args:
        cryostat: what the channels measure.
        now: time of switching on.
        dwell_s: dwell every channel begins with, 1 to 200.
        pause_s: change pause every channel begins with, 3 to 200.
        scale: both are multiplied by it, to have a scan go round faster than a real one.
    """

    def __init__(
        self,
        cryostat: Cryostat,
        now: float,
        *,
        dwell_s: int = 10,
        pause_s: int = 3,
        scale: float = 1.0,
    ) -> None:
        self._cryostat = cryostat
        self._scale = scale
        self._updates = 0
        self.autoscan = True
        self.channels = {
            channel: ChannelState(
                name=f"Channel {channel:02d}",
                settings=InputSettings(
                    enabled=True,
                    dwell_s=dwell_s,
                    pause_s=pause_s,
                    curve=FIRST_CURVE - 1 + channel,
                    coefficient=TemperatureCoefficient.NEGATIVE,
                ),
                setup=InputSetup(
                    mode=InputMode.VOLTAGE,
                    excitation=5,
                    autorange=Autorange.CURRENT,
                    resistance_range=15,
                    excitation_on=True,
                    units=Units.KELVIN,
                ),
                reading=SimReading(time_s=now, update=0),
            )
            for channel in MEASUREMENT_CHANNELS
        }
        for channel in MEASUREMENT_CHANNELS:
            self._measure(channel, now)
        self._visit = self._begin(1, now)

    @property
    def active(self) -> int:
        """The channel that is measured."""
        return self._visit.channel

    def settling(self, now: float) -> Settling:
        """Tell whether the active channel's reading is one of this visit."""
        return Settling.HARDWARE if now < self._visit.fresh_s else Settling.VALID

    def select(self, channel: int, *, autoscan: bool, now: float) -> None:
        """Go to a channel, and scan on from there or stay."""
        if channel != self._visit.channel:
            self._visit = self._begin(channel, now)
        elif autoscan and not self.autoscan:
            self._visit = attrs.evolve(self._visit, end_s=now + self._dwell_s(channel))
        self.autoscan = autoscan

    def advance(self, now: float) -> None:
        """Do what the scanner has done up to a time, which must not run backwards."""
        while self.autoscan and now >= self._visit.end_s:
            # One that would be due at the very end is not made any more.
            self._update(self._visit.end_s - 1e-3)
            following = self._next_channel()
            if following == self._visit.channel:
                end_s = self._visit.end_s + self._dwell_s(following)
                self._visit = attrs.evolve(self._visit, end_s=end_s)
            else:
                self._visit = self._begin(following, self._visit.end_s)
        self._update(now)

    def _begin(self, channel: int, now: float) -> _Visit:
        fresh_s = now + self.channels[channel].settings.pause_s * self._scale
        return _Visit(channel, fresh_s, fresh_s + self._dwell_s(channel))

    def _dwell_s(self, channel: int) -> float:
        return self.channels[channel].settings.dwell_s * self._scale

    def _next_channel(self) -> int:
        """Return the next enabled channel round the scanner; the present one if it is alone."""
        here = self._visit.channel
        ring = [(here + step - 1) % len(MEASUREMENT_CHANNELS) + 1 for step in range(1, 17)]
        return next((c for c in ring if self.channels[c].settings.enabled), here)

    def _update(self, now: float) -> None:
        """Make the newest reading that is due at the active channel, if it is not made yet."""
        elapsed_s = now - self._visit.fresh_s
        if elapsed_s < 0:
            return
        # The small part keeps a step that is due exactly now from being lost to rounding.
        due_s = self._visit.fresh_s + math.floor(elapsed_s / UPDATE_S + 1e-6) * UPDATE_S
        made_s = self.channels[self._visit.channel].reading.time_s
        if due_s > made_s + UPDATE_S / 2:
            self._measure(self._visit.channel, due_s)

    def _measure(self, channel: int, now: float) -> None:
        state = self.channels[channel]
        measured = self._cryostat.measure(channel, now)
        self._autorange(state, measured.resistance_ohm)
        state.reading = self._reading(state, measured, now)
        self._updates += 1

    @staticmethod
    def _autorange(state: ChannelState, resistance_ohm: float) -> None:
        setup = state.setup
        if setup.autorange is Autorange.OFF:
            return
        possible = [
            step
            for step in RESISTANCE_RANGE_OHM
            if combination_exists(setup.mode, setup.excitation, step)
        ]
        enough = [step for step in possible if RESISTANCE_RANGE_OHM[step] >= resistance_ohm]
        state.setup = attrs.evolve(setup, resistance_range=(enough or possible[-1:])[0])

    def _reading(self, state: ChannelState, measured: Measurement, now: float) -> SimReading:
        blank = SimReading(time_s=now, update=self._updates)
        if not state.setup.excitation_on:
            return attrs.evolve(blank, status=ReadingStatus.R_UNDER_RANGE)
        full_scale_ohm = RESISTANCE_RANGE_OHM[state.setup.resistance_range]
        if measured.resistance_ohm > _OVER_RANGE * full_scale_ohm:
            return attrs.evolve(blank, status=ReadingStatus.R_OVER_RANGE)
        temperature_k, status = self._kelvin(state.settings.curve, measured.resistance_ohm)
        return SimReading(
            time_s=now,
            update=self._updates,
            temperature_k=temperature_k,
            resistance_ohm=measured.resistance_ohm,
            quadrature_ohm=measured.quadrature_ohm,
            status=status,
        )

    def _kelvin(self, curve: int, resistance_ohm: float) -> tuple[float, ReadingStatus]:
        sensor = self._cryostat.sensors.get(curve - FIRST_CURVE + 1)
        if sensor is None:
            return 0.0, _GOOD
        temperature_k = sensor.temperature_k(resistance_ohm)
        if temperature_k > sensor.highest_k:
            return 0.0, ReadingStatus.T_OVER_RANGE
        if temperature_k < sensor.lowest_k:
            return 0.0, ReadingStatus.T_UNDER_RANGE
        return temperature_k, _GOOD
