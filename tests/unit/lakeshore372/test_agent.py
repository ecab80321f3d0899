"""The Agent's operations, without a router and without a socket."""

import math
import threading
import time

import pytest
from twisted.logger import Logger

import ocs
from agents.lakeshore.link import (
    Cancelled,
    CommandLatency,
    InstrumentUnavailable,
    WrongInstrument,
)
from agents.lakeshore.messages import BadReply
from agents.lakeshore372.acq_process import AcqOptions, Era
from agents.lakeshore372.LS372_agent import LS372_Agent
from ocs.op_session import OpSession
from ocs.params import check_params

ADDRESS = "10.0.0.6:7777"
AWAY = InstrumentUnavailable(f"No answer from the Lake Shore 372 at {ADDRESS}: timed out.")


class RecordingAgent:
    """Stands in for the OCS agent."""

    def __init__(self):
        self.log = Logger()
        self.feeds = {}
        self.published = []
        self.started = []
        self.sessions = {"acq": None}
        self.answer = (ocs.OK, "Started.", {})

    def register_feed(self, name, **options):
        self.feeds[name] = options

    def publish_to_feed(self, name, message):
        self.published.append((name, message))

    def start(self, name, params):
        self.started.append((name, params))
        return self.answer


class FakeDriver:
    """Asks the bench's instrument; errors in `trouble` come first, one a question."""

    address = ADDRESS
    name = "Lake Shore 372"
    command_latency = CommandLatency(2, 0.05, 0.1)

    def __init__(self, bench):
        self.bench = bench
        self.trouble = []
        self.forever = None
        self.mute = None
        self.mute_times = None

    def ask(self, query, cancel=None):
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled")
        if self.forever is not None:
            raise self.forever
        if self.trouble:
            raise self.trouble.pop(0)
        if query.text == self.mute and self.mute_times != 0:
            self.mute_times = None if self.mute_times is None else self.mute_times - 1
            raise AWAY
        self.bench.wait(0.1)
        return self.bench.ask(query)

    def change(self, command, readback, cancel=None):
        self.bench.say(command.text)
        return self.ask(readback, cancel)


@pytest.fixture
def agent():
    return RecordingAgent()


@pytest.fixture
def driver(bench):
    bench.wait(4)
    return FakeDriver(bench)


@pytest.fixture
def lakeshore(agent, driver):
    return LS372_Agent(agent, "LSA23JD", "10.0.0.6", driver=driver)


def run(op, session, params=None):
    session.set_status("running")
    return op(session, check_params(op, params))


class Running:
    """acq in a thread, as the framework runs it."""

    def __init__(self, lakeshore, params=None):
        self.session = OpSession(0, "acq")
        self.lakeshore = lakeshore
        self.result = None
        self.thread = threading.Thread(target=self._run, args=(params,), daemon=True)
        self.thread.start()

    def _run(self, params):
        self.result = run(self.lakeshore.acq, self.session, params)

    def until(self, condition):
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, self.session.messages
            assert self.thread.is_alive() or condition(), self.result
            self.thread.join(0.01)

    def stop(self):
        started = time.monotonic()
        assert self.lakeshore.stop_acq(self.session, None)[0]
        self.thread.join(10)
        assert not self.thread.is_alive()
        assert self.result == (True, "Acquisition exited cleanly.")
        return time.monotonic() - started


def texts(session):
    return [text for _, text in session.messages]


def test_the_feed(agent, lakeshore):
    assert agent.feeds == {
        "temperatures": {"record": True, "agg_params": {"frame_length": 60}, "buffer_time": 1}
    }
    assert not lakeshore.initialized


def test_init_lakeshore_once_and_again(lakeshore, driver, bench):
    session = OpSession(0, "init_lakeshore")
    ok, message = run(lakeshore.init_lakeshore, session)
    assert ok
    assert message == (
        f"Lake Shore 372 LSA23JD, firmware 1.3, at {ADDRESS}: autoscan on, "
        "16 of 16 channels enabled."
    )
    asked = len(bench.lines)
    assert run(lakeshore.init_lakeshore, OpSession(1, "i")) == (
        True,
        "Lakeshore already initialized.",
    )
    assert len(bench.lines) == asked
    bench.say("INSET 3,1,10,3,0,1;INSET 4,0,10,3,0,1;SCAN 1,0")
    ok, message = run(lakeshore.init_lakeshore, OpSession(2, "i"), {"force": True})
    assert ok
    assert "autoscan off, 15 of 16 channels enabled." in message
    assert message.endswith("without temperatures: 3.")


@pytest.mark.parametrize(
    "error", [AWAY, WrongInstrument("The 372 has serial number X."), BadReply("noise")]
)
def test_init_lakeshore_fails_in_words(lakeshore, driver, error):
    driver.trouble = [error]
    assert run(lakeshore.init_lakeshore, OpSession(0, "i")) == (False, str(error))
    assert not lakeshore.initialized
    assert run(lakeshore.init_lakeshore, OpSession(1, "i"))[0]


def test_init_lakeshore_may_start_acq(lakeshore, agent):
    params = {"auto_acquire": True, "acq_params": {"run_once": True}}
    assert run(lakeshore.init_lakeshore, OpSession(0, "i"), params)[0]
    assert agent.started == [("acq", {"run_once": True})]
    agent.answer = (ocs.ERROR, 'Operation "acq" already in progress.', {})
    agent.sessions["acq"] = OpSession(1, "acq")
    assert run(lakeshore.init_lakeshore, OpSession(2, "i"), params)[0]
    agent.answer = (ocs.ERROR, "params included unexpected values: ['x']", {})
    agent.sessions["acq"] = None
    ok, message = run(lakeshore.init_lakeshore, OpSession(3, "i"), params)
    assert not ok
    assert "unexpected values" in message


def test_acq_publishes_what_the_instrument_sent(lakeshore, agent, bench):
    session = OpSession(0, "acq")
    assert run(lakeshore.acq, session, {"run_once": True})[0]
    kelvin, ohms = (
        float(next(s for s in reversed(bench.sent) if s.quantity == quantity).value)
        for quantity in "TR"
    )
    ((feed, message),) = agent.published
    assert feed == "temperatures"
    assert message == {
        "block_name": "Channel 01",
        "timestamp": pytest.approx(time.time(), abs=5),
        "data": {"Channel_01_T": kelvin, "Channel_01_R": ohms, "Channel_01_status": 0},
    }
    assert type(message["data"]["Channel_01_status"]) is int
    assert session.data == {
        "fields": {"Channel_01": {"T": kelvin, "R": ohms, "timestamp": message["timestamp"]}},
        "bad_replies": 0,
        "commands": {"count": 2, "last_s": 0.05, "longest_s": 0.1},
        "troubles": [],
    }
    assert not session.degraded


def test_a_flagged_reading_is_never_a_number(lakeshore, agent, bench):
    bench.say("INTYPE 1,0,5,0,10,0,1")
    bench.wait(1)
    session = OpSession(0, "acq")
    assert run(lakeshore.acq, session, {"run_once": True})[0]
    ((_, message),) = agent.published
    assert math.isnan(message["data"]["Channel_01_T"])
    assert math.isnan(message["data"]["Channel_01_R"])
    assert message["data"]["Channel_01_status"] == 16
    assert session.encoded()["data"]["fields"]["Channel_01"]["T"] is None


def test_acq_waits_for_the_instrument_and_goes_on_by_itself(lakeshore, driver, agent):
    driver.forever = AWAY
    running = Running(lakeshore)
    running.until(lambda: running.session.degraded)
    assert f"{AWAY} Trying again." in texts(running.session)
    driver.forever = None
    running.until(lambda: len(agent.published) > 2)
    assert not running.session.degraded
    driver.forever = AWAY
    running.until(lambda: running.session.degraded)
    published = len(agent.published)
    driver.forever = None
    running.until(lambda: len(agent.published) > published)
    assert texts(running.session).count("Connection re-established.") == 2
    assert texts(running.session).count(f"{AWAY} Trying again.") == 2
    running.stop()


def test_bad_replies_are_counted_and_do_not_end_acq(lakeshore, driver, agent):
    running = Running(lakeshore)
    running.until(lambda: agent.published)
    driver.trouble = 3 * [BadReply("noise")]
    running.until(lambda: running.session.data["bad_replies"] == 3)
    assert not running.session.degraded
    published = len(agent.published)
    running.until(lambda: len(agent.published) > published)
    driver.forever = BadReply("noise")
    running.until(lambda: running.session.degraded)
    assert f"{ADDRESS} answers, but not as a Lake Shore 372 does" in texts(running.session)[-1]
    driver.forever = None
    running.until(lambda: not running.session.degraded)
    running.stop()


@pytest.mark.parametrize("away", [False, True])
def test_stop_takes_effect_soon(lakeshore, driver, away):
    driver.forever = AWAY if away else None
    running = Running(lakeshore)
    running.until(lambda: running.session.degraded is away and running.session.data)
    assert running.stop() < 0.3


def test_stop_before_acq_has_begun(lakeshore):
    session = OpSession(0, "acq")
    session.set_status("running")
    lakeshore.stop_acq(session, None)
    assert session.status == "stopping"
    assert lakeshore.acq(session, {"sample_heater": False, "run_once": False})[0]


def test_another_instrument_ends_acq_unless_the_right_one_was_there(lakeshore, driver, agent):
    wrong = WrongInstrument("The 372 has serial number X, not LSA23JD.")
    driver.forever = wrong
    assert run(lakeshore.acq, OpSession(0, "acq")) == (False, str(wrong))
    driver.forever = None
    running = Running(lakeshore)
    running.until(lambda: agent.published)
    driver.forever = wrong
    running.until(lambda: running.session.degraded)
    assert texts(running.session)[-1] == f"{wrong} Trying again."
    running.stop()


def test_the_control_input_is_read_too(lakeshore, agent):
    assert run(lakeshore.enable_control_chan, OpSession(0, "e"))[0]
    session = OpSession(0, "acq")
    assert run(lakeshore.acq, session, {"run_once": True})[0]
    (_, control) = (message for _, message in agent.published)
    assert control["block_name"] == "control_chan"
    assert set(control["data"]) == {"control_T", "control_R", "control_status"}
    assert set(session.data["fields"]) == {"Channel_01", "control"}
    assert set(session.data["fields"]["control"]) == {"T", "R", "timestamp"}
    assert run(lakeshore.disable_control_chan, OpSession(1, "d"))[0]
    agent.published.clear()
    assert run(lakeshore.acq, OpSession(0, "acq"), {"run_once": True})[0]
    assert len(agent.published) == 1


def test_the_sample_heater_is_read_too(lakeshore, agent):
    assert run(lakeshore.acq, OpSession(0, "acq"), {"run_once": True, "sample_heater": True})[0]
    (_, heater) = (message for _, message in agent.published)
    assert heater["block_name"] == "heaters"
    assert list(heater["data"]) == ["sample_heater_output"]
    assert type(heater["data"]["sample_heater_output"]) is float


def test_a_heater_that_does_not_answer_is_told_and_readings_go_on(lakeshore, driver, agent):
    driver.mute = "HTR?"
    running = Running(lakeshore, {"sample_heater": True})
    running.until(lambda: running.session.degraded)
    assert "The sample heater does not answer" in texts(running.session)[-1]
    published = len(agent.published)
    running.until(lambda: len(agent.published) > published + 3)
    assert {message["block_name"] for _, message in agent.published} == {"Channel 01"}
    running.until(lambda: len(running.session.data["troubles"]) == 1)
    running.stop()


def test_one_lost_answer_of_the_heater_is_no_trouble(lakeshore, driver, agent):
    driver.mute, driver.mute_times = "HTR?", 1
    running = Running(lakeshore, {"sample_heater": True})
    running.until(lambda: "heaters" in [message["block_name"] for _, message in agent.published])
    assert not running.session.degraded
    running.stop()


def test_the_field_of_2019(agent, driver):
    options = AcqOptions(era=Era.Y2019)
    lakeshore = LS372_Agent(agent, "LSA23JD", "10.0.0.6", options=options, driver=driver)
    assert run(lakeshore.acq, OpSession(0, "acq"), {"run_once": True})[0]
    driver.bench.say("INTYPE 1,0,5,0,13,0,2")
    assert run(lakeshore.acq, OpSession(1, "acq"), {"run_once": True})[0]
    (_, kelvin), (_, ohms) = agent.published
    assert kelvin["data"]["Channel_01"] == kelvin["data"]["Channel_01_T"]
    assert ohms["data"]["Channel_01"] == ohms["data"]["Channel_01_R"]


def test_a_renamed_channel_is_noticed_at_once(lakeshore, driver, agent):
    """Without a scan the channel is never entered again."""
    running = Running(lakeshore)
    running.until(lambda: agent.published)
    driver.bench.say('SCAN 1,0;INNAME 1,"MC plate"')
    lakeshore.channels_changed.set()
    running.until(lambda: agent.published[-1][1]["block_name"] == "MC plate")
    running.stop()


def test_a_reading_taken_around_a_change_is_not_published(lakeshore, driver, agent):
    """The command's thread has its answer, but has not said so yet, when the reading is asked."""
    around, ask = [], driver.ask

    def ask_around(query, cancel=None):
        answer = ask(query, cancel)
        if query.text.startswith("KRDG?") and len(around) < 3:
            around.append(answer.temperature_k)
            lakeshore.channels_changed.set()
        return answer

    driver.ask = ask_around
    running = Running(lakeshore)
    running.until(lambda: len(agent.published) >= 3)
    running.stop()
    published = [message["data"]["Channel_01_T"] for _, message in agent.published]
    assert len(around) == 3
    assert not set(around) & set(published)


def test_the_settings_file_of_the_command_line(agent, driver, tmp_path, monkeypatch):
    monkeypatch.setenv("OCS_CONFIG_DIR", str(tmp_path))
    entry = "{enable: on, excitation_mode: voltage, excitation_value: 2e-4, autorange: on, "
    entry += "dwell: 77, pause: 3, calibration_curve_num: CURVE, temperature_coeff: negative}"
    text = f"LSA23JD: {{device_settings: {{autoscan: on}}, channel: {{4: {entry}}}}}"
    path = tmp_path / "a.yaml"
    path.write_text(text.replace("CURVE", "58"))
    lakeshore = LS372_Agent(agent, None, "10.0.0.6", configfile="a.yaml", driver=driver)
    running = Running(lakeshore)
    running.until(lambda: running.session.degraded)
    running.until(lambda: running.session.data["troubles"])
    assert "The settings file is not in force" in running.session.data["troubles"][0]
    running.until(lambda: agent.published)
    path.write_text(text.replace("CURVE", "24"))
    assert run(lakeshore.init_lakeshore, OpSession(1, "i"), {"configfile": "a.yaml"})[0]
    running.until(lambda: not running.session.degraded)
    running.stop()
    assert driver.bench.say("INSET? 4") == "1,077,003,24,1"


def test_init_lakeshore_applies_the_settings_file(agent, driver, tmp_path):
    lakeshore = LS372_Agent(agent, None, "x", configfile=str(tmp_path / "no.yaml"), driver=driver)
    ok, words = run(lakeshore.init_lakeshore, OpSession(0, "i"))
    assert (ok, "cannot be read" in words) == (False, True)
