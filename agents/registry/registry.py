"""Registry Agent: knows every agent on the router and what it is doing.

Behaviour: spec/ocs-protocol.md, section 9.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.task import deferLater

from ocs import site_config
from ocs.base import OpCode
from ocs.field_names import repair_field_name
from ocs.ocs_agent import OCSAgent, OpSession, init_site_agent, param

__all__ = ["AgentRecord", "Registry", "main", "make_parser"]

EXPIRY_S = 5.0
PERIOD_S = 1.0
FRAME_LENGTH_S = 60


@attrs.define
class AgentRecord:
    """What is known of one agent, from its heartbeats; times are Unix s."""

    agent_address: str
    agent_class: str | None = None
    last_updated: float = 0.0
    time_expired: float | None = None
    op_codes: dict[str, int] = attrs.field(factory=dict)

    @property
    def expired(self) -> bool:
        """Whether it has been silent for too long."""
        return self.time_expired is not None

    def refresh(self, op_codes: Mapping[str, int], agent_class: str | None, now: float) -> bool:
        """Take a heartbeat; returns whether it says anything new."""
        changed = self.expired or op_codes != self.op_codes
        self.op_codes = dict(op_codes)
        self.agent_class = agent_class
        self.last_updated = now
        self.time_expired = None
        return changed

    def expire(self, now: float) -> bool:
        """Expire if it has been silent for `EXPIRY_S`; returns whether it has just done so."""
        if self.expired or now - self.last_updated <= EXPIRY_S:
            return False
        self.time_expired = now
        self.op_codes = dict.fromkeys(self.op_codes, OpCode.EXPIRED.value)
        return True

    def encoded(self) -> dict[str, Any]:
        """Return the entry of session.data (``ocs-client-cli scan --use-registry`` reads it)."""
        return {
            "expired": self.expired,
            "time_expired": self.time_expired,
            "last_updated": self.last_updated,
            "op_codes": dict(self.op_codes),
            "agent_class": self.agent_class,
            "agent_address": self.agent_address,
        }

    def samples(self, now: float) -> Iterator[dict[str, Any]]:
        """Yield a block for each operation: block and field are named after it."""
        for op_name, code in self.op_codes.items():
            joined = f"{self.agent_address}_{op_name}".replace(".", "_").replace("-", "_")
            field = repair_field_name(joined)
            yield {"block_name": field, "timestamp": now, "data": {field: int(code)}}


def _op_codes(codes: Any) -> dict[str, int]:
    # Anybody can publish a heartbeat; what is none must not end the watch over all others.
    if not isinstance(codes, dict):
        return {}
    return {
        name: code
        for name, code in codes.items()
        if isinstance(name, str) and isinstance(code, int) and abs(code) < 2**31
    }


def _agent_class(feed: Mapping[str, Any]) -> str | None:
    found = feed.get("agent_class")
    return found if isinstance(found, str) else None


class Registry:
    """The registry's operations.

    Args:
        agent: The agent they belong to.
        wait_time: Seconds after which everything is published again.
        clock: Gives Unix time in seconds.
    """

    def __init__(
        self, agent: OCSAgent, wait_time: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.agent = agent
        self.wait_time = wait_time
        self._clock = clock
        self._records: dict[str, AgentRecord] = {}
        self._published_all = 0.0
        root = agent.site_args.address_root
        # As in 2019, the registry announces itself first.
        agent.register_task(
            "register_agent",
            self.register_agent,
            blocking=False,
            startup={"agent_address": agent.agent_address},
        )
        agent.register_process("main", self.main, self.stop_main, blocking=False, startup=True)
        agent.register_feed(
            "agent_operations", record=True, agg_params={"frame_length": FRAME_LENGTH_S}
        )
        agent.subscribe_on_start(
            self.take_heartbeat, f"{root}..feeds.heartbeat", options={"match": "wildcard"}
        )

    def take_heartbeat(self, event: Any) -> None:
        """Take one heartbeat, ``[{operation: code}, feed]`` (2019: ``[0, feed]``)."""
        match event:
            case [codes, {"agent_address": str(address)} as feed]:
                record = self._records.setdefault(address, AgentRecord(address))
                if record.refresh(_op_codes(codes), _agent_class(feed), self._clock()):
                    self._publish(record)
            case _:
                self.agent.log.warn("not a heartbeat: {event!r}", event=event)

    async def register_agent(self, session: OpSession, params: Any) -> tuple[bool, str]:
        """register_agent(agent_data)

        **Task** - Announce an agent, as agents of 2019 do. Nothing needs announcing any more
        (heartbeats do it); the request is accepted.
        """
        match params:
            case {"agent_data": {"agent_address": str(address)}} | {"agent_address": str(address)}:
                text = f"Registered agent {address}"
            case _:
                text = "Registered nobody: no agent_address in the request"
        self.agent.log.info("{text}", text=text)
        session.add_message(text)
        return True, text

    @param("test_mode", default=False, type=bool)
    async def main(self, session: OpSession, params: Mapping[str, Any]) -> tuple[bool, str]:
        """main(test_mode=False)

        **Process** - Watch the heartbeats of all agents. An agent that is silent for 5 s is
        marked as expired.

        Parameters:
            test_mode (bool): End after one round.

        Notes:
            The session's data are keyed by agent address::

                >>> response.session['data']
                {'observatory.LSA23JD': {'expired': False, 'time_expired': None,
                                         'last_updated': 1583179794.5,
                                         'op_codes': {'acq': 3}, 'agent_class': '...',
                                         'agent_address': 'observatory.LSA23JD'}}
        """
        while session.status in ("starting", "running"):
            now = self._clock()
            for record in self._records.values():
                if record.expire(now):
                    session.add_message(f"{record.agent_address} has expired")
                    self._publish(record)
            if now - self._published_all >= self.wait_time:
                self._published_all = now
                for record in self._records.values():
                    self._publish(record)
            session.data = {name: entry.encoded() for name, entry in self._records.items()}
            if params["test_mode"]:
                break
            await deferLater(self.agent.reactor, PERIOD_S, lambda: None)
        return True, "Stopped watching heartbeats"

    async def stop_main(
        self,
        session: OpSession,
        params: Any,  # noqa: ARG002 - a stopper gets what the start got
    ) -> tuple[bool, str]:
        """Stop `main`."""
        session.set_status("stopping")
        return True, "Stopping"

    def _publish(self, record: AgentRecord) -> None:
        for sample in record.samples(self._clock()):
            self.agent.publish_to_feed("agent_operations", sample)


def make_parser(parser: argparse.ArgumentParser | None = None) -> argparse.ArgumentParser:
    """Add the Registry's options to a parser."""
    if parser is None:
        parser = argparse.ArgumentParser(description="Run the Registry Agent.")
    group = parser.add_argument_group("Agent Options")
    group.add_argument(
        "--wait-time",
        type=float,
        default=30.0,
        help="seconds after which the state of all agents is published again (default: 30)",
    )
    return parser


def main(args: Sequence[str] | None = None) -> None:
    """Run the Registry."""
    parsed = site_config.parse_args("RegistryAgent", make_parser(), args)
    agent, runner = init_site_agent(parsed)
    Registry(agent, parsed.wait_time)
    runner.run(agent)


if __name__ == "__main__":
    main()
