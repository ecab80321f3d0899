"""Byte streams to an instrument: TCP, and serial ports of any kind.

A stream is anything with `fileno`, `send`, `recv` and `close` that does not block; a connector
opens one. Waiting is done here, in slices, so that another thread can end it.
"""

import errno
import math
import os
import select
import socket
import termios
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import serial

from agents.lakeshore.messages import InstrumentError

__all__ = [
    "Cancelled",
    "Connector",
    "SerialConnector",
    "Stream",
    "TcpConnector",
    "check",
    "readiness",
    "wait_until",
    "why",
]

SLICE_S = 0.1
"""How often a wait looks at the caller's cancel event."""


_SEND_S = 0.5
"""How long a serial port may take a line; without a bound one that is stuck would hold us up."""


class Cancelled(InstrumentError):
    """The caller's cancel event was set before the answer had come."""


class Stream(Protocol):
    """An open connection to an instrument that never blocks; ``socket.socket`` is one."""

    def fileno(self) -> int:
        """Return the file descriptor to wait on."""
        ...

    def send(self, data: bytes, /) -> int:
        """Take as many of the bytes as fit and return their number."""
        ...

    def recv(self, size: int, /) -> bytes:
        """Return up to `size` bytes that have arrived; none at the end of the connection."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


class Connector(Protocol):
    """Opens streams to one instrument."""

    @property
    def address(self) -> str:
        """Where the instrument is, for a person."""
        ...

    def open(self, cancel: threading.Event | None) -> Stream:
        """Connect.

        Raises:
            OSError: it cannot be reached.
            Cancelled: ``cancel`` was set.
        """
        ...


class TcpConnector:
    """Connects to a host's TCP port.

    Args:
        host: name or address.
        port: TCP port.
        timeout_s: how long a connection may take to come up.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._clock = clock

    def open(self, cancel: threading.Event | None) -> Stream:
        """Connect to the first of the host's addresses that answers."""
        deadline = self._clock() + self._timeout_s
        failure: OSError = OSError("its name has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM
        ):
            stream = socket.socket(family, kind, protocol)
            try:
                self._connect(stream, address, deadline, cancel)
            except OSError as error:
                stream.close()
                failure = error
            except BaseException:
                stream.close()
                raise
            else:
                return stream
        raise failure

    def _connect(
        self, stream: socket.socket, address: Any, deadline: float, cancel: threading.Event | None
    ) -> None:
        stream.setblocking(False)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            stream.connect(address)
        except BlockingIOError:
            wait_until(readiness(stream, select.POLLOUT), deadline, self._clock, cancel)
        code = stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))


class SerialConnector:
    """Opens a serial port: a device, or a URL that pyserial knows such as ``socket://HOST:PORT``.

    Args:
        url: path of the device, or the URL.
        baud: bits a second; 8 data bits, no parity, 1 stop bit, no flow control.
    """

    def __init__(self, url: str, *, baud: int = 115200) -> None:
        self.address = url
        self._baud = baud

    def open(self, cancel: threading.Event | None) -> Stream:  # noqa: ARG002 - it takes no time
        """Open the port for this program alone, and discard what lies in it.

        Raises:
            OSError: it cannot be opened.
        """
        options: dict[str, Any] = {} if "://" in self.address else {"exclusive": True}
        try:
            port = serial.serial_for_url(
                self.address, baudrate=self._baud, timeout=0, write_timeout=_SEND_S, **options
            )
            port.reset_input_buffer()
        except serial.SerialException as error:
            if error.errno == errno.EAGAIN:
                raise OSError(errno.EBUSY, "another program has the port open") from error
            if error.errno is None:
                raise
            # Its own text says everything twice.
            raise OSError(error.errno, os.strerror(error.errno)) from error
        except termios.error as error:
            # No OSError, though it comes from a device that has just gone.
            raise OSError(*error.args) from error
        return _SerialStream(port)


class _SerialStream:
    """A serial port with a socket's manners."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def fileno(self) -> int:
        return int(self._port.fileno())

    def send(self, data: bytes) -> int:
        return int(self._port.write(data) or 0)

    def recv(self, size: int) -> bytes:
        try:
            return bytes(self._port.read(size))
        except serial.SerialException as error:
            raise ConnectionResetError("the port is gone") from error

    def close(self) -> None:
        self._port.close()


def readiness(stream: Stream, event: int) -> Callable[[float], bool]:
    """Return what tells whether a stream becomes readable or writable within so many seconds.

    Args:
        stream: an open connection; of no use any more once it is closed.
        event: ``select.POLLIN`` or ``select.POLLOUT``.
    """
    poller = select.poll()
    poller.register(stream.fileno(), event)
    return lambda timeout_s: bool(poller.poll(math.ceil(1000 * timeout_s)))


def wait_until(
    ready: Callable[[float], bool],
    deadline: float,
    clock: Callable[[], float],
    cancel: threading.Event | None,
) -> None:
    """Wait until a stream is ready; see `readiness`.

    Raises:
        TimeoutError: the deadline has passed.
        Cancelled: ``cancel`` was set.
    """
    while True:
        remaining_s = deadline - clock()
        if remaining_s <= 0:
            raise TimeoutError("timed out")
        if ready(min(remaining_s, SLICE_S)):
            return
        # Not sooner: an answer that is all but here is taken, as the unit has given it away.
        check(cancel)


def check(cancel: threading.Event | None) -> None:
    """Give up if the caller wants it.

    Raises:
        Cancelled: ``cancel`` is set.
    """
    if cancel is not None and cancel.is_set():
        raise Cancelled("Stopped while waiting for the instrument.")


def why(error: OSError) -> str:
    """Say in a few words what the operating system says in an error."""
    words: list[tuple[type[OSError], str]] = [
        (ConnectionRefusedError, "connection refused"),
        (TimeoutError, "timed out"),
        (ConnectionResetError, "connection closed by the other side"),
        (BrokenPipeError, "connection closed by the other side"),
        (socket.gaierror, "its name is not known"),
    ]
    for kind, text in words:
        if isinstance(error, kind):
            return text
    text = str(error.strerror or error)
    return text[:1].lower() + text[1:]
