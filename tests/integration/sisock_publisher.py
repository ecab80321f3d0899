"""An agent for the monitor's tests: publishes numbers and writes down what it sent.

Usage: sisock_publisher.py PERIOD_S LOG_FILE [agent options]. Every line of the file is a JSON
array [time, a, b], written before the sample is published.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

from twisted.internet.task import deferLater

from ocs import ocs_agent, site_config


class Publisher:
    def __init__(self, agent: ocs_agent.OCSAgent, period_s: float, sent: Path) -> None:
        self.agent = agent
        self.period_s = period_s
        self.sent = sent
        self.running = False
        agent.register_feed("temperatures", record=True, agg_params={"frame_length": 60})
        agent.register_process("acq", self.acq, self.stop_acq, blocking=False, startup=True)

    async def acq(self, session: ocs_agent.OpSession, _params: object) -> tuple[bool, str]:
        session.set_status("running")
        self.running = True
        count = 0
        with self.sent.open("a", encoding="utf-8") as file:
            while self.running:
                now = time.time()
                values = {"Channel_01_T": 4.0 + math.sin(count / 10), "Channel_01_R": float(count)}
                file.write(json.dumps([now, *values.values()]) + "\n")
                file.flush()
                self.agent.publish_to_feed(
                    "temperatures",
                    {"block_name": "Channel_01", "timestamp": now, "data": values},
                )
                count += 1
                await deferLater(self.agent.reactor, self.period_s, lambda: None)
        return True, "stopped"

    async def stop_acq(self, _session: ocs_agent.OpSession, _params: object) -> tuple[bool, str]:
        self.running = False
        return True, "stopping"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("period_s", type=float)
    parser.add_argument("log_file", type=Path)
    args = site_config.parse_args("Publisher", parser=parser, args=sys.argv[1:])
    agent, runner = ocs_agent.init_site_agent(args)
    Publisher(agent, args.period_s, args.log_file)
    runner.run(agent, auto_reconnect=True)


if __name__ == "__main__":
    main()
