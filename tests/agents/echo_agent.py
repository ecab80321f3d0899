"""An agent for the tests of the agent library itself: operations that behave well and badly."""

import argparse
import math
import threading
import time
from typing import Any

from twisted.internet.task import deferLater

from ocs import ocs_agent, site_config
from ocs.ocs_twisted import Pacemaker

BUSY_OPS = 12
RATE_HZ = 50


class EchoAgent:
    def __init__(self, agent: ocs_agent.OCSAgent) -> None:
        self.agent = agent
        self.released = threading.Event()
        agent.register_feed("counts", record=True, buffer_time=0.1, agg_params={"frame_length": 60})
        agent.register_task("delay_task", self.delay, self.abort, blocking=False)
        agent.register_task("crash", self.crash)
        agent.register_task("data", self.data)
        agent.register_task("publish_bad", self.publish_bad)
        agent.register_task("stuck", self.stuck)
        agent.register_process("acq", self.acq, self.abort, startup=True)
        agent.register_process("loop", self.loop, self.abort)
        for number in range(BUSY_OPS):
            agent.register_task(f"busy{number}", self.busy)

    @ocs_agent.param("delay", default=5.0, type=float, check=lambda delay: 0 <= delay < 1000)
    @ocs_agent.param("succeed", default=True, type=bool)
    async def delay(self, session: ocs_agent.OpSession, params: dict[str, Any]) -> tuple[bool, str]:
        """delay_task(delay=5, succeed=True)

        Waits.
        """
        begin = time.monotonic()
        while time.monotonic() - begin < params["delay"]:
            if session.status != "running":
                return False, "Aborted"
            await deferLater(self.agent.reactor, 0.02)
        return params["succeed"], f"Exited after {params['delay']} seconds"

    def abort(self, session: ocs_agent.OpSession, params: object) -> tuple[bool, str]:
        session.set_status("stopping")
        return True, "stopping"

    def acq(self, session: ocs_agent.OpSession, params: object) -> tuple[bool, str]:
        pacemaker = Pacemaker(RATE_HZ)
        count = 0
        while session.status == "running":
            pacemaker.sleep()
            sample = {"block_name": "counts", "timestamp": time.time(), "data": {"count": count}}
            self.agent.publish_to_feed("counts", sample)
            count += 1
            session.data = {"count": count}
        self.agent.feeds["counts"].flush_buffer()
        return True, "acquisition ended"

    def loop(self, session: ocs_agent.OpSession, params: object) -> tuple[bool, str]:
        while session.status == "running":
            time.sleep(0.01)
        return True, "loop ended"

    def busy(self, session: ocs_agent.OpSession, params: object) -> tuple[bool, str]:
        self.released.wait(60)
        return True, "released"

    def stuck(self, session: ocs_agent.OpSession, params: object) -> tuple[bool, str]:
        time.sleep(3600)
        return True, "never"

    def crash(self, session: ocs_agent.OpSession, params: object) -> tuple[bool, str]:
        raise ValueError("boom")

    def data(self, session: ocs_agent.OpSession, params: object) -> tuple[bool, str]:
        session.data = {"inf": math.inf, "nan": math.nan, "list": [1.5, -math.inf], 1: "int key"}
        return True, "has data"

    def publish_bad(self, session: ocs_agent.OpSession, params: object) -> tuple[bool, str]:
        bad = {"block_name": "counts", "timestamp": time.time(), "data": {"count": object()}}
        try:
            self.agent.publish_to_feed("counts", bad)
        except TypeError as error:
            return True, f"told: {error}"
        return False, "nobody told"


def main() -> None:
    args = site_config.parse_args("EchoAgent", argparse.ArgumentParser())
    agent, runner = ocs_agent.init_site_agent(args)
    EchoAgent(agent)
    runner.run(agent, auto_reconnect=True)


if __name__ == "__main__":
    main()
