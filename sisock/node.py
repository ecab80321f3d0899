"""Data nodes: programs that offer time series to the monitor (spec/sisock-protocol.md, section 5).

A node is written in one of three ways:

* hand `DataNodeServer` a `sisock.series.TimeSeries`;
* override `get_fields` and `get_data` (they run in the reactor and may be ``async``);
* override `blocking_get_fields` and `blocking_get_data` (they run in a thread).
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import attrs
import numpy as np
from autobahn.wamp.exception import ApplicationError
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from ocs.connection import MAX_MESSAGE_BYTES, CallTimeout, Connection, NotConnected
from sisock import uris
from sisock.errors import BadArgument
from sisock.messages import encode_data, encode_fields, sample_count, size_estimate
from sisock.series import Block, TimeSeries
from sisock.thinning import Buckets, denser_than
from sisock.times import resolve_interval

__all__ = ["Allowance", "DataNodeServer", "answer_data", "answer_fields"]

log = Logger()

RETRY_S = 3.0
HUB_TIMEOUT_S = 5.0


@attrs.frozen
class Allowance:
    """How large an answer may be.

    Attributes:
        samples: Values in one answer.
        size_bytes: Estimated size on the wire.
    """

    samples: int = 200_000
    size_bytes: int = 4 * 2**20

    def __attrs_post_init__(self) -> None:
        if not 0 < self.size_bytes <= MAX_MESSAGE_BYTES // 2:
            raise BadArgument(
                f"an answer of {self.size_bytes} bytes does not fit a message: allowed are up to "
                f"{MAX_MESSAGE_BYTES // 2}"
            )

    def permits(self, blocks: Sequence[Block]) -> bool:
        """Tell whether these blocks may be sent."""
        return sample_count(blocks) <= self.samples and size_estimate(blocks) <= self.size_bytes


def answer_fields(series: TimeSeries, start: float, end: float) -> list[dict[str, Any]]:
    """Answer ``get_fields`` from a time series; Unix seconds."""
    return encode_fields(series.fields(start, end))


def answer_data(
    series: TimeSeries,
    field: Sequence[str],
    start: float,
    end: float,
    min_stride: float | None = None,
    max_points: int | None = None,
    allowance: Allowance | None = None,
) -> dict[str, Any] | Literal[False]:
    """Answer ``get_data`` from a time series.

    Args:
        series: Where the samples are.
        field: Names of fields.
        start: Unix time in seconds, included.
        end: Unix time in seconds, excluded.
        min_stride: Samples of a field shall be at least this many seconds apart, on average.
        max_points: At most this many samples a field.
        allowance: How large the answer may be.

    Returns:
        The answer, or False if it were too large.
    """
    blocks = series.data(field, start, end, max_points) if end > start else []
    if min_stride is not None:
        blocks = [thinned for block in blocks for thinned in _strided(block, min_stride)]
    if not (allowance or Allowance()).permits(blocks):
        return False
    return {**encode_data(field, blocks)}


def _strided(block: Block, min_stride: float) -> list[Block]:
    """Thin a block that is denser than ``min_stride`` seconds.

    Fields of one timeline keep the same samples, those that any of them needs: a caller that gives
    only a stride may be upstream's, which looks up a field's times by the timeline declared for it.
    A bucket gives two samples for each such field, so that many strides is its width.
    """
    if not denser_than(block.times, min_stride):
        return [block]
    together: dict[str, list[str]] = {}
    for field, timeline in block.timelines.items():
        together.setdefault(timeline, []).append(field)
    thinned = []
    for timeline, fields in together.items():
        buckets = Buckets.cut(block.times, 2 * len(fields) * min_stride)
        kept = np.unique(np.concatenate([buckets.keep(block.columns[field]) for field in fields]))
        columns = {field: block.columns[field][kept] for field in fields}
        final = buckets.finalized_until
        thinned.append(Block(block.times[kept], columns, dict.fromkeys(fields, timeline), final))
    return thinned


class DataNodeServer:
    """Offers fields and data to the monitor, and keeps itself on the hub's list.

    Args:
        connection: Not started yet; what the node offers is declared on it.
        reactor: For retries.
        name: The node's name; Grafana shows ``name::field``.
        description: For people.
        series: What to serve; None when the methods below are overridden.
        allowance: How large an answer of ``series`` may be.
        clock: Gives the Unix time in seconds.

    Raises:
        BadNodeName: ``name`` cannot be part of a URI.
    """

    def __init__(
        self,
        connection: Connection,
        reactor: Any,
        name: str,
        description: str,
        *,
        series: TimeSeries | None = None,
        allowance: Allowance | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = uris.check_node_name(name)
        self.description = description
        self.connection = connection
        self._reactor = reactor
        self._series = series
        self._allowance = allowance or Allowance()
        self._clock = clock
        self._retry: Any = None
        self._attempt = 0
        self._complained = ""
        connection.register(uris.get_fields_uri(name), self._serve_fields)
        connection.register(uris.get_data_uri(name), self._serve_data)
        connection.subscribe(uris.HUB_STARTED, self._hub_started)
        connection.on_join(self.announce)

    # What authors override. Times are Unix seconds: relative ones have been resolved.

    def get_fields(self, start: float, end: float) -> Any:
        """List the fields with samples in ``[start, end)``; runs in the reactor.

        Returns:
            ``[fields, timelines]`` as in section 5.3 of the specification, or an awaitable of it.
        """
        return deferToThread(self.blocking_get_fields, start, end)

    def get_data(
        self, field: list[str], start: float, end: float, min_stride: float | None = None
    ) -> Any:
        """Return samples of ``[start, end)``; runs in the reactor.

        Returns:
            The dictionary of section 5.4, False when it would be too large, or an awaitable.
        """
        return deferToThread(self.blocking_get_data, field, start, end, min_stride)

    def blocking_get_fields(self, start: float, end: float) -> Any:
        """As `get_fields`, but runs in a thread."""
        return answer_fields(self._given_series(), start, end)

    def blocking_get_data(
        self, field: list[str], start: float, end: float, min_stride: float | None = None
    ) -> Any:
        """As `get_data`, but runs in a thread."""
        return self._answer_data(field, start, end, min_stride, None)

    # What the router calls.

    async def _serve_fields(self, start: object, end: object) -> Any:
        try:
            first, last = resolve_interval(start, end, self._clock())
        except BadArgument as error:
            raise _invalid(error) from error
        return await maybeDeferred(self.get_fields, first, last)

    async def _serve_data(
        self,
        field: object,
        start: object,
        end: object,
        min_stride: object = None,
        max_points: object = None,
    ) -> Any:
        try:
            first, last = resolve_interval(start, end, self._clock())
            fields = _field_names(field)
            stride = _positive("min_stride", min_stride)
            points = _positive("max_points", max_points)
        except BadArgument as error:
            raise _invalid(error) from error
        if points is not None and self._series is not None:
            return await deferToThread(
                self._answer_data, fields, first, last, stride, max(int(points), 1)
            )
        return await maybeDeferred(self.get_data, fields, first, last, stride)

    def _answer_data(
        self,
        field: list[str],
        start: float,
        end: float,
        min_stride: float | None,
        max_points: int | None,
    ) -> dict[str, Any] | Literal[False]:
        return answer_data(
            self._given_series(), field, start, end, min_stride, max_points, self._allowance
        )

    def _given_series(self) -> TimeSeries:
        if self._series is None:
            raise NotImplementedError(
                f"{type(self).__name__} was given no series and overrides neither get_fields and "
                "get_data nor their blocking twins"
            )
        return self._series

    # The hub.

    async def announce(self) -> None:
        """Add this node to the hub's list; keep trying while connected."""
        self._attempt += 1
        attempt = self._attempt
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
        try:
            added = await self.connection.call(
                uris.ADD,
                self.name,
                self.description,
                self.connection.session_id,
                timeout=HUB_TIMEOUT_S,
            )
            trouble = "" if added else f"the hub has another node called {self.name}"
        except NotConnected:
            return  # joining again announces again
        except (ApplicationError, CallTimeout) as error:
            trouble = f"the hub does not answer ({error})"
        if attempt != self._attempt:
            return
        if trouble and trouble != self._complained:
            log.info("{name} is not listed yet: {why}; trying on", name=self.name, why=trouble)
        elif not trouble:
            log.info("{name} is on the hub's list", name=self.name)
        self._complained = trouble
        if trouble:
            self._retry = self._reactor.callLater(RETRY_S, self._hub_started)

    def _hub_started(self, *_event: object) -> None:
        if self.connection.session_id is not None:
            Deferred.fromCoroutine(self.announce()).addErrback(
                lambda failure: log.failure("cannot announce the node", failure=failure)
            )


def _invalid(error: BadArgument) -> Exception:
    return ApplicationError(ApplicationError.INVALID_ARGUMENT, str(error))  # type: ignore[no-any-return]


def _field_names(value: object) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise BadArgument(f"field must be a list of field names, not {value!r}")
    return list(value)


def _positive(what: str, value: object) -> float | None:
    if value is None or (value == 0 and not isinstance(value, bool)):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise BadArgument(f"{what} must be a positive number or null, not {value!r}")
    return float(value)
