"""Agents of either make for a 372, and units that are none: what the tests of their feeds need."""

import contextlib
import itertools
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ocs.client_http import ControlClient
from ocs.connection import Connection
from ocs.testing import AgentProcess, ReactorThread, RouterProcess, site_config

PORT = 7777
"""Upstream's Agent knows no other."""

_numbers = itertools.count(os.getpid() * 7)


def own_address() -> str:
    """Return an address of this machine's loopback network at which nobody else has `PORT`."""
    number = next(_numbers)
    return f"127.{100 + number % 100}.{number // 100 % 250 + 1}.{number // 25_000 % 250 + 1}"


class Peer:
    """An Agent of a 372, a client of it, and what it publishes."""

    def __init__(self, program: AgentProcess, client: ControlClient, events: list[Any]) -> None:
        self.program = program
        self.client = client
        self._events = events

    @property
    def samples(self) -> list[tuple[str, float, dict[str, float]]]:
        """All that has been published: block, time, fields."""
        found = []
        for message, _ in list(self._events):
            for name, block in message.items():
                found += [
                    (name, when, {field: values[row] for field, values in block["data"].items()})
                    for row, when in enumerate(block["timestamps"])
                ]
        return sorted(found, key=lambda sample: sample[1])

    @property
    def layout(self) -> dict[str, set[str]]:
        """Names of the fields of each block."""
        return {name: set(data) for name, _, data in self.samples}

    def values(self) -> set[tuple[str, float]]:
        """All readings published, by field."""
        return {
            (field, value)
            for _, _, data in self.samples
            for field, value in data.items()
            if field.endswith(("_T", "_R"))
        }

    def session(self, op: str = "acq") -> dict[str, Any]:
        session: dict[str, Any] = self.client.request("status", op)[2]
        return session

    def run(self, op: str, **params: Any) -> dict[str, Any]:
        """Run an operation and return its session."""
        code, text, _ = self.client.request("start", op, params)
        assert code == 0, (op, text)
        session: dict[str, Any] = self.client.request("wait", op)[2]
        return session


class Site:
    """Agents of either make on one router."""

    def __init__(
        self, directory: Path, router: RouterProcess, reactor_thread: ReactorThread, upstream: Path
    ) -> None:
        self.directory = directory
        self.upstream = upstream
        self._router = router
        self._reactor_thread = reactor_thread
        self.closing = contextlib.ExitStack()

    def agent(self, name: str, address: str, *arguments: str, theirs: bool) -> Peer:
        """Start an Agent of the unit at an address, port 7777."""
        entry = {
            "agent-class": "Lakeshore372Agent",
            "instance-id": name,
            "arguments": ["--ip-address", address, *arguments],
        }
        config = site_config(self.directory / name, self._router, [entry])
        events: list[Any] = []

        async def listen() -> None:
            connection = Connection(
                self._reactor_thread.reactor, self._router.url, self._router.realm, name="listener"
            )
            connection.subscribe(f"observatory.{name}.feeds.temperatures", events.append)
            connection.start()
            self.closing.callback(self._reactor_thread.call, connection.stop)
            await connection.when_connected()

        self._reactor_thread.call(listen)
        module = "socs.agents.lakeshore372.agent" if theirs else "agents.lakeshore372.LS372_agent"
        python = str(self.upstream) if theirs else sys.executable
        program = AgentProcess(
            [python, "-m", module, f"--instance-id={name}", f"--site-file={config}"],
            env={"OCS_CONFIG_DIR": str(self.directory)},
            # In ours their module would find our packages.
            cwd=self.directory if theirs else None,
        )
        self.closing.enter_context(program)
        client = ControlClient(f"observatory.{name}", url=self._router.http_url)
        return Peer(program, client, events)


def ask(address: str, queries: Sequence[str]) -> dict[str, str]:
    """Ask a simulated 372, past every driver."""
    with socket.create_connection((address, PORT), 5) as connection:
        replies = connection.makefile("r", newline="\r\n")
        found = {}
        for query in queries:
            connection.sendall(f"{query}\r\n".encode())
            found[query] = replies.readline().strip()
        return found


class UnframedUnit:
    """A unit of the kind of upstream's simulator, in 16 channels.

    What one packet brings is one message, answers have no line end, numbers are plain floats, and
    what it does not know gets no answer (the project's Lake Shore specification, section 9). It
    has one client at a time, knows no status but good, and its scan is moved from outside.
    """

    def __init__(self, address: str) -> None:
        self.channel = 1
        self.autoscan = 1
        self._inset = dict.fromkeys(range(17), "1,10,3,0,1")
        self._intype = {0: "1,1,0,1,0,1", **dict.fromkeys(range(1, 17), "0,1,0,1,0,1")}
        self.messages: list[str] = []
        self._listener = socket.create_server((address, PORT))
        self._address = address
        self._closing = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing = True
        # Wakes the thread, which may be waiting for a client.
        socket.create_connection((self._address, PORT)).close()
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._listener.close()

    def _serve(self) -> None:
        while not self._closing:
            client, _ = self._listener.accept()
            with client, contextlib.suppress(ConnectionError):
                while data := client.recv(4096):
                    for message in data.decode().split(";"):
                        self.messages.append(message.strip())
                        answer = self._answer(message.strip())
                        if answer is not None:
                            client.sendall(answer.encode())

    def _answer(self, message: str) -> str | None:
        if len(message.split(" ")) > 2 or "\n" in message:
            # A further space is where it stops reading, two lines are no message.
            return None
        word, _, argument = message.partition(" ")
        first, _, rest = argument.partition(",")
        number = 0 if first == "A" else int(first) if first.isdigit() else -1
        match word:
            case "SCAN":
                self.channel, self.autoscan = number, int(rest)
                return None
            case "INSET":
                self._inset[number] = re.sub(r"\b0+(?=\d)", "", rest)
                return None
            case "INTYPE":
                self._intype[number] = rest
                return None
            case "KRDG?" | "SRDG?" | "RDGK?" | "RDGR?":
                return str(self._reading(number))
            case "INNAME?":
                return "Channel A" if number == 0 else f"Channel {number}"
            case "INSET?":
                return self._inset[number]
            case "INTYPE?":
                return self._intype[number]
        return {
            "*IDN?": "LSCI,MODEL372,LSASIM,0.0",
            "SCAN?": f"{self.channel:02d},{self.autoscan} ",
            "TLIMIT?": "0",
            "RDGST?": "000",
            "OUTMODE?": "0,1,0,0,0,5",
            "HTRSET?": "1,0,0,1",
            "RANGE?": "0",
            "MOUT?": "0.0",
            "STILL?": "0.0",
        }.get(word)

    @staticmethod
    def _reading(number: int) -> float:
        """Kelvin and ohms are one number, out of three by turns: who reads on gets them all."""
        return 100.0 * (number + 1) + int(time.time() * 4) % 3 / 7
