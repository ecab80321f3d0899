"""Put a simulated 372 together: cryostat, scanner, instrument."""

import time
from collections.abc import Callable

from agents.lakeshore372.sim_instrument import SimulatedLs372
from agents.lakeshore372.sim_physics import Cryostat
from agents.lakeshore372.sim_scanner import Scanner

__all__ = ["make_instrument"]


def make_instrument(
    *,
    serial: str = "LSA23JD",
    seed: int = 1,
    dwell_s: int = 10,
    pause_s: int = 3,
    scale: float = 1.0,
    clock: Callable[[], float] = time.time,
) -> SimulatedLs372:
    """Build an instrument looking at its cryostat, as ``ls372-sim --help`` describes it."""
    now = clock()
    scanner = Scanner(Cryostat(seed, now), now, dwell_s=dwell_s, pause_s=pause_s, scale=scale)
    return SimulatedLs372(scanner, serial=serial, clock=clock)
