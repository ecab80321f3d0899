import contextlib
import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lakeshore.messages import BadReply, LineFramer, identify
from agents.lakeshore372 import codec, input_codec
from agents.lakeshore372.codec import ScanState
from agents.lakeshore372.dialect import Dialect
from agents.lakeshore372.input_tables import (
    CONTROL_EXCITATION_A,
    CURRENT_EXCITATION_A,
    RESISTANCE_RANGE_OHM,
    VOLTAGE_EXCITATION_V,
    Autorange,
    InputMode,
    ReadingStatus,
    Settling,
    TemperatureCoefficient,
    Units,
    combination_exists,
)
from agents.lakeshore372.sim_instrument import format_reading


def reading_query(channel):
    """The line that acq sends for a reading."""
    asked = []
    with contextlib.suppress(StopIteration):
        Dialect().reading(lambda query: asked.append(query) or next(iter(())), channel)
    return asked[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("+293.873E+00", 293.873),
        ("+108.278E+00", 108.278),
        ("+00.0000E-03", 0.0),
        ("+000.000E+09", 0.0),
        ("+00.0005E+00", 0.0005),
        ("-1.23456E-06", -1.23456e-6),
        (" +293.873E+00 ", 293.873),
    ],
)
def test_readings_recorded_from_a_unit(text, value):
    assert codec.kelvin(1).decode(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    ["", "293.873", "+293.873", "+293.873E+0", "+293.87E+00", "nan", "+293,873E+00", "+2938.73E+00",
     "+293.873E+00;+1.00000E+00", "+٢93.873E+00", "+293.873E+00\n"],
)  # fmt: skip
def test_what_is_no_reading(text):
    with pytest.raises(BadReply):
        codec.kelvin(1).decode(text.encode())


@given(value=st.floats(1e-90, 1e90) | st.just(0.0), sign=st.sampled_from([1, -1]))
def test_a_reading_survives_the_wire_with_six_digits(value, sign):
    decoded = codec.ohms(1).decode(format_reading(sign * value).encode())
    assert math.isclose(decoded, sign * value, rel_tol=5.1e-6)


def test_settings_recorded_from_a_unit():
    inset = input_codec.input_settings(1).decode(b"1,007,003,21,1")
    assert (inset.enabled, inset.dwell_s, inset.pause_s, inset.curve) == (True, 7, 3, 21)
    assert inset.coefficient is TemperatureCoefficient.NEGATIVE
    assert not input_codec.input_settings("A").decode(b"0,010,003,00,1").enabled
    intype = input_codec.input_setup(1).decode(b"0,07,1,10,0,1")
    assert (intype.mode, intype.autorange) == (InputMode.VOLTAGE, Autorange.CURRENT)
    assert VOLTAGE_EXCITATION_V[intype.excitation] == 2e-3
    assert RESISTANCE_RANGE_OHM[intype.resistance_range] == 63.2
    assert (intype.excitation_on, intype.units) == (True, Units.KELVIN)
    control = input_codec.input_setup("A").decode(b"1,04,0,15,0,2")
    assert CONTROL_EXCITATION_A[control.excitation] == 10e-9
    assert codec.scan_state().decode(b"01,1") == ScanState(1, autoscan=True)
    identity = identify().decode(b"LSCI,MODEL372,LSA23JD,1.3")
    assert (identity.model, identity.serial) == ("MODEL372", "LSA23JD")
    assert input_codec.input_name(1).decode(b"Channel 01     ") == "Channel 01"
    assert codec.settling().decode(b"0,2").measurement is Settling.HARDWARE


@pytest.mark.parametrize(
    ("query", "reply"),
    [
        (codec.scan_state(), "17,1"),
        (codec.scan_state(), "01,2"),
        (codec.scan_state(), "01"),
        (input_codec.input_settings(1), "1,007,003,60,1"),
        (input_codec.input_settings(1), "1,007,003,21,3"),
        (input_codec.input_setup(1), "0,13,1,10,0,1"),
        (input_codec.input_setup("A"), "1,07,0,15,0,2"),
        (codec.reading_status(1), "256"),
        (codec.settling(), "0,3"),
        (identify(), "LSCI,MODEL372,,1.3"),
        (reading_query(1), "+1.00000E+00;+1.00000E+00;+1.00000E+00;000"),
    ],
)
def test_what_the_unit_cannot_say(query, reply):
    with pytest.raises(BadReply):
        query.decode(reply.encode())


def test_a_reading_is_one_line():
    query = reading_query(5)
    assert query.encode() == b"KRDG? 5;SRDG? 5;QRDG? 5;RDGST? 5;SCAN?\r\n"
    reading = query.decode(b"+3.97000E+00;+3.59000E+03;-1.00000E-03;017;06,1")
    assert (reading.temperature_k, reading.resistance_ohm) == (3.97, 3590.0)
    assert reading.quadrature_ohm == -0.001
    assert reading.scan.channel == 6
    assert reading.status.names() == ("Current source overload", "R over range")


def test_status_bits():
    assert not ReadingStatus(0).resistance_invalid
    assert not ReadingStatus(0).temperature_invalid
    assert ReadingStatus.R_OVER_RANGE.resistance_invalid
    assert ReadingStatus.T_OVER_RANGE.temperature_invalid
    assert not ReadingStatus.T_OVER_RANGE.resistance_invalid


@pytest.mark.parametrize("channel", [0, 17, -1])
def test_channels_that_do_not_exist(channel):
    for build in (codec.kelvin, codec.quadrature, input_codec.input_name):
        with pytest.raises(ValueError, match="1 to 16"):
            build(channel)
    with pytest.raises(ValueError, match="1 to 16"):
        codec.set_scan(channel, autoscan=True)


def test_commands():
    assert codec.set_scan(3, autoscan=False).encode() == b"SCAN 3,0\r\n"


def test_tables_step_by_half_decades():
    for table in (VOLTAGE_EXCITATION_V, CURRENT_EXCITATION_A, RESISTANCE_RANGE_OHM):
        for step in range(1, len(table) - 1):
            assert math.isclose(table[step + 2], 10 * table[step])
    assert combination_exists(InputMode.CURRENT, 1, 19)
    assert not combination_exists(InputMode.CURRENT, 1, 18)
    assert combination_exists(InputMode.VOLTAGE, 7, 4)
    assert not combination_exists(InputMode.VOLTAGE, 7, 3)


@given(
    lines=st.lists(st.text(string.printable.replace("\r", "").replace("\n", ""), max_size=20)),
    cuts=st.lists(st.integers(1, 7), min_size=1),
)
def test_lines_survive_any_packets(lines, cuts):
    stream = b"".join(line.encode() + b"\r\n" for line in lines)
    framer = LineFramer()
    received, position, turn = [], 0, 0
    while position < len(stream):
        size = cuts[turn % len(cuts)]
        received += framer.feed(stream[position : position + size])
        position, turn = position + size, turn + 1
    assert received == [line.encode() for line in lines]
    assert framer.pending_bytes == 0


def test_two_replies_split_at_every_byte():
    stream = b"01,1\r\n+1.00000E+00\r\n"
    for cut in range(len(stream) + 1):
        framer = LineFramer()
        assert framer.feed(stream[:cut]) + framer.feed(stream[cut:]) == [b"01,1", b"+1.00000E+00"]


@given(data=st.binary(max_size=300), limit=st.integers(1, 50))
def test_a_framer_never_holds_more_than_its_limit(data, limit):
    framer = LineFramer(limit=limit)
    for index in range(len(data)):
        try:
            framer.feed(data[index : index + 1])
        except BadReply:
            assert framer.pending_bytes == 0
        assert framer.pending_bytes <= limit
