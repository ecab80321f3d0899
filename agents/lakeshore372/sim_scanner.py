"""The simulated 372's scanner: which channel when.

Nothing runs by itself: `Scanner.advance` brings everything up to the time it is given. Timing
after the project's Lake Shore specification, section 1.6: after each change a pause in which the
channel's previous reading stays, then the dwell with ten readings a second.
"""

import math
from collections.abc import Callable, Sequence

import attrs

from agents.lakeshore372.input_tables import MEASUREMENT_CHANNELS, Settling
from agents.lakeshore372.sim_bridge import UPDATE_S, Bridge
from agents.lakeshore372.sim_conditions import Conditions

__all__ = ["Scanner"]

_FREQUENCY_CHANGE_S = 3.0


@attrs.frozen
class _Visit:
    """The scanner's stay at a channel: no new readings before ``fresh_s``."""

    channel: int
    fresh_s: float
    end_s: float


class Scanner:
    """Sixteen channels, of which one is measured.

    Args:
        bridge: what measures.
        conditions: one of them holds the scanner where it is.
        now: time of switching on.
        controls: tells the channels that a control loop needs; a scan goes to one of them
            between any two others.
        scale: pauses and dwells are multiplied by it, to have a scan go round faster.
    """

    def __init__(
        self,
        bridge: Bridge,
        conditions: Conditions,
        now: float,
        *,
        controls: Callable[[], Sequence[int]],
        scale: float = 1.0,
    ) -> None:
        self._bridge = bridge
        self._conditions = conditions
        self._controls = controls
        self._scale = scale
        self.autoscan = True
        self._other = 1
        self._visit = self._begin(1, now)

    @property
    def active(self) -> int:
        """The channel that is measured."""
        return self._visit.channel

    def settling(self, now: float) -> Settling:
        """Tell whether the active channel's reading is one of this visit, and settled."""
        if now < self._visit.fresh_s:
            return Settling.HARDWARE
        filtering = self._bridge.channels[self.active].filter
        if filtering.enabled and now < self._visit.fresh_s + filtering.settle_s:
            return Settling.FILTER
        return Settling.VALID

    def reset(self, now: float) -> None:
        """Begin at channel 1, scanning, as when switched on."""
        self.autoscan = True
        self._other = 1
        self._visit = self._begin(1, now)

    def select(self, channel: int, *, autoscan: bool, now: float) -> None:
        """Go to a channel, and scan on from there or stay."""
        if self._conditions.on("stuck_scan"):
            channel = self.active
        if channel != self._visit.channel:
            self._visit = self._begin(channel, now)
        elif autoscan and not self.autoscan:
            self._visit = attrs.evolve(self._visit, end_s=now + self._dwell_s(channel))
        self.autoscan = autoscan

    def change_frequency(self, now: float) -> None:
        """Have readings settle anew, as after a change of the excitation's frequency."""
        fresh_s = max(now + _FREQUENCY_CHANGE_S * self._scale, self._visit.fresh_s)
        end_s = max(self._visit.end_s, fresh_s)
        self._visit = attrs.evolve(self._visit, fresh_s=fresh_s, end_s=end_s)

    def advance(self, now: float) -> None:
        """Do what the scanner has done up to a time, which must not run backwards."""
        while self.autoscan and now >= self._visit.end_s:
            # One that would be due at the very end is not made any more.
            self._update(self._visit.end_s - 1e-3)
            following = self._next_channel()
            if following == self._visit.channel:
                end_s = self._visit.end_s + self._dwell_s(following)
                self._visit = attrs.evolve(self._visit, end_s=end_s)
            else:
                self._visit = self._begin(following, self._visit.end_s)
        self._update(now)

    def _begin(self, channel: int, now: float) -> _Visit:
        if channel not in self._controls():
            self._other = channel
        fresh_s = now + self._bridge.channels[channel].settings.pause_s * self._scale
        return _Visit(channel, fresh_s, fresh_s + self._dwell_s(channel))

    def _dwell_s(self, channel: int) -> float:
        return self._bridge.channels[channel].settings.dwell_s * self._scale

    def _next_channel(self) -> int:
        """Return the next channel round the scanner; the present one if it is alone."""
        here = self._visit.channel
        if self._conditions.on("stuck_scan"):
            return here
        controls = self._controls()
        if controls and here not in controls:
            return controls[0]
        following = controls[controls.index(here) + 1 :] if here in controls else ()
        if following:
            return following[0]
        ring = [(self._other + step - 1) % len(MEASUREMENT_CHANNELS) + 1 for step in range(1, 17)]
        enabled = (
            c for c in ring if self._bridge.channels[c].settings.enabled and c not in controls
        )
        return next(enabled, controls[0] if controls else here)

    def _update(self, now: float) -> None:
        """Make the newest reading that is due at the active channel, if it is not made yet."""
        elapsed_s = now - self._visit.fresh_s
        if elapsed_s < 0:
            return
        # The small part keeps a step that is due exactly now from being lost to rounding.
        since_fresh_s = math.floor(elapsed_s / UPDATE_S + 1e-6) * UPDATE_S
        due_s = self._visit.fresh_s + since_fresh_s
        made_s = self._bridge.channels[self._visit.channel].reading.time_s
        if due_s > made_s + UPDATE_S / 2:
            self._bridge.measure(self._visit.channel, due_s, since_fresh_s)
