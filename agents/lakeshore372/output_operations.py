"""All operations that concern the 372's outputs."""

import threading
import time
from collections.abc import Callable

from agents.lakeshore.link import InstrumentLink
from agents.lakeshore372.heater_operations import HeaterOperations
from agents.lakeshore372.limits import Limits
from agents.lakeshore372.loop_operations import LoopOperations
from agents.lakeshore372.output_params import Wait
from agents.lakeshore372.pid_process import PidProcess
from agents.lakeshore372.servo import ServoOperations
from agents.lakeshore372.zone_operations import ZoneOperations
from ocs.ocs_agent import OCSAgent

__all__ = ["OutputOperations"]


class OutputOperations:
    """Tasks and processes that concern the outputs of a 372. They publish to ``temperatures``.

    Args:
        agent: the OCS agent they live in.
        driver: speaks with the unit.
        limits: what the site allows.
        on_input_change: called after a change to how an input is measured.
        clock: Unix time in seconds, for time stamps.
        steady: seconds that only ever grow, for all waiting: no correction of the clock may stop a
            loop or a deadline.
        wait: how time passes between readings, and after a change of range.
    """

    def __init__(
        self,
        agent: OCSAgent,
        driver: InstrumentLink,
        limits: Limits,
        *,
        on_input_change: Callable[[], None],
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Event.wait,
    ) -> None:
        software_loop = PidProcess(agent, driver, limits, clock=clock, steady=steady, wait=wait)
        self._groups = (
            HeaterOperations(
                agent,
                driver,
                limits,
                before_all_off=software_loop.request_stop,
                clock=clock,
                wait=wait,
            ),
            LoopOperations(agent, driver, limits),
            ZoneOperations(agent, driver, limits),
            ServoOperations(
                agent,
                driver,
                limits,
                on_input_change=on_input_change,
                clock=clock,
                steady=steady,
                wait=wait,
            ),
            software_loop,
        )

    def register(self) -> None:
        """Offer them to clients."""
        for group in self._groups:
            group.register()
