"""What authors of agents use; the Python names are upstream's (spec/ocs-protocol.md, section 20).

Agents written for upstream's library run on this one.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from twisted.internet.task import LoopingCall

from ocs.agent import OCSAgent
from ocs.errors import OcsError
from ocs.logs import format_log_event
from ocs.op_session import SESSION_STATUS_CODES, OpSession
from ocs.params import ParamError, ParamHandler, param
from ocs.runner import Service, run_service

__all__ = [
    "SESSION_STATUS_CODES",
    "AgentRunner",
    "OCSAgent",
    "OpSession",
    "ParamError",
    "ParamHandler",
    "init_site_agent",
    "log_formatter",
    "param",
]

log_formatter = format_log_event


class _AgentService(Service):
    """The life of an agent as a program."""

    def __init__(self, agent: OCSAgent) -> None:
        self._agent = agent
        self._watch = LoopingCall(self._look)
        self._watch.clock = agent.reactor

    def start(self) -> None:
        self._agent.open()
        self._watch.start(1.0, now=False)

    async def stop(self) -> None:
        if self._watch.running:
            self._watch.stop()
        await self._agent.shutdown()

    def _look(self) -> None:
        why = self._agent.gives_up()
        if why is not None:
            self._agent.log.error("{why}", why=why)
            self.exit_status = 1
            self._watch.stop()
            self._agent.reactor.stop()


class AgentRunner:
    """Runs an agent as the main thing of its program.

    Args:
        args: Options of the site configuration.
        reactor: The Twisted reactor.
    """

    def __init__(self, args: argparse.Namespace, reactor: Any) -> None:
        self._args = args
        self._reactor = reactor

    def run(
        self,
        agent: OCSAgent,
        auto_reconnect: bool = True,  # noqa: ARG002 - ours always does
    ) -> None:
        """Run until told to stop.

        Raises:
            SystemExit: With status 1 if the agent could not do its work, 2 if it cannot log as
                it was told to; else it returns.
        """
        log_file: Path | None = None
        if self._args.log_dir:
            working_dir = Path(self._args.working_dir or ".")
            log_file = working_dir / self._args.log_dir / f"{agent.agent_address}.log"
        status = run_service(self._reactor, _AgentService(agent), log_file=log_file)
        if status:
            raise SystemExit(status)


def init_site_agent(
    args: argparse.Namespace, address: str | None = None
) -> tuple[OCSAgent, AgentRunner]:
    """Make an agent from the options of its site configuration, and what runs it.

    Args:
        args: From `ocs.site_config.parse_args`.
        address: Full address; by default ``<address_root>.<instance_id>``.

    Raises:
        SystemExit: The router's address is not usable (status 2, one line on stderr).
    """
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    try:
        agent = OCSAgent(reactor, args, address)
    except OcsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    return agent, AgentRunner(args, reactor)
