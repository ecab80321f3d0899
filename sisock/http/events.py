"""What happened to the data nodes, for marks in a plot (spec/simplejson-api.md, 2.3)."""

from collections import deque
from collections.abc import Iterable
from typing import Any

import attrs

from sisock.http.directory import NodeView

__all__ = ["EventLog", "NodeEvent", "annotation_rows", "in_window"]

_MOST_EVENTS = 2000


@attrs.frozen
class NodeEvent:
    """A data node came, or went.

    Attributes:
        time: Unix time of it, as the bridge saw it.
        node: The node's name.
        came: Whether it came; else it went.
        reason: Why it went; empty if it came.
        until: Unix time when a node that went was back; None as long as it is not.
    """

    time: float
    node: str
    came: bool
    reason: str = ""
    until: float | None = None


class EventLog:
    """The last events since the bridge was started; the reactor's thread only."""

    def __init__(self) -> None:
        self._events: deque[NodeEvent] = deque(maxlen=_MOST_EVENTS)

    def note(self, node: NodeView) -> None:
        """Note that a node has come or gone."""
        self._events.append(NodeEvent(node.since, node.name, node.connected, node.reason))

    def all(self) -> list[NodeEvent]:
        """Return the events, oldest first, each absence with its end."""
        back: dict[str, float] = {}
        found = []
        for event in reversed(self._events):
            found.append(event if event.came else attrs.evolve(event, until=back.get(event.node)))
            if event.came:
                back[event.node] = event.time
        return found[::-1]


def in_window(
    events: Iterable[NodeEvent], start: float, end: float, words: str = ""
) -> list[NodeEvent]:
    """Return the events that reach into ``[start, end]`` (Unix seconds).

    Args:
        events: All that are known.
        start: First moment.
        end: Last moment.
        words: Parts of a node's name, all of which must occur in it; upper and lower case alike.
    """
    parts = words.lower().split()
    return [
        event
        for event in events
        if event.time <= end
        and (event.time if event.until is None else event.until) >= start
        and all(part in event.node.lower() for part in parts)
    ]


def annotation_rows(events: Iterable[NodeEvent]) -> list[dict[str, Any]]:
    """Return events as Grafana marks them: times in milliseconds, a span for an absence."""
    return [
        {
            "time": event.time * 1e3,
            "timeEnd": None if event.until is None else event.until * 1e3,
            "title": f"{event.node} is {'there' if event.came else 'away'}",
            "text": event.reason,
            "tags": f"{event.node},{'there' if event.came else 'away'}",
        }
        for event in events
    ]
