"""Run upstream's aggregator core on the benchmark's messages (started by aggregator_frames.py).

Needs upstream's packages (ocs 0.12.1, so3g). Prints the seconds it took, as JSON.
"""

import json
import queue
import sys
import time

from aggregator_load import ticks
from ocs.agents.aggregator.drivers import Aggregator


def main(data_dir: str, start: float, feeds: int, seconds: int) -> None:
    load = list(ticks(start, feeds, seconds))
    incoming: queue.Queue = queue.Queue()
    aggregator = Aggregator(incoming, 3600, data_dir)
    began = time.perf_counter()
    for tick in load:
        for event in tick:
            incoming.put(event)
        aggregator.run()
    middle = time.perf_counter()
    aggregator.close()
    print(json.dumps({"run": middle - began, "close": time.perf_counter() - middle}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
