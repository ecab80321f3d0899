"""Answers of data nodes, written and read in one place (spec/sisock-protocol.md, section 5)."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import attrs
import numpy as np

from sisock.series import Block, Column, FieldInfo, FieldList, FieldType, FloatArray, TimelineInfo

__all__ = [
    "CAPS",
    "DataAnswer",
    "DataMessage",
    "FieldMessage",
    "TimelineMessage",
    "decode_data",
    "decode_fields",
    "encode_data",
    "encode_fields",
    "sample_count",
    "size_estimate",
]

CAPS = ("max_points", "minmax")
"""What a node of ours says it can do: it takes ``max_points``, and keeps extremes."""

# One float64 in MessagePack is nine bytes; text is longer, but nobody plots much of it.
_NUMBER_BYTES = 9
_TEXT_BYTES = 32


class FieldMessage(TypedDict):
    """One field in an answer to ``get_fields``."""

    description: str | None
    timeline: str
    type: str
    units: str | None


class TimelineMessage(TypedDict):
    """One timeline in an answer to ``get_fields``; the last two keys are ours."""

    interval: float | None
    field: list[str]
    caps: NotRequired[list[str]]
    last_time: NotRequired[float | None]


class DataMessage(TypedDict):
    """An answer to ``get_data``."""

    data: dict[str, list[Any]]
    timeline: dict[str, dict[str, Any]]


@attrs.frozen(eq=False)
class DataAnswer:
    """A ``get_data`` answer as arrays: times and values of the fields that have samples."""

    series: Mapping[str, tuple[FloatArray, Column]]


def encode_fields(listing: FieldList) -> list[dict[str, Any]]:
    """Write an answer to ``get_fields``: ``[fields, timelines]``."""
    fields = {
        name: dict(
            FieldMessage(
                description=info.description,
                timeline=info.timeline,
                type=info.type,
                units=info.units,
            )
        )
        for name, info in listing.fields.items()
    }
    timelines = {
        name: dict(
            TimelineMessage(
                interval=info.interval_s,
                field=list(info.fields),
                caps=list(CAPS),
                last_time=info.last_time,
            )
        )
        for name, info in listing.timelines.items()
    }
    return [fields, timelines]


def sample_count(blocks: Sequence[Block]) -> int:
    """Count the values in an answer."""
    return sum(block.times.size * len(block.columns) for block in blocks)


def size_estimate(blocks: Sequence[Block]) -> int:
    """Estimate the size of an answer on the wire, in bytes."""
    size = 0
    for block in blocks:
        size += block.times.size * _NUMBER_BYTES * len(set(block.timelines.values()))
        for column in block.columns.values():
            text = column.dtype == np.object_
            size += column.size * (_TEXT_BYTES if text else _NUMBER_BYTES)
    return size


def encode_data(fields: Sequence[str], blocks: Sequence[Block]) -> DataMessage:
    """Write an answer to ``get_data``.

    Each timeline carries its ``fields``, so that the answer explains itself. Where thinning gave
    two fields of one timeline different times, the later ones get a timeline ``NAME.field``.

    Args:
        fields: What was asked for; each of them stands in the answer, with samples or without.
        blocks: What there is.
    """
    data: dict[str, list[Any]] = {field: [] for field in fields}
    timelines: dict[str, dict[str, Any]] = {}
    for block in blocks:
        times = block.times.tolist()
        names: dict[str, str] = {}
        for field, values in block.columns.items():
            declared = block.timelines[field]
            name = names.get(declared)
            if name is None:
                name = declared if declared not in timelines else f"{declared}.{field}"
                names[declared] = name
                timelines[name] = {
                    "t": times,
                    "finalized_until": block.finalized_until,
                    "fields": [],
                }
            timelines[name]["fields"].append(field)
            data[field] = values.tolist()
    return {"data": data, "timeline": timelines}


def decode_fields(answer: object) -> tuple[FieldList, bool]:
    """Read an answer to ``get_fields`` from whatever node it came.

    Returns:
        The fields, and whether the node takes ``max_points``.

    Raises:
        ValueError: it is no such answer.
    """
    match answer:
        case [Mapping() as raw_fields, Mapping() as raw_timelines]:
            pass
        case _:
            raise ValueError("an answer to get_fields must be [fields, timelines]")
    timelines = {}
    takes_max_points = False
    for name, raw in raw_timelines.items():
        if isinstance(raw, Mapping):
            takes_max_points = takes_max_points or CAPS[0] in _names(raw.get("caps"))
            timelines[str(name)] = TimelineInfo(
                fields=_names(raw.get("field")),
                interval_s=_number(raw.get("interval")),
                last_time=_number(raw.get("last_time")),
            )
    fields = {
        str(name): FieldInfo(
            description=_text(raw.get("description")),
            timeline=_text(raw.get("timeline")) or "",
            type=_type(raw.get("type")),
            units=_text(raw.get("units")),
        )
        for name, raw in raw_fields.items()
        if isinstance(raw, Mapping)
    }
    return FieldList(fields, timelines), takes_max_points


def decode_data(answer: object, listing: FieldList | None) -> DataAnswer | None:
    """Read an answer to ``get_data`` from whatever node it came.

    A field's times are those of the timeline that lists it; failing that, of the timeline that
    ``get_fields`` named for it; failing that, of the only timeline there is, if it fits.

    Args:
        answer: What the node said.
        listing: What it declared before, if known.

    Returns:
        None when the node said that it would be too much data.

    Raises:
        ValueError: it is no such answer.
    """
    if answer is False:
        return None
    match answer:
        case {"data": Mapping() as data, "timeline": Mapping() as timelines}:
            pass
        case _:
            raise ValueError("an answer to get_data must have the keys 'data' and 'timeline'")
    times: dict[str, FloatArray] = {}
    lister: dict[str, str] = {}
    for name, timeline in timelines.items():
        if isinstance(timeline, Mapping) and isinstance(timeline.get("t"), list | tuple):
            times[name] = _times(timeline["t"])
            for field in _names(timeline.get("fields")) + _names(timeline.get("field")):
                lister.setdefault(field, name)
    only = next(iter(times)) if len(times) == 1 else None
    series: dict[str, tuple[FloatArray, Column]] = {}
    for field, raw in data.items():
        if not isinstance(raw, list | tuple) or not raw:
            continue
        values = _values(raw)
        declared = listing.fields.get(field) if listing else None
        for candidate in (lister.get(field), declared.timeline if declared else None, only):
            if candidate in times and times[candidate].size == values.size:
                series[field] = _ascending(times[candidate], values)
                break
    return DataAnswer(series)


def _times(raw: Sequence[object]) -> FloatArray:
    try:
        times = np.array(raw, dtype=np.float64)
    except TypeError as error:
        raise ValueError(f"the times of a timeline must be numbers: {error}") from error
    if times.ndim != 1:
        raise ValueError("the times of a timeline must be a flat list")
    return times


def _ascending(times: FloatArray, values: Column) -> tuple[FloatArray, Column]:
    """Put samples into time order; upstream's feed node mixes them up under load."""
    if times.size > 1 and (times[1:] < times[:-1]).any():
        order = np.argsort(times, kind="stable")
        return times[order], values[order]
    return times, values


def _values(raw: Sequence[object]) -> Column:
    """Make a column of what came over the wire; None counts as NaN among numbers."""
    try:
        values = np.array(raw)
    except (ValueError, OverflowError):
        values = np.array([])
    if values.ndim == 1 and values.size == len(raw) and values.dtype.kind in "fib":
        return values
    if all(value is None or isinstance(value, int | float) for value in raw):
        return np.array([np.nan if value is None else value for value in raw], dtype=np.float64)
    column = np.empty(len(raw), dtype=np.object_)
    column[:] = [value if isinstance(value, str) else str(value) for value in raw]
    return column


def _names(raw: object) -> tuple[str, ...]:
    """Read a list of names; upstream's APEX node gives a bare string."""
    if isinstance(raw, str):
        return (raw,)
    if isinstance(raw, list | tuple):
        return tuple(name for name in raw if isinstance(name, str))
    return ()


def _number(raw: object) -> float | None:
    return float(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else None


def _text(raw: object) -> str | None:
    return raw if isinstance(raw, str) else None


def _type(raw: object) -> FieldType:
    if raw == "string":
        return "string"
    return "bool" if raw == "bool" else "number"
