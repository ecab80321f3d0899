import json
import math
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport

from agents.lakeshore372.sim_build import make_instrument
from agents.lakeshore372.sim_instrument import Event, SentReading
from agents.lakeshore372.sim_physics import STAGES, Cernox, Cryostat, RutheniumOxide
from agents.lakeshore372.simulator import Ls372Factory, TruthFile, main


def reading(bench, channel):
    """What a client knows of a channel's last reading."""
    return bench.say(f"KRDG? {channel};SRDG? {channel};QRDG? {channel}")


def visit_order(bench, seconds):
    order = []
    for _ in range(int(seconds / 0.5)):
        active = int(bench.say("SCAN?").split(",")[0])
        if not order or order[-1] != active:
            order.append(active)
        bench.wait(0.5)
    return order


def test_the_scan_goes_round_the_enabled_channels(bench):
    for channel in range(3, 15):
        bench.say(f"INSET {channel},0,10,3,21,1")
    assert visit_order(bench, 13 * 6) == [1, 2, 15, 16, 1, 2]


def test_a_scan_takes_pause_and_dwell_of_each_channel(bench):
    bench.say("INSET 2,1,20,5,22,1")
    bench.wait(12.9)
    assert bench.say("SCAN?") == "01,1"
    bench.wait(0.2)
    assert bench.say("SCAN?") == "02,1"
    bench.wait(24.8)
    assert bench.say("SCAN?") == "02,1"
    bench.wait(0.2)
    assert bench.say("SCAN?") == "03,1"


def test_the_scan_scale_shortens_both(make_bench):
    bench = make_bench(scale=0.01)
    bench.wait(0.125)
    assert bench.say("SCAN?;INSET? 1") == "01,1;1,010,003,21,1"
    bench.wait(0.01)
    assert bench.say("SCAN?") == "02,1"


def test_a_channel_repeats_its_reading_in_the_pause_and_while_it_is_not_scanned(bench):
    bench.wait(12.95)
    last = reading(bench, 1)
    before = reading(bench, 2)
    bench.wait(0.1)
    for _ in range(29):
        assert bench.say("RDGSTL?;SCAN?") == "0,2;02,1"
        assert (reading(bench, 1), reading(bench, 2)) == (last, before)
        bench.wait(0.1)
    bench.wait(0.1)
    assert bench.say("RDGSTL?") == "0,0"
    assert reading(bench, 2) != before
    assert reading(bench, 1) == last


def test_readings_are_made_ten_times_a_second(bench):
    bench.wait(3.001)
    seen = []
    for _ in range(100):
        seen.append(reading(bench, 1))
        bench.wait(0.01)
    assert len(set(seen)) == 10


def test_an_instrument_left_alone_has_scanned_all_the_same(bench):
    bench.wait(13 * 16 + 3.05)
    assert bench.say("SCAN?") == "01,1"
    sent = {channel: bench.reply(f"KRDG? {channel}").readings[0] for channel in range(1, 17)}
    # The last reading of each visit is the one 0.1 s before its end.
    assert sent[1].time_s == pytest.approx(bench.now - 0.05)
    for channel in range(2, 17):
        end = bench.now - 3.05 - 13 * (16 - channel)
        assert sent[channel].time_s == pytest.approx(end - 0.1)


def test_scan_can_be_set_and_stopped(bench):
    bench.say("SCAN 9,0")
    assert bench.say("SCAN?") == "09,0"
    bench.wait(100)
    assert bench.say("SCAN?;RDGSTL?") == "09,0;0,0"
    bench.say("SCAN 9 1")
    bench.wait(9.9)
    assert bench.say("SCAN?") == "09,1"
    bench.wait(0.2)
    assert bench.say("SCAN?") == "10,1"


def test_a_channel_alone_is_read_without_a_pause(bench):
    for channel in range(2, 17):
        bench.say(f"INSET {channel},0,10,3,21,1")
    bench.wait(3.01)
    seen = set()
    for _ in range(300):
        assert bench.say("RDGSTL?") == "0,0"
        seen.add(reading(bench, 1))
        bench.wait(0.1)
    assert len(seen) == 300


def test_truth_is_each_reading_once_as_sent(bench):
    bench.wait(3.05)
    for _ in range(30):
        kelvin, ohms = bench.say("KRDG? 1;RDGR? 1").split(";")
        bench.wait(0.03)
        assert kelvin in [s.value for s in bench.sent if s.quantity == "T"]
        assert ohms in [s.value for s in bench.sent if s.quantity == "R"]
    updates = [s.update for s in bench.sent if s.quantity == "T"]
    assert len(updates) == len(set(updates)) == 10
    assert updates == [s.update for s in bench.sent if s.quantity == "R"]
    first = bench.sent[0]
    assert first == SentReading(first.time_s, 1, "T", first.value, updates[0], 0)


def test_same_seed_same_readings(make_bench):
    def run(seed):
        bench = make_bench(seed=seed)
        values = []
        for _ in range(50):
            bench.wait(1)
            values.append(reading(bench, 1))
        return values

    assert run(3) == run(3)
    assert run(3) != run(4)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("NOPE?", Event.COMMAND_ERROR),
        ("NOPE 1,2", Event.COMMAND_ERROR),
        ("KRDG", Event.COMMAND_ERROR),
        ("$%&", Event.COMMAND_ERROR),
        ("KRDG? 17", Event.EXECUTION_ERROR),
        ("KRDG?", Event.EXECUTION_ERROR),
        ("KRDG? x", Event.EXECUTION_ERROR),
        ("QRDG? A", Event.EXECUTION_ERROR),
        ("SCAN 0,1", Event.EXECUTION_ERROR),
        ("SCAN 1", Event.EXECUTION_ERROR),
        ("INSET 1,1,0,3,21,1", Event.EXECUTION_ERROR),
        ("INSET 1,1,10,2,21,1", Event.EXECUTION_ERROR),
        ("INTYPE 1,1,1,0,1,0,1", Event.EXECUTION_ERROR),
        ('INNAME 1,"a name beyond fifteen"', Event.EXECUTION_ERROR),
        ("OUTMODE? 3", Event.EXECUTION_ERROR),
    ],
)
def test_bad_input_is_met_with_silence_and_an_event(bench, line, event):
    assert bench.say("*ESR?") == "128"
    before = bench.say("SCAN?;INSET? 1;INTYPE? 1;INNAME? 1")
    assert bench.say(line) is None
    assert bench.say("*ESR?") == f"{event.value:03d}"
    assert bench.say("*ESR?") == "000"
    assert bench.say("SCAN?;INSET? 1;INTYPE? 1;INNAME? 1") == before


@given(line=st.binary(max_size=60) | st.text('SCANKRDG?INET 0123,;"*', max_size=40).map(str.encode))
def test_no_line_upsets_the_instrument(line):
    instrument = make_instrument(clock=lambda: 1e9)
    reply = instrument.handle_line(line).text
    assert reply is None or (reply.isascii() and "\n" not in reply)
    assert instrument.handle_line(b"*IDN?").text == "LSCI,MODEL372,LSA23JD,1.3"


def test_lines_as_various_clients_write_them(bench):
    assert bench.say("*idn?") == "LSCI,MODEL372,LSA23JD,1.3"
    assert bench.say("INSET 05 , 0 , 20 , 4 , 25 , 1;INSET? 5") == "0,020,004,25,1"
    assert bench.say(":INSET 5 1 10 3 25 1;:INSET? 05") == "1,010,003,25,1"
    assert bench.say('INNAME 5,"MC, top; left";INNAME? 5') == "MC, top; left"
    assert bench.say("INNAME 5,Still 2;INNAME? 5") == "Still 2"
    assert bench.say("EMUL 0;*ESR?") == "128"
    assert bench.say("NOPE?;SCAN?") == "01,1"
    assert bench.say("") is None
    assert bench.say("INSET? A;INTYPE? A;KRDG? a;RDGST? A") == (
        "0,010,003,00,1;1,04,0,15,0,2;+000.000E+00;000"
    )


def test_a_range_too_small_is_flagged(bench):
    bench.wait(5)
    bench.say("INTYPE 1,0,5,0,10,0,1")
    bench.wait(0.2)
    assert bench.say("RDGST? 1;KRDG? 1;SRDG? 1") == "016;+000.000E+00;+000.000E+00"
    bench.say("INTYPE 1,0,5,1,10,0,1")
    bench.wait(0.2)
    assert bench.say("RDGST? 1;INTYPE? 1") == "000;0,05,1,12,0,1"


def test_without_a_curve_there_is_no_temperature(bench):
    for curve in (0, 59):
        bench.say(f"INSET 1,1,10,3,{curve},1")
        bench.wait(3.1)
        kelvin, ohms, status = bench.say("KRDG? 1;SRDG? 1;RDGST? 1").split(";")
        assert (kelvin, status) == ("+000.000E+00", "000")
        assert float(ohms) > 100


def test_a_wrong_curve_flags_the_temperature_only(bench):
    bench.say("INSET 11,1,10,3,21,1;SCAN 11,0")
    bench.wait(3.1)
    kelvin, ohms, status = bench.say("KRDG? 11;SRDG? 11;RDGST? 11").split(";")
    assert (kelvin, status) == ("+000.000E+00", "128")
    assert float(ohms) > 20e3


@pytest.mark.parametrize("sensor", [RutheniumOxide(), Cernox()])
def test_sensors_invert(sensor):
    for temperature_k in (0.02, 0.1, 1.0, 4.2, 30.0):
        again = sensor.temperature_k(sensor.resistance_ohm(temperature_k))
        assert math.isclose(again, temperature_k, rel_tol=1e-9)
    assert sensor.temperature_k(0.0) == math.inf


def test_stages_stay_where_they_belong():
    cryostat = Cryostat(seed=5, now=0.0)
    assert sorted(c for stage in STAGES for c in stage.channels) == list(range(1, 17))
    for step in range(500):
        for stage in STAGES:
            for channel in stage.channels:
                temperature_k = cryostat.temperature_k(channel, step * 7.0)
                assert 0.9 * stage.base_k < temperature_k < 1.1 * stage.base_k


class Client:
    def __init__(self, factory):
        self.protocol = factory.buildProtocol(None)
        self.transport = StringTransport()
        self.transport.setTcpNoDelay = lambda _: None
        self.protocol.makeConnection(self.transport)

    def receive(self, data):
        self.transport.clear()
        self.protocol.dataReceived(data)
        return self.transport.value()


@pytest.fixture
def factory(bench):
    return Ls372Factory(bench.instrument)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_split_at_every_byte(factory, end):
    line = b"SCAN?" + end + b"*IDN?" + end
    for cut in range(len(line) + 1):
        client = Client(factory)
        first = client.receive(line[:cut])
        assert first + client.receive(line[cut:]) == b"01,1\r\nLSCI,MODEL372,LSA23JD,1.3\r\n"
        client.protocol.connectionLost(None)


def test_an_endless_line_is_dropped(factory):
    client = Client(factory)
    for _ in range(50):
        assert client.receive(b"x" * 100) == b""
    assert client.receive(b"\n*ESR?\n").endswith(b"160\r\n")


def test_there_is_room_for_two_clients(factory):
    first, second = Client(factory), Client(factory)
    assert factory.buildProtocol(None) is None
    assert first.receive(b"SCAN?\n") == second.receive(b"SCAN?\n") == b"01,1\r\n"
    first.protocol.connectionLost(None)
    assert factory.buildProtocol(None) is not None


def test_truth_file(bench):
    stream = StringIO()
    client = Client(Ls372Factory(bench.instrument, TruthFile(stream, clock=lambda: bench.now)))
    bench.wait(3.05)
    answer = client.receive(b"KRDG? 1;SRDG? 1;QRDG? 1;SCAN?\n").decode()
    client.receive(b"KRDG? 1;SRDG? 1\n")
    truth = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["value"] for line in truth] == answer.split(";")[:3]
    assert [line["quantity"] for line in truth] == ["T", "R", "Q"]
    for line in truth:
        assert line["channel"] == 1
        assert line["sent"] == bench.now
        assert line["time"] == pytest.approx(bench.now - 0.05)
        assert line["status"] == 0
        assert line["update"] == truth[0]["update"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "70000"], "not from 0 to 65535"),
        (["--scan-scale", "0"], "above 0"),
        (["--scan-scale", "fast"], "invalid"),
        (["--pause", "2"], "not from 3 to 200"),
        (["--serial", "A,B"], "letters and digits"),
    ],
)
def test_bad_arguments(capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_truth_file_that_cannot_be_written(capsys, tmp_path):
    assert main(["--truth", str(tmp_path / "no" / "truth")]) == 2
    error = capsys.readouterr().err
    assert "no/truth" in error
    assert len(error.splitlines()) == 1
