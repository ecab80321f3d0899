"""The driver against a server that does what a test tells it, and against the simulator."""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable

import pytest

from agents.lakeshore.link import Cancelled, InstrumentUnavailable, WrongInstrument
from agents.lakeshore.messages import BadReply, LineFramer, identify
from agents.lakeshore.outage import Backoff
from agents.lakeshore372 import codec, input_codec
from agents.lakeshore372.dialect import Dialect
from agents.lakeshore372.driver import Ls372Driver
from agents.lakeshore372.sim_build import make_instrument

IDENTITY = b"LSCI,MODEL372,LSA23JD,1.3\r\n"
DEADLINE_S = 5.0


class Server:
    """Answers each line with what `answer` returns; None closes the connection.

    An answer may be a list: its parts are sent in packets of their own.
    """

    def __init__(self, answer: Callable[[bytes], bytes | list[bytes] | None]) -> None:
        self.answer = answer
        self.lines: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(DEADLINE_S)
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(DEADLINE_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection):
        framer = LineFramer()
        with connection:
            try:
                while data := connection.recv(4096):
                    for line in framer.feed(data):
                        self.lines.append(line)
                        reply = self.answer(line)
                        if reply is None:
                            return
                        for part in reply if isinstance(reply, list) else [reply]:
                            connection.sendall(part)
            except OSError:
                return

    def push(self, data: bytes) -> None:
        self._open[-1].sendall(data)

    def close(self):
        # A thread blocked in accept or recv is only woken by shutdown.
        for open_socket in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
            open_socket.close()
        for thread in self._threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


@pytest.fixture
def connect():
    """Start a server with a certain answer and return it with a driver connected to it."""
    opened = []

    def start(answer, **options):
        server = Server(lambda line: IDENTITY if line == b"*IDN?" else answer(line))
        driver = Ls372Driver("127.0.0.1", server.port, reply_timeout_s=0.3, **options)
        opened.extend([driver, server])
        return server, driver

    yield start
    for thing in opened:
        thing.close()


def test_it_connects_by_itself_and_stays_connected(connect):
    server, driver = connect(lambda _: b"01,1\r\n", expected_serial="LSA23JD")
    assert driver.identity is None
    for _ in range(3):
        assert driver.ask(codec.scan_state()).channel == 1
    assert server.lines == [b"*IDN?"] + 3 * [b"SCAN?"]
    assert server.connections == 1
    assert driver.identity is not None
    assert driver.identity.firmware == "1.3"
    assert driver.address == f"127.0.0.1:{server.port}"


def test_a_reply_in_two_packets(connect):
    reply = b"01,1\r\n"
    cuts = iter(range(1, len(reply)))
    current = 0

    def answer(_):
        nonlocal current
        current = next(cuts)
        return [reply[:current], reply[current:]]

    server, driver = connect(answer)
    for _ in range(1, len(reply)):
        assert driver.ask(codec.scan_state()).channel == 1
    assert server.connections == 1


def test_a_late_reply_is_not_taken_for_the_next(connect):
    release = threading.Event()
    replies = iter([b"02,1\r\n", b"03,1\r\n"])

    def answer(_):
        reply = next(replies)
        if reply == b"02,1\r\n":
            release.wait(DEADLINE_S)
        return reply

    server, driver = connect(answer)
    with pytest.raises(InstrumentUnavailable, match="timed out"):
        driver.ask(codec.scan_state())
    release.set()
    assert driver.ask(codec.scan_state()).channel == 3
    assert server.connections == 2


def test_half_a_reply_times_out(connect):
    replies = iter([b"01,", b"04,1\r\n"])
    _, driver = connect(lambda _: next(replies))
    with pytest.raises(InstrumentUnavailable, match="timed out"):
        driver.ask(codec.scan_state())
    assert driver.ask(codec.scan_state()).channel == 4


@pytest.mark.parametrize(
    "garbage",
    [b"\xff\xfe\x00\r\n", b"hello\r\n", b"\r\n", b"01,1\r\n02,1\r\n", b"01,1\r\n0", b"x" * 5000],
)
def test_garbage_is_a_bad_reply_and_the_next_is_good(connect, garbage):
    replies = iter([garbage, b"05,1\r\n"])
    _, driver = connect(lambda _: next(replies))
    with pytest.raises(BadReply):
        driver.ask(codec.scan_state())
    assert driver.ask(codec.scan_state()).channel == 5


def test_a_connection_that_closes_in_mid_question(connect):
    replies = iter([None, b"06,1\r\n"])
    _, driver = connect(lambda _: next(replies))
    with pytest.raises(InstrumentUnavailable, match="closed by the other side"):
        driver.ask(codec.scan_state())
    assert driver.ask(codec.scan_state()).channel == 6


def test_what_nobody_asked_for_is_not_taken_for_an_answer(connect):
    server, driver = connect(lambda _: b"07,1\r\n")
    assert driver.ask(codec.scan_state()).channel == 7
    server.push(b"09,1\r\n")
    connected = driver._stream
    assert connected is not None
    connected.setblocking(True)
    connected.settimeout(DEADLINE_S)
    assert connected.recv(1, socket.MSG_PEEK)
    assert driver.ask(codec.scan_state()).channel == 7
    assert server.connections == 2


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    driver = Ls372Driver("127.0.0.1", port)
    with pytest.raises(InstrumentUnavailable) as caught:
        driver.ask(codec.scan_state())
    message = str(caught.value)
    assert f"127.0.0.1:{port}: connection refused" in message
    assert "network cable" in message


def test_a_name_that_is_unknown():
    with pytest.raises(InstrumentUnavailable, match=r"no-such-host\.invalid:7777"):
        Ls372Driver("no-such-host.invalid").ask(codec.scan_state())


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        (b"LSCI,MODEL372,LSA99ZZ,1.3\r\n", "serial number LSA99ZZ, not LSA23JD"),
        (b"LSCI,MODEL336,LSA23JD,1.3\r\n", "LSCI MODEL336"),
    ],
)
def test_another_instrument_is_refused(identity, message):
    server = Server(lambda _: identity)
    driver = Ls372Driver("127.0.0.1", server.port, expected_serial="LSA23JD")
    with pytest.raises(WrongInstrument, match=message):
        driver.ask(codec.scan_state())
    driver.close()
    server.close()


def test_a_serial_number_with_an_option():
    server = Server(lambda _: b"LSCI,MODEL372,LSA23JD/opt,1.3\r\n")
    driver = Ls372Driver("127.0.0.1", server.port, expected_serial="LSA23JD")
    assert driver.ask(identify()).serial == "LSA23JD/opt"
    driver.close()
    server.close()


def test_cancel_ends_a_wait_soon(connect):
    asked = threading.Event()

    def answer(_):
        asked.set()
        return b""

    _, driver = connect(answer)
    driver._reply_timeout_s = DEADLINE_S
    cancel = threading.Event()

    def cancel_when_asked():
        asked.wait(DEADLINE_S)
        cancel.set()

    thread = threading.Thread(target=cancel_when_asked)
    thread.start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        driver.ask(codec.scan_state(), cancel)
    assert time.monotonic() - started < 1
    thread.join()


def test_silence_after_a_command(connect):
    times = []

    def answer(line):
        times.append(time.monotonic())
        return b"" if b"?" not in line else b"02,0\r\n"

    _, driver = connect(answer)
    driver.tell(codec.set_scan(2, autoscan=False))
    assert driver.ask(codec.scan_state()).channel == 2
    assert times[1] - times[0] >= 0.045


def test_several_threads_each_get_their_own_answer(connect):
    def answer(line):
        channel = int(line.split(b" ")[1])
        return f"+{channel:03d}.000E+00\r\n".encode()

    server, driver = connect(answer)
    wrong = []

    def ask(channel):
        wrong.extend(
            value for _ in range(50) if (value := driver.ask(codec.kelvin(channel))) != channel
        )

    threads = [threading.Thread(target=ask, args=(channel,)) for channel in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(server.lines) == 401
    assert server.connections == 1


def test_any_faults_in_any_order_leave_no_wrong_value(connect):
    """Whatever happens to replies, a value returned is the one that belongs to the question."""
    rng = random.Random(7)

    def answer(line):
        right = f"+{int(line.split(b' ')[1]):03d}.000E+00\r\n".encode()
        return rng.choice(
            [right, right, [right[:5], right[5:]], right[:7], b"noise\r\n", right + right, None]
        )

    _, driver = connect(answer)
    driver._reply_timeout_s = 0.02
    right = 0
    for turn in range(150):
        channel = turn % 16 + 1
        try:
            assert driver.ask(codec.kelvin(channel)) == channel
            right += 1
        except (BadReply, InstrumentUnavailable):
            pass
    assert right > 30


def test_the_simulated_instrument(connect):
    now = 1e9
    instrument = make_instrument(clock=lambda: now)

    def answer(line):
        text = instrument.handle_line(line).text
        return b"" if text is None else text.encode() + b"\r\n"

    _, driver = connect(answer, expected_serial="LSA23JD")
    now += 4
    reading = Dialect().reading(driver.ask, 1)
    assert 40 < reading.temperature_k < 55
    assert driver.ask(input_codec.input_name(1)) == "Channel 01"
    assert driver.ask(input_codec.input_name("A")) == "Control"
    for channel in range(1, 17):
        assert Dialect().channel_settings(driver.ask, channel).inset.curve == 20 + channel
    assert driver.ask(input_codec.input_setup("A")).excitation == 4
    driver.tell(codec.set_scan(5, autoscan=False))
    assert driver.ask(codec.scan_state()).channel == 5


def test_backoff_grows_to_a_ceiling_and_jitters():
    backoff = Backoff(rng=random.Random(1))
    delays = [backoff.next_delay_s() for _ in range(20)]
    assert 0.125 <= delays[0] <= 0.25
    assert all(1.5 <= delay <= 3 for delay in delays[4:])
    assert len(set(delays)) == 20
    backoff.reset()
    assert backoff.next_delay_s() <= 0.25
