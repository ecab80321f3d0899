import pytest

from ocs.params import ParamError

SAMPLE = {
    "setpoint": 0.05,
    "heater": "sample",
    "channel": 10,
    "P": 1e-3,
    "I": 0.2,
    "update_time": 1.0,
    "sample_heater_range": 1e-3,
}
STILL = {
    "setpoint": 0.8,
    "heater": "still",
    "channel": 6,
    "P": 5e-3,
    "I": 0.05,
    "update_time": 2.0,
}


class Script:
    """Does things to a running loop at their times, and stops it in the end."""

    def __init__(self, lab, seconds, **params):
        self.lab = lab
        self.began = lab.bench.now
        self.end = self.began + seconds
        self.steps = []
        self.params = {**SAMPLE, **params}
        self.history = []

    def at(self, seconds, action):
        self.steps.append((self.began + seconds, action))
        return self

    def meanwhile(self):
        lab, now = self.lab, self.lab.bench.now
        self.history.append((now - self.began, lab.session.degraded, lab.session.data))
        while self.steps and now >= self.steps[0][0]:
            self.steps.pop(0)[1]()
        if now >= self.end:
            lab.agent.ops["custom_pid"][1](lab.session, None)

    def run(self):
        self.lab.meanwhile = self.meanwhile
        outcome = self.lab.run("custom_pid", **self.params)
        self.lab.meanwhile = None
        return outcome

    def degraded_from(self):
        return [at for at, degraded, _ in self.history if degraded]

    def texts(self):
        return [text for _, text in self.lab.session.messages]


def condition(lab, name, target, active=True):
    return lambda: lab.bench.instrument.set_condition(name, target, active=active)


def heater_power(lab):
    return float(lab.say("MOUT? 0"))


def test_it_holds_a_stage_at_its_setpoint_with_the_sample_heater(lab):
    script = Script(lab, 240)
    assert script.run() == (True, "The loop has ended.")
    assert script.degraded_from() == []
    kelvins = [data["fields"]["Channel_10"]["T"] for _, _, data in script.history if data]
    assert [sum(some) / len(some) for some in kelvins[-300:]] == pytest.approx(
        [0.05] * 300, abs=1e-3
    )


def test_it_holds_the_still_with_the_still_heater(lab):
    script = Script(lab, 600, **STILL, sample_heater_range=1e-3)
    assert script.run()[0]
    kelvins = [data["fields"]["Channel_06"]["T"] for _, _, data in script.history if data]
    mean = [sum(some) / len(some) for some in kelvins[-300:]]
    assert mean == pytest.approx([0.8] * len(mean), abs=0.02)
    name, block = lab.published[-1]
    assert name == "still_heater_out"
    assert 0 < block["still_heater_out"] < 100


def test_what_clients_see(lab):
    script = Script(lab, 30)
    script.run()
    data = script.history[-1][2]
    readings = data["fields"]["Channel_10"]
    assert set(readings) == {"T", "R", "timestamps"}
    assert 5 <= len(readings["T"]) == len(readings["R"]) == len(readings["timestamps"]) <= 11
    assert readings["timestamps"] == sorted(set(readings["timestamps"]))
    assert data["setpoint"] == 0.05
    assert 0 < data["power"] <= 1.2e-4
    assert lab.published[-1] == ("sample_heater_out", {"sample_heater_out": data["output"]})
    assert data["output"] == pytest.approx(data["power"], rel=1e-3)


def test_it_prepares_scanner_and_heater_and_leaves_the_heater_at_zero(lab):
    seen = []
    script = Script(lab, 20).at(10, lambda: seen.append(lab.say("OUTMODE? 0;RANGE? 0;SCAN?")))
    lab.say("MOUT 0,50")
    script.run()
    assert seen == ["2,10,1,0,0,001;4;10,0"]
    assert heater_power(lab) == 0
    zero = lab.commands().index("MOUT 0,0")
    assert zero < lab.commands().index("RANGE 0,4")


def test_test_mode_ends_after_one_change(lab):
    assert lab.run("custom_pid", **SAMPLE, test_mode=True) == (True, "The loop has ended.")
    assert len(lab.published) == 1
    assert heater_power(lab) == 0


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        ("overrange", "10", "The unit flags channel 10: R over range."),
        ("t_under", "10", "The unit flags channel 10: T under range."),
        ("no_reading", "10", "The unit gives no temperature for channel 10"),
        ("frozen", "10", "The unit makes no new readings of channel 10."),
    ],
)
def test_without_usable_readings_the_heater_is_at_zero(lab, name, target, words):
    power = []
    script = (
        Script(lab, 60)
        .at(20, condition(lab, name, target))
        .at(29, lambda: power.append(heater_power(lab)))
        .at(30, condition(lab, name, target, active=False))
        .at(39, lambda: power.append(heater_power(lab)))
    )
    assert script.run()[0]
    assert power[0] == 0
    assert power[1] > 0
    assert 20 < script.degraded_from()[0] < 24
    assert 29 < script.degraded_from()[-1] < 31
    (told,) = [text for text in script.texts() if words in text]
    assert "The sample heater is at zero until there are good readings again." in told
    assert "Good readings again: the loop goes on." in script.texts()


def test_lost_time_is_not_made_up_for(lab):
    powers = []
    script = Script(lab, 60)

    def note():
        now = lab.bench.now - script.began
        powers.append((now, heater_power(lab)))
        script.at(now + 0.01, note)

    script.at(20, condition(lab, "overrange", "10"))
    script.at(40, condition(lab, "overrange", "10", active=False))
    script.at(40, note)
    script.run()
    recovered = next(at for at, degraded, _ in script.history if at > 40 and not degraded)
    first_power_at = next(at for at, power in powers if power > 0)
    assert first_power_at - recovered >= SAMPLE["update_time"] - 0.1


def test_an_output_left_over_from_before_is_not_taken_up(lab):
    lab.say("MOUT 2,80")
    outcome, message = lab.run("custom_pid", **STILL, test_mode=True)
    assert outcome, message
    assert lab.commands().index("MOUT 2,0") < lab.commands().index("OUTMODE 2,2,16,1,0,0,1")


def test_the_scanner_taken_elsewhere(lab):
    script = (
        Script(lab, 60).at(20, lambda: lab.say("SCAN 3,0")).at(30, lambda: lab.say("SCAN 10,0"))
    )
    assert script.run()[0]
    assert 20 < script.degraded_from()[0] < 21
    assert any("The scanner is on channel 3" in text for text in script.texts())
    assert not script.history[-1][1]


def test_an_outage_of_the_unit(lab):
    def away(is_away):
        lab.driver.away = is_away

    power = []
    script = (
        Script(lab, 90)
        .at(20, lambda: power.append(heater_power(lab)))
        .at(20, lambda: away(True))
        .at(50, lambda: power.append(heater_power(lab)))
        .at(50, lambda: away(False))
    )
    assert script.run()[0]
    (told,) = [text for text in script.texts() if "No answer" in text]
    assert "The sample heater stays as it is" in told
    assert power[1] == pytest.approx(power[0], rel=0.2)
    assert script.degraded_from()[-1] < 54
    assert not script.history[-1][1]
    assert heater_power(lab) == 0


def test_a_channel_found_frozen_after_an_outage(lab):
    def away(is_away):
        lab.driver.away = is_away

    power = []
    script = (
        Script(lab, 60)
        .at(20, lambda: away(True))
        .at(30, condition(lab, "frozen", "10"))
        .at(30, lambda: away(False))
        .at(40, lambda: power.append(heater_power(lab)))
    )
    assert script.run()[0]
    assert power == [0]
    assert any("makes no new readings" in text for text in script.texts())


def test_asking_faster_than_the_unit_reads(lab):
    script = Script(lab, 30, query_rate=20)
    assert script.run()[0]
    assert script.degraded_from() == []
    timestamps = script.history[-1][2]["fields"]["Channel_10"]["timestamps"]
    assert 8 <= len(timestamps) <= 11


def test_a_unit_that_is_away_at_first(lab):
    lab.driver.away = True
    script = Script(lab, 60)

    def back():
        lab.driver.away = False

    assert script.at(20, back).run()[0]
    assert script.degraded_from()[0] < 5
    assert lab.published


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("RANGE 0,0", "its range off"),
        ("RANGE 0,8", "its range 0.1 A"),
        ("OUTMODE 0,5,10,1,0,0,1", "its mode is Closed Loop"),
        ("HTRSET 0,120,0,0,1", "its display current"),
    ],
)
def test_it_does_not_fight_with_somebody_else(lab, line, words):
    script = Script(lab, 60).at(20, lambda: lab.say(line))
    outcome, message = script.run()
    assert not outcome
    assert "changed by somebody else or by the unit itself" in message
    assert words in message
    assert lab.bench.now - script.began < 25
    after = lab.commands()[lab.commands().index(line) + 1 :]
    assert after == ([] if "OUTMODE" in line else ["MOUT 0,0"])


def test_a_temperature_limit_ends_it(lab):
    lab.say("TLIMIT 1,1")
    lab.bench.wait(20)
    outcome, message = Script(lab, 60).run()
    assert not outcome
    assert "TLIMIT" in message
    assert heater_power(lab) == 0


def test_heaters_off_ends_it(lab):
    script = Script(lab, 60)

    def off():
        session = lab.session
        lab.meanwhile = None
        lab.succeed("heaters_off")
        lab.session, lab.meanwhile = session, script.meanwhile

    assert script.at(20, off).run()[0]
    assert lab.bench.now - script.began < 25
    assert lab.say("RANGE? 0") == "0"


def test_a_broken_heater(lab):
    script = Script(lab, 60).at(20, condition(lab, "heater_open", "0"))
    outcome, message = script.run()
    assert not outcome
    assert "the sample heater is open" in message


def test_a_heater_that_cannot_be_set_to_zero_in_the_end(lab):
    def away():
        lab.driver.away = True

    outcome, message = Script(lab, 20).at(19.9, away).run()
    assert not outcome
    assert "The sample heater may still be on: No answer" in message
    assert "Switch it off at the unit." in message


def test_the_sites_limits(make_lab):
    lab = make_lab(setpoint_k=0.04, sample_heater_range_a=316e-6)
    lab.bench.lines.clear()
    assert "--max-setpoint" in lab.fail("custom_pid", **SAMPLE)
    assert "--max-sample-heater-range" in lab.fail("custom_pid", **{**SAMPLE, "setpoint": 0.04})
    assert lab.commands() == []


def test_the_power_stays_below_the_sites_limits(make_lab):
    lab = make_lab(still_percent=11)
    Script(lab, 60, **{**STILL, "setpoint": 0.99, "P": 10}).run()
    outputs = [block["still_heater_out"] for _, block in lab.published]
    assert max(outputs) == pytest.approx(11, abs=0.01)


@pytest.mark.parametrize(
    "params",
    [
        {"setpoint": 0},
        {"heater": "warmup"},
        {"channel": 0},
        {"channel": 2.5},
        {"channel": "A"},
        {"P": -1},
        {"I": -0.1},
        {"update_time": 0},
        {"query_rate": 0},
        {"sample_heater_range": 0},
    ],
)
def test_nonsense(lab, params):
    with pytest.raises(ParamError):
        lab.run("custom_pid", **{**SAMPLE, **params})


def test_channel_as_existing_clients_send_it(lab):
    assert lab.run("custom_pid", **{**SAMPLE, "channel": 10.0}, test_mode=True)[0]


def test_a_fault_of_ours_does_not_leave_the_heater_on(lab):
    publish = lab.agent.publish_to_feed

    def fail_later(feed, message):
        publish(feed, message)
        if len(lab.published) == 5:
            assert heater_power(lab) > 0
            raise RuntimeError("a fault of ours")

    lab.agent.publish_to_feed = fail_later
    with pytest.raises(RuntimeError, match="a fault of ours"):
        lab.run("custom_pid", **SAMPLE)
    assert heater_power(lab) == 0


def test_garbage_ends_with_the_heater_at_zero_as_soon_as_that_can_be_seen(lab):
    def garble(predicate):
        return lambda: setattr(lab.driver, "garbles", predicate)

    power = []
    script = (
        Script(lab, 60)
        .at(19, lambda: power.append(heater_power(lab)))
        .at(20, garble(lambda _: True))
        .at(30, garble(lambda text: "KRDG?" in text))
        .at(31, lambda: power.append(heater_power(lab)))
        .at(40, garble(None))
    )
    assert script.run()[0]
    assert power[0] > 0
    assert power[1] == 0
    told = [text for text in script.texts() if "answered with" in text]
    assert len(told) == 1


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_a_correction_of_the_clock_does_not_disturb_it(lab, step_s):
    script = Script(lab, 240).at(120, lambda: setattr(lab, "clock_error_s", step_s))
    assert script.run()[0]
    assert script.degraded_from() == []
    updates = {
        data["fields"]["Channel_10"]["timestamps"][-1] for _, _, data in script.history[1300:]
    }
    assert len(updates) > 50
    kelvins = [data["fields"]["Channel_10"]["T"] for _, _, data in script.history if data]
    assert [sum(some) / len(some) for some in kelvins[-300:]] == pytest.approx(
        [0.05] * 300, abs=1e-3
    )
