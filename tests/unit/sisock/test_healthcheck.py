"""The containers' health checks, against small servers of their own."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from ocs.testing import free_port
from sisock.healthcheck import main


class Peer(HTTPServer):
    """Answers as the bridge and as the router's HTTP caller do."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.healthz = 200
        self.procedures: dict[str, Any] = {}

    @property
    def port(self) -> str:
        return str(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    server: Peer

    def do_GET(self) -> None:
        self._reply(self.server.healthz, {"message": "not connected to the router: gone"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            self._reply(200, {"args": [self.server.procedures[body["procedure"]]]})
        except KeyError:
            self._reply(200, {"error": "wamp.error.no_such_procedure", "args": ["nobody"]})

    def _reply(self, status: int, content: Any) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


Check = Callable[..., tuple[int, str]]


@pytest.fixture
def check(peer: Peer, capsys: pytest.CaptureFixture[str]) -> Check:
    def run(kind: str, *options: str) -> tuple[int, str]:
        where = ["--crossbar-host=127.0.0.1", f"--crossbar-port={peer.port}"]
        status = main([kind, *options, *(where if kind in {"node", "agent"} else [])])
        return status, capsys.readouterr().err

    return run


def test_the_bridge_is_healthy_while_it_is_joined(check: Check, peer: Peer) -> None:
    assert check("bridge", "--port", peer.port) == (0, "")
    peer.healthz = 503
    status, said = check("bridge", "--port", peer.port)
    assert status == 1
    assert "503" in said
    assert "not connected to the router" in said


def test_a_node_is_healthy_while_the_hub_lists_it(check: Check, peer: Peer) -> None:
    listed = [{"name": "weather", "description": None}]
    peer.procedures["org.simonsobservatory.consumer.get_data_node"] = listed
    assert check("node", "--name=weather") == (0, "")
    status, said = check("node", "--name=LSA23JD")
    assert status == 1
    assert said == "the hub lists ['weather'], not LSA23JD\n"


def test_a_nodes_name_comes_from_its_environment(
    check: Check, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.procedures["org.simonsobservatory.consumer.get_data_node"] = [{"name": "LSA23JD"}]
    monkeypatch.setenv("NAME", "LSA23JD")
    assert check("node") == (0, "")
    monkeypatch.delenv("NAME")
    status, said = check("node")
    assert status == 2
    assert "NAME is not set" in said


def test_an_agent_is_healthy_while_it_answers(check: Check, peer: Peer) -> None:
    peer.procedures["observatory.LSA23JD"] = "Lakeshore372Agent"
    assert check("agent", "--instance-id=LSA23JD") == (0, "")
    status, said = check("agent", "--instance-id=ls240")
    assert status == 1
    assert "observatory.ls240" in said


def test_without_a_router_nobody_is_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = [f"--crossbar-port={free_port()}", "--crossbar-host=127.0.0.1"]
    assert main(["node", "--name=weather", *nowhere]) == 1
    assert main(["agent", "--instance-id=LSA23JD", *nowhere]) == 1
    assert main(["bridge", f"--port={free_port()}"]) == 1
    assert capsys.readouterr().err.count("\n") == 3


@pytest.mark.parametrize(
    ("answer", "status"), [(b"LSCI,MODEL372,LSA23JD,1.3\r\n", 0), (b"no idea\r\n", 1)]
)
def test_an_instrument_is_healthy_when_it_says_who_it_is(
    check: Check, answer: bytes, status: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            line, _ = listening.accept()
            with line:
                if line.recv(100) == b"*IDN?\r\n":
                    line.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert check("instrument", f"--port={listening.getsockname()[1]}")[0] == status
        thread.join()
