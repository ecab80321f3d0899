"""Temperatures of this computer: something that moves, without an instrument (``sisock-sensors``).

Specification: spec/sisock-protocol.md, 7.5.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocs.connection import Connection
from sisock.cache import RingCache
from sisock.nodes.program import NodeService, make_parser, run_node
from sisock.nodes.sensor_readers import Reading, SensorsFailed, choose_reading
from sisock.series import Block, FieldInfo, FieldList, TimelineInfo

__all__ = ["DESCRIPTION", "NAME", "SensorSeries", "SensorsService", "main"]

log = Logger()

NAME = "sensors"
DESCRIPTION = "The results of the UNIX 'sensors' command."

TIMELINE = "t"
PERIOD_S = 2.5
KEPT_READINGS = 1800


class SensorSeries:
    """The newest readings; a `TimeSeries`. One thread appends, any thread may read.

    The first reading says which fields there are. One that is missing later is NaN, so that all
    of them share one timeline.

    Args:
        clock: Gives the Unix time in seconds.

    Attributes:
        units: Unit symbol of all fields.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._cache = RingCache(
            PERIOD_S * KEPT_READINGS, timeline_name=lambda _field: TIMELINE, clock=clock
        )
        self._names: tuple[str, ...] = ()
        self.units = "unknown"

    def append(self, time_s: float, values: Mapping[str, float]) -> None:
        """Add a reading taken at a Unix time."""
        self._names = self._names or tuple(sorted(values))
        columns = {name: np.array([values.get(name, np.nan)]) for name in self._names}
        self._cache.append(TIMELINE, np.array([time_s]), columns)

    def fields(self, start: float, end: float) -> FieldList:
        """List the fields; see `TimeSeries`."""
        listing = self._cache.fields(start, end)
        fields = {name: FieldInfo("", TIMELINE, "number", self.units) for name in listing.fields}
        newest = max((info.last_time or 0.0 for info in listing.timelines.values()), default=None)
        timeline = TimelineInfo(tuple(fields), PERIOD_S, newest)
        return FieldList(fields, {TIMELINE: timeline} if fields else {})

    def data(
        self, fields: Sequence[str], start: float, end: float, max_points: int | None = None
    ) -> list[Block]:
        """Return samples of ``[start, end)``; see `TimeSeries`."""
        return self._cache.data(fields, start, end, max_points)


class SensorsService(NodeService):
    """The node and the readings that feed it.

    Args:
        connection: Not started yet.
        reactor: For timers.
        choose: Finds the way to read this computer's sensors; runs in a thread.
        clock: Gives the Unix time in seconds.
    """

    def __init__(
        self,
        connection: Connection,
        reactor: Any,
        *,
        choose: Callable[[], tuple[Reading, Sequence[str]]] = choose_reading,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.series = SensorSeries(clock)
        super().__init__(connection, reactor, NAME, DESCRIPTION, self.series)
        self._reactor = reactor
        self._choose = choose
        self._clock = clock
        self._reading: Reading | None = None
        self._trouble = ""
        self._polling = LoopingCall(lambda: Deferred.fromCoroutine(self._poll()))
        self._polling.clock = reactor

    def start(self) -> None:
        """Connect, serve and read."""
        super().start()
        self._polling.start(PERIOD_S).addErrback(self._broken)

    def _broken(self, failure: Failure) -> None:
        # Better started anew by whoever watches over us than alive without a reading.
        log.failure("the sensors are not read any more", failure=failure)
        self.exit_status = 1
        self._reactor.stop()

    async def stop(self) -> None:
        """Stop reading and leave the router."""
        if self._polling.running:
            self._polling.stop()
        await super().stop()

    async def _poll(self) -> None:
        try:
            # In a thread, because a sensor may take its time.
            await deferToThread(self.read_once)
        except SensorsFailed as error:
            trouble = str(error)
        else:
            trouble = ""
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble:
                log.warn("no reading: {why}; trying on", why=trouble)
            else:
                log.info("the sensors give readings again")

    def read_once(self) -> None:
        """Take a reading and keep it; blocks.

        Raises:
            SensorsFailed: there was nothing to read.
        """
        if self._reading is None:
            self._reading, passed_over = self._choose()
            for reason in passed_over:
                log.info("{reason}", reason=reason)
            log.info("readings come from {what}", what=self._reading.what)
            self.series.units = self._reading.units
        values = self._reading.read()
        if not values:
            raise SensorsFailed(f"{self._reading.what} gave no value")
        self.series.append(self._clock(), values)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node (``sisock-sensors``)."""
    program = "sisock-sensors"
    args = make_parser(
        program, "Serve this computer's temperatures to the live monitor."
    ).parse_args(argv)
    return run_node(program, args, SensorsService)


if __name__ == "__main__":
    raise SystemExit(main())
