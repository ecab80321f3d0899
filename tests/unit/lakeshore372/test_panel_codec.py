"""Front panel settings: what the unit is told is what it says afterwards."""

import pytest

from agents.lakeshore372 import panel_codec
from agents.lakeshore372.input_tables import Units
from agents.lakeshore372.panel_tables import AnalogSettings, RelayMode, RelaySettings


@pytest.mark.parametrize(
    ("command", "query", "settings"),
    [
        (
            panel_codec.set_analog,
            panel_codec.analog,
            AnalogSettings(True, 1, 3, Units.KELVIN, 4.0, 0.1, 25.0),
        ),
        (
            panel_codec.set_analog,
            panel_codec.analog,
            AnalogSettings(False, 0, None, Units.OHMS, 2000.0, 0.0, 0.0),
        ),
        (panel_codec.set_relay, panel_codec.relay, RelaySettings(RelayMode.ALARMS, "A", 2)),
        (panel_codec.set_relay, panel_codec.relay, RelaySettings(RelayMode.OFF, None, 0)),
    ],
)
def test_settings_come_back_as_they_were_given(bench, command, query, settings):
    bench.say(command(2, settings).text)
    assert bench.ask(query(2)) == settings


@pytest.mark.parametrize(
    "bad",
    [
        lambda: panel_codec.set_relay(3, RelaySettings(RelayMode.ON, None, 0)),
        lambda: panel_codec.set_relay(1, RelaySettings(RelayMode.ON, None, 3)),
        lambda: panel_codec.set_analog(0, AnalogSettings(True, 0, None, Units.OHMS, 1, 0, 0)),
    ],
)
def test_what_does_not_exist_is_not_sent(bad):
    with pytest.raises(ValueError, match=r"."):
        bad()
