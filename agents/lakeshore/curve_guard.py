"""Which curves of an instrument are whole: any other gives temperatures that mean nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from agents.lakeshore.curve_tasks import TransferRunning
from agents.lakeshore.curve_transfer import CurveIncomplete

__all__ = ["CurveGuard"]


class CurveGuard:
    """Follows the curves of one instrument, as far as this program changes them.

    Args:
        word: what has a curve there: ``channel`` or ``location``.
    """

    def __init__(self, word: str) -> None:
        self._word = word
        self.incomplete: set[int] = set()
        """Locations at which writing has failed halfway."""
        self._changing: set[int] = set()
        self._lock = threading.Lock()

    def is_whole(self, location: int) -> bool:
        """Tell whether nothing is wrong with the curve of a location."""
        return location not in self._changing and location not in self.incomplete

    @contextmanager
    def changing(self, location: int) -> Iterator[None]:
        """Have a location's curve not be whole while it changes.

        If that ends with `CurveIncomplete`, it stays so until a curve has been written whole.

        Raises:
            TransferRunning: it is being changed already.
        """
        with self._lock:
            if location in self._changing:
                raise TransferRunning(
                    f"The curve of {self._word} {location} is being changed already."
                )
            self._changing.add(location)
        try:
            yield
        except CurveIncomplete:
            self.incomplete.add(location)
            raise
        else:
            self.incomplete.discard(location)
        finally:
            self._changing.discard(location)
