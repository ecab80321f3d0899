"""Measure what it costs to record feeds: ours, upstream's core and so3g's own limit, side by side.

The same messages, each second's at once, go through our recorder (which commits every one of them
to its journal, with fsync, before anything else) and, given an interpreter that has upstream's
packages, through upstream's aggregator core (which keeps them in memory). Both files are read back
with so3g and must hold the same. The limit is what so3g takes to build and save the same frames
from numpy arrays, without any message.

Run: python bench/aggregator_frames.py [--upstream /path/to/upstream/bin/python]
Exit status 1 when a limit is broken.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import so3g  # noqa: F401 - before spt3g, or the interpreter crashes
from aggregator_load import SAMPLES, ticks
from so3g import hk
from spt3g import core

from agents.aggregator.recorder import Arrival, Recorder

MOST_CPU_MS_PER_MESSAGE = 0.5
MOST_CLOSE_TIMES_LIMIT = 20.0
LEAST_CLOSE_GAIN = 2.0


def ours(data_dir: Path, start: float, feeds: int, seconds: int) -> dict[str, float]:
    load = list(ticks(start, feeds, seconds))
    recorder = Recorder(data_dir)
    began, cpu = time.perf_counter(), time.process_time()
    for tick in load:
        recorder.cycle(Arrival(message, feed, time.time()) for message, feed in tick)
    middle, cpu = time.perf_counter(), time.process_time() - cpu
    recorder.finish(forget_positions=True)
    ended = time.perf_counter()
    recorder.close()
    return {"run": middle - began, "cpu": cpu, "close": ended - middle}


def limit(start: float, feeds: int, seconds: int) -> float:
    count = seconds * SAMPLES
    times = (np.arange(count) * 10**7 + int(start) * 10**8).astype(np.int64)
    values = np.arange(count) / SAMPLES
    helper = hk.HKSessionHelper(hkagg_version=2, description="HK data")
    began = time.perf_counter()
    for feed in range(feeds):
        frame = helper.data_frame(feed)
        samples = core.G3TimesampleMap()
        samples.times = core.G3VectorTime(times)
        samples["Channel_1_T"] = core.G3VectorDouble(values)
        samples["Channel_1_R"] = core.G3VectorDouble(values)
        frame["blocks"].append(samples)
        frame["block_names"].append("Channel 1")
        frame.__getstate__()
    return time.perf_counter() - began


def samples_in(data_dir: Path) -> int:
    frames = [f for path in data_dir.glob("[0-9]*/*.g3") for f in core.G3File(str(path))]
    return sum(len(b.times) for f in frames if f["hkagg_type"] == 2 for b in f["blocks"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--upstream", metavar="PYTHON", help="interpreter with upstream's ocs")
    parser.add_argument("--feeds", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=300, help="length of the feeds' data")
    args = parser.parse_args()
    messages, wanted = args.feeds * args.seconds, args.feeds * args.seconds * SAMPLES
    # The samples end now, so neither side finds a frame due before the end.
    load = (time.time() - args.seconds, args.feeds, args.seconds)
    failures = []
    with tempfile.TemporaryDirectory() as scratch:
        our = ours(Path(scratch, "ours"), *load)
        if (found := samples_in(Path(scratch, "ours"))) != wanted:
            failures.append(f"ours wrote {found} samples of {wanted}")
        floor = limit(*load)
        print(f"{messages} messages, {wanted} samples, {args.feeds} frames")
        print(
            f"ours:      {1e3 * our['run'] / messages:.3f} ms a message with journal and fsync "
            f"({1e3 * our['cpu'] / messages:.3f} ms CPU); frames {1e3 * our['close']:.1f} ms"
        )
        print(f"so3g only: frames {1e3 * floor:.1f} ms")
        print(f"ratio ours / so3g only, frames: {our['close'] / floor:.1f}")
        if 1e3 * our["cpu"] / messages > MOST_CPU_MS_PER_MESSAGE:
            failures.append(f"more than {MOST_CPU_MS_PER_MESSAGE} ms CPU a message")
        if our["close"] / floor > MOST_CLOSE_TIMES_LIMIT:
            failures.append(f"frames take more than {MOST_CLOSE_TIMES_LIMIT} times the limit")
        if args.upstream:
            script = Path(__file__).with_name("aggregator_upstream.py")
            command = [args.upstream, str(script), f"{scratch}/upstream", *map(str, load)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            theirs = json.loads(answer.splitlines()[-1])
            if (found := samples_in(Path(scratch, "upstream"))) != wanted:
                failures.append(f"upstream wrote {found} samples of {wanted}")
            print(
                f"upstream:  {1e3 * theirs['run'] / messages:.3f} ms a message, in memory only; "
                f"frames {1e3 * theirs['close']:.1f} ms"
            )
            gain = theirs["close"] / our["close"]
            print(f"ratio upstream / ours, frames: {gain:.1f}")
            print(f"ratio ours / upstream, messages: {our['run'] / theirs['run']:.2f}")
            if gain < LEAST_CLOSE_GAIN:
                failures.append(f"frames are less than {LEAST_CLOSE_GAIN} times upstream's speed")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory, ours with the load: {peak_mib:.0f} MiB")
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
