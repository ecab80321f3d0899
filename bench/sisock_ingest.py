"""Measure what one feed message costs the ring cache, and what it costs a list per field.

The second one is how a feed node is usually written: a list of times and a list of values for every
field, and after each message the old samples dropped from each. Both are measured in the same run
on the same messages, at an almost empty and at a full cache; what counts is their ratio, and that
the ring's cost does not grow with what it holds.

Run: python bench/sisock_ingest.py. Exit status 1 when a limit is broken.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from sisock.cache import RingCache
from sisock.feed_messages import FieldNames, parse_message

CHANNELS = 16
RATE_HZ = 10.0
BUFFER_S = 3600.0
FULL = int(BUFFER_S * RATE_HZ)
T0 = 1_800_000_000.0

MOST_MS = 0.1
MOST_GROWTH = 3.0
MOST_BYTES_PER_VALUE = 16.0
LEAST_GAIN = 20.0


def message(number: int) -> dict[str, Any]:
    return {
        "temps": {
            "block_name": "temps",
            "timestamps": [T0 + number / RATE_HZ],
            "data": {f"Channel_{c:02}_T": [float(number + c)] for c in range(CHANNELS)},
        }
    }


class Lists:
    """A list of times and one of values for every field."""

    def __init__(self) -> None:
        self.fields: dict[str, dict[str, list[float]]] = {}

    def take(self, received: dict[str, Any], now: float) -> None:
        for block in received.values():
            for channel, values in block["data"].items():
                field = self.fields.setdefault(channel.lower(), {"t": [], "v": []})
                times = field["t"] + block["timestamps"]
                samples = field["v"] + values
                keep = [i for i, t in enumerate(times) if t > now - BUFFER_S]
                field["t"] = [times[i] for i in keep]
                field["v"] = [samples[i] for i in keep]


class Ring:
    def __init__(self) -> None:
        self.now = T0
        self.cache = RingCache(BUFFER_S, clock=lambda: self.now)
        self.names = FieldNames(lambda *_: None)

    def take(self, received: dict[str, Any], now: float) -> None:
        self.now = now
        for samples in parse_message(received):
            self.cache.append(samples.block, samples.times, self.names.rename(samples))


def cost_ms(take: Callable[[dict[str, Any], float], None], first: int, count: int) -> float:
    """Return the mean cost of a message in milliseconds."""
    messages = [message(first + i) for i in range(count)]
    begin = time.perf_counter()
    for i, received in enumerate(messages):
        take(received, T0 + (first + i) / RATE_HZ)
    return (time.perf_counter() - begin) / count * 1e3


def main() -> int:
    ring, lists = Ring(), Lists()
    cost_ms(ring.take, 0, 100)
    ring_empty = cost_ms(ring.take, 100, 2000)
    cost_ms(ring.take, 2100, FULL - 2100)
    ring_full = cost_ms(ring.take, FULL, 10_000)
    size = ring.cache.size_bytes / (FULL * CHANNELS)

    block = {"timestamps": [T0 + i / RATE_HZ for i in range(FULL)]}
    whole = {f"Channel_{c:02}_T": [float(i) for i in range(FULL)] for c in range(CHANNELS)}
    lists.take({"temps": {**block, "data": whole}}, T0 + FULL / RATE_HZ)
    lists_full = cost_ms(lists.take, FULL, 10)

    checks = [
        ("ring, almost empty, ms a message", ring_empty, MOST_MS),
        ("ring, full, ms a message", ring_full, MOST_MS),
        ("ring, full to empty, ratio", ring_full / ring_empty, MOST_GROWTH),
        ("ring, bytes a value", size, MOST_BYTES_PER_VALUE),
        ("ring to lists, both full, ratio", ring_full / lists_full, 1 / LEAST_GAIN),
    ]
    print(f"{CHANNELS} channels, {FULL} samples each; lists, full: {lists_full:.1f} ms a message")
    for what, value, limit in checks:
        verdict = "ok" if value <= limit else "TOO MUCH"
        print(f"{what:36} {value:9.4f}   limit {limit:g}   {verdict}")
    return 0 if all(value <= limit for _, value, limit in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
