"""The simulated 372's messages about outputs, heaters and control loops.

Facts from the project's Lake Shore specification, sections 1.2 and 1.4.
"""

import math
import re
from collections.abc import Callable

from agents.lakeshore372.input_tables import Channel, Units
from agents.lakeshore372.output_tables import (
    ALLOWED_MODES,
    SAMPLE_HEATER_RANGE_A,
    SAMPLE_HEATER_RESISTANCE_OHM,
    Display,
    Output,
    OutputMode,
)
from agents.lakeshore372.sim_bridge import Bridge
from agents.lakeshore372.sim_conditions import Conditions
from agents.lakeshore372.sim_loop import PidGains
from agents.lakeshore372.sim_outputs import (
    SAMPLE,
    STILL_OUTPUT,
    WARM_UP,
    ZONES,
    HeaterLoad,
    Outputs,
    SimOutput,
    SimZone,
)
from agents.lakeshore372.sim_words import (
    Arguments,
    Commands,
    NoAnswer,
    Queries,
    channel,
    flag,
    format_percent,
    format_reading,
    number,
    real,
    refuse,
)

__all__ = ["OutputCommands"]

_LOOPS = (SAMPLE, WARM_UP)
_ALL = (SAMPLE, WARM_UP, STILL_OUTPUT)
_GREATEST_SETPOINT = 1e9


class OutputCommands:
    """What the instrument does about its outputs when told or asked.

    Args:
        outputs: the outputs.
        bridge: the inputs they control by.
        conditions: one of them is an output that gives no answer.
    """

    def __init__(self, outputs: Outputs, bridge: Bridge, conditions: Conditions) -> None:
        self._outputs = outputs
        self._bridge = bridge
        self._conditions = conditions
        self.queries: Queries = {
            "OUTMODE?": self._ask(_read_mode),
            "HTRSET?": self._ask(_read_setup),
            "RANGE?": self._ask(_read_range),
            "MOUT?": self._ask(lambda it: format_reading(it.manual)),
            "HTR?": self._read_heater,
            "AOUT?": self._ask(self._read_analog, outputs=(WARM_UP, STILL_OUTPUT)),
            "HTRST?": self._ask(lambda it: f"{self._outputs.load_fault(it):d}"),
            "PID?": self._ask(_read_gains, outputs=_LOOPS),
            "SETP?": self._ask(lambda it: format_reading(it.ramp.value), outputs=_LOOPS),
            "RAMP?": self._ask(_read_ramp, outputs=_LOOPS),
            "RAMPST?": self._ask(lambda it: f"{it.ramp.moving:d}", outputs=_LOOPS),
            "STILL?": self._read_still,
            "WARMUP?": self._read_warm_up,
            "ZONE?": self._read_zone,
        }
        self.commands: Commands = {
            "OUTMODE": self._set_mode,
            "HTRSET": self._set_setup,
            "RANGE": self._set_range,
            "MOUT": self._set_manual,
            "PID": self._set_gains,
            "SETP": self._set_setpoint,
            "RAMP": self._set_ramp,
            "STILL": self._set_still,
            "WARMUP": self._set_warm_up,
            "ZONE": self._set_zone,
        }

    def _output(self, word: str, outputs: tuple[int, ...] = _ALL) -> SimOutput:
        chosen = number(word, outputs[0], outputs[-1])
        if self._conditions.on("dead_heater", chosen):
            raise NoAnswer
        return self._outputs.all[chosen]

    def _ask(
        self, answer: Callable[[SimOutput], str], outputs: tuple[int, ...] = _ALL
    ) -> Callable[[Arguments], str]:
        def query(arguments: Arguments) -> str:
            # Asked without an output, the loops' queries are about the first one.
            words = arguments.words or (["0"] if outputs is _LOOPS else [])
            if len(words) != 1:
                refuse()
            return answer(self._output(words[0], outputs))

        return query

    def _set_mode(self, arguments: Arguments) -> None:
        output_word, *words = arguments.take(7)
        output = self._output(output_word)
        mode = OutputMode(number(words[0], 0, max(OutputMode)))
        source: Channel = 0 if re.fullmatch("0+", words[1]) else channel(words[1])
        powerup, bipolar, filtered = (flag(word) for word in words[2:5])
        delay_s = number(words[5], 1, 255)
        if mode not in ALLOWED_MODES[Output(output.number)]:
            refuse()
        if bipolar and output.number == WARM_UP:
            refuse()
        if (mode, source) != (output.mode, output.source):
            output.loop.reset()
        output.mode, output.source = mode, source
        output.powerup, output.bipolar, output.filtered = powerup, bipolar, filtered
        output.delay_s = delay_s
        if mode is OutputMode.OFF:
            output.shut()

    def _set_setup(self, arguments: Arguments) -> None:
        output_word, resistance, max_current, user_current, display_word = arguments.take(5)
        output = self._output(output_word, _LOOPS)
        display = Display(number(display_word, 1, 2))
        if output.number == WARM_UP:
            output.setup = HeaterLoad(
                number(resistance, 1, 2),
                number(max_current, 0, 2),
                real(user_current, 0, 1),
                display,
            )
            return
        real(max_current, 0, 8)
        real(user_current, 0, 1)
        load = HeaterLoad(real(resistance, *SAMPLE_HEATER_RESISTANCE_OHM), 8, 0.0, display)
        percent = output.manual_percent
        changed = display is not output.setup.display
        output.setup = load
        if changed:
            power = display is Display.POWER
            output.manual = output.power_w(percent) if power else percent

    def _set_range(self, arguments: Arguments) -> None:
        output_word, range_word = arguments.take(2)
        output = self._output(output_word)
        highest = max(SAMPLE_HEATER_RANGE_A) if output.number == SAMPLE else 1
        chosen = number(range_word, 0, highest)
        if output.mode in (OutputMode.OFF, OutputMode.MONITOR_OUT):
            return
        if chosen:
            output.heater_range = chosen
        else:
            output.shut()

    def _set_manual(self, arguments: Arguments) -> None:
        output_word, value = arguments.take(2)
        output = self._output(output_word)
        if output.number == SAMPLE and output.setup.display is Display.POWER:
            full_a = output.full_scale_a or max(SAMPLE_HEATER_RANGE_A.values())
            # A little more than everything, for what rounding to six digits may add.
            most_w = full_a**2 * output.resistance_ohm * (1 + 1e-5)
            output.manual = real(value, 0, most_w)
        else:
            output.manual = real(value, -100 if output.bipolar else 0, 100)

    def _set_gains(self, arguments: Arguments) -> None:
        output_word, *words = arguments.take(4)
        self._output(output_word, _LOOPS).gains = _gains(words)

    def _set_setpoint(self, arguments: Arguments) -> None:
        output_word, value = arguments.take(2)
        output = self._output(output_word, _LOOPS)
        setpoint = real(value, 0, _GREATEST_SETPOINT)
        state = self._bridge.channels.get(output.source)
        if state is not None and state.setup.units is Units.KELVIN:
            curve = self._bridge.curves.usable(state.settings.curve)
            setpoint = min(setpoint, curve.limit_k) if curve else setpoint
        output.ramp.go_to(setpoint)

    def _set_ramp(self, arguments: Arguments) -> None:
        output_word, on, rate = arguments.take(3)
        output = self._output(output_word, _LOOPS)
        enabled, rate_k_per_min = flag(on), _rate(rate)
        output.ramp.enabled, output.ramp.rate_k_per_min = enabled, rate_k_per_min

    def _set_still(self, arguments: Arguments) -> None:
        (value,) = arguments.take(1)
        self._output(str(STILL_OUTPUT))
        self._outputs.still_percent = real(value, 0, 100)

    def _set_warm_up(self, arguments: Arguments) -> None:
        control, value = arguments.take(2)
        self._output(str(WARM_UP))
        continuous, percent = flag(control), real(value, 0, 100)
        self._outputs.warm_up_continuous, self._outputs.warm_up_percent = continuous, percent

    def _set_zone(self, arguments: Arguments) -> None:
        output_word, zone_word, upper, p, i, d, manual, range_word, rate, *relays = arguments.take(
            11
        )
        output = self._output(output_word, _LOOPS)
        zone = number(zone_word, 1, ZONES)
        highest = max(SAMPLE_HEATER_RANGE_A) if output.number == SAMPLE else 1
        relay_1, relay_2 = (number(word, 0, 1) for word in relays)
        output.zones[zone] = SimZone(
            upper=real(upper, 0, _GREATEST_SETPOINT),
            gains=_gains([p, i, d]),
            manual_percent=real(manual, 0, 100),
            heater_range=number(range_word, 0, highest),
            rate_k_per_min=_rate(rate),
            relays=(relay_1, relay_2),
        )

    def _read_heater(self, arguments: Arguments) -> str:
        if len(arguments.words) > 1:
            refuse()
        output = self._output(str(SAMPLE))
        percent = self._outputs.percent(output)
        if output.setup.display is Display.POWER:
            return format_reading(math.copysign(output.power_w(percent), percent))
        return format_percent(percent)

    def _read_analog(self, output: SimOutput) -> str:
        return f"{self._outputs.percent(output):+07.2f}"

    def _read_still(self, arguments: Arguments) -> str:
        arguments.take(0)
        self._output(str(STILL_OUTPUT))
        return f"{self._outputs.still_percent:+06.2f}"

    def _read_warm_up(self, arguments: Arguments) -> str:
        arguments.take(0)
        self._output(str(WARM_UP))
        return f"{self._outputs.warm_up_continuous:d},{self._outputs.warm_up_percent:+07.2f}"

    def _read_zone(self, arguments: Arguments) -> str:
        output_word, zone_word = arguments.take(2)
        zone = self._output(output_word, _LOOPS).zones[number(zone_word, 1, ZONES)]
        relay_1, relay_2 = zone.relays
        return (
            f"{format_reading(zone.upper)},{_write_gains(zone.gains)},{zone.manual_percent:+07.2f},"
            f"{zone.heater_range},{_write_rate(zone.rate_k_per_min)},{relay_1},{relay_2}"
        )


def _read_mode(it: SimOutput) -> str:
    return f"{it.mode:d},{it.source},{it.powerup:d},{it.bipolar:d},{it.filtered:d},{it.delay_s:03d}"


def _read_setup(it: SimOutput) -> str:
    if it.number == WARM_UP:
        resistance = f"{it.setup.resistance:.0f}"
    else:
        resistance = f"{it.setup.resistance:+08.3f}"
    return (
        f"{resistance},{it.setup.max_current},{it.setup.user_current_a:+08.2f},{it.setup.display:d}"
    )


def _read_range(it: SimOutput) -> str:
    return f"{1 if it.mode is OutputMode.MONITOR_OUT else it.heater_range}"


def _read_gains(it: SimOutput) -> str:
    return _write_gains(it.gains)


def _read_ramp(it: SimOutput) -> str:
    return f"{it.ramp.enabled:d},{_write_rate(it.ramp.rate_k_per_min)}"


def _gains(words: list[str]) -> PidGains:
    return PidGains(real(words[0], 0, 1000), real(words[1], 0, 10000), real(words[2], 0, 2500))


def _write_gains(gains: PidGains) -> str:
    return f"{gains.p:+09.3f},{gains.i_s:+09.2f},{gains.d_s:+09.2f}"


def _rate(word: str) -> float:
    rate = real(word, 0, 100)
    if 0 < rate < 0.001:
        refuse()
    return rate


def _write_rate(rate_k_per_min: float) -> str:
    return f"{rate_k_per_min:+08.3f}"
