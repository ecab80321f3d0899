"""Lines as clients write them, good and bad, to the simulated instrument."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.lakeshore372.sim_build import make_instrument
from agents.lakeshore372.sim_words import Event


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


@settings(deadline=None)
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
        "1,010,003,37,1;1,04,0,15,0,1;+21.5420E-03;000"
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


POSSIBLE = [
    *("INSET 10,1,5,3,30,1", "INSET 0,0,10,3,0,2", "INSET A,1,0,3,37,1", "INCRV 10,21"),
    *("INTYPE 10,1,8,0,16,0,2", "INTYPE 10,0,5,1,15,0,1", "INTYPE 10,0,5,0,1,1,1", "CRVDEL 30"),
    *("SCAN 10,0", "SCAN 3,1", "FREQ 0,2", "TLIMIT 10,1", "TLIMIT A,0", "FILTER 0,1,1,1"),
    *("OUTMODE 0,5,10,1,1,0,1", "OUTMODE 0,3,A,0,0,0,1", "OUTMODE 0,2,0,0,0,0,1"),
    *("OUTMODE 1,6,0,0,0,0,1", "OUTMODE 1,5,A,0,0,0,1", "OUTMODE 2,1,1,0,1,0,1"),
    *("HTRSET 0,1,0,0,2", "HTRSET 0,2000,0,0,1", "HTRSET 1,2,0,0,1", "RANGE 0,8", "RANGE 0,0"),
    *("RANGE 1,1", "MOUT 0,1e-9", "MOUT 0,100", "MOUT 1,100", "PID 0,1000,0,2500", "PID 1,40,2,0"),
    *("SETP 0,0.1", "SETP 0,1e9", "SETP 1,0", "RAMP 0,1,100", "WARMUP 0,100", "STILL 100"),
    *("ZONE 0,1,10,1,1,1,1,8,1,0,0", "ANALOG 2,0,1,1,2,A,1,0", "CRVPT 30,1,0,0", "CRVPT 30,1,4,1"),
    *(
        'CRVHDR 30,"x","y",7,0,2',
        'CRVHDR 30,"","",3,300,1',
        "CRVPT 30,2,4,1,1e9",
        "*RST",
        "DFLT 99",
    ),
]
EVERYTHING = (
    "KRDG? 10;SRDG? A;RDGST? 10;RDGPWR? 10;MDAT? 10;SCAN?;HTR?;AOUT? 1;AOUT? 2;MOUT? 0;SETP? 0;"
    "RAMPST? 0;RANGE? 0;PID? 0;CRVHDR? 30;CRVPT? 30,1;INSET? 10;INTYPE? 10;*STB?"
)


@settings(deadline=None, max_examples=40)
@given(
    lines=st.lists(
        st.tuples(st.sampled_from(POSSIBLE), st.sampled_from([0, 0.4, 5.3])), max_size=10
    )
)
def test_no_sequence_of_messages_upsets_the_instrument(lines):
    now = 1e9
    instrument = make_instrument(clock=lambda: now)
    for line, wait_s in lines:
        instrument.handle_line(line.encode())
        now += wait_s
        answers = instrument.handle_line(EVERYTHING.encode()).text.split(";")
        assert len(answers) == 19
        for answer in answers[:2]:
            assert 0 <= float(answer) < 1e12
    instrument.handle_line(b"DFLT 99;*CLS")
    assert instrument.handle_line(b"RANGE? 0;INSET? 1;*ESR?").text == "0;1,010,003,21,1;000"
