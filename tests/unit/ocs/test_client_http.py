"""Calls over HTTP, against a server that answers what the test wants."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ocs.client_http import ControlClient, ControlClientError


class Router(http.server.ThreadingHTTPServer):
    """Plays the router's HTTP caller."""

    # Closing the server waits for its threads.
    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict[str, Any]] = []
        self.status = 200
        self.body = b'{"args": [null]}'
        self.release = threading.Event()
        self.release.set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that have given up."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/call"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Router

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(
            {"path": self.path, "type": self.headers["Content-Type"], **json.loads(body)}
        )
        self.server.release.wait(10)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def router() -> Iterator[Router]:
    with Router() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def client(router: Router) -> ControlClient:
    return ControlClient("observatory.a", url=router.url, realm="test_realm")


def test_a_request_on_the_wire(router, client):
    router.body = b'{"args": [[0, "Session active.", {"op_code": 3}]]}'
    reply = client.request("wait", "acq", {"x": 1}, timeout=1)
    assert reply == [0, "Session active.", {"op_code": 3}]
    assert router.requests == [
        {
            "path": "/call",
            "type": "application/json",
            "procedure": "observatory.a.ops",
            "args": ["wait", "acq", {"x": 1}],
            "kwargs": {"timeout": 1},
        }
    ]


def test_management_calls(router, client):
    api = {
        "agent_class": "A",
        "tasks": [["t", {}, {}]],
        "processes": [["p", {}, {}]],
        "feeds": [["f", {}], ["heartbeat", {}]],
    }
    router.body = json.dumps({"args": [api]}).encode()
    assert client.get_api() == api
    assert client.get_api(simple=True) == {
        "tasks": ["t"],
        "processes": ["p"],
        "feeds": ["f", "heartbeat"],
    }
    client.get_tasks()
    client.get_processes()
    client.get_feeds()
    client.special("agent_poll", instance_id="x")
    client.start()
    client.stop()
    asked = [(request["procedure"], *request["args"]) for request in router.requests[2:]]
    assert asked == [
        ("observatory.a", "get_tasks"),
        ("observatory.a", "get_processes"),
        ("observatory.a", "get_feeds"),
        ("observatory.a.agent_poll",),
    ]


def test_an_error_of_the_agent(router, client):
    text = "no callee registered for procedure <observatory.a>"
    uri = "wamp.error.no_such_procedure"
    router.body = json.dumps({"error": uri, "args": [text], "kwargs": {}}).encode()
    with pytest.raises(ControlClientError) as error:
        client.get_api()
    assert error.value.args == ([0, 0, 0, 0, uri, [text], {}],)
    assert str(error.value) == f"{uri}: {text}"
    assert isinstance(error.value, RuntimeError)


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (500, b"oops", "it replied with HTTP status 500"),
        (400, b'{"error": "invalid JSON", "args": [], "kwargs": {}}', "HTTP status 400"),
        (200, b"<html>", "which is no WAMP router"),
        (200, b"[]", "which is no WAMP router"),
        (200, b'{"args": []}', "which is no WAMP router"),
    ],
)
def test_an_answer_that_is_none(router, client, status, body, text):
    router.status, router.body = status, body
    with pytest.raises(ControlClientError, match=text) as error:
        client.get_api()
    assert error.value.uri == "client_http.error.request_error"


def test_nobody_there(router, unused_port=1):
    client = ControlClient("observatory.a", url=f"http://127.0.0.1:{unused_port}/call")
    with pytest.raises(ControlClientError, match="is the router running") as error:
        client.get_api()
    assert error.value.uri == "client_http.error.connection_error"


@pytest.mark.parametrize("url", ["ftp://h/call", "localhost", "http://h:port/call", "http:///c"])
def test_no_address(url):
    with pytest.raises(ControlClientError) as error:
        ControlClient("observatory.a", url=url).get_api()
    assert error.value.uri == "client_http.error.connection_error"
    assert url in str(error.value)


def test_a_silent_router_is_given_up(router):
    router.release.clear()
    client = ControlClient("observatory.a", url=router.url, reply_timeout=0.05)
    with pytest.raises(ControlClientError, match=r"no reply: none in 0\.05 s"):
        client.request("status", "acq")
    with pytest.raises(ControlClientError, match=r"none in 0\.1 s"):
        client.request("wait", "acq", timeout=0.05)


def test_a_wait_without_timeout_is_held_open(router):
    router.release.clear()
    client = ControlClient("observatory.a", url=router.url, reply_timeout=0.05)
    timer = threading.Timer(0.2, router.release.set)
    timer.start()
    assert client.request("wait", "acq") is None
    assert client.request("wait", "acq", timeout=None) is None
    timer.join()
