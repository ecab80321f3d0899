"""What can be made to go wrong with the simulated 372 itself, beside its line."""

from collections.abc import Mapping

from agents.lakeshore372.input_tables import MEASUREMENT_CHANNELS, ReadingStatus

__all__ = ["FLAGGED", "Conditions"]

_CHANNELS = ("A", *(str(channel) for channel in MEASUREMENT_CHANNELS))
_OUTPUTS = ("0", "1", "2")
_NO_TARGET = ()

FLAGGED: Mapping[str, ReadingStatus] = {
    "overrange": ReadingStatus.R_OVER_RANGE,
    "underrange": ReadingStatus.R_UNDER_RANGE,
    "cs_overload": ReadingStatus.CURRENT_SOURCE_OVERLOAD,
    "vcm_overload": ReadingStatus.COMMON_MODE_OVERLOAD,
    "t_over": ReadingStatus.T_OVER_RANGE,
    "t_under": ReadingStatus.T_UNDER_RANGE,
}
"""Condition of a channel to the status that its readings get by it."""

_HELP: Mapping[str, tuple[tuple[str, ...], str]] = {
    "overrange": (_CHANNELS, "readings of a channel (1-16, A) are flagged R over range"),
    "underrange": (_CHANNELS, "readings of a channel are flagged R under range"),
    "cs_overload": (_CHANNELS, "readings of a channel are flagged current source overload"),
    "vcm_overload": (_CHANNELS, "readings of a channel are flagged common mode overload"),
    "t_over": (_CHANNELS, "temperatures of a channel are flagged over range"),
    "t_under": (_CHANNELS, "temperatures of a channel are flagged under range"),
    "frozen": (_CHANNELS, "a channel repeats its last reading for ever"),
    "no_reading": (_CHANNELS, "a channel reads 0 K and 0 ohms, and nothing is flagged"),
    "slow_settling": (_CHANNELS, "readings of a channel are off for long after each change to it"),
    "stuck_scan": (_NO_TARGET, "the scanner stays where it is, whatever it is told"),
    "heater_open": (_OUTPUTS, "an output (0, 1, 2) finds its heater open and gives no heat"),
    "heater_short": (_OUTPUTS, "an output finds its heater shorted and gives no heat"),
    "dead_heater": (_OUTPUTS, "messages about an output get no answer and have no effect"),
}


class Conditions:
    """Which conditions are active, and where."""

    def __init__(self) -> None:
        self._active: set[tuple[str, str]] = set()

    @staticmethod
    def names() -> Mapping[str, str]:
        """Return all there are, with a line of help each."""
        return {name: words for name, (_, words) in _HELP.items()}

    def set(self, name: str, target: str | None, *, active: bool) -> None:
        """Begin or end one.

        Args:
            name: one of `names`.
            target: a channel or output; None for all.
            active: False to end it.

        Raises:
            ValueError: there is no such condition, or not there.
        """
        if name not in _HELP:
            raise ValueError(f"There is no condition {name!r}; there are {', '.join(_HELP)}.")
        targets = _HELP[name][0]
        if target is None:
            chosen = targets or ("",)
        elif target.upper() in targets:
            chosen = (target.upper(),)
        else:
            allowed = f"it can be {', '.join(targets)}" if targets else "it takes none"
            raise ValueError(f"{name} has no target {target!r}; {allowed}.")
        pairs = {(name, one) for one in chosen}
        self._active = self._active | pairs if active else self._active - pairs

    def on(self, name: str, target: object = "") -> bool:
        """Tell whether one is active at a channel or output."""
        return bool(self._active) and (name, str(target)) in self._active

    def status(self, channel: object) -> ReadingStatus:
        """Return the status bits that conditions give to a channel's readings."""
        found = ReadingStatus(0)
        if self._active:
            for name, status in FLAGGED.items():
                if (name, str(channel)) in self._active:
                    found |= status
        return found
