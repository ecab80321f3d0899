"""Whatever happens between two instructions, each sample is in the archive exactly once."""

import errno
import itertools
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.aggregator import recorder as recorder_module
from agents.aggregator.archive import Disk
from agents.aggregator.journal import Journal, JournalUnavailable
from agents.aggregator.recorder import Arrival, Recorder

NOW = 1_700_000_000.0
FRAME_LENGTH_S = 3.0


class Killed(BaseException):
    """The end of the process."""


class Steps:
    """Lets a run of steps go on until its `last`, then raises."""

    def __init__(self, last=None, error=Killed):
        self.last = last
        self.error = error
        self.count = 0

    def __call__(self):
        if self.count == self.last:
            self.last = None
            raise self.error
        self.count += 1


class StoppingDisk(Disk):
    """A disk where each step may be the last; writes stop half-way, too."""

    def __init__(self, step):
        self.step = step

    def make_folder(self, folder):
        self.step()
        super().make_folder(folder)

    def create(self, path):
        self.step()
        return super().create(path)

    def write(self, descriptor, data):
        self.step()
        super().write(descriptor, data[: len(data) // 2])
        self.step()
        super().write(descriptor, data[len(data) // 2 :])
        self.step()

    def sync(self, descriptor):
        super().sync(descriptor)
        self.step()

    def cut(self, path, length):
        self.step()
        super().cut(path, length)
        self.step()

    def remove(self, path):
        self.step()
        super().remove(path)
        self.step()


def stopping_journal(step):
    class StoppingJournal(Journal):
        def begin_recording(self, now):
            step()
            start = super().begin_recording(now)
            step()
            return start

        def end_recording(self):
            step()
            super().end_recording()
            step()

        def add(self, messages):
            step()
            ids = super().add(messages)
            step()
            return ids

        def set_file(self, file):
            step()
            super().set_file(file)
            step()

        def written(self, message_ids, file):
            step()
            super().written(message_ids, file)
            step()

    return StoppingJournal


def events(feed, block, count):
    """Messages of two feeds with numbers, one of which changes its fields, and their times."""
    for n in range(count):
        header = feed(seq=n, agg_params={"frame_length": FRAME_LENGTH_S})
        yield (
            NOW + n,
            {**block([NOW + n], x=[float(n)]), **block([NOW + n], "other", y=[n])},
            header,
        )
        fields = {"z": [float(n)]} if n < count // 2 else {"z": [float(n)], "w": ["text"]}
        yield NOW + n, block([NOW + n], **fields), feed("observatory.b.feeds.f", seq=n)


def wanted(count):
    at = "observatory.LSA23JD.feeds.temperatures"
    x = [(round((NOW + n) * 1e8), float(n)) for n in range(count)]
    return {f"{at}.temps.x": x, f"{at}.other.y": x, "observatory.b.feeds.f.temps.z": x}


def run(data_dir, clock, all_events, step, *, time_per_file_s=4.0, passes_errors=False):
    """One life of the aggregator: record what an agent's history would still give it."""
    recorder = None
    with mock.patch.object(recorder_module, "Journal", stopping_journal(step)):
        try:
            recorder = Recorder(
                data_dir, time_per_file_s=time_per_file_s, clock=clock, disk=StoppingDisk(step)
            )
            positions = {address: seq for (address, _), seq in recorder.positions.items()}
            for time, message, header in all_events:
                if header["seq"] >= positions.get(header["address"], 0):
                    clock.now = max(clock.now, time)
                    recorder.cycle([Arrival(message, header, time)])
            finished = recorder.finish(forget_positions=False)
            assert finished or (passes_errors and recorder.finish(forget_positions=False))
        finally:
            if recorder is not None:
                recorder.close()


def check(archive, count):
    for name, samples in wanted(count).items():
        assert sorted(archive.samples[name]) == samples, name


def count_steps(data_dir, clock, all_events):
    step = Steps()
    run(data_dir, clock, all_events, step)
    return step.count


def test_killed_at_any_step_and_started_again(tmp_path, clock, feed, block, read):
    all_events = list(events(feed, block, 8))
    steps = count_steps(tmp_path / "whole", clock, all_events)
    check(read(tmp_path / "whole"), 8)
    assert steps > 60
    for last in range(steps):
        data_dir = tmp_path / str(last)
        clock.now = NOW
        with pytest.raises(Killed):
            run(data_dir, clock, all_events, Steps(last))
        run(data_dir, clock, all_events, Steps())
        check(read(data_dir), 8)


@given(lives=st.lists(st.integers(0, 60), min_size=2, max_size=8))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_killed_again_and_again(tmp_path_factory, clock, feed, block, read, lives):
    data_dir = tmp_path_factory.mktemp("lives")
    all_events = list(events(feed, block, 10))
    for last in lives:
        clock.now = max(NOW, clock.now - 5)
        try:
            run(data_dir, clock, all_events, Steps(last))
        except Killed:
            continue
    run(data_dir, clock, all_events, Steps())
    check(read(data_dir), 10)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left"), JournalUnavailable("full")]
)
def test_a_step_that_fails_is_done_again(tmp_path, clock, feed, block, read, error):
    all_events = list(events(feed, block, 8))
    steps = count_steps(tmp_path / "whole", clock, all_events)
    # The first steps open the journal: without it there is no recorder.
    for last in range(2, steps - 1):
        data_dir = tmp_path / str(last)
        clock.now = NOW
        run(data_dir, clock, all_events, Steps(last, error), passes_errors=True)
        check(read(data_dir), 8)


def test_a_file_that_lost_committed_bytes_is_left_for_a_person(tmp_path, clock, feed, block, read):
    header = feed(agg_params={"frame_length": 0})
    recorder = Recorder(tmp_path, clock=clock)
    recorder.cycle([Arrival(block([NOW], x=[1.0]), header, NOW - 1)])
    (path,) = tmp_path.glob("*/*.g3")
    committed = path.read_bytes()
    recorder.cycle([Arrival(block([NOW + 1], x=[2.0]), header, NOW - 1)])
    behind = path.read_bytes()[len(committed) :]
    recorder.close()
    state = {p.name: p.read_bytes() for p in (tmp_path / "journal").iterdir()}
    for length in range(0, len(committed) + len(behind) + 1, 7):
        for other in tmp_path.glob("*/*.g3"):
            other.unlink()
        for name, content in state.items():
            (tmp_path / "journal" / name).write_bytes(content)
        path.write_bytes((committed + behind)[:length])
        again = Recorder(tmp_path, clock=clock)
        assert again.finish(forget_positions=True)
        again.close()
        assert path.stat().st_size == length
        if length == len(committed) + len(behind):
            assert len(read(tmp_path).samples.popitem()[1]) == 2


def test_a_frame_cut_at_any_byte_is_cut_off_and_written_again(tmp_path, clock, feed, block, read):
    header = feed(agg_params={"frame_length": 0})
    recorder = Recorder(tmp_path, clock=clock)
    recorder.cycle([Arrival(block([NOW], x=[1.0]), header, NOW - 1)])
    (path,) = tmp_path.glob("*/*.g3")
    committed = path.stat().st_size
    with mock.patch.object(Journal, "written", side_effect=Killed), pytest.raises(Killed):
        recorder.cycle([Arrival(block([NOW + 1], x=[2.0]), header, NOW - 1)])
    recorder.close()
    whole = path.read_bytes()
    assert len(whole) > committed
    state = {p.name: p.read_bytes() for p in (tmp_path / "journal").iterdir()}
    for length in range(committed, len(whole) + 1):
        for other in tmp_path.glob("*/*.g3"):
            other.unlink()
        for name, content in state.items():
            (tmp_path / "journal" / name).write_bytes(content)
        path.write_bytes(whole[:length])
        again = Recorder(tmp_path, clock=clock)
        assert path.stat().st_size == committed
        assert again.finish(forget_positions=True)
        again.close()
        if length % 16 == 0:
            archive = read(tmp_path)
            assert len(archive.files) == 2
            assert [value for _, value in next(iter(archive.samples.values()))] == [1.0, 2.0]


def test_a_commit_that_reports_an_error_but_took_place(tmp_path, clock, feed, block, read):
    header = feed(agg_params={"frame_length": 0})
    real = Journal.written
    calls = itertools.count()

    def written(self, ids, file):
        real(self, ids, file)
        if next(calls) == 1:
            raise JournalUnavailable("lost the answer")

    recorder = Recorder(tmp_path, clock=clock)
    with mock.patch.object(Journal, "written", written):
        for n in range(4):
            recorder.cycle([Arrival(block([NOW + n], x=[float(n)]), header, NOW - 1)])
            assert bool(recorder.problem) == (n == 1)
    assert recorder.finish(forget_positions=True)
    recorder.close()
    archive = read(tmp_path)
    assert [v for _, v in next(iter(archive.samples.values()))] == [0.0, 1.0, 2.0, 3.0]
    assert len(archive.files) == 1
