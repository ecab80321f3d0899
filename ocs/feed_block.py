"""Blocks of samples: what recorded feeds carry (spec/ocs-protocol.md, section 7.3).

Everything is checked where the author's code hands it over: what gets into a block can be sent.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgpack
import numpy as np

__all__ = ["MAX_EVENT_BYTES", "Block", "snapshot", "verify_influxdb_tags"]

MAX_EVENT_BYTES = 15 * 2**20
"""Packed size of the largest message; `ocs.connection.MAX_MESSAGE_BYTES` with room for a header."""

_KINDS: dict[type, str] = {float: "float", int: "int", bool: "bool", str: "str"}


class Block:
    """Columns of data that share their timestamps.

    Args:
        name: Block name.
        keys: Its fields; the set never changes.
    """

    def __init__(self, name: str, keys: Iterable[str]) -> None:
        self.name = name
        self.timestamps: list[float] = []
        self.data: dict[str, list[Any]] = {key: [] for key in keys}
        self.tags: Mapping[str, Any] | None = None
        self._kinds: dict[str, str] = {}

    @property
    def empty(self) -> bool:
        """Whether there are no samples in it."""
        return not self.timestamps

    def clear(self) -> None:
        """Drop the samples; fields, types and tags stay."""
        self.timestamps = []
        self.data = {key: [] for key in self.data}

    def append(self, message: Mapping[str, Any]) -> None:
        """Add the samples of one published message; all of it or, on an error, nothing.

        Args:
            message: ``{'block_name', 'timestamp' or 'timestamps', 'data': {field: value(s)}}``.

        Raises:
            ValueError: Fields differ from the block's, lengths are not equal, a time is not
                finite, an integer has more than 64 bits, or a text is no Unicode.
            TypeError: A value has a type that feeds do not carry, or not its field's.
        """
        times, columns = _samples(self.name, message)
        if columns.keys() != self.data.keys():
            raise ValueError(
                f"Block '{self.name}' has the fields {sorted(self.data)}, but a message has "
                f"{sorted(columns, key=str)}; use another block name for other fields."
            )
        kinds = dict(self._kinds)
        for field, values in columns.items():
            columns[field] = self._coerce(field, values, kinds)
        tags = message.get("influxdb_tags")
        if tags:
            self.tags = snapshot("influxdb_tags", tags)
        for field, kind in kinds.items():
            if kind == "float" and self._kinds.get(field) == "int":
                # What waits in the buffer goes out in the same message.
                self.data[field] = list(map(float, self.data[field]))
        self._kinds = kinds
        self.timestamps.extend(times)
        for field, values in columns.items():
            self.data[field].extend(values)

    def _coerce(self, field: str, values: list[Any], kinds: dict[str, str]) -> list[Any]:
        types = set(map(type, values))
        known = kinds.get(field)
        if types == {float} and known == "float":
            # Nearly all samples there are.
            return values
        found = {_kind(self.name, field, kind) for kind in types}
        if known is not None:
            found.add(known)
        if len(found) > 1:
            # Recorders need one type a field: numbers become the wider one.
            if not found <= {"float", "int"}:
                raise TypeError(
                    f"Field '{field}' of block '{self.name}' mixes {' and '.join(sorted(found))}; "
                    "a field keeps one type."
                )
            found = {"float"}
        if not found:
            # No samples, and none before.
            return values
        kind = found.pop()
        kinds[field] = kind
        try:
            match kind:
                case "float":
                    return list(map(float, values))
                case "int" if values:
                    _ = min(values).to_bytes(8, signed=True), max(values).to_bytes(8, signed=True)
                case "str":
                    "".join(values).encode()
        except OverflowError:
            raise ValueError(
                f"Field '{field}' of block '{self.name}' has an integer of more than 64 bits."
            ) from None
        except UnicodeEncodeError as error:
            raise ValueError(
                f"Field '{field}' of block '{self.name}' has a text that is no Unicode: {error}"
            ) from None
        return values

    def encoded(self) -> dict[str, Any]:
        """Return the block in its wire form."""
        return {
            "block_name": self.name,
            "data": self.data,
            "timestamps": self.timestamps,
            "influxdb_tags": dict(self.tags) if self.tags else None,
        }


def snapshot(what: str, value: Any) -> Any:
    """Copy `value` as the wire carries it.

    Raises:
        TypeError: There is something in it that cannot be sent.
        ValueError: It is too large, or has an integer of more than 64 bits or a text that is no
            Unicode.
    """
    try:
        packed = msgpack.packb(value)
    except TypeError as error:
        raise TypeError(f"{what} cannot be sent: {error}") from None
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{what} cannot be sent: {error}") from None
    if len(packed) > MAX_EVENT_BYTES:
        raise ValueError(f"{what} has {len(packed)} bytes; the limit is {MAX_EVENT_BYTES}")
    return msgpack.unpackb(packed, strict_map_key=False)


def _samples(name: str, message: Mapping[str, Any]) -> tuple[list[float], dict[str, list[Any]]]:
    """Return times and columns of a message with one sample or many."""
    data = message["data"]
    if ("timestamp" in message) == ("timestamps" in message):
        raise ValueError(f"Block '{name}' needs either 'timestamp' or 'timestamps'.")
    if "timestamp" in message:
        times = [_plain(message["timestamp"])]
        columns = {field: [_plain(value)] for field, value in data.items()}
    else:
        times = _listed(name, "timestamps", message["timestamps"])
        columns = {field: _listed(name, field, values) for field, values in data.items()}
    for field, values in columns.items():
        if len(values) != len(times):
            raise ValueError(
                f"Field '{field}' of block '{name}' has {len(values)} values "
                f"for {len(times)} timestamps."
            )
    try:
        seconds = list(map(float, times)) if set(map(type, times)) <= {float, int} else [math.nan]
    except OverflowError:
        seconds = [math.inf]
    if not all(map(math.isfinite, seconds)):
        raise ValueError(f"Block '{name}' has a timestamp that is no finite number of seconds.")
    return seconds, columns


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _listed(name: str, field: str, values: Any) -> list[Any]:
    if isinstance(values, np.ndarray) and values.ndim == 1:
        plain: list[Any] = values.tolist()
        return plain
    if not isinstance(values, list | tuple):
        raise TypeError(f"'{field}' of block '{name}' must be a list, not {values!r}")
    return list(map(_plain, values))


def _kind(block: str, field: str, found: type) -> str:
    try:
        return _KINDS[found]
    except KeyError:
        raise TypeError(
            f"Field '{field}' of block '{block}' has a value of type {found.__name__}; "
            "feeds carry float, int, str and bool."
        ) from None


def verify_influxdb_tags(message: Mapping[str, Any]) -> None:
    """Check the tags of a message (spec/ocs-protocol.md, section 7.4).

    Raises:
        ValueError: They do not belong to exactly the message's fields, or one lacks ``_field``.
        TypeError: They are no dict of dicts.
    """
    tags = message["influxdb_tags"]
    if not isinstance(tags, Mapping) or not all(isinstance(t, Mapping) for t in tags.values()):
        raise TypeError(f"influxdb_tags must be a dict of fields and their tags, not {tags!r}")
    if tags.keys() != message["data"].keys():
        raise ValueError(
            f"influxdb_tags are given for {sorted(tags)}, the fields are {sorted(message['data'])}"
        )
    if lacking := [field for field, tag_set in tags.items() if "_field" not in tag_set]:
        raise ValueError(f"influxdb_tags of {lacking} have no '_field'")
