"""Read feed messages of every generation (spec/sisock-protocol.md, section 6).

Three shapes have been on the wire since 2018; which one a message has is told by looking at it:

* F1: ``{"Channel 1": [t, value], ...}``, or a list of such
* F2: a list of ``{"timestamp": t, "data": {"Channel 1": value, ...}}``
* F3: ``{"<block>": {"timestamps": [t, ...], "data": {"Channel_01_T": [v, ...], ...}}, ...}``

Whatever fits none of them is passed over: feeds that are not recorded carry anything.
"""

import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from sisock.series import Column, FloatArray

__all__ = ["FieldNames", "Samples", "field_name", "parse_message"]


@attrs.frozen(eq=False)
class Samples:
    """Samples of one block of a feed message.

    Attributes:
        block: Name of the block; empty in generations that had none.
        times: Unix seconds, finite, shape (n,).
        columns: Values by *channel* (the agent's own name), each of shape (n,).
    """

    block: str
    times: FloatArray
    columns: Mapping[str, Column]


def field_name(channel: str) -> str:
    """Return the field that a channel becomes: lower case, blanks to underscores."""
    return channel.lower().replace(" ", "_")


def parse_message(message: object) -> list[Samples]:
    """Return the samples of a feed message; empty for what is no data."""
    if isinstance(message, Mapping):
        blocks = [_f3_block(name, block) for name, block in message.items() if _is_f3(block)]
        found = [block for block in blocks if block is not None]
        return found or _rows([message])
    if isinstance(message, list | tuple):
        return _rows(message)
    return []


def _is_f3(block: object) -> bool:
    return isinstance(block, Mapping) and "timestamps" in block and "data" in block


def _f3_block(name: object, block: Mapping[str, Any]) -> Samples | None:
    data = block["data"]
    times = _times(block["timestamps"])
    if times is None or not isinstance(data, Mapping):
        return None
    columns = {}
    for channel, values in data.items():
        column = _column(values)
        if isinstance(channel, str) and column is not None and column.size == times.size:
            columns[channel] = column
    good = np.isfinite(times)
    if not good.all():
        times = times[good]
        columns = {channel: column[good] for channel, column in columns.items()}
    return Samples(str(name), times, columns) if columns and times.size else None


def _rows(message: Sequence[object]) -> list[Samples]:
    """Read the generations that carry one sample after the other (F1, F2)."""
    rows: dict[Hashable, tuple[str, list[object], dict[str, list[object]]]] = {}
    for row in message:
        if not isinstance(row, Mapping):
            continue
        data = row.get("data")
        if "timestamp" in row and isinstance(data, Mapping):
            block = str(row.get("block_name", ""))
            channels = tuple(channel for channel in data if isinstance(channel, str))
            _add_row(rows, block, row["timestamp"], {name: data[name] for name in channels})
            continue
        for channel, pair in row.items():
            if isinstance(channel, str) and isinstance(pair, list | tuple) and len(pair) == 2:
                _add_row(rows, "", pair[0], {channel: pair[1]})
    found = []
    for block, times, columns in rows.values():
        samples = _f3_block(block, {"timestamps": times, "data": columns})
        if samples is not None:
            found.append(samples)
    return found


def _add_row(
    rows: dict[Hashable, tuple[str, list[object], dict[str, list[object]]]],
    block: str,
    timestamp: object,
    values: Mapping[str, object],
) -> None:
    """Add one sample to the others of the same block and the same channels."""
    if not _is_number(timestamp):
        return
    key = (block, tuple(values))
    _, times, columns = rows.setdefault(key, (block, [], {name: [] for name in values}))
    times.append(timestamp)
    for name, value in values.items():
        columns[name].append(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _times(values: object) -> FloatArray | None:
    array = _array(values)
    if array is None or array.size == 0 or array.dtype.kind not in "fiu":
        return None
    return array.astype(np.float64, copy=False)


def _array(values: object) -> Column | None:
    if not isinstance(values, list | tuple):
        return None
    try:
        array = np.array(values)
    except (ValueError, OverflowError):  # lists within lists
        return None
    return array if array.ndim == 1 else None


def _column(values: object) -> Column | None:
    """Return values as one of the column types; None where they are no plain values."""
    array = _array(values)
    if array is None:
        return None
    kind = array.dtype.kind
    if kind in "fb":
        return array.astype(np.float64 if kind == "f" else np.bool_, copy=False)
    if kind == "i":
        return array.astype(np.int64, copy=False)
    if kind not in "UOu" or not isinstance(values, list | tuple):
        return None
    if all(isinstance(value, str) for value in values):
        # The same few words come again and again: keep one copy of each.
        return np.array([sys.intern(str(value)) for value in values], dtype=np.object_)
    if all(value is None or isinstance(value, int | float) for value in values):
        try:
            return np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)
        except OverflowError:  # an integer beyond what a float can hold
            return None
    return None


class FieldNames:
    """Decide which channel a field belongs to, when two channels want the same name.

    ``Channel 1`` and ``channel_1`` become the same field, and so do equal channels of two blocks.
    The first to come keeps the name; of the others ``on_collision(field, kept, refused)`` is told,
    once each.
    """

    def __init__(self, on_collision: Callable[[str, str, str], None]) -> None:
        self._owners: dict[str, tuple[str, str]] = {}
        self._told: set[tuple[str, str]] = set()
        self._on_collision = on_collision

    def reset(self) -> None:
        """Forget who came first; for when the agent has been started anew."""
        self._owners.clear()
        self._told.clear()

    def rename(self, samples: Samples) -> dict[str, Column]:
        """Return the columns by field name, without those whose name is taken."""
        columns: dict[str, Column] = {}
        for channel, values in samples.columns.items():
            field = field_name(channel)
            source = (samples.block, channel)
            owner = self._owners.setdefault(field, source)
            if owner == source:
                columns[field] = values
            elif source not in self._told:
                self._told.add(source)
                self._on_collision(field, _say(owner), _say(source))
        return columns


def _say(source: tuple[str, str]) -> str:
    block, channel = source
    return f"{block}/{channel}" if block else channel
