"""The driver over a real socket, whatever is at its other end."""

import errno
import os
import pty
import threading
import time
import tty

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.lakeshore.link import InstrumentUnavailable, WrongInstrument
from agents.lakeshore.messages import BadReply
from agents.lakeshore.transports import SerialConnector
from agents.lakeshore240 import codec
from agents.lakeshore240.driver import Ls240Driver, Model, connector_for, manners_for

IDENTITY = b"LSCI,MODEL240-8P,LSA2359,1.9\r\n"
QUICK = attrs.evolve(
    manners_for(None), reply_timeout_s=0.05, command_pause_s=0.0, query_pause_s=0.0, first_tries=1
)


@pytest.fixture
def make_driver(make_plug):
    """Return a driver and the port it is connected to."""
    opened = []

    def make(answer=None, manners=QUICK, **options):
        plug = make_plug()
        plug.answer = answer or plug.tell_instrument
        opened.extend([Ls240Driver(plug, manners=manners, **options), plug])
        return opened[-2], plug

    yield make
    for thing in opened:
        thing.close()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    reply=st.binary(max_size=60)
    | st.text("+-.E0123456789,;\r\n", max_size=20).map(str.encode)
    | st.binary(max_size=20).map(lambda data: data + b"\r\n")
)
@pytest.mark.parametrize("identity_too", [False, True])
def test_any_bytes_end_in_a_typed_error_in_time(make_driver, reply, identity_too):
    def answer(line):
        return IDENTITY if line == b"*IDN?" and not identity_too else reply

    driver, plug = make_driver(answer)
    began = time.monotonic()
    try:
        value = driver.ask(codec.kelvin(1))
    except (BadReply, InstrumentUnavailable, WrongInstrument):
        assert time.monotonic() - began < 2
    else:
        assert value == float(reply)
    driver.close()
    plug.close()


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("MODEL240-8P", Model(range(1, 9))),
        ("MODEL240-2P", Model(range(1, 3))),
        ("MODEL240", Model(range(1, 5), complete=False)),
        ("LSSIM_8P", Model(range(1, 9), complete=False)),
    ],
)
def test_models(make_driver, name, model):
    driver, _ = make_driver(
        lambda line: f"LSCI,{name},LSA1,1.9\r\n".encode() if line == b"*IDN?" else b"name\r\n"
    )
    assert list(driver.model.channels) == []
    driver.ask(codec.module_name())
    assert driver.model == model


@pytest.mark.parametrize("name", ["MODEL372", "MODEL240-9P", "MODEL240-2PX", "LSSIM_P"])
def test_what_is_no_240_is_refused(make_driver, name):
    driver, _ = make_driver(lambda _: f"LSCI,{name},LSA1,1.9\r\n".encode())
    with pytest.raises(WrongInstrument, match=f"A LSCI {name} answers"):
        driver.ask(codec.module_name())


def test_the_first_message_after_plugging_in_may_get_lost(make_driver):
    first = iter([b"", b""])
    driver, plug = make_driver(manners=attrs.evolve(QUICK, first_tries=3))
    plug.answer = lambda line: (
        next(first, None) or (plug.tell_instrument(line) if plug.lines.count("*IDN?") == 3 else b"")
    )
    assert driver.ask(codec.module_name()) == "Module"
    assert plug.lines == ["*IDN?"] * 3 + ["MODNAME?"]


def test_half_an_answer_to_the_first_message_does_not_spoil_the_next(make_driver):
    halves = iter([b"LSCI,MODEL", b"240-8P\n"])
    driver, plug = make_driver(manners=attrs.evolve(QUICK, first_tries=3))
    plug.answer = lambda line: next(halves, None) or plug.tell_instrument(line)
    assert driver.ask(codec.module_name()) == "Module"
    assert plug.lines == ["*IDN?"] * 3 + ["MODNAME?"]


EMULATOR = attrs.evolve(manners_for("tcp://a:1"), reply_timeout_s=1.0, command_pause_s=0.0)


def test_an_emulators_answers_end_by_silence(make_driver):
    def answer(line):
        return b"LSCI,MODEL240,LSA1,1.3" if line == b"*IDN?" else b"99.12345678901234"

    driver, _ = make_driver(answer, manners=EMULATOR)
    assert driver.ask(codec.kelvin(1)) == 99.12345678901234


def test_half_an_answer_of_a_module_is_no_answer(make_driver):
    """Also where an emulator is expected: what has ended a line will end all its lines."""
    manners = attrs.evolve(EMULATOR, reply_timeout_s=0.1)
    driver, _ = make_driver(lambda line: IDENTITY if line == b"*IDN?" else b"+29", manners=manners)
    with pytest.raises(InstrumentUnavailable, match="timed out"):
        driver.ask(codec.kelvin(1))


def test_only_tcp_means_an_emulator():
    assert manners_for("tcp://sim:1094").end_of_answer_s is not None
    for port in (None, "/dev/ttyUSB0", "socket://server:4001"):
        assert manners_for(port).end_of_answer_s is None


def test_a_serial_port_that_is_taken_or_not_there(tmp_path):
    master, slave = pty.openpty()
    path = os.ttyname(slave)
    try:
        stream = SerialConnector(path).open(None)
        with pytest.raises(OSError, match="another program has the port open") as caught:
            SerialConnector(path).open(None)
        assert caught.value.errno == errno.EBUSY
        os.write(master, b"+1\r\n")
        os.close(slave)
        os.close(master)
        with pytest.raises(ConnectionResetError):
            while True:
                stream.recv(4096)
        stream.close()
    finally:
        with pytest.raises(OSError, match="Bad file"):
            os.close(slave)
    with pytest.raises(FileNotFoundError):
        SerialConnector(str(tmp_path / "none")).open(None)


@pytest.mark.timeout(10)
def test_a_serial_port_that_takes_nothing_more_is_given_up():
    """Else the thread would wait in the write for ever, and everybody else for the thread."""
    master, slave = pty.openpty()
    try:
        tty.setraw(slave)
        stream = SerialConnector(os.ttyname(slave)).open(None)
        os.set_blocking(slave, False)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(slave, b"x")
        with pytest.raises(OSError, match="timeout"):
            stream.send(b"*IDN?\r\n")
        stream.close()
    finally:
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize("port", ["foo://x", "tcp://host", "tcp://:5", "tcp://host:0"])
def test_a_port_that_cannot_be_one(port):
    with pytest.raises(ValueError, match=port):
        connector_for(port, None)


def test_commands_and_questions_of_several_threads_do_not_mix(make_driver):
    driver, _ = make_driver()
    wrong = []

    def rename(channel):
        for turn in range(20):
            name = f"{channel} {turn}"
            found = driver.change(codec.set_input_name(channel, name), codec.input_name(channel))
            if found != name:
                wrong.append((name, found))

    threads = [threading.Thread(target=rename, args=(channel,)) for channel in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert driver.command_latency.count == 80
