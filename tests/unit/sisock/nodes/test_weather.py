"""The example archive: what we ship, and the real one where it is at hand."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sisock.node import Allowance, answer_data, answer_fields
from sisock.nodes.files import Directory, TableCache
from sisock.nodes.weather import EXAMPLE_DATA, WeatherArchive, make_series, parse_file

FIRST, LAST = 1499990400.0, 1501200000.0
HOURLY = ["apex_humidity", "apex_pressure", "apex_temperature"]
MINUTELY = ["apex_radiometer", "apex_windspeed"]
UNITS = dict(zip(sorted(HOURLY + MINUTELY), ["%", "mBar", "mm", "C", "km/h"], strict=True))
ROWS = dict(zip(sorted(HOURLY + MINUTELY), [350, 350, 20167, 350, 20168], strict=True))
GENERATOR = Path(__file__).parents[4] / "tools" / "make_example_weather.py"


def rows_of(archive: Path, field: str) -> list[tuple[float, float]]:
    """Read a file the simple way."""
    lines = (archive / f"{field}.dat").read_text().splitlines()
    rows = (line.split() for line in lines if not line.startswith("#"))
    return [(float(row[0]), float(row[1])) for row in rows]


def served(answer: Any, field: str) -> list[tuple[float, float]]:
    """Return a field's samples, resolved by the timeline that lists it."""
    (timeline,) = (line for line in answer["timeline"].values() if field in line["fields"])
    return list(zip(timeline["t"], answer["data"][field], strict=True))


def test_fields_units_and_timelines(archive: Path) -> None:
    fields, timelines = answer_fields(make_series(archive), 1, 2e9)
    assert {name: field["units"] for name, field in fields.items()} == UNITS
    assert {field["type"] for field in fields.values()} == {"number"}
    assert all(field["description"] for field in fields.values())
    assert {fields[name]["timeline"] for name in HOURLY} == {"hourly"}
    # Their rows differ, so they cannot share a timeline, whatever their files say.
    assert fields["apex_radiometer"]["timeline"] == "minutely"
    assert fields["apex_windspeed"]["timeline"] == "minutely.apex_windspeed"
    assert timelines["hourly"]["field"] == HOURLY
    assert timelines["hourly"]["interval"] == 3600
    assert timelines["minutely"]["interval"] == pytest.approx(60, rel=1e-3)
    assert {timeline["last_time"] for timeline in timelines.values()} == {LAST}


def test_every_row_of_every_file(archive: Path) -> None:
    fields = HOURLY + MINUTELY
    answer = answer_data(make_series(archive), fields, 1, LAST + 1)
    assert answer
    for field in fields:
        assert served(answer, field) == rows_of(archive, field)
        assert len(answer["data"][field]) == ROWS[field], "rows repeated at midnight included"
    assert {line["finalized_until"] for line in answer["timeline"].values()} == {LAST}


def test_intervals_are_half_open(archive: Path) -> None:
    series = make_series(archive)
    answer = answer_data(series, ["apex_humidity"], FIRST, FIRST + 7200)
    assert answer
    assert answer["timeline"]["hourly"]["t"] == [FIRST, FIRST + 3600]
    assert answer["timeline"]["hourly"]["finalized_until"] == LAST, "the file's last row"
    assert answer_data(series, ["apex_humidity"], FIRST + 1, FIRST + 3600) == {
        "data": {"apex_humidity": []},
        "timeline": {},
    }
    last = answer_data(series, ["apex_humidity"], LAST, LAST + 1)
    assert last
    assert last["timeline"]["hourly"]["t"] == [LAST]


def test_only_fields_with_a_sample_in_the_interval(archive: Path) -> None:
    series = make_series(archive)
    assert answer_fields(series, LAST + 1, LAST + 2) == [{}, {}]
    assert answer_fields(series, 1, FIRST) == [{}, {}]
    fields, timelines = answer_fields(series, FIRST + 60, FIRST + 120)
    assert sorted(fields) == MINUTELY
    assert sorted(timelines) == ["minutely", "minutely.apex_windspeed"]


@pytest.mark.parametrize("name", ["nope", "../example_data/apex_humidity", "", "apex_humidity.dat"])
def test_names_are_those_of_the_listing(archive: Path, name: str) -> None:
    answer = answer_data(make_series(archive), [name, "apex_pressure"], 1, 2e9)
    assert answer
    assert answer["data"][name] == []
    assert len(answer["data"]["apex_pressure"]) == 350


def test_a_stride_keeps_what_upstream_looks_up_by_timeline_consistent(archive: Path) -> None:
    """Upstream's bridge takes a field's times from the timeline that get_fields declared."""
    series = make_series(archive)
    fields = HOURLY + MINUTELY
    declared, _ = answer_fields(series, 1, 2e9)
    answer = answer_data(series, fields, FIRST, LAST + 1, min_stride=6 * 3600)
    assert answer
    for field in fields:
        times = answer["timeline"][declared[field]["timeline"]]["t"]
        values = answer["data"][field]
        assert set(zip(times, values, strict=True)) <= set(rows_of(archive, field))
        assert len(values) <= (LAST - FIRST) / (6 * 3600) + 8
        everything = [value for _, value in rows_of(archive, field)]
        assert (min(values), max(values)) == (min(everything), max(everything))
    untouched = answer_data(series, HOURLY, FIRST, LAST + 1, min_stride=60)
    assert untouched
    assert len(untouched["data"]["apex_pressure"]) == 350


def test_thinned_windows_that_move_cut_the_same_buckets(archive: Path) -> None:
    series = make_series(archive)
    kept = []
    for shift in (0, 600):
        answer = answer_data(
            series, ["apex_radiometer"], FIRST + shift, FIRST + shift + 7 * 86400, max_points=200
        )
        assert answer
        kept.append(dict(served(answer, "apex_radiometer")))
        assert 50 < len(kept[-1]) <= 200
    inner = {time for time in kept[0] if FIRST + 3 * 3600 < time < FIRST + 6.5 * 86400}
    assert inner <= kept[1].keys()


def test_too_much_is_false(archive: Path) -> None:
    series = make_series(archive)
    small = Allowance(samples=10_000)
    assert answer_data(series, MINUTELY, 1, 2e9, allowance=small) is False
    assert answer_data(series, MINUTELY, 1, 2e9, min_stride=600, allowance=small)


def test_max_points_of_one_is_the_newest(archive: Path) -> None:
    answer = answer_data(make_series(archive), HOURLY, 1, 2e9, max_points=1)
    assert answer
    for field in HOURLY:
        assert served(answer, field) == rows_of(archive, field)[-1:]


def test_files_appear_change_and_go(tmp_path: Path, seconds: Any) -> None:
    read: list[str] = []

    def parse(name: str, data: bytes) -> Any:
        read.append(name)
        return parse_file(name, data)

    series = WeatherArchive(Directory(tmp_path, ".dat", clock=seconds), TableCache(parse))
    assert answer_fields(series, 1, 2e9) == [{}, {}]
    for name in ("a", "b"):
        (tmp_path / f"{name}.dat").write_text("# A\n# t\n#\n10 1\n20 2\n")
    (tmp_path / "new.dat").write_text("# Only the header so")
    seconds.now += 5
    fields, timelines = answer_fields(series, 1, 2e9)
    assert timelines["t"]["field"] == ["a", "b"]
    assert fields["a"]["units"] is None
    with (tmp_path / "b.dat").open("a") as file:
        file.write("30 3\n")
    seconds.now += 5
    fields, timelines = answer_fields(series, 1, 2e9)
    assert fields["b"]["timeline"] == "t.b"
    answer = answer_data(series, ["a", "b"], 1, 100)
    assert answer
    assert answer["data"] == {"a": [1, 2], "b": [1, 2, 3]}
    assert read == ["a.dat", "b.dat", "new.dat", "b.dat"]
    (tmp_path / "a.dat").unlink()
    seconds.now += 5
    assert list(answer_fields(series, 1, 2e9)[0]) == ["b"]


def test_times_of_one_field_never_stand_for_another(tmp_path: Path, seconds: Any) -> None:
    (tmp_path / "a.dat").write_text("# A\n# t\n# K\n10 1\n20 2\n")
    (tmp_path / "b.dat").write_text("# B\n# t\n# K\n11 1\n21 2\n")
    (tmp_path / "b.c.dat").write_text("# B\n# t\n# K\n13 1\n23 2\n")
    (tmp_path / "c.dat").write_text("# C\n# t.b\n# K\n12 1\n22 2\n")
    series = WeatherArchive(Directory(tmp_path, ".dat", clock=seconds), TableCache(parse_file))
    answer = answer_data(series, ["c", "b.c", "b", "a"], 1, 100)
    assert answer
    assert [served(answer, field)[0][0] for field in ("a", "b", "c", "b.c")] == [10, 11, 12, 13]


def test_timelines_of_different_names_stay_apart(tmp_path: Path, seconds: Any) -> None:
    for field in ("a", "b"):
        (tmp_path / f"{field}.dat").write_text(f"# A\n# of_{field}\n# K\n10 1\n")
    series = WeatherArchive(Directory(tmp_path, ".dat", clock=seconds), TableCache(parse_file))
    fields, timelines = answer_fields(series, 1, 100)
    assert [fields[field]["timeline"] for field in "ab"] == ["of_a", "of_b"]
    assert timelines["of_a"]["interval"] is None, "one row has no distance"


def test_the_shipped_data_are_what_the_script_makes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(GENERATOR), str(tmp_path)], check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in EXAMPLE_DATA.iterdir()}
    for name, text in made.items():
        assert text.startswith("# Synthetic "), name
        times = np.array([float(line.split()[0]) for line in text.splitlines() if line[0] != "#"])
        assert (times[0], times[-1]) == (FIRST, LAST)
        assert np.count_nonzero(np.diff(times) == 0) == 13
