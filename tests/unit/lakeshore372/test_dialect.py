"""What is asked of units that understand less than a 372 does, and how that is found out."""

import pytest

from agents.lakeshore.link import InstrumentUnavailable
from agents.lakeshore.messages import BadReply
from agents.lakeshore372.dialect import EMULATOR, Dialect, learn

REPLIES = {
    "QRDG? 1": "+1.00000E-03",
    "RDGSTL?": "0,2",
    "*IDN?": "LSCI,MODEL372,LSA23JD,1.3",
    "SCAN?": "01,1",
    "KRDG? 1": "+3.97000E+00",
    "SRDG? 1": "+3.59000E+03",
    "RDGST? 1": "000",
    "INSET? 1": "1,010,003,21,1",
    "INTYPE? 1": "0,05,0,13,0,1",
}


class Unit:
    """Knows all queries but some, and compound lines or not; answers in turn may be lost."""

    def __init__(self, *unknown, compound=True, lost=()):
        self.known = {text: reply for text, reply in REPLIES.items() if text not in unknown}
        self.compound = compound
        self.lost = list(lost)
        self.lines = []

    def __call__(self, query):
        self.lines.append(query.text)
        parts = query.text.split(";")
        answers = [self.known[part] for part in parts if part in self.known]
        if self.lost and self.lost.pop(0):
            answers = []
        if not answers or (len(parts) > 1 and not self.compound):
            raise InstrumentUnavailable("No answer.")
        return query.decode(";".join(answers).encode())


def test_a_372_is_asked_one_line():
    unit = Unit()
    assert learn(unit) == Dialect()
    assert unit.lines == ["QRDG? 1;RDGSTL?;*IDN?"]


@pytest.mark.parametrize(
    ("unit", "dialect"),
    [
        (Unit("QRDG? 1"), Dialect(quadrature=False)),
        (Unit("RDGSTL?"), Dialect(settling=False)),
        (Unit("QRDG? 1", "RDGSTL?"), Dialect(quadrature=False, settling=False)),
        (Unit(compound=False), Dialect(compound=False)),
        (
            Unit("QRDG? 1", "RDGSTL?", compound=False),
            Dialect(compound=False, quadrature=False, settling=False),
        ),
    ],
)
def test_less_than_a_372(unit, dialect):
    assert learn(unit) == dialect


def test_nothing_is_concluded_from_one_lost_answer():
    with pytest.raises(BadReply, match="two different ways"):
        learn(Unit(lost=[True]))
    # One by one: a query that was lost once is asked again.
    unit = Unit(compound=False, lost=[False, False, False, False, True])
    assert learn(unit).quadrature


def test_a_unit_that_is_away_is_not_one_that_understands_nothing():
    with pytest.raises(InstrumentUnavailable):
        learn(Unit(lost=10 * [True]))


@pytest.mark.parametrize(
    "answer",
    [b"", b"garbage", b"LSCI,MODEL372,LSA23JD,1.3;0,2", b"+1.00000E-03;0,2;LSCI,MODEL372", b"1;2"],
)
def test_answers_that_tell_nothing(answer):
    with pytest.raises(BadReply):
        learn(lambda query: query.decode(answer))


def test_one_by_one():
    unit = Unit("QRDG? 1", "RDGSTL?", compound=False)
    dialect = learn(unit)
    unit.lines.clear()
    reading = dialect.reading(unit, 1)
    assert unit.lines == ["KRDG? 1", "SRDG? 1", "RDGST? 1", "SCAN?"]
    assert (reading.temperature_k, reading.quadrature_ohm) == (3.97, None)
    assert dialect.channel_settings(unit, 1).inset.dwell_s == 10
    assert dialect.settled(unit)[1].channel == 1


@pytest.mark.parametrize(
    ("text", "value"), [("100.25", 100.25), ("-0.5", -0.5), ("7", 7), ("1e-05", 1e-5)]
)
def test_the_emulators_numbers(text, value):
    def ask(query):
        plain = text if query.text.startswith(("KRDG", "SRDG")) else "000"
        return query.decode({"SCAN?": "05,1 "}.get(query.text, plain).encode())

    assert EMULATOR.reading(ask, 5).temperature_k == value
    with pytest.raises(BadReply):
        Dialect(compound=False, quadrature=False).reading(ask, 5)


@pytest.mark.parametrize("text", ["", "nan", "inf", "1e999", "None", "1.0.0", "1 0"])
def test_what_is_no_number_of_the_emulator(text):
    with pytest.raises(BadReply):
        EMULATOR.reading(lambda query: query.decode(text.encode()), 5)
