"""Programs made for the real 240, unchanged, against the simulator on a serial port."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocs.testing import AgentProcess, free_port

pytestmark = pytest.mark.upstream

SOCS = """
from socs.Lakeshore.Lakeshore240 import Curve, Module
module = Module(WHERE, timeout=5)
third = module.channels[2]
if not module.simulator:
    # Without line ends, as it speaks to a simulator, it cannot send two messages in a row.
    third.set_values(sensor=3, auto_range=0, range=6, current_reversal=1, unit=2, enabled=1,
                     name="Strap top")
    module.set_name("Rack 7")
again = Module(WHERE, timeout=5) if not module.simulator else module
third = again.channels[2]
answers = {
    "serial": again.inst_sn, "model": again.model, "channels": len(again.channels),
    "name": third.name, "values": third.get_values(), "module": again.name,
    "kelvin": [channel.get_reading("K") for channel in again.channels],
    "celsius": third.get_reading(),
    "sensor": third.get_reading("S"),
}
points = [(0.2 * index + 1.0, 300.0 - 2 * index) for index in range(100)]
with open(CURVE, "w") as file:
    file.write("Sensor Model:   Mine\\nSerial Number:   S7\\n"
               "Data Format:   4   (Log Ohms/Kelvin)\\n"
               "SetPoint Limit:   325.0   (Kelvin)\\nTemperature coefficient:  1 (Negative)\\n"
               "Number of Breakpoints:   100\\n\\nNo.   Units   Temperature (K)\\n\\n")
    for index, (units, kelvin) in enumerate(points, start=1):
        file.write(f"{index}  {units:.5f}  {kelvin:.3f}\\n")
if not module.simulator:
    third.load_curve(CURVE)
    third.read_curve()
    answers["header"] = third.curve.header
    answers["points"] = len(third.curve.breakpoints)
    answers["same"] = max(
        abs(a - b) for ours, theirs in zip(points, third.curve.breakpoints)
        for a, b in zip(ours, theirs))
    third.delete_curve()
    answers["left"] = again.msg("CRVPT? 3,1")
"""

# The maker's driver looks for the module on the machine's USB, which is what a test has not.
MAKER = """
from types import SimpleNamespace
import lakeshore.generic_instrument as generic
from lakeshore import Model240
from lakeshore.model_240 import (
    Model240CurveHeader, Model240InputParameter, Model240ProfiSlot)
generic.comports = lambda: [SimpleNamespace(
    vid=0x1FB9, pid=0x0205, device=WHERE, serial_number="LSA2359")]
unit = Model240(serial_number="LSA2359")
unit.set_input_parameter(3, Model240InputParameter(
    Model240.SensorTypes.NTC_RTD, False, True, Model240.Units.KELVIN, True,
    Model240.InputRange.RANGE_NTCRTD_10_KIL_OHMS))
unit.set_sensor_name(3, "Strap top")
unit.set_filter(3, 20)
unit.set_brightness(Model240.BrightnessLevel.MED_LOW)
unit.set_modname("Rack 7")
unit.set_profibus_address(17)
unit.set_profibus_slot_count(2)
unit.set_profibus_slot_configuration(2, Model240ProfiSlot(3, Model240.Units.CELSIUS))
setup = unit.get_input_parameter(3)
slot = unit.get_profibus_slot_configuration(2)
answers = {
    "id": unit.get_identification(),
    "kelvin": [unit.get_kelvin_reading(channel) for channel in range(1, 9)],
    "celsius": float(unit.get_celsius_reading(3)),
    "fahrenheit": float(unit.get_fahrenheit_reading(3)),
    "sensor": unit.get_sensor_reading(3),
    "status": unit.get_channel_reading_status(3),
    "setup": [setup.sensor_type, setup.input_range, setup.temperature_unit],
    "name": unit.get_sensor_name(3), "filter": unit.get_filter(3),
    "brightness": unit.get_brightness(), "module": unit.get_modname(),
    "address": unit.get_profibus_address(), "slots": unit.get_profibus_slot_count(),
    "slot": [slot.slot_channel, slot.slot_units],
    "profibus": unit.get_profibus_connection_status(),
}
unit.delete_curve(4)
unit.set_curve_header(4, Model240CurveHeader(
    "Mine", "S7", Model240.CurveFormat.OHMS_PER_KELVIN, 300.0,
    Model240.TemperatureCoefficient.NEGATIVE))
unit.set_curve_data_point(4, 1, 100.5, 300)
unit.set_curve_data_point(4, 2, 9000, 1.5)
header = unit.get_curve_header(4)
answers["header"] = [header.curve_name.strip(), header.serial_number.strip(),
                     header.curve_data_format, header.temperature_limit, header.coefficient]
answers["point"] = unit.get_curve_data_point(4, 2)
unit.set_factory_defaults()
answers["default"] = unit.get_brightness()
"""


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Path]:
    link = tmp_path / "ls240"
    with AgentProcess(["-m", "agents.lakeshore240.simulator", f"--pty={link}"]) as simulator:
        simulator.wait_for_line("listens on")
        yield link


def answers(upstream: Path, script: str, where: Path | str, directory: Path):
    program = (
        f"WHERE, CURVE = {str(where)!r}, {str(directory / 'curve.340')!r}\n{script}\n"
        "import json\nprint(json.dumps(answers))"
    )
    done = subprocess.run(
        [str(upstream), "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def check_kelvin(found):
    expected = [41, 3.9, 4.3, 1.6, 295, 78.5, 46, 36]
    assert found == [pytest.approx(kelvin, rel=0.05) for kelvin in expected]


# Building upstream's environment takes its time, once.
@pytest.mark.timeout(600)
def test_the_driver_of_socs(upstream, link, tmp_path):
    told = answers(upstream, SOCS, link, tmp_path)
    assert (told["model"], told["serial"]) == ("MODEL240-8P", "LSA2359")
    assert (told["channels"], told["module"], told["name"]) == (8, "Rack 7", "Strap top")
    assert told["values"] == {
        "sensor": "NTC RTD",
        "auto_range": False,
        "range": 10e3,
        "current_reversal": True,
        "unit": "Celsius",
        "enabled": True,
    }
    check_kelvin(told["kelvin"])
    assert told["celsius"] == pytest.approx(told["kelvin"][2] - 273.15, abs=0.1)
    assert 3000 < told["sensor"] < 4000
    assert told["header"] == {
        "Sensor Model": f"{'Mine':<15}",
        "Serial Number": f"{'S7':<10}",
        "Data Format": 4,
        "SetPoint Limit": 325.0,
        "Temperature Coefficient": 1,
        "Number of Breakpoints": 100,
    }
    assert (told["points"], told["left"]) == (100, "+0.00000,+0.00000")
    assert told["same"] < 1e-3


def test_the_driver_of_socs_without_line_ends(upstream, tmp_path):
    """Its way of speaking to upstream's own simulator."""
    port = free_port()
    with AgentProcess(
        ["-m", "agents.lakeshore240.simulator", f"--tcp={port}", "--idle-answer=0.02"]
    ) as simulator:
        simulator.wait_for_line("listens on")
        told = answers(upstream, SOCS, f"tcp://127.0.0.1:{port}", tmp_path)
    assert (told["serial"], told["channels"]) == ("LSA2359", 8)
    check_kelvin(told["kelvin"])


def test_the_makers_driver(upstream, link, tmp_path):
    told = answers(upstream, MAKER, link, tmp_path)
    assert told["id"] == {
        "manufacturer": "LSCI",
        "model": "MODEL240-8P",
        "serial number": "LSA2359",
        "firmware version": "1.9",
    }
    check_kelvin(told["kelvin"])
    assert told["celsius"] == pytest.approx(told["kelvin"][2] - 273.15, abs=0.1)
    assert told["fahrenheit"] == pytest.approx(told["celsius"] * 1.8 + 32, abs=0.2)
    assert 3000 < told["sensor"] < 4000
    assert not any(told["status"].values())
    assert told["setup"] == [3, 6, 1]
    assert (told["name"], told["filter"], told["brightness"]) == ("Strap top", "20", 50)
    assert (told["module"], told["address"], told["slots"]) == ("Rack 7", 17, "2")
    assert told["slot"] == [3, 2]
    assert told["profibus"].startswith("1: ")
    assert told["header"] == ["Mine", "S7", 3, 300.0, 1]
    assert told["point"] == "+9000.00,+1.50000"
    assert told["default"] == 100
