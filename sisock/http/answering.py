"""From a checked query to what was found: the one way to samples for every kind of client."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from sisock.errors import BadRequest, SisockError
from sisock.http.answers import Series, Table, TargetAnswer
from sisock.http.directory import FieldEntry, NodeView
from sisock.http.events import annotation_rows, in_window
from sisock.http.facade import MonitorFacade
from sisock.http.gaps import GAP_POINTS, gap_rows
from sisock.http.monitor import Window
from sisock.http.patterns import Effort
from sisock.http.queries import Query, Target
from sisock.http.targets import Expansion, expand
from sisock.uris import split_name

__all__ = ["AllFailed", "answer_query", "find_marks"]

MAX_QUERY_SERIES = 2000
MAX_QUERY_SAMPLES = 1_000_000  # some 40 MB of JSON

_ANNOTATION_COLUMNS = {
    "time": "time",
    "timeEnd": "time",
    "title": "string",
    "text": "string",
    "tags": "string",
}


class AllFailed(SisockError):
    """None of the targets could be answered; the message says why."""


def answer_query(monitor: MonitorFacade, query: Query) -> list[TargetAnswer]:
    """Find what every target of a query asks for, in the order of the targets.

    Raises:
        BadRequest: the targets stand for too many fields, or samples.
        AllFailed: there is no target whose data could be had.
    """
    expansions = _expand(monitor, query)
    wanted: dict[tuple[str, str], None] = {}
    for expansion in expansions.values():
        wanted.update(dict.fromkeys(_pairs(expansion.names)))
    if len(wanted) > MAX_QUERY_SERIES:
        raise BadRequest(
            f"the targets stand for {len(wanted)} fields: allowed are {MAX_QUERY_SERIES}"
        )
    window = Window(query.start, query.end, query.max_points, query.stride_s)
    found = monitor.fetch(list(wanted), window) if wanted else {}
    samples = sum(series.times.size for series in found.values())
    if samples > MAX_QUERY_SAMPLES:
        raise BadRequest(
            f"the answer would have {samples} samples: allowed are {MAX_QUERY_SAMPLES}; ask for "
            "fewer points or fields, or for a shorter time at once"
        )
    gaps = _gaps(monitor, query.start, query.end, _gap_targets(query))
    answers = [
        TargetAnswer(target, table=_own_table(monitor, target, query, gaps))
        if target.own_table is not None
        else TargetAnswer(target, _series_of(target.text, expansions[target], found))
        for target in query.targets
    ]
    every = [series for answer in answers for series in answer.series]
    if every and all(series.failed for series in every):
        raise AllFailed("; ".join(dict.fromkeys(series.error for series in every)))
    return answers


def _expand(monitor: MonitorFacade, query: Query) -> dict[Target, Expansion]:
    """Find out what the targets mean; asks for new lists of fields only where that may help."""
    targets = [target for target in query.targets if target.own_table is None]
    expansions = _expanded(targets, monitor.fields(fresh=False))
    if any(not expansion.names for expansion in expansions.values()):
        expansions = _expanded(targets, monitor.fields())
    return expansions


def _expanded(targets: Iterable[Target], entries: Iterable[FieldEntry]) -> dict[Target, Expansion]:
    known = dict.fromkeys(entry.name for entry in entries)
    effort = Effort()
    return {target: expand(target.text, known, effort) for target in targets}


def _pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    return [pair for pair in map(split_name, names) if pair is not None]


def _series_of(
    text: str, expansion: Expansion, found: Mapping[tuple[str, str], Series]
) -> tuple[Series, ...]:
    if not expansion.names:
        return (Series(text, error=expansion.trouble),)
    series = [found[pair] for pair in _pairs(expansion.names)]
    if expansion.trouble and not series[-1].error:
        series[-1] = attrs.evolve(series[-1], error=expansion.trouble)
    return tuple(series)


def find_marks(monitor: MonitorFacade, start: float, end: float, what: str) -> list[dict[str, Any]]:
    """Return marks for a plot of ``[start, end]`` (Unix seconds).

    Args:
        monitor: Knows them, or has the samples.
        start: First moment.
        end: Last moment.
        what: A target ``NODE::field`` for the gaps in its samples; anything else for the coming
            and going of data nodes, of those whose names hold all of its words.

    Raises:
        AllFailed: the samples could not be had.
    """
    if split_name(what) is None:
        return annotation_rows(in_window(monitor.events(), start, end, what))
    return _gaps(monitor, start, end + 1e-3, [what])[what]


def _gaps(
    monitor: MonitorFacade, start: float, end: float, names: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return the gaps in the samples of ``[start, end)`` by target; asks for all at once."""
    if not names:
        return {}
    targets = tuple(Target(name.strip()) for name in names)
    answers = answer_query(monitor, Query(start, end, GAP_POINTS, None, targets))
    return {
        name: [row for series in answer.series for row in gap_rows(series, end - start)]
        for name, answer in zip(names, answers, strict=True)
    }


def _gap_targets(query: Query) -> list[str]:
    return [
        target.text
        for target in query.targets
        if target.own_table == "annotations" and split_name(target.text) is not None
    ]


def _own_table(
    monitor: MonitorFacade,
    target: Target,
    query: Query,
    gaps: Mapping[str, list[dict[str, Any]]],
) -> Table:
    if target.own_table != "annotations":
        return _nodes(monitor.nodes())
    what = "" if target.text == target.own_table else target.text
    marks = gaps.get(what)
    if marks is None:
        marks = find_marks(monitor, query.start, query.end, what)
    rows = [[mark[name] for name in _ANNOTATION_COLUMNS] for mark in marks]
    return Table(tuple(_ANNOTATION_COLUMNS.items()), rows)


def _nodes(nodes: Iterable[NodeView]) -> Table:
    columns = (
        ("Node", "string"),
        ("State", "string"),
        ("Since", "time"),
        ("Last sample", "time"),
        ("Fields", "number"),
        ("Why", "string"),
        ("Description", "string"),
    )
    rows = [
        [
            node.name,
            "there" if node.connected else "away",
            node.since * 1e3,
            None if node.last_time is None else node.last_time * 1e3,
            len(node.listing.fields) if node.listing else 0,
            node.reason,
            node.description,
        ]
        for node in nodes
    ]
    return Table(columns, rows)
