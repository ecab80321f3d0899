"""The bridge's side of the router: asks data nodes, and keeps track of who is there.

Belongs to the reactor's thread; `sisock.http.facade` lets the web server's threads in.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from autobahn.wamp.exception import ApplicationError
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from ocs.connection import CallTimeout, Connection, ConnectionStatus, NotConnected
from sisock import uris
from sisock.errors import BadNodeName, SisockError
from sisock.http.answers import Series
from sisock.http.directory import NodeDirectory, NodeView, event_entry
from sisock.http.events import EventLog
from sisock.messages import DataAnswer, decode_data, decode_fields
from sisock.thinning import thin

__all__ = ["Monitor", "NodeSilent", "Window"]

log = Logger()

HUB_RETRY_S = 3.0
HUB_TIMEOUT_S = 5.0
FIELDS_TIMEOUT_S = 4.0
DATA_TIMEOUT_S = 12.0  # with the above, below the 20 s in which Grafana wants an answer
HUB_SETTLE_S = 4.0
SILENT_RETRY_S = 5.0
SAMPLES_PER_CALL = 200_000  # what a node of ours gives in one answer
LATEST_WINDOW_S = 60.0

_ALL_HISTORY = (1, 0)


class NodeSilent(SisockError):
    """A data node did not give what it was asked for; the message says why."""


class NodeLate(NodeSilent):
    """A data node did not answer in time."""


@attrs.frozen
class Window:
    """Which samples are asked for.

    Attributes:
        start: Unix time in seconds, included.
        end: Unix time in seconds, excluded.
        max_points: Most samples a field.
        stride_s: Sent to nodes that do not know ``max_points``; None leaves it to them.
    """

    start: float
    end: float
    max_points: int
    stride_s: float | None = None


class Monitor:
    """Everything the bridge does over WAMP.

    Args:
        connection: Not started yet.
        reactor: For delays.
        clock: Gives the Unix time in seconds.
    """

    def __init__(
        self,
        connection: Connection,
        reactor: Any,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.events = EventLog()
        self.directory = NodeDirectory(on_change=self._node_changed)
        self._connection = connection
        self._reactor = reactor
        self._clock = clock
        self._asked: dict[str, float] = {}
        self._asking: dict[str, list[Deferred[None]]] = {}
        # Nodes whose last answer with data did not come, and whether one is being waited for.
        self._overdue: dict[str, bool] = {}
        self._retry: Any = None
        connection.subscribe(uris.NODE_ADDED, self._node_added)
        connection.subscribe(uris.NODE_SUBTRACTED, self._node_subtracted)
        connection.subscribe(uris.HUB_STARTED, self._hub_started)
        connection.on_join(self.list_nodes)
        connection.on_status(self._status_changed)

    @property
    def status(self) -> ConnectionStatus:
        """The connection to the router."""
        return self._connection.status

    def now(self) -> float:
        """Return the bridge's Unix time in seconds."""
        return self._clock()

    # Who is there.

    async def list_nodes(self) -> None:
        """Ask the hub who is there, and everybody for their fields; tried again until it works."""
        try:
            entries = await self._connection.call(uris.GET_DATA_NODE, timeout=HUB_TIMEOUT_S)
        except NotConnected:
            return  # joining again lists again
        except (ApplicationError, CallTimeout) as error:
            log.info("the hub does not answer ({why}); asking again", why=error)
            self._list_later(HUB_RETRY_S)
            return
        self.directory.listed(entries, self._clock())
        await self.refresh(max_age_s=0)

    def _list_later(self, delay_s: float) -> None:
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
        self._retry = self._reactor.callLater(delay_s, self._in_background, self.list_nodes)

    def _in_background(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        Deferred.fromCoroutine(func(*args, **kwargs)).addErrback(
            lambda failure: log.failure("a task of the monitor failed", failure=failure)
        )

    def _node_added(self, *event: Any) -> None:
        entry = event_entry(event)
        if entry is not None:
            name, description = entry
            self.directory.appeared(name, description, self._clock())
            self._in_background(self._refresh_node, name, max_age_s=0)

    def _node_subtracted(self, *event: Any) -> None:
        entry = event_entry(event)
        if entry is not None:
            self.directory.vanished(entry[0], "it has left the router", self._clock())

    def _hub_started(self, *_event: Any) -> None:
        # Its list fills in the seconds to come; who is not in it by then has gone unseen.
        self._list_later(HUB_SETTLE_S)

    def _status_changed(self, status: ConnectionStatus) -> None:
        if status.state != "connected":
            self.directory.all_vanished("there is no connection to the router", self._clock())

    def _node_changed(self, node: NodeView) -> None:
        self.events.note(node)
        if node.connected:
            log.info("node {name} is there", name=node.name)
        else:
            log.warn("node {name} is away: {why}", name=node.name, why=node.reason)

    # What they offer.

    async def refresh(self, max_age_s: float) -> None:
        """Bring the field lists of all connected nodes up to date.

        Args:
            max_age_s: A list not older than this is good enough.
        """
        nodes = self.directory.nodes()
        for node in nodes:
            if node.on_list and not node.connected:
                # It did not answer last time: nobody shall wait for it.
                self._in_background(self._refresh_node, node.name, max_age_s=SILENT_RETRY_S)
        await _together(
            self._refresh_node(node.name, max_age_s=max_age_s) for node in nodes if node.connected
        )

    async def _refresh_node(self, name: str, *, max_age_s: float) -> None:
        """Ask one node for its fields; who asks meanwhile waits for the same answer."""
        if self._clock() - self._asked.get(name, -np.inf) <= max_age_s:
            return
        waiting = self._asking.get(name)
        if waiting is not None:
            answered: Deferred[None] = Deferred()
            waiting.append(answered)
            await answered
            return
        self._asking[name] = []
        try:
            await self._ask_fields(name)
        finally:
            if self.directory.get(name) is not None:
                self._asked[name] = self._clock()
            for other in self._asking.pop(name):
                other.callback(None)

    async def _ask_fields(self, name: str) -> None:
        try:
            answer = await self._call_node(
                name, uris.get_fields_uri(name), *_ALL_HISTORY, timeout_s=FIELDS_TIMEOUT_S
            )
            listing, takes_max_points = decode_fields(answer)
        except (NodeSilent, ValueError) as error:
            log.debug("no list of fields of node {name}: {why}", name=name, why=error)
            return
        self.directory.declared(name, listing, takes_max_points=takes_max_points)

    async def _call_node(
        self, name: str, procedure: str, *args: Any, timeout_s: float, **kwargs: Any
    ) -> Any:
        """Call a node and note what that tells of it.

        Raises:
            NodeSilent: there is no answer; the message says why.
        """
        try:
            uris.check_node_name(name)  # the router ends sessions that use a bad URI
            answer = await self._connection.call(procedure, *args, timeout=timeout_s, **kwargs)
        except (BadNodeName, NotConnected) as error:
            raise NodeSilent(str(error)) from error
        except CallTimeout as error:
            self.directory.silent(name, f"no answer within {timeout_s:g} s", self._clock())
            raise NodeLate(f"data node {name} did not answer within {timeout_s:g} s") from error
        except ApplicationError as error:
            if error.error == ApplicationError.NO_SUCH_PROCEDURE:
                self.directory.vanished(name, "it is not on the router", self._clock())
                raise NodeSilent(f"no data node called {name} is connected") from error
            raise NodeSilent(f"data node {name} answered with an error: {error}") from error
        self.directory.answered(name, self._clock())
        return answer

    # What they have.

    async def fetch(
        self, wanted: Sequence[tuple[str, str]], window: Window
    ) -> dict[tuple[str, str], Series]:
        """Ask for samples, all nodes at once.

        Args:
            wanted: Pairs of node and field.
            window: Which samples.

        Returns:
            A series, perhaps an empty one with its reason, for each pair.
        """
        by_node: dict[str, list[str]] = {}
        for node, field in dict.fromkeys(wanted):
            by_node.setdefault(node, []).append(field)
        parts = await _together(
            self._fetch_node(node, fields, window) for node, fields in by_node.items()
        )
        return {key: series for part in parts for key, series in part.items()}

    async def _fetch_node(
        self, node: str, fields: list[str], window: Window
    ) -> dict[tuple[str, str], Series]:
        if self._overdue.get(node):
            # Each question would hold one of the web server's threads until it times out, and
            # soon there were none left for other nodes.
            why = f"data node {node} did not answer last time; it is being asked again"
            return {(node, field): _failed(node, field, why) for field in fields}
        view = self.directory.get(node)
        if view is None or view.listing is None:
            await self._refresh_node(node, max_age_s=1.0)
            view = self.directory.get(node)
        size = len(fields)
        if view is not None and view.takes_max_points:
            size = max(SAMPLES_PER_CALL // window.max_points, 1)
        chunks = [fields[at : at + size] for at in range(0, len(fields), size)]
        parts = await _together(self._fetch_fields(node, view, chunk, window) for chunk in chunks)
        series = {name: found for part in parts for name, found in part.items()}
        await self._check_declared(node, series)
        return {(node, field): found for field, found in series.items()}

    async def _fetch_fields(
        self, node: str, view: NodeView | None, fields: list[str], window: Window
    ) -> dict[str, Series]:
        try:
            answer = await self._ask_data(node, view, fields, window)
        except (NodeSilent, ValueError) as error:
            return {f: _failed(node, f, str(error)) for f in fields}
        if answer is not None:
            return {f: _series(node, f, answer, window) for f in fields}
        if len(fields) == 1:
            trouble = f"data node {node} has too much data for this range: choose a shorter one"
            return {fields[0]: _failed(node, fields[0], trouble)}
        half = len(fields) // 2
        parts = await _together(
            self._fetch_fields(node, view, part, window) for part in (fields[:half], fields[half:])
        )
        return {name: found for part in parts for name, found in part.items()}

    async def _ask_data(
        self, node: str, view: NodeView | None, fields: list[str], window: Window
    ) -> DataAnswer | None:
        more: dict[str, Any] = {"min_stride": window.stride_s}
        if view is not None and view.takes_max_points:
            more = {"max_points": window.max_points}
        if node in self._overdue:
            self._overdue[node] = True
        late = False
        try:
            answer = await self._call_node(
                node,
                uris.get_data_uri(node),
                fields,
                window.start,
                window.end,
                timeout_s=DATA_TIMEOUT_S,
                **more,
            )
        except NodeLate:
            late = True
            raise
        finally:
            # Also if whoever asked has gone meanwhile.
            if late:
                self._overdue[node] = False
            else:
                self._overdue.pop(node, None)
        return decode_data(answer, view.listing if view is not None else None)

    async def _check_declared(self, node: str, series: dict[str, Series]) -> None:
        """Look for fields the node has not told of; say of an empty one that it does not exist."""
        unknown = self._undeclared(node, series)
        if not unknown:
            return
        if all(series[field].times.size for field in unknown):
            # The node has more than it told of: learn that for the lists, but do not wait.
            self._in_background(self._refresh_node, node, max_age_s=1.0)
            return
        await self._refresh_node(node, max_age_s=1.0)
        for field in self._undeclared(node, series):
            if series[field].times.size:
                continue
            series[field] = attrs.evolve(
                series[field], error=f"data node {node} has no field {field}"
            )

    def _undeclared(self, node: str, series: Mapping[str, Series]) -> list[str]:
        """Return the fields asked for without failure that the node has not declared."""
        view = self.directory.get(node)
        known: Mapping[str, Any] = view.listing.fields if view and view.listing else {}
        return [f for f, found in series.items() if not found.failed and f not in known]

    async def latest(self) -> list[Series]:
        """Return the newest sample of every field of every connected node."""
        wanted = {
            node.name: list(node.listing.fields)
            for node in self.directory.nodes()
            if node.connected and node.listing is not None
        }
        found = await _together(self._latest_of(name, fields) for name, fields in wanted.items())
        return [series for part in found for series in part.values() if series.times.size]

    async def _latest_of(self, node: str, fields: list[str]) -> dict[tuple[str, str], Series]:
        if not fields:
            return {}
        view = self.directory.get(node)
        now = self._clock()
        # A node that cannot give just the newest sample is asked for the last minute.
        whole = view is not None and view.takes_max_points
        start = 1.0 if whole else now - LATEST_WINDOW_S
        return await self._fetch_node(node, fields, Window(start, now + LATEST_WINDOW_S, 1))


async def _together(coroutines: Iterable[Any]) -> list[Any]:
    """Run coroutines at the same time and return their results in order."""
    running = [Deferred.fromCoroutine(coroutine) for coroutine in coroutines]
    return list(await gatherResults(running, consumeErrors=True))


def _failed(node: str, field: str, why: str) -> Series:
    return Series(uris.join_name(node, field), error=why, failed=True)


def _series(node: str, field: str, answer: DataAnswer, window: Window) -> Series:
    name = uris.join_name(node, field)
    if field not in answer.series:
        return Series(name)
    times, values = answer.series[field]
    times, values = thin(times, values, window.max_points, window.end - window.start)
    return Series(name, times, values)
