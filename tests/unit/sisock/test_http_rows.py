"""The flat endpoint: rows, fields and marks for Infinity and for scripts."""

import csv
import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.fake_monitor import T0, FakeMonitor

from sisock.http import api
from sisock.http.app import create_app

MS = T0 * 1000


@pytest.fixture
def monitor() -> FakeMonitor:
    monitor = FakeMonitor()
    monitor.add("A::t", [1.0, float("nan"), 3.0], [T0 - 10, T0 - 8, T0 - 6])
    monitor.add("A::r", [float("inf"), 20.5], [T0 - 9, T0 - 8])
    monitor.add("B::on", [True, False], [T0 - 10, T0 - 9])
    monitor.add("B::mode", ["idle", "scan, fast"], [T0 - 7, T0 - 5])
    return monitor


@pytest.fixture
def client(monitor: FakeMonitor) -> FlaskClient:
    return create_app(monitor).test_client()


def ask(client: FlaskClient, *targets: str, **more: Any) -> Any:
    args = {"target": list(targets), "from": MS - 60_000, "to": MS, **more}
    return client.get("/api/v1/rows", query_string=args)


def rows(client: FlaskClient, *targets: str, **more: Any) -> list[tuple[Any, ...]]:
    answer = ask(client, *targets, **more)
    assert answer.status_code == 200, answer.data
    return [tuple(row.values()) for row in answer.get_json()]


def test_long_rows_in_the_order_of_time(client: FlaskClient) -> None:
    assert rows(client, "A::t", "B::on", "A::r") == [
        (MS - 10_000, "A::t", 1.0),
        (MS - 10_000, "B::on", 1),
        (MS - 9000, "B::on", 0),
        (MS - 9000, "A::r", None),
        (MS - 8000, "A::t", None),
        (MS - 8000, "A::r", 20.5),
        (MS - 6000, "A::t", 3.0),
    ]
    assert ask(client, "A::t").get_json()[0] == {"time": MS - 10_000, "name": "A::t", "value": 1.0}
    assert rows(client, "A::t", "A::t", "A::[rt]") == rows(client, "A::t", "A::r")


def test_wide_rows(client: FlaskClient) -> None:
    answer = ask(client, "A::t", "A::r", format="wide").get_json()
    assert answer[0] == {"time": MS - 10_000, "A::t": 1.0, "A::r": None}
    assert answer[2] == {"time": MS - 8000, "A::t": None, "A::r": 20.5}
    assert [row["time"] for row in answer] == [MS - s * 1000 for s in (10, 9, 8, 6)]


def test_csv(client: FlaskClient) -> None:
    answer = ask(client, "A::t", "B::mode", format="csv")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(answer.text, newline=""))) == [
        ["time", "name", "value"],
        ["1799999990000.0", "A::t", "1.0"],
        ["1799999992000.0", "A::t", ""],
        ["1799999993000.0", "B::mode", "idle"],
        ["1799999994000.0", "A::t", "3.0"],
        ["1799999995000.0", "B::mode", "scan, fast"],
    ]


def test_the_window_is_that_of_a_query(client: FlaskClient, monitor: FakeMonitor) -> None:
    ask(client, "A::t", max_points=50, interval_ms=250)
    span = {"from": "2027-01-15T07:59:00.000Z", "to": "2027-01-15T08:00:00Z"}
    ask(client, "A::t", max_points="50", interval_ms="250", **span)
    body = {"range": span, "maxDataPoints": "50", "intervalMs": 250}
    client.post("/query", json={**body, "targets": [{"target": "A::t"}]})
    first, second, third = monitor.windows
    assert first == second == third
    assert (first.start, first.max_points, first.stride_s) == (T0 - 60, 50, 0.25)
    ask(client, "A::t")
    assert (monitor.windows[-1].max_points, monitor.windows[-1].stride_s) == (1000, None)


def test_several_values_of_a_variable(client: FlaskClient) -> None:
    names = {row[1] for row in rows(client, "{A::t,B::on}", "A::{r,t}")}
    assert names == {"A::t", "A::r", "B::on"}


def test_one_bad_target_spoils_no_other(client: FlaskClient, monitor: FakeMonitor) -> None:
    monitor.fail("A::gone")
    answer = ask(client, "A::gone", "nonsense", "A::t", "A::nöpe")
    assert answer.status_code == 200
    assert len(answer.get_json()) == 3
    assert answer.headers["X-Sisock-Trouble"] == (
        "A::gone is broken; no field matches 'nonsense'; no A::n\\xf6pe"
    )
    assert ask(client, "A::t", "A::x\r\n\0y").headers["X-Sisock-Trouble"] == "no A::x   y"
    assert "X-Sisock-Trouble" not in ask(client, "A::t").headers
    alone = ask(client, "A::gone")
    assert (alone.status_code, alone.get_json()) == (502, {"message": "A::gone is broken"})
    assert ask(client, "A::nope").get_json() == []


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"from": ""}, "from is missing: expected an ISO 8601 time, or milliseconds since 1970"),
        ({"from": "${__from}"}, 'from is "${__from}": expected an ISO 8601 time'),
        ({"to": "soon"}, 'to is "soon"'),
        ({"from": MS + 1}, "is after to"),
        ({"max_points": "0"}, "max_points is 0.0: expected a number, 1 or more"),
        ({"max_points": "many"}, 'max_points is "many"'),
        ({"interval_ms": "5s"}, 'interval_ms is "5s": expected a number of milliseconds'),
        ({"format": "xml"}, "format is 'xml': allowed are long, wide, csv"),
        ({"gaps": "yes"}, "gaps is 'yes': allowed are line, null"),
        ({"target": []}, "target is missing: expected target=NODE::field, once or more"),
        ({"target": ["A::t"] * 501}, "allowed are 500"),
    ],
)
def test_what_cannot_be_used_is_named(
    client: FlaskClient, more: dict[str, Any], complaint: str
) -> None:
    answer = ask(client, "A::t", **more)
    assert answer.status_code == 400
    assert complaint in answer.get_json()["message"]


@pytest.mark.parametrize(
    ("args", "names"),
    [
        ({}, ["A::r", "A::t", "B::mode", "B::on"]),
        ({"node": "B"}, ["B::mode", "B::on"]),
        ({"field": "t"}, ["A::t"]),
        ({"field": ".*o.*"}, ["B::mode", "B::on"]),
        ({"node": "{A,B}", "field": "o*"}, ["B::on"]),
        ({"node": "C"}, []),
        ({"node": "((("}, []),
    ],
)
def test_fields_of_some_nodes(client: FlaskClient, args: dict[str, str], names: list[str]) -> None:
    answer = client.get("/api/v1/fields", query_string=args)
    assert [entry["name"] for entry in answer.get_json()] == names


def test_marks(client: FlaskClient, monitor: FakeMonitor) -> None:
    monitor.directory.vanished("B", "it has left the router", T0 - 5)
    monitor.directory.appeared("B", None, T0 - 2)
    monitor.directory.vanished("A", "no answer", T0 - 1)

    def marks(**args: Any) -> Any:
        full = {"from": MS - 30_000, "to": MS, **args}
        return client.get("/api/v1/annotations", query_string=full).get_json()

    assert marks() == [
        {
            "time": MS - 5000,
            "timeEnd": MS - 2000,
            "title": "B is away",
            "text": "it has left the router",
            "tags": "B,away",
        },
        {"time": MS - 2000, "timeEnd": None, "title": "B is there", "text": "", "tags": "B,there"},
        {
            "time": MS - 1000,
            "timeEnd": None,
            "title": "A is away",
            "text": "no answer",
            "tags": "A,away",
        },
    ]
    assert [mark["title"] for mark in marks(node="a")] == ["A is away"]
    assert [mark["title"] for mark in marks(**{"from": MS - 3000, "node": "b"})] == [
        "B is away",
        "B is there",
    ]
    assert [mark["title"] for mark in marks(**{"from": MS - 41_000, "to": MS - 39_000})] == [
        "A is there",
        "B is there",
    ]
    assert client.get("/api/v1/annotations").status_code == 400


def test_gaps_are_marked(client: FlaskClient, monitor: FakeMonitor) -> None:
    times = [T0 - 50 + n for n in range(51) if not 10 < n < 15 and n != 20]
    monitor.add("A::x", [1.0] * len(times), times)
    span = {"from": MS - 60_000, "to": MS}
    found = client.get("/api/v1/annotations", query_string={"target": "A::x", **span}).get_json()
    assert found == [
        {
            "time": MS - 40_000,
            "timeEnd": MS - 35_000,
            "title": "A::x has a gap",
            "text": "5 s without a sample; usual are 1 s",
            "tags": "A,gap",
        }
    ]
    body = {"range": span, "annotation": {"query": "A::x"}}
    (mark,) = client.post("/annotations", json=body).get_json()
    assert mark == {"annotation": {"query": "A::x"}, **found[0]}
    body = {"range": span, "targets": [{"target": "A::x", "payload": {"annotations": True}}]}
    (table,) = client.post("/query", json=body).get_json()
    assert table["rows"] == [list(found[0].values())]
    assert (
        client.get("/api/v1/annotations", query_string={"target": "A::t", **span}).get_json() == []
    )
    monitor.fail("A::gone")
    answer = client.get("/api/v1/annotations", query_string={"target": "A::gone", **span})
    assert answer.status_code == 502


def test_a_gap_breaks_the_line_where_asked(client: FlaskClient, monitor: FakeMonitor) -> None:
    times = [T0 - 20, T0 - 19, T0 - 18, T0 - 8, T0 - 7]
    monitor.add("C::x", [1, 2, 3, 4, 5], times)
    monitor.add("C::text", list("abcde"), times)
    whole = [(time * 1e3, "C::x", n) for n, time in enumerate(times, 1)]
    broken = [*whole[:3], (MS - 13_000, "C::x", None), *whole[3:]]
    assert rows(client, "C::x") == rows(client, "C::x", gaps="line") == whole
    assert rows(client, "C::x", gaps="null") == broken
    assert len(rows(client, "C::text", gaps="null")) == 5
    assert rows(client, "A::r", gaps="null") == rows(client, "A::r")


def test_more_rows_than_fit_are_refused(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MAX_ROWS", 4)
    assert len(rows(client, "A::r", "B::on")) == 4
    answer = ask(client, "A::t", "A::r")
    assert answer.status_code == 400
    assert "would have 5 rows: allowed are 4; ask for less with max_points" in answer.text
