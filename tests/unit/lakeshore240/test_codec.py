"""What the 240 is told and what its answers mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lakeshore.curves import CurveFormat
from agents.lakeshore.messages import BadReply, identify
from agents.lakeshore240 import codec
from agents.lakeshore240.codec import ProfibusSlot
from agents.lakeshore240.driver import LS240_CURVES
from agents.lakeshore240.input_tables import InputType, ReadingStatus, Sensor, Units

QUERIES = [
    identify(),
    codec.module_name(),
    codec.input_name(1),
    codec.input_type(8),
    codec.kelvin(2),
    codec.celsius(3),
    codec.fahrenheit(4),
    codec.sensor_units(5),
    codec.reading_status(6),
    codec.filter_points(7),
    codec.brightness(),
    codec.profibus_address(),
    codec.profibus_slots(),
    codec.profibus_slot(1),
    codec.profibus_status(),
    LS240_CURVES.header(1),
    LS240_CURVES.point(1, 200),
]

NTC = InputType(Sensor.NTC_RTD, True, 4, True, Units.KELVIN, True)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.text)
@given(reply=st.binary(max_size=80) | st.text("+-.E0123456789,; AB", max_size=60).map(str.encode))
def test_any_reply_is_a_value_or_a_bad_reply(query, reply):
    try:
        query.decode(reply)
    except BadReply as error:
        assert query.text in str(error)


@pytest.mark.parametrize(
    ("query", "reply", "value"),
    [
        (codec.kelvin(1), b"+0292.19", 292.19),
        (codec.celsius(1), b"-0268.95", -268.95),
        (codec.sensor_units(1), b"+0.55938", 0.55938),
        (codec.reading_status(1), b"064", ReadingStatus.SENSOR_OVER_RANGE),
        (codec.input_type(3), b"3,1,4,1,1,1", NTC),
        (codec.input_name(1), b"4K plate       ", "4K plate"),
        (codec.profibus_slot(2), b"2,3", ProfibusSlot(2, Units.SENSOR)),
        (codec.profibus_status(), b"1: Waiting on parameterization.", None),
    ],
    ids=lambda value: getattr(value, "text", None),
)
def test_recorded_answers(query, reply, value):
    assert query.decode(reply) == value or value is None


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (codec.set_input_type(3, NTC), "INTYPE 3,3,1,4,1,1,1"),
        (codec.set_input_name(1, "4K plate"), "INNAME 1,4K plate"),
        (codec.set_module_name("dewar"), "MODNAME dewar"),
        (codec.set_filter_points(2, 100), "FILTER 2,100"),
        (codec.set_brightness(25), "BRIGT 25"),
        (codec.set_profibus_address(126), "ADDR 126"),
        (codec.set_profibus_slots(8), "PROFINUM 8"),
        (codec.set_profibus_slot(1, ProfibusSlot(2, Units.KELVIN)), "PROFISLOT 1,2,1"),
        (codec.factory_defaults(), "DFLT 99"),
        (LS240_CURVES.delete(8), "CRVDEL 8"),
    ],
    ids=lambda value: getattr(value, "text", None),
)
def test_commands(command, text):
    assert command.encode() == text.encode() + b"\r\n"


def test_a_curve_header_goes_without_quotes():
    header = LS240_CURVES.header(1).decode(b"DT-670         ,D6068043  ,2,325.0,1")
    assert (header.name, header.serial, header.format) == ("DT-670", "D6068043", CurveFormat.VOLTS)
    sent = LS240_CURVES.set_header(1, header)
    assert sent.text == "CRVHDR 1,DT-670,D6068043,2,325.000,1"


@pytest.mark.parametrize(
    "bad",
    [
        lambda: codec.kelvin(9),
        lambda: codec.kelvin(0),
        lambda: codec.set_input_name(1, "four K, plate"),
        lambda: codec.set_input_name(1, "a;b"),
        lambda: codec.set_input_name(1, "sixteen letters."),
        lambda: codec.set_filter_points(1, 0),
        lambda: codec.set_brightness(30),
        lambda: codec.set_profibus_address(127),
        lambda: codec.set_profibus_slots(9),
        lambda: codec.set_input_type(1, InputType(Sensor.DIODE, False, 1, False, Units.SENSOR, 1)),
        lambda: codec.set_input_type(1, InputType(Sensor.DIODE, False, 0, True, Units.SENSOR, 1)),
    ],
)
def test_what_the_unit_would_ignore_is_not_sent(bad):
    with pytest.raises(ValueError, match=r"."):
        bad()


def test_flags_say_what_is_not_to_be_trusted():
    over = ReadingStatus.T_OVER_RANGE
    assert over.temperature_invalid
    assert not over.sensor_invalid
    assert over.names() == ("T over range",)
    for flag in (ReadingStatus.INVALID_READING, ReadingStatus.SENSOR_OVER_RANGE, ReadingStatus(2)):
        assert flag.temperature_invalid
        assert flag.sensor_invalid
