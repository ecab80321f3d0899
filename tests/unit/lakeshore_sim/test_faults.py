import pytest

from agents.lakeshore.sim.misbehaviour import BadFault


def names(rig):
    return [(fault.name, fault.target) for fault in rig.board.active()]


def test_a_fault_ends_by_itself(rig):
    rig.board.begin("silent", None, 2.0)
    assert rig.say(b"one?\n") == b""
    rig.clock.advance(1.9)
    assert rig.say(b"one?\n") == b""
    rig.clock.advance(0.2)
    assert rig.say(b"one?\n") == b"one\r\n"
    assert rig.board.active() == []


def test_the_same_fault_again_has_its_new_time_and_argument(rig):
    rig.board.begin("slow", "5", 2.0)
    rig.clock.advance(1)
    rig.board.begin("slow", "0.5", 10.0)
    assert names(rig) == [("slow", "0.5")]
    rig.clock.advance(5)
    rig.say(b"one?\n")
    rig.clock.advance(0.5)
    assert rig.packets == [b"one\r\n"]
    rig.clock.advance(5)
    assert names(rig) == []


def test_faults_are_cleared_by_name_or_all(rig):
    for name in ("slow", "garbage", "frozen"):
        rig.board.begin(name, None, 10.0)
    assert [fault.name for fault in rig.board.clear("garbage")] == ["garbage"]
    assert names(rig) == [("slow", None), ("frozen", None)]
    rig.board.clear()
    assert names(rig) == []
    assert rig.say(b"one?\n") == b"one\r\n"
    assert rig.clock.getDelayedCalls() == []


def test_conditions_of_the_instrument(rig):
    rig.board.begin("overrange", "1")
    rig.board.begin("overrange", None, 5.0)
    assert rig.instrument.conditions_on == {("overrange", "1"), ("overrange", "2")}
    rig.clock.advance(6)
    # What was asked for one channel outlasts what was asked for all.
    assert rig.instrument.conditions_on == {("overrange", "1")}
    rig.board.clear("overrange")
    assert rig.instrument.conditions_on == set()


def test_connections_are_cut_once_or_for_a_time(rig):
    rig.board.begin("disconnect")
    assert rig.wire == ["disconnect"]
    assert names(rig) == []
    rig.say(b"one?\n")
    assert not rig.hung_up
    rig.board.begin("disconnect", None, 3.0)
    rig.say(b"one?\n")
    assert rig.hung_up
    assert [note["state"] for note in rig.notes() if "fault" in note] == ["begin", "end", "begin"]


def test_refusal_and_dead_connections(rig):
    rig.board.begin("refuse", None, 1.0)
    rig.board.begin("half-open")
    rig.clock.advance(1)
    assert rig.wire == ["refuse", "deaden", "take"]


@pytest.mark.parametrize(
    ("name", "target", "told"),
    [
        ("nonsense", None, "disconnect.*strict_pace, frozen, overrange"),
        ("overrange", "9", "No channel '9'; there are 1 and 2"),
        ("slow", "x", "seconds"),
    ],
)
def test_what_cannot_be_had_changes_nothing(rig, name, target, told):
    rig.board.begin("slow", "0.5")
    with pytest.raises(BadFault, match=told):
        rig.board.begin(name, target, 5.0)
    assert names(rig) == [("slow", "0.5")]
    assert rig.clock.getDelayedCalls() == []
    with pytest.raises(BadFault, match="There is no fault"):
        rig.board.clear("nonsense")
