"""The simulators as programs: real ports, every misbehaviour on the wire, the control port."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import serial

from ocs.testing import AgentProcess, free_port, wait_for

IDENTITY = b"LSCI,MODEL240-8P,LSA2359,1.9\r\n"


class Simulator(AgentProcess):
    """A simulator with a control port and a truth file."""

    def __init__(self, model: str, directory: Path, *arguments: str) -> None:
        self.control_port = free_port()
        self.truth_file = directory / "truth.jsonl"
        super().__init__(
            [
                *("-m", f"agents.lakeshore{model}.simulator", *arguments),
                *(f"--control={self.control_port}", f"--truth={self.truth_file}"),
            ]
        )

    def control(self, request: str) -> dict:
        """Send a request to the control port."""
        with socket.create_connection(("127.0.0.1", self.control_port), 5) as connection:
            connection.sendall(request.encode() + b"\n")
            answer = json.loads(connection.makefile().readline())
        assert answer["ok"], answer
        return answer

    def truth(self) -> list[dict]:
        return [json.loads(line) for line in self.truth_file.read_text().splitlines()]


class Client:
    """A TCP client that tells what has arrived."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 5)

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self, wanted: int = 4096, seconds: float = 5) -> bytes:
        """Return what arrives until there are so many bytes, the end, or the time is over."""
        found, deadline = b"", time.monotonic() + seconds
        while len(found) < wanted:
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                part = self.socket.recv(4096)
            except TimeoutError:
                break
            if not part:
                break
            found += part
        return found

    def ask(self, text: bytes) -> bytes:
        """Ask and return one line."""
        self.say(text + b"\r\n")
        with self.socket.makefile("rb") as lines:
            return lines.readline()

    def closed(self) -> bool:
        """Tell whether the other side closes within five seconds."""
        self.socket.settimeout(5)
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.socket.close()


@pytest.fixture(scope="module")
def ls240(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """Shared by the tests of the wire, each of which leaves it as it was."""
    port = free_port()
    with Simulator("240", tmp_path_factory.mktemp("ls240"), f"--tcp={port}") as simulator:
        simulator.wait_for_line("control port")
        simulator.port = port
        yield simulator


@pytest.fixture
def connect() -> Iterator[Callable[[int], Client]]:
    """Connects clients that are closed after the test."""
    clients = []

    def connect(port: int) -> Client:
        clients.append(Client(port))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def client(ls240: Simulator, connect: Callable[[int], Client]) -> Iterator[Client]:
    client = connect(ls240.port)
    assert client.ask(b"*IDN?") == IDENTITY
    yield client
    ls240.control("clear")


def test_packets_and_ends(client):
    for part in (b"*ID", b"N?\r", b"\n;*IDN?\n"):
        client.say(part)
    assert client.hear(2 * len(IDENTITY)) == 2 * IDENTITY


def test_a_client_that_vanishes_leaves_no_trace(client, ls240, connect):
    lost = connect(ls240.port)
    lost.say(b"KRDG? 1\r\nKRDG")
    lost.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    lost.close()
    assert client.ask(b"*IDN?") == IDENTITY
    assert "Traceback" not in ls240.output


def test_disconnect(client, ls240, connect):
    ls240.control("fault disconnect")
    assert client.closed()
    again = connect(ls240.port)
    assert again.ask(b"*IDN?") == IDENTITY
    ls240.control("fault disconnect for 30")
    assert again.closed()
    third = connect(ls240.port)
    third.say(b"*IDN?\n")
    assert third.closed()


def test_refuse(client, ls240, connect):
    ls240.control("fault refuse for 1")
    with pytest.raises(ConnectionRefusedError):
        connect(ls240.port)
    # Whoever is connected stays so.
    assert client.ask(b"*IDN?") == IDENTITY

    def connected():
        try:
            return connect(ls240.port)
        except ConnectionRefusedError:
            return None

    again = wait_for(connected, 5, "connections again")
    assert again.ask(b"*IDN?") == IDENTITY


def test_half_open(client, ls240, connect):
    ls240.control("fault half_open for 0.2")
    client.say(b"*IDN?\n")
    assert client.hear(1, 0.5) == b""
    again = connect(ls240.port)
    assert again.ask(b"*IDN?") == IDENTITY
    wait_for(lambda: not ls240.control("status")["faults"], 5, "the end of the fault")
    # Dead for good, and still open.
    client.say(b"*IDN?\n")
    assert client.hear(1, 0.3) == b""


def test_slow(client, ls240):
    ls240.control("fault slow 0.4")
    asked = time.monotonic()
    assert client.ask(b"*IDN?") == IDENTITY
    assert 0.4 <= time.monotonic() - asked < 2


def test_silent(client, ls240):
    ls240.control("fault silent")
    client.say(b"BRIGT 25\n*IDN?\n")
    assert client.hear(1, 0.3) == b""
    ls240.control("clear silent")
    assert client.ask(b"BRIGT?") == b"25\r\n"


def test_garbage(client, ls240):
    ls240.control("fault garbage")
    noise = client.ask(b"KRDG? 1")
    assert noise.endswith(b"\r\n")
    assert not noise.isascii()
    assert ls240.truth()[-1]["spoiled_by"] == "garbage"


def test_truncated(client, ls240):
    ls240.control("fault truncated")
    client.say(b"*IDN?\n")
    beginning = client.hear(seconds=0.3)
    assert len(beginning) < len(IDENTITY)
    assert IDENTITY.startswith(beginning)


@pytest.mark.parametrize(("end", "sent"), [("lf", b"\n"), ("cr", b"\r"), ("none", b"")])
def test_wrong_terminator(client, ls240, end, sent):
    ls240.control(f"fault wrong_terminator {end}")
    client.say(b"*IDN?\n")
    assert client.hear(seconds=0.2) == IDENTITY.removesuffix(b"\r\n") + sent


def test_split(client, ls240):
    ls240.control("fault split 0.2")
    client.say(b"*IDN?\n")
    parts = []
    while sum(map(len, parts)) < len(IDENTITY):
        client.socket.settimeout(5)
        parts.append(client.socket.recv(4096))
    assert len(parts) == 3
    assert b"".join(parts) == IDENTITY


def test_extra_line(client, ls240):
    ls240.control("fault extra_line")
    client.say(b"*IDN?\n")
    assert client.hear(2 * len(IDENTITY)) == 2 * IDENTITY


def test_strict_pace(client, ls240):
    ls240.control("fault strict_pace")
    for question in (b"BRIGT 50\nBRIGT 75\n", b"BRIGT?\n"):
        time.sleep(0.05)  # What the manual asks for, and more.
        client.say(question)
    assert client.hear(4) == b"50\r\n"


def test_conditions_of_the_instrument(client, ls240):
    ls240.control("fault overrange 2 for 1")
    wait_for(lambda: client.ask(b"RDGST? 2") == b"064\r\n", 5, "over range")
    assert client.ask(b"RDGST? 1") == b"000\r\n"
    wait_for(lambda: client.ask(b"RDGST? 2") == b"000\r\n", 5, "good again")
    notes = [note for note in ls240.truth() if note.get("fault") == "overrange"]
    assert [(note["target"], note["state"]) for note in notes] == [("2", "begin"), ("2", "end")]
    assert 0.9 < notes[1]["time"] - notes[0]["time"] < 2


def test_truth_equals_what_was_received(client, ls240):
    received = [client.ask(b"KRDG? 7;SRDG? 7").decode().strip().split(";") for _ in range(300)]
    for index, quantity in enumerate("TS"):
        sent = {
            note["value"]
            for note in ls240.truth()
            if note.get("quantity") == quantity and note["channel"] == 7
        }
        assert {row[index] for row in received} == sent


def test_the_command_that_controls(ls240, tmp_path):
    def control(*words, port=ls240.control_port):
        done = subprocess.run(
            [sys.executable, "-m", "agents.lakeshore.sim.control_cli", str(port), *words],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    scenario = tmp_path / "mine.yaml"
    scenario.write_text("steps: [{fault: frozen, target: 1}]")
    assert control("scenario", str(scenario))[0] == 0
    wait_for(lambda: ls240.control("status")["faults"], 5, "the scenario's fault")
    code, out, _ = control("clear")
    assert code == 0
    assert [fault["name"] for fault in json.loads(out)["cleared"]] == ["frozen"]
    scenario.write_text("steps:\n  - {fault: forzen}")
    code, out, error = control("scenario", str(scenario))
    assert (code, out) == (1, "")
    assert "mine.yaml, line 2: there is no fault 'forzen'" in error
    code, _, error = control("status", port=free_port())
    assert code == 2
    assert "no simulator answers at 127.0.0.1" in error
    assert "Connection refused" in error
    assert len(error.splitlines()) == 1


def test_the_control_port_is_of_this_machine(ls240):
    listening = Path("/proc/net/tcp").read_text().splitlines()
    wanted = f":{ls240.control_port:04X}"
    (line,) = [it for it in listening if it.split()[1].endswith(wanted) and it.split()[3] == "0A"]
    assert line.split()[1] == f"0100007F{wanted}"


def test_clients_without_line_ends(tmp_path, connect):
    port = free_port()
    with Simulator("240", tmp_path, f"--tcp={port}", "--idle-answer=0.02") as simulator:
        simulator.wait_for_line("control port")
        client = connect(port)
        client.say(b"*IDN?")
        assert client.hear(len(IDENTITY)) == IDENTITY
        client.say(b"MODNAME a b")
        time.sleep(0.1)  # Such a client marks the end of a message by a pause.
        client.say(b"MODNAME?")
        assert client.hear(5) == b"a b\r\n"


def test_the_372_has_room_for_two(tmp_path, connect):
    port = free_port()
    with Simulator("372", tmp_path, f"--port={port}") as simulator:
        simulator.wait_for_line("control port")
        first, second = connect(port), connect(port)
        identity = b"LSCI,MODEL372,LSA23JD,1.3\r\n"
        first.say(b"*IDN?\n" * 50)
        second.say(b"*IDN?\n" * 50)
        assert first.hear(50 * len(identity)) == second.hear(50 * len(identity)) == 50 * identity
        assert connect(port).closed()
        assert first.ask(b"*IDN?") == second.ask(b"*IDN?") == identity
        first.close()
        wait_for(lambda: connect(port).ask(b"*IDN?") == identity, 5, "room again")
        simulator.control("fault silent for 60")
        second.say(b"*IDN?\n")
        assert second.hear(1, 0.2) == b""
        simulator.control("clear")
        assert second.ask(b"*IDN?") == identity


def test_time_runs_faster_if_asked(tmp_path, connect):
    port = free_port()
    with Simulator("372", tmp_path, f"--port={port}", "--speed=100") as simulator:
        simulator.wait_for_line("control port")
        client = connect(port)
        # Thirteen seconds a visit: a scan of all sixteen channels in two.
        seen = set()

        def scanned():
            seen.add(client.ask(b"SCAN?"))
            return len(seen) == 16

        wait_for(scanned, 10, "all channels")


@pytest.fixture(scope="module")
def pty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """Shared by the tests of the serial port, each of which leaves it as it was."""
    directory = tmp_path_factory.mktemp("pty")
    link = directory / "ls240"
    with Simulator("240", directory, f"--pty={link}", "--model=2P") as simulator:
        simulator.wait_for_line("control port")
        simulator.link = link
        yield simulator
    # It goes with the simulator.
    assert not link.is_symlink()


def ask_port(port: serial.Serial, text: bytes = b"*IDN?") -> bytes:
    port.write(text + b"\r\n")
    return port.readline()


IDENTITY_2P = b"LSCI,MODEL240-2P,LSA2359,1.9\r\n"


@pytest.mark.parametrize("baud", [115200, 9600, 57600])
def test_a_serial_port_at_any_speed(pty, baud):
    for _ in range(3):
        # Clients come and go; the exclusive use of before does not outlast its client.
        with serial.Serial(str(pty.link), baud, timeout=5, exclusive=True) as port:
            assert ask_port(port) == IDENTITY_2P
            port.write(b"KRDG? 1\n;KRDG? 2\n")
            assert float(port.readline()) == pytest.approx(41, rel=0.05)
            assert float(port.readline()) == pytest.approx(3.9, rel=0.05)


def test_bytes_pass_the_serial_port_unchanged(pty):
    """No echo, no signals, no translated line ends, for a client that sets nothing itself."""
    fd = os.open(pty.link, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(fd, b"\x03\x04\x1a\r\n*IDN?\r\n")
        found = b""
        while not found.endswith(b"\n"):
            found += os.read(fd, 100)
        assert found == IDENTITY_2P
    finally:
        os.close(fd)


def test_a_serial_client_that_never_reads(pty):
    with serial.Serial(str(pty.link), timeout=5, write_timeout=5) as port:
        for _ in range(2000):
            port.write(b"*IDN?\r\n" * 10)
    with serial.Serial(str(pty.link), timeout=1) as port:
        wait_for(lambda: (port.reset_input_buffer(), ask_port(port))[1] == IDENTITY_2P, 20, "it")
    assert "Traceback" not in pty.output
    # What has not been read is still under way.
    pty.control("fault disconnect")


def test_a_serial_port_unplugged_and_plugged_in(pty):
    device = pty.link.readlink()
    with serial.Serial(str(pty.link), timeout=2) as port:
        assert ask_port(port) == IDENTITY_2P
        pty.control("fault disconnect")
        with pytest.raises((serial.SerialException, OSError)):
            ask_port(port)
    assert pty.link.is_symlink()
    with serial.Serial(str(pty.link), timeout=5) as port:
        assert ask_port(port) == IDENTITY_2P
    pty.control("fault disconnect for 30")
    with (
        serial.Serial(str(pty.link), timeout=2) as port,
        pytest.raises((serial.SerialException, OSError)),
    ):
        ask_port(port)
    pty.control("clear")
    with serial.Serial(str(pty.link), timeout=5) as port:
        assert ask_port(port) == IDENTITY_2P
    pty.control("fault refuse")
    assert not pty.link.is_symlink()
    pty.control("clear")
    assert pty.link.is_symlink()
    assert device.name.isdigit()


def test_a_dead_serial_port(pty):
    with serial.Serial(str(pty.link), timeout=0.3) as dead:
        pty.control("fault half_open")
        assert ask_port(dead) == b""
        with serial.Serial(str(pty.link), timeout=5) as port:
            assert ask_port(port) == IDENTITY_2P
        assert ask_port(dead) == b""


def test_dead_serial_ports_do_not_pile_up(pty):
    def open_files():
        return len(list(Path(f"/proc/{pty.pid}/fd").iterdir()))

    before = open_files()
    for _ in range(30):
        pty.control("fault half_open")
    wait_for(lambda: open_files() <= before + 1, 5, "the dead ports' end")


def test_a_link_left_by_a_killed_simulator_is_replaced(tmp_path):
    link = tmp_path / "ls240"
    with Simulator("240", tmp_path, f"--pty={link}") as first:
        first.wait_for_line("control port")
        first.kill()
    assert link.is_symlink()
    with Simulator("240", tmp_path, f"--pty={link}", "--shy") as second:
        second.wait_for_line("control port")
        with serial.Serial(str(link), timeout=0.3) as port:
            # Shy: the first message after power-up gets no answer.
            assert ask_port(port) == b""
            assert ask_port(port) == IDENTITY


@pytest.mark.parametrize("fault", ["refuse", "half_open for 60", "silent", "frozen 1"])
def test_a_simulator_ends_well_whatever_is_wrong_with_it(tmp_path, fault):
    link = tmp_path / "ls240"
    with Simulator("240", tmp_path, f"--pty={link}") as simulator:
        simulator.wait_for_line("control port")
        simulator.control(f"fault {fault}")
        assert simulator.stop() == 0
    assert "Traceback" not in simulator.output
    assert not link.is_symlink()
    notes = [note for note in simulator.truth() if "fault" in note]
    assert [note["state"] for note in notes] == ["begin", "end"]


@pytest.mark.parametrize(
    ("model", "arguments", "told"),
    [
        ("240", [], "--pty"),
        ("240", ["--tcp=lab"], "'lab' is not HOST:PORT"),
        (
            "240",
            ["--pty=/nowhere/ls240"],
            "ls240-sim: cannot make the link /nowhere/ls240: No such",
        ),
        ("240", ["--pty=/etc/hostname"], "cannot make the link /etc/hostname: something else is"),
        ("240", ["--tcp=0", "--model=4P"], "invalid choice"),
        ("240", ["--tcp=0", "--speed=0"], "0 is not above 0"),
        ("240", ["--tcp=0", "--scenario=nowhere"], "ls240-sim: cannot read the scenario nowhere"),
        ("240", ["--tcp=0", "--truth=/nowhere/t"], "ls240-sim: cannot write --truth /nowhere/t"),
        ("372", ["--port=0", "--control=lab"], "'lab' is not HOST:PORT"),
        ("372", ["--port=0", "--scenario=nowhere"], "ls372-sim: cannot read the scenario"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(model, arguments, told):
    with AgentProcess(["-m", f"agents.lakeshore{model}.simulator", *arguments]) as simulator:
        assert simulator.wait() == 2
    assert told in simulator.lines[-1]
    assert "Traceback" not in simulator.output


def test_ports_in_use(ls240, tmp_path):
    for arguments, told in [
        ([f"--tcp={ls240.port}"], "Choose another one with --tcp."),
        (["--tcp=0", f"--control={ls240.control_port}"], "(--control): Address already in use"),
    ]:
        with AgentProcess(["-m", "agents.lakeshore240.simulator", *arguments]) as simulator:
            assert simulator.wait() == 2
        assert told in simulator.lines[-1]
