"""The node that keeps the last hour of one OCS feed (``sisock-data-feed``).

Takes the environment of upstream's thermometry and data-feed containers
(spec/sisock-protocol.md, 7.8).
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ocs.connection import Connection
from ocs.feed_follower import FeedEvent, FeedFollower
from ocs.feed_link import FeedLink
from ocs.runner import Service, run_service
from sisock import uris
from sisock.cache import RingCache
from sisock.feed_messages import FieldNames, parse_message
from sisock.node import DataNodeServer
from sisock.settings import (
    add_router_arguments,
    add_setting,
    positive_number,
    required,
    router_url,
    run_main,
)

__all__ = ["FeedNode", "FeedSource", "main"]

log = Logger()

PRUNE_INTERVAL_S = 10.0
DEFAULT_ADDRESS_ROOT = "observatory"


class FeedSource:
    """Put the messages of one agent's feed into a cache.

    Args:
        agent_address: Messages of anybody else are ignored.
        cache: Where the samples go.
    """

    def __init__(self, agent_address: str, cache: RingCache) -> None:
        self._agent_address = agent_address
        self._cache = cache
        self._names = FieldNames(self._collision)
        self._session: object = None
        self._told_out_of_time = False

    def deliver(self, event: FeedEvent) -> None:
        """Take a feed message, in order (what `ocs.feed_link.FeedLink` calls)."""
        if event.feed.get("agent_address") != self._agent_address:
            return
        session = event.feed.get("session_id")
        if session != self._session:
            self._session = session
            self._names.reset()
        for samples in parse_message(event.message):
            columns = self._names.rename(samples)
            refused = self._cache.append(samples.block, samples.times, columns) if columns else 0
            if refused and not self._told_out_of_time:
                self._told_out_of_time = True
                log.info(
                    "{agent}: {count} samples lie outside of the time kept (first: {first}); "
                    "if they should not, compare the clocks of the two machines",
                    agent=self._agent_address,
                    count=refused,
                    first=float(samples.times[0]),
                )

    def _collision(self, field: str, kept: str, refused: str) -> None:
        log.warn(
            "{agent}: channels {kept} and {refused} would both be field {field}; the second one "
            "is left out",
            agent=self._agent_address,
            kept=kept,
            refused=refused,
            field=field,
        )


class FeedNode(Service):
    """A data node fed by one OCS feed.

    Args:
        connection: Not started yet.
        reactor: For timers.
        target: Instance id of the agent.
        feed: Name of its feed.
        name: The node's name.
        description: For people.
        buffer_time_s: How long samples are kept, in seconds.
        address_root: First part of the agent's address.
        clock: Gives the Unix time in seconds.
    """

    def __init__(
        self,
        connection: Connection,
        reactor: Any,
        *,
        target: str,
        feed: str,
        name: str,
        description: str,
        buffer_time_s: float = 3600.0,
        address_root: str = DEFAULT_ADDRESS_ROOT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        agent_address = f"{address_root}.{target}"
        self.cache = RingCache(
            buffer_time_s,
            timeline_name=lambda field: f"{agent_address}.{field}",
            clock=clock,
        )
        self._connection = connection
        self._source = FeedSource(agent_address, self.cache)
        self._link = FeedLink(
            connection, FeedFollower(backfill_from_start=True), self._source.deliver
        )
        self._link.follow(agent_address, feed)
        topic = uris.feed_topic(address_root, target, feed)
        connection.subscribe(topic, self._received)
        self.node = DataNodeServer(
            connection, reactor, name, description, series=self.cache, clock=clock
        )
        self._pruning = LoopingCall(self.cache.prune)
        self._pruning.clock = reactor
        log.info("{name} serves {topic}", name=name, topic=topic)

    def _received(self, *event: Any) -> None:
        if event:
            self._link.receive(event[0])

    def start(self) -> None:
        """Connect and serve."""
        self._pruning.start(PRUNE_INTERVAL_S, now=False)
        self._connection.start()

    async def stop(self) -> None:
        """Leave the router."""
        if self._pruning.running:
            self._pruning.stop()
        await self._connection.stop()


def make_parser(environ: Mapping[str, str] | None = None) -> argparse.ArgumentParser:
    """Return the command line, with defaults from the environment."""
    parser = argparse.ArgumentParser(
        prog="sisock-data-feed",
        description="Keep the newest samples of an OCS feed in memory for the live monitor.",
    )
    for flag, variable, default, what in (
        ("--target", "TARGET", None, "instance id of the agent whose feed is kept"),
        ("--name", "NAME", None, "name of this data node, shown before '::' in Grafana"),
        ("--description", "DESCRIPTION", None, "what it is, for people"),
        ("--feed", "FEED", "temperatures", "name of the feed"),
        ("--buffer-time", "BUFFER_TIME", "3600", "how long samples are kept, in seconds"),
        ("--address-root", "ADDRESS_ROOT", DEFAULT_ADDRESS_ROOT, "first part of agent addresses"),
    ):
        add_setting(parser, flag, variable, default=default, what=what, environ=environ)
    add_router_arguments(parser, environ)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node (``sisock-data-feed``)."""
    args = make_parser().parse_args(argv)

    def run() -> int:
        target = required(args.target, "TARGET", "--target")
        name = required(args.name, "NAME", "--name")
        description = required(args.description, "DESCRIPTION", "--description")
        buffer_time_s = positive_number(args.buffer_time, "BUFFER_TIME", "seconds")
        url = router_url(args)

        from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

        connection = Connection(reactor, url, args.realm, name=f"sisock-data-feed {name}")
        node = FeedNode(
            connection,
            reactor,
            target=target,
            feed=args.feed,
            name=name,
            description=description,
            buffer_time_s=buffer_time_s,
            address_root=args.address_root,
        )
        return run_service(reactor, node)

    return run_main("sisock-data-feed", run)


if __name__ == "__main__":
    raise SystemExit(main())
