"""Operations on inputs, and what goes wrong with an instrument that answers, with real programs."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from support.ls372_lab import Simulator

from ocs.testing import wait_for


@pytest.fixture
def real_time(tmp_path) -> Iterator[Simulator]:
    """A simulator with a scan as slow as the real one."""
    with Simulator(tmp_path, scan_scale=1) as simulator:
        yield simulator


def blocks(lab):
    return [name for message, _ in list(lab.events) for name in message]


def start(make_lab, simulator, name, *arguments):
    lab = make_lab(name, f"--ip-address=127.0.0.1:{simulator.port}", *arguments)
    wait_for(lab.samples, 15, "data")
    return lab


def test_tasks_are_done_within_a_second_while_acq_reads_and_while_it_waits(make_lab, real_time):
    lab = start(make_lab, real_time, "LSA23J1")

    def timed(op, **params):
        began = time.monotonic()
        session = lab.run(op, params)
        assert session["success"], session["messages"]
        assert time.monotonic() - began < 1, op
        return session

    timed("set_dwell", channel=5, dwell=50)
    assert timed("get_dwell", channel=5)["data"] == {"dwell_time": 50}
    timed("set_excitation", channel=5, value=2e-4)
    # From here on acq waits: the channel is new to it, and its pause is 200 s.
    timed("set_pause", channel=9, pause=200)
    timed("set_active_channel", channel=9)
    samples = len(lab.samples())
    for _ in range(5):
        timed("set_dwell", channel=5, dwell=60)
        timed("get_input_setup", channel=9)
    timed("set_active_channel", channel=2)
    wait_for(lambda: len(lab.samples()) > samples + 10, 15, "data after the wait")
    assert lab.samples()[-1][0] == 2
    session = lab.session()
    assert session["status"] == "running"
    assert session["data"]["bad_replies"] == 0
    assert session["data"]["commands"]["count"] >= 9
    assert session["data"]["commands"]["longest_s"] < 1
    began = time.monotonic()
    assert lab.client.request("stop", "acq")[0] == 0
    assert lab.client.request("wait", "acq")[2]["success"]
    assert time.monotonic() - began < 1


def test_a_refusal_is_told_to_the_client(make_lab, simulator):
    simulator.start()
    lab = start(make_lab, simulator, "LSA23J2")
    session = lab.run("set_calibration_curve", {"channel": 5, "curve_number": 58})
    assert not session["success"]
    assert "has not taken curve 58" in session["messages"][-2][1]
    code, text, _ = lab.client.request("start", "set_dwell", {"channel": 17, "dwell": 3})
    assert code == -1
    assert "channel" in text
    assert lab.session()["status"] == "running"


def test_what_goes_wrong_is_degraded_in_words_until_it_is_over(make_lab, simulator):
    simulator.start()
    lab = start(make_lab, simulator, "LSA23J3", "--sample-heater", "True")
    wait_for(lambda: "heaters" in blocks(lab), 5, "the heater")

    def told(words):
        wait_for(lambda: lab.session()["degraded"], 60, f"degraded: {words}")
        wait_for(
            lambda: any(words in text for text in lab.session()["data"]["troubles"]), 40, words
        )
        assert any(words in text for text in lab.messages())

    def over(words):
        wait_for(lambda: not lab.session()["degraded"], 60, f"the end of: {words}")
        assert any(text.startswith("Over: ") and words in text for text in lab.messages())

    simulator.control("fault dead_heater 0")
    told("sample heater does not answer")
    before = len(lab.samples())
    wait_for(lambda: len(lab.samples()) > before, 10, "readings without the heater")
    simulator.control("clear dead_heater")
    over("sample heater does not answer")

    lab.run("set_autoscan", {"autoscan": False})
    lab.run("set_active_channel", {"channel": 5})
    wait_for(lambda: lab.samples()[-1][0] == 5, 10, "channel 5")
    simulator.control("fault frozen 5")
    told("gives the same reading over and over")
    simulator.control("clear frozen")
    over("gives the same reading over and over")


def test_a_stuck_scan(make_lab, simulator):
    simulator.start()
    lab = start(make_lab, simulator, "LSA23J4")
    simulator.control("fault stuck_scan")
    wait_for(lambda: lab.session()["degraded"], 40, "degraded")
    (words,) = [text for text in lab.messages() if "the scanner stays at channel" in text]
    assert lab.session()["data"]["troubles"] == [words]
    simulator.control("clear stuck_scan")
    wait_for(lambda: not lab.session()["degraded"], 20, "the scan to go on")


def test_control_input_and_settings_file_in_mode_acq(make_lab, simulator, tmp_path):
    simulator.start()
    path = tmp_path / "settings.yaml"
    entry = (
        "{enable: on, excitation_mode: voltage, excitation_value: 2e-4, autorange: on, dwell: 123, "
        "pause: 3, calibration_curve_num: 27, temperature_coeff: negative}"
    )
    path.write_text(f"LSA23JD: {{device_settings: {{autoscan: on}}, channel: {{7: {entry}}}}}")
    lab = start(
        make_lab,
        simulator,
        "LSA23J5",
        "--enable-control-chan",
        f"--configfile={path}",
        "--era=2019",
    )
    wait_for(lambda: "control_chan" in blocks(lab), 5, "the control input")
    assert any("is applied to 1 channels of LSA23JD" in text for text in lab.messages())
    assert lab.run("get_dwell", {"channel": 7})["data"] == {"dwell_time": 123}
    assert "control" in lab.session()["data"]["fields"]
    name, block = next(
        (name, block)
        for message, _ in lab.events
        for name, block in message.items()
        if name.startswith("Channel ")
    )
    stem = name.replace(" ", "_")
    assert block["data"][stem] == block["data"][f"{stem}_T"]


class Emulator:
    """As upstream's (the specification's section 9): one packet is one message, no line ends."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(60)
        self.port = self._listener.getsockname()[1]
        self.dwell = "10"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while data := connection.recv(4096):
                for part in data.decode().split(";"):
                    words = part.strip().split(" ")
                    answer = self._answer(words[0], words[1] if len(words) > 1 else "")
                    if answer is not None:
                        connection.sendall(answer.encode())

    def _answer(self, mnemonic: str, argument: str) -> str | None:
        if mnemonic == "INSET" and argument.startswith("5,"):
            self.dwell = str(int(argument.split(",")[2]))
        number = 100 + 1e-3 * (time.monotonic() % 100)
        return {
            "*IDN?": "LSCI,MODEL372,LSASIM,0.0",
            "SCAN?": "05,1 ",
            "INNAME?": f"Channel {argument}",
            "INSET?": f"1,{self.dwell},3,0,1",
            "INTYPE?": "0,1,0,1,0,1",
            "KRDG?": str(number),
            "SRDG?": str(number),
            "RDGST?": "000",
            "HTR?": "+0.1234E+00",
        }.get(mnemonic)

    def close(self) -> None:
        self._thread.join(10)
        self._listener.close()


def test_upstreams_emulator(make_lab):
    emulator = Emulator()
    lab = start(
        make_lab,
        emulator,
        "LSASIM",
        "--dialect=emulator",
        "--enable-control-chan",
        "--sample-heater=true",
        "--settle-by=pause",
    )
    wait_for(lambda: {"control_chan", "heaters", "Channel 5"} <= set(blocks(lab)), 10, "all blocks")
    assert lab.run("set_dwell", {"channel": 5, "dwell": 33})["data"] == {"dwell_time": 33}
    assert lab.session()["data"]["bad_replies"] == 0
    lab.agent.stop()
    emulator.close()
