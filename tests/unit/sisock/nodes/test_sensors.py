"""Sensors of this computer: what is read, by which name, and what is kept."""

import stat
import threading
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from twisted.internet.task import Clock

from sisock.node import answer_data, answer_fields
from sisock.nodes.sensor_readers import (
    Reading,
    SensorsFailed,
    choose_reading,
    parse_sensors,
    read_temperatures,
    sensors_command,
)
from sisock.nodes.sensors import SensorSeries, SensorsService

OUTPUT = """\
coretemp-isa-0000
Adapter: ISA adapter
Package id 0:
  temp1_input: 45.000
  temp1_max: 80.000
  temp1_crit_alarm: 0.000
Core 0:
  temp2_input: 43.500

Nct6775-isa-0290
Adapter: ISA adapter
in0:
  in0_input: 0.912
fan1:
  fan1_input: ERROR
  fan1_min: 0.000
temp7:
  temp7_input: nan
"""
T0 = 1_800_000_000.0


def program(path: Path, script: str) -> str:
    """Write a stand-in for the command."""
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_names_of_fields_and_only_inputs() -> None:
    assert parse_sensors(OUTPUT) == {
        "coretemp-isa-0000_temp1": 45.0,
        "coretemp-isa-0000_temp2": 43.5,
        "Nct6775-isa-0290_in0": 0.912,
    }
    assert parse_sensors("") == {}


@pytest.mark.parametrize("cut", range(0, len(OUTPUT), 7))
def test_output_that_breaks_off(cut: int) -> None:
    assert parse_sensors(OUTPUT[:cut]).keys() <= parse_sensors(OUTPUT).keys()


def test_the_command_is_preferred_and_a_failing_chip_does_no_harm(tmp_path: Path) -> None:
    command = program(
        tmp_path / "sensors",
        f'[ "$1" = -u ] || exit 9\ncat <<X\n{OUTPUT}X\necho "ERROR: cannot read" >&2\nexit 1\n',
    )
    reading, passed_over = choose_reading(lambda _name: command, lambda: {"never": 1.0})
    assert passed_over == []
    assert reading.units == "unknown"
    assert reading.read()["coretemp-isa-0000_temp2"] == 43.5


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ('echo "No sensors found!" >&2; exit 1', "gave no value \\(No sensors found!\\)"),
        ("exit 0", "gave no value \\(no error\\)"),
        ("exec sleep 60", "did not end within 0.2 s"),
    ],
)
def test_a_command_that_gives_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, complaint: str
) -> None:
    monkeypatch.setattr("sisock.nodes.sensor_readers.COMMAND_TIMEOUT_S", 0.2)
    command = program(tmp_path / "sensors", script + "\n")
    with pytest.raises(SensorsFailed, match=complaint):
        sensors_command(command)()
    reading, passed_over = choose_reading(lambda _name: command, lambda: {"k10temp_temp1": 41.0})
    assert (reading.units, reading.read()) == ("C", {"k10temp_temp1": 41.0})
    assert len(passed_over) == 1


def test_a_command_that_cannot_be_run(tmp_path: Path) -> None:
    with pytest.raises(SensorsFailed, match="cannot be run: No such file"):
        sensors_command(str(tmp_path / "nowhere"))()


def test_the_load_where_there_is_nothing_else() -> None:
    reading, passed_over = choose_reading(lambda _name: None, dict)
    assert reading.units == "%"
    assert 0 <= reading.read()["cpu_load"] <= 100
    assert [reason.split()[-1] for reason in passed_over] == ["(lm-sensors)", "temperatures"]


def test_the_load_whatever_thread_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """psutil's own measure begins anew, with zero, in every thread."""
    Times = namedtuple("Times", "user system idle iowait")
    spent = [Times(10.0, 10.0, 70.0, 10.0), Times(16.0, 11.0, 72.0, 11.0)]
    monkeypatch.setattr("psutil.cpu_times", lambda: spent.pop(0))
    reading, _ = choose_reading(lambda _name: None, dict)
    values = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: values.append(reading.read()["cpu_load"]))
        thread.start()
        thread.join()
    assert values == [20.0, 70.0]


def test_a_kernel_that_refuses() -> None:
    def refuse() -> dict[str, float]:
        raise SensorsFailed("the kernel's sensors cannot be read: Permission denied")

    reading, passed_over = choose_reading(lambda _name: None, refuse)
    assert reading.units == "%"
    assert passed_over[-1].endswith("Permission denied")


def test_this_machine() -> None:
    assert all(np.isfinite(value) for value in read_temperatures().values())


def test_one_timeline_for_all_fields() -> None:
    series = SensorSeries(clock=lambda: T0)
    assert answer_fields(series, 1, 2e9) == [{}, {}]
    for number in range(4):
        series.append(T0 - 10 + 2.5 * number, {"b_temp1": 40.0 + number, "a_temp1": 1.0})
    fields, timelines = answer_fields(series, 1, 2e9)
    assert fields["b_temp1"] == {
        "description": "",
        "timeline": "t",
        "type": "number",
        "units": "unknown",
    }
    assert list(timelines) == ["t"]
    assert timelines["t"]["field"] == ["a_temp1", "b_temp1"]
    assert timelines["t"]["interval"] == 2.5
    assert timelines["t"]["last_time"] == T0 - 2.5
    answer = answer_data(series, ["b_temp1", "a_temp1"], T0 - 7.5, T0)
    assert answer
    assert list(answer["timeline"]) == ["t"]
    assert answer["timeline"]["t"]["t"] == [T0 - 7.5, T0 - 5, T0 - 2.5]
    assert answer["data"] == {"b_temp1": [41, 42, 43], "a_temp1": [1, 1, 1]}


def test_the_first_reading_says_which_fields_there_are() -> None:
    series = SensorSeries(clock=lambda: T0)
    series.append(T0 - 5, {"a": 1.0, "b": 2.0})
    series.append(T0 - 2, {"a": 3.0, "new": 4.0})
    answer = answer_data(series, ["a", "b", "new"], 1, T0)
    assert answer
    assert answer["data"]["a"] == [1, 3]
    assert np.isnan(answer["data"]["b"][1])
    assert answer["data"]["new"] == []


def test_seventy_five_minutes_are_kept() -> None:
    now = [T0]
    series = SensorSeries(clock=lambda: now[0])
    for _ in range(2000):
        now[0] += 2.5
        series.append(now[0], {"a": 1.0})
    answer = answer_data(series, ["a"], 1, now[0] + 1)
    assert answer
    assert 1800 <= len(answer["data"]["a"]) <= 1801


class TestService:
    def test_reads_what_was_chosen(self, connection: object) -> None:
        chosen = []

        def choose() -> tuple[Reading, list[str]]:
            chosen.append(1)
            return Reading("a stand-in", "C", lambda: {"x_temp1": 20.0 + len(chosen)}), ["why not"]

        service = SensorsService(connection, Clock(), choose=choose, clock=lambda: T0)  # type: ignore[arg-type]
        service.read_once()
        service.read_once()
        assert chosen == [1]
        fields, _ = answer_fields(service.series, 1, 2e9)
        assert fields["x_temp1"]["units"] == "C"

    def test_an_empty_reading_is_a_failure(self, connection: object) -> None:
        service = SensorsService(
            connection,  # type: ignore[arg-type]
            Clock(),
            choose=lambda: (Reading("a stand-in", "C", dict), []),
            clock=lambda: T0,
        )
        with pytest.raises(SensorsFailed, match="a stand-in gave no value"):
            service.read_once()
