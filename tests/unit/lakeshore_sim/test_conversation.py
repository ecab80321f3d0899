import pytest


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_split_at_every_byte(make_rig, end):
    line = b"one?" + end + b"two?" + end
    for cut in range(len(line) + 1):
        rig = make_rig()
        assert rig.say(line[:cut]) + rig.say(line[cut:]) == b"one\r\ntwo\r\n"


def test_what_the_driver_of_2019_sends(rig):
    """It ended lines with a semicolon after the line's end, which the next one began with."""
    assert rig.say(b"one?\r\n;") == b"one\r\n"
    assert rig.say(b"two?\r\n;") == b"two\r\n"
    assert rig.instrument.heard == ["one?", "two?"]


def test_empty_lines_and_commands_are_met_with_silence(rig):
    assert rig.say(b"\n\r\n ; \r\nDO IT\r\n") == b""
    assert rig.instrument.heard == ["DO IT"]


def test_an_endless_line_is_dropped(rig):
    for _ in range(50):
        assert rig.say(b"x" * 100) == b""
    assert rig.instrument.refused == 4
    rig.say(b"\n")
    assert rig.say(b"one?\n") == b"one\r\n"


def test_a_message_without_an_end_is_answered_after_a_pause_if_wanted(make_rig):
    rig = make_rig(idle_answer_s=0.02)
    assert rig.say(b"on") == b""
    rig.clock.advance(0.015)
    assert rig.say(b"e?") == b""
    rig.clock.advance(0.015)
    assert rig.packets == []
    rig.clock.advance(0.006)
    assert rig.packets == [b"one\r\n"]
    # One with an end is not kept waiting, and leaves nothing behind.
    assert rig.say(b"two?\n") == b"two\r\n"
    rig.clock.advance(1)
    assert rig.instrument.heard == ["one?", "two?"]


def test_without_that_it_waits(rig):
    rig.say(b"one?")
    rig.clock.advance(60)
    assert rig.packets == []
    assert rig.say(b"\n") == b"one\r\n"


def test_a_shy_unit_misses_its_first_message(make_rig):
    rig = make_rig(shy=True)
    assert rig.say(b"one?\n") == b""
    assert rig.say(b"one?\n") == b"one\r\n"
    rig.unit.plug_in()
    assert rig.say(b"one?\ntwo?\n") == b"two\r\n"


def test_a_slow_unit_keeps_the_order(rig):
    rig.board.begin("slow", "0.5")
    assert rig.say(b"one?\ntwo?\n") == b""
    rig.clock.advance(0.4)
    assert rig.packets == []
    rig.clock.advance(0.1)
    assert rig.packets == [b"one\r\n"]
    rig.board.clear()
    # What is asked now still comes after what was asked before.
    rig.conversation.receive(b"three?\n")
    assert rig.packets == [b"one\r\n"]
    rig.clock.advance(0.5)
    assert rig.packets == [b"one\r\n", b"two\r\n", b"three\r\n"]


def test_nothing_is_sent_to_who_has_gone(rig):
    rig.board.begin("slow", "1")
    rig.say(b"one?\ntwo?\n")
    rig.conversation.finish()
    rig.clock.advance(10)
    assert rig.packets == []
    assert rig.clock.getDelayedCalls() == []


def test_a_dead_connection_takes_and_gives_nothing(make_rig):
    rig = make_rig(idle_answer_s=0.02)
    rig.board.begin("slow", "1")
    rig.say(b"one?\ntw")
    rig.conversation.deaden()
    assert rig.say(b"o?\nthree?\n") == b""
    rig.clock.advance(10)
    assert rig.packets == []
    assert rig.instrument.heard == ["one?"]
    assert not rig.hung_up


def test_many_questions_to_a_slow_unit_do_not_pile_up(rig):
    rig.board.begin("slow", "1")
    rig.say(b"one?\n" * 5000)
    rig.board.clear()
    rig.clock.pump([1] * 5000)
    assert 900 < len(rig.packets) < 1100


def test_truth_is_in_the_file_before_it_is_on_the_line(make_rig):
    rig = make_rig()
    seen = []
    rig.send = lambda data: seen.append((data, len(rig.notes())))
    rig.conversation.receive(b"12?\n")
    assert seen == [(b"12\r\n", 1)]
    assert rig.notes() == [
        {
            "time": 5.0,
            "sent": 0.0,
            "channel": 1,
            "quantity": "T",
            "value": "12",
            "status": 0,
            "update": 7,
        }
    ]


@pytest.mark.parametrize("fault", ["silent", "garbage", "truncated", "wrong_terminator"])
def test_truth_tells_what_a_fault_has_spoiled(rig, fault):
    rig.board.begin(fault)
    rig.say(b"12?\n")
    rig.board.clear()
    rig.clock.advance(1)
    rig.say(b"13?\n")
    begin, spoiled, end, good = rig.notes()
    assert begin == {"time": 0.0, "fault": fault, "target": None, "state": "begin"}
    assert end == {**begin, "state": "end"}
    assert spoiled["spoiled_by"] == fault
    assert "spoiled_by" not in good
    assert good["sent"] == 1.0
