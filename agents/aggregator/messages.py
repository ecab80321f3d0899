"""What the Aggregator understands of a feed's message, and the one place that checks it.

A message comes from outside as plain lists and dictionaries (spec/ocs-protocol.md, section 7).
`MessageParser` turns it into a `FeedMessage`: columns of one type each, beside one array of
times. What cannot be stored is refused block by block, with the reason; nothing is repaired
silently except field names (`ocs.field_names`) and numbers of mixed types, which are widened
bool -> int -> float where that keeps every value exactly.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from ocs.field_names import repair_field_names

__all__ = [
    "DEFAULT_FRESH_TIME_S",
    "BlockData",
    "BlockRefused",
    "Column",
    "FeedMessage",
    "Kind",
    "MessageParser",
    "Parsed",
    "Refusal",
    "exact_as_float",
    "kind_of",
    "widened",
]

DEFAULT_FRESH_TIME_S = 180.0

Column: TypeAlias = NDArray[Any] | list[str]
"""Values of one field: an array of float64, int64 or bool, or a list of strings."""

Kind: TypeAlias = Literal["bool", "int", "float", "str"]

_DTYPES: dict[Kind, Any] = {"bool": np.bool_, "int": np.int64, "float": np.float64}
_KINDS: dict[str, Kind] = {"b": "bool", "i": "int", "f": "float"}
_RANK: dict[Kind, int] = {"bool": 0, "int": 1, "float": 2}

_EXACT_INT = 2**53
"""Integers up to here are floats without loss."""

_LATEST_TIME_S = 9.2e10
"""Times are stored as int64 counts of 10 ns."""


class BlockRefused(ValueError):
    """A block, or a whole message, cannot be stored; the text says why."""


@attrs.frozen(eq=False)
class BlockData:
    """Samples of one block.

    Attributes:
        name: Block name.
        times: Unix times in s, float64, shape (n,), n >= 1, in the order they came.
        columns: Field name -> n values.
    """

    name: str
    times: NDArray[np.float64]
    columns: dict[str, Column]

    @property
    def size_bytes(self) -> int:
        """Memory the samples take, about."""
        return self.times.nbytes + sum(
            column.nbytes if isinstance(column, np.ndarray) else sum(map(len, column))
            for column in self.columns.values()
        )


@attrs.frozen(eq=False)
class FeedMessage:
    """One message of one feed: what is journaled, then put into frames.

    Attributes:
        address: Full feed address, ``<root>.<instance>.feeds.<feed>``.
        session_id: Session of the publishing agent.
        seq: Number of the message in (address, session_id); None from upstream peers.
        received: When it arrived here, Unix s.
        frame_length_s: From ``agg_params``; None if the feed leaves it to us.
        fresh_time_s: From ``agg_params``, or the default.
        blocks: The blocks that can be stored.
    """

    address: str
    session_id: str
    seq: int | None
    received: float
    frame_length_s: float | None
    fresh_time_s: float
    blocks: tuple[BlockData, ...]

    @property
    def size_bytes(self) -> int:
        """Memory the samples take, about."""
        return sum(block.size_bytes for block in self.blocks)


@attrs.frozen
class Refusal:
    """A block (or with an empty name, a message) that cannot be stored, and why."""

    block: str
    reason: str


@attrs.frozen
class Parsed:
    """What became of one message that came in."""

    message: FeedMessage
    refusals: tuple[Refusal, ...]


def kind_of(column: Column) -> Kind:
    """Return the type of a column's values."""
    return _KINDS[column.dtype.kind] if isinstance(column, np.ndarray) else "str"


def exact_as_float(column: Column) -> bool:
    """Tell whether a numeric column keeps all its values as float64."""
    if kind_of(column) != "int":
        return True
    values = np.asarray(column)
    return bool(np.all((values <= _EXACT_INT) & (values >= -_EXACT_INT)))


def widened(column: Column, kind: Kind) -> Column:
    """Return the column as `kind`, which must be its own or one that holds its values."""
    if isinstance(column, list):
        return column
    return column.astype(_DTYPES[kind], copy=False)


class MessageParser:
    """Checks messages one by one; keeps nothing but the names fields are stored under.

    Repaired names depend on the order of fields, so the first answer for a block's set of
    names is kept: a publisher that shuffles its fields must not shuffle the columns.
    """

    def __init__(self) -> None:
        self._stored_names: dict[tuple[str, str], dict[str, str]] = {}

    def parse(self, message: object, feed: Mapping[str, Any], received: float) -> Parsed:
        """Check one message.

        Args:
            message: Block name -> block, as it came.
            feed: The header that came with it.
            received: When it came, Unix s.

        Raises:
            BlockRefused: The header names no feed and session: there is nowhere to put it.
        """
        address, session_id = feed.get("address"), feed.get("session_id")
        if not isinstance(address, str) or not address:
            raise BlockRefused("the header has no feed address")
        if not isinstance(session_id, str) or not session_id:
            raise BlockRefused("the header has no session_id (a non-empty string)")
        _storable_text(address + session_id, "the header")
        refusals: list[Refusal] = []
        agg_params = feed.get("agg_params")
        if not isinstance(agg_params, dict):
            if agg_params is not None:
                refusals.append(Refusal("", "agg_params is not an object; defaults are used"))
            agg_params = {}
        blocks = []
        if not isinstance(message, dict):
            refusals.append(Refusal("", f"message is {_word(message)}, not blocks by name"))
            message = {}
        for key, block in message.items():
            try:
                data = self._block(address, key, block)
            except BlockRefused as error:
                refusals.append(Refusal(str(key), str(error)))
            else:
                if data is not None:
                    blocks.append(data)
        seq = feed.get("seq")
        parsed = FeedMessage(
            address=address,
            session_id=session_id,
            seq=seq if type(seq) is int and 0 <= seq < 2**63 else None,
            received=received,
            frame_length_s=_duration(agg_params, "frame_length", None, refusals),
            fresh_time_s=_duration(agg_params, "fresh_time", DEFAULT_FRESH_TIME_S, refusals)
            or DEFAULT_FRESH_TIME_S,
            blocks=tuple(blocks),
        )
        return Parsed(parsed, tuple(refusals))

    def _block(self, address: str, name: object, block: object) -> BlockData | None:
        """Check one block; None if it holds no samples, as idle blocks do."""
        if not isinstance(name, str):
            raise BlockRefused(f"the block's name is {_word(name)}, not text")
        _storable_text(name, "the block's name")
        if not isinstance(block, dict):
            raise BlockRefused(f"block is {_word(block)}, not an object")
        data = block.get("data")
        if not isinstance(data, dict):
            raise BlockRefused(f"'data' is {_word(data)}, not fields by name")
        times = _times(block.get("timestamps"))
        names = self._names(address, name, data)
        columns = {
            names[field]: _column(field, values, len(times)) for field, values in data.items()
        }
        return BlockData(name, times, columns) if len(times) else None

    def _names(self, address: str, block: str, data: Mapping[Any, Any]) -> dict[str, str]:
        """Return the stored name of each field."""
        known = self._stored_names.get((address, block))
        if known is None or known.keys() != data.keys():
            if not all(isinstance(field, str) for field in data):
                raise BlockRefused("'data' has field names that are not text")
            known = repair_field_names(data)
            self._stored_names[address, block] = known
        return known


def _duration(
    agg_params: Mapping[Any, Any], key: str, default: float | None, refusals: list[Refusal]
) -> float | None:
    value = agg_params.get(key)
    if value is None:
        return default
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < np.inf:
        return float(value)
    refusals.append(Refusal("", f"agg_params.{key} is {value!r:.40}, not seconds; default used"))
    return default


def _times(values: object) -> NDArray[np.float64]:
    if not isinstance(values, list | tuple):
        raise BlockRefused(f"'timestamps' is {_word(values)}, not a list")
    if not set(map(type, values)) <= {int, float}:
        odd = next(value for value in values if type(value) not in (int, float))
        raise BlockRefused(f"'timestamps' holds {_word(odd)}, not numbers only")
    try:
        times = np.array(values, dtype=np.float64)
    except OverflowError:
        times = np.array([np.inf])
    if not np.all(np.abs(times) < _LATEST_TIME_S):
        raise BlockRefused("'timestamps' holds a number that is no Unix time in seconds")
    return times


def _column(field: str, values: object, count: int) -> Column:
    if not isinstance(values, list | tuple):
        raise BlockRefused(f"field {field!r} is {_word(values)}, not a list")
    if len(values) != count:
        raise BlockRefused(f"field {field!r} has {len(values)} values for {count} timestamps")
    types = set(map(type, values))
    if types <= {float}:
        return np.array(values, dtype=np.float64)
    if types == {str}:
        _storable_text("".join(values), f"field {field!r}")
        return list(values)
    if types == {bool}:
        return np.array(values, dtype=np.bool_)
    if types <= {bool, int}:
        try:
            return np.array(values, dtype=np.int64)
        except OverflowError:
            raise BlockRefused(f"field {field!r} holds an integer beyond 64 bits") from None
    if types <= {bool, int, float}:
        return _mixed_numbers(field, values)
    odd = next((v for v in values if type(v) not in (bool, int, float, str)), None)
    what = "both text and numbers" if odd is None and type(None) not in types else _word(odd)
    raise BlockRefused(f"field {field!r} holds {what}; float, int, bool or str can be stored")


def _mixed_numbers(field: str, values: Sequence[Any]) -> Column:
    if any(abs(value) > _EXACT_INT for value in values if type(value) is int):
        raise BlockRefused(f"field {field!r} mixes floats with integers too large for a float")
    return np.array(values, dtype=np.float64)


def _storable_text(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BlockRefused(f"{what} holds text that is no valid Unicode") from None


def _word(value: object) -> str:
    """Name a value's type in the words of JSON."""
    if value is None:
        return "null"
    words: dict[type, str] = {
        bool: "a bool", int: "an integer", float: "a float", str: "text",
        list: "a list", tuple: "a list", dict: "an object", bytes: "bytes",
    }  # fmt: skip
    return words.get(type(value), f"a {type(value).__name__}")
