"""An agent instance: its operations, feeds and heartbeat, and its place on the router."""

import argparse
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import blockingCallFromThread
from twisted.logger import Logger

from ocs.connection import Connection, ConnectionStatus, Subscription
from ocs.feed_link import HISTORY_PROCEDURE
from ocs.ocs_feed import Feed, FeedSource
from ocs.ocs_twisted import in_reactor_context
from ocs.op_registry import OpRegistry, Reply
from ocs.op_session import OpSession
from ocs.operations import AgentProcess, AgentTask

__all__ = ["OCSAgent"]

HEARTBEAT_PERIOD_S = 1.0
STOP_GRACE_S = 2.5
DUPLICATE_GRACE_S = 10.0
"""How long a new program waits for the router to notice that its predecessor is gone."""

HISTORY_REPLY_BYTES = 4 * 2**20


class OCSAgent:
    """One agent instance on the router.

    Args:
        reactor: The Twisted reactor.
        site_args: Options of the site configuration (`ocs.site_config.parse_args`).
        address: Full address; by default ``<address_root>.<instance_id>``.
        clock: Gives Unix time in seconds.

    Attributes:
        agent_address: Where it is on the router.
        agent_class: Class name of the site configuration.
        agent_session_id: Names this run of the program in its feeds.
        connection: The connection to the router.
        feeds: Feeds by name.
        log: For the agent's author.
    """

    def __init__(
        self,
        reactor: Any,
        site_args: argparse.Namespace,
        address: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.reactor = reactor
        self.site_args = site_args
        self.agent_address = address or f"{site_args.address_root}.{site_args.instance_id}"
        self.agent_class: str = site_args.agent_class or "Agent"
        self.agent_session_id = str(clock())
        self.log = Logger(namespace="ocs.agent")
        self.feeds: dict[str, Feed] = {}
        self._source = FeedSource(self.agent_address, self.agent_class, self.agent_session_id)
        self._clock = clock
        self._started_at = clock()
        self._joined_before = False
        self._ops = OpRegistry(reactor, self, self._flush_feeds, clock)
        self._heartbeat = LoopingCall(self._beat)
        self._heartbeat.clock = reactor
        self.connection = Connection(
            reactor, site_args.site_hub, site_args.site_realm, name=self.agent_address
        )
        self.connection.register(f"{self.agent_address}.ops", self._ops.handle)
        self.connection.register(self.agent_address, self._management)
        self.connection.register(f"{self.agent_address}.{HISTORY_PROCEDURE}", self._feed_history)
        self.connection.on_join(self._joined)
        self.connection.on_status(self._status_changed)

    # -- what an author declares ------------------------------------------------------------

    def register_task(
        self,
        name: str,
        func: Callable[..., Any],
        aborter: Callable[..., Any] | None = None,
        blocking: bool = True,
        aborter_blocking: bool | None = None,
        startup: bool | Mapping[str, Any] = False,
        min_privs: int = 0,
    ) -> None:
        """Offer an operation that ends by itself.

        Args:
            name: Name of the task.
            func: ``func(session, params) -> (bool, str)``.
            aborter: Asked to end it early, ``aborter(session, params)``.
            blocking: Whether `func` runs in a thread (else it is a coroutine function).
            aborter_blocking: As `blocking`, for the aborter; None is the same as `blocking`.
            startup: True, or the parameters, to start it when the agent first joins.
            min_privs: Credential level needed to start or abort it.
        """
        self._register(
            AgentTask, name, func, aborter, blocking, aborter_blocking, startup, min_privs
        )

    def register_process(
        self,
        name: str,
        start_func: Callable[..., Any],
        stop_func: Callable[..., Any] | None,
        blocking: bool = True,
        stopper_blocking: bool | None = None,
        startup: bool | Mapping[str, Any] = False,
        min_privs: int = 0,
    ) -> None:
        """Offer an operation that runs until it is stopped; arguments as in `register_task`."""
        self._register(
            AgentProcess,
            name,
            start_func,
            stop_func,
            blocking,
            stopper_blocking,
            startup,
            min_privs,
        )

    def _register(
        self,
        kind: type[AgentTask | AgentProcess],
        name: str,
        func: Callable[..., Any],
        stopper: Callable[..., Any] | None,
        blocking: bool,
        stopper_blocking: bool | None,
        startup: bool | Mapping[str, Any],
        min_privs: int,
    ) -> None:
        start_params: Mapping[str, Any] | None = None
        if isinstance(startup, Mapping):
            start_params = startup
        elif startup:
            start_params = {}
        self._ops.add(
            kind(
                name,
                func,
                blocking,
                stopper,
                blocking if stopper_blocking is None else stopper_blocking,
                max(1, min_privs),
                start_params,
            )
        )

    def register_feed(
        self,
        feed_name: str,
        record: bool = False,
        agg_params: Mapping[str, Any] | None = None,
        buffer_time: float = 0,
        max_messages: int = 0,  # noqa: ARG002 - upstream's signature has it and ignores it
    ) -> Feed:
        """Declare a feed; arguments as in `ocs.ocs_feed.Feed`.

        Raises:
            ValueError: There is one of that name, or the name is not allowed.
        """
        if feed_name in self.feeds:
            raise ValueError(f"a feed called {feed_name!r} is already registered")
        feed = Feed(
            self._source,
            feed_name,
            publish=self.connection.publish,
            schedule=self._schedule,
            record=record,
            agg_params=agg_params,
            buffer_time=buffer_time,
            clock=self._clock,
        )
        self.feeds[feed_name] = feed
        return feed

    def publish_to_feed(
        self,
        feed_name: str,
        message: Any,
        from_reactor: bool | None = None,  # noqa: ARG002 - found out by ourselves
    ) -> None:
        """Publish to a feed, from any thread.

        Raises:
            KeyError: There is no such feed.
            ValueError, TypeError: The samples are not acceptable (see `ocs.ocs_feed.Block`).
        """
        if feed_name not in self.feeds:
            raise KeyError(f"no feed {feed_name!r}; registered are {sorted(self.feeds)}")
        self.feeds[feed_name].publish_message(message)

    def subscribe(
        self,
        handler: Callable[..., Any],
        topic: str,
        options: Mapping[str, Any] | None = None,
        force_subscribe: bool = False,  # noqa: ARG002 - each of ours is subscribed once
    ) -> Subscription:
        """Receive the events of a topic, for as long as the agent lives.

        Args:
            handler: Called with the event's arguments, in the reactor's thread.
            topic: Topic URI.
            options: ``{"match": "wildcard"}`` or ``"prefix"``.
            force_subscribe: Accepted for upstream's sake.
        """
        match = (options or {}).get("match") or "exact"
        return self.connection.subscribe(topic, handler, match=match)

    subscribe_on_start = subscribe

    def subscribe_to_feed(
        self,
        agent_addr: str,
        feed_name: str,
        handler: Callable[..., Any],
        options: Mapping[str, Any] | None = None,
        force_subscribe: bool = False,
    ) -> Subscription:
        """Receive the messages of another agent's feed: ``handler([message, feed])``."""
        return self.subscribe(handler, f"{agent_addr}.feeds.{feed_name}", options, force_subscribe)

    # -- requests from inside the program ---------------------------------------------------

    @property
    def sessions(self) -> dict[str, OpSession | None]:
        """Present or latest session of every operation."""
        return self._ops.sessions()

    def start(
        self,
        op_name: str,
        params: Any = None,
        password: str | None = None,  # noqa: ARG002 - the agent trusts itself
    ) -> Reply:
        """Start an operation of this agent, from any thread."""
        return self._in_reactor(lambda: self._ops.start(op_name, params))

    def wait(
        self,
        op_name: str,
        timeout: float | None = None,
        password: str | None = None,  # noqa: ARG002
    ) -> "Deferred[Reply]":
        """Wait for an operation of this agent (reactor thread)."""
        return self._ops.wait(op_name, timeout)

    def status(
        self,
        op_name: str,
        params: Any = None,  # noqa: ARG002
        password: str | None = None,  # noqa: ARG002
    ) -> Reply:
        """Return an operation's present or latest session, from any thread."""
        return self._in_reactor(lambda: self._ops.status(op_name))

    def stop(
        self,
        op_name: str,
        params: Any = None,
        password: str | None = None,  # noqa: ARG002
    ) -> Reply:
        """Ask a process of this agent to stop, from any thread."""
        return self._in_reactor(lambda: self._ops.end("stop", op_name, params))

    def abort(
        self,
        op_name: str,
        params: Any = None,
        password: str | None = None,  # noqa: ARG002
    ) -> Reply:
        """Ask a task of this agent to abort, from any thread."""
        return self._in_reactor(lambda: self._ops.end("abort", op_name, params))

    async def call_op(
        self,
        agent_address: str,
        op_name: str,
        action: str,
        params: Any = None,
        timeout: float | None = None,
    ) -> Any:
        """Make a request of another agent's operation; errors as `Connection.call`."""
        return await self.connection.call_with(
            f"{agent_address}.ops", [action, op_name], {"params": params, "timeout": timeout}
        )

    # -- life -------------------------------------------------------------------------------

    def open(self) -> None:
        """Begin: connect, and stay connected."""
        self.register_feed("heartbeat")
        self._ops.open()
        self.log.info("ocs: starting {cls} @ {at}", cls=self.agent_class, at=self.agent_address)
        self.connection.start()

    async def shutdown(self) -> None:
        """End: all operations are asked to end and get a moment, then leave the router."""
        running = await self._ops.end_all(STOP_GRACE_S)
        if running:
            self.log.warn("still running at the end: {running}", running=", ".join(running))
        if self._heartbeat.running:
            self._heartbeat.stop()
        self._flush_feeds()
        await self.connection.stop()

    async def _joined(self) -> None:
        for feed in self.feeds.values():
            feed.send_pending()
        if self._heartbeat.running:
            self._heartbeat.stop()
        self._heartbeat.start(HEARTBEAT_PERIOD_S)
        if not self._joined_before:
            self._joined_before = True
            for op in self._ops:
                if op.startup is not None:
                    self.log.info("startup-op: launching {op}", op=op.name)
                    self._ops.start(op.name, dict(op.startup))

    def _status_changed(self, status: ConnectionStatus) -> None:
        if status.state != "connected" and self._heartbeat.running:
            self._heartbeat.stop()

    def gives_up(self) -> str | None:
        """Say why this program should end although nobody asked it to; None if it should not."""
        status = self.connection.status
        now = self._clock()
        if (
            status.error == "wamp.error.procedure_already_exists"
            and not self._joined_before
            and now - self._started_at > DUPLICATE_GRACE_S
        ):
            return (
                f"{self.agent_address} is taken: is this agent already running? "
                f'agent_address="{self.agent_address}"'
            )
        patience = self.site_args.crossbar_timeout
        if patience and status.state == "connecting" and now - status.since > patience:
            return f"no router for {patience} s (--crossbar-timeout): {status.reason}"
        return None

    # -- what the router calls --------------------------------------------------------------

    def _management(self, q: str, **_: Any) -> Any:
        match q:
            case "get_api":
                return self._api()
            case "get_tasks":
                return self._ops.describe(AgentTask)
            case "get_processes":
                return self._ops.describe(AgentProcess)
            case "get_feeds":
                return self._describe_feeds()
            case "get_agent_class":
                return self.agent_class
        return None

    def _api(self) -> dict[str, Any]:
        return {
            "agent_class": self.agent_class,
            "instance_hostname": socket.gethostname(),
            "instance_pid": os.getpid(),
            "feeds": self._describe_feeds(),
            "processes": self._ops.describe(AgentProcess),
            "tasks": self._ops.describe(AgentTask),
            "access_control": {
                "version": 1,
                "policy": "none",
                "update_timestamp": self._started_at,
                "update_count": 0,
                "step": 0,
            },
        }

    def _describe_feeds(self) -> list[list[Any]]:
        return [[name, feed.encoded()] for name, feed in self.feeds.items()]

    def _feed_history(
        self,
        feed_name: str,
        session_id: str | None = None,
        first_seq: int = 0,
        max_bytes: int = HISTORY_REPLY_BYTES,
    ) -> dict[str, Any]:
        feed = self.feeds.get(feed_name)
        if feed is None:
            raise ValueError(f"no feed {feed_name!r}; there are {sorted(self.feeds)}")
        return feed.history_reply(session_id, first_seq, min(max_bytes, HISTORY_REPLY_BYTES))

    # -- inside -----------------------------------------------------------------------------

    def _beat(self) -> None:
        self.publish_to_feed("heartbeat", self._ops.op_codes())

    def _flush_feeds(self) -> None:
        for feed in self.feeds.values():
            feed.flush_buffer()

    def _schedule(self, delay_s: float, func: Callable[[], None]) -> None:
        if delay_s:
            self.reactor.callFromThread(self.reactor.callLater, delay_s, func)
        elif in_reactor_context():
            func()
        else:
            self.reactor.callFromThread(func)

    def _in_reactor(self, func: Callable[[], Reply]) -> Reply:
        if in_reactor_context() or not self.reactor.running:
            return func()
        reply: Reply = blockingCallFromThread(self.reactor, func)
        return reply
