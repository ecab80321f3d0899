"""Whatever bytes answer on the network: a value or a typed error, within the time-out."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agents.lakeshore.link import InstrumentUnavailable
from agents.lakeshore.messages import BadReply, InstrumentError
from agents.lakeshore372 import codec
from agents.lakeshore372.dialect import EMULATOR, Dialect
from agents.lakeshore372.driver import Ls372Driver

IDENTITY = b"LSCI,MODEL372,LSA23JD,1.3"
REPLY_TIMEOUT_S = 0.02

WORDS = [b"\r\n", b"\r", b"\n", b";", b",", b"+3.97000E+00", b"06,1", b"000", b"\xff", b"A" * 600]

BYTES = st.binary(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=12).map(b"".join)


class FuzzServer:
    """Answers ``*IDN?`` as a 372, and anything else with `answer`, in packets."""

    def __init__(self, ending: bytes) -> None:
        self.ending = ending
        self.answer: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(4096):
                    if data == b"*IDN?\r\n":
                        connection.sendall(IDENTITY + self.ending)
                        continue
                    for packet in self.answer:
                        connection.sendall(packet)
            except OSError:
                return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture(params=[False, True], ids=["instrument", "emulator"])
def pair(request) -> Iterator[tuple[FuzzServer, Ls372Driver]]:
    server = FuzzServer(b"" if request.param else b"\r\n")
    driver = Ls372Driver(
        "127.0.0.1", server.port, reply_timeout_s=REPLY_TIMEOUT_S, emulator=request.param
    )
    driver.emulator = request.param
    yield server, driver
    driver.close()
    server.close()


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(answer=st.lists(BYTES, max_size=3))
@example([])
@example([b"\r\n"])
@example([b"+3.97000E+00;+3.59000E+03;-1.00000E-03;000;06,1", b"\r\n"])
@example([b"+3.97000E+00;+3.59000E+03;-1.00000E-03;000;06,1\r", b"\n\r\n"])
@example([b"A" * 5000])
def test_any_bytes_end_in_a_value_or_a_typed_error_in_time(pair, answer):
    server, driver = pair
    dialect = EMULATOR if driver.emulator else Dialect()
    for question in (
        lambda: dialect.reading(driver.ask, 5),
        lambda: driver.ask(codec.scan_state()),
        lambda: driver.change(codec.set_scan(3, autoscan=True), codec.scan_state()),
    ):
        server.answer = answer
        began = time.monotonic()
        try:
            question()
        except InstrumentError as error:
            assert isinstance(error, BadReply | InstrumentUnavailable)
        # Four single questions at most, each with the identity of a new connection before it.
        assert time.monotonic() - began < 1.0
    # The next question is answered as if nothing had been.
    server.answer = [b"06,1", server.ending]
    for _ in range(2):
        try:
            assert driver.ask(codec.scan_state()).channel == 6
            break
        except InstrumentError:
            # Bytes of the last answer may still have been under way.
            continue
    else:
        pytest.fail("the driver has not recovered")
