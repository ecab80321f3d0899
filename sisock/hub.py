"""The hub: knows which data nodes exist (spec/sisock-protocol.md, section 4).

An ordinary client of the router. It keeps nothing on disk: whenever its list starts empty it says
so, and nodes add themselves again; nodes of others, which do not, are found by what they have
registered.
"""

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
from autobahn.wamp.exception import ApplicationError
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ocs.connection import CallTimeout, Connection, ConnectionStatus, NotConnected
from ocs.runner import Service, run_service
from sisock import uris
from sisock.errors import BadNodeName
from sisock.router_access import add_access_arguments, tls_router
from sisock.settings import run_main

__all__ = ["Hub", "NodeEntry", "NodeList", "main"]

log = Logger()

META_TIMEOUT_S = 5.0
RECOVERY_DELAY_S = 2.0  # our own nodes need a moment to add themselves, with their description


@attrs.frozen
class NodeEntry:
    """A data node in the hub's list."""

    name: str
    description: str | None
    session_id: int

    def public(self) -> dict[str, str | None]:
        """Return what consumers are told."""
        return {"name": self.name, "description": self.description}


class NodeList:
    """The hub's list, in order of registration."""

    def __init__(self) -> None:
        self._entries: dict[str, NodeEntry] = {}

    def __iter__(self) -> Iterator[NodeEntry]:
        return iter(list(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: str) -> NodeEntry | None:
        """Return the entry of this name."""
        return self._entries.get(name)

    def put(self, entry: NodeEntry) -> bool:
        """Append an entry, or refresh the one its session already has.

        Returns:
            Whether consumers have something to learn.

        Raises:
            KeyError: another session holds the name.
        """
        held = self._entries.get(entry.name)
        if held is not None and held.session_id != entry.session_id:
            raise KeyError(entry.name)
        self._entries[entry.name] = entry
        return held != entry

    def subtract(self, name: str, session_id: int) -> NodeEntry | None:
        """Remove the entry that matches in both and return it."""
        held = self._entries.get(name)
        if held is None or held.session_id != session_id:
            return None
        return self._entries.pop(name)

    def leave(self, session_id: int) -> list[NodeEntry]:
        """Remove everything a session had and return it."""
        gone = [entry for entry in self._entries.values() if entry.session_id == session_id]
        for entry in gone:
            del self._entries[entry.name]
        return gone

    def clear(self) -> None:
        """Forget everybody."""
        self._entries.clear()


class Hub:
    """Serves the hub's procedures over a connection.

    Args:
        connection: Not started yet; what the hub offers is declared on it.
        reactor: For the delay before other people's nodes are looked for.
    """

    def __init__(self, connection: Connection, reactor: Any) -> None:
        self.nodes = NodeList()
        self._connection = connection
        self._reactor = reactor
        connection.register(uris.ADD, self.add)
        connection.register(uris.SUBTRACT, self.subtract)
        connection.register(uris.GET_DATA_NODE, self.get_data_node)
        connection.subscribe("wamp.session.on_leave", self.session_left)
        connection.on_status(self._status_changed)
        connection.on_join(self._joined)

    async def add(self, name: object, description: object, session_id: object) -> bool:
        """List a node (RPC).

        Returns:
            False when another living session holds the name.
        """
        try:
            good_name = uris.check_node_name(name)
        except BadNodeName as error:
            raise ApplicationError(ApplicationError.INVALID_ARGUMENT, str(error)) from error
        if not isinstance(session_id, int) or isinstance(session_id, bool):
            raise ApplicationError(
                ApplicationError.INVALID_ARGUMENT,
                f"session_id must be the node's WAMP session id, not {session_id!r}",
            )
        entry = NodeEntry(good_name, None if description is None else str(description), session_id)
        held = self.nodes.get(good_name)
        if held is not None and held.session_id != session_id:
            if await self._is_alive(held.session_id):
                log.info("refused node {name}: another one has that name", name=name)
                return False
            # Things may have happened while the router was asked.
            self.session_left(held.session_id)
            if not await self._is_alive(session_id):
                return False
        return self._put(entry)

    def _put(self, entry: NodeEntry) -> bool:
        try:
            news = self.nodes.put(entry)
        except KeyError:
            return False
        if news:
            self._connection.publish(uris.NODE_ADDED, entry.public())
            log.info("node {name} added", name=entry.name)
        return True

    def subtract(self, name: object, session_id: object) -> None:
        """Take a node off the list (RPC); nothing happens if there is no such entry."""
        if isinstance(name, str) and isinstance(session_id, int):
            entry = self.nodes.subtract(name, session_id)
            if entry is not None:
                self._gone(entry)

    def get_data_node(self) -> list[dict[str, str | None]]:
        """Return the list (RPC)."""
        return [entry.public() for entry in self.nodes]

    def session_left(self, session_id: object, *_more: object, **_named: object) -> None:
        """Take a session's nodes off the list (router's meta event)."""
        if isinstance(session_id, int):
            for entry in self.nodes.leave(session_id):
                self._gone(entry)

    def _gone(self, entry: NodeEntry) -> None:
        self._connection.publish(uris.NODE_SUBTRACTED, entry.public())
        log.info("node {name} gone", name=entry.name)

    async def _is_alive(self, session_id: int) -> bool:
        """Ask the router whether a session exists; in doubt it does."""
        try:
            await self._connection.call("wamp.session.get", session_id, timeout=META_TIMEOUT_S)
        except ApplicationError as error:
            return bool(error.error != "wamp.error.no_such_session")
        except (CallTimeout, NotConnected):
            return True
        return True

    def _status_changed(self, status: ConnectionStatus) -> None:
        # Whoever leaves while we are away leaves unseen: start from nothing, and ask all to add.
        if status.state != "connected":
            self.nodes.clear()

    async def _joined(self) -> None:
        # Whoever was faster than this hook came before consumers could be told of them.
        self.nodes.clear()
        self._connection.publish(uris.HUB_STARTED)
        log.info("hub is up")
        await deferLater(self._reactor, RECOVERY_DELAY_S)
        await self.find_unlisted()

    async def find_unlisted(self) -> None:
        """List nodes that serve data but do not know that the hub was away."""
        try:
            listing = await self._meta("wamp.registration.list")
            for registration in listing.get("exact", []):
                info = await self._meta("wamp.registration.get", registration)
                name = uris.node_of_registration(str(info.get("uri", "")))
                if name is None or self.nodes.get(name) is not None:
                    continue
                for callee in await self._meta("wamp.registration.list_callees", registration):
                    self._put(NodeEntry(name, None, callee))
        except (ApplicationError, CallTimeout, NotConnected) as error:
            log.warn("cannot look for nodes that were there before the hub: {why}", why=error)

    async def _meta(self, procedure: str, *args: object) -> Any:
        try:
            return await self._connection.call(procedure, *args, timeout=META_TIMEOUT_S)
        except ApplicationError as error:
            if error.error == "wamp.error.no_such_registration":
                return {}  # gone since it was listed
            raise


class _HubService(Service):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def start(self) -> None:
        self._connection.start()

    async def stop(self) -> None:
        await self._connection.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the hub (``sisock-hub``)."""
    parser = argparse.ArgumentParser(
        prog="sisock-hub", description="Keep the list of the live monitor's data nodes."
    )
    add_access_arguments(parser)
    args = parser.parse_args(argv)

    def run() -> int:
        access = tls_router(args)

        from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

        connection = access.connection(reactor, name="sisock-hub")
        Hub(connection, reactor)
        return run_service(reactor, _HubService(connection))

    return run_main("sisock-hub", run)


if __name__ == "__main__":
    raise SystemExit(main())
