import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lakeshore240.sim_cryostat import PLACES
from agents.lakeshore240.sim_instrument import make_instrument, six_digits, temperature_text


class Bench:
    def __init__(self, **settings):
        self.now = 1_800_000_000.0
        self.instrument = make_instrument(clock=lambda: self.now, **settings)
        self.sent = []

    def wait(self, seconds):
        self.now += seconds

    def say(self, text):
        reply = self.instrument.handle_line(text.encode())
        self.sent += reply.readings
        return reply.text

    def number(self, text):
        return float(self.say(text))

    def curve(self, channel, points, form=3):
        """Load a curve in place of the one that is there."""
        self.say(f"CRVDEL {channel}")
        self.say(f"CRVHDR {channel},Test,S1,{form},325.0,1")
        for index, (signal, kelvin) in enumerate(points, start=1):
            self.say(f"CRVPT {channel},{index},{signal},{kelvin}")


@pytest.fixture
def bench():
    return Bench()


def test_what_it_says_of_itself():
    assert Bench().say("*IDN?") == "LSCI,MODEL240-8P,LSA2359,1.9"
    assert Bench(channels=2, serial="LSA9").say("*idn?") == "LSCI,MODEL240-2P,LSA9,1.9"


def test_every_place_reads_what_is_there(bench):
    bench.wait(1)
    for channel, place in enumerate(PLACES, start=1):
        assert bench.say(f"RDGST? {channel}") == "000"
        kelvin = bench.number(f"KRDG? {channel}")
        assert kelvin == pytest.approx(place.base_k, rel=0.03)
        assert bench.number(f"CRDG? {channel}") == pytest.approx(kelvin - 273.15, abs=0.01)
        fahrenheit = (kelvin - 273.15) * 1.8 + 32
        assert bench.number(f"FRDG? {channel}") == pytest.approx(fahrenheit, abs=0.02)
        assert bench.say(f"INNAME? {channel}") == f"{place.name:<15}"
    assert 1.5 < bench.number("SRDG? 2") < 1.65
    assert 108 < bench.number("SRDG? 5") < 109.5
    assert 195 < bench.number("SRDG? 6") < 215


def test_numbers_are_written_as_the_real_one_does():
    assert temperature_text(292.19) == "+0292.19"
    assert temperature_text(-268.94) == "-0268.94"
    assert temperature_text(77.3501) == "+077.350"
    assert temperature_text(4.2) == "+04.2000"
    assert temperature_text(0) == "+00.0000"
    assert six_digits(1.62345) == "+1.62345"
    assert six_digits(3446.0) == "+3446.00"
    assert six_digits(100000.0) == "+0100000"
    assert six_digits(99.99999) == "+100.0000"


def test_settings_are_kept(bench):
    for command, question, answer in [
        ("INTYPE 3,3,0,5,1,2,1", "INTYPE? 3", "3,0,5,1,2,1"),
        ("INTYPE 3, 1 ,0,0,1,4,0", "INTYPE? 3", "1,0,0,0,4,0"),
        ("INNAME 3,MC top left", "INNAME? 3", "MC top left    "),
        ("INNAME 3,", "INNAME? 3", " " * 15),
        ("FILTER 3,100", "FILTER? 3", "100"),
        ("BRIGT 25", "BRIGT?", "25"),
        ("MODNAME Rack 7", "MODNAME?", "Rack 7"),
        ("ADDR 17", "ADDR?", "17"),
        ("PROFINUM 4", "PROFINUM?", "4"),
        ("PROFISLOT 8,3,2", "PROFISLOT? 8", "3,2"),
        ("CRVHDR 3,X 1,SN7,4,325.5,2", "CRVHDR? 3", "X 1            ,SN7       ,4,+325.500,2"),
        ("CRVPT 3,200,1.23456,77.35", "CRVPT? 3,200", "+1.23456,+77.3500"),
    ]:
        assert bench.say(command) is None
        assert bench.say(question) == answer, command


@pytest.mark.parametrize(
    "line",
    [
        *("NOPE?", "NOPE 1", "KRDG", "KRDG? 9", "KRDG? 0", "KRDG? A", "KRDG?", "KRDG? 1,2", "$%&"),
        *("INTYPE 1,1,0,1,0,1,1", "INTYPE 1,2,0,1,0,1,1", "INTYPE 3,3,0,9,0,1,1"),
        *(
            "INTYPE 1,4,0,0,0,1,1",
            "INTYPE 1,1,0,0,0,5,1",
            "INTYPE 1,1,0,0,0,1",
            "INTYPE 1,1,0,None",
        ),
        *("INNAME 1,a name beyond fifteen", "INNAME 1,with, comma", "INNAME"),
        *("FILTER 1,0", "FILTER 1,101", "BRIGT 30", "ADDR 0", "ADDR 127", "PROFINUM 9"),
        *("PROFISLOT 9,1,1", "PROFISLOT 1,9,1", "PROFISLOT 1,1,5", "DFLT", "DFLT 98"),
        *("CRVHDR 1,N,S,5,325,1", "CRVHDR 1,N,S,3,325,3", "CRVHDR 1,N,serial too long,3,325,1"),
        *("CRVPT 1,0,1,1", "CRVPT 1,201,1,1", "CRVPT 1,1,x,1", "CRVPT 1,1,1", "CRVPT? 1,201"),
        *("CRVDEL 9", "CRVDEL", "*ESR?"),
    ],
)
def test_bad_input_is_met_with_silence(bench, line):
    everything = (
        "INTYPE? 1;INNAME? 1;FILTER? 1;BRIGT?;MODNAME?;ADDR?;PROFINUM?;PROFISLOT? 1;"
        "CRVHDR? 1;CRVPT? 1,1;INTYPE? 2;INTYPE? 3"
    )
    before = bench.say(everything)
    assert bench.say(line) is None
    assert bench.say(everything) == before


@given(line=st.binary(max_size=60) | st.text("INTYPEKRDG?CV 0123,;.-", max_size=40).map(str.encode))
def test_no_line_upsets_the_module(line):
    instrument = make_instrument(clock=lambda: 1e9)
    reply = instrument.handle_line(line).text
    assert reply is None or (reply.isascii() and "\n" not in reply)
    assert instrument.handle_line(b"*IDN?").text == "LSCI,MODEL240-8P,LSA2359,1.9"


def test_a_two_channel_module_has_two(bench):
    small = Bench(channels=2)
    assert small.say("KRDG? 2") is not None
    assert small.say("KRDG? 3") is None
    with pytest.raises(ValueError, match="No channel '3'; there are 1 to 2"):
        small.instrument.set_condition("frozen", "3", active=True)


def test_out_of_the_box_nothing_is_set():
    new = Bench(factory_new=True)
    new.wait(1)
    for channel in range(1, 9):
        assert new.say(f"INTYPE? {channel};CRVPT? {channel},1") == "1,0,0,0,1,0;+0.00000,+0.00000"
        assert new.say(f"RDGST? {channel};KRDG? {channel}") == "001;+00.0000"


def test_factory_defaults(bench):
    bench.say("MODNAME Rack 7;BRIGT 25;ADDR 9")
    bench.say("DFLT 99")
    bench.wait(1)
    assert bench.say("MODNAME?;BRIGT?;ADDR?") == "Module;100;126"
    assert bench.say("INTYPE? 2;RDGST? 2") == "1,0,0,0,1,0;001"


def test_readings_are_made_ten_times_a_second(bench):
    seen = []
    for _ in range(100):
        bench.wait(0.01)
        seen.append(bench.say("SRDG? 3"))
    assert 10 <= len(set(seen)) <= 11


def test_truth_is_each_reading_once_as_sent(bench):
    answers = []
    for _ in range(30):
        bench.wait(0.035)
        answers.append(bench.say("KRDG? 2;SRDG? 2").split(";"))
    for index, quantity in enumerate("TS"):
        sent = [reading for reading in bench.sent if reading.quantity == quantity]
        assert {reading.value for reading in sent} == {answer[index] for answer in answers}
        updates = [reading.update for reading in sent]
        assert len(updates) == len(set(updates)) == 11
    assert all(bench.now - 1.1 < reading.time_s <= bench.now for reading in bench.sent)


def test_same_seed_same_readings():
    def run(seed):
        bench = Bench(seed=seed)
        values = []
        for _ in range(50):
            bench.wait(1)
            values.append(bench.say("KRDG? 1;SRDG? 3;SRDG? 5"))
        return values

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_a_disabled_input_has_no_reading(bench):
    bench.say("INTYPE 2,1,0,0,0,1,0")
    bench.wait(0.2)
    assert bench.say("RDGST? 2;KRDG? 2;SRDG? 2;CRDG? 2") == "001;+00.0000;+0.00000;+00.0000"


def test_a_range_too_small_is_flagged(bench):
    bench.say("INTYPE 3,3,0,4,1,1,1")
    bench.wait(0.2)
    assert bench.say("RDGST? 3;KRDG? 3;SRDG? 3") == "064;+00.0000;+0.00000"
    bench.say("INTYPE 3,3,1,4,1,1,1")
    bench.wait(0.2)
    assert bench.say("RDGST? 3;INTYPE? 3") == "000;3,1,6,1,1,1"


def test_a_sensor_that_is_not_what_was_set(bench):
    """A resistor at a diode's 10 µA gives millivolts; a diode is no resistor of 10 kΩ."""
    bench.say("INTYPE 5,1,0,0,0,1,1")
    bench.say("INTYPE 2,3,1,0,0,1,1")
    for _ in range(5):
        # It looks for a range, a step each reading.
        bench.wait(0.1)
        bench.say("RDGST? 2")
    assert bench.say("RDGST? 5;RDGST? 2") == "128;064"


def test_temperature_follows_the_inputs_own_curve(bench):
    bench.curve(5, [(100.0, 200.0), (110.0, 300.0), (120.0, 400.0)])
    bench.wait(0.2)
    ohms, kelvin = map(float, bench.say("SRDG? 5;KRDG? 5").split(";"))
    assert kelvin == pytest.approx(200 + 10 * (ohms - 100), abs=0.02)
    bench.curve(3, [(3.0, 20.0), (4.0, 2.0)], form=4)
    bench.wait(0.2)
    ohms, kelvin = map(float, bench.say("SRDG? 3;KRDG? 3").split(";"))
    assert 2 < kelvin < 20
    assert 10 ** (3 + (20 - kelvin) / 18) == pytest.approx(ohms, rel=1e-3)


@pytest.mark.parametrize(
    ("points", "status"),
    [
        ([(200.0, 300.0), (300.0, 600.0)], "016"),
        ([(50.0, 20.0), (60.0, 40.0)], "032"),
        ([(200.0, 30.0), (300.0, 20.0)], "032"),
        ([(50.0, 30.0), (60.0, 20.0)], "016"),
    ],
)
def test_beyond_the_curve_only_the_temperature_is_flagged(bench, points, status):
    bench.curve(5, points)
    bench.wait(0.2)
    found, kelvin, ohms = bench.say("RDGST? 5;KRDG? 5;SRDG? 5").split(";")
    assert (found, kelvin) == (status, "+00.0000")
    assert float(ohms) > 100


def test_without_a_curve_there_is_no_temperature(bench):
    bench.say("CRVDEL 5")
    bench.wait(0.2)
    status, kelvin, ohms = bench.say("RDGST? 5;KRDG? 5;SRDG? 5").split(";")
    assert (status, kelvin) == ("000", "+00.0000")
    assert float(ohms) > 100
    assert bench.say("CRVHDR? 5").startswith("User Curve     ,          ,")


def test_zeros_end_a_curve(bench):
    """As upstream uploads: 200 points always, with zeros after the last one."""
    bench.say("CRVDEL 5")
    for index in range(1, 201):
        signal, kelvin = (90 + 10 * index, 100 * index) if index < 4 else (0, 0)
        bench.say(f"CRVPT 5,{index},{signal},{kelvin}")
    bench.say("CRVHDR 5,U,S,3,325,2")
    bench.wait(0.2)
    assert bench.number("KRDG? 5") == pytest.approx(185, abs=10)
    assert bench.say("CRVPT? 5,4") == "+0.00000,+0.00000"


def test_a_longer_filter_is_quieter(bench):
    def spread(points):
        bench.say(f"FILTER 5,{points}")
        values = []
        for _ in range(200):
            bench.wait(0.1)
            values.append(bench.number("SRDG? 5"))
        steps = [b - a for a, b in itertools.pairwise(values)]
        return sum(step * step for step in steps) / len(steps)

    assert spread(1) > 5 * spread(100)


def test_current_reversal_takes_thermal_voltages_out():
    found = []
    for reversal in (0, 1):
        bench = Bench()
        bench.say(f"INTYPE 3,3,0,6,{reversal},1,1")
        bench.wait(1)
        found.append(bench.number("SRDG? 3"))
    # 1.5 µV at the 1 µA of this range; all else is the same.
    assert found[0] - found[1] == pytest.approx(1.5, abs=0.02)


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("overrange", "064"),
        ("underrange", "128"),
        ("t_over", "032"),
        ("t_under", "016"),
        ("invalid", "001"),
        ("no_reading", "000"),
    ],
)
def test_conditions(bench, condition, status):
    bench.instrument.set_condition(condition, "2", active=True)
    bench.wait(0.2)
    assert bench.say("RDGST? 2;KRDG? 2") == f"{status};+00.0000"
    assert (bench.number("SRDG? 2") > 1) == condition.startswith("t_")
    assert bench.say("RDGST? 1") == "000"
    bench.instrument.set_condition(condition, "2", active=False)
    bench.wait(0.2)
    assert bench.say("RDGST? 2") == "000"
    assert bench.number("KRDG? 2") > 3


def test_a_frozen_input(bench):
    bench.instrument.set_condition("frozen", None, active=True)
    first = bench.say("SRDG? 1;SRDG? 2")
    bench.wait(60)
    assert bench.say("SRDG? 1;SRDG? 2") == first
    bench.instrument.set_condition("frozen", None, active=False)
    bench.wait(0.2)
    assert bench.say("SRDG? 1;SRDG? 2") != first


def test_conditions_that_are_none(bench):
    with pytest.raises(ValueError, match="overrange, underrange"):
        bench.instrument.set_condition("nonsense", "1", active=True)
    with pytest.raises(ValueError, match="No channel 'A'; there are 1 to 8"):
        bench.instrument.set_condition("frozen", "A", active=True)


def test_places_stay_where_they_belong(bench):
    for _ in range(300):
        bench.wait(11)
        for channel, place in enumerate(PLACES, start=1):
            assert bench.number(f"KRDG? {channel}") == pytest.approx(place.base_k, rel=0.05)


def test_a_clock_set_back_does_not_stop_it(bench):
    bench.wait(5)
    first = bench.say("SRDG? 2")
    bench.wait(-3600)
    assert bench.say("SRDG? 2") == first
    bench.wait(3601)
    assert bench.say("SRDG? 2") != first
