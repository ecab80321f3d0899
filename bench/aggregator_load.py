"""The messages of the aggregator benchmarks; needs nothing but Python, so any interpreter has them.

Feeds like a Lake Shore 372's: one message a second, ten samples of temperature and resistance.
"""

from collections.abc import Iterator
from typing import Any

SAMPLES = 10


def ticks(start: float, feeds: int, seconds: int) -> Iterator[list[tuple[dict, dict]]]:
    """Yield what arrives in each second: (message, feed) of every feed."""
    headers = [
        {
            "agent_address": f"observatory.ls{feed:02}",
            "agg_params": {"frame_length": 600},
            "feed_name": "temperatures",
            "address": f"observatory.ls{feed:02}.feeds.temperatures",
            "record": True,
            "session_id": "1700000000.5",
            "agent_class": "Lakeshore372Agent",
        }
        for feed in range(feeds)
    ]
    for second in range(seconds):
        yield [(_message(start + second, second), header) for header in headers]


def _message(start: float, second: int) -> dict[str, Any]:
    values = [second + n / SAMPLES for n in range(SAMPLES)]
    return {
        "Channel 1": {
            "block_name": "Channel 1",
            "timestamps": [start + n / SAMPLES for n in range(SAMPLES)],
            "data": {"Channel_1_T": values, "Channel_1_R": values[::-1]},
        }
    }
