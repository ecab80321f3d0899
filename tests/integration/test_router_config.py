"""What crossbar makes of the router's configuration."""

import http.client
import subprocess
import sys
from pathlib import Path

import pytest

from ocs.router import write_router_config
from ocs.testing import RouterProcess


def test_crossbar_check(tmp_path: Path) -> None:
    write_router_config(tmp_path, port=8001)
    crossbar = Path(sys.executable).with_name("crossbar")
    run = subprocess.run(
        [crossbar, "check", "--cbdir", tmp_path], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        ("http://localhost:3000", 101),
        ("http://127.0.0.1", 101),
        ("https://evil.example", 400),
        ("http://localhost.evil.example", 400),
        ("null", 400),
    ],
)
def test_a_foreign_web_page_cannot_join(
    router: RouterProcess, origin: str | None, status: int
) -> None:
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol": "wamp.2.json",
    }
    connection = http.client.HTTPConnection("127.0.0.1", router.port, timeout=10)
    connection.request("GET", "/ws", headers=headers | ({"Origin": origin} if origin else {}))
    assert connection.getresponse().status == status
    connection.close()
