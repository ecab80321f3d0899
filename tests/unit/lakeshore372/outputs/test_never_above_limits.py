"""Whatever clients ask for, in whatever order, the outputs stay within the site's limits."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocs.params import ParamError

LIMITS = {
    "setpoint_k": 0.2,
    "sample_heater_range_a": 1e-3,
    "sample_heater_power_w": 2e-5,
    "still_percent": 20.0,
    "warm_up_percent": 30.0,
}

MODES = {
    "sample": ["off", "open loop", "zone", "closed loop"],
    "still": ["off", "monitor out", "open loop", "still"],
    "warmup": ["off", "open loop", "zone", "closed loop", "warm up"],
}
RANGES = {
    "sample": ["off", 31.6e-6, 316e-6, 1e-3, 3.16e-3],
    "still": ["off", "on"],
    "warmup": ["off", "on"],
}

percents = st.floats(0, 100)
kelvins = st.floats(0.001, 2)


def request(name, **params):
    return st.tuples(st.just(name), st.fixed_dictionaries(params))


def requests(heater):
    """What may be asked about one heater, as often what sets it going as what sets it up."""
    output = percents if heater != "sample" else percents | st.floats(0, 1e-4)
    kinds = [
        request("set_output_mode", heater=st.just(heater), mode=st.sampled_from(MODES[heater])),
        request("set_heater_range", heater=st.just(heater), range=st.sampled_from(RANGES[heater])),
        request("set_heater_output", heater=st.just(heater), output=output),
    ]
    if heater == "still":
        kinds.append(request("set_still_output", output=percents))
    if heater == "warmup":
        kinds.append(request("set_warmup", output=percents, control=st.just("continuous")))
    if heater == "sample":
        display = st.sampled_from(["current", "power"])
        kinds += [
            request("set_setpoint", temperature=kelvins),
            request(
                "servo_to_temperature",
                temperature=kelvins,
                heater_range=st.sampled_from([None, 316e-6, 10e-3]),
            ),
            request("set_heater_output", heater=st.just(heater), output=output, display=display),
        ]
    if heater != "warmup":
        kinds.append(
            request(
                "custom_pid",
                setpoint=kelvins,
                heater=st.just(heater),
                channel=st.sampled_from([6, 10]),
                P=st.floats(0, 10),
                I=st.floats(0, 1),
                update_time=st.just(0.5),
                sample_heater_range=st.sampled_from([316e-6, 1e-3]),
                test_mode=st.just(True),
            )
        )
    return st.one_of(kinds)


def check(lab):
    bench = lab.bench
    display = bench.say("HTRSET? 0")[-1]
    full_a = [0, 31.6e-6, 1e-4, 316e-6, 1e-3, 3.16e-3, 1e-2, 31.6e-3, 0.1][
        int(bench.say("RANGE? 0"))
    ]
    value = float(bench.say("HTR?"))
    power_w = value if display == "2" else 120 * (full_a * value / 100) ** 2
    assert full_a <= 1e-3
    assert power_w <= 2.001e-5
    assert abs(float(bench.say("AOUT? 2"))) <= 20.01
    assert abs(float(bench.say("AOUT? 1"))) <= 30.01
    if bench.say("OUTMODE? 0").startswith("5"):
        assert float(bench.say("SETP? 0")) <= 0.2001


BY_HAND = {
    "sample": ["SETP 0,5", "MOUT 0,90"],
    "still": ["STILL 90", "RANGE 2,0", "MOUT 2,80"],
    "warmup": ["MOUT 1,70", "WARMUP 1,60"],
}
"""What may be set up at the front panel without an effect yet."""


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("heater", MODES)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_in_any_order(make_bench, make_lab_of, heater, by_hand, data):
    lab = make_lab_of(make_bench(), **LIMITS)
    if by_hand:
        for line in BY_HAND[heater]:
            lab.say(line)
    else:
        lab.succeed("set_output_mode", heater=heater, mode="open loop")
        lab.succeed("set_heater_range", heater=heater, range=RANGES[heater][1])
    for name, params in data.draw(st.lists(requests(heater), min_size=3, max_size=10)):
        published = len(lab.published)
        try:
            succeeded = lab.run(name, **params)[0]
        except ParamError:
            succeeded = False
        if not succeeded and name != "custom_pid":
            assert len(lab.published) == published
        lab.bench.wait(0.5)
        check(lab)
