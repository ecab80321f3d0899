"""What a demo run uses: ports, directories, and where they come from."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import attrs

from ocs.errors import OcsError

__all__ = ["DemoError", "DemoSettings"]


class DemoError(OcsError):
    """The demo cannot start; the message names the thing and the variable that changes it."""


@attrs.frozen
class Port:
    """A TCP port of the demo and the environment variable that changes it."""

    number: int
    variable: str
    use: str


_PORTS = {
    "http": ("DEMO_HTTP_PORT", 5000, "live page and data for Grafana"),
    "router": ("DEMO_ROUTER_PORT", 8001, "WAMP router"),
    "instrument": ("DEMO_LS372_PORT", 7777, "simulated Lake Shore 372"),
}


@attrs.frozen
class DemoSettings:
    """Settings of one demo run.

    Attributes:
        http: Port of the HTTP bridge with the live page.
        router: Port of the router.
        instrument: Port of the simulated instrument.
        directory: Where everything is written.
    """

    http: Port
    router: Port
    instrument: Port
    directory: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "DemoSettings":
        """Read ``DEMO_HTTP_PORT``, ``DEMO_ROUTER_PORT``, ``DEMO_LS372_PORT``, ``DEMO_DATA_DIR``.

        Raises:
            DemoError: A port is no port number, or two are the same.
        """
        ports: dict[str, Port] = {}
        for name, (variable, default, use) in _PORTS.items():
            text = environ.get(variable) or str(default)
            if not text.isdecimal() or not 0 < int(text) < 2**16:
                raise DemoError(f"{variable}={text} is no TCP port (1 to 65535)")
            port = Port(int(text), variable, use)
            for other in ports.values():
                if other.number == port.number:
                    raise DemoError(
                        f"{other.variable} and {variable} are both {text}; they must differ"
                    )
            ports[name] = port
        directory = Path(environ.get("DEMO_DATA_DIR") or "demo-data").expanduser().resolve()
        return cls(**ports, directory=directory)

    @property
    def data_dir(self) -> Path:
        """Where the Aggregator writes its ``.g3`` files."""
        return self.directory / "hk"

    @property
    def live_url(self) -> str:
        """Address of the live page."""
        return f"http://127.0.0.1:{self.http.number}/live"

    def check(self) -> None:
        """See that all ports are free and the directory can be written.

        Raises:
            DemoError: One is not.
        """
        for port in (self.http, self.router, self.instrument):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port.number))
                except OSError as error:
                    raise DemoError(
                        f"port {port.number} ({port.use}) cannot be used: {error.strerror}. "
                        f"Choose another with {port.variable}, for example: "
                        f"{port.variable}={port.number + 1} make demo"
                    ) from error
        for directory in (self.directory, self.data_dir):
            try:
                directory.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=directory):
                    pass
            except OSError as error:
                raise DemoError(
                    f"cannot write into {directory}: {error.strerror}. "
                    "Choose another directory with DEMO_DATA_DIR"
                ) from error

    def lock(self) -> IO[str]:
        """Keep other demos out of the directory, for as long as the returned file is open.

        Raises:
            DemoError: Another demo is in it.
        """
        lock = (self.directory / "demo.lock").open("w", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise DemoError(
                f"another demo uses {self.directory}. Stop it, or choose another directory with "
                "DEMO_DATA_DIR"
            ) from error
        return lock
