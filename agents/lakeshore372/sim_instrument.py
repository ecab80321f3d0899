"""The simulated 372 without its socket: a line in, what the real one would answer out.

As the real one (the project's Lake Shore specification, sections 1.1 and 1.4) it answers nothing
to commands, nor to anything unknown or malformed: that only sets a bit of the event register.
More mnemonics are added as more entries of the two tables.
"""

import math
import re
import time
from collections.abc import Callable
from enum import IntFlag
from typing import Literal, NoReturn, TypeVar

import attrs

from agents.lakeshore372.input_tables import (
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
from agents.lakeshore372.sim_scanner import ChannelState, Scanner

__all__ = ["Event", "Reply", "SentReading", "SimulatedLs372", "format_reading"]

T = TypeVar("T")

Quantity = Literal["T", "R", "Q"]

_MESSAGE = re.compile(r"\s*:?(\*?[A-Za-z]+\??)\s*(.*?)\s*", re.DOTALL)
_PARTS = re.compile(r'(?:[^;"]|"[^"]*"?)+')
_WORDS = re.compile(r'"[^"]*"|[^,\s]+')
_NAME = re.compile(r'\s*[^,\s]+\s*[,\s]\s*("[^"]*"|[^"]*)\s*')


class Event(IntFlag):
    """Bits of the standard event register, ``*ESR?``."""

    OPERATION_COMPLETE = 1
    QUERY_ERROR = 4
    EXECUTION_ERROR = 16
    COMMAND_ERROR = 32
    POWER_ON = 128


class _Refused(Exception):
    """The instrument takes no notice of a message but for a bit of the event register."""

    def __init__(self, event: Event) -> None:
        super().__init__(event.name)
        self.event = event


@attrs.frozen
class SentReading:
    """A reading that an answer carries for the first time.

    Attributes:
        time_s: when the instrument made the reading.
        channel: 1 to 16.
        quantity: ``T`` kelvin, ``R`` ohms, ``Q`` quadrature ohms.
        value: exactly as sent.
        update: number of the reading; T, R and Q of one reading share it.
        status: its ``RDGST?`` bits.
    """

    time_s: float
    channel: int
    quantity: Quantity
    value: str
    update: int
    status: int


@attrs.frozen
class Reply:
    """What goes out in answer to a line.

    Attributes:
        text: the line to send; None for silence.
        readings: new readings in it.
    """

    text: str | None
    readings: tuple[SentReading, ...] = ()


def format_reading(value: float) -> str:
    """Write a number as the instrument does: six digits, exponent a multiple of three.

    293.873 is ``+293.873E+00`` and 0.0215 is ``+21.5000E-03``.
    """
    if value == 0:
        return "+000.000E+00"
    mantissa, exponent_text = f"{abs(value):.5e}".split("e")
    digits = mantissa.replace(".", "")
    exponent = int(exponent_text)
    scale = 3 * math.floor(exponent / 3)
    point = exponent - scale + 1
    sign = "-" if value < 0 else "+"
    return f"{sign}{digits[:point]}.{digits[point:]}E{scale:+03d}"


class SimulatedLs372:
    """A 372 with a 16-channel scanner.

    Args:
        scanner: its measurement input.
        serial: its serial number.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        scanner: Scanner,
        *,
        serial: str = "LSA23JD",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._scanner = scanner
        self._serial = serial
        self._clock = clock
        self._now = clock()
        self._events = Event.POWER_ON
        self._sent: dict[tuple[int, Quantity], int] = {}
        self._new: list[SentReading] = []
        self._queries: dict[str, Callable[[list[str]], str]] = {
            "*IDN?": lambda _: f"LSCI,MODEL372,{self._serial},1.3",
            "*ESR?": self._read_events,
            "*OPC?": lambda _: "1",
            "*TST?": lambda _: "0",
            "SCAN?": lambda _: f"{self._scanner.active:02d},{self._scanner.autoscan:d}",
            "INSET?": self._read_settings,
            "INTYPE?": self._read_setup,
            "INNAME?": self._read_name,
            "KRDG?": lambda words: self._read("T", words),
            "RDGK?": lambda words: self._read("T", words),
            "SRDG?": lambda words: self._read("R", words),
            "RDGR?": lambda words: self._read("R", words),
            "QRDG?": lambda words: self._read("Q", words),
            "RDGST?": self._read_status,
            "RDGSTL?": lambda _: f"0,{self._scanner.settling(self._now):d}",
            # Asked by existing clients as they connect; nothing is behind them here.
            "TLIMIT?": lambda words: _by_input(words, "+0000"),
            "OUTMODE?": lambda words: _of_output(
                words, "2,6,1,0,0,001", "0,0,0,0,0,001", "4,16,1,0,0,001"
            ),
            "HTRSET?": lambda words: _of_output(
                words, "+120.000,8,+0000.00,1", "1,1,+0000.00,1", "+120.000,8,+0000.00,1"
            ),
            "RANGE?": lambda words: _of_output(words, "0", "0", "0"),
            "STILL?": lambda _: "+10.60",
            "HTR?": lambda _: "+00.0005E+00",
        }
        self._commands: dict[str, Callable[[list[str], str], None]] = {
            "*CLS": lambda _words, _raw: self._clear_events(),
            "EMUL": lambda _words, _raw: None,
            "SCAN": self._set_scan,
            "INSET": self._set_settings,
            "INTYPE": self._set_setup,
            "INNAME": self._set_name,
        }

    def advance(self) -> None:
        """Go on to the present, as `handle_line` does; call it now and then in quiet times."""
        # A system clock set back must not make the instrument undo what it did.
        self._now = max(self._now, self._clock())
        self._scanner.advance(self._now)

    def handle_line(self, line: bytes) -> Reply:
        """Carry out a line, given without its end, and return the answer."""
        self.advance()
        self._new = []
        answers = []
        for part in _PARTS.findall(line.decode("ascii", "replace")):
            try:
                answer = self._handle(part)
            except _Refused as refusal:
                self._events |= refusal.event
            else:
                if answer is not None:
                    answers.append(answer)
        return Reply(";".join(answers) if answers else None, tuple(self._new))

    def refuse_line(self) -> None:
        """Note a line that was too long to be taken."""
        self._events |= Event.COMMAND_ERROR

    def _handle(self, message: str) -> str | None:
        if not message.strip():
            return None
        found = _MESSAGE.fullmatch(message)
        if found is None:
            raise _Refused(Event.COMMAND_ERROR)
        mnemonic, raw = found[1].upper(), found[2]
        words = _WORDS.findall(raw)
        if mnemonic in self._queries:
            return self._queries[mnemonic](words)
        if mnemonic not in self._commands:
            raise _Refused(Event.COMMAND_ERROR)
        self._commands[mnemonic](words, raw)
        return None

    def _read_events(self, _words: list[str]) -> str:
        events, self._events = self._events, Event(0)
        return f"{events.value:03d}"

    def _clear_events(self) -> None:
        self._events = Event(0)

    def _state(self, word: str) -> ChannelState:
        return self._scanner.channels[_number(word, 1, len(MEASUREMENT_CHANNELS))]

    def _read(self, quantity: Quantity, words: list[str]) -> str:
        channel = _input(words, control=quantity != "Q")
        if channel == "A":
            return format_reading(0)
        reading = self._scanner.channels[channel].reading
        value = format_reading(
            {
                "T": reading.temperature_k,
                "R": reading.resistance_ohm,
                "Q": reading.quadrature_ohm,
            }[quantity]
        )
        if self._sent.get((channel, quantity)) != reading.update:
            self._sent[channel, quantity] = reading.update
            self._new.append(
                SentReading(
                    reading.time_s, channel, quantity, value, reading.update, reading.status
                )
            )
        return value

    def _read_status(self, words: list[str]) -> str:
        channel = _input(words)
        status = 0 if channel == "A" else self._scanner.channels[channel].reading.status
        return f"{status:03d}"

    def _read_settings(self, words: list[str]) -> str:
        channel = _input(words)
        if channel == "A":
            return "0,010,003,00,1"
        it = self._scanner.channels[channel].settings
        return f"{it.enabled:d},{it.dwell_s:03d},{it.pause_s:03d},{it.curve:02d},{it.coefficient:d}"

    def _read_setup(self, words: list[str]) -> str:
        channel = _input(words)
        if channel == "A":
            return "1,04,0,15,0,2"
        it = self._scanner.channels[channel].setup
        return (
            f"{it.mode:d},{it.excitation:02d},{it.autorange:d},{it.resistance_range:02d},"
            f"{not it.excitation_on:d},{it.units:d}"
        )

    def _read_name(self, words: list[str]) -> str:
        channel = _input(words)
        return "Control" if channel == "A" else self._scanner.channels[channel].name

    def _set_scan(self, words: list[str], _raw: str) -> None:
        channel, autoscan = _count(words, 2)
        self._scanner.select(
            _number(channel, 1, 16), autoscan=bool(_number(autoscan, 0, 1)), now=self._now
        )

    def _set_settings(self, words: list[str], _raw: str) -> None:
        channel, enabled, dwell, pause, curve, coefficient = _count(words, 6)
        self._state(channel).settings = InputSettings(
            enabled=bool(_number(enabled, 0, 1)),
            dwell_s=_number(dwell, 1, 200),
            pause_s=_number(pause, 3, 200),
            curve=_number(curve, 0, 59),
            coefficient=TemperatureCoefficient(_number(coefficient, 1, 2)),
        )

    def _set_setup(self, words: list[str], _raw: str) -> None:
        channel, mode, excitation, autorange, resistance_range, shunt, units = _count(words, 7)
        setup = InputSetup(
            mode=InputMode(_number(mode, 0, 1)),
            excitation=_number(excitation, 1, len(CURRENT_EXCITATION_A)),
            autorange=Autorange(_number(autorange, 0, 1)),
            resistance_range=_number(resistance_range, 1, len(RESISTANCE_RANGE_OHM)),
            excitation_on=not _number(shunt, 0, 1),
            units=Units(_number(units, 1, 2)),
        )
        if not combination_exists(setup.mode, setup.excitation, setup.resistance_range):
            raise _Refused(Event.EXECUTION_ERROR)
        self._state(channel).setup = setup

    def _set_name(self, words: list[str], raw: str) -> None:
        found = _NAME.fullmatch(raw)
        if found is None or len(found[1].strip('"')) > 15:
            raise _Refused(Event.EXECUTION_ERROR)
        self._state(words[0]).name = found[1].strip('"')


def _refuse() -> NoReturn:
    raise _Refused(Event.EXECUTION_ERROR)


def _count(words: list[str], number: int) -> list[str]:
    if len(words) != number:
        _refuse()
    return words


def _number(word: str, low: int, high: int) -> int:
    if not re.fullmatch(r"\+?[0-9]{1,4}", word) or not low <= int(word) <= high:
        _refuse()
    return int(word)


def _input(words: list[str], *, control: bool = True) -> Channel:
    (word,) = _count(words, 1)
    if control and word.upper() == "A":
        return "A"
    return _number(word, 1, 16)


def _by_input(words: list[str], answer: str) -> str:
    _input(words)
    return answer


def _of_output(words: list[str], *answers: str) -> str:
    (word,) = _count(words, 1)
    return answers[_number(word, 0, len(answers) - 1)]
