"""Follow feeds without losing or doubling a message (sans I/O).

Every message of a feed session has a number. `FeedFollower` hands messages on in order, drops
what it has seen, holds what came too early, and says what to ask the publisher's history for.
`ocs.feed_link` connects it to the router.
"""

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["FeedEvent", "FeedFollower", "HistoryRequest"]


@attrs.frozen
class FeedEvent:
    """One message of a feed with its header (spec/ocs-protocol.md, section 7.1)."""

    message: Any
    feed: dict[str, Any]


@attrs.frozen
class HistoryRequest:
    """Messages to ask an agent for: those of `session_id` from number `first_seq` on."""

    address: str
    agent_address: str
    feed_name: str
    session_id: str | None
    first_seq: int


@attrs.define
class _Stream:
    """One feed session that is being followed."""

    address: str
    agent_address: str
    feed_name: str
    session_id: str | None
    next_seq: int
    first_contact: bool = False
    """Nothing of it has been seen: what its publisher dropped before is nobody's loss."""

    held: dict[int, FeedEvent] = attrs.field(factory=dict)
    ask: bool = False
    asked: HistoryRequest | None = None
    asked_end: int = 0
    """When it was asked, the publisher had published all messages before this number."""


class FeedFollower:
    """Put the messages of any number of feeds in order.

    Args:
        backfill_from_start: Whether everything a publisher still has is wanted when a feed is
            first seen (a cache wants that; a recorder wants what comes from now on).
        positions: What an earlier life has already taken: (address, session id) to the next
            message number. Whatever came later is asked for.
        max_held: Messages held per feed while a gap is being filled.

    Attributes:
        lost: Number of messages that were missed for good, per feed address.
    """

    def __init__(
        self,
        *,
        backfill_from_start: bool,
        positions: Mapping[tuple[str, str], int] | None = None,
        max_held: int = 1000,
    ) -> None:
        self.lost: dict[str, int] = {}
        self._from_start = backfill_from_start
        self._max_held = max_held
        self._streams: dict[str, _Stream] = {}
        self._left = dict(positions or {})
        """Next message number of sessions that are not the present one of their feed."""
        for (address, session_id), next_seq in list(self._left.items()):
            # Of several sessions of one feed the last is the likeliest to be alive; an answer will
            # tell if it is another one.
            agent_address, _, feed_name = address.rpartition(".feeds.")
            self._streams[address] = _Stream(
                address, agent_address, feed_name, session_id, next_seq, ask=True
            )

    def follow(self, agent_address: str, feed_name: str) -> None:
        """Ask for what a feed has, without waiting for its next message."""
        address = f"{agent_address}.feeds.{feed_name}"
        unseen = _Stream(address, agent_address, feed_name, None, 0, first_contact=True)
        self._streams.setdefault(address, unseen).ask = True

    def resync(self) -> None:
        """Ask every known feed for what came in the meantime (after a reconnection)."""
        for stream in self._streams.values():
            stream.ask = True
            stream.asked = None

    def receive(self, message: Any, feed: dict[str, Any]) -> list[FeedEvent]:
        """Take an event as it came from the router.

        Returns:
            What can be handed on now, in order; empty for a duplicate or while a gap is open.
        """
        event = FeedEvent(message, feed)
        seq = feed.get("seq")
        if not isinstance(seq, int):
            # An upstream publisher: nothing to compare with.
            return [event]
        address, session_id = feed["address"], feed["session_id"]
        stream = self._streams.get(address)
        if stream is not None and stream.session_id not in (None, session_id):
            next_seq = self._left.get((address, session_id))
            if next_seq is not None:
                return self._late(event, address, session_id, next_seq)
        released: list[FeedEvent] = []
        if stream is None:
            first_seq = 0 if self._from_start else seq
            stream = self._streams[address] = _Stream(
                address,
                feed["agent_address"],
                feed["feed_name"],
                None,
                first_seq,
                first_contact=self._from_start,
            )
        if stream.session_id != session_id:
            stream, released = self._begin_session(stream, session_id)
        if seq < stream.next_seq or seq in stream.held:
            return released
        stream.held[seq] = event
        released += self._drain(stream)
        if stream.held:
            if len(stream.held) > self._max_held:
                return released + self._skip_to(stream, max(stream.held) + 1)
            stream.ask = True
        return released

    def _late(
        self, event: FeedEvent, address: str, session_id: str, next_seq: int
    ) -> list[FeedEvent]:
        """Take a message of a session that was left for another: nobody can fill its gaps."""
        seq = event.feed["seq"]
        if seq < next_seq:
            return []
        self._left[address, session_id] = seq + 1
        if seq > next_seq:
            self.lost[address] = self.lost.get(address, 0) + seq - next_seq
        return [event]

    def requests(self) -> list[HistoryRequest]:
        """Return what should be asked for now; each request is returned once until answered."""
        wanted = []
        for stream in self._streams.values():
            if stream.ask and stream.asked is None:
                stream.ask = False
                stream.asked_end = max(stream.held, default=stream.next_seq - 1) + 1
                stream.asked = HistoryRequest(
                    stream.address,
                    stream.agent_address,
                    stream.feed_name,
                    stream.session_id,
                    stream.next_seq,
                )
                wanted.append(stream.asked)
        return wanted

    def answer(self, request: HistoryRequest, reply: Mapping[str, Any] | None) -> list[FeedEvent]:
        """Take the answer to a request; None means there is none to be had.

        An answer that comes too late (after `resync`, or after the publisher has restarted) is
        used for what it is worth.

        Returns:
            What can be handed on now, in order.
        """
        stream = self._streams[request.address]
        # A frozen request may equal a later one: it must be the very one that is open.
        current = stream.asked is request
        if current:
            stream.asked = None
        if reply is None:
            # Only what the open request was to fill is given up.
            return self._skip_to(stream, max(stream.held, default=-1) + 1) if current else []
        released: list[FeedEvent] = []
        if stream.session_id != reply["session_id"]:
            if not current and stream.session_id is not None:
                # From before the session that is followed now.
                return []
            stream, released = self._begin_session(stream, reply["session_id"])
        elif current:
            self._forget_impossible(stream, reply["next_seq"])
        available = reply["messages"][0][1]["seq"] if reply["messages"] else reply["next_seq"]
        if stream.first_contact:
            stream.first_contact = False
            stream.next_seq = max(stream.next_seq, min([available, *stream.held]))
        released += self._skip_to(stream, available)
        for message, feed in reply["messages"]:
            released += self.receive(message, feed)
        more = bool(stream.held) or stream.next_seq < reply["next_seq"]
        stream.ask = more or (stream.ask and not current)
        return released

    def _begin_session(self, before: _Stream, session_id: str) -> tuple[_Stream, list[FeedEvent]]:
        """Begin to follow a session of a feed; the one before it is over."""
        address = before.address
        known = self._left.get((address, session_id))
        if before.session_id is None:
            before.session_id = session_id
            if known is not None:
                before.next_seq, before.first_contact = known, False
            return before, []
        released = self._skip_to(before, max(before.held, default=-1) + 1)
        self._left[address, before.session_id] = before.next_seq
        # Somebody we already follow has restarted: all of the new session is wanted.
        stream = _Stream(address, before.agent_address, before.feed_name, session_id, known or 0)
        self._streams[address] = stream
        return stream, released

    def _drain(self, stream: _Stream) -> list[FeedEvent]:
        ready = []
        while (event := stream.held.pop(stream.next_seq, None)) is not None:
            ready.append(event)
            stream.next_seq += 1
            stream.first_contact = False
        return ready

    def _skip_to(self, stream: _Stream, seq: int) -> list[FeedEvent]:
        """Hand on what is held before `seq`; what is not is missing for good."""
        released: list[FeedEvent] = []
        for held in sorted(number for number in stream.held if number < seq):
            self._count_loss(stream, held)
            released.append(stream.held.pop(held))
            stream.next_seq = held + 1
        self._count_loss(stream, seq)
        return released + self._drain(stream)

    def _count_loss(self, stream: _Stream, seq: int) -> None:
        if seq > stream.next_seq:
            missing = seq - stream.next_seq
            self.lost[stream.address] = self.lost.get(stream.address, 0) + missing
            stream.next_seq = seq

    def _forget_impossible(self, stream: _Stream, end: int) -> None:
        """Drop what is held although the publisher, asked afterwards, knows nothing of it."""
        for seq in [seq for seq in stream.held if end <= seq < stream.asked_end]:
            del stream.held[seq]
