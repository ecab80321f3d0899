"""The radiometer's daily files: names, days of the year, New Year."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.node import answer_data, answer_fields
from sisock.nodes.radiometer import file_span, make_series, parse_file

HEADER = "Day of year   PWV (mm)\n"


def unix(*date: int) -> float:
    return datetime(*date, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]


@pytest.fixture
def pwv(tmp_path: Path) -> Path:
    (tmp_path / "PWV").mkdir()
    return tmp_path / "PWV"


def test_the_field(tmp_path: Path) -> None:
    fields, timelines = answer_fields(make_series(tmp_path), 1, 2e9)
    assert list(fields) == ["pwv"]
    assert (fields["pwv"]["units"], fields["pwv"]["timeline"]) == ("mm", "pwv")
    assert timelines["pwv"]["interval"] == 60.48
    assert timelines["pwv"]["field"] == ["pwv"]


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("PWV_UCSC_2019-032.txt", (2019, 2, 1)),
        ("PWV_UCSC_201-2018.txt", (2018, 7, 20)),
        ("PWV_UCSC_2018-202.txt", (2018, 7, 21)),
        ("PWV_UCSC_2020-366.txt", (2020, 12, 31)),
        ("PWV_UCSC_001-2018.txt", (2018, 1, 1)),
    ],
)
def test_both_orders_of_year_and_day(name: str, day: tuple[int, int, int]) -> None:
    span = file_span(name)
    assert span
    assert span.start <= unix(*day)
    assert span.end >= unix(*day) + 86400
    table = parse_file(name, f"{HEADER}{datetime(*day):%j}.5 1.25\n".encode())
    assert table.times.tolist() == [unix(*day) + 43200]


@pytest.mark.parametrize(
    "name",
    ["PWV_UCSC_2019-32.txt", "PWV_UCSC_2019-000.txt", "PWV_UCSC_2019-367.txt", "PWV_2019-032.txt"],
)
def test_other_names(name: str) -> None:
    assert file_span(name) is None
    with pytest.raises(ValueError, match="no date"):
        parse_file(name, b"")


def test_fractions_of_seconds_nan_and_blank_lines() -> None:
    text = HEADER + "\n 32.0007  1.25\n\n32.0014 NaN\n   32.0021 0.75 99\n"
    table = parse_file("PWV_UCSC_2019-032.txt", text.encode())
    assert table.times.tolist() == pytest.approx(
        [unix(2019, 2, 1) + 60.48, unix(2019, 2, 1) + 181.44], abs=1e-6
    )
    assert table.values.tolist() == [1.25, 0.75]
    assert table.refused == 0


def test_the_time_zone_of_the_machine_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    import time  # noqa: PLC0415

    monkeypatch.setenv("TZ", "America/Santiago")
    time.tzset()
    try:
        table = parse_file("PWV_UCSC_2019-200.txt", f"{HEADER}200.0 1\n".encode())
    finally:
        monkeypatch.undo()
        time.tzset()
    assert table.times.tolist() == [unix(2019, 7, 19)]


@pytest.mark.parametrize("year", [2019, 2020])
def test_across_new_year(pwv: Path, year: int) -> None:
    last_day = 366 if year == 2020 else 365
    new_year = unix(year + 1, 1, 1)
    (pwv / f"PWV_UCSC_{year}-{last_day}.txt").write_text(
        f"{HEADER}{last_day}.25 1\n{last_day}.5 2\n{last_day}.75 3\n{last_day + 1}.0 4\n"
    )
    (pwv / f"PWV_UCSC_{year + 1}-001.txt").write_text(f"{HEADER}1.25 5\n1.5 6\n")
    answer = answer_data(make_series(pwv.parent), ["pwv"], new_year - 43200, new_year + 43200)
    assert answer
    assert answer["data"]["pwv"] == [2, 3, 4, 5]
    assert answer["timeline"]["pwv"]["t"] == [
        new_year - 43200,
        new_year - 21600,
        new_year,
        new_year + 21600,
    ]


def test_rows_just_across_new_year_lie_on_their_own_side_of_it() -> None:
    late = parse_file("PWV_UCSC_2018-365.txt", f"{HEADER}365.5 1\n1.0 2\n".encode())
    assert late.times.tolist() == [unix(2018, 12, 31, 12), unix(2019, 1, 1)]
    early = parse_file("PWV_UCSC_2019-001.txt", f"{HEADER}365.75 1\n1.5 2\n".encode())
    assert early.times.tolist() == [unix(2018, 12, 31, 18), unix(2019, 1, 1, 12)]


def test_start_and_end_are_kept_to(pwv: Path) -> None:
    for day in range(30, 35):
        rows = "".join(f"{day + n / 24} {day}\n" for n in range(24))
        (pwv / f"PWV_UCSC_2019-{day:03}.txt").write_text(HEADER + rows)
    start = unix(2019, 2, 1, 6)
    answer = answer_data(make_series(pwv.parent), ["pwv"], start, start + 7200)
    assert answer
    assert answer["timeline"]["pwv"]["t"] == pytest.approx([start, start + 3600], abs=1e-5)
    assert answer["timeline"]["pwv"]["finalized_until"] == answer["timeline"]["pwv"]["t"][-1]


@given(st.integers(2000, 2040), st.integers(1, 365), st.floats(0, 0.9999))
def test_any_moment_comes_out_as_itself(year: int, day: int, fraction: float) -> None:
    text = f"{HEADER}{day + fraction:.9f} 1\n"
    table = parse_file(f"PWV_UCSC_{year}-{day:03}.txt", text.encode())
    expected = unix(year, 1, 1) + (day - 1 + fraction) * 86400
    assert table.times[0] == pytest.approx(expected, abs=1e-3)
