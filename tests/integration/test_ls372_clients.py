"""Programs made for the real 372, unchanged, against the simulator."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocs.testing import AgentProcess, free_port

pytestmark = pytest.mark.upstream

SOCS = """
from socs.Lakeshore.Lakeshore372 import LS372
unit = LS372("127.0.0.1", port=PORT)
unit.channels[5].set_dwell(7)
unit.disable_autoscan()
unit.set_active_channel(9)
answers = {
    "id": unit.id, "names": [channel.name for channel in unit.channels],
    "kelvin": unit.get_temp(unit="kelvin", chan=5), "ohms": unit.get_temp(unit="ohms", chan=5),
    "dwell": unit.channels[5].get_dwell(), "pause": unit.channels[5].get_pause(),
    "excitation": unit.channels[5].get_excitation(),
    "active": unit.get_active_channel().name, "autoscan": unit.get_autoscan(),
    "heater": unit.sample_heater.get_heater_range(),
}
"""

MAKER = """
from lakeshore import Model372
unit = Model372(57600, ip_address="127.0.0.1", tcp_port=PORT)
unit.set_scanner_status(9, False)
status = unit.get_scanner_status()
answers = {
    "id": unit.query("*IDN?"), "kelvin": unit.get_kelvin_reading(5),
    "ohms": unit.get_resistance_reading(5), "name": unit.get_input_sensor_name(5)
    if hasattr(unit, "get_input_sensor_name") else unit.query("INNAME? 5"),
    "scan": unit.query("SCAN?"),
}
try:
    unit.query("NOPE?")
except Exception as error:
    answers["error"] = str(error)
"""


@pytest.fixture
def port() -> Iterator[int]:
    port = free_port()
    with AgentProcess(["-m", "agents.lakeshore372.simulator", "--port", str(port)]) as simulator:
        simulator.wait_for_line("listens on")
        yield port


def answers(upstream: Path, script: str, port: int):
    program = f"{script}\nimport json\nprint(json.dumps(answers))".replace("PORT", str(port))
    done = subprocess.run(
        [str(upstream), "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_driver_of_socs(upstream, port):
    told = answers(upstream, SOCS, port)
    assert told["id"] == "LSCI,MODEL372,LSA23JD,1.3"
    assert told["names"] == ["Control", *(f"Channel {n:02d}" for n in range(1, 17))]
    assert 3.5 < told["kelvin"] < 4.5
    assert 3000 < told["ohms"] < 4500
    assert (told["dwell"], told["pause"], told["excitation"]) == (7, 3, 2e-4)
    assert (told["active"], told["autoscan"]) == ("Channel 09", False)
    assert told["heater"] == "Off"


def test_the_makers_driver(upstream, port):
    told = answers(upstream, MAKER, port)
    assert told["id"] == "LSCI,MODEL372,LSA23JD,1.3"
    assert 3.5 < told["kelvin"] < 4.5
    assert 3000 < told["ohms"] < 4500
    assert told["name"].strip() == "Channel 05"
    assert told["scan"] == "09,0"
    assert "Invalid Command" in told["error"]
