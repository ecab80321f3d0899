"""The example of docs/writing-agents.md: an agent that counts."""

import time

from ocs import ocs_agent, site_config


class Counter:
    def __init__(self, agent: ocs_agent.OCSAgent) -> None:
        self.agent = agent
        self.step = 1
        agent.register_feed("counts", record=True, buffer_time=1)
        agent.register_task("set_step", self.set_step)
        agent.register_process("count", self.count, self.stop_count)

    @ocs_agent.param("step", type=int, check=lambda step: step > 0)
    def set_step(self, session, params):
        """set_step(step)

        **Task** - Choose how far to count at a time.
        """
        self.step = params["step"]
        return True, f"Counting in steps of {self.step}"

    def count(self, session, params):
        """count()

        **Process** - Count ten times a second.
        """
        value = 0
        while session.status == "running":
            value += self.step
            session.data = {"value": value}
            self.agent.publish_to_feed(
                "counts",
                {"block_name": "counts", "timestamp": time.time(), "data": {"value": value}},
            )
            time.sleep(0.1)
        return True, f"Counted to {value}"

    def stop_count(self, session, params):
        session.set_status("stopping")
        return True, "Stopping"


if __name__ == "__main__":
    args = site_config.parse_args("CounterAgent")
    agent, runner = ocs_agent.init_site_agent(args)
    Counter(agent)
    runner.run(agent)
