"""A stand-in for the aggregator: its operations by name, and nothing behind them."""

from __future__ import annotations

from twisted.internet.task import deferLater

from ocs import ocs_agent, site_config


def main() -> None:
    args = site_config.parse_args("FakeAggregator")
    agent, runner = ocs_agent.init_site_agent(args)

    async def run(session: ocs_agent.OpSession, params: object) -> tuple[bool, str]:
        while session.status == "running":
            await deferLater(agent.reactor, 0.05, lambda: None)
        return True, "everything is written"

    async def stop(session: ocs_agent.OpSession, params: object) -> tuple[bool, str]:
        session.set_status("stopping")
        return True, "stopping"

    async def subscribe(session: ocs_agent.OpSession, params: object) -> tuple[bool, str]:
        return True, f"subscribed to {params}"

    agent.register_process("record", run, stop, blocking=False)
    agent.register_process("aggregate", run, stop, blocking=False)
    agent.register_task("subscribe", subscribe, blocking=False)
    runner.run(agent)


if __name__ == "__main__":
    main()
