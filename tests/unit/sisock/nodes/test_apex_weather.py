"""The live APEX archive: which files count, and what comes out of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sisock.node import answer_data, answer_fields
from sisock.nodes.apex_weather import FIELDS, file_span, make_series, parse_file
from sisock.nodes.archive import FileSeries
from sisock.nodes.files import Directory, TableCache

DAY = 86400
T0 = 1_546_300_800


def write(directory: Path, field: str, start: float, end: float, rows: str | None = None) -> Path:
    """Write a file; by default a row a minute, its value the number of minutes since T0."""
    if rows is None:
        times = np.arange(start, end, 60)
        rows = "".join(f"{t:.1f} {(t - T0) / 60:.1f}\n" for t in times)
    path = directory / f"apex_{field}_{start:.0f}_{end:.0f}.dat"
    path.write_text(rows)
    return path


@pytest.fixture
def targets(tmp_path: Path) -> Path:
    (tmp_path / "targets").mkdir()
    return tmp_path / "targets"


def test_all_fields_always(tmp_path: Path) -> None:
    fields, timelines = answer_fields(make_series(tmp_path / "nowhere"), 1, 2e9)
    assert {name: field["units"] for name, field in fields.items()} == {
        "humidity": "%",
        "pressure": "mBar",
        "radiometer": "mm",
        "dewpoint": "C",
        "temperature": "C",
        "windspeed": "km/h",
        "winddirection": "deg",
    }
    assert {name: field["timeline"] for name, field in fields.items()} == {n: n for n in FIELDS}
    assert {name: line["field"] for name, line in timelines.items()} == {n: [n] for n in FIELDS}
    assert {line["interval"] for line in timelines.values()} == {None}
    answer = answer_data(make_series(tmp_path / "nowhere"), list(FIELDS), 1, 2e9)
    assert answer == {"data": {name: [] for name in FIELDS}, "timeline": {}}


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("apex_humidity_1_2.dat", "humidity"),
        ("APEX_site_2_windspeed_1_2.dat", "windspeed"),
        ("humidity_log_dewpoint_1_2.dat", "dewpoint"),
        ("winddirection_1_2.dat", "winddirection"),
    ],
)
def test_names(name: str, field: str) -> None:
    span = file_span(name)
    assert span
    assert (span.field, span.start) == (field, 1)


@pytest.mark.parametrize(
    "name",
    ["apex_humidity_1.dat", "apex_snow_1_2.dat", "apex_humidity_1_2.dat.part", "humidity.dat"],
)
def test_names_of_others(name: str) -> None:
    assert file_span(name) is None


def test_every_file_that_overlaps_and_only_those(targets: Path) -> None:
    read: list[str] = []

    def parse(name: str, data: bytes) -> Any:
        read.append(name)
        return parse_file(name, data)

    for day in (0, 1, 3):  # a day without a file
        write(targets, "humidity", T0 + day * DAY, T0 + (day + 1) * DAY)
        write(targets, "pressure", T0 + day * DAY, T0 + (day + 1) * DAY)
    directory = Directory(targets, ".dat")
    series = FileSeries(directory, FIELDS, file_span, TableCache(parse))
    assert answer_data(series, ["humidity"], T0 + DAY + 60, T0 + 2 * DAY)
    assert read == [f"apex_humidity_{T0 + DAY}_{T0 + 2 * DAY}.dat"], "and no other file"
    for start, end, count in (
        (T0 - 10 * DAY, T0 + 60, 1),  # begins before the first file
        (T0 - 10 * DAY, T0, 0),
        (T0 + 2.5 * DAY, T0 + 3 * DAY + 120, 2),  # begins in the gap
        (T0 + 2.25 * DAY, T0 + 2.75 * DAY, 0),
        (T0 + DAY - 60, T0 + DAY + 60, 2),
        (T0 + 1.5 * DAY, T0 + 3.5 * DAY, 1440),  # across the gap
        (1, 2e9, 3 * 1440),
        (T0 + 10 * DAY, 2e9, 0),
    ):
        answer = answer_data(series, ["humidity"], start, end)
        assert answer
        values = answer["data"]["humidity"]
        assert len(values) == count
        if values:
            timeline = answer["timeline"]["humidity"]
            times = timeline["t"]
            assert values == [(t - T0) / 60 for t in times], "each value under its own time"
            assert times == sorted(times)
            assert start <= times[0]
            assert times[-1] < end
            assert timeline["finalized_until"] == times[-1]
    assert sorted(read) == [
        f"apex_humidity_{T0 + d * DAY}_{T0 + (d + 1) * DAY}.dat" for d in (0, 1, 3)
    ]


def test_files_that_overlap_each_other(targets: Path) -> None:
    write(targets, "dewpoint", 100, 300, "100 1\n200 2\n300 3\n")
    write(targets, "dewpoint", 150, 400, "150 10\n250 20\n400 30\n")
    answer = answer_data(make_series(targets.parent), ["dewpoint"], 1, 1000)
    assert answer
    assert answer["timeline"]["dewpoint"]["t"] == [100, 150, 200, 250, 300, 400]
    assert answer["data"]["dewpoint"] == [1, 10, 2, 20, 3, 30]


def test_a_file_that_grows_and_a_new_one(targets: Path, seconds: Any) -> None:
    path = write(targets, "humidity", 100, 200, "100 1\n110 2\n12")
    directory = Directory(targets, ".dat", clock=seconds)
    series = FileSeries(directory, FIELDS, file_span, TableCache(parse_file))
    answer = answer_data(series, ["humidity"], 1, 1000)
    assert answer
    assert answer["data"]["humidity"] == [1, 2]
    with path.open("a") as file:
        file.write("0 3\n")
    write(targets, "humidity", 200, 300, "200 4\n")
    seconds.now += 5
    answer = answer_data(series, ["humidity"], 1, 1000)
    assert answer
    assert answer["timeline"]["humidity"]["t"] == [100, 110, 120, 200]
    assert answer_fields(series, 1, 2)[1]["humidity"]["last_time"] == 200


def test_the_newest_time_skips_a_file_without_rows(targets: Path) -> None:
    write(targets, "humidity", 100, 200, "100 1\n")
    write(targets, "humidity", 200, 300, "")
    _, timelines = answer_fields(make_series(targets.parent), 1, 2)
    assert timelines["humidity"]["last_time"] == 100
    assert timelines["pressure"]["last_time"] is None


def test_max_points_bounds_every_answer_and_keeps_the_extremes(targets: Path) -> None:
    rows = [f"{T0 + 60 * n} {1000 if n == 777 else n % 7}\n" for n in range(1440)]
    write(targets, "windspeed", T0, T0 + DAY, "".join(rows))
    series = make_series(targets.parent, max_points=100)
    for asked, most in ((None, 100), (500, 100), (20, 20)):
        answer = answer_data(series, ["windspeed"], T0, T0 + DAY, max_points=asked)
        assert answer
        assert 4 < len(answer["data"]["windspeed"]) <= most
        assert max(answer["data"]["windspeed"]) == 1000
    unbounded = answer_data(make_series(targets.parent), ["windspeed"], T0, T0 + DAY)
    assert unbounded
    assert len(unbounded["data"]["windspeed"]) == 1440
