"""The simulated 372's outputs: what they are set to, what they do, what heat comes of it.

Output 0, the sample heater, sits on the mixing chamber, and so does output 1, the warm-up heater;
output 2 heats the still. Facts from the project's Lake Shore specification, sections 1.3 and 1.4.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import attrs

from agents.lakeshore372.input_tables import Channel, TemperatureCoefficient, Units
from agents.lakeshore372.output_tables import (
    SAMPLE_HEATER_RANGE_A,
    STILL_FULL_SCALE_V,
    WARM_UP_RESISTANCE_OHM,
    Display,
    HeaterFault,
    MaximumCurrent,
    OutputMode,
)
from agents.lakeshore372.sim_bridge import Bridge, ChannelState
from agents.lakeshore372.sim_conditions import Conditions
from agents.lakeshore372.sim_cryostat import MIXING_CHAMBER, STILL
from agents.lakeshore372.sim_loop import PidGains, PidLoop, SetpointRamp

__all__ = [
    "SAMPLE",
    "STILL_OUTPUT",
    "WARM_UP",
    "ZONES",
    "HeaterLoad",
    "Outputs",
    "SimOutput",
    "SimZone",
]

SAMPLE, WARM_UP, STILL_OUTPUT = 0, 1, 2
ZONES = 10

_WARM_UP_A = {MaximumCurrent.A_0_45: 0.45, MaximumCurrent.A_0_63: 0.63}
_STILL_OHM = 120.0
_STILL_PERCENT = 10.6


@attrs.frozen
class HeaterLoad:
    """Setting of ``HTRSET``.

    Attributes:
        resistance: ohms of output 0; 1 (25 ohms) or 2 (50 ohms) of output 1.
        max_current: of output 1: 0 as the user says, 1 0.45 A, 2 0.63 A.
        user_current_a: what the user says.
        display: see `Display`.
    """

    resistance: float
    max_current: int
    user_current_a: float
    display: Display


@attrs.frozen
class SimZone:
    """Setting of ``ZONE``: what holds for setpoints up to a bound."""

    upper: float = 0.0
    gains: PidGains = attrs.field(factory=lambda: PidGains(0.0, 0.0, 0.0))
    manual_percent: float = 0.0
    heater_range: int = 0
    rate_k_per_min: float = 0.1
    relays: tuple[int, int] = (0, 0)


@attrs.define
class SimOutput:
    """An output as it is set.

    Attributes:
        number: 0 to 2.
        mode: what it follows.
        source: the input it controls by; 0 for none.
        powerup: whether it stays on over a power cycle.
        bipolar: whether it gives both signs.
        filtered: whether it controls by filtered readings.
        delay_s: of control while scanning.
        setup: of the heater.
        heater_range: 0 for off.
        manual: of ``MOUT``: percent; watts of the sample heater while its display is power.
        gains: of the loop.
        ramp: the setpoint.
        loop: the loop itself.
        zones: 1 to 10.
        last_update: number of the last control reading taken.
    """

    number: int
    mode: OutputMode
    source: Channel
    setup: HeaterLoad
    powerup: bool = False
    bipolar: bool = False
    filtered: bool = False
    delay_s: int = 1
    heater_range: int = 0
    manual: float = 0.0
    gains: PidGains = attrs.field(factory=PidGains)
    ramp: SetpointRamp = attrs.field(factory=SetpointRamp)
    loop: PidLoop = attrs.field(factory=PidLoop)
    zones: dict[int, SimZone] = attrs.field(
        factory=lambda: {number: SimZone() for number in range(1, ZONES + 1)}
    )
    last_update: int = -1

    @property
    def looping(self) -> bool:
        """Whether a loop runs."""
        return self.mode in (OutputMode.CLOSED_LOOP, OutputMode.ZONE) and self.heater_range > 0

    @property
    def resistance_ohm(self) -> float:
        """The heater's."""
        if self.number == SAMPLE:
            return self.setup.resistance
        if self.number == WARM_UP:
            return WARM_UP_RESISTANCE_OHM[int(self.setup.resistance)]
        return _STILL_OHM

    @property
    def full_scale_a(self) -> float:
        """The current at 100 percent."""
        if self.number == SAMPLE:
            return SAMPLE_HEATER_RANGE_A.get(self.heater_range, 0.0)
        if self.number == WARM_UP:
            return _WARM_UP_A.get(MaximumCurrent(self.setup.max_current), self.setup.user_current_a)
        return STILL_FULL_SCALE_V / _STILL_OHM

    @property
    def manual_percent(self) -> float:
        """`manual` in percent of the full current."""
        if self.number != SAMPLE or self.setup.display is Display.CURRENT:
            return self.manual
        if not self.full_scale_a:
            return 0.0
        return min(100 * math.sqrt(self.manual / self.resistance_ohm) / self.full_scale_a, 100.0)

    def power_w(self, percent: float) -> float:
        """Return the heat at a percentage of the full current."""
        return (self.full_scale_a * percent / 100) ** 2 * self.resistance_ohm

    def shut(self) -> None:
        """Switch off."""
        self.heater_range = 0
        self.loop.reset()


def _as_delivered() -> dict[int, SimOutput]:
    sample = HeaterLoad(120.0, 8, 0.0, Display.CURRENT)
    return {
        SAMPLE: SimOutput(SAMPLE, OutputMode.OPEN_LOOP, 10, sample, powerup=True),
        WARM_UP: SimOutput(WARM_UP, OutputMode.OFF, 0, HeaterLoad(1, 1, 0.0, Display.CURRENT)),
        STILL_OUTPUT: SimOutput(
            STILL_OUTPUT, OutputMode.STILL, 16, sample, powerup=True, heater_range=1
        ),
    }


class Outputs:
    """All outputs at work.

    Args:
        bridge: the readings they control by.
        conditions: some of them are heaters that fail.
        monitor_span: tells what output 2 follows as a monitor: units, and the readings at which
            it gives least and full.
    """

    def __init__(
        self,
        bridge: Bridge,
        conditions: Conditions,
        monitor_span: Callable[[], tuple[Units, float, float]],
    ) -> None:
        self._bridge = bridge
        self._monitor_span = monitor_span
        self._conditions = conditions
        self.all: dict[int, SimOutput] = {}
        self.still_percent = 0.0
        self.warm_up_continuous = False
        self.warm_up_percent = 0.0
        self.reset()

    def reset(self) -> None:
        """Go back to the settings as delivered."""
        self.all = _as_delivered()
        self.still_percent = _STILL_PERCENT
        self.warm_up_continuous = False
        self.warm_up_percent = 0.0

    def power_cycle(self) -> None:
        """Switch off what is not to stay on over a power cycle."""
        for output in self.all.values():
            if not output.powerup:
                output.shut()
            output.ramp.stop()

    def control_channels(self) -> Sequence[int]:
        """Return the measurement channels that a running loop needs readings of."""
        found = {output.source for output in self.all.values() if output.looping}
        return sorted(source for source in found if source != "A" and source)

    def percent(self, output: SimOutput) -> float:
        """Return what an output gives, in percent of its full current or voltage."""
        if output.mode is OutputMode.MONITOR_OUT:
            return self._monitored(output)
        if not output.heater_range:
            return 0.0
        if output.mode is OutputMode.OPEN_LOOP:
            return output.manual_percent
        if output.mode is OutputMode.STILL:
            return self.still_percent
        if output.mode is OutputMode.WARM_UP:
            return self.warm_up_percent
        return output.loop.output_percent

    def heat_w(self) -> Mapping[str, float]:
        """Return the heat that reaches the cryostat's stages, by name."""
        heat = {MIXING_CHAMBER: 0.0, STILL: 0.0}
        for output in self.all.values():
            if self.load_fault(output) or output.mode is OutputMode.MONITOR_OUT:
                continue
            place = STILL if output.number == STILL_OUTPUT else MIXING_CHAMBER
            heat[place] += output.power_w(self.percent(output))
        return heat

    def load_fault(self, output: SimOutput) -> HeaterFault:
        """Return what ``HTRST?`` says."""
        if self._conditions.on("heater_open", output.number):
            return HeaterFault.OPEN
        if self._conditions.on("heater_short", output.number):
            return HeaterFault.SHORT
        return HeaterFault.NONE

    def advance(self, now: float, elapsed_s: float) -> None:
        """Take the newest readings and go on by a time."""
        if any(
            0 < state.limit_k < state.reading.temperature_k
            for state in self._bridge.channels.values()
        ):
            for output in self.all.values():
                if output.mode is not OutputMode.MONITOR_OUT:
                    output.shut()
        for output in self.all.values():
            if output.mode is OutputMode.ZONE:
                self._enter_zone(output)
            output.ramp.advance(elapsed_s)
            if output.looping:
                self._regulate(output, now)
            elif output.mode is OutputMode.WARM_UP:
                self._end_warm_up(output)

    def _source(self, output: SimOutput) -> ChannelState | None:
        return self._bridge.channels.get(output.source)

    def _regulate(self, output: SimOutput, now: float) -> None:
        state = self._source(output)
        if state is None or state.reading.update == output.last_update:
            return
        output.last_update = state.reading.update
        reading = state.reading
        if state.setup.units is Units.KELVIN:
            if reading.status or self._bridge.curves.usable(state.settings.curve) is None:
                return
            error = output.ramp.value - reading.temperature_k
        else:
            if reading.status.resistance_invalid:
                return
            error = output.ramp.value - reading.resistance_ohm
            if self._bridge.coefficient(state) is TemperatureCoefficient.NEGATIVE:
                error = -error
        output.loop.update(error, now, output.gains, -100.0 if output.bipolar else 0.0)

    @staticmethod
    def _enter_zone(output: SimOutput) -> None:
        zones = (zone for zone in output.zones.values() if zone.upper >= output.ramp.value > 0)
        zone = min(zones, key=lambda zone: zone.upper, default=None)
        if zone is None:
            return
        output.gains = zone.gains
        output.ramp.rate_k_per_min = zone.rate_k_per_min
        if output.heater_range and zone.heater_range:
            output.heater_range = zone.heater_range

    def _end_warm_up(self, output: SimOutput) -> None:
        if self.warm_up_continuous or not output.ramp.value:
            return
        state = self._source(output) or self._bridge.channels["A"]
        if state.reading.value(state.setup.units) >= output.ramp.value:
            output.shut()

    def _monitored(self, output: SimOutput) -> float:
        state = self._source(output)
        units, low, high = self._monitor_span()
        if state is None or high == low:
            return 0.0
        share = (state.reading.value(units) - low) / (high - low)
        if output.bipolar:
            return min(max(200 * share - 100, -100.0), 100.0)
        return min(max(100 * share, 0.0), 100.0)
