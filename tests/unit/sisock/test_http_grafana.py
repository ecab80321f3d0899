"""What simPod's data source asks, marks for SimpleJson, the bridge's own tables, and its token."""

import base64
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.fake_monitor import T0, FakeMonitor

from ocs.connection import ConnectionStatus
from sisock.errors import Misconfigured
from sisock.http import grafana
from sisock.http.access import read_token
from sisock.http.app import create_app

RANGE = {"from": "2027-01-15T07:55:00.000Z", "to": "2027-01-15T08:00:00.000Z"}
TOKEN = "0123456789abcdef-token"


@pytest.fixture
def monitor() -> FakeMonitor:
    monitor = FakeMonitor()
    monitor.add("A::t", [1.0, 2.0])
    monitor.add("B::mode", ["idle", "scan"])
    return monitor


@pytest.fixture
def client(monitor: FakeMonitor) -> FlaskClient:
    return create_app(monitor).test_client()


def query(client: FlaskClient, *targets: dict[str, Any]) -> Any:
    answer = client.post("/query", json={"range": RANGE, "targets": list(targets)})
    assert answer.status_code == 200, answer.data
    return answer.get_json()


def test_metrics_hold_what_the_editor_has_chosen(client: FlaskClient) -> None:
    metrics = client.post("/metrics", json={}).get_json()
    assert [metric["value"] for metric in metrics] == ["A::t", "B::mode"]
    assert {payload["name"] for payload in metrics[0]["payloads"]} == {"type", "alias"}
    body = {"metric": "GONE::x", "payload": {"a": "b"}}
    assert client.post("/metrics/", json=body).get_json()[-1]["value"] == "GONE::x"
    assert client.post("/metrics", data=b"").status_code == 200


def test_payload_options(client: FlaskClient) -> None:
    body = {"metric": "A::t", "payload": {}, "name": "type"}
    options = client.post("/metric-payload-options", json=body).get_json()
    assert {option["value"] for option in options} == {"timeserie", "table"}
    body["name"] = "else"
    assert client.post("/metric-payload-options", json=body).get_json() == []


@pytest.mark.parametrize(
    ("payload", "options"),
    [
        ({"target": "fields"}, [("A::t", "A::t"), ("B::mode", "B::mode")]),
        ({"target": ""}, [("A::t", "A::t"), ("B::mode", "B::mode")]),
        ({"target": "nodes"}, [("A", "A"), ("B", "B")]),
        ({"target": "mod"}, [("B::mode", "B::mode")]),
        ({"node": "A"}, [("t", "A::t")]),
        ({"node": "Z"}, []),
    ],
)
def test_variables(
    client: FlaskClient, payload: dict[str, str], options: list[tuple[str, str]]
) -> None:
    answer = client.post("/variable", json={"payload": payload, "range": RANGE})
    assert [(o["__text"], o["__value"]) for o in answer.get_json()] == options


def test_a_variable_that_is_none(client: FlaskClient) -> None:
    answer = client.post("/variable", json={"payload": "fields"})
    assert answer.status_code == 400
    assert 'such as {"target": "fields"}' in answer.get_json()["message"]


def test_a_query_of_simpod(client: FlaskClient) -> None:
    table, series = query(
        client,
        {"refId": "A", "target": "B::mode", "payload": {"type": "table"}, "editorMode": "code"},
        {"refId": "B", "target": "A::t", "payload": {"alias": "4K plate"}},
    )
    assert (table["type"], table["refId"], len(table["rows"])) == ("table", "A", 2)
    assert (series["target"], series["refId"]) == ("4K plate", "B")


def test_an_alias_never_hides_which_field_is_which(client: FlaskClient) -> None:
    series = query(client, {"target": "(A::t|B::mode)", "payload": {"alias": "x"}})
    assert [part["target"] for part in series] == ["A::t", "B::mode"]


def test_the_table_of_nodes(client: FlaskClient, monitor: FakeMonitor) -> None:
    monitor.directory.vanished("B", "it has left the router", T0 - 5)
    (table,) = query(client, {"target": "nodes", "type": "table", "refId": "N"})
    assert (table["type"], table["refId"]) == ("table", "N")
    names = [column["text"] for column in table["columns"]]
    first, second = (dict(zip(names, row, strict=True)) for row in table["rows"])
    assert (first["Node"], first["State"], first["Fields"]) == ("A", "there", 1)
    assert first["Last sample"] == (T0 - 9) * 1000
    assert (second["State"], second["Why"]) == ("away", "it has left the router")
    assert second["Since"] == (T0 - 5) * 1000


def test_annotations_of_simpod(client: FlaskClient, monitor: FakeMonitor) -> None:
    monitor.directory.vanished("B", "gone", T0 - 5)
    for target in ({"target": "annotations"}, {"target": "b", "payload": {"annotations": True}}):
        (table,) = query(client, target)
        columns = [column["text"] for column in table["columns"]]
        assert columns == ["time", "timeEnd", "title", "text", "tags"]
        assert table["rows"][-1] == [(T0 - 5) * 1000, None, "B is away", "gone", "B,away"]


def test_gaps_of_many_fields_are_asked_for_at_once(
    client: FlaskClient, monitor: FakeMonitor
) -> None:
    """Each question may take as long as a slow node does, and a thread waits for it."""
    times = [T0 - 60 + second for second in range(60) if not 20 < second < 40]
    names = [f"A::gap{number}" for number in range(5)]
    for name in names:
        monitor.add(name, [0.0] * len(times), times)
    targets = [{"target": name, "payload": {"annotations": True}} for name in names]
    tables = client.post("/query", json={"range": RANGE, "targets": targets}).get_json()
    assert [table["rows"][0][2] for table in tables] == [f"{name} has a gap" for name in names]
    assert len(monitor.windows) == 1


def test_annotations_of_simplejson(client: FlaskClient, monitor: FakeMonitor) -> None:
    monitor.directory.vanished("B", "gone", T0 - 5)

    def marks(query: str) -> Any:
        annotation = {"name": "deploy", "datasource": "sisock", "query": query}
        answer = client.post("/annotations", json={"range": RANGE, "annotation": annotation})
        return annotation, answer.get_json()

    annotation, (_, __, away) = marks("#sisock")
    assert away == {
        "annotation": annotation,
        "time": (T0 - 5) * 1000,
        "title": "B is away",
        "text": "gone",
        "tags": "B,away",
    }
    assert [mark["title"] for mark in marks("A")[1]] == ["A is there"]


def test_a_list_that_is_cut_says_so(
    client: FlaskClient, monitor: FakeMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grafana, "MAX_SEARCH_NAMES", 3)
    for number in range(5):
        monitor.add(f"C::f{number}", [1.0])
    found = client.post("/search", json={"target": "c::"}).get_json()
    assert found == ["C::f0", "C::f1", "C::f2", "(2 more: type a part of the name)"]
    (series,) = query(client, {"target": found[-1]})
    assert series["datapoints"] == []
    assert len(client.post("/variable", json={"payload": {"target": "c::"}}).get_json()) == 3


@pytest.mark.parametrize("path", ["/metrics", "/metric-payload-options", "/variable"])
def test_options_and_malformed_bodies(client: FlaskClient, path: str) -> None:
    assert client.options(path).status_code == 204
    answer = client.post(path, data=b"{")
    assert answer.status_code == 400
    assert "not JSON" in answer.get_json()["message"]
    assert client.get(path).status_code == 405


def test_credentials_need_an_explicit_origin(monitor: FakeMonitor) -> None:
    named = create_app(monitor, cors_origin="http://grafana:3000").test_client().options("/query")
    assert named.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in named.headers["Vary"]
    every = create_app(monitor, cors_origin="*").test_client().options("/query")
    assert every.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in every.headers


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Bearer " + TOKEN, 200),
        (basic("anybody", TOKEN), 200),
        ("Bearer " + TOKEN + "x", 401),
        ("Bearer", 401),
        (basic(TOKEN, "wrong"), 401),
        (basic("anybody", "ä"), 401),
        ("Digest username=x", 401),
    ],
)
def test_a_token_is_asked_for(monitor: FakeMonitor, header: str | None, status: int) -> None:
    client = create_app(monitor, token=TOKEN, cors_origin="http://g").test_client()
    headers = {} if header is None else {"Authorization": header}
    for path in ("/", "/api/v1/fields", "/live/", "/nowhere"):
        answer = client.get(path, headers=headers)
        assert (answer.status_code == 401) is (status == 401), path
        if status == 401:
            assert "bearer token" in answer.get_json()["message"]
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert client.post("/query", headers=headers).status_code == (401 if status == 401 else 400)
    assert client.get("/healthz", headers=headers).status_code == 200
    assert client.options("/query", headers=headers).status_code == 204
    monitor.status = ConnectionStatus("connecting", T0, "lost")
    assert client.get("/healthz", headers=headers).status_code == 503


def test_the_file_with_the_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    assert read_token(str(path)) == TOKEN
    assert read_token(None) is None
    for text in ("", "short\n", "two words that are long\n", "ümlaut-0123456789-0123"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(Misconfigured, match="HTTP_TOKEN_FILE"):
            read_token(str(path))
    with pytest.raises(Misconfigured, match="cannot read"):
        read_token(str(tmp_path / "none"))
