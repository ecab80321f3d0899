"""The simulated 372's resistance bridge: what becomes of a sensor's resistance in the unit.

Range and autorange, the filter, kelvin by the curve assigned, status bits. Facts from the
project's Lake Shore specification, sections 1.3 to 1.6.
"""

import math
from functools import cache

import attrs

from agents.lakeshore372.input_tables import (
    CONTROL_EXCITATION_A,
    CURRENT_EXCITATION_A,
    MEASUREMENT_CHANNELS,
    RESISTANCE_RANGE_OHM,
    VOLTAGE_EXCITATION_V,
    Autorange,
    Channel,
    InputMode,
    InputSettings,
    InputSetup,
    ReadingStatus,
    TemperatureCoefficient,
    Units,
    combination_exists,
)
from agents.lakeshore372.sim_conditions import Conditions
from agents.lakeshore372.sim_cryostat import Cryostat, Measurement
from agents.lakeshore372.sim_curves import CONTROL_CURVE, FIRST_CURVE, CurveStore

__all__ = ["UPDATE_S", "Bridge", "ChannelState", "Filter", "SimReading"]

_GOOD = ReadingStatus(0)
_NO_KELVIN = ReadingStatus.T_OVER_RANGE | ReadingStatus.T_UNDER_RANGE

UPDATE_S = 0.1
"""Time between two readings."""

_OVER_RANGE = 1.2
"""How far beyond its full scale a range still measures."""

_SLOW_SETTLING = 0.5
_SLOW_SETTLING_S = 20.0

_CONTROL_RANGE = 15
"""What the unit answers for the control input's range, which does not exist."""


@attrs.frozen
class SimReading:
    """One reading the bridge has made; it reads 0 where it is flagged.

    Attributes:
        time_s: when it was made.
        update: counts the instrument's readings from 0.
        temperature_k: kelvin through the assigned curve; 0 without one.
        resistance_ohm: ohms.
        quadrature_ohm: ohms out of phase.
        power_w: excitation power.
        status: what is wrong with it.
    """

    time_s: float
    update: int
    temperature_k: float = 0.0
    resistance_ohm: float = 0.0
    quadrature_ohm: float = 0.0
    power_w: float = 0.0
    status: ReadingStatus = _GOOD

    def value(self, units: Units) -> float:
        """Return kelvin or ohms."""
        return self.temperature_k if units is Units.KELVIN else self.resistance_ohm


@attrs.frozen
class Filter:
    """Setting of ``FILTER``: a mean over a time, begun anew by a step beyond the window.

    Attributes:
        enabled: whether readings are filtered.
        settle_s: 1 to 200.
        window_percent: of full scale, 1 to 80.
    """

    enabled: bool = False
    settle_s: int = 5
    window_percent: int = 10


@attrs.define
class ChannelState:
    """An input as it is set, and its last reading.

    Attributes:
        name: up to 15 characters.
        settings: of ``INSET``.
        setup: of ``INTYPE``.
        reading: the last one.
        filter: of ``FILTER``.
        limit_k: of ``TLIMIT``; 0 for none.
        extremes: least and greatest reading in preferred units since they were reset.
        filtered_ohm: what the filter has come to; None where it begins.
    """

    name: str
    settings: InputSettings
    setup: InputSetup
    reading: SimReading
    filter: Filter = Filter()
    limit_k: float = 0.0
    extremes: tuple[float, float] | None = None
    filtered_ohm: float | None = None


class Bridge:
    """All inputs: sixteen measurement channels and the control input ``A``.

    Args:
        cryostat: what they measure.
        curves: what makes kelvin of it.
        conditions: what is wrong with it.
        dwell_s: dwell every channel begins with, 1 to 200.
        pause_s: change pause every channel begins with, 3 to 200.
        now: time of switching on.
    """

    def __init__(
        self,
        cryostat: Cryostat,
        curves: CurveStore,
        conditions: Conditions,
        *,
        dwell_s: int,
        pause_s: int,
        now: float,
    ) -> None:
        self._cryostat = cryostat
        self.curves = curves
        self._conditions = conditions
        self._dwell_s = dwell_s
        self._pause_s = pause_s
        self._updates = 0
        self.channels: dict[Channel, ChannelState] = {}
        self.reset(now)

    def reset(self, now: float) -> None:
        """Go back to the inputs' settings as delivered, and measure all of them once."""
        readings = {channel: state.reading for channel, state in self.channels.items()}
        for channel in (*MEASUREMENT_CHANNELS, "A"):
            blank = readings.get(channel, SimReading(time_s=now, update=0))
            self.channels[channel] = self._as_delivered(channel, blank)
            if channel not in readings:
                self.measure(channel, now)

    def _as_delivered(self, channel: Channel, reading: SimReading) -> ChannelState:
        if channel == "A":
            return ChannelState(
                name="Control",
                settings=InputSettings(
                    enabled=True,
                    dwell_s=10,
                    pause_s=3,
                    curve=CONTROL_CURVE,
                    coefficient=TemperatureCoefficient.NEGATIVE,
                ),
                setup=InputSetup(
                    mode=InputMode.CURRENT,
                    excitation=4,
                    autorange=Autorange.OFF,
                    resistance_range=_CONTROL_RANGE,
                    excitation_on=True,
                    units=Units.KELVIN,
                ),
                reading=reading,
            )
        return ChannelState(
            name=f"Channel {channel:02d}",
            settings=InputSettings(
                enabled=True,
                dwell_s=self._dwell_s,
                pause_s=self._pause_s,
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
            reading=reading,
        )

    def measure(self, channel: Channel, now: float, visited_s: float = math.inf) -> None:
        """Make a reading of an input.

        Args:
            channel: which.
            now: the reading's time.
            visited_s: how long readings of it have been made on this visit.
        """
        if self._conditions.on("frozen", channel):
            return
        state = self.channels[channel]
        measured = self._cryostat.measure(channel, now)
        if self._conditions.on("slow_settling", channel):
            off = 1 + _SLOW_SETTLING * math.exp(-visited_s / _SLOW_SETTLING_S)
            measured = attrs.evolve(measured, resistance_ohm=measured.resistance_ohm * off)
        if channel != "A":
            self._autorange(state, measured.resistance_ohm)
        measured = self._filtered(state, measured, begins=visited_s < UPDATE_S / 2)
        state.reading = self._reading(channel, state, measured, now)
        self._updates += 1
        if not state.reading.status:
            value = state.reading.value(state.setup.units)
            low, high = state.extremes or (value, value)
            state.extremes = (min(low, value), max(high, value))

    def coefficient(self, state: ChannelState) -> TemperatureCoefficient:
        """Return the sign of an input's dR/dT: its curve's, or what was set where it has none."""
        curve = self.curves.usable(state.settings.curve)
        return curve.coefficient if curve else state.settings.coefficient

    def reset_extremes(self) -> None:
        """Begin anew with the least and greatest readings."""
        for state in self.channels.values():
            state.extremes = None

    def choose_range(self, channel: int) -> None:
        """Let autorange look again at a channel whose setup has changed."""
        state = self.channels[channel]
        self._autorange(state, state.reading.resistance_ohm)

    @staticmethod
    def _autorange(state: ChannelState, resistance_ohm: float) -> None:
        setup = state.setup
        if setup.autorange is Autorange.OFF:
            return
        possible = _ranges(setup.mode, setup.excitation)
        enough = [step for step in possible if RESISTANCE_RANGE_OHM[step] >= resistance_ohm]
        chosen = (enough or possible[-1:])[0]
        if chosen != setup.resistance_range:
            state.setup = attrs.evolve(setup, resistance_range=chosen)

    @staticmethod
    def _filtered(state: ChannelState, measured: Measurement, *, begins: bool) -> Measurement:
        held = state.filtered_ohm
        if not state.filter.enabled:
            state.filtered_ohm = None
            return measured
        window_ohm = (
            RESISTANCE_RANGE_OHM[state.setup.resistance_range] * state.filter.window_percent / 100
        )
        if begins or held is None or abs(measured.resistance_ohm - held) > window_ohm:
            held = measured.resistance_ohm
        # The settle time is when a step has all but arrived: five time constants.
        part = 1 - math.exp(-UPDATE_S * 5 / state.filter.settle_s)
        held += part * (measured.resistance_ohm - held)
        state.filtered_ohm = held
        return attrs.evolve(measured, resistance_ohm=held)

    def _reading(
        self, channel: Channel, state: ChannelState, measured: Measurement, now: float
    ) -> SimReading:
        blank = SimReading(time_s=now, update=self._updates)
        if self._conditions.on("no_reading", channel):
            return blank
        status = self._conditions.status(channel)
        if not state.setup.excitation_on:
            status |= ReadingStatus.R_UNDER_RANGE
        elif channel != "A":
            full_scale_ohm = RESISTANCE_RANGE_OHM[state.setup.resistance_range]
            if measured.resistance_ohm > _OVER_RANGE * full_scale_ohm:
                status |= ReadingStatus.R_OVER_RANGE
        # An overload leaves a number on the display, however wrong; a range exceeded does not.
        if status & (ReadingStatus.R_OVER_RANGE | ReadingStatus.R_UNDER_RANGE):
            return attrs.evolve(blank, status=status)
        curve = self.curves.usable(state.settings.curve)
        kelvin, wrong = curve.kelvin(measured.resistance_ohm) if curve else (0.0, _GOOD)
        status |= wrong
        return SimReading(
            time_s=now,
            update=self._updates,
            temperature_k=0.0 if status & _NO_KELVIN else kelvin,
            resistance_ohm=measured.resistance_ohm,
            quadrature_ohm=measured.quadrature_ohm,
            power_w=_current_a(channel, state.setup) ** 2 * measured.resistance_ohm,
            status=status,
        )


@cache
def _ranges(mode: InputMode, excitation: int) -> tuple[int, ...]:
    return tuple(
        step for step in RESISTANCE_RANGE_OHM if combination_exists(mode, excitation, step)
    )


def _current_a(channel: Channel, setup: InputSetup) -> float:
    if channel == "A":
        return CONTROL_EXCITATION_A[setup.excitation]
    if setup.mode is InputMode.CURRENT:
        return CURRENT_EXCITATION_A[setup.excitation]
    return VOLTAGE_EXCITATION_V[setup.excitation] / RESISTANCE_RANGE_OHM[setup.resistance_range]
