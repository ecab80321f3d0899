"""The simulated 240 without its port: a line in, what the real one would answer out.

As the real one (the project's Lake Shore specification, section 3) it answers nothing to
commands, nor to anything unknown or malformed, and has no register that would tell.
"""

import random
import re
import time
from collections.abc import Callable, Mapping
from typing import NoReturn

import attrs

from agents.lakeshore.sim.noise import generator
from agents.lakeshore.sim.replies import Reply, SentReading
from agents.lakeshore240.input_tables import RANGES, InputType, Sensor, Units
from agents.lakeshore240.sim_cryostat import PLACES, Cryostat
from agents.lakeshore240.sim_curve import MAX_POINTS, Curve, CurveFormat, CurveHeader
from agents.lakeshore240.sim_inputs import (
    CONDITIONS,
    Input,
    Reading,
    factory_input,
    fitted_input,
)

__all__ = ["SimulatedLs240", "make_instrument", "six_digits", "temperature_text"]

UPDATE_S = 0.1
_FIRMWARE = "1.9"
_NAME_LENGTH = 15
_CURVE_SERIAL_LENGTH = 10
_BRIGHTNESS = (0, 25, 50, 75, 100)
_UNSET_ADDRESS = 126
_SLOTS = 8

_MESSAGE = re.compile(r"\s*:?(\*?[A-Za-z]+\??)(?:\s+(.*?))?\s*", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})(?:[Ee][+-]?\d{1,2})?", re.ASCII)
_INTEGER = re.compile(r"\+?\d{1,4}", re.ASCII)


class _Ignored(Exception):
    """The module takes no notice of a message."""


def six_digits(value: float) -> str:
    """Write a number with a sign and six digits, for example ``+1.62345``.

    How the 240 writes sensor units and curve points is deduced from how it writes temperatures.
    """
    decimals = max(0, 6 - len(str(int(abs(value)))))
    return f"{value:+08.{decimals}f}"


def temperature_text(value: float) -> str:
    """Write a temperature as the 240 does: 292.19 is ``+0292.19`` (recorded from a real one).

    That all temperatures have six digits, the first of them for a digit more, is deduced.
    """
    decimals = max(0, 5 - len(str(int(abs(value)))))
    return f"{value:+08.{decimals}f}"


@attrs.define
class _Module:
    """What is set for the module as a whole.

    Attributes:
        name: as ``MODNAME`` sets it.
        brightness: of the display in percent.
        address: on PROFIBUS.
        slots_used: of PROFIBUS.
        slots: input and units of each slot, by its number.
    """

    name: str = "Module"
    brightness: int = 100
    address: int = _UNSET_ADDRESS
    slots_used: int = 1
    slots: dict[int, tuple[int, int]] = attrs.field(
        factory=lambda: {slot: (1, int(Units.KELVIN)) for slot in range(1, _SLOTS + 1)}
    )


class SimulatedLs240:
    """A 240 with two or eight inputs.

    Args:
        cryostat: what its inputs are connected to.
        channels: 2 or 8.
        serial: its serial number.
        factory_new: as out of its box, in place of set up for what is connected.
        noise: where its noise comes from.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        cryostat: Cryostat,
        noise: random.Random,
        *,
        channels: int = 8,
        serial: str = "LSA2359",
        factory_new: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cryostat = cryostat
        self._noise = noise
        self._serial = serial
        self._clock = clock
        self._now = self._start = clock()
        self._ticks = 0
        self._module = _Module()
        self._inputs = {
            channel: factory_input(channel, self._now)
            if factory_new
            else fitted_input(
                channel, PLACES[channel - 1].name, cryostat.sensor(channel), self._now
            )
            for channel in range(1, channels + 1)
        }
        self._sent: dict[tuple[int, str], int] = {}
        self._new: list[SentReading] = []
        self._queries: dict[str, Callable[[str], str]] = {
            "*IDN?": lambda _: f"LSCI,MODEL240-{channels}P,{self._serial},{_FIRMWARE}",
            "MODNAME?": lambda _: self._module.name,
            "BRIGT?": lambda _: f"{self._module.brightness}",
            "ADDR?": lambda _: f"{self._module.address}",
            "PROFINUM?": lambda _: f"{self._module.slots_used}",
            "PROFISLOT?": self._read_slot,
            "PROFISTAT?": lambda _: "1: Waiting on parameterization.",
            "INNAME?": lambda raw: f"{self._input(raw).name:<{_NAME_LENGTH}}",
            "INTYPE?": self._read_type,
            "FILTER?": lambda raw: f"{self._input(raw).filter_points}",
            "RDGST?": lambda raw: f"{self._input(raw).reading.status.value:03d}",
            "KRDG?": lambda raw: self._read(raw, "T"),
            "CRDG?": lambda raw: self._read(raw, "C"),
            "FRDG?": lambda raw: self._read(raw, "F"),
            "SRDG?": lambda raw: self._read(raw, "S"),
            "CRVHDR?": self._read_header,
            "CRVPT?": self._read_point,
        }
        self._commands: dict[str, Callable[[str], None]] = {
            "MODNAME": self._set_module_name,
            "BRIGT": self._set_brightness,
            "ADDR": self._set_address,
            "PROFINUM": self._set_slots_used,
            "PROFISLOT": self._set_slot,
            "INNAME": self._set_name,
            "INTYPE": self._set_type,
            "FILTER": self._set_filter,
            "CRVHDR": self._set_header,
            "CRVPT": self._set_point,
            "CRVDEL": self._delete_curve,
            "DFLT": self._reset,
        }
        self._measure(self._now)

    def advance(self) -> None:
        """Go on to the present, as `handle_line` does; call it now and then in quiet times."""
        # A system clock set back must not make the module undo what it did.
        self._now = max(self._now, self._clock())
        # The small part keeps a reading that is due exactly now from being lost to rounding.
        due = int((self._now - self._start) / UPDATE_S + 1e-6)
        if due > self._ticks:
            self._ticks = due
            self._measure(self._start + due * UPDATE_S)

    def handle_line(self, line: bytes) -> Reply:
        """Carry out a line, given without its end, and return the answer."""
        self.advance()
        self._new = []
        answers = []
        for part in line.decode("ascii", "replace").split(";"):
            try:
                answer = self._handle(part)
            except _Ignored:
                continue
            if answer is not None:
                answers.append(answer)
        return Reply(";".join(answers) if answers else None, tuple(self._new))

    def refuse_line(self) -> None:
        """Note a line that was too long to be taken: this unit keeps no notes of such things."""

    def conditions(self) -> Mapping[str, str]:
        """Return what can be made to go wrong with the inputs: name and one line of help."""
        return {name: f"{text}; target: channel" for name, text in CONDITIONS.items()}

    def set_condition(self, name: str, target: str | None, *, active: bool) -> None:
        """Make something go wrong with an input, or with all, or right again.

        Raises:
            ValueError: there is no such condition or no such input.
        """
        if name not in CONDITIONS:
            raise ValueError(f"There is no condition {name!r}; there are {', '.join(CONDITIONS)}.")
        known = {str(channel) for channel in self._inputs}
        if target is not None and target not in known:
            raise ValueError(f"No channel {target!r}; there are 1 to {len(known)}.")
        for channel, it in self._inputs.items():
            if target in {None, str(channel)}:
                (it.conditions.add if active else it.conditions.discard)(name)

    def _measure(self, now: float) -> None:
        self._cryostat.advance(now)
        for channel, it in self._inputs.items():
            it.measure(
                self._cryostat.sensor(channel),
                self._cryostat.temperature_k(channel),
                Reading(time_s=now, update=self._ticks + 1),
                self._noise,
            )

    def _handle(self, message: str) -> str | None:
        found = _MESSAGE.fullmatch(message)
        if found is None:
            raise _Ignored
        mnemonic, raw = found[1].upper(), found[2] or ""
        if mnemonic in self._queries:
            return self._queries[mnemonic](raw)
        if mnemonic not in self._commands:
            raise _Ignored
        self._commands[mnemonic](raw)
        return None

    def _input(self, word: str) -> Input:
        return self._inputs[self._channel(word)]

    def _channel(self, word: str) -> int:
        return _integer(word, 1, len(self._inputs))

    def _read(self, raw: str, quantity: str) -> str:
        channel = self._channel(raw)
        reading = self._inputs[channel].reading
        value = _text(reading, quantity)
        if self._sent.get((channel, quantity)) != reading.update:
            self._sent[channel, quantity] = reading.update
            self._new.append(
                SentReading(
                    reading.time_s, channel, quantity, value, reading.update, reading.status.value
                )
            )
        return value

    def _read_type(self, raw: str) -> str:
        it = self._input(raw).settings
        return (
            f"{it.sensor:d},{it.autorange:d},{it.range_step:d},{it.current_reversal:d},"
            f"{it.units:d},{it.enabled:d}"
        )

    def _read_slot(self, raw: str) -> str:
        channel, units = self._module.slots[_integer(raw, 1, _SLOTS)]
        return f"{channel},{units}"

    def _read_header(self, raw: str) -> str:
        it = self._input(raw).curve.header
        return (
            f"{it.name:<{_NAME_LENGTH}},{it.serial:<{_CURVE_SERIAL_LENGTH}},{it.format:d},"
            f"{it.limit_k:+08.3f},{it.coefficient}"
        )

    def _read_point(self, raw: str) -> str:
        channel, index = _words(raw, 2)
        point = self._input(channel).curve.point(_integer(index, 1, MAX_POINTS))
        return ",".join(map(six_digits, point))

    def _set_module_name(self, raw: str) -> None:
        self._module.name = _name(raw, _NAME_LENGTH)

    def _set_brightness(self, raw: str) -> None:
        percent = _integer(raw, 0, 100)
        if percent not in _BRIGHTNESS:
            _ignore()
        self._module.brightness = percent

    def _set_address(self, raw: str) -> None:
        self._module.address = _integer(raw, 1, _UNSET_ADDRESS)

    def _set_slots_used(self, raw: str) -> None:
        self._module.slots_used = _integer(raw, 1, _SLOTS)

    def _set_slot(self, raw: str) -> None:
        slot, channel, units = _words(raw, 3)
        self._module.slots[_integer(slot, 1, _SLOTS)] = (
            self._channel(channel),
            _integer(units, 1, len(Units)),
        )

    def _set_name(self, raw: str) -> None:
        channel, name = _words(raw, 2)
        self._input(channel).name = _name(name, _NAME_LENGTH)

    def _set_type(self, raw: str) -> None:
        channel, sensor_word, autorange, step, reversal, units, enabled = _words(raw, 7)
        sensor = Sensor(_integer(sensor_word, 1, len(Sensor)))
        reversed_ = bool(_integer(reversal, 0, 1))
        self._input(channel).settings = InputType(
            sensor=sensor,
            autorange=bool(_integer(autorange, 0, 1)),
            range_step=_integer(step, 0, len(RANGES[sensor]) - 1),
            current_reversal=reversed_ and sensor is not Sensor.DIODE,
            units=Units(_integer(units, 1, len(Units))),
            enabled=bool(_integer(enabled, 0, 1)),
        )

    def _set_filter(self, raw: str) -> None:
        channel, points = _words(raw, 2)
        self._input(channel).filter_points = _integer(points, 1, 100)

    def _set_header(self, raw: str) -> None:
        channel, name, serial, form, limit, coefficient = _words(raw, 6)
        self._input(channel).curve.header = CurveHeader(
            name=_name(name, _NAME_LENGTH),
            serial=_name(serial, _CURVE_SERIAL_LENGTH),
            format=CurveFormat(_integer(form, min(CurveFormat), max(CurveFormat))),
            limit_k=_decimal(limit, 0.0, 9999.0),
            coefficient=_integer(coefficient, 1, 2),
        )

    def _set_point(self, raw: str) -> None:
        channel, index, signal, temperature = _words(raw, 4)
        self._input(channel).curve.set_point(
            _integer(index, 1, MAX_POINTS),
            _decimal(signal, -999999.0, 999999.0),
            _decimal(temperature, 0.0, 9999.0),
        )

    def _delete_curve(self, raw: str) -> None:
        self._input(raw).curve = Curve()

    def _reset(self, raw: str) -> None:
        if raw != "99":
            _ignore()
        self._module = _Module()
        for channel, it in self._inputs.items():
            fresh = factory_input(channel, self._now)
            self._inputs[channel] = attrs.evolve(
                fresh,
                conditions=it.conditions,
                reading=attrs.evolve(fresh.reading, update=it.reading.update),
            )


def make_instrument(
    *,
    channels: int = 8,
    serial: str = "LSA2359",
    seed: int = 1,
    factory_new: bool = False,
    clock: Callable[[], float] = time.time,
) -> SimulatedLs240:
    """Build a module looking at its cryostat, as ``ls240-sim --help`` describes it."""
    return SimulatedLs240(
        Cryostat(seed, clock()),
        generator(seed, "240 electronics"),
        channels=channels,
        serial=serial,
        factory_new=factory_new,
        clock=clock,
    )


def _text(reading: Reading, quantity: str) -> str:
    if quantity == "S":
        return six_digits(reading.signal)
    kelvin = reading.temperature_k
    # Without a temperature all three scales say 0: there is nothing to convert.
    celsius = kelvin - 273.15 if kelvin else 0.0
    fahrenheit = celsius * 1.8 + 32 if kelvin else 0.0
    return temperature_text({"T": kelvin, "C": celsius, "F": fahrenheit}[quantity])


def _ignore() -> NoReturn:
    raise _Ignored


def _words(raw: str, number: int) -> list[str]:
    words = [word.strip() for word in raw.split(",")]
    if len(words) != number:
        _ignore()
    return words


def _integer(word: str, low: int, high: int) -> int:
    if not _INTEGER.fullmatch(word) or not low <= int(word) <= high:
        _ignore()
    return int(word)


def _decimal(word: str, low: float, high: float) -> float:
    if not _NUMBER.fullmatch(word) or not low <= float(word) <= high:
        _ignore()
    return float(word)


def _name(word: str, longest: int) -> str:
    if len(word) > longest or not word.isascii() or not word.isprintable():
        _ignore()
    return word
