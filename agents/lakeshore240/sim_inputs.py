"""The inputs of the simulated 240: what is set, what is connected, what is read.

Facts from the project's Lake Shore specification, sections 3.2 and 3.3.
"""

import math
import random

import attrs

from agents.lakeshore.sim.sensors import Cernox, Platinum, SiliconDiode, calibration_points
from agents.lakeshore.sim.sensors import Sensor as Thermometer
from agents.lakeshore240.input_tables import RANGES, InputType, ReadingStatus, Sensor, Units
from agents.lakeshore240.sim_curve import Curve, CurveFormat, CurveHeader

__all__ = ["CONDITIONS", "Input", "Reading", "factory_input", "fitted_input"]

CONDITIONS = {
    "overrange": "the sensor's signal is over range",
    "underrange": "the sensor's signal is under range",
    "t_over": "the temperature is over the curve's range",
    "t_under": "the temperature is under the curve's range",
    "invalid": "readings are invalid, as with a broken wire",
    "no_reading": "readings are 0, and not flagged",
    "frozen": "readings are never updated",
}
"""What can be wrong with an input: name and a line of help."""

_FLAGS = {
    "overrange": ReadingStatus.SENSOR_OVER_RANGE,
    "underrange": ReadingStatus.SENSOR_UNDER_RANGE,
    "t_over": ReadingStatus.T_OVER_RANGE,
    "t_under": ReadingStatus.T_UNDER_RANGE,
    "invalid": ReadingStatus.INVALID_READING,
    "no_reading": ReadingStatus(0),
}
_ONLY_TEMPERATURE = {"t_over", "t_under"}

_FITTED_POINTS = 150
_DIODE_A = 10e-6
_PLATINUM_A = 1e-3
_NTC_V = 10e-3
_THERMAL_V = 1.5e-6
_LEAST_PART = 1e-3
_NOISE_PART = 1e-4
_NOISE = {Sensor.DIODE: 6e-5, Sensor.PLATINUM_RTD: 0.01}


@attrs.frozen
class Reading:
    """What an input has read.

    Attributes:
        time_s: when, Unix time.
        update: its number.
        signal: volts of a diode, ohms of a resistor.
        temperature_k: by the input's curve.
        status: what is wrong with it.
    """

    time_s: float
    update: int = 0
    signal: float = 0.0
    temperature_k: float = 0.0
    status: ReadingStatus = ReadingStatus.INVALID_READING


@attrs.define
class Input:
    """One input.

    Attributes:
        settings: as ``INTYPE`` sets them.
        name: as ``INNAME`` sets it.
        curve: its own.
        filter_points: how many readings of 1 ms are averaged.
        conditions: names of `CONDITIONS` that hold.
        reading: the last one.
    """

    settings: InputType
    name: str
    curve: Curve
    filter_points: int
    reading: Reading
    conditions: set[str] = attrs.field(factory=set)

    def measure(
        self, thermometer: Thermometer, temperature_k: float, reading: Reading, rng: random.Random
    ) -> None:
        """Take a reading.

        Args:
            thermometer: what is connected.
            temperature_k: how warm it really is.
            reading: time and number of the new reading.
            rng: where noise comes from.
        """
        if "frozen" in self.conditions:
            return
        if not self.settings.enabled:
            self.reading = reading
            return
        signal = self._signal(thermometer, temperature_k)
        self._autorange(signal)
        signal += self._disturbance(rng)
        status, temperature = self._range_status(signal), 0.0
        if status:
            signal = 0.0
        else:
            temperature, status = self.curve.kelvin(signal)
        for condition in sorted(self.conditions):
            temperature = 0.0
            status |= _FLAGS[condition]
            if condition not in _ONLY_TEMPERATURE:
                signal = 0.0
        self.reading = attrs.evolve(
            reading, signal=signal, temperature_k=temperature, status=status
        )

    def _signal(self, thermometer: Thermometer, temperature_k: float) -> float:
        """Return what the input's circuit makes of whatever is connected, set rightly or not."""
        signal = thermometer.signal(temperature_k)
        diode_set = self.settings.sensor is Sensor.DIODE
        if isinstance(thermometer, SiliconDiode):
            return signal if diode_set else signal / self._current_a()
        return signal * _DIODE_A if diode_set else signal

    def _current_a(self) -> float:
        if self.settings.sensor is Sensor.PLATINUM_RTD:
            return _PLATINUM_A
        return _NTC_V / self.settings.full_scale

    def _autorange(self, signal: float) -> None:
        if self.settings.autorange and self.settings.sensor is Sensor.NTC_RTD:
            scales = RANGES[Sensor.NTC_RTD]
            enough = [step for step, scale in enumerate(scales) if scale >= signal]
            step = enough[0] if enough else len(scales) - 1
            self.settings = attrs.evolve(self.settings, range_step=step)

    def _disturbance(self, rng: random.Random) -> float:
        size = _NOISE.get(self.settings.sensor, _NOISE_PART * self.settings.full_scale)
        noise = rng.gauss(0, size / math.sqrt(self.filter_points))
        if self.settings.sensor is Sensor.DIODE or self.settings.current_reversal:
            return noise
        return noise + _THERMAL_V / self._current_a()

    def _range_status(self, signal: float) -> ReadingStatus:
        if signal > self.settings.full_scale:
            return ReadingStatus.SENSOR_OVER_RANGE
        if signal < _LEAST_PART * self.settings.full_scale:
            return ReadingStatus.SENSOR_UNDER_RANGE
        return ReadingStatus(0)


def factory_input(channel: int, now: float) -> Input:
    """Return an input as the module comes out of its box: disabled, without a curve."""
    return Input(
        settings=InputType(Sensor.DIODE, False, 0, False, Units.KELVIN, False),
        name=f"Channel {channel}",
        curve=Curve(),
        filter_points=10,
        reading=Reading(now),
    )


def fitted_input(channel: int, name: str, thermometer: Thermometer, now: float) -> Input:
    """Return an input that has been set up for its thermometer, with its calibration."""
    sensor, form, title = _kind(thermometer)
    points = calibration_points(
        thermometer, _FITTED_POINTS, logarithmic=form is CurveFormat.LOG_OHMS
    )
    rising = points[0][1] < points[-1][1]
    header = CurveHeader(
        name=title,
        serial=f"SIM{channel:04d}",
        format=form,
        limit_k=thermometer.highest_k,
        coefficient=2 if rising else 1,
    )
    ntc = sensor is Sensor.NTC_RTD
    return attrs.evolve(
        factory_input(channel, now),
        settings=InputType(sensor, ntc, 0, sensor is not Sensor.DIODE, Units.KELVIN, True),
        name=name,
        curve=Curve(header, points),
    )


def _kind(thermometer: Thermometer) -> tuple[Sensor, CurveFormat, str]:
    if isinstance(thermometer, SiliconDiode):
        return Sensor.DIODE, CurveFormat.VOLTS, "Si diode"
    if isinstance(thermometer, Platinum):
        return Sensor.PLATINUM_RTD, CurveFormat.OHMS, "Platinum"
    if isinstance(thermometer, Cernox):
        return Sensor.NTC_RTD, CurveFormat.LOG_OHMS, "Thin film"
    raise TypeError(f"no 240 reads a {type(thermometer).__name__}")
