"""Feeds: how an agent publishes its data (spec/ocs-protocol.md, section 7)."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import msgpack
from twisted.logger import Logger

from ocs.feed_block import MAX_EVENT_BYTES, Block, snapshot, verify_influxdb_tags
from ocs.feed_history import FeedHistory
from ocs.field_names import check_field_name, repair_field_name

__all__ = ["Block", "Feed", "FeedSource"]

Publish = Callable[[str, Any], bool]

EVENT_BYTES = 4 * 2**20
"""Packed size up to which samples are put into one message; far below the limit of the wire,
because JSON takes up to three times as much."""

PORTION_BYTES = 2**20
PORTION_PAUSE_S = 0.002
"""A long queue goes out in portions: the reactor answers pings and callers in between."""

log = Logger()


@attrs.frozen
class FeedSource:
    """Who publishes: the part of a feed's header that is the same for all feeds of an agent."""

    agent_address: str
    agent_class: str | None
    session_id: str


class Feed:
    """One feed of an agent.

    Samples may be published, and the buffer flushed, from any thread; `send_pending` belongs to
    the reactor's. The samples of one thread stay in their order. A recorded feed keeps what it
    has published (`history`): while there is no router the messages wait there, in order, and
    whoever was away asks for them by number.

    Args:
        source: The agent.
        feed_name: Name, the last part of the topic.
        publish: Sends an event to a topic; False if there is no connection, ValueError if it
            can never be sent.
        schedule: Runs a function in the reactor's thread after so many seconds; may be called
            from any thread. In the reactor's own thread, 0 s is at once.
        record: Whether it carries blocks of samples for recorders (else any message).
        agg_params: Wishes to recorders (``frame_length``, ``fresh_time``, ...).
        buffer_time: Seconds for which samples are gathered before they go out together.
        clock: Gives Unix time in seconds.

    Attributes:
        history: The recorded messages that are kept.
        lost_messages: How many were never sent: they left the history before there was a router,
            or are larger than the router takes.

    Raises:
        ValueError: The name is empty or has a dot, white space or ``#``.
        TypeError: `agg_params` has something in it that cannot be sent.
    """

    def __init__(
        self,
        source: FeedSource,
        feed_name: str,
        *,
        publish: Publish,
        schedule: Callable[[float, Callable[[], None]], None],
        record: bool = False,
        agg_params: Mapping[str, Any] | None = None,
        buffer_time: float = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not feed_name or any(c.isspace() or c in ".#" for c in feed_name):
            raise ValueError(f"feed name {feed_name!r} may not be empty or have . # or white space")
        self.source = source
        self.feed_name = feed_name
        self.record = record
        self.agg_params: dict[str, Any] = snapshot("agg_params", dict(agg_params or {}))
        self.buffer_time = buffer_time
        self.address = f"{source.agent_address}.feeds.{feed_name}"
        self.history = FeedHistory()
        self.lost_messages = 0
        self._publish = publish
        self._schedule = schedule
        self._clock = clock
        self._lock = threading.Lock()
        self._blocks: dict[str, Block] = {}
        self._armed = False
        self._next_unsent = 0
        self._resuming = False

    def encoded(self) -> dict[str, Any]:
        """Return the feed's description, as ``get_api`` and every event carry it."""
        return {
            "agent_address": self.source.agent_address,
            "agg_params": self.agg_params,
            "feed_name": self.feed_name,
            "address": self.address,
            "record": self.record,
            "session_id": self.source.session_id,
            "agent_class": self.source.agent_class,
        }

    def event(self, seq: int, message: Any) -> list[Any]:
        """Return the argument of an event: message and header with its number."""
        return [message, {**self.encoded(), "seq": seq}]

    def publish_message(self, message: Any) -> None:
        """Publish a message or, to a recorded feed, samples (see `Block.append`).

        May be called from any thread.

        Raises:
            ValueError, TypeError: The samples are not acceptable; nothing of them is kept.
        """
        if not self.record:
            # Copied here: its errors belong to the caller, and so may the object, from now on.
            copied = snapshot(f"a message to {self.address}", message)
            self._schedule(0, lambda: self._send_unrecorded(copied))
            return
        with self._lock:
            self._store(message)
            if self._armed:
                return
            self._armed = True
        self._schedule(self.buffer_time, self.flush_buffer)

    def _store(self, message: Any) -> None:
        if not isinstance(message, Mapping) or not isinstance(message.get("block_name"), str):
            raise TypeError(
                "samples are published as {'block_name': str, 'timestamp': seconds, "
                f"'data': {{field: value}}}}, not as {message!r}"
            )
        name = message["block_name"]
        data = message.get("data")
        if not isinstance(data, Mapping):
            raise TypeError(f"Block '{name}': 'data' must be a dict of fields, not {data!r}")
        if message.get("influxdb_tags"):
            verify_influxdb_tags(message)
        block = self._blocks.get(name)
        if block is None:
            for field in data:
                if not isinstance(field, str):
                    raise TypeError(f"Block '{name}': field name {field!r} is no string.")
                check_field_name(field)
            block = Block(name, data)
        block.append(message)
        self._blocks[name] = block

    def _send_unrecorded(self, message: Any) -> None:
        try:
            self._publish(self.address, self.event(self.history.count_unkept(), message))
        except ValueError as error:
            self._lose(1, str(error))

    def flush_buffer(self) -> None:
        """Send what is gathered; from any thread."""
        self._schedule(0, self._flush)

    def _flush(self) -> None:
        with self._lock:
            self._armed = False
            gathered = [block.encoded() for block in self._blocks.values() if not block.empty]
            for block in self._blocks.values():
                block.clear()
        for message in _messages(gathered):
            self._keep(message)
        self.send_pending()

    def _keep(self, message: dict[str, Any]) -> None:
        packed: bytes = msgpack.packb(message)
        if len(packed) > EVENT_BYTES and (halves := _halves(message)):
            for half in halves:
                self._keep(half)
        elif len(packed) > MAX_EVENT_BYTES:
            self._lose(1, f"a sample of {len(packed)} bytes; the limit is {MAX_EVENT_BYTES}")
        else:
            self.history.append_packed(packed, self._clock(), keep_from=self._next_unsent)

    def _lose(self, count: int, why: str) -> None:
        self.lost_messages += count
        log.error(
            "{address}: lost {count} message(s), {total} in all: {why}",
            address=self.address,
            count=count,
            total=self.lost_messages,
            why=why,
        )

    def send_pending(self) -> None:
        """Send, in order, the recorded messages that have not gone out yet."""
        if not self.record:
            return
        oldest = self.history.oldest_seq
        if oldest > self._next_unsent:
            self._lose(oldest - self._next_unsent, "no router until the history was full")
            self._next_unsent = oldest
        sent_bytes = 0
        for kept in self.history.since(self._next_unsent):
            if sent_bytes > PORTION_BYTES:
                self._resume_soon()
                return
            try:
                if not self._publish(self.address, self.event(kept.seq, kept.unpack())):
                    return
            except ValueError as error:
                self._lose(1, str(error))
            self._next_unsent = kept.seq + 1
            sent_bytes += len(kept.packed)

    def _resume_soon(self) -> None:
        def resume() -> None:
            self._resuming = False
            self.send_pending()

        if not self._resuming:
            self._resuming = True
            self._schedule(PORTION_PAUSE_S, resume)

    def history_reply(
        self, session_id: str | None, first_seq: int, max_bytes: int
    ) -> dict[str, Any]:
        """Answer a request for messages that somebody missed.

        Args:
            session_id: The feed session meant; another (or None) means all there is of this one.
            first_seq: First message wanted.
            max_bytes: Size at which to stop; there is more if the last message's number + 1 is
                not ``next_seq``.

        Returns:
            ``session_id``, ``oldest_seq``, ``next_seq`` and ``messages``, a list of
            ``[message, header]`` in order.
        """
        start = first_seq if session_id == self.source.session_id else 0
        return {
            "session_id": self.source.session_id,
            "oldest_seq": self.history.oldest_seq,
            "next_seq": self.history.next_seq,
            "messages": [
                self.event(kept.seq, kept.unpack()) for kept in self.history.since(start, max_bytes)
            ],
        }

    verify_data_field_string = staticmethod(check_field_name)
    enforce_field_name_rules = staticmethod(repair_field_name)


MAX_VALUES_PER_MESSAGE = 250_000


def _halves(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Divide a message in two; empty if it is a single sample."""
    if len(message) > 1:
        return [{name: block} for name, block in message.items()]
    ((name, block),) = message.items()
    rows = len(block["timestamps"])
    if rows < 2:
        return []
    cuts = (slice(0, rows // 2), slice(rows // 2, rows))
    return [{name: _rows(block, cut)} for cut in cuts]


def _rows(block: dict[str, Any], cut: slice) -> dict[str, Any]:
    return {
        **block,
        "timestamps": block["timestamps"][cut],
        "data": {field: column[cut] for field, column in block["data"].items()},
    }


def _messages(blocks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Cut what was gathered into messages of about equal and handy size."""
    values = sum(len(block["timestamps"]) * (1 + len(block["data"])) for block in blocks)
    if not blocks:
        return
    if values <= MAX_VALUES_PER_MESSAGE:
        yield {block["block_name"]: block for block in blocks}
        return
    for block in blocks:
        rows = max(1, MAX_VALUES_PER_MESSAGE // (1 + len(block["data"])))
        for start in range(0, len(block["timestamps"]), rows):
            yield {block["block_name"]: _rows(block, slice(start, start + rows))}
