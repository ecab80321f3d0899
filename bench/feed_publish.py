"""How fast samples go through a feed, as a ratio to packing the same data with msgpack alone.

    python bench/feed_publish.py [PYTHON_WITH_UPSTREAM_OCS]

Each sample is a message of one block with eight fields, as an eight-channel thermometer publishes
it. What is measured: append (with all checks), flush, and keeping the messages in the history; the
router is a function that takes everything. The limit is `msgpack.packb` of the very same messages.
With the path of an interpreter that has upstream's ocs installed, its `ocs_feed.Feed` is measured
the same way (it keeps nothing).
"""

import subprocess
import sys
import time

SAMPLES = 20_000
FIELDS = 8
BATCH = 100
REPEATS = 5

UPSTREAM = """
import sys, time
from unittest import mock
from twisted.internet import reactor
from ocs import ocs_feed, ocs_agent

class App:
    agent_address = "observatory.bench"
    agent_session_id = "1700000000.0"
    class_name = "Bench"
    published = 0
    def publish(self, topic, event):
        self.published += len(event[0])

samples, batch, repeats = map(int, sys.argv[1:])
# The clock is ours: a buffer of `batch` samples of one second each.
clock = mock.Mock()
best = 0.0
for _ in range(repeats):
    feed = ocs_feed.Feed(App(), "f", record=True, buffer_time=batch)
    fields = [f"channel_{n}" for n in range(%(fields)d)]
    messages = [
        {"block_name": "temps", "timestamp": 1e9 + t, "data": dict.fromkeys(fields, t * 0.1)}
        for t in range(samples)
    ]
    with mock.patch.object(ocs_feed, "time", clock):
        begin = time.perf_counter()
        for t, message in enumerate(messages):
            clock.time.return_value = 1e9 + t
            feed.publish_message(message)
        feed.flush_buffer()
        best = max(best, samples / (time.perf_counter() - begin))
assert feed.agent.published > 1
print(best)
"""


def messages() -> list[dict[str, object]]:
    fields = [f"channel_{n}" for n in range(FIELDS)]
    return [
        {"block_name": "temps", "timestamp": 1e9 + t, "data": dict.fromkeys(fields, t * 0.1)}
        for t in range(SAMPLES)
    ]


def ours() -> float:
    from ocs.ocs_feed import Feed, FeedSource  # noqa: PLC0415 - not for the other interpreter

    due: list[object] = []
    feed = Feed(
        FeedSource("observatory.bench", "Bench", "1700000000.0"),
        "f",
        publish=lambda *_: True,
        schedule=lambda delay_s, func: due.append(func) if delay_s else func(),
        record=True,
        buffer_time=1.0,
    )
    given = messages()
    begin = time.perf_counter()
    for number, message in enumerate(given, 1):
        feed.publish_message(message)
        if number % BATCH == 0:
            feed.flush_buffer()
    feed.flush_buffer()
    rate = SAMPLES / (time.perf_counter() - begin)
    assert feed.history.next_seq == SAMPLES // BATCH
    return rate


def limit() -> float:
    import msgpack  # noqa: PLC0415

    given = messages()
    batches = []
    for start in range(0, SAMPLES, BATCH):
        part = given[start : start + BATCH]
        columns = {field: [m["data"][field] for m in part] for field in part[0]["data"]}  # type: ignore[index,attr-defined]
        times = [m["timestamp"] for m in part]
        batches.append({"temps": {"block_name": "temps", "timestamps": times, "data": columns}})
    begin = time.perf_counter()
    for batch in batches:
        msgpack.packb(batch)
    return SAMPLES / (time.perf_counter() - begin)


def upstream(python: str) -> float:
    run = subprocess.run(
        [python, "-P", "-c", UPSTREAM % {"fields": FIELDS}, *map(str, (SAMPLES, BATCH, REPEATS))],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        sys.exit(f"{python} cannot measure upstream's feed:\n{run.stderr}")
    return float(run.stdout.split()[-1])


def main() -> None:
    rate = max(ours() for _ in range(REPEATS))
    packing = max(limit() for _ in range(REPEATS))
    line = (
        f"feed: {rate:,.0f} samples/s of {FIELDS} fields; packing alone {packing:,.0f}; "
        f"ratio {rate / packing:.3f}"
    )
    if len(sys.argv) > 1:
        theirs = upstream(sys.argv[1])
        line += f"; upstream {theirs:,.0f}, ours is {rate / theirs:.1f} times as fast"
    print(line)


if __name__ == "__main__":
    main()
