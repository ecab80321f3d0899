"""Providers and their blocks: what is held until a frame is due, and when it is. No I/O.

A provider is the pair (feed address, agent session), listed under a prov_id. Readers of
archives need more than a writer would guess (spec/hk-g3-format.md, 5.1 and 5.3): within one
prov_id and block name the fields and their types never change and times never go back. So:

* held samples are sorted by time as they are written;
* numbers are widened (bool -> int -> float) while nothing of the block is written yet;
* whatever still contradicts what is written *retires* the prov_id: its samples are written,
  and the message that did not fit opens a new prov_id of the same feed.

A provider holds whole messages. A data frame names the messages it holds, so that the journal
can drop exactly these once the frame is on disk.
"""

from collections.abc import Iterable
from typing import TypedDict

import attrs
import numpy as np

from agents.aggregator.messages import (
    BlockData,
    Column,
    FeedMessage,
    Kind,
    exact_as_float,
    kind_of,
    widened,
)

__all__ = [
    "DEFAULT_FRAME_LENGTH_S",
    "DataFrame",
    "Frame",
    "FrameBuilder",
    "ProviderReport",
    "StatusFrame",
]

DEFAULT_FRAME_LENGTH_S = 300.0


@attrs.frozen
class StatusFrame:
    """The full list of providers from here on: (prov_id, feed address), by prov_id."""

    timestamp: float
    providers: tuple[tuple[int, str], ...]


@attrs.frozen(eq=False)
class DataFrame:
    """Samples of one provider.

    Attributes:
        prov_id: Listed in the last status frame before this one.
        address: Feed address.
        session_id: Session of the publishing agent.
        timestamp: When the frame was made, Unix s.
        blocks: At least one; none is empty.
        message_ids: The messages whose samples these are; all of their samples are here.
    """

    prov_id: int
    address: str
    session_id: str
    timestamp: float
    blocks: tuple[BlockData, ...]
    message_ids: tuple[int, ...]


Frame = StatusFrame | DataFrame


class ProviderReport(TypedDict):
    """What session.data says of a feed (keys as upstream's)."""

    last_refresh: float
    sessid: str
    stale: bool
    last_block_received: str | None


class _Block:
    """Held samples of one block, and what is known of those already written."""

    def __init__(self, first: BlockData) -> None:
        self.name = first.name
        self.kinds: dict[str, Kind] = {f: kind_of(column) for f, column in first.columns.items()}
        self.held: list[BlockData] = []
        self.written_until: float | None = None

    def conflict(self, data: BlockData) -> str | None:
        """Say why `data` cannot follow what the block already has; None if it can."""
        if data.columns.keys() != self.kinds.keys():
            changed = sorted(data.columns.keys() ^ self.kinds.keys())
            return f"fields of block {self.name!r} changed: {', '.join(changed)}"
        for field, column in data.columns.items():
            if self._kind_with(field, column) is None:
                return (
                    f"type of field {field!r} of block {self.name!r} changed "
                    f"from {self.kinds[field]} to {kind_of(column)}"
                )
        if self.written_until is not None and data.times.min() < self.written_until:
            return f"times of block {self.name!r} go back before what is written"
        return None

    def add(self, data: BlockData) -> None:
        """Hold samples that cause no conflict."""
        for field, column in data.columns.items():
            self.kinds[field] = self._kind_with(field, column) or self.kinds[field]
        self.held.append(data)

    def take(self) -> BlockData:
        """Return all held samples, sorted by time, and hold none."""
        held, self.held = self.held, []
        times = np.concatenate([data.times for data in held])
        columns = {
            field: _joined([data.columns[field] for data in held], kind)
            for field, kind in self.kinds.items()
        }
        if np.any(times[1:] < times[:-1]):
            order = np.argsort(times, kind="stable")
            times = times[order]
            columns = {field: _reordered(column, order) for field, column in columns.items()}
        self.written_until = float(times[-1])
        return BlockData(self.name, times, columns)

    def _kind_with(self, field: str, column: Column) -> Kind | None:
        """Return the field's type once `column` is added; None if there is no such type."""
        old, new = self.kinds[field], kind_of(column)
        if old == new:
            return old
        if "str" in (old, new):
            return None
        wide = _wider(old, new)
        if wide != old and self.written_until is not None:
            return None
        if wide == "float":
            earlier = [data.columns[field] for data in self.held]
            if not all(map(exact_as_float, [*earlier, column])):
                return None
        return wide


class _Provider:
    """One prov_id: its blocks, and the messages they hold."""

    def __init__(self, prov_id: int, message: FeedMessage, frame_length_s: float) -> None:
        self.prov_id = prov_id
        self.address = message.address
        self.session_id = message.session_id
        self.frame_length_s = frame_length_s
        self.fresh_time_s = message.fresh_time_s
        self.blocks: dict[str, _Block] = {}
        self.message_ids: list[int] = []
        self.frame_start: float | None = None
        self.last_refresh = message.received
        self.last_block: str | None = None

    def conflict(self, message: FeedMessage) -> str | None:
        for data in message.blocks:
            block = self.blocks.get(data.name)
            if block is not None and (why := block.conflict(data)) is not None:
                return why
        return None

    def add(self, message: FeedMessage, message_id: int) -> None:
        for data in message.blocks:
            self.blocks.setdefault(data.name, _Block(data)).add(data)
        self.message_ids.append(message_id)
        if self.frame_start is None:
            first_times = [float(data.times[0]) for data in message.blocks]
            self.frame_start = min([message.received, *first_times])
        self.last_block = message.blocks[-1].name

    def due(self, now: float) -> bool:
        return self.frame_start is not None and now - self.frame_start > self.frame_length_s

    def stale(self, now: float) -> bool:
        return now - self.last_refresh > self.fresh_time_s

    def take(self, now: float) -> DataFrame:
        ids, self.message_ids = tuple(self.message_ids), []
        self.frame_start = None
        blocks = tuple(block.take() for block in self.blocks.values() if block.held)
        return DataFrame(self.prov_id, self.address, self.session_id, now, blocks, ids)


class FrameBuilder:
    """Holds the samples of all feeds and hands out the frames that are due, in file order.

    Args:
        default_frame_length_s: For feeds whose ``agg_params`` name none.
    """

    def __init__(self, *, default_frame_length_s: float = DEFAULT_FRAME_LENGTH_S) -> None:
        self._default_frame_length_s = default_frame_length_s
        self._active: dict[tuple[str, str], _Provider] = {}
        self._retired: list[_Provider] = []
        self._listed: set[int] = set()
        self._next_prov_id = 0
        self._reports: dict[str, ProviderReport] = {}

    @property
    def reports(self) -> dict[str, ProviderReport]:
        """Feed address -> what is known of its latest provider; feeds are never dropped."""
        return {address: report.copy() for address, report in self._reports.items()}

    def add(self, message: FeedMessage, message_id: int) -> str | None:
        """Hold the samples of a message.

        Args:
            message: A message; one without blocks only shows that the feed is alive.
            message_id: Comes back in `DataFrame.message_ids`.

        Returns:
            Why the feed had to be given a new prov_id, if it had.
        """
        key = (message.address, message.session_id)
        provider, why = self._active.get(key), None
        if provider is not None and (why := provider.conflict(message)) is not None:
            self._retired.append(provider)
            provider = None
        if provider is None:
            if not message.blocks:
                return None
            provider = self._open(message)
            self._active[key] = provider
        provider.last_refresh = max(provider.last_refresh, message.received)
        if message.blocks:
            provider.add(message, message_id)
        self._reports[message.address] = {
            "last_refresh": provider.last_refresh,
            "sessid": message.session_id,
            "stale": False,
            "last_block_received": provider.last_block,
        }
        return why

    def collect(self, now: float) -> list[Frame]:
        """Return the frames due at `now`; providers silent for too long leave the list."""
        stale = [key for key, provider in self._active.items() if provider.stale(now)]
        for key in stale:
            provider = self._active.pop(key)
            self._retired.append(provider)
            report = self._reports[provider.address]
            report["stale"] = report["stale"] or report["sessid"] == provider.session_id
        due = [provider for provider in self._active.values() if provider.due(now)]
        return self._frames(now, due)

    def finish(self, now: float) -> list[Frame]:
        """Return frames with everything still held; the providers stay listed."""
        held = [p for p in self._active.values() if p.frame_start is not None]
        return self._frames(now, held)

    def _open(self, message: FeedMessage) -> _Provider:
        length = message.frame_length_s
        provider = _Provider(
            self._next_prov_id,
            message,
            self._default_frame_length_s if length is None else length,
        )
        self._next_prov_id += 1
        return provider

    def _frames(self, now: float, due: Iterable[_Provider]) -> list[Frame]:
        """List who has joined, write who leaves, list who is left, write who is due."""
        leaving, self._retired = self._retired, []
        frames: list[Frame] = []
        if not self._listed.issuperset(p.prov_id for p in [*leaving, *self._active.values()]):
            frames.append(self._status(now, [*leaving, *self._active.values()]))
        frames += [p.take(now) for p in leaving if p.frame_start is not None]
        if leaving:
            frames.append(self._status(now, self._active.values()))
        frames += [p.take(now) for p in due]
        return frames

    def _status(self, now: float, providers: Iterable[_Provider]) -> StatusFrame:
        listed = sorted((p.prov_id, p.address) for p in providers)
        self._listed = {prov_id for prov_id, _ in listed}
        return StatusFrame(now, tuple(listed))


def _wider(a: Kind, b: Kind) -> Kind:
    return "float" if "float" in (a, b) else "int" if "int" in (a, b) else "bool"


def _joined(columns: list[Column], kind: Kind) -> Column:
    if kind == "str":
        return [value for column in columns for value in column]
    arrays = [widened(column, kind) for column in columns]
    return np.concatenate([array for array in arrays if isinstance(array, np.ndarray)])


def _reordered(column: Column, order: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Column:
    if isinstance(column, list):
        return [column[index] for index in order]
    return column[order]
