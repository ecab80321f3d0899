"""What the acquisition publishes, and what it says when something is wrong."""

import itertools
import math
import threading
import time

import pytest

from agents.lakeshore.link import InstrumentUnavailable
from agents.lakeshore240.acq_process import Era
from agents.lakeshore240.acquisition import InputReading, InputSetup, ModuleReader, Sweep
from agents.lakeshore240.driver import Model
from agents.lakeshore240.input_tables import ReadingStatus, Units
from agents.lakeshore240.watch import InputWatch
from ocs.testing import wait_for

FIELDS = {f"Channel_{n}_{end}" for n in range(1, 9) for end in ("T", "V", "status")}


def wait_for_data(lab, more=1):
    seen = len(lab.agent.published)
    wait_for(lambda: len(lab.agent.published) >= seen + more, 5, "data")


def test_what_is_published_is_what_was_sent(lab):
    plug, sent = lab.plugs[0], {}

    def answer(line):
        reply = plug.tell_instrument(line)
        sent[line.decode()] = reply.decode().strip()
        return reply

    plug.answer = answer
    plug.step_s = 0.0  # The module makes no new reading: the last are those published.
    lab.start_acq(sampling_frequency=10)
    wait_for_data(lab, more=2)
    lab.stop_acq()
    assert lab.result == (True, "Acquisition exited cleanly.")
    assert lab.agent.feeds["temperatures"].flushed == 1
    assert lab.agent.options["temperatures"]["record"]
    name, message = lab.agent.published[-1]
    assert (name, message["block_name"]) == ("temperatures", "temps")
    assert message["data"].keys() == FIELDS
    for n in range(1, 9):
        assert message["data"][f"Channel_{n}_T"] == float(sent[f"KRDG? {n}"])
        assert message["data"][f"Channel_{n}_V"] == float(sent[f"SRDG? {n}"])
        assert message["data"][f"Channel_{n}_status"] == 0
    assert lab.session.data == {
        "fields": {
            f"Channel_{n}": {
                "T": message["data"][f"Channel_{n}_T"],
                "V": message["data"][f"Channel_{n}_V"],
            }
            for n in range(1, 9)
        },
        "connection": {"last_attempt": message["timestamp"], "connected": True},
        "timestamp": message["timestamp"],
        "bad_replies": 0,
        "commands": {"count": 0, "last_s": 0.0, "longest_s": 0.0},
        "troubles": [],
    }


@pytest.mark.parametrize(
    ("condition", "flag", "sensor_good"),
    [
        ("overrange", 64, False),
        ("underrange", 128, False),
        ("invalid", 1, False),
        ("t_over", 32, True),
        ("t_under", 16, True),
    ],
)
def test_flagged_readings_are_nan_and_a_flag(lab, monkeypatch, condition, flag, sensor_good):
    monkeypatch.setattr("agents.lakeshore240.watch.FLAGGED_FOR_S", 0.2)
    lab.plugs[0].instrument.set_condition(condition, "2", active=True)
    lab.plugs[0].now += 1
    lab.start_acq(sampling_frequency=10)
    wait_for_data(lab, more=2)
    data = lab.data
    assert data.keys() == FIELDS
    assert data["Channel_2_status"] == flag
    assert math.isnan(data["Channel_2_T"])
    assert math.isnan(data["Channel_2_V"]) is not sensor_good
    assert 30 < data["Channel_1_T"] < 50
    assert data["Channel_1_status"] == 0
    wait_for(lambda: lab.session.degraded, 5, "degraded")
    assert any("Channel 2 (4K plate) has no valid reading" in text for text in lab.texts())
    assert lab.session.data["troubles"]
    lab.plugs[0].instrument.set_condition(condition, "2", active=False)
    wait_for(lambda: not lab.session.degraded, 5, "good again")
    assert any(text.startswith("Over: Channel 2 (4K plate)") for text in lab.texts())


def test_an_input_without_a_curve_has_no_temperature(lab):
    lab.plugs[0].say("CRVDEL 2")
    lab.plugs[0].now += 1
    lab.start_acq(sampling_frequency=10)
    wait_for_data(lab, more=2)
    assert math.isnan(lab.data["Channel_2_T"])
    assert lab.data["Channel_2_V"] > 0


def test_disabled_inputs_keep_their_fields_and_enabling_takes_effect(lab):
    plug = lab.plugs[0]
    lab.run("set_values", channel=2, enabled=0)
    lab.start_acq(sampling_frequency=10)
    wait_for_data(lab)
    assert lab.data.keys() == FIELDS
    assert math.isnan(lab.data["Channel_2_T"])
    assert math.isnan(lab.data["Channel_2_V"])
    assert lab.data["Channel_2_status"] == 1
    assert "KRDG? 2" not in plug.lines
    assert lab.run("set_values", channel=2, enabled=1)[0][0]
    wait_for(lambda: lab.data["Channel_2_T"] > 0, 5, "the input's readings")
    assert lab.session.data["commands"]["count"] == 2
    assert not lab.session.degraded


def test_no_input_enabled(make_lab, make_plug):
    lab = make_lab(make_plug(factory_new=True, channels=2))
    lab.start_acq(sampling_frequency=10)
    wait_for(lambda: lab.session.degraded, 5, "degraded")
    assert any("No input is enabled" in text for text in lab.texts())
    assert lab.data.keys() == {name for name in FIELDS if name[8] in "12"}


def test_pulled_out_and_plugged_in_again(lab):
    plug = lab.plugs[0]
    lab.start_acq(sampling_frequency=10)
    wait_for_data(lab)
    plug.pull_out()
    wait_for(lambda: lab.session.degraded, 5, "degraded")
    wait_for(lambda: not lab.session.data["connection"]["connected"], 5, "not connected")
    wait_for(lambda: "no such file" in lab.session.data["troubles"][0], 5, "the reason")
    published = len(lab.agent.published)
    attempt = lab.session.data["connection"]["last_attempt"]
    wait_for(lambda: lab.session.data["connection"]["last_attempt"] > attempt, 5, "another attempt")
    assert len(lab.agent.published) == published
    plug.plugged = True
    wait_for_data(lab)
    wait_for(lambda: not lab.session.degraded, 5, "good again")
    assert lab.session.data["connection"]["connected"]
    assert lab.session.data["troubles"] == []
    assert "Connection re-established." in lab.texts()


def test_one_bad_reply_loses_a_sweep_and_many_are_an_outage(lab):
    plug, bad = lab.plugs[0], itertools.count()

    def answer(line):
        if line == b"SRDG? 4" and next(bad) < 1:
            return b"+1.2E\xff\r\n"
        return plug.tell_instrument(line)

    plug.answer = answer
    lab.start_acq(sampling_frequency=10)
    wait_for_data(lab)
    assert lab.session.data["bad_replies"] == 1
    assert not lab.session.degraded
    plug.answer = lambda line: b"garbage\r\n" if line == b"KRDG? 1" else plug.tell_instrument(line)
    wait_for(lambda: lab.session.degraded, 10, "degraded")
    assert any("answers, but not as a Lake Shore 240 does" in text for text in lab.texts())
    plug.answer = plug.tell_instrument
    wait_for(lambda: not lab.session.degraded, 5, "good again")


def test_several_modules_share_a_session(make_lab, make_plug):
    lab = make_lab(make_plug("LSA1"), make_plug("2-B", channels=2))
    lab.start_acq(sampling_frequency=10)
    wait_for(
        lambda: len({message["block_name"] for _, message in list(lab.agent.published)}) == 2,
        5,
        "both",
    )
    wait_for(lambda: len(lab.session.data["fields"]) == 10, 5, "all fields")
    blocks = {message["block_name"]: message["data"] for _, message in list(lab.agent.published)}
    assert blocks["temps_LSA1"].keys() == {f"LSA1_{name}" for name in FIELDS}
    assert "SN2_B_Channel_2_T" in blocks["temps_SN2_B"]
    lab.plugs[1].pull_out()
    wait_for(lambda: lab.session.degraded, 5, "degraded")
    assert any(text.startswith("2-B: No answer") for text in lab.texts())
    seen = len(lab.agent.published)
    wait_for(lambda: len(lab.agent.published) > seen + 2, 5, "the other goes on")
    assert {message["block_name"] for _, message in lab.agent.published[seen:]} == {"temps_LSA1"}
    assert lab.session.degraded
    lab.plugs[1].plugged = True
    wait_for(lambda: not lab.session.degraded, 5, "good again")


def test_a_failure_nobody_foresaw_ends_acq_as_a_whole(make_lab, make_plug):
    lab = make_lab(make_plug("LSA1"), make_plug("LSA2"))
    module = lab.lakeshore.modules[1]
    module.curves.is_whole = None  # a fault of ours
    raised = []
    hook, threading.excepthook = threading.excepthook, lambda args: raised.append(args.exc_value)
    try:
        lab.start_acq(sampling_frequency=10)
        lab._acq.join(5)
        assert not lab._acq.is_alive()
    finally:
        threading.excepthook = hook
    assert isinstance(raised[0], TypeError)


def test_stopping_is_quick_however_slow_the_pace(lab):
    lab.start_acq(sampling_frequency=0.01)
    wait_for(lambda: lab.agent.published, 5, "the first sweep")
    began = time.monotonic()
    lab.stop_acq()
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("frequency", [0.0, -1.0, 11.0, math.nan])
def test_a_pace_that_is_impossible_is_refused(lab, frequency):
    (done, text), _ = lab.run("acq", sampling_frequency=frequency)
    assert not done
    assert "not above 0 and up to 10 Hz" in text


def test_the_names_of_2019(make_lab):
    lab = make_lab(era=Era.Y2019)
    lab.run("set_values", channel=1, units=3)
    lab.run("set_values", channel=2, units=2)
    lab.run("set_values", channel=3, units=4, name="Vessel")
    lab.run("set_values", channel=4, name=" ")
    lab.start_acq(sampling_frequency=10)
    wait_for_data(lab, more=2)
    data = lab.data
    # Names are made legal: a digit cannot be the first, two inputs cannot share one.
    old = {"K_plate_1", "K_plate_2", "Channel_4", "Vessel_3", "Vessel_5", "LN2_trap", "Cold_head"}
    assert data.keys() > FIELDS
    assert data["K_plate_1"] == data["Channel_1_V"]
    assert data["K_plate_2"] == data["Channel_2_T"] - 273.15
    assert data["Vessel_5"] == data["Channel_5_T"]
    assert data["Vessel_3"] == pytest.approx((data["Channel_3_T"] - 273.15) * 1.8 + 32)
    assert data["Channel_4"] == data["Channel_4_T"]
    assert data.keys() > old


def test_names_of_2019_that_differ_in_a_space_only(make_lab):
    lab = make_lab(era=Era.Y2019)
    lab.run("set_values", channel=1, name="Cold plate")
    lab.run("set_values", channel=2, name="Cold_plate")
    lab.start_acq(sampling_frequency=10)
    wait_for_data(lab, more=2)
    data = lab.data
    assert "Cold_plate" not in data
    assert data["Cold_plate_1"] == data["Channel_1_T"]
    assert data["Cold_plate_2"] == data["Channel_2_T"]


GOOD = InputReading(4.2, 1.6, ReadingStatus(0))


def sweep_at(time_s, *readings, enabled=True):
    setups = {n: InputSetup(enabled, Units.KELVIN, "") for n in range(1, len(readings) + 1)}
    return Sweep(time_s, setups, dict(enumerate(readings, start=1)))


def test_a_flicker_is_no_news():
    watch = InputWatch()
    flagged = InputReading(math.nan, math.nan, ReadingStatus.SENSOR_OVER_RANGE)
    assert watch.troubles(sweep_at(0, GOOD, flagged)) == {}
    assert watch.troubles(sweep_at(9, GOOD, flagged)) == {}
    found = watch.troubles(sweep_at(10, GOOD, flagged))
    assert found["input 2"].startswith("Channel 2 has no valid reading: Sensor over range.")
    assert watch.troubles(sweep_at(11, GOOD, GOOD)) == {}
    assert watch.troubles(sweep_at(21, GOOD, flagged)) == {}


def test_a_reading_that_never_changes_is_told():
    watch = InputWatch()
    for second in range(60):
        assert watch.troubles(sweep_at(second, GOOD)) == {}
    assert "same reading, 1.6, for 60 s" in watch.troubles(sweep_at(60, GOOD))["input 1"]
    assert watch.troubles(sweep_at(61, InputReading(4.2, 1.61, ReadingStatus(0)))) == {}
    # Rarely read, it may well be the same a few times.
    for minute in range(10):
        assert watch.troubles(sweep_at(100 + 60 * minute, GOOD)) == {}


def test_an_emulator_may_always_say_the_same():
    watch = InputWatch()
    for second in range(100):
        assert watch.troubles(sweep_at(second, InputReading(4.2, 1.6, None))) == {}


@pytest.mark.parametrize(("status", "sensor"), [(b"016", 1.5), (b"001", None)])
def test_a_flag_counts_however_plausible_the_reading(status, sensor):
    answers = {
        "MODNAME?": b"x",
        "INTYPE? 1": b"1,0,0,0,1,1",
        "INNAME? 1": b"x",
        "KRDG? 1": b"+04.2000",
        "SRDG? 1": b"+1.50000",
        "RDGST? 1": status,
    }
    reader = ModuleReader(
        lambda query: query.decode(answers[query.text]), lambda: Model(range(1, 2))
    )
    reading = reader.sweep().readings[1]
    assert math.isnan(reading.temperature_k)
    assert reading.sensor == sensor or (sensor is None and math.isnan(reading.sensor))


def test_an_emulator_is_not_asked_what_it_does_not_know():
    answers = {
        "MODNAME?": b"SIM",
        "INTYPE? 1": b"1,0,0,0,3,1",
        "INTYPE? 2": b"1,0,0,0,3,0",
        "INNAME? 1": b"Channel 1",
        "INNAME? 2": b"Channel 2",
        "KRDG? 1": b"99.14159265358979",
        "SRDG? 1": b"5e-05",
    }
    model = Model(range(1, 3), complete=False)
    reader = ModuleReader(lambda query: query.decode(answers[query.text]), lambda: model)
    sweep = reader.sweep()
    assert sweep.readings[1] == InputReading(99.14159265358979, 5e-05, None)
    assert sweep.readings[2].status is None
    assert sweep.enabled == [1]


def test_a_sweep_that_is_held_up_is_no_sweep():
    """A connection made anew in the middle of it would have readings of two times at one."""
    now = itertools.count(1_800_000_000.0, 0.05)
    held_up_s = {"SRDG? 1": 2.5}
    late_s = 0.0

    def ask(query):
        nonlocal late_s
        late_s += held_up_s.pop(query.text, 0.0)
        answers = {"MODNAME?": b"M", "INTYPE? 1": b"1,0,0,0,3,1", "INNAME? 1": b"Still"}
        return query.decode(answers.get(query.text, b"000" if "ST?" in query.text else b"+4.2"))

    reader = ModuleReader(ask, lambda: Model(range(1, 2)), clock=lambda: next(now) + late_s)
    with pytest.raises(InstrumentUnavailable, match=r"held up for 2\.[56] s"):
        reader.sweep()
    assert reader.sweep().readings[1].temperature_k == 4.2


def test_a_flag_that_goes_away_while_the_input_is_read_still_counts():
    """The zero was read while it was up, the status when it was not."""
    answers = {"MODNAME?": b"M", "INTYPE? 1": b"1,0,0,0,3,1", "INNAME? 1": b"Still"}
    readings = iter([(b"0", b"128"), (b"0", b"000"), (b"+4.2", b"000")])

    def ask(query):
        if query.text == "KRDG? 1":
            answers["KRDG? 1"], answers["RDGST? 1"] = next(readings)
            answers["SRDG? 1"] = answers["KRDG? 1"]
        return query.decode(answers[query.text])

    reader = ModuleReader(ask, lambda: Model(range(1, 2)))
    found = [reader.sweep().readings[1] for _ in range(3)]
    assert [math.isnan(reading.sensor) for reading in found] == [True, True, False]
    assert [reading.status for reading in found] == [128, 128, 0]
