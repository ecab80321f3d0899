"""The web application with a stand-in for the monitor."""

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from support.fake_monitor import T0, FakeMonitor

from ocs.connection import ConnectionStatus
from sisock.http.app import create_app
from sisock.http.directory import FieldEntry
from sisock.series import FieldInfo, FieldList

RANGE = {"from": "2027-01-15T07:55:00.000Z", "to": "2027-01-15T08:00:00.000Z"}


@pytest.fixture
def monitor() -> FakeMonitor:
    monitor = FakeMonitor()
    monitor.add("A::t", [1.0, 2.5, float("nan")])
    monitor.add("A::on", [True, False])
    monitor.add("B::mode", ["idle", "scan"])
    monitor.add("B::count", [1, 2**60])
    return monitor


@pytest.fixture
def live_page(tmp_path: Path) -> Path:
    page = tmp_path / "live"
    (page / "vendor").mkdir(parents=True)
    (page / "index.html").write_text("<h1>live</h1>")
    (page / "vendor" / "plot.js").write_text("export {};")
    (page / "secret.py").write_text("no")
    (tmp_path / "outside.js").write_text("no")
    return page


@pytest.fixture
def client(monitor: FakeMonitor, live_page: Path) -> FlaskClient:
    return create_app(monitor, live_page=live_page).test_client()


def query(client: FlaskClient, *targets: str | dict[str, Any], **more: Any) -> Any:
    full = [{"target": t} if isinstance(t, str) else t for t in targets]
    return client.post("/query", json={"range": RANGE, "targets": full, **more})


def test_root_and_health(client: FlaskClient, monitor: FakeMonitor) -> None:
    for path in ("/", "/healthz", "/healthz/"):
        assert client.get(path).status_code == 200
    monitor.status = ConnectionStatus("connecting", T0, "cannot reach ws://x")
    for path in ("/", "/healthz"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert "cannot reach ws://x" in answer.get_json()["message"]


def test_every_answer_is_json_and_not_kept(client: FlaskClient) -> None:
    for method, path in [
        ("GET", "/"),
        ("POST", "/search"),
        ("POST", "/annotations"),
        ("POST", "/tag-keys"),
        ("POST", "/tag-values"),
        ("GET", "/api/v1/fields"),
        ("GET", "/api/v1/status"),
        ("GET", "/api/v1/latest"),
        ("GET", "/nowhere"),
        ("DELETE", "/query"),
    ]:
        answer = client.open(path, method=method)
        assert answer.content_type == "application/json; charset=utf-8", path
        assert answer.headers["Cache-Control"] == "no-store"
        orjson.loads(answer.data)


def test_search(client: FlaskClient) -> None:
    every = ["A::on", "A::t", "B::count", "B::mode"]
    assert client.post("/search", json={"target": ""}).get_json() == every
    assert client.post("/search").get_json() == every
    assert client.post("/search/", json={"target": "b:: MO"}).get_json() == ["B::mode"]
    assert client.post("/search", json={"target": "zz"}).get_json() == []


def test_series_in_the_order_of_targets(client: FlaskClient, monitor: FakeMonitor) -> None:
    answer = query(
        client,
        {"target": "B::count", "refId": "X"},
        {"target": "A::t", "refId": "A", "type": "timeserie"},
        {"target": "A::on"},
    ).get_json()
    ms = [(T0 - 10 + i) * 1000 for i in range(3)]
    assert answer == [
        {"target": "B::count", "refId": "X", "datapoints": [[1, ms[0]], [2**60, ms[1]]]},
        {"target": "A::t", "refId": "A", "datapoints": [[1.0, ms[0]], [2.5, ms[1]], [None, ms[2]]]},
        {"target": "A::on", "datapoints": [[1, ms[0]], [0, ms[1]]]},
    ]
    (window,) = monitor.windows
    assert window.start == T0 - 300
    assert window.end == pytest.approx(T0 + 0.001, abs=1e-6)
    assert window.max_points == 1000


def test_times_are_exact_to_the_microsecond(client: FlaskClient, monitor: FakeMonitor) -> None:
    times = [1795390147.219872, 1795390147.271059, 1795390147.999999]
    monitor.add("A::x", [1.0, 2.0, 3.0], times)
    raw = query(client, "A::x").data
    assert raw == (
        b'[{"target":"A::x","datapoints":[[1.0,1795390147219.872],[2.0,1795390147271.059],'
        b"[3.0,1795390147999.999]]}]"
    )


def test_infinities_are_null(client: FlaskClient, monitor: FakeMonitor) -> None:
    monitor.add("A::inf", [float("inf"), float("-inf")])
    assert [p[0] for p in query(client, "A::inf").get_json()[0]["datapoints"]] == [None, None]
    table = query(client, {"target": "A::inf", "type": "table"}).get_json()[0]
    assert [row[1] for row in table["rows"]] == [None, None]


def test_tables(client: FlaskClient) -> None:
    answer = query(
        client,
        {"target": "B::mode", "refId": "A", "type": "table"},
        {"target": "A::on", "type": "table"},
    ).get_json()
    assert answer[0] == {
        "type": "table",
        "refId": "A",
        "columns": [{"text": "Time", "type": "time"}, {"text": "B::mode", "type": "string"}],
        "rows": [[(T0 - 10) * 1000, "idle"], [(T0 - 9) * 1000, "scan"]],
    }
    assert answer[1]["rows"][0][1] is True
    assert answer[1]["columns"][1]["type"] == "boolean"


def test_a_variable_stands_for_several(client: FlaskClient) -> None:
    answer = query(client, {"target": r"(A::t|B::count)", "refId": "V"}).get_json()
    assert [(s["target"], s["refId"]) for s in answer] == [("A::t", "V"), ("B::count", "V")]


def test_a_pattern_finds_fields_that_are_new(client: FlaskClient, monitor: FakeMonitor) -> None:
    monitor.unlisted = {"A::t", "A::on"}
    answer = query(client, "A::.*").get_json()
    assert [series["target"] for series in answer] == ["A::on", "A::t"]


def test_bad_targets_spoil_nobody_else(client: FlaskClient, monitor: FakeMonitor) -> None:
    monitor.fail("A::broken")
    answer = query(client, "A::broken", "nonsense", "A::t", "A::nope")
    assert answer.status_code == 200
    series = answer.get_json()
    assert [len(s["datapoints"]) for s in series] == [0, 0, 3, 0]
    errors = [s.get("meta", {}).get("custom", {}).get("error") for s in series]
    assert errors == [
        "A::broken is broken",
        "no field matches 'nonsense'",
        None,
        "no A::nope",
    ]


def test_only_when_all_fail_it_is_an_error(client: FlaskClient, monitor: FakeMonitor) -> None:
    monitor.fail("A::x")
    monitor.fail("A::y")
    answer = query(client, "A::x", "A::y")
    assert answer.status_code == 502
    assert answer.get_json() == {"message": "A::x is broken; A::y is broken"}
    assert query(client, "A::nope").status_code == 200
    assert query(client).get_json() == []


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"{", "not JSON"),
        (b"{}", "range is missing"),
        (orjson.dumps({"range": RANGE}), "targets is missing"),
        (orjson.dumps({"range": {**RANGE, "from": "soon"}, "targets": []}), "range.from"),
    ],
)
def test_malformed_queries(client: FlaskClient, body: bytes, complaint: str) -> None:
    answer = client.post("/query", data=body)
    assert answer.status_code == 400
    assert complaint in answer.get_json()["message"]


def test_too_many_fields(client: FlaskClient, monitor: FakeMonitor) -> None:
    listing = FieldList({f"f{i}": FieldInfo(None, "t", "number", None) for i in range(2100)}, {})
    for node in ("C", "D", "E", "F", "G"):
        monitor.directory.appeared(node, None, T0)
        monitor.directory.declared(node, listing, takes_max_points=True)
    answer = query(client, "C::f.*", "D::f.*", "E::f.*", "F::f.*", "G::f.*")
    assert answer.status_code == 400
    assert "2500 fields" in answer.get_json()["message"]


def test_too_many_samples(client: FlaskClient, monitor: FakeMonitor) -> None:
    monitor.add("C::long", [0.0] * 1_000_001)
    answer = query(client, "C::long", maxDataPoints=200_000)
    assert answer.status_code == 400
    assert "1000001 samples" in answer.get_json()["message"]


def test_a_target_cut_short_says_so(client: FlaskClient, monitor: FakeMonitor) -> None:
    for number in range(501):
        monitor.add(f"C::f{number}", [0.0])
    series = query(client, "C::f.*").get_json()
    assert len(series) == 500
    assert "501 fields" in series[-1]["meta"]["custom"]["error"]


def test_a_body_that_is_too_large(client: FlaskClient) -> None:
    answer = client.post("/query", data=b" " * (2**20 + 1))
    assert answer.status_code == 413
    assert "1048576" in answer.get_json()["message"]


def test_annotations_and_tags(client: FlaskClient, monitor: FakeMonitor) -> None:
    assert client.post("/annotations", json={}).get_json() == []
    keys = client.post("/tag-keys", json={}).get_json()
    assert keys == [{"type": "string", "text": "node"}, {"type": "string", "text": "field"}]
    nodes = client.post("/tag-values", json={"key": "node"}).get_json()
    assert nodes == [{"text": "A"}, {"text": "B"}]
    fields = client.post("/tag-values", json={"key": "field"}).get_json()
    assert {"text": "A::t"} in fields
    assert client.post("/tag-values", json={"key": "else"}).get_json() == []
    assert client.post("/tag-values", data=b"{").get_json() == []
    monitor.unavailable = True
    assert client.post("/tag-values", json={"key": "node"}).get_json() == []
    assert client.post("/search").status_code == 503


def test_options(client: FlaskClient) -> None:
    for path in ("/", "/query", "/search", "/api/v1/fields"):
        answer = client.options(path)
        assert answer.status_code == 204
        assert "POST" in answer.headers["Allow"]
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert client.options("/nowhere").status_code == 404


def test_cross_origin_only_where_configured(monitor: FakeMonitor) -> None:
    client = create_app(monitor, cors_origin="http://grafana:3000").test_client()
    answer = client.options("/query")
    assert answer.headers["Access-Control-Allow-Origin"] == "http://grafana:3000"
    assert "content-type" in answer.headers["Access-Control-Allow-Headers"]
    assert client.get("/").headers["Access-Control-Allow-Origin"] == "http://grafana:3000"


def test_not_found_and_not_allowed(client: FlaskClient) -> None:
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.get_json()["message"]) == (
        404,
        "there is nothing at /nowhere",
    )
    answer = client.get("/query")
    assert answer.status_code == 405
    assert "allowed: OPTIONS, POST" in answer.get_json()["message"]


def test_compressed_when_asked(client: FlaskClient, monitor: FakeMonitor) -> None:
    monitor.add("A::long", list(range(5000)))
    plain = query(client, "A::long").data
    body = {"range": RANGE, "targets": [{"target": "A::long"}]}
    for accepted, packed in (("gzip, deflate", True), ("gzip;q=0", False), ("br", False)):
        answer = client.post("/query", json=body, headers={"Accept-Encoding": accepted})
        assert (answer.headers.get("Content-Encoding") == "gzip") is packed
        assert (gzip.decompress(answer.data) if packed else answer.data) == plain
        assert "Accept-Encoding" in answer.headers["Vary"]


def test_a_fault_is_told_without_details(
    client: FlaskClient, monitor: FakeMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def boom(*_: object, **__: object) -> list[FieldEntry]:
        raise RuntimeError("secret")

    monkeypatch.setattr(monitor, "fields", boom)
    answer = client.post("/search")
    assert answer.status_code == 500
    assert answer.get_json() == {"message": "the monitor has a fault; its log says more"}


def test_fields(client: FlaskClient) -> None:
    fields = client.get("/api/v1/fields").get_json()
    assert [entry["name"] for entry in fields] == ["A::on", "A::t", "B::count", "B::mode"]
    assert fields[1] == {
        "name": "A::t",
        "node": "A",
        "field": "t",
        "units": "K",
        "description": None,
        "type": "number",
        "last_time": T0 - 8,
    }


def test_status(client: FlaskClient, monitor: FakeMonitor) -> None:
    monitor.directory.vanished("B", "it has left the router", T0 - 5)
    monitor.directory.appeared("new", None, T0)
    status = client.get("/api/v1/status").get_json()
    assert status["now"] == T0
    assert status["router"] == {"connected": True, "since": T0 - 50, "reason": "joined"}
    assert status["nodes"] == [
        {
            "name": "A",
            "description": "about A",
            "connected": True,
            "since": T0 - 40,
            "reason": "",
            "last_time": T0 - 8,
            "fields": 2,
        },
        {
            "name": "B",
            "description": "about B",
            "connected": False,
            "since": T0 - 5,
            "reason": "it has left the router",
            "last_time": T0 - 9,
            "fields": 2,
        },
        {
            "name": "new",
            "description": "",
            "connected": True,
            "since": T0,
            "reason": "",
            "last_time": None,
            "fields": 0,
        },
    ]


def test_latest(client: FlaskClient, monitor: FakeMonitor) -> None:
    latest = {entry["name"]: entry for entry in client.get("/api/v1/latest").get_json()}
    assert latest["A::t"] == {"name": "A::t", "time": T0 - 8, "value": None}
    assert latest["A::on"]["value"] is False
    assert latest["B::mode"]["value"] == "scan"
    monitor.status = ConnectionStatus("connecting", T0, "lost")
    assert client.get("/api/v1/latest").status_code == 503


def test_live_page(client: FlaskClient) -> None:
    for path in ("/live", "/live/", "/live/index.html"):
        answer = client.get(path)
        assert answer.data == b"<h1>live</h1>"
        assert answer.content_type == "text/html; charset=utf-8"
    script = client.get("/live/vendor/plot.js")
    assert script.content_type == "text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/live/nope.js",
        "/live/secret.py",
        "/live/../outside.js",
        "/live/vendor",
        "/live/%2e%2e/x.js",
    ],
)
def test_nothing_else_is_served(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404
