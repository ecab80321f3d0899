"""A stand-in for the HTTP bridge: what the live page asks, with faults at will.

Started as a program it serves the page for looking at while working on it:
``python tests/support/live_fake.py [port]``.
"""

import json
import math
import sys
import threading
import time
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

LIVE = Path(__file__).parents[2] / "sisock" / "live"
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
HISTORY_S = 900.0


class FakeBridge:
    """Serves 16 scanned channels of one thermometer, and whatever fields are added.

    Attributes:
        router_connected, node_connected: what ``/api/v1/status`` says.
        silent_since: Unix time of the last sample, or None while samples are coming.
        broken: when True every request is answered by HTTP 500 with a message.
        clock_offset_s: how far this server's clock is ahead of the browser's.
        queries: bodies of all queries so far.
    """

    node: ClassVar[str] = "LSA23JD"

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.router_connected = True
        self.node_connected = True
        self.changed = time.time()
        self.silent_since: float | None = None
        self.broken = False
        self.clock_offset_s = 0.0
        self.queries: list[dict[str, Any]] = []
        self.fields: dict[str, dict[str, Any]] = {}
        for channel in range(1, 17):
            for suffix, units in (("t", "K"), ("r", "Ohm")):
                self.add_field(f"{self.node}::channel_{channel:02d}_{suffix}", units=units)
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def add_field(self, name: str, units: str | None = None, kind: str = "number") -> None:
        node, _, field = name.partition("::")
        self.fields[name] = {
            "name": name,
            "node": node,
            "field": field,
            "units": units,
            "description": None,
            "type": kind,
        }

    def start(self) -> None:
        handler = type("Handler", (_Handler,), {"bridge": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = None

    def now(self) -> float:
        return time.time() + self.clock_offset_s

    @staticmethod
    def value(name: str, at: float) -> float:
        """Curves like a cool-down with some life in it, one level a channel."""
        number = sum(name.encode()) % 97 if "channel" not in name else int(name[-4:-2])
        wave = math.sin(at / (20 + 3 * number)) + 0.12 * math.sin(at * 1.7 + number)
        kelvin = (0.9 + 0.35 * number) * (1 + 0.03 * wave)
        return kelvin if name.endswith("_t") else 2000 * (1 + 5 / kelvin)

    def times(self, name: str, start: float, end: float) -> list[float]:
        """Whole seconds plus an offset a field: no two channels share their times."""
        offset = list(self.fields).index(name) // 2 / 20
        end = min(end, self.newest())
        first = math.ceil(max(start, self.now() - HISTORY_S) - offset)
        return [second + offset for second in range(first, math.floor(end - offset) + 1)]

    def newest(self) -> float:
        return self.now() if self.silent_since is None else self.silent_since

    def last_time(self, name: str) -> float | None:
        return max(self.times(name, self.newest() - 5, self.newest()), default=None)

    def get(self, path: str) -> Any:
        if path == "/api/v1/fields":
            known = self.fields.values() if self.router_connected else []
            return [{**field, "last_time": self.last_time(field["name"])} for field in known]
        if path == "/api/v1/latest":
            latest = []
            for name, field in self.fields.items():
                at = self.last_time(name)
                if at is not None and self.node_connected:
                    value = self.value(name, at) if field["type"] == "number" else "autoscan"
                    latest.append({"name": name, "time": at, "value": value})
            return latest
        if path == "/api/v1/status":
            nodes = {field["node"] for field in self.fields.values()}
            return {
                "now": self.now(),
                "router": {
                    "connected": self.router_connected,
                    "since": self.changed,
                    "reason": "" if self.router_connected else "connection refused",
                },
                "nodes": [
                    {
                        "name": node,
                        "description": "a thermometer",
                        "connected": self.node_connected and self.router_connected,
                        "since": self.changed,
                        "last_time": self.newest(),
                        "fields": len(self.fields),
                    }
                    for node in sorted(nodes)
                ],
            }
        return None

    def query(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        self.queries.append(body)
        start = datetime.fromisoformat(body["range"]["from"]).timestamp()
        end = datetime.fromisoformat(body["range"]["to"]).timestamp()
        answers: list[dict[str, Any]] = []
        for target in body["targets"]:
            name = target["target"]
            answer: dict[str, Any] = {
                "target": name,
                "refId": target["refId"],
                "datapoints": [],
            }
            if name not in self.fields or not self.node_connected:
                answer["meta"] = {"custom": {"error": f"no node has a field {name}"}}
            else:
                times = self.times(name, start, end)
                step = max(1, math.ceil(len(times) / body["maxDataPoints"]))
                answer["datapoints"] = [[self.value(name, at), at * 1000] for at in times[::step]]
            answers.append(answer)
        return answers


class _Handler(BaseHTTPRequestHandler):
    bridge: FakeBridge

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/live"):
            self._file(LIVE / (path.removeprefix("/live").lstrip("/") or "index.html"))
        elif self.bridge.broken:
            self._json({"message": "the cache is upside down"}, HTTPStatus.INTERNAL_SERVER_ERROR)
        else:
            answer = self.bridge.get(path)
            missing = {"message": f"no such page: {path}"}
            found = answer is not None
            self._json(
                answer if found else missing, HTTPStatus.OK if found else HTTPStatus.NOT_FOUND
            )

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.bridge.broken:
            self._json({"message": "the cache is upside down"}, HTTPStatus.INTERNAL_SERVER_ERROR)
        else:
            self._json(self.bridge.query(body), HTTPStatus.OK)

    def _file(self, path: Path) -> None:
        if path.is_file():
            self._send(path.read_bytes(), CONTENT_TYPES.get(path.suffix, "text/plain"))
        else:
            self._json({"message": f"no file {path.name}"}, HTTPStatus.NOT_FOUND)

    def _json(self, answer: Any, status: HTTPStatus) -> None:
        self._send(json.dumps(answer).encode(), "application/json", status)

    def _send(self, body: bytes, content_type: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True  # the page has dropped a request that it outdated

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
        """Say nothing: a test's output is for failures."""


if __name__ == "__main__":
    bridge = FakeBridge(int(sys.argv[1]) if len(sys.argv) > 1 else 5055)
    bridge.add_field("LSA23JD::scan_mode", kind="string")
    bridge.start()
    sys.stdout.write(f"http://127.0.0.1:{bridge.port}/live\n")
