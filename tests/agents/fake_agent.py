"""A small agent for tests: two tasks, one process, one recorded feed.

Everything a client can see is there: accepted, refused, successful, failed and aborted runs.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from ocs import ocs_agent, site_config

PERIOD_S = 0.1


class FakeAgent:
    """Counts samples and sleeps on command."""

    def __init__(self, agent: ocs_agent.OCSAgent, fail_after: float | None) -> None:
        self.agent = agent
        self.fail_after = fail_after
        agent.register_feed("samples", record=True, agg_params={"frame_length": 60})

    def sleep(self, seconds: float) -> Deferred[None]:
        return deferLater(self.agent.reactor, seconds, lambda: None)

    @ocs_agent.param("delay", default=5.0, type=float, check=lambda value: 0 <= value < 1000)
    @ocs_agent.param("succeed", default=True, type=bool)
    async def delay_task(
        self, session: ocs_agent.OpSession, params: dict[str, Any]
    ) -> tuple[bool, str]:
        """delay_task(delay=5, succeed=True)

        Sleeps, then succeeds or fails.
        """
        session.data = {"requested_delay": params["delay"], "delay_so_far": 0.0}
        start = time.time()
        while (so_far := time.time() - start) < params["delay"]:
            if session.status != "running":
                return False, f"Aborted after {so_far:.1f} seconds"
            session.data["delay_so_far"] = so_far
            await self.sleep(min(0.05, params["delay"] - so_far))
        return params["succeed"], f"Exited after {params['delay']:.1f} seconds"

    async def abort_delay_task(
        self, session: ocs_agent.OpSession, params: object
    ) -> tuple[bool, str]:
        session.set_status("stopping")
        return True, "aborting"

    async def init_lakeshore(
        self, session: ocs_agent.OpSession, params: object
    ) -> tuple[bool, str]:
        """init_lakeshore()

        Fails if the agent was started with --fail-after=0.
        """
        if self.fail_after == 0:
            return False, "No instrument answers"
        return True, "Lake Shore initialized"

    async def acq(self, session: ocs_agent.OpSession, params: object) -> tuple[bool, str]:
        """acq()

        Publishes samples of `count` and `nan`.
        """
        count = 0
        while session.status == "running":
            block = {"count": count, "nan": math.nan}
            self.agent.publish_to_feed(
                "samples", {"block_name": "samples", "timestamp": time.time(), "data": block}
            )
            session.data = {"count": count}
            count += 1
            if self.fail_after is not None and count * PERIOD_S >= self.fail_after:
                return False, "The instrument has gone"
            await self.sleep(PERIOD_S)
        # Long enough for a second stop to meet the first.
        await self.sleep(0.5)
        return True, "Acquisition ended"

    async def stop_acq(self, session: ocs_agent.OpSession, params: object) -> tuple[bool, str]:
        session.set_status("stopping")
        return True, "stopping"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fail-after", type=float, help="how soon acq fails by itself, seconds")
    args = site_config.parse_args("FakeAgent", parser)
    agent, runner = ocs_agent.init_site_agent(args)
    fake = FakeAgent(agent, args.fail_after)
    agent.register_task("init_lakeshore", fake.init_lakeshore, blocking=False)
    agent.register_task(
        "delay_task", fake.delay_task, blocking=False, aborter=fake.abort_delay_task
    )
    agent.register_process("acq", fake.acq, fake.stop_acq, blocking=False)
    runner.run(agent, auto_reconnect=True)


if __name__ == "__main__":
    main()
