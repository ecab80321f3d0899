"""Notice inputs that are read but give nothing, or always the same. No I/O."""

import math
from collections.abc import Container

import attrs

from agents.lakeshore240.acquisition import InputReading, InputSetup, Sweep

__all__ = ["InputWatch"]

FLAGGED_FOR_S = 10.0
"""How long an input may be flagged before it is told; a flicker is no news."""

SAME_FOR_S = 60.0
SAME_READINGS = 20
"""The last of five or six digits is noise: so many equal readings for so long are no chance."""


@attrs.define
class _Seen:
    """What an input has given last.

    Attributes:
        reading: the last one.
        since_s: when it was first the same.
        count: how often it has been the same since.
        flagged_since_s: since when there has been no good one; None if the last was good.
    """

    reading: InputReading
    since_s: float
    count: int = 1
    flagged_since_s: float | None = None


class InputWatch:
    """Tells which enabled inputs are in trouble."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}

    def forget(self) -> None:
        """Begin anew, as after an outage."""
        self._seen.clear()

    def troubles(self, sweep: Sweep, *, incomplete_curves: Container[int] = ()) -> dict[str, str]:
        """Look at a sweep.

        Args:
            sweep: the present readings.
            incomplete_curves: inputs at which writing a curve has failed halfway.

        Returns:
            A sentence for each input that is in trouble, by what it is about.
        """
        found = {}
        self._seen = {
            channel: self._follow(self._seen.get(channel), sweep.readings[channel], sweep.time_s)
            for channel in sweep.enabled
        }
        for channel, seen in self._seen.items():
            words = _words(seen, sweep.time_s)
            if channel in incomplete_curves:
                words = (
                    "has no temperature: writing its curve has failed halfway. Write it again "
                    "(upload_cal_curve)."
                )
            if words is not None:
                found[f"input {channel}"] = f"{_title(channel, sweep.setups[channel])} {words}"
        if not sweep.enabled:
            found["inputs"] = "No input is enabled: enable those with a sensor (set_values)."
        return found

    @staticmethod
    def _follow(before: _Seen | None, reading: InputReading, now: float) -> _Seen:
        flagged = bool(reading.status)
        if before is None:
            return _Seen(reading, now, flagged_since_s=now if flagged else None)
        since_s = None
        if flagged:
            since_s = now if before.flagged_since_s is None else before.flagged_since_s
        # Emulators, which tell no status, may well give the same reading for ever.
        excused = reading.status is None or math.isnan(reading.sensor)
        if flagged or excused or reading.sensor != before.reading.sensor:
            return _Seen(reading, now, flagged_since_s=since_s)
        return _Seen(reading, before.since_s, before.count + 1)


def _words(seen: _Seen, now: float) -> str | None:
    status = seen.reading.status
    if seen.flagged_since_s is not None and status is not None:
        if now - seen.flagged_since_s >= FLAGGED_FOR_S:
            return (
                f"has no valid reading: {', '.join(status.names())}. Check its sensor, its wiring "
                "and its range, or switch the input off (set_values)."
            )
    elif seen.count >= SAME_READINGS and now - seen.since_s >= SAME_FOR_S:
        return (
            f"has given the same reading, {seen.reading.sensor:g}, for {SAME_FOR_S:g} s: the "
            "module does not measure it any more. Switch the module off and on."
        )
    return None


def _title(channel: int, setup: InputSetup) -> str:
    return f"Channel {channel} ({setup.name})" if setup.name else f"Channel {channel}"
