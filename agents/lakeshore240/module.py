"""One 240 module, as the Agent's acquisition and its operations share it."""

import re
import threading

from agents.lakeshore.curve_guard import CurveGuard
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
        self.curves = CurveGuard("channel")
        self.settings_changed = threading.Event()
        """Set when an operation may have changed an input; the acquisition clears it."""
