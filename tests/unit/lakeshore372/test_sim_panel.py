"""What the simulated instrument only keeps: panel, alarms, relays, interfaces; its registers."""

import pytest

from agents.lakeshore372.sim_words import format_percent, format_reading, format_six_digits


def refused(bench, line):
    bench.say("*CLS")
    return bench.say(line) is None and bench.say("*ESR?") == "016"


@pytest.mark.parametrize(
    ("command", "query", "answer"),
    [
        ("ALARM 3,1,1,100,2,0.5,1,0,1", "ALARM? 3", "1,1,100,2,0.5,1,0,1"),
        ("ALARM 3,0,0,0,0,0,0,0", "ALARM? 3", "0,0,0,0,0,0,0,0"),
        ("ALARM 0,1,2,9,1,0,0,1,1", "ALARM? 16", "1,2,9,1,0,0,1,1"),
        ("ALARM 3,0,,,,,,", "ALARM? 3", "0,1,1000,0,0,0,0,0"),
        ("ANALOG 2,1,1,A,2,50,-4.5e1,0", "ANALOG? 2", "1,1,A,2,50,-4.5e1,0"),
        ("BEEP 0", "BEEP?", "0"),
        ("BRIGT 3", "BRIGT?", "3"),
        ("DISPFLD 8,A,6", "DISPFLD? 8", "A,6"),
        ("DISPLAY 2,1,3", "DISPLAY?", "2,1,3"),
        ("DISPLAY 1,,", "DISPLAY?", "1,0,0"),
        ("DOUT 31", "DOUT?", "31"),
        ("IEEE 0,0,9", "IEEE?", "9"),
        ("IEEE 11", "IEEE?", "11"),
        ("INTSEL 0", "INTSEL?", "0"),
        ("LEDS 0", "LEDS?", "0"),
        ("LOCK 1,007", "LOCK?", "1,007"),
        ("MODE 2", "MODE?", "2"),
        ("MONITOR 7", "MONITOR?", "7"),
        (
            'NET 1,0,10.0.0.2,255.0.0.0,10.0.0.1,0.0.0.0,0.0.0.0,"ls, 1","lab","dilution"',
            "NET?",
            "1,0,10.0.0.2,255.0.0.0,10.0.0.1,0.0.0.0,0.0.0.0,ls, 1,lab,dilution",
        ),
        ("RELAY 1,2,A,1", "RELAY? 1", "2,A,1"),
        ("RELAY 2,1,,", "RELAY? 2;RELAYST? 2;RELAYST? 1", "1,0,0;1;0"),
        ('WEBLOG "shift","night"', "WEBLOG?", "shift          ,night          "),
        ("ALMRST", "ALARMST? A", "0,0"),
    ],
)
def test_settings_are_given_back(bench, command, query, answer):
    assert bench.say(f"{command};{query}") == answer
    assert bench.say("*ESR?") == "128"


@pytest.mark.parametrize(
    "line",
    [
        "ALARM? 17",
        "ALARM 17,1,1,1,1,1,1,1,1",
        "ALARM",
        "DISPFLD? 9",
        "BEEP",
        "BEEP loud",
        "BEEP 1,1",
        "LOCK 1",
        'WEBLOG "only"',
        "RELAYST? 3",
        "NETID? 1",
        "ALMRST 1",
    ],
)
def test_what_is_out_of_bounds_is_refused(bench, line):
    assert refused(bench, line)


def test_the_network_is_told(bench):
    assert len(bench.say("NETID?").split(",")) == 9


def test_status_byte(bench):
    bench.wait(1)
    assert bench.say("*STB?") == "006"
    bench.say("*CLS;*ESE 32;*SRE 32;NOPE")
    assert bench.say("*ESE?;*SRE?;*STB?") == "032;032;102"
    assert bench.say("*ESR?;*STB?") == "032;006"
    bench.say("*OPC")
    assert bench.say("*ESR?;*OPC?;*TST?") == "001;1;0"
    bench.instrument.set_condition("overrange", "1", active=True)
    bench.say("SCAN 1,0")
    bench.wait(4)
    assert bench.say("*STB?") == "018"
    assert refused(bench, "*ESE 256")
    assert refused(bench, "EMUL 2")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "+000.000E+00"),
        (293.873, "+293.873E+00"),
        (0.0215, "+21.5000E-03"),
        (-1.5e-5, "-15.0000E-06"),
        (999.9996, "+1.00000E+03"),
        (24687.3, "+24.6873E+03"),
    ],
)
def test_readings_are_written_as_recorded(value, text):
    assert format_reading(value) == text


def test_other_numbers():
    assert [format_percent(value) for value in (0.0005, 46.3, 99.99999, 100, -12.5)] == [
        "+00.0005E+00",
        "+46.3000E+00",
        "+100.000E+00",
        "+100.000E+00",
        "-12.5000E+00",
    ]
    assert [format_six_digits(value) for value in (0, 3.00123, 0.0215, -40, 123457e3)] == [
        "+0.00000",
        "+3.00123",
        "+0.0215000",
        "-40.0000",
        "+123457000",
    ]
