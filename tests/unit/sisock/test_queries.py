"""What Grafana posts, checked."""

from typing import Any

import pytest

from sisock.errors import BadRequest
from sisock.http.queries import MOST_POINTS, Target, parse_body, parse_query, search_text

RANGE = {"from": "2026-11-22T16:17:10.243Z", "to": "2026-11-22T22:17:10.243Z"}


def body(**more: Any) -> dict[str, Any]:
    return {"range": RANGE, "targets": [], **more}


def test_a_body_as_grafana_sends_it() -> None:
    query = parse_query(
        body(
            panelId=2,
            interval="39s",
            intervalMs=39273,
            maxDataPoints=550,
            targets=[
                {"target": "N::a", "refId": "A", "type": "timeserie"},
                {"target": "N::b", "refId": "B", "type": "table"},
                {"target": "N::c", "refId": "C", "payload": {"type": "table"}},
                {"target": "N::d"},
                {"target": "N::hidden", "hide": True},
                {"target": "select metric"},
                {"target": ""},
                {},
            ],
        )
    )
    assert query.start == 1795364230.243
    assert query.end == pytest.approx(1795385830.244, abs=1e-6)
    assert query.max_points == 550
    assert query.stride_s == 39.273
    assert query.targets == (
        Target("N::a", "A"),
        Target("N::b", "B", table=True),
        Target("N::c", "C", table=True),
        Target("N::d"),
    )


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("2019-01-10T15:00:00.123456Z", 1547132400.123456),
        ("2019-01-10T15:00:00+01:00", 1547128800.0),
        ("2019-01-10T15:00:00", 1547132400.0),
        ("2019-01-10", 1547078400.0),
        (1547132400123, 1547132400.123),
        ("1970-01-01T00:00:00Z", 1.0),
    ],
)
def test_times(given: object, seconds: float) -> None:
    assert parse_query(body(range={"from": given, "to": RANGE["to"]})).start == seconds


@pytest.mark.parametrize(
    ("bad_range", "complaint"),
    [
        (None, "range is missing"),
        ("today", "range must be an object"),
        ({}, "range.from is missing"),
        ({"from": RANGE["from"]}, "range.to is missing"),
        ({"from": "yesterday", "to": RANGE["to"]}, 'range.from is "yesterday"'),
        ({"from": RANGE["from"], "to": "2026-13-01"}, "range.to is"),
        ({"from": True, "to": RANGE["to"]}, "range.from is true"),
        ({"from": [], "to": RANGE["to"]}, "range.from is"),
        ({"from": RANGE["to"], "to": RANGE["from"]}, "is after range.to"),
        ({"from": "1969-12-31T23:59:59Z", "to": RANGE["to"]}, "1970 to 2199"),
        ({"from": "0001-01-01T00:00:00Z", "to": RANGE["to"]}, "1970 to 2199"),
        ({"from": RANGE["from"], "to": "9999-12-31T23:59:59Z"}, "1970 to 2199"),
        ({"from": -1e14, "to": RANGE["to"]}, "range.from"),
        ({"from": 1e300, "to": RANGE["to"]}, "range.from"),
    ],
)
def test_bad_ranges(bad_range: object, complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint):
        parse_query(body(range=bad_range))


def test_a_range_of_one_instant_is_fine() -> None:
    query = parse_query(body(range={"from": RANGE["to"], "to": RANGE["to"]}))
    assert query.end > query.start


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("maxDataPoints", 0, "maxDataPoints is 0"),
        ("maxDataPoints", "many", 'maxDataPoints is "many"'),
        ("maxDataPoints", True, "maxDataPoints is true"),
        ("intervalMs", -5, "intervalMs is -5"),
        ("intervalMs", "1s", "intervalMs"),
        ("interval", "1 fortnight", "ms, s, m, h, d, w, y"),
        ("interval", 5, "interval is 5"),
        ("targets", None, "targets is missing"),
        ("targets", {}, "targets is {}"),
        ("targets", ["N::a"], r"targets\[0\] must be an object"),
        ("targets", [{"target": 5}], r"targets\[0\].target is 5"),
        ("targets", [{"target": "N::a", "type": "pie"}], r'type is "pie": allowed are timeserie'),
        ("targets", [{"target": "N::a"}] * 501, "targets has 501 entries: allowed are 500"),
    ],
)
def test_bad_values(key: str, value: object, complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint):
        parse_query(body(**{key: value}))


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("500ms", 0.5), ("20s", 20), ("5m", 300), ("4h", 14400), ("1d", 86400), ("1w", 604800)],
)
def test_intervals(given: str, seconds: float) -> None:
    assert parse_query(body(interval=given)).stride_s == seconds
    assert parse_query(body(interval=given, intervalMs=1500)).stride_s == 1.5


def test_defaults() -> None:
    query = parse_query(body())
    assert query.max_points == 1000
    assert query.stride_s is None
    assert parse_query(body(maxDataPoints=10**9)).max_points == MOST_POINTS
    assert parse_query(body(maxDataPoints=99.7)).max_points == 99


@pytest.mark.parametrize("raw", [b"", b"  \n"])
def test_an_empty_body_is_an_empty_object(raw: bytes) -> None:
    assert parse_body(raw) == {}


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b'{"range":\n {"from": }}', "line 2, column 11"),
        (b"{'a': 1}", "character 1"),
        (b'{"a": NaN}', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", r"must be a JSON object, not \[1\]"),
        (b'"' + b"x" * 500 + b'"', r"x\.\.\."),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_bad_bodies(raw: bytes, complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint):
        parse_body(raw)


def test_search_text() -> None:
    assert search_text({}) == ""
    assert search_text({"target": None}) == ""
    assert search_text({"target": "select metric"}) == ""
    assert search_text({"target": " chan "}) == "chan"
    with pytest.raises(BadRequest, match="target must be a string"):
        search_text({"target": 5})
