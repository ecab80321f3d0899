"""Put a simulated 372 together: cryostat, curves, bridge, scanner, outputs, instrument."""

import time
from collections.abc import Callable

from agents.lakeshore372.sim_bridge import Bridge
from agents.lakeshore372.sim_conditions import Conditions
from agents.lakeshore372.sim_cryostat import Cryostat
from agents.lakeshore372.sim_curves import CurveStore
from agents.lakeshore372.sim_instrument import SimulatedLs372
from agents.lakeshore372.sim_outputs import Outputs
from agents.lakeshore372.sim_panel import Panel
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
    """Build an instrument looking at its cryostat, as ``ls372-sim --help`` describes it.

    Args:
        serial: its serial number.
        seed: of all drifts and noise.
        dwell_s: dwell every channel begins with, 1 to 200.
        pause_s: change pause every channel begins with, 3 to 200.
        scale: pauses and dwells are multiplied by it, to have a scan go round faster.
        clock: Unix time in seconds.
    """
    now = clock()
    conditions, panel = Conditions(), Panel()
    cryostat = Cryostat(seed, now)
    bridge = Bridge(
        cryostat,
        CurveStore(cryostat.sensors),
        conditions,
        dwell_s=dwell_s,
        pause_s=pause_s,
        now=now,
    )
    outputs = Outputs(bridge, conditions, panel.monitor_span)
    scanner = Scanner(bridge, conditions, now, controls=outputs.control_channels, scale=scale)
    return SimulatedLs372(
        cryostat, bridge, scanner, outputs, panel, conditions, serial=serial, clock=clock
    )
