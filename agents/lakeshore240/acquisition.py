"""Read all inputs of a 240 module, one sweep after the other. No I/O of its own."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import attrs

from agents.lakeshore.link import InstrumentUnavailable
from agents.lakeshore.messages import Query
from agents.lakeshore240 import codec
from agents.lakeshore240.driver import Model
from agents.lakeshore240.input_tables import ReadingStatus, Units

__all__ = ["Ask", "InputReading", "InputSetup", "ModuleReader", "Sweep"]

T = TypeVar("T")

_ZERO_CELSIUS_K = 273.15

_HELD_UP_S = 2.0
"""An answer that takes so long tears a sweep: what was read before it is of another time."""


class Ask(Protocol):
    """How the reader asks the module; see `InstrumentLink.ask`."""

    def __call__(self, query: Query[T], /) -> T:
        """Return the answer to a query."""
        ...


@attrs.frozen
class InputSetup:
    """What is set at an input, as far as readings go.

    Attributes:
        enabled: whether it is read at all.
        units: its preferred units.
        name: as the module knows it; may be empty.
    """

    enabled: bool
    units: Units
    name: str


@attrs.frozen
class InputReading:
    """One reading of an input.

    Attributes:
        temperature_k: NaN if the module flags it or has no temperature, or the input is disabled.
        sensor: volts or ohms; NaN if the module flags it, or the input is disabled.
        status: what the module says against it; None if it cannot say.
    """

    temperature_k: float
    sensor: float
    status: ReadingStatus | None

    def in_units(self, units: Units) -> float:
        """Return the reading in an input's preferred units."""
        match units:
            case Units.SENSOR:
                return self.sensor
            case Units.KELVIN:
                return self.temperature_k
            case Units.CELSIUS:
                return self.temperature_k - _ZERO_CELSIUS_K
            case Units.FAHRENHEIT:
                return (self.temperature_k - _ZERO_CELSIUS_K) * 1.8 + 32


@attrs.frozen
class Sweep:
    """Readings of all inputs, belonging to one time.

    An input that is disabled has one, too, so that fields keep their places in files and plots.

    Attributes:
        time_s: Unix time halfway between the first question and the last answer.
        setups: by input.
        readings: by input.
    """

    time_s: float
    setups: Mapping[int, InputSetup]
    readings: Mapping[int, InputReading]

    @property
    def enabled(self) -> list[int]:
        """Inputs that were read."""
        return [channel for channel, setup in self.setups.items() if setup.enabled]


class ModuleReader:
    """Reads the enabled inputs of one module.

    Args:
        ask: asks the module.
        model: tells what kind of module it is, once it has answered anything.
        has_curve: tells whether an input's curve is whole: otherwise, as while one is being
            written, its temperatures mean nothing.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        ask: Ask,
        model: Callable[[], Model],
        *,
        has_curve: Callable[[int], bool] = lambda _: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ask = ask
        self._model = model
        self._has_curve = has_curve
        self._clock = clock
        self._setups: Mapping[int, InputSetup] | None = None
        self._flags: dict[int, ReadingStatus] = {}

    def forget(self) -> None:
        """Learn anew how the inputs are set up."""
        self._setups = None

    def sweep(self) -> Sweep:
        """Read every enabled input once.

        Raises:
            BadReply: an answer made no sense; the next sweep may be better.
            InstrumentUnavailable: no answer, or one that took so long, with an interruption or a
                busy line, that the readings do not belong to one time.
        """
        if self._setups is None:
            self._setups = self._learn()
        setups = self._setups
        began_s = self._clock()
        readings = {channel: self._read(channel, setups[channel]) for channel in setups}
        return Sweep((began_s + self._clock()) / 2, setups, readings)

    def _learn(self) -> Mapping[int, InputSetup]:
        # Which inputs there are is known once the module has answered anything.
        self._ask(codec.module_name())
        setups = {}
        for channel in self._model().channels:
            found = self._ask(codec.input_type(channel))
            name = self._ask(codec.input_name(channel))
            setups[channel] = InputSetup(found.enabled, found.units, name)
        return setups

    def _read(self, channel: int, setup: InputSetup) -> InputReading:
        tells_status = self._model().complete
        if not setup.enabled:
            status = ReadingStatus.INVALID_READING if tells_status else None
            return InputReading(math.nan, math.nan, status)
        whole = self._has_curve(channel)
        temperature_k = self._ask_in_time(codec.kelvin(channel))
        sensor = self._ask_in_time(codec.sensor_units(channel))
        status = self._status(channel) if tells_status else None
        whole = whole and self._has_curve(channel)
        # Nothing is at 0 K: that is what a module says of an input without a curve.
        flagged = status is not None and status.temperature_invalid
        if flagged or not whole or temperature_k <= 0:
            temperature_k = math.nan
        if status is not None and status.sensor_invalid:
            sensor = math.nan
        return InputReading(temperature_k, sensor, status)

    def _status(self, channel: int) -> ReadingStatus:
        """Return what the module says against an input's reading that has just been asked for.

        Asked last, a flag that comes up meanwhile is taken. One that goes away meanwhile was up at
        the question of the sweep before.
        """
        flags = self._ask_in_time(codec.reading_status(channel))
        before, self._flags[channel] = self._flags.get(channel, ReadingStatus(0)), flags
        return flags | before

    def _ask_in_time(self, query: Query[T]) -> T:
        asked_s = self._clock()
        answer = self._ask(query)
        took_s = self._clock() - asked_s
        if took_s > _HELD_UP_S:
            raise InstrumentUnavailable(
                f"Reading was held up for {took_s:.1f} s: these readings are dropped, as they are "
                "not of one time. Check the connection, and whether another program uses it."
            )
        return answer
