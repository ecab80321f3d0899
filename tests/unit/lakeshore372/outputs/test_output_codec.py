import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lakeshore.messages import BadReply, Query
from agents.lakeshore372 import loop_codec, output_codec
from agents.lakeshore372.output_tables import (
    ALLOWED_MODES,
    Display,
    HeaterFault,
    HeaterSetup,
    Output,
    OutputMode,
    OutputModeSetup,
    PidTerms,
    Polarity,
    Ramp,
    WarmUp,
    WarmUpControl,
    Zone,
    full_power_w,
)

LOOPS = [Output.SAMPLE, Output.WARM_UP]

ALL_QUERIES: list[Query] = [
    *map(output_codec.output_mode, Output),
    *map(output_codec.heater_setup, Output),
    *map(output_codec.heater_range, Output),
    *map(output_codec.manual_output, Output),
    *map(output_codec.output_state, Output),
    output_codec.sample_heater_output(),
    output_codec.sample_heater(),
    output_codec.analog_output(Output.WARM_UP),
    output_codec.analog_output(Output.STILL),
    *map(output_codec.heater_fault, LOOPS),
    output_codec.still_output(),
    output_codec.warm_up(),
    *map(loop_codec.pid, LOOPS),
    *map(loop_codec.setpoint, LOOPS),
    *map(loop_codec.ramp, LOOPS),
    *map(loop_codec.ramping, LOOPS),
    loop_codec.zone(Output.SAMPLE, 1),
    loop_codec.zone(Output.WARM_UP, 10),
]


@pytest.mark.parametrize("query", ALL_QUERIES, ids=lambda query: query.text)
@given(reply=st.binary(max_size=80) | st.text("+-.E0123456789,; A", max_size=60).map(str.encode))
def test_any_reply_is_a_value_or_a_bad_reply(query, reply):
    try:
        query.decode(reply)
    except BadReply as error:
        assert query.text in str(error)


def test_replies_recorded_from_a_unit():
    assert output_codec.output_mode(Output.SAMPLE).decode(b"2,6,1,0,0,001") == OutputModeSetup(
        OutputMode.OPEN_LOOP, 6, True, Polarity.UNIPOLAR, False, 1
    )
    assert output_codec.output_mode(Output.STILL).decode(b"4,16,1,0,0,001") == OutputModeSetup(
        OutputMode.STILL, 16, True, Polarity.UNIPOLAR, False, 1
    )
    setup = HeaterSetup(120.0, 8, 0.0, Display.CURRENT)
    for output in (Output.SAMPLE, Output.STILL):
        assert output_codec.heater_setup(output).decode(b"+120.000,8,+0000.00,1") == setup
    assert output_codec.heater_range(Output.SAMPLE).decode(b"0") == 0
    assert output_codec.still_output().decode(b"+10.60") == 10.6
    assert output_codec.sample_heater_output().decode(b"+00.0005E+00") == 0.0005


def test_inputs_of_a_loop():
    query = output_codec.output_mode(Output.SAMPLE)
    assert query.decode(b"5,A,0,0,0,005").channel == "A"
    assert query.decode(b"0,0,0,0,0,001").channel is None
    assert query.decode(b"5,06,0,1,1,255").polarity is Polarity.BIPOLAR


@pytest.mark.parametrize(
    ("query", "reply"),
    [
        (output_codec.output_mode(Output.SAMPLE), b"4,6,1,0,0,001"),
        (output_codec.output_mode(Output.SAMPLE), b"5,17,1,0,0,001"),
        (output_codec.output_mode(Output.SAMPLE), b"5,6,1,0,0"),
        (output_codec.heater_range(Output.SAMPLE), b"9"),
        (output_codec.heater_range(Output.STILL), b"2"),
        (output_codec.heater_setup(Output.WARM_UP), b"+120.000,8,+0000.00,1"),
        (output_codec.heater_setup(Output.SAMPLE), b"+120.000,8,+0000.00,3"),
        (output_codec.heater_fault(Output.SAMPLE), b"3"),
        (loop_codec.pid(Output.SAMPLE), b"+1001.0,0,0"),
        (loop_codec.ramp(Output.SAMPLE), b"1,+101"),
        (output_codec.still_output(), b"+100.1"),
    ],
)
def test_impossible_replies(query, reply):
    with pytest.raises(BadReply):
        query.decode(reply)


numbers = st.floats(0, 100)
pids = st.builds(PidTerms, st.floats(0, 1000), st.floats(0, 10000), st.floats(0, 2500))


@st.composite
def modes(draw):
    output = draw(st.sampled_from(Output))
    return output, OutputModeSetup(
        mode=draw(st.sampled_from(ALLOWED_MODES[output])),
        channel=draw(st.none() | st.just("A") | st.integers(1, 16)),
        powerup=draw(st.booleans()),
        polarity=draw(st.sampled_from(Polarity)),
        filtered=draw(st.booleans()),
        delay_s=draw(st.integers(1, 255)),
    )


def values_of(command):
    """What a unit would answer if it repeated what it was told about an output."""
    return command.text.partition(",")[2].encode()


@given(given_mode=modes())
def test_a_mode_survives_the_wire(given_mode):
    output, setup = given_mode
    command = output_codec.set_output_mode(output, setup)
    assert output_codec.output_mode(output).decode(values_of(command)) == setup


@given(terms=pids)
def test_terms_survive_the_wire_with_six_digits(terms):
    command = loop_codec.set_pid(Output.SAMPLE, terms)
    assert "E" not in command.text.upper()
    found = loop_codec.pid(Output.SAMPLE).decode(values_of(command))
    assert found.proportional == pytest.approx(terms.proportional, rel=1e-5, abs=1e-12)
    assert found.integral == pytest.approx(terms.integral, rel=1e-5, abs=1e-12)
    assert found.derivative == pytest.approx(terms.derivative, rel=1e-5, abs=1e-12)


@given(value=st.floats(1e-9, 100))
def test_outputs_survive_the_wire_with_six_digits(value):
    command = output_codec.set_manual_output(Output.SAMPLE, value)
    found = output_codec.manual_output(Output.SAMPLE).decode(values_of(command))
    assert found == pytest.approx(value, rel=1e-5, abs=1e-12)


@given(resistance=st.floats(1, 2000), display=st.sampled_from(Display))
def test_the_sample_heaters_setup_survives_the_wire(resistance, display):
    setup = HeaterSetup(resistance, 8, 0.0, display)
    found = output_codec.heater_setup(Output.SAMPLE).decode(
        values_of(output_codec.set_heater_setup(Output.SAMPLE, setup))
    )
    assert found.resistance_ohm == pytest.approx(resistance, rel=1e-5)
    assert (found.maximum_current, found.display) == (0, display)


@given(
    resistance=st.sampled_from([25.0, 50.0]),
    maximum=st.integers(0, 2),
    display=st.sampled_from(Display),
)
def test_the_warm_up_heaters_setup_survives_the_wire(resistance, maximum, display):
    setup = HeaterSetup(resistance, maximum, 0.25, display)
    command = output_codec.set_heater_setup(Output.WARM_UP, setup)
    assert output_codec.heater_setup(Output.WARM_UP).decode(values_of(command)) == setup


@given(on=st.booleans(), rate=st.just(0.0) | st.floats(0.001, 100))
def test_a_ramp_survives_the_wire(on, rate):
    command = loop_codec.set_ramp(Output.WARM_UP, Ramp(on, rate))
    found = loop_codec.ramp(Output.WARM_UP).decode(values_of(command))
    assert found.on is on
    assert found.rate_k_per_min == pytest.approx(rate, rel=1e-5)


@given(
    terms=st.builds(PidTerms, *(st.integers(0, 1000).map(float) for _ in range(3))),
    upper=st.integers(0, 300),
    step=st.integers(0, 8),
)
def test_a_zone_survives_the_wire(terms, upper, step):
    zone = Zone(float(upper), terms, 0.0, step, 0.5, 0, 1)
    command = loop_codec.set_zone(Output.SAMPLE, 3, zone)
    reply = command.text.split(",", 2)[2].encode()
    assert loop_codec.zone(Output.SAMPLE, 3).decode(reply) == zone


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: output_codec.set_heater_range(Output.SAMPLE, 4), "RANGE 0,4"),
        (lambda: output_codec.set_still_output(10.6), "STILL 10.6"),
        (lambda: output_codec.set_manual_output(Output.SAMPLE, 1e-7), "MOUT 0,0.0000001"),
        (lambda: loop_codec.set_setpoint(Output.SAMPLE, 0.1), "SETP 0,0.1"),
        (
            lambda: output_codec.set_warm_up(WarmUp(WarmUpControl.CONTINUOUS, 50.0)),
            "WARMUP 1,50",
        ),
    ],
)
def test_what_is_sent(build, text):
    assert build().text == text


@pytest.mark.parametrize(
    "build",
    [
        lambda: output_codec.set_heater_range(Output.SAMPLE, 9),
        lambda: output_codec.set_heater_range(Output.STILL, 2),
        lambda: output_codec.set_still_output(100.1),
        lambda: output_codec.set_still_output(float("nan")),
        lambda: output_codec.set_manual_output(Output.SAMPLE, -1),
        lambda: output_codec.set_heater_setup(
            Output.SAMPLE, HeaterSetup(0.5, 0, 0.0, Display.CURRENT)
        ),
        lambda: output_codec.set_heater_setup(
            Output.WARM_UP, HeaterSetup(100.0, 0, 0.0, Display.CURRENT)
        ),
        lambda: output_codec.set_heater_setup(
            Output.STILL, HeaterSetup(100.0, 0, 0.0, Display.CURRENT)
        ),
        lambda: output_codec.set_output_mode(
            Output.STILL,
            OutputModeSetup(OutputMode.CLOSED_LOOP, 1, True, Polarity.UNIPOLAR, False, 1),
        ),
        lambda: output_codec.set_output_mode(
            Output.SAMPLE,
            OutputModeSetup(OutputMode.CLOSED_LOOP, 17, True, Polarity.UNIPOLAR, False, 1),
        ),
        lambda: output_codec.analog_output(Output.SAMPLE),
        lambda: output_codec.heater_fault(Output.STILL),
        lambda: loop_codec.pid(Output.STILL),
        lambda: loop_codec.set_ramp(Output.SAMPLE, Ramp(True, 0.0001)),
        lambda: loop_codec.set_pid(Output.SAMPLE, PidTerms(1000.1, 0, 0)),
        lambda: loop_codec.zone(Output.SAMPLE, 11),
    ],
)
def test_what_is_never_sent(build):
    with pytest.raises(ValueError, match=r"\w"):
        build()


def test_full_power():
    assert full_power_w(8, 100.0) == pytest.approx(1.0)
    assert full_power_w(1, 120.0) == pytest.approx(1.198e-7, rel=1e-3)
    assert full_power_w(0, 120.0) == 0


def test_heater_faults_have_names():
    query = output_codec.heater_fault(Output.SAMPLE)
    assert [query.decode(text) for text in (b"0", b"1", b"2")] == list(HeaterFault)
