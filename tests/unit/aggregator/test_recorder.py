import errno
import json
from unittest import mock

import pytest

from agents.aggregator.archive import Disk
from agents.aggregator.journal import Journal, JournalInUse
from agents.aggregator.quarantine import Quarantine
from agents.aggregator.recorder import Arrival, Recorder
from ocs.op_session import json_data

NOW = 1_700_000_000.0
FULL = "observatory.LSA23JD.feeds.temperatures.temps.x"


@pytest.fixture
def recorder(tmp_path, clock):
    made = Recorder(tmp_path, clock=clock)
    yield made
    made.close()


@pytest.fixture
def arrive(feed, clock):
    def make(message, **header):
        return Arrival(message, feed(**header), clock.now)

    return make


def test_a_feed_becomes_files(recorder, tmp_path, clock, arrive, block, read):
    for n in range(3):
        recorder.cycle([arrive(block([NOW + n], x=[float(n)]), agg_params={"frame_length": 1})])
        clock.now += 1
    recorder.cycle()
    assert recorder.finish(forget_positions=True)
    archive = read(tmp_path)
    assert [path.name for path in archive.files] == ["1700000000.g3"]
    assert [value for _, value in archive.samples[FULL]] == [0.0, 1.0, 2.0]
    report = recorder.report()
    assert report["current_file"] == str(archive.files[0])
    assert report["counts"] == {
        "messages": 3,
        "samples_written": 3,
        "frames_written": 2,
        "refused": 0,
        "held_messages": 0,
        "held_bytes": 0,
        "unjournaled": 0,
    }


def test_what_it_reports_is_strict_json(recorder, arrive, block):
    recorder.cycle([arrive(block([NOW], x=[1.0])), arrive({"bad": None})])
    assert json.loads(json.dumps(json_data(recorder.report()), allow_nan=False))


def test_nothing_published_makes_no_file(recorder, tmp_path):
    recorder.cycle()
    assert recorder.finish(forget_positions=True)
    assert not list(tmp_path.glob("*/*.g3"))
    assert recorder.report()["current_file"] is None


def test_files_are_closed_by_age_and_each_opens_with_session_and_status(
    recorder, tmp_path, clock, arrive, block, read
):
    for n in range(3):
        clock.now = NOW + 1800 * n + 1
        recorder.cycle([arrive(block([clock.now], x=[1.0]), agg_params={"fresh_time": 9000})])
        clock.now += 301
        recorder.cycle()
    recorder.finish(forget_positions=True)
    archive = read(tmp_path)
    assert [path.name for path in archive.files] == ["1700000001.g3", "1700003902.g3"]
    assert len(archive.samples[FULL]) == 3
    # The status at the head of the second file is the first one's, word for word.
    status = [f for f in archive.frames if f["hkagg_type"] == 1]
    assert [f["timestamp"] for f in status] == [NOW + 1, NOW + 1]


def test_one_bad_block_stops_nobody(recorder, tmp_path, arrive, block, read):
    bad = arrive(block([NOW], x=[None]), address="observatory.bad.feeds.f")
    recorder.cycle([bad, arrive(block([NOW], x=[1.0])), bad, arrive("nonsense"), bad])
    entry = recorder.report()["quarantine"]["observatory.bad.feeds.f"]["temps"]
    assert (entry["count"], entry["first"]) == (3, NOW)
    assert "null" in entry["reason"]
    assert recorder.quarantine.total == 4
    recorder.finish(forget_positions=True)
    assert read(tmp_path).samples.keys() == {FULL}


def test_a_frame_that_so3g_refuses_costs_that_frame_only(recorder, tmp_path, arrive, block, read):
    real = recorder._encoder._data

    def data(frame):
        if "bad" in frame.address:
            raise ValueError("no")
        return real(frame)

    with mock.patch.object(recorder._encoder, "_data", data):
        recorder.cycle(
            [
                arrive(block([NOW], x=[1.0]), address="observatory.bad.feeds.f"),
                arrive(block([NOW], x=[1.0])),
            ]
        )
        recorder.finish(forget_positions=True)
    assert read(tmp_path).samples.keys() == {FULL}
    assert "so3g" in str(recorder.report()["quarantine"])


def test_a_second_recorder_on_the_directory_is_refused(recorder, tmp_path):
    with pytest.raises(JournalInUse):
        Recorder(tmp_path)


def test_a_full_disk_costs_nothing(tmp_path, clock, arrive, block, read):
    disk = Disk()
    recorder = Recorder(tmp_path, clock=clock, disk=disk)
    header = {"agg_params": {"frame_length": 0}}
    full = OSError(errno.ENOSPC, "No space left on device")
    recorder.cycle([arrive(block([NOW], x=[0.0]), **header)])
    for n in (1, 2, 3):
        clock.now += 1
        with mock.patch.object(disk, "write", side_effect=full):
            recorder.cycle([arrive(block([clock.now], x=[float(n)]), **header)])
        assert "No space left" in recorder.problem
        assert recorder.report()["problem"] == recorder.problem
    assert recorder.held_bytes > 0
    clock.now += 1
    recorder.cycle()
    assert recorder.problem == ""
    recorder.finish(forget_positions=True)
    recorder.close()
    archive = read(tmp_path)
    assert [value for _, value in archive.samples[FULL]] == [0.0, 1.0, 2.0, 3.0]


def test_messages_wait_in_memory_while_the_journal_cannot_be_written(
    tmp_path, clock, arrive, block, read
):
    recorder = Recorder(tmp_path, clock=clock)
    recorder._journal._db.execute("PRAGMA query_only = ON")
    recorder.cycle([arrive(block([NOW], x=[0.0]), seq=0)])
    recorder.cycle([arrive(block([NOW + 1], x=[1.0]), seq=1)])
    assert "journal" in recorder.problem
    assert recorder.unjournaled == 2
    assert not list(tmp_path.glob("*/*.g3"))
    assert not recorder.finish(forget_positions=True)
    recorder._journal._db.execute("PRAGMA query_only = OFF")
    assert recorder.finish(forget_positions=True)
    assert recorder.unjournaled == 0
    recorder.close()
    assert len(read(tmp_path).samples[FULL]) == 2


def test_a_directory_that_is_no_directory_is_a_problem_not_a_loop(
    recorder, tmp_path, arrive, block, read
):
    (tmp_path / "17000").write_text("in the way")
    recorder.cycle([arrive(block([NOW], x=[1.0]))])
    assert "17000" in recorder.problem
    (tmp_path / "17000").unlink()
    assert recorder.finish(forget_positions=True)
    assert len(read(tmp_path).samples[FULL]) == 1


def test_a_data_directory_that_vanishes_is_made_again(
    recorder, tmp_path, clock, arrive, block, read
):
    header = {"agg_params": {"frame_length": 0}}
    recorder.cycle([arrive(block([NOW - 1], x=[0.0]), **header)])
    for path in tmp_path.glob("*/*.g3"):
        path.unlink()
        path.parent.rmdir()
    clock.now += 4000
    recorder.cycle([arrive(block([NOW], x=[1.0]), **header)])
    recorder.finish(forget_positions=True)
    assert [value for _, value in read(tmp_path).samples[FULL]] == [1.0]


def test_somebody_elses_file_of_the_same_second_is_left_alone(
    recorder, tmp_path, arrive, block, read
):
    theirs = tmp_path / "17000" / "1700000000.g3"
    real = Journal.set_file

    def set_file(self, file):
        theirs.parent.mkdir(exist_ok=True)
        theirs.touch()
        real(self, file)

    with mock.patch.object(Journal, "set_file", set_file):
        recorder.cycle([arrive(block([NOW], x=[1.0]))])
    recorder.finish(forget_positions=True)
    assert theirs.read_bytes() == b""
    assert [path.name for path in read(tmp_path).files] == ["1700000000.g3", "1700000001.g3"]


def test_positions_are_kept_for_a_restart_and_forgotten_after_a_stop(
    tmp_path, clock, arrive, block
):
    for forget, resumed, seq in ((False, False, 4), (True, True, 9), (True, False, 20)):
        recorder = Recorder(tmp_path, clock=clock)
        assert recorder.resumed == resumed
        assert list(recorder.positions.values()) == ([5] if resumed else [])
        recorder.cycle([arrive(block([NOW], x=[1.0]), seq=seq)])
        recorder.finish(forget_positions=forget)
        recorder.close()


def test_the_quarantine_account_is_bounded():
    quarantine = Quarantine()
    for n in range(2000):
        quarantine.refuse(f"a.b{n}.feeds.c", "x", "why" * 500, NOW)
    report = quarantine.report()
    assert len(report) == 501
    assert report["(others)"]["(others)"]["count"] == 1500
    assert quarantine.total == 2000
    assert not quarantine.refuse("a.b0.feeds.c", "x", "why" * 500, NOW)
    assert quarantine.refuse("a.b0.feeds.c", "x", "another", NOW)
