import math
import sqlite3

import numpy as np
import pytest

from agents.aggregator.journal import (
    CurrentFile,
    Journal,
    JournalError,
    JournalInUse,
    JournalUnavailable,
    decode_message,
    encode_message,
)
from agents.aggregator.messages import MessageParser

NOW = 1_700_000_000.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal" / "journal.sqlite"


@pytest.fixture
def message(feed, block):
    def make(n=0, **header):
        content = block([NOW + n], f=[math.nan], i=[2**62], b=[True], s=["ü"])
        return MessageParser().parse(content, feed(seq=n, **header), NOW).message

    return make


def test_messages_come_back_as_they_were(message):
    before = message(3, agg_params={"frame_length": 60})
    after = decode_message(encode_message(before))
    assert (after.address, after.session_id, after.seq) == (
        before.address,
        before.session_id,
        3,
    )
    assert (after.frame_length_s, after.fresh_time_s, after.received) == (60.0, 180.0, NOW)
    np.testing.assert_equal(after.blocks[0].times, before.blocks[0].times)
    np.testing.assert_equal(after.blocks[0].columns, before.blocks[0].columns)
    assert after.blocks[0].columns["i"].dtype == np.int64


def test_messages_stay_until_they_are_written(path, message):
    journal = Journal(path)
    assert journal.current_file() is None
    ids = journal.add([message(n) for n in range(4)])
    journal.written(ids[:3], CurrentFile("17000/1.g3", 99, b"head"))
    journal.close()
    journal = Journal(path)
    assert [i for i, _ in journal.messages()] == [3]
    assert len(journal) == 1
    assert journal.current_file() == CurrentFile("17000/1.g3", 99, b"head")
    assert journal.positions() == {(message().address, "1700000000.5"): 4}
    assert journal.add([message(4)]) == [4]
    journal.close()


def test_positions_of_the_latest_sessions_are_kept_in_order(path, message):
    journal = Journal(path)
    journal.add([message(7, session_id="6.0"), message(0, session_id="7.0")])
    journal.add([message(8, session_id="6.0")])
    keys = [(session, seq) for (_, session), seq in journal.positions().items()]
    assert keys == [("7.0", 1), ("6.0", 9)]
    journal.add([message(n, session_id=f"{n}.0") for n in range(5)])
    journal.begin_recording(NOW)
    assert [session for _, session in journal.positions()] == ["1.0", "2.0", "3.0", "4.0"]
    journal.end_recording()
    assert journal.positions() == {}
    journal.close()


def test_messages_without_blocks_only_move_the_position(path, feed):
    journal = Journal(path)
    journal.add([MessageParser().parse({}, feed(seq=5), NOW).message])
    assert len(journal) == 0
    assert list(journal.positions().values()) == [6]
    journal.close()


def test_sessions_differ_in_their_second(path):
    journal = Journal(path)
    assert journal.begin_recording(NOW) == NOW
    assert journal.begin_recording(NOW + 0.5) == NOW + 1
    assert journal.begin_recording(NOW - 1000) == NOW + 2
    assert journal.was_recording()
    journal.end_recording()
    assert not journal.was_recording()
    journal.close()


def test_a_second_opener_is_refused(path):
    journal = Journal(path)
    with pytest.raises(JournalInUse, match="another aggregator") as refusal:
        Journal(path)
    assert str(path) in str(refusal.value)
    journal.close()
    Journal(path).close()


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_damaged_journal_is_refused_with_the_remedy(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(JournalError, match="Move it aside") as refusal:
        Journal(path)
    assert str(path) in str(refusal.value)
    assert path.read_bytes() == content


def test_a_message_that_is_not_ours_is_damage(path, message):
    journal = Journal(path)
    journal.add([message()])
    journal.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE message SET payload = x'00'")
    db.close()
    journal = Journal(path)
    with pytest.raises(JournalError, match="Move it aside"):
        journal.messages()
    journal.close()


def test_a_later_version_is_refused(path):
    Journal(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(JournalError, match="later version"):
        Journal(path)


def test_a_folder_that_cannot_be_made_may_be_there_later(tmp_path):
    (tmp_path / "journal").write_text("a file")
    with pytest.raises(JournalUnavailable, match="journal"):
        Journal(tmp_path / "journal" / "journal.sqlite")


def test_failure_leaves_what_was_there(path, message):
    journal = Journal(path)
    ids = journal.add([message()])
    with pytest.raises(JournalUnavailable):
        journal.written(ids, CurrentFile("x", 1, None))
    assert len(journal) == 1
    assert journal.current_file() is None
    journal.close()
