"""Connect a `FeedFollower` to the router: events in, questions about history out."""

from collections.abc import Callable
from typing import Any

from autobahn.wamp.exception import ApplicationError
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ocs.connection import CallTimeout, Connection, NotConnected
from ocs.feed_follower import FeedEvent, FeedFollower, HistoryRequest

__all__ = ["HISTORY_PROCEDURE", "FeedLink"]

HISTORY_PROCEDURE = "feed_history"
"""Last part of the procedure ``R.I.feed_history`` that our agents offer beside upstream's two."""

HISTORY_TIMEOUT_S = 15.0
HISTORY_ATTEMPTS = 4
HISTORY_BYTES = 4 * 2**20

log = Logger()


class FeedLink:
    """Deliver the messages of feeds in order, filling gaps from the publishers' histories.

    Args:
        connection: The connection on which the feeds are subscribed; the subscriber passes what
            arrives to `receive`.
        follower: Decides what is delivered when.
        deliver: Gets each message, in order, in the reactor's thread.
    """

    def __init__(
        self,
        connection: Connection,
        follower: FeedFollower,
        deliver: Callable[[FeedEvent], None],
    ) -> None:
        self._connection = connection
        self._follower = follower
        self._deliver = deliver
        connection.on_join(self._rejoined)

    async def _rejoined(self) -> None:
        self._follower.resync()
        self._ask()

    def receive(self, event: Any) -> None:
        """Take the argument of a feed's event, ``[message, feed]``.

        What has no such shape is none of ours and is ignored (spec/sisock-protocol.md, 6).
        """
        match event:
            case [
                message,
                {
                    "address": str(),
                    "session_id": str(),
                    "agent_address": str(),
                    "feed_name": str(),
                } as feed,
            ]:
                self._hand_on(self._follower.receive(message, feed))
                self._ask()
            case [message, dict() as feed]:
                # 2019 headers have no session; there is nothing to put in order.
                self._hand_on([FeedEvent(message, feed)])
            case _:
                log.debug("not a feed's message: {event!r}", event=event)

    def follow(self, agent_address: str, feed_name: str) -> None:
        """Fetch what a feed already has; asked again whenever the connection is back."""
        self._follower.follow(agent_address, feed_name)
        if self._connection.session_id is not None:
            self._ask()

    def _hand_on(self, events: list[FeedEvent]) -> None:
        for event in events:
            try:
                self._deliver(event)
            except Exception:  # noqa: BLE001 - a message nobody can use must not cost those after it
                log.failure(
                    "cannot use a message of {address}", address=event.feed.get("address", "?")
                )

    def _ask(self) -> None:
        for request in self._follower.requests():
            Deferred.fromCoroutine(self._fetch(request)).addErrback(
                lambda failure: log.failure("cannot fill a gap", failure=failure)
            )

    async def _fetch(self, request: HistoryRequest) -> None:
        try:
            reply = await self._call(request)
        except NotConnected:
            # Asked again by _rejoined.
            return
        except (ApplicationError, CallTimeout) as error:
            log.debug("no history of {address}: {why}", address=request.address, why=error)
            reply = None
        if reply is not None and not _is_history(reply, request.address):
            log.error("{address}: its history is not understood", address=request.address)
            reply = None
        if reply is not None and reply["messages"]:
            log.info(
                "{address}: got {count} messages from its history, from number {first}",
                address=request.address,
                count=len(reply["messages"]),
                first=reply["messages"][0][1]["seq"],
            )
        self._hand_on(self._follower.answer(request, reply))
        self._ask()

    async def _call(self, request: HistoryRequest) -> Any:
        """Ask for a history, patiently: a publisher that is busy still has it."""
        for _ in range(HISTORY_ATTEMPTS - 1):
            try:
                return await self._call_once(request)
            except CallTimeout as error:
                log.warn("{why}; asking again", why=error)
        return await self._call_once(request)

    async def _call_once(self, request: HistoryRequest) -> Any:
        return await self._connection.call(
            f"{request.agent_address}.{HISTORY_PROCEDURE}",
            request.feed_name,
            request.session_id,
            request.first_seq,
            HISTORY_BYTES,
            timeout=HISTORY_TIMEOUT_S,
        )


def _is_history(reply: Any, address: str) -> bool:
    """Whether this is an answer of `ocs.ocs_feed.Feed.history_reply`, about this feed."""
    match reply:
        case {
            "session_id": str(session_id),
            "oldest_seq": int(),
            "next_seq": int(),
            "messages": [*messages],
        }:
            return all(_is_kept_message(entry, address, session_id) for entry in messages)
    return False


def _is_kept_message(entry: Any, address: str, session_id: str) -> bool:
    match entry:
        case [_, {"address": str(its_address), "session_id": str(its_session), "seq": int()}]:
            return (its_address, its_session) == (address, session_id)
    return False
