"""Account of what could not be stored: which feed, which block, why, how often. No I/O."""

from typing import TypedDict

__all__ = ["WHOLE_MESSAGE", "Quarantine", "QuarantineEntry"]

WHOLE_MESSAGE = "(message)"
"""Stands for the block's name where a message as a whole is meant."""

_MAX_ENTRIES = 500
_OTHERS = "(others)"
_MAX_TEXT = 300


class QuarantineEntry(TypedDict):
    """What session.data says of one block."""

    reason: str
    count: int
    first: float
    last: float


class Quarantine:
    """Counts refusals by feed and block; the latest reason is kept.

    Anybody on the realm can publish under ever new names, so the account is bounded; what comes
    under yet another name is counted together.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], QuarantineEntry] = {}
        self.last_time: float | None = None
        self.total = 0

    def refuse(self, address: str, block: str, reason: str, now: float) -> bool:
        """Count a refusal.

        Args:
            address: Feed address.
            block: Block name; empty for a message as a whole.
            reason: Why, for a person.
            now: Unix time, s.

        Returns:
            Whether this block and reason are new, so worth a line in the log.
        """
        self.total += 1
        self.last_time = now
        key = (address[:_MAX_TEXT], (block or WHOLE_MESSAGE)[:_MAX_TEXT])
        if key not in self._entries and len(self._entries) >= _MAX_ENTRIES:
            key = (_OTHERS, _OTHERS)
        reason = reason[:_MAX_TEXT]
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = {"reason": reason, "count": 1, "first": now, "last": now}
            return True
        news = entry["reason"] != reason and key[0] != _OTHERS
        entry["reason"], entry["last"] = reason, now
        entry["count"] += 1
        return news

    def report(self) -> dict[str, dict[str, QuarantineEntry]]:
        """Return the account by feed address and block name."""
        report: dict[str, dict[str, QuarantineEntry]] = {}
        for (address, block), entry in self._entries.items():
            report.setdefault(address, {})[block] = entry.copy()
        return report
