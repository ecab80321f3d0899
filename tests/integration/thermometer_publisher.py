"""An agent that publishes what a Lake Shore does, one block a channel, each with its own times.

Usage: thermometer_publisher.py CHANNELS DIGITS SECOND [agent options]. DIGITS is the width of a
channel's number in a field's name, SECOND the letter of the second quantity (R or V).
"""

import argparse
import math
import sys
import time

from twisted.internet.task import deferLater

from ocs import ocs_agent, site_config

PERIOD_S = 0.1


class Thermometer:
    def __init__(self, agent: ocs_agent.OCSAgent, channels: int, digits: int, second: str) -> None:
        self.agent = agent
        self.channels = channels
        self.digits = digits
        self.second = second
        self.running = False
        agent.register_feed("temperatures", record=True, agg_params={"frame_length": 60})
        agent.register_process("acq", self.acq, self.stop_acq, blocking=False, startup=True)

    async def acq(self, session: ocs_agent.OpSession, _params: object) -> tuple[bool, str]:
        session.set_status("running")
        self.running = True
        while self.running:
            for channel in range(1, self.channels + 1):
                now = time.time()
                stem = f"Channel_{channel:0{self.digits}d}"
                values = {f"{stem}_T": channel + math.sin(now), f"{stem}_{self.second}": 1e3 * now}
                self.agent.publish_to_feed(
                    "temperatures", {"block_name": stem, "timestamp": now, "data": values}
                )
            await deferLater(self.agent.reactor, PERIOD_S, lambda: None)
        return True, "stopped"

    async def stop_acq(self, _session: ocs_agent.OpSession, _params: object) -> tuple[bool, str]:
        self.running = False
        return True, "stopping"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("channels", type=int)
    parser.add_argument("digits", type=int)
    parser.add_argument("second")
    args = site_config.parse_args("Thermometer", parser=parser, args=sys.argv[1:])
    agent, runner = ocs_agent.init_site_agent(args)
    Thermometer(agent, args.channels, args.digits, args.second)
    runner.run(agent, auto_reconnect=True)


if __name__ == "__main__":
    main()
