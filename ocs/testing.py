"""Helpers to test agents against a real router, for us and for authors of agents.

Nothing here needs a particular test framework. Programs never import this module.
"""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import yaml
from twisted.internet.defer import maybeDeferred

from ocs.router import router_command, write_router_config

__all__ = [
    "AgentProcess",
    "ReactorThread",
    "RouterProcess",
    "free_port",
    "site_config",
    "wait_for",
]

T = TypeVar("T")

POLL_S = 0.02


def wait_for(condition: Callable[[], T], deadline_s: float = 10.0, what: str = "condition") -> T:
    """Wait until `condition()` is true-ish and return its value.

    Raises:
        AssertionError: It was not within `deadline_s` seconds; the message names `what`.
    """
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s:g} s: {what} (last value: {value!r})")
        time.sleep(POLL_S)
    return value


_FIRST_PORT, _PORTS = 15_000, 17_000
_next_port = itertools.count(os.getpid() * 631)


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on just now.

    Ports below the range from which the kernel takes those of outgoing connections: nothing grabs
    one between this call and its use. Processes that run side by side begin at different places.
    """
    for _ in range(_PORTS):
        port = _FIRST_PORT + next(_next_port) % _PORTS
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"no free port from {_FIRST_PORT} to {_FIRST_PORT + _PORTS}")


class AgentProcess:
    """A program under test: started on entry, its output collected, ended on exit.

    Args:
        argv: Command line; a first word ending in ``.py`` or equal to ``-m`` is run with this
            interpreter.
        env: Added to our environment.
        cwd: Working directory.
    """

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        first = str(argv[0])
        python = [sys.executable] if first.endswith(".py") or first == "-m" else []
        self.argv = [*python, *map(str, argv)]
        self.env = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
        self.cwd = cwd
        self.lines: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> Self:
        """Start the program (again)."""
        process = subprocess.Popen(  # noqa: S603 - the test names the program
            self.argv,
            env=self.env,
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._process = process
        self._reader = threading.Thread(target=self._collect, args=(process,), daemon=True)
        self._reader.start()
        return self

    def _collect(self, process: "subprocess.Popen[str]") -> None:
        stream = process.stdout
        if stream is None:
            raise RuntimeError("the program was started without a pipe")
        with stream:
            for line in stream:
                self.lines.append(line.rstrip("\n"))

    @property
    def process(self) -> "subprocess.Popen[str]":
        """The running (or ended) process."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    @property
    def output(self) -> str:
        """Everything it has written so far."""
        return "\n".join(self.lines)

    def wait_for_line(self, part: str, deadline_s: float = 10.0) -> str:
        """Wait for a line of output that contains `part` and return it."""

        def found() -> str | None:
            line = next((line for line in self.lines if part in line), None)
            if line is None and self.process.poll() is not None:
                self._join_reader()
                line = next((line for line in self.lines if part in line), None)
                if line is None:
                    raise AssertionError(
                        f"{self.argv} ended (status {self.process.returncode}) without saying "
                        f"{part!r}; it said:\n{self.output}"
                    )
            return line

        try:
            return wait_for(found, deadline_s, f"{part!r} in the output of {self.argv}") or ""
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from None

    def wait(self, deadline_s: float = 10.0) -> int:
        """Wait for the program's end and return its exit status."""
        status = self.process.wait(deadline_s)
        self._join_reader()
        return status

    def _join_reader(self) -> None:
        if self._reader is not None:
            self._reader.join(5)

    def kill(self) -> None:
        """End the program as a power cut would (SIGKILL)."""
        self.process.kill()
        self.wait()

    def stop(self, deadline_s: float = 10.0) -> int:
        """Ask the program to end (SIGINT, as Ctrl-C does), kill it if it does not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"{self.argv} did not end within {deadline_s:g} s:\n{self.output}"
            ) from None

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""
        if self._process is not None and self.process.poll() is None:
            self.stop()


class RouterProcess(AgentProcess):
    """A real crossbar router on a free loopback port.

    Args:
        directory: Where its configuration goes.
        port: TCP port; a free one by default.
    """

    realm = "test_realm"

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.directory = directory
        super().__init__(router_command(directory))

    @property
    def url(self) -> str:
        """WebSocket address for agents and clients."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def http_url(self) -> str:
        """HTTP caller's address."""
        return f"http://127.0.0.1:{self.port}/call"

    def start(self) -> Self:
        """Start the router and wait until it answers."""
        write_router_config(self.directory, port=self.port)
        super().start()
        wait_for(self._answers, 30, f"a router on port {self.port}")
        return self

    def restart(self) -> None:
        """Kill the router and start it again on the same port."""
        self.kill()
        self.start()

    def kill(self) -> None:
        """Kill the router; returns when its port is free again."""
        super().kill()
        wait_for(lambda: not self._listens(), 10, "the end of the router's worker")

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            self._join_reader()
            raise AssertionError(f"the router ended:\n{self.output}")
        return self._listens()

    def _listens(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/info", timeout=2):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


class ReactorThread:
    """A Twisted reactor in a thread of its own, for tests that are not asynchronous.

    A process has one reactor: make one of these a process (a session fixture), and never stop it
    before the end.
    """

    def __init__(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

        self.reactor: Any = reactor
        self._thread = threading.Thread(
            target=lambda: self.reactor.run(installSignalHandlers=False), daemon=True
        )

    def __enter__(self) -> Self:
        """Start the reactor."""
        self._thread.start()
        wait_for(lambda: self.reactor.running, 10, "the reactor")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the reactor for good."""
        self.reactor.callFromThread(self.reactor.stop)
        self._thread.join(10)

    def call(self, func: Callable[..., Any], *args: Any) -> Any:
        """Run `func(*args)` in the reactor's thread and return its (awaited) result."""
        from twisted.internet.threads import blockingCallFromThread  # noqa: PLC0415

        return blockingCallFromThread(self.reactor, maybeDeferred, func, *args)


def site_config(
    directory: Path, router: RouterProcess, instances: Sequence[Mapping[str, Any]]
) -> Path:
    """Write a site configuration for `router` with these agent instances on ``localhost``.

    Args:
        directory: Becomes ``OCS_CONFIG_DIR``.
        router: The router the agents use.
        instances: Entries of ``agent-instances`` (``agent-class``, ``instance-id``,
            ``arguments``).

    Returns:
        Path of the written ``default.yaml``.
    """
    config = {
        "hub": {
            "wamp_server": router.url,
            "wamp_http": router.http_url,
            "wamp_realm": router.realm,
            "address_root": "observatory",
        },
        "hosts": {"localhost": {"agent-instances": [dict(entry) for entry in instances]}},
    }
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "default.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path
