"""The Aggregator's ear: takes the events of all feeds and queues those to be recorded.

Runs in the reactor's thread and only queues; the writer thread empties the queue.
"""

from collections import deque
from collections.abc import Callable, Mapping
from threading import Event
from typing import Any

from agents.aggregator.recorder import Arrival
from ocs.connection import Connection
from ocs.feed_follower import FeedEvent, FeedFollower, HistoryRequest
from ocs.feed_link import FeedLink

__all__ = ["Reception", "RecordingFollower"]

QUEUE_LIMIT = 200_000
"""Events queued at most while the writer thread is busy."""


class RecordingFollower(FeedFollower):
    """Follows feeds for one recording, and can be told that it is over."""

    def __init__(
        self, *, backfill_from_start: bool, positions: Mapping[tuple[str, str], int]
    ) -> None:
        super().__init__(backfill_from_start=backfill_from_start, positions=positions)
        self._open_requests: list[HistoryRequest] = []
        self._over = False

    def requests(self) -> list[HistoryRequest]:
        """As `FeedFollower.requests`; none once it is over."""
        if self._over:
            return []
        wanted = super().requests()
        self._open_requests += wanted
        return wanted

    def answer(self, request: HistoryRequest, reply: Mapping[str, Any] | None) -> list[FeedEvent]:
        """As `FeedFollower.answer`; nothing once it is over."""
        if self._over:
            return []
        self._open_requests = [other for other in self._open_requests if other is not request]
        return super().answer(request, reply)

    def resync(self) -> None:
        """As `FeedFollower.resync`; what was open will not be answered."""
        self._open_requests.clear()
        super().resync()

    def end(self, *, release: bool) -> list[FeedEvent]:
        """Ask for nothing more.

        Args:
            release: Whether messages that wait for missing ones are wanted now, without those.
        """
        events: list[FeedEvent] = []
        if release:
            for request in list(self._open_requests):
                events += self.answer(request, None)
        self._over = True
        return events


class Reception:
    """Receives for one recording, from its making until `end`.

    Args:
        connection: The connection the feeds are subscribed on.
        positions: What an interrupted recording expected next, by feed address and session.
        resumed: Whether that recording is taken up: feeds not seen by then are wanted whole.
        started: When this recording began, Unix s.
        held_bytes: Tells how much waits to be written.
        limit_bytes: With more than that waiting, events are turned away. Agents that number
            their messages are asked for them later.
        arrived: Set when something is queued.
        clock: Gives Unix time in seconds.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        positions: Mapping[tuple[str, str], int],
        resumed: bool,
        started: float,
        held_bytes: Callable[[], int],
        limit_bytes: int,
        arrived: Event,
        clock: Callable[[], float],
    ) -> None:
        self.turned_away = 0
        self._follower = RecordingFollower(backfill_from_start=resumed, positions=positions)
        self._link = FeedLink(connection, self._follower, self._deliver)
        self._known = {address for address, _ in positions}
        self._started = started
        self._held_bytes = held_bytes
        self._limit_bytes = limit_bytes
        self._arrived = arrived
        self._clock = clock
        self._queue: deque[Arrival] = deque()
        self._ended = False
        for address in list(self._known):
            agent_address, _, feed_name = address.rpartition(".feeds.")
            self._link.follow(agent_address, feed_name)

    @property
    def lost(self) -> dict[str, int]:
        """Messages missed for good, by feed address."""
        return self._follower.lost.copy()

    def take(self) -> list[Arrival]:
        """Empty the queue (any one thread)."""
        return [self._queue.popleft() for _ in range(len(self._queue))]

    def receive(self, topic: str, event: Any) -> None:
        """Take an event of the wildcard subscription."""
        if self._ended:
            return
        match event:
            case [_, dict() as feed]:
                if not _wanted(feed):
                    return
                fault = _header_fault(topic, feed)
            case _:
                # Feeds have headers; whatever else is published there is none of ours.
                return
        if fault:
            self._enqueue(Arrival(None, {"address": topic}, self._clock(), refused=fault))
        elif self._held_bytes() > self._limit_bytes or len(self._queue) > QUEUE_LIMIT:
            self.turned_away += 1
        else:
            self._want_from_start(feed)
            self._link.receive(event)

    def end(self, *, release: bool) -> None:
        """Receive nothing more.

        Args:
            release: Whether messages held until missing ones arrive are queued now; else they
                are left to a later recording, which asks for them again.
        """
        for event in self._follower.end(release=release):
            self._deliver(event)
        self._ended = True

    def _deliver(self, event: FeedEvent) -> None:
        if not self._ended:
            self._enqueue(Arrival(event.message, event.feed, self._clock()))

    def _enqueue(self, arrival: Arrival) -> None:
        self._queue.append(arrival)
        self._arrived.set()

    def _want_from_start(self, feed: dict[str, Any]) -> None:
        """An agent started during this recording is wanted whole, whatever we heard first."""
        address = feed["address"]
        if address in self._known:
            return
        self._known.add(address)
        if feed.get("seq") and _session_start(feed["session_id"]) >= self._started:
            self._link.follow(feed["agent_address"], feed["feed_name"])


def _wanted(feed: dict[str, Any]) -> bool:
    agg_params = feed.get("agg_params")
    excluded = isinstance(agg_params, dict) and agg_params.get("exclude_aggregator")
    return bool(feed.get("record")) and not excluded


def _header_fault(topic: str, feed: dict[str, Any]) -> str:
    """Say what is wrong with the header of a message; empty if nothing is."""
    if feed.get("address") != topic:
        return f"the header says {feed.get('address')!r:.80}: not the topic it was published on"
    if not isinstance(feed.get("session_id"), str) or not feed["session_id"]:
        return "the header has no session_id (a non-empty string)"
    seq = feed.get("seq")
    if seq is None:
        return ""
    if type(seq) is not int or not 0 <= seq < 2**63:
        return f"the header's seq is {seq!r:.40}, not a number from 0"
    if f"{feed.get('agent_address')}.feeds.{feed.get('feed_name')}" != topic:
        return "agent_address and feed_name of the header do not make up its topic"
    return ""


def _session_start(session_id: str) -> float:
    """Return when an agent was started (Unix s), which is how its session is named."""
    try:
        return float(session_id)
    except ValueError:
        return 0.0
