"""The truth file: what a simulated instrument sent, and what was made to go wrong meanwhile."""

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, TextIO

from twisted.logger import Logger

from agents.lakeshore.sim.replies import SentReading

__all__ = ["TruthFile"]


class TruthFile:
    """One JSON object a line, in the file before its reading is on the network.

    A reading sent for the first time has the keys ``time`` (Unix time the instrument made it),
    ``sent`` (time of the answer), ``channel``, ``quantity`` (``T`` kelvin, ``R`` ohms, ``Q``
    quadrature ohms, ``S`` sensor units), ``value`` (text exactly as sent), ``status`` (its
    ``RDGST?`` bits), ``update`` (the quantities of one reading share it), and ``spoiled_by`` if a
    fault kept the answer from arriving as it should. An answer that repeats a reading adds
    nothing.

    A fault has the keys ``time``, ``fault`` (its name), ``target`` (or null) and ``state``
    (``begin`` or ``end``).

    Args:
        stream: an open text file.
        clock: Unix time in seconds, the instrument's.
    """

    _log = Logger(namespace="simulator")

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.time) -> None:
        self._stream = stream
        self._clock = clock
        self._incomplete = False

    def write(self, readings: Sequence[SentReading], spoiled_by: str | None = None) -> None:
        """Write down readings that are about to be sent, spoiled by a fault or not."""
        sent = round(self._clock(), 6)
        spoiled = {} if spoiled_by is None else {"spoiled_by": spoiled_by}
        self._append(
            [
                {
                    "time": round(reading.time_s, 6),
                    "sent": sent,
                    "channel": reading.channel,
                    "quantity": reading.quantity,
                    "value": reading.value,
                    "status": reading.status,
                    "update": reading.update,
                    **spoiled,
                }
                for reading in readings
            ]
        )

    def note_fault(self, name: str, target: str | None, state: Literal["begin", "end"]) -> None:
        """Write down that a fault begins or has ended."""
        now = round(self._clock(), 6)
        self._append([{"time": now, "fault": name, "target": target, "state": state}])

    def _append(self, entries: list[dict[str, Any]]) -> None:
        try:
            self._stream.writelines(json.dumps(entry) + "\n" for entry in entries)
            self._stream.flush()
        except OSError as error:
            # The instrument goes on: a log of the simulation is not worth its data.
            if not self._incomplete:
                self._log.error("the truth file is incomplete from here: {why}", why=error)
            self._incomplete = True

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._stream.close()
