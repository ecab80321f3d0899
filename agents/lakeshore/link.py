"""Talk to an instrument: one question, one answer, never somebody else's.

Synchronous, for the worker threads of operations. Several threads may use one link; each exchange
is whole, and a thread that waits for its turn gets it before the one that has just had its own. A
connection on which anything went wrong is dropped, because a late answer on it would be taken for
the next one; the next question opens a new one.
"""

import select
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import attrs
from twisted.logger import Logger

from agents.lakeshore.messages import (
    BadReply,
    Command,
    Identity,
    InstrumentError,
    LineFramer,
    Query,
    identify,
)
from agents.lakeshore.transports import (
    SLICE_S,
    Cancelled,
    Connector,
    Stream,
    check,
    readiness,
    wait_until,
    why,
)
from ocs.ocs_twisted import TimeoutLock

__all__ = [
    "Cancelled",
    "CommandLatency",
    "InstrumentLink",
    "InstrumentUnavailable",
    "Manners",
    "Refused",
    "WrongInstrument",
]

T = TypeVar("T")


class InstrumentUnavailable(InstrumentError):
    """The instrument does not answer.

    Check that it is on, connected, at the configured address, and that no other program uses it.
    """


class WrongInstrument(InstrumentError):
    """Another instrument than the configured one answers at this address.

    Correct the address or the serial number in the site configuration.
    """


class Refused(InstrumentError):
    """The instrument has not taken what it was told.

    Its manual names the values that go together; the message names what it has instead.
    """


@attrs.frozen
class Manners:
    """How one kind of instrument wants to be spoken to.

    Attributes:
        name: what people call it, as ``Lake Shore 372``.
        remedy: what to check when it does not answer: a sentence.
        reply_timeout_s: how long a whole answer may take.
        command_pause_s: silence after a command.
        query_pause_s: silence after an answer.
        first_tries: how often the first question on a new connection is asked.
        end_of_answer_s: silence that ends an answer without a line end, for emulators that send
            none; None for instruments. No longer in force once a line end has come.
    """

    name: str
    remedy: str
    reply_timeout_s: float = 2.0
    command_pause_s: float = 0.05
    query_pause_s: float = 0.0
    first_tries: int = 1
    end_of_answer_s: float | None = None


def _never(_timeout_s: float) -> bool:
    return False


@attrs.frozen
class CommandLatency:
    """How long commands have taken, from the caller's call to the unit's answer.

    Attributes:
        count: how many there were.
        last_s: seconds that the last one took.
        longest_s: seconds that the slowest one took.
    """

    count: int = 0
    last_s: float = 0.0
    longest_s: float = 0.0


class InstrumentLink:
    """A connection to one instrument that makes itself when something is asked.

    Args:
        connector: opens connections to it.
        manners: how it wants to be spoken to.
        check_identity: raises `WrongInstrument` if another one answers.
        clock: seconds that only ever grow.
    """

    _log = Logger()

    def __init__(
        self,
        connector: Connector,
        manners: Manners,
        *,
        check_identity: Callable[[Identity], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connector = connector
        self._manners = manners
        self._check_identity = check_identity
        self._clock = clock
        self._lock = TimeoutLock()
        self._stream: Stream | None = None
        self._readable: Callable[[float], bool] = _never
        self._framer = LineFramer()
        self._ends_lines = False
        self._identity: Identity | None = None
        self._quiet_until = 0.0
        self._latency = CommandLatency()

    @property
    def address(self) -> str:
        """Where the instrument is."""
        return self._connector.address

    @property
    def name(self) -> str:
        """What people call this kind of instrument."""
        return self._manners.name

    @property
    def identity(self) -> Identity | None:
        """Who answered when the connection was last made; None before the first time."""
        return self._identity

    @property
    def command_latency(self) -> CommandLatency:
        """How long commands have had to wait for their turn and for the unit."""
        return self._latency

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
        return self._exchange(lambda stream: self._ask(stream, query, cancel), cancel)

    def tell(self, command: Command, cancel: threading.Event | None = None) -> None:
        """Send a command. A unit never confirms one: see `change`.

        Raises:
            InstrumentUnavailable: no connection.
            WrongInstrument: another unit than the expected one answers.
            Cancelled: ``cancel`` was set.
        """
        began = self._clock()
        self._exchange(lambda stream: self._tell(stream, command), cancel)
        self._count_command(began)

    def change(
        self, command: Command, readback: Query[T], cancel: threading.Event | None = None
    ) -> T:
        """Send a command and return what the unit says about the same thing right afterwards.

        Nobody else's question comes in between.

        Raises:
            As `ask`.
        """
        began = self._clock()

        def tell_and_ask(stream: Stream) -> T:
            self._tell(stream, command)
            self._wait_until_quiet(cancel)
            return self._ask(stream, readback, cancel)

        answer = self._exchange(tell_and_ask, cancel)
        self._count_command(began)
        return answer

    def close(self) -> None:
        """Drop the connection, if there is one. The next question makes a new one."""
        with self._lock.acquire_timeout(-1, job="close"):
            self._drop()

    def _exchange(self, talk: Callable[[Stream], T], cancel: threading.Event | None) -> T:
        """Hold the connection while we talk; drop it if that fails."""
        check(cancel)
        while not self._lock.acquire(timeout=SLICE_S, job="exchange"):
            check(cancel)
        try:
            self._wait_until_quiet(cancel)
            return talk(self._connection(cancel))
        except OSError as error:
            self._drop()
            raise InstrumentUnavailable(
                f"No answer from the {self.name} at {self.address}: {why(error)}. "
                f"{self._manners.remedy}"
            ) from error
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
            check(cancel)

    def _connection(self, cancel: threading.Event | None) -> Stream:
        if self._stream is not None and not self._in_step():
            self._log.info("Connection to {address} is made anew.", address=self.address)
            self._drop()
        if self._stream is None:
            # Kept at once, so that whatever happens next is followed by a drop.
            self._stream = self._connector.open(cancel)
            self._readable = readiness(self._stream, select.POLLIN)
            self._framer = LineFramer()
            self._ends_lines = False
            self._identify(self._stream, cancel)
        return self._stream

    def _in_step(self) -> bool:
        """Tell whether nothing has arrived that nobody asked for, an end of file included."""
        return not self._framer.pending_bytes and not self._readable(0)

    def _identify(self, stream: Stream, cancel: threading.Event | None) -> None:
        for remaining in reversed(range(self._manners.first_tries)):
            try:
                identity = self._ask(stream, identify(), cancel)
            except TimeoutError:
                if not remaining:
                    raise
                # What has come of this answer is no beginning of the next.
                self._framer = LineFramer()
            else:
                self._check_identity(identity)
                self._identity = identity
                return

    def _ask(self, stream: Stream, query: Query[T], cancel: threading.Event | None) -> T:
        self._send(stream, query.encode())
        deadline = self._clock() + self._manners.reply_timeout_s
        while True:
            wait_until(self._readable, deadline, self._clock, cancel)
            data = stream.recv(4096)
            if not data:
                raise ConnectionResetError("it closed the connection")
            lines = self._framer.feed(data)
            self._ends_lines = self._ends_lines or bool(lines)
            if not lines and self._ends_unmarked():
                lines = [self._framer.end_line()]
            if lines:
                break
        self._quiet_until = self._clock() + self._manners.query_pause_s
        if len(lines) > 1 or self._framer.pending_bytes:
            raise BadReply(f"{query.text} was answered with more than one line.")
        return query.decode(lines[0])

    def _ends_unmarked(self) -> bool:
        silence_s = self._manners.end_of_answer_s
        if silence_s is None or self._ends_lines:
            # Half an answer of one that ends its lines is no answer.
            return False
        return not self._readable(silence_s)

    def _tell(self, stream: Stream, command: Command) -> None:
        self._send(stream, command.encode())
        self._quiet_until = self._clock() + self._manners.command_pause_s

    def _count_command(self, began: float) -> None:
        last_s = self._clock() - began
        self._latency = CommandLatency(
            self._latency.count + 1, last_s, max(last_s, self._latency.longest_s)
        )

    def _send(self, stream: Stream, data: bytes) -> None:
        # Lines are short and never pile up: a full send buffer is a dead connection.
        if stream.send(data) != len(data):
            raise TimeoutError("it takes no more data")

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
