"""What the bridge knows of the data nodes: who is there, who was, and what they offer."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from sisock.series import FieldInfo, FieldList
from sisock.uris import join_name

__all__ = ["FieldEntry", "NodeDirectory", "NodeView", "event_entry"]


@attrs.frozen
class NodeView:
    """One node as the bridge knows it.

    Attributes:
        name: As in ``NAME::field``.
        description: For people; may be empty.
        connected: Whether it is there and answers.
        since: Unix time since when that is so.
        reason: Why it is not connected; empty if it is.
        on_list: Whether the hub has it on its list.
        listing: The fields it last declared; None as long as it has not been asked.
        takes_max_points: Whether it thins next to its data.
    """

    name: str
    description: str
    connected: bool
    since: float
    reason: str = ""
    on_list: bool = True
    listing: FieldList | None = None
    takes_max_points: bool = False

    @property
    def last_time(self) -> float | None:
        """Unix time of the newest sample it has told of."""
        timelines = self.listing.timelines.values() if self.listing else ()
        return max((t.last_time for t in timelines if t.last_time is not None), default=None)


@attrs.frozen
class FieldEntry:
    """A field of a node."""

    name: str
    node: str
    field: str
    info: FieldInfo
    last_time: float | None


class NodeDirectory:
    """All nodes seen since the bridge was started, in the order they were first seen.

    A node that has gone stays, with its fields, so that panels keep their choice.

    Args:
        on_change: Told of a node that has come, or gone.
    """

    def __init__(self, on_change: Callable[[NodeView], None]) -> None:
        self._nodes: dict[str, NodeView] = {}
        self._on_change = on_change

    def nodes(self) -> list[NodeView]:
        """Return all nodes."""
        return list(self._nodes.values())

    def get(self, name: str) -> NodeView | None:
        """Return a node by name."""
        return self._nodes.get(name)

    def appeared(self, name: str, description: object, now: float) -> None:
        """Note that the hub has a node on its list."""
        self.answered(name, now)
        node = attrs.evolve(self._nodes[name], on_list=True)
        if isinstance(description, str):
            node = attrs.evolve(node, description=description)
        self._nodes[name] = node

    def answered(self, name: str, now: float) -> None:
        """Note that a node has shown to be there, whatever the hub knows."""
        node = self._nodes.get(name)
        if node is not None and node.connected:
            return
        if node is None:
            node = NodeView(name, "", connected=True, since=now, on_list=False)
        self._nodes[name] = attrs.evolve(node, connected=True, since=now, reason="")
        self._on_change(self._nodes[name])

    def vanished(self, name: str, reason: str, now: float) -> None:
        """Note that a node has gone."""
        self.silent(name, reason, now)
        node = self._nodes.get(name)
        if node is not None:
            self._nodes[name] = attrs.evolve(node, on_list=False)

    def silent(self, name: str, reason: str, now: float) -> None:
        """Note that a node does not answer, though it may still be on the hub's list."""
        node = self._nodes.get(name)
        if node is None:
            return
        since = now if node.connected else node.since
        self._nodes[name] = attrs.evolve(node, connected=False, since=since, reason=reason)
        if node.connected:
            self._on_change(self._nodes[name])

    def all_vanished(self, reason: str, now: float) -> None:
        """Note that nothing is known to be there any more."""
        for name in list(self._nodes):
            self.vanished(name, reason, now)

    def listed(self, entries: object, now: float) -> list[str]:
        """Take over the hub's complete list and return the names in it."""
        present = {
            entry["name"]: entry.get("description")
            for entry in (entries if isinstance(entries, list | tuple) else ())
            if isinstance(entry, Mapping) and isinstance(entry.get("name"), str)
        }
        for name, description in present.items():
            self.appeared(name, description, now)
        for name, node in list(self._nodes.items()):
            if name not in present and node.on_list:
                self.vanished(name, "it has left the hub's list", now)
        return list(present)

    def declared(self, name: str, listing: FieldList, *, takes_max_points: bool) -> None:
        """Take over the fields a node has declared."""
        node = self._nodes.get(name)
        if node is not None:
            self._nodes[name] = attrs.evolve(
                node, listing=listing, takes_max_points=takes_max_points
            )

    def fields(self) -> list[FieldEntry]:
        """Return all fields of all nodes, ordered by node, then by name."""
        return [entry for node in self._nodes.values() for entry in _fields_of(node)]


def _fields_of(node: NodeView) -> Iterable[FieldEntry]:
    listing = node.listing or FieldList({}, {})
    for field in sorted(listing.fields):
        info = listing.fields[field]
        timeline = listing.timelines.get(info.timeline)
        yield FieldEntry(
            name=join_name(node.name, field),
            node=node.name,
            field=field,
            info=info,
            last_time=timeline.last_time if timeline else None,
        )


def event_entry(event: tuple[Any, ...]) -> tuple[str, object] | None:
    """Read the argument of one of the hub's events: name and description."""
    match event:
        case [{"name": str(name), **rest}, *_]:
            return name, rest.get("description")
        case _:
            return None
