"""Sensors of the simulators and the curves made of them."""

import math

import pytest

from agents.lakeshore.sim.sensors import (
    Cernox,
    Platinum,
    RutheniumOxide,
    SiliconDiode,
    calibration_points,
)
from agents.lakeshore372.sim_curves import Curve

FALLING = [RutheniumOxide(), Cernox(), SiliconDiode()]


def temperatures(sensor, count=500):
    span = math.log(sensor.highest_k / sensor.lowest_k)
    return [sensor.lowest_k * math.exp(span * step / count) for step in range(1, count)]


@pytest.mark.parametrize("sensor", [*FALLING, Platinum()])
def test_a_sensor_tells_every_temperature_apart(sensor):
    signals = [sensor.signal(temperature_k) for temperature_k in temperatures(sensor)]
    assert all(signal > 0 for signal in signals)
    assert sorted(signals, reverse=sensor in FALLING) == signals
    assert len(set(signals)) == len(signals)


@pytest.mark.parametrize(
    ("sensor", "temperature_k", "signal", "tolerance"),
    [
        (RutheniumOxide(), 0.1, 5000, 0.1),
        (RutheniumOxide(), 4.2, 1370, 0.02),
        (Cernox(), 4.2, 3500, 0.01),
        (Platinum(), 273.15, 100.0, 1e-9),
        (Platinum(), 373.15, 138.51, 1e-4),
        (Platinum(), 77.35, 20.4, 0.02),
        (SiliconDiode(), 4.2, 1.578, 0.01),
        (SiliconDiode(), 77.35, 1.0204, 0.01),
        (SiliconDiode(), 300.0, 0.5597, 0.05),
        (SiliconDiode(), 0.5, SiliconDiode().signal(1.4), 1e-9),
    ],
)
def test_a_sensor_is_close_to_the_real_one(sensor, temperature_k, signal, tolerance):
    assert sensor.signal(temperature_k) == pytest.approx(signal, rel=tolerance)


@pytest.mark.parametrize("sensor", [RutheniumOxide(), Cernox(), Platinum()])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_its_curve_gives_the_temperature_back(sensor, logarithmic):
    points = calibration_points(sensor, logarithmic=logarithmic)
    assert len(points) == 200
    assert [units for units, _ in points] == sorted({units for units, _ in points})
    curve = Curve(
        format=4 if logarithmic else 3,
        points=[(units, kelvin, 0.0) for units, kelvin in points],
    )
    for temperature_k in temperatures(sensor)[5:-5]:
        kelvin, status = curve.kelvin(sensor.signal(temperature_k))
        assert status == 0
        assert kelvin == pytest.approx(temperature_k, rel=3e-3)
