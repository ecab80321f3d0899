"""Tell new readings from repeated ones, a dead channel from a quiet one, a stuck scan. No I/O."""

from collections.abc import Mapping

from agents.lakeshore372.codec import ScanState
from agents.lakeshore372.input_tables import InputSettings

__all__ = ["Freshness", "ScanWatch"]

SAME_UPDATE_S = 0.15
"""The unit makes a new reading every 0.1 s: an equal one that soon after is the same one."""

DEAD_AFTER_S = 10.0
"""Equal readings for so long are no chance: the last of six digits is noise."""

DEAD_AFTER_REPEATS = 10
"""A channel that was away for long has equal readings for a moment, until the first new one."""

SCAN_MARGIN_S = 5.0
"""How much longer than dwell and pause the scanner may stay, for a clock that is not ours."""

Values = tuple[float, float, float | None]
"""Kelvin, ohms, quadrature ohms."""


class Freshness:
    """Follows the readings of one channel.

    Temperature and resistance alone do not tell readings apart: with noise of a few digits two in
    a thousand are equal. The quadrature, which is nearly all noise, decides where there is one.
    Flagged readings are all alike: each is taken, that none seems to be missing.
    """

    def __init__(self) -> None:
        self._last: Values | None = None
        self._last_s = 0.0
        self._since_s = 0.0
        self._repeats = 0
        self._passed: set[int] = set()
        self.dead = False
        """Whether it has given the same reading for too long."""

    def take(
        self, values: Values, now: float, *, flagged: bool, distinct: bool, excited: bool
    ) -> bool:
        """Look at what the unit says; return whether it is a reading not seen before.

        Args:
            values: kelvin, ohms, quadrature ohms.
            now: Unix time of the reading in seconds.
            flagged: the unit says something against the reading.
            distinct: the values tell any two readings apart.
            excited: there is a current through the sensor; without one nothing can change.
        """
        self._passed.clear()
        if flagged or values != self._last:
            self._last, self._last_s, self._since_s = values, now, now
            self._repeats = 0
            self.dead = False
            return True
        self._repeats += 1
        if self._repeats >= DEAD_AFTER_REPEATS and now - self._since_s > DEAD_AFTER_S:
            self.dead = excited
        if distinct or self.dead or now - self._last_s < SAME_UPDATE_S:
            return False
        self._last_s = now
        return True

    def pass_over(self, channel: int) -> None:
        """Note that the scanner has come to another channel.

        Twice at the same without having been here: this one is not scanned any more, and nobody
        cares whether it lives.
        """
        if channel in self._passed:
            self.excuse()
        self._passed.add(channel)

    def excuse(self) -> None:
        """Forget that it is dead: nobody reads it."""
        self.dead = False


class ScanWatch:
    """Follows how long the scanner stays at a channel while it ought to move by itself."""

    def __init__(self) -> None:
        self._state: ScanState | None = None
        self._since_s = 0.0
        self._allowed_s = 0.0
        self._trouble: str | None = None

    def troubles(self) -> Mapping[str, str]:
        """Say what is wrong now."""
        return {} if self._trouble is None else {"scan": self._trouble}

    def forget(self) -> None:
        """Begin to count anew; what is wrong stays so until the scanner moves."""
        self._state = None

    def overdue(self, scan: ScanState, settings: InputSettings, now: float) -> bool:
        """Note the scanner's state; return whether it ought to have moved on.

        Args:
            scan: its state.
            settings: what it was told of its channel.
            now: Unix time in seconds.
        """
        if scan != self._state:
            moved = self._state is not None
            self._state, self._since_s, self._allowed_s = scan, now, 0.0
            if moved or not scan.autoscan:
                self._trouble = None
        # What is made shorter during a visit may hold from the next one on.
        allowed_s = settings.dwell_s + settings.pause_s + SCAN_MARGIN_S
        self._allowed_s = max(self._allowed_s, allowed_s)
        return scan.autoscan and now - self._since_s > self._allowed_s

    def judge(self, scan: ScanState, settings: Mapping[int, InputSettings], now: float) -> None:
        """Look at an overdue scanner with its channels' present settings.

        Args:
            scan: its state.
            settings: what it was told of every channel.
            now: Unix time in seconds.
        """
        here = settings[scan.channel]
        others = any(item.enabled for channel, item in settings.items() if channel != scan.channel)
        if others and self.overdue(scan, here, now):
            self._trouble = (
                f"Autoscan is on, but the scanner stays at channel {scan.channel} for longer than "
                f"its change pause and dwell, {here.pause_s + here.dwell_s} s. Check the scanner "
                "and its cable, and whether a control loop holds the channel."
            )
        # The next look is due after as long again.
        self._since_s = now
