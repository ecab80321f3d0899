"""Talk to a 372 over TCP: one question, one answer, never somebody else's.

Synchronous, for the worker thread of an operation. Several threads may use one driver; each
exchange is whole. A connection on which anything went wrong is dropped, because a late answer on
it would be taken for the next one; the next question opens a new one.
"""

import os
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from twisted.logger import Logger

from agents.lakeshore372 import codec
from agents.lakeshore372.codec import BadReply, Command, Identity, LineFramer, Query
from ocs.errors import OcsError

__all__ = [
    "DEFAULT_PORT",
    "Backoff",
    "Cancelled",
    "InstrumentUnavailable",
    "Ls372Driver",
    "WrongInstrument",
]

DEFAULT_PORT = 7777
"""The TCP port of every 372; it cannot be changed on the unit."""

T = TypeVar("T")

_SLICE_S = 0.1
"""How often a wait looks at the caller's cancel event."""

_COMMAND_PAUSE_S = 0.05
"""Silence the unit wants after a command (manual; specification 1.1)."""


class InstrumentUnavailable(OcsError):
    """The Lake Shore 372 does not answer.

    Check that it is on, that its network cable is plugged in, that the address is right, that its
    interface is set to Ethernet, and that no two other programs are connected to it already.
    """

    REMEDY = (
        "Check that the unit is on, its network cable plugged in, the address right, its "
        "interface set to Ethernet, and that no two other programs are connected to it."
    )

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"No answer from the Lake Shore 372 at {address}: {reason}. {self.REMEDY}")


class WrongInstrument(OcsError):
    """Another instrument than the configured one answers at this address.

    Correct the address or the serial number in the site configuration.
    """


class Cancelled(OcsError):
    """The caller's cancel event was set before the answer had come."""


class Backoff:
    """Delays between tries: they grow, have a ceiling, and never keep step with others'.

    Args:
        first_s: ceiling of the first delay in seconds.
        longest_s: ceiling of all later ones.
        rng: source of the jitter.
    """

    def __init__(
        self, first_s: float = 0.25, longest_s: float = 3.0, rng: random.Random | None = None
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret
        self._ceiling_s = first_s

    def next_delay_s(self) -> float:
        """Return the next delay: between half and the whole of a ceiling that doubles."""
        ceiling_s = self._ceiling_s
        self._ceiling_s = min(self._longest_s, 2 * ceiling_s)
        return ceiling_s * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin again with the shortest delay."""
        self._ceiling_s = self._first_s


class Ls372Driver:
    """A 372 at a TCP address. Connects by itself when asked something.

    Args:
        host: name or address of the unit.
        port: its TCP port.
        expected_serial: refuse any other unit; None takes whichever answers.
        connect_timeout_s: how long a connection may take to come up.
        reply_timeout_s: how long a whole answer may take.
        clock: seconds that only ever grow.
    """

    _log = Logger()

    def __init__(
        self,
        host: str,
        port: int = DEFAULT_PORT,
        *,
        expected_serial: str | None = None,
        connect_timeout_s: float = 3.0,
        reply_timeout_s: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._host = host
        self._port = port
        self._expected_serial = expected_serial
        self._connect_timeout_s = connect_timeout_s
        self._reply_timeout_s = reply_timeout_s
        self._clock = clock
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._framer = LineFramer()
        self._identity: Identity | None = None
        self._quiet_until = 0.0

    @property
    def identity(self) -> Identity | None:
        """Who answered when the connection was last made; None before the first time."""
        return self._identity

    def ask(self, query: Query[T], cancel: threading.Event | None = None) -> T:
        """Send a query and return its answer.

        Args:
            query: what to ask.
            cancel: set by another thread to have this call end within about 0.1 s.

        Raises:
            BadReply: the answer cannot be one to this query.
            InstrumentUnavailable: no connection, or no whole answer in time.
            WrongInstrument: another unit than the expected one answers.
            Cancelled: ``cancel`` was set.
        """
        with self._exchange(cancel) as connection:
            return self._ask(connection, query, cancel)

    def tell(self, command: Command, cancel: threading.Event | None = None) -> None:
        """Send a command. The unit never confirms one: ask for what it should have changed.

        Raises:
            InstrumentUnavailable: no connection.
            WrongInstrument: another unit than the expected one answers.
            Cancelled: ``cancel`` was set.
        """
        with self._exchange(cancel) as connection:
            self._send(connection, command.encode())
            self._quiet_until = self._clock() + _COMMAND_PAUSE_S

    def close(self) -> None:
        """Drop the connection, if there is one. The next question makes a new one."""
        with self._lock:
            self._drop()

    @contextmanager
    def _exchange(self, cancel: threading.Event | None) -> Iterator[socket.socket]:
        """Hold the connection for one exchange; drop it if the exchange fails."""
        _check(cancel)
        while not self._lock.acquire(timeout=_SLICE_S):
            _check(cancel)
        try:
            self._wait_until_quiet(cancel)
            yield self._connection(cancel)
        except OSError as error:
            self._drop()
            raise InstrumentUnavailable(self.address, _reason(error)) from error
        except BaseException:
            # Whatever it was, an answer may still be under way.
            self._drop()
            raise
        finally:
            self._lock.release()

    def _wait_until_quiet(self, cancel: threading.Event | None) -> None:
        remaining_s = self._quiet_until - self._clock()
        if remaining_s > 0:
            (cancel or threading.Event()).wait(remaining_s)
            _check(cancel)

    def _connection(self, cancel: threading.Event | None) -> socket.socket:
        if self._socket is not None and not self._in_step(self._socket):
            self._log.info("Connection to {address} is made anew.", address=self.address)
            self._drop()
        if self._socket is None:
            # Kept at once, so that whatever happens next is followed by a drop.
            self._socket = self._connect(cancel)
            self._identify(self._socket, cancel)
        return self._socket

    def _in_step(self, connection: socket.socket) -> bool:
        """Tell whether nothing has arrived that nobody asked for, an end of file included."""
        return not self._framer.pending_bytes and not _ready(connection, selectors.EVENT_READ, 0)

    def _connect(self, cancel: threading.Event | None) -> socket.socket:
        deadline = self._clock() + self._connect_timeout_s
        failure: OSError = OSError("its name has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM
        ):
            connection = socket.socket(family, kind, protocol)
            try:
                self._open(connection, address, deadline, cancel)
            except OSError as error:
                connection.close()
                failure = error
            except BaseException:
                connection.close()
                raise
            else:
                self._framer = LineFramer()
                return connection
        raise failure

    def _open(
        self,
        connection: socket.socket,
        address: Any,
        deadline: float,
        cancel: threading.Event | None,
    ) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            connection.connect(address)
        except BlockingIOError:
            self._wait(connection, selectors.EVENT_WRITE, deadline, cancel)
        code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))

    def _identify(self, connection: socket.socket, cancel: threading.Event | None) -> None:
        identity = self._ask(connection, codec.identify(), cancel)
        if identity.model != "MODEL372":
            raise WrongInstrument(
                f"A {identity.maker} {identity.model} answers at {self.address}, not a Lake Shore "
                "372. Correct --ip-address."
            )
        # A unit with an option card writes serial/option.
        if self._expected_serial not in {None, identity.serial, identity.serial.split("/")[0]}:
            raise WrongInstrument(
                f"The 372 at {self.address} has serial number {identity.serial}, not "
                f"{self._expected_serial}. Correct --ip-address or --serial-number."
            )
        self._identity = identity

    def _ask(self, connection: socket.socket, query: Query[T], cancel: threading.Event | None) -> T:
        self._send(connection, query.encode())
        deadline = self._clock() + self._reply_timeout_s
        while True:
            self._wait(connection, selectors.EVENT_READ, deadline, cancel)
            data = connection.recv(4096)
            if not data:
                raise ConnectionResetError("it closed the connection")
            lines = self._framer.feed(data)
            if lines:
                break
        if len(lines) > 1 or self._framer.pending_bytes:
            raise BadReply(f"{query.text} was answered with more than one line.")
        return query.decode(lines[0])

    def _send(self, connection: socket.socket, data: bytes) -> None:
        # Lines are short and never pile up: a full send buffer is a dead connection.
        if connection.send(data) != len(data):
            raise TimeoutError("it takes no more data")

    def _wait(
        self,
        connection: socket.socket,
        event: int,
        deadline: float,
        cancel: threading.Event | None,
    ) -> None:
        while True:
            remaining_s = deadline - self._clock()
            if remaining_s <= 0:
                raise TimeoutError("timed out")
            if _ready(connection, event, min(remaining_s, _SLICE_S)):
                return
            # Not sooner: an answer that is all but here is taken, as the unit has given it away.
            _check(cancel)

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _ready(connection: socket.socket, event: int, timeout_s: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(connection, event)
        return bool(selector.select(timeout_s))


def _check(cancel: threading.Event | None) -> None:
    if cancel is not None and cancel.is_set():
        raise Cancelled("Stopped while waiting for the instrument.")


def _reason(error: OSError) -> str:
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
    return str(error.strerror or error).lower()
