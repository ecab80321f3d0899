"""Curves to and from an instrument that loses points, is busy, or goes away."""

import threading

import attrs
import pytest

from agents.lakeshore.curve_transfer import CurveIncomplete, CurveTransfer, Progress
from agents.lakeshore.curves import (
    Coefficient,
    Curve,
    CurveFormat,
    CurveHeader,
    CurveLocations,
    CurvePoint,
    CurveUnfit,
    six_digits,
)
from agents.lakeshore.link import Cancelled, InstrumentUnavailable

WHERE = CurveLocations(
    locations=range(21, 60),
    word="curve",
    formats=(CurveFormat.OHMS, CurveFormat.LOG_OHMS),
    quoted=True,
    pause_s=0.0,
)
HEADER = CurveHeader("RX-102A", "U04852", CurveFormat.LOG_OHMS, 40.0, Coefficient.NEGATIVE)
CURVE = Curve(HEADER, tuple(CurvePoint(3.0 + n / 100, 40.0 / (n + 1)) for n in range(30)))
EMPTY = CurveHeader("User Curve", "", CurveFormat.LOG_OHMS, 375.0, Coefficient.NEGATIVE)


class Unit:
    """Keeps curves as a 372 does; `loses` points on their first way in."""

    def __init__(self, loses=()):
        self.headers = {}
        self.stored = {}
        self.loses = list(loses)
        self.told = []
        self.trouble_after = None

    def tell(self, command, cancel=None):
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled")
        self.told.append(command.text)
        if self.trouble_after is not None and len(self.told) > self.trouble_after:
            raise InstrumentUnavailable("No answer from the unit: timed out.")
        verb, _, rest = command.text.partition(" ")
        location, *values = rest.replace('"', "").split(",")
        if verb == "CRVDEL":
            self.headers.pop(int(location), None)
            self.stored[int(location)] = {}
        elif verb == "CRVHDR":
            name, serial, kind, limit, _ = values
            # A real unit capitalises, pads, and works the coefficient out.
            self.headers[int(location)] = f"{name.upper():15},{serial:10},{kind},+{limit},2"
        elif int(values[0]) in self.loses:
            self.loses.remove(int(values[0]))
        else:
            self.stored.setdefault(int(location), {})[int(values[0])] = ",".join(values[1:])

    def ask(self, query, cancel=None):
        verb, _, rest = query.text.partition(" ")
        location, *index = (int(part) for part in rest.split(","))
        if verb == "CRVHDR?":
            text = self.headers.get(location, f"{'User Curve':15},{'':10},4,+375.000,1")
        else:
            text = self.stored.get(location, {}).get(index[0], "+0.00000,+0.00000")
        return query.decode(text.encode())

    def change(self, command, readback, cancel=None):
        self.tell(command, cancel)
        return self.ask(readback, cancel)


def test_a_curve_is_written_and_read_back():
    unit = Unit()
    progress: list[Progress] = []
    transfer = CurveTransfer(unit, WHERE, on_progress=progress.append)
    words = transfer.write(21, CURVE)
    assert "Curve 21 holds 'RX-102A' with 30 points, verified" in words
    assert "no curve" in words
    found = transfer.read(21)
    # Six digits are what the unit keeps.
    assert [(six_digits(p.units), six_digits(p.kelvin)) for p in found.points] == [
        (six_digits(p.units), six_digits(p.kelvin)) for p in CURVE.points
    ]
    assert Progress("writing", 30, 30) in progress
    assert Progress("verifying", 30, 30) in progress


def test_lost_points_are_sent_again():
    unit = Unit(loses=[7, 21, 21])
    CurveTransfer(unit, WHERE).write(21, CURVE)
    assert sorted(unit.stored[21]) == list(range(1, 31))
    assert sum(text.startswith("CRVPT 21,7,") for text in unit.told) == 2
    assert sum(text.startswith("CRVPT 21,8,") for text in unit.told) == 1


def test_a_unit_that_never_takes_a_point_ends_in_words_not_in_a_loop():
    unit = Unit(loses=[7] * 100)
    with pytest.raises(CurveIncomplete, match=r"Curve 21 is empty now.*point 7"):
        CurveTransfer(unit, WHERE).write(21, CURVE)


def test_another_curve_is_not_lost_by_mistake():
    unit = Unit()
    transfer = CurveTransfer(unit, WHERE)
    transfer.write(21, CURVE)
    other = Curve(attrs.evolve(HEADER, serial="X1"), CURVE.points)
    before = dict(unit.stored[21])
    with pytest.raises(CurveUnfit, match=r"'RX-102A', serial number 'U04852'.*overwrite"):
        transfer.write(21, other)
    assert unit.stored[21] == before
    assert "'RX-102A'" in transfer.write(21, other, overwrite=True)
    assert transfer.read(21).header.serial == "X1"


def test_an_outage_in_the_middle_says_that_the_curve_is_incomplete():
    unit = Unit()
    unit.trouble_after = 12
    with pytest.raises(CurveIncomplete, match=r"write it again.*timed out"):
        CurveTransfer(unit, WHERE).write(21, CURVE)


def test_a_transfer_can_be_aborted():
    unit = Unit()
    cancel = threading.Event()

    def stop_at_ten(progress):
        if progress == Progress("writing", 10, 30):
            cancel.set()

    with pytest.raises(CurveIncomplete):
        CurveTransfer(unit, WHERE, on_progress=stop_at_ten, cancel=cancel).write(21, CURVE)
    assert sum(text.startswith("CRVPT") for text in unit.told) == 10
    assert unit.stored[21] == {}


def test_an_emptied_location_reads_as_empty():
    unit = Unit()
    transfer = CurveTransfer(unit, WHERE)
    transfer.write(21, CURVE)
    assert transfer.delete(21) == "Curve 21 is empty."
    assert transfer.read(21).points == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"points": CURVE.points[:1]}, "1 points; 2 to 200"),
        ({"points": tuple(CurvePoint(n / 10, n + 1.0) for n in range(201))}, "201 points"),
        ({"points": (CurvePoint(1, 4), CurvePoint(1, 3))}, "same units"),
        ({"points": (CurvePoint(1, 4), CurvePoint(1.0000001, 3))}, "same units"),
        ({"points": (CurvePoint(1, 4), CurvePoint(2, 4))}, "same temperature"),
        ({"points": (CurvePoint(1, 4), CurvePoint(2, 3), CurvePoint(3, 5))}, "turns round"),
        ({"points": (CurvePoint(1, 4), CurvePoint(2, -3))}, "Point 2 is 2, -3 K"),
        ({"points": (CurvePoint(1, 4), CurvePoint(float("nan"), 3))}, "nan"),
        ({"header": attrs.evolve(HEADER, format=CurveFormat.VOLTS)}, "2 volts; this instrument"),
        ({"header": attrs.evolve(HEADER, name="A name that is too long")}, "15 ASCII"),
        ({"header": attrs.evolve(HEADER, serial="a,b")}, "a comma"),
        ({"header": attrs.evolve(HEADER, limit_k=0)}, "setpoint limit is 0 K"),
    ],
)
def test_an_unfit_curve_is_refused_before_anything_is_sent(changes, words):
    unit = Unit()
    with pytest.raises(CurveUnfit) as caught:
        CurveTransfer(unit, WHERE).write(21, attrs.evolve(CURVE, **changes))
    assert words in str(caught.value)
    assert unit.told == []


def test_the_makers_own_curves_are_not_written():
    with pytest.raises(CurveUnfit, match="21 to 59 can"):
        CurveTransfer(Unit(), WHERE).write(20, CURVE)
