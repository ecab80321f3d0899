"""The simulated 372's messages about its inputs: settings and readings.

Facts from the project's Lake Shore specification, sections 1.2 to 1.6.
"""

from collections.abc import Callable

import attrs

from agents.lakeshore.sim.replies import SentReading
from agents.lakeshore372.input_tables import (
    CONTROL_EXCITATION_A,
    CURRENT_EXCITATION_A,
    MEASUREMENT_CHANNELS,
    RESISTANCE_RANGE_OHM,
    Autorange,
    Channel,
    InputMode,
    InputSettings,
    InputSetup,
    TemperatureCoefficient,
    Units,
    combination_exists,
)
from agents.lakeshore372.sim_bridge import Bridge, ChannelState, Filter, SimReading
from agents.lakeshore372.sim_scanner import Scanner
from agents.lakeshore372.sim_words import (
    Arguments,
    Commands,
    Queries,
    channel,
    flag,
    format_reading,
    number,
    real,
    refuse,
    text,
)

__all__ = ["InputCommands"]

_MEASUREMENT, _CONTROL = "0", "A"
_FREQUENCIES = 5
_LAST_CURVE = 59
_HIGHEST_LIMIT_K = 9999


class InputCommands:
    """What the instrument does about its inputs when told or asked.

    Args:
        bridge: the inputs.
        scanner: which of them is measured.
        time_s: the present.
    """

    def __init__(self, bridge: Bridge, scanner: Scanner, time_s: Callable[[], float]) -> None:
        self._bridge = bridge
        self._scanner = scanner
        self._time_s = time_s
        self._sent: dict[tuple[Channel, str], int] = {}
        self._new: list[SentReading] = []
        self._common_mode_reduction = False
        self._frequencies: dict[str, int] = {}
        self.reset()
        self.queries: Queries = {
            "SCAN?": self._read_scan,
            "INSET?": self._ask(self._read_settings),
            "INTYPE?": self._ask(_read_setup),
            "INNAME?": self._ask(lambda it: it.name),
            "INCRV?": self._ask(lambda it: f"{it.settings.curve:02d}"),
            "TLIMIT?": self._ask(lambda it: f"{it.limit_k:+05.0f}"),
            "FILTER?": self._ask(_read_filter),
            "MDAT?": self._ask(_read_extremes),
            "RDGST?": self._ask(lambda it: f"{it.reading.status:03d}"),
            "RDGPWR?": self._ask(lambda it: format_reading(it.reading.power_w)),
            "KRDG?": self._reading("T"),
            "RDGK?": self._reading("T"),
            "SRDG?": self._reading("R"),
            "RDGR?": self._reading("R"),
            "QRDG?": self._reading("Q"),
            "RDGSTL?": self._read_settling,
            "FREQ?": self._read_frequency,
            "CMR?": self._read_common_mode_reduction,
        }
        self.commands: Commands = {
            "SCAN": self._set_scan,
            "INSET": self._set_settings,
            "INTYPE": self._set_setup,
            "INNAME": self._set_name,
            "INCRV": self._set_curve,
            "TLIMIT": self._set_limit,
            "FILTER": self._set_filter,
            "MNMXRST": self._reset_extremes,
            "FREQ": self._set_frequency,
            "CMR": self._set_common_mode_reduction,
        }

    def reset(self) -> None:
        """Go back to the settings as delivered that are not a channel's."""
        self._common_mode_reduction = False
        self._frequencies = {_MEASUREMENT: 1, _CONTROL: 3}

    def take_new(self) -> tuple[SentReading, ...]:
        """Return the readings sent for the first time since this was last called."""
        new = tuple(self._new)
        self._new.clear()
        return new

    def _state(self, word: str) -> ChannelState:
        return self._bridge.channels[channel(word)]

    def _states(self, word: str) -> list[ChannelState]:
        """Return one channel, or all measurement channels for 0."""
        if word.strip("0") == "" and word:
            return [self._bridge.channels[one] for one in MEASUREMENT_CHANNELS]
        return [self._state(word)]

    def _ask(self, answer: Callable[[ChannelState], str]) -> Callable[[Arguments], str]:
        def query(arguments: Arguments) -> str:
            (word,) = arguments.take(1)
            return answer(self._state(word))

        return query

    def _reading(self, quantity: str) -> Callable[[Arguments], str]:
        value_of: Callable[[SimReading], float] = {
            "T": lambda reading: reading.temperature_k,
            "R": lambda reading: reading.resistance_ohm,
            "Q": lambda reading: reading.quadrature_ohm,
        }[quantity]

        def query(arguments: Arguments) -> str:
            (word,) = arguments.take(1)
            asked = channel(word, control=quantity != "Q")
            reading = self._bridge.channels[asked].reading
            value = format_reading(value_of(reading))
            if self._sent.get((asked, quantity)) != reading.update:
                self._sent[asked, quantity] = reading.update
                self._new.append(
                    SentReading(
                        time_s=reading.time_s,
                        channel=asked,
                        quantity=quantity,
                        value=value,
                        update=reading.update,
                        status=reading.status.value,
                    )
                )
            return value

        return query

    def _read_scan(self, arguments: Arguments) -> str:
        arguments.take(0)
        return f"{self._scanner.active:02d},{self._scanner.autoscan:d}"

    def _read_settling(self, arguments: Arguments) -> str:
        arguments.take(0)
        return f"0,{self._scanner.settling(self._time_s()):d}"

    def _read_settings(self, state: ChannelState) -> str:
        it = state.settings
        coefficient = self._bridge.coefficient(state)
        return f"{it.enabled:d},{it.dwell_s:03d},{it.pause_s:03d},{it.curve:02d},{coefficient:d}"

    def _read_frequency(self, arguments: Arguments) -> str:
        (word,) = arguments.take(1)
        return f"{self._frequencies[_input_word(word)]}"

    def _read_common_mode_reduction(self, arguments: Arguments) -> str:
        arguments.take(0)
        return f"{self._common_mode_reduction:d}"

    def _set_scan(self, arguments: Arguments) -> None:
        word, autoscan = arguments.take(2)
        self._scanner.select(number(word, 1, 16), autoscan=flag(autoscan), now=self._time_s())

    def _set_settings(self, arguments: Arguments) -> None:
        # Without the last one, which is the curve's anyway, clients send an empty one or none.
        word, enabled_word, dwell, pause, curve_word, *rest = arguments.take(5, 6)
        states = self._states(word)
        enabled, curve = flag(enabled_word), number(curve_word, 0, _LAST_CURVE)
        if self._bridge.curves.usable(curve) is None:
            curve = 0
        held = states[0].settings
        dwell_s, pause_s, coefficient = held.dwell_s, held.pause_s, held.coefficient
        # A channel is switched off with zeros for all the rest by the maker's own driver.
        if enabled or number(dwell, 0, 200):
            dwell_s = number(dwell, 0 if word.upper() == "A" else 1, 200)
        if enabled or number(pause, 0, 200):
            pause_s = number(pause, 3, 200)
        if rest and rest[0] and (enabled or number(rest[0], 0, 2)):
            coefficient = TemperatureCoefficient(number(rest[0], 1, 2))
        for state in states:
            state.settings = InputSettings(enabled, dwell_s, pause_s, curve, coefficient)

    def _set_setup(self, arguments: Arguments) -> None:
        word, mode, excitation, autorange, resistance_range, shunt, units = arguments.take(7)
        asked = channel(word)
        state = self._bridge.channels[asked]
        control = asked == "A"
        steps = CONTROL_EXCITATION_A if control else CURRENT_EXCITATION_A
        setup = InputSetup(
            mode=InputMode(number(mode, 0, 1)),
            excitation=number(excitation, 1, len(steps)),
            autorange=Autorange(number(autorange, 0, 2 if control else 1)),
            resistance_range=number(
                resistance_range, 0 if control else 1, len(RESISTANCE_RANGE_OHM)
            ),
            excitation_on=not flag(shunt),
            units=Units(number(units, 1, 2)),
        )
        if asked == "A":
            state.setup = attrs.evolve(
                setup, mode=InputMode.CURRENT, resistance_range=state.setup.resistance_range
            )
            return
        if setup.autorange is Autorange.OFF:
            if not _fits(setup):
                refuse()
        elif not any(
            combination_exists(setup.mode, setup.excitation, step) for step in RESISTANCE_RANGE_OHM
        ):
            refuse()
        state.setup = setup
        self._bridge.choose_range(asked)

    def _set_name(self, arguments: Arguments) -> None:
        word, name = arguments.one_and_text()
        self._state(word).name = text(name, 15)

    def _set_curve(self, arguments: Arguments) -> None:
        word, curve_word = arguments.take(2)
        state, curve = self._state(word), number(curve_word, 0, _LAST_CURVE)
        if self._bridge.curves.usable(curve) is None:
            curve = 0
        state.settings = attrs.evolve(state.settings, curve=curve)

    def _set_limit(self, arguments: Arguments) -> None:
        word, limit = arguments.take(2)
        state = self._state(word)
        state.limit_k = round(real(limit, 0, _HIGHEST_LIMIT_K))

    def _set_filter(self, arguments: Arguments) -> None:
        word, enabled, settle, window = arguments.take(4)
        setting = Filter(flag(enabled), number(settle, 1, 200), number(window, 1, 80))
        for state in self._states(word):
            state.filter = setting

    def _reset_extremes(self, arguments: Arguments) -> None:
        arguments.take(0)
        self._bridge.reset_extremes()

    def _set_frequency(self, arguments: Arguments) -> None:
        word, frequency = arguments.take(2)
        where = _input_word(word)
        self._frequencies[where] = number(frequency, 1, _FREQUENCIES)
        if where == _MEASUREMENT:
            self._scanner.change_frequency(self._time_s())

    def _set_common_mode_reduction(self, arguments: Arguments) -> None:
        (word,) = arguments.take(1)
        self._common_mode_reduction = flag(word)


def _fits(setup: InputSetup) -> bool:
    return combination_exists(setup.mode, setup.excitation, setup.resistance_range)


def _input_word(word: str) -> str:
    if word.upper() not in (_MEASUREMENT, _CONTROL):
        refuse()
    return word.upper()


def _read_setup(state: ChannelState) -> str:
    it = state.setup
    return (
        f"{it.mode:d},{it.excitation:02d},{it.autorange:d},{it.resistance_range:02d},"
        f"{not it.excitation_on:d},{it.units:d}"
    )


def _read_filter(state: ChannelState) -> str:
    it = state.filter
    return f"{it.enabled:d},{it.settle_s:03d},{it.window_percent:02d}"


def _read_extremes(state: ChannelState) -> str:
    low, high = state.extremes or (0.0, 0.0)
    return f"{format_reading(low)},{format_reading(high)}"
