import math
from fractions import Fraction

import numpy as np
import pytest
import so3g  # noqa: F401 - before spt3g, or the interpreter crashes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from so3g import hk
from spt3g import core

from agents.aggregator.frames import DataFrame, StatusFrame
from agents.aggregator.hkg3 import FrameEncoder, ticks
from agents.aggregator.messages import BlockData
from agents.aggregator.recorder import Arrival, Recorder

NOW = 1_700_000_000.0
ADDRESS = "observatory.LSA23JD.feeds.temperatures"
FULL = f"{ADDRESS}.x"


@given(st.floats(-9e10, 9e10))
def test_ticks_are_the_nearest_to_the_exact_time(time):
    exact = Fraction(time) * 10**8
    (tick,) = ticks(np.array([time])).tolist()
    assert abs(tick - exact) <= Fraction(1, 2)


def test_bytes_are_those_that_the_writer_of_so3g_writes(tmp_path):
    encoder = FrameEncoder(NOW)
    columns = {
        "f": np.array([1.5, math.inf]),
        "i": np.array([1, -(2**63)]),
        "b": np.array([True, False]),
        "s": ["a", "ü"],
    }
    block = BlockData("temps", np.array([0.0, 5e-8]), columns)
    ours = b"".join(
        [
            encoder.session(),
            encoder.encode(StatusFrame(NOW, ((0, ADDRESS),))),
            encoder.encode(DataFrame(0, ADDRESS, "1.5", NOW + 1, (block,), ())),
        ]
    )
    (tmp_path / "ours.g3").write_bytes(ours)
    session, status, data = frames = list(core.G3File(str(tmp_path / "ours.g3")))
    writer = core.G3Writer(str(tmp_path / "theirs.g3"))
    for frame in frames:
        writer.Process(frame)
    writer.Flush()
    theirs = (tmp_path / "theirs.g3").read_bytes()
    assert theirs == b"".join(frame.__getstate__()[1] for frame in frames)
    assert len(theirs) == len(ours)  # the order of a frame's keys is arbitrary
    assert (session["hkagg_type"], session["start_time"]) == (0, NOW)
    assert session["description"] == "HK data"
    (provider,) = status["providers"]
    assert (status["timestamp"], status["hkagg_type"]) == (NOW, 1)
    assert (provider["prov_id"].value, provider["description"].value) == (0, ADDRESS)
    assert (data["address"], data["provider_session_id"]) == (ADDRESS, "1.5")
    assert (data["timestamp"], data["prov_id"], data["hkagg_type"]) == (NOW + 1, 0, 2)
    assert list(data["block_names"]) == ["temps"]
    (samples,) = data["blocks"]
    assert [t.time for t in samples.times] == [0, 5]
    read = {name: list(column) for name, column in samples.items()}
    assert read == {name: list(column) for name, column in columns.items()}
    assert len({f["session_id"] for f in frames}) == 1


TYPES = st.sampled_from(
    [
        st.floats(allow_nan=False),
        st.integers(-(2**63), 2**63 - 1),
        st.booleans(),
        st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=4),
    ]
)


@given(data=st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_so3g_reads_back_every_sample(tmp_path_factory, clock, feed, block, data):
    """Types and lengths at will, times in order as an instrument sends them."""
    data_dir = tmp_path_factory.mktemp("archive")
    values = data.draw(TYPES, "type")
    messages = data.draw(
        st.lists(st.lists(st.tuples(st.floats(1e-3, 2), values), max_size=5), max_size=8)
    )
    clock.now = NOW
    recorder = Recorder(data_dir, clock=clock, time_per_file_s=10)
    header, time, sent = feed(agg_params={"frame_length": 3}), NOW, []
    for message in messages:
        samples = []
        for step, value in message:
            time += step
            samples.append((time, value))
        sent += samples
        clock.now = time
        times, column = [t for t, _ in samples], [v for _, v in samples]
        recorder.cycle([Arrival(block(times, x=column), header, time)])
    assert recorder.quarantine.total == 0
    assert recorder.finish(forget_positions=True)
    recorder.close()
    scanner = hk.HKArchiveScanner()
    for path in data_dir.glob("*/*.g3"):
        scanner.process_file(str(path))
    archive = scanner.finalize()
    if not sent:
        return
    read_times, read_values = archive.simple(FULL)
    order = np.argsort(read_times, kind="stable")
    assert len(read_times) == len(sent)
    # so3g goes through float seconds; `ticks` itself is exact to 5 ns.
    np.testing.assert_allclose(read_times[order], [t for t, _ in sent], rtol=0, atol=2.5e-7)
    assert np.asarray(read_values)[order].tolist() == [v for _, v in sent]


def test_a_window_is_found_across_files_and_sessions(tmp_path, clock, feed, block):
    header = feed(agg_params={"frame_length": 5})
    for life in range(3):
        recorder = Recorder(tmp_path, clock=clock, time_per_file_s=20)
        for n in range(50):
            clock.now = NOW + life * 50 + n
            recorder.cycle([Arrival(block([clock.now], x=[clock.now]), header, clock.now)])
        recorder.finish(forget_positions=False)
        recorder.close()
    times, values = hk.load_range(
        NOW + 10, NOW + 140, [FULL], data_dir=str(tmp_path), strict=False
    )[FULL]
    assert times.tolist() == values.tolist() == [NOW + n for n in range(10, 140)]


@pytest.mark.parametrize("frame_length", [0, 100])
def test_late_samples_are_found_too(tmp_path, clock, feed, block, frame_length):
    recorder = Recorder(tmp_path, clock=clock)
    header = feed(agg_params={"frame_length": frame_length})
    for offset in (0, 20, 5, 6, 30):
        clock.now += 1
        recorder.cycle([Arrival(block([NOW + offset], x=[float(offset)]), header, clock.now)])
    recorder.finish(forget_positions=True)
    recorder.close()
    scanner = hk.HKArchiveScanner()
    for path in tmp_path.glob("*/*.g3"):
        scanner.process_file(str(path))
    _, values = scanner.finalize().simple(FULL)
    assert sorted(values.tolist()) == [0, 5, 6, 20, 30]
