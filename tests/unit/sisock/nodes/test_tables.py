"""Rows of text files, whole, torn and spoiled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.nodes import apex_weather, radiometer, weather
from sisock.nodes.tables import complete_lines, make_table, parse_pairs

WEATHER = (
    b"# Air.\n# hourly\n# %\n# 2017-07-14\n1499990400.0 33.34\n1499994000.0 36.1\n"
    b"# 2017-07-15\n1499994000.0 36.1\n1499997600.25 -2.8e1\n"
)
APEX = b"1499990400 33.34\n1499994000.5\t-36.1\n\n1499997600 1e-3 7\n"
RADIOMETER = b"day pwv\n201.0007 1.25\n\n201.0014 NaN\n201.0021 1.5\n"


def pairs(data: bytes) -> list[tuple[float, float]]:
    first, second, _ = parse_pairs(data)
    return list(zip(first.tolist(), second.tolist(), strict=True))


def test_comments_blank_lines_and_further_columns_are_passed_over() -> None:
    assert pairs(APEX) == [(1499990400.0, 33.34), (1499994000.5, -36.1), (1499997600.0, 1e-3)]
    assert pairs(b"# a\r\n1 2\r\n\r\n3 4\r\n") == [(1.0, 2.0), (3.0, 4.0)]
    assert parse_pairs(WEATHER)[2] == 0


@pytest.mark.parametrize("nothing", [b"", b"\n", b"# only\n# comments\n", b"   \n\n"])
def test_nothing(nothing: bytes) -> None:
    assert pairs(nothing) == []


@pytest.mark.parametrize(
    "bad",
    [
        b"1499990400.0",
        b"1" * 50_000,
        b"words here",
        b"1 x",
        b"36.11499990400.0 33.34",
        b"\0\0\0\0",
        b"1,2",
    ],
)
def test_a_spoiled_line_costs_no_other(bad: bytes) -> None:
    data = b"# c\n1 2\n" + bad + b"\n\n3 4\n5 nan\n"
    first, second, refused = parse_pairs(data)
    assert first.tolist() == [1, 3, 5]
    assert second[:2].tolist() == [2, 4]
    assert np.isnan(second[2])
    assert refused == 1


@given(st.binary(max_size=200))
def test_any_bytes_at_all(data: bytes) -> None:
    for parse, name in (
        (apex_weather.parse_file, "x_humidity_1_2.dat"),
        (radiometer.parse_file, "PWV_UCSC_2019-001.txt"),
        (weather.parse_file, "a.dat"),
    ):
        try:
            table = parse(name, data)
        except ValueError:
            assert parse is weather.parse_file, "only these have a header to miss"
            continue
        assert table.times.size == table.values.size
        assert (table.times[1:] >= table.times[:-1]).all()


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.floats(-1e6, 1e6)), max_size=20),
    st.integers(0, 600),
)
def test_rows_survive_whatever_is_cut_off_behind_them(
    rows: list[tuple[int, float]], cut: int
) -> None:
    lines = [f"{time} {value!r}\n".encode() for time, value in rows]
    torn = b"".join(lines)[:cut]
    assert pairs(complete_lines(torn)) == rows[: torn.count(b"\n")]


@pytest.mark.parametrize("cut", range(len(WEATHER) + 1))
def test_a_weather_file_cut_at_any_byte_gives_its_whole_rows(cut: int) -> None:
    torn = WEATHER[:cut]
    lines = torn.split(b"\n")[:-1]
    if len(lines) < 3:
        with pytest.raises(ValueError, match="three lines"):
            weather.parse_file("a.dat", torn)
        return
    table = weather.parse_file("a.dat", torn)
    expected = [tuple(map(float, line.split())) for line in lines if not line.startswith(b"#")]
    assert list(zip(table.times.tolist(), table.values.tolist(), strict=True)) == expected
    assert table.header == ("Air.", "hourly", "%")
    assert table.refused == 0


@pytest.mark.parametrize("cut", range(len(APEX) + 1))
def test_an_apex_file_cut_at_any_byte(cut: int) -> None:
    table = apex_weather.parse_file("x_humidity_1_2.dat", APEX[:cut])
    rows = [line.split() for line in APEX[:cut].split(b"\n")[:-1] if line]
    assert table.times.tolist() == [float(row[0]) for row in rows]
    assert table.values.tolist() == [float(row[1]) for row in rows]


@pytest.mark.parametrize("cut", range(len(RADIOMETER) + 1))
def test_a_radiometer_file_cut_at_any_byte(cut: int) -> None:
    table = radiometer.parse_file("PWV_UCSC_2019-201.txt", RADIOMETER[:cut])
    rows = [line.split() for line in RADIOMETER[:cut].split(b"\n")[1:-1] if line]
    assert table.values.tolist() == [float(row[1]) for row in rows if row[1] != b"NaN"]


def test_impossible_times_are_refused_and_disorder_is_put_right() -> None:
    times = np.array([5.0, np.nan, 3.0, np.inf, -1.0, 149991499997600.0, 3.0])
    table = make_table(times, np.arange(7.0))
    assert table.times.tolist() == [3, 3, 5]
    assert table.values.tolist() == [2, 6, 0], "equal times stay in their order"
    assert table.refused == 4


def test_equal_times_stay_in_their_order_in_long_tables_too() -> None:
    times = np.tile([2.0, 1.0], 500)
    table = make_table(times, np.arange(1000.0))
    assert table.values.tolist() == [*range(1, 1000, 2), *range(0, 1000, 2)]


def test_tables_cannot_be_written_to() -> None:
    table = make_table(np.array([1.0]), np.array([2.0]))
    with pytest.raises(ValueError, match="read-only"):
        table.values[0] = 3


def test_rows_are_half_open() -> None:
    table = make_table(np.array([1.0, 2.0, 2.0, 3.0]), np.arange(4.0))
    assert table.rows(1, 2) == slice(0, 1)
    assert table.rows(2, 3) == slice(1, 3)
    assert table.rows(3, 1) == slice(3, 3)
