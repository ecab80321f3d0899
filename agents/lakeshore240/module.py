"""One 240 module, as the Agent's acquisition and its operations share it."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from agents.lakeshore.curve_tasks import TransferRunning
from agents.lakeshore.curve_transfer import CurveIncomplete
from agents.lakeshore240.driver import Ls240Driver

__all__ = ["Module"]


class Module:
    """One 240 and what the Agent knows about it.

    Args:
        driver: speaks with it.
        serial: prefix of its names, if there are several modules.
    """

    def __init__(self, driver: Ls240Driver, serial: str | None = None) -> None:
        self.driver = driver
        self.serial = serial
        # Field names begin with a letter and have no hyphens.
        stem = re.sub(r"[^A-Za-z0-9_]", "_", serial or "")
        if stem and not stem[0].isalpha():
            stem = f"SN{stem}"
        self.prefix = f"{stem}_" if stem else ""
        self.block_name = f"temps_{stem}" if stem else "temps"
        self.incomplete_curves: set[int] = set()
        """Inputs at which writing a curve has failed halfway."""
        self.settings_changed = threading.Event()
        """Set when an operation may have changed an input; the acquisition clears it."""
        self._changing: set[int] = set()
        self._lock = threading.Lock()

    def has_curve(self, channel: int) -> bool:
        """Tell whether an input's curve is whole: otherwise its temperatures mean nothing."""
        return channel not in self._changing and channel not in self.incomplete_curves

    @contextmanager
    def curve_changing(self, channel: int) -> Iterator[None]:
        """Keep an input's temperature from being published while its curve changes.

        If that ends with `CurveIncomplete`, it stays so until a curve has been written whole.

        Raises:
            TransferRunning: it is being changed already.
        """
        with self._lock:
            if channel in self._changing:
                raise TransferRunning(f"The curve of channel {channel} is being changed already.")
            self._changing.add(channel)
        try:
            yield
        except CurveIncomplete:
            self.incomplete_curves.add(channel)
            raise
        else:
            self.incomplete_curves.discard(channel)
        finally:
            self._changing.discard(channel)
