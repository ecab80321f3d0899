"""Agent for Lake Shore 240 modules."""  # noqa: N999 - the name in use since 2019

import argparse
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.logger import Logger

import ocs
from agents.lakeshore.operations import reporting
from agents.lakeshore240 import codec
from agents.lakeshore240.acq_process import FEED, AcqProcess, Era
from agents.lakeshore240.arguments import (
    DEFAULT_RATE_HZ,
    add_arguments,
    make_drivers,
    options_without_effect,
    rate,
)
from agents.lakeshore240.curve_operations import CurveOperations
from agents.lakeshore240.driver import Ls240Driver
from agents.lakeshore240.input_operations import InputOperations
from agents.lakeshore240.module import Module
from ocs import ocs_agent, site_config
from ocs.ocs_agent import OCSAgent, OpSession, param

__all__ = ["LS240_Agent", "main", "make_parser"]

FRAME_LENGTH_S = 60
"""Recorders write this feed once a minute, as upstream's."""


class LS240_Agent:  # noqa: N801 - the name in use since 2019
    """Read the inputs of one or several Lake Shore 240 modules.

    Args:
        agent: the OCS agent it lives in.
        drivers: one a module; several must know their modules' serial numbers.
        f_sample: readings a second of each input.
        era: names of the fields.
    """

    def __init__(
        self,
        agent: OCSAgent,
        drivers: Sequence[Ls240Driver],
        *,
        f_sample: float = DEFAULT_RATE_HZ,
        era: Era = Era.CURRENT,
    ) -> None:
        self.agent = agent
        self.log: Logger = agent.log
        several = len(drivers) > 1
        self.modules = [
            Module(driver, driver.expected_serial if several else None) for driver in drivers
        ]
        self._f_sample = f_sample
        self._era = era
        self._summary: str | None = None
        self._stop = threading.Event()
        agent.register_feed(
            FEED, record=True, agg_params={"frame_length": FRAME_LENGTH_S}, buffer_time=1
        )

    def register(self, *, mode: str) -> None:
        """Offer all operations to clients.

        Args:
            mode: what to do on starting: ``idle``, ``init`` or ``acq``.
        """
        self.agent.register_task("init_lakeshore", self.init_lakeshore, startup=mode == "init")
        self.agent.register_process("acq", self.acq, self.stop_acq, startup=mode == "acq")
        InputOperations(self.agent, self.modules).register()
        CurveOperations(self.agent, self.modules).register()

    @param("auto_acquire", default=False, type=bool)
    @param("force", default=False, type=bool)
    @reporting
    def init_lakeshore(  # noqa: D417 - its arguments are those that clients send
        self, _session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """init_lakeshore(auto_acquire=False, force=False)

        **Task** - Connect to the module, check its serial number and look at its inputs. Succeeds
        at once if that was done before.

        Args:
            auto_acquire (bool): Start the process ``acq`` afterwards.
            force (bool): Do all again even if it was done before.
        """
        if self._summary is None or params["force"]:
            self._summary = message = " ".join(map(_describe, self.modules))
        else:
            message = "Already initialized."
        if params["auto_acquire"]:
            code, answer, _ = self.agent.start("acq")
            acq = self.agent.sessions["acq"]
            if code != ocs.OK and (acq is None or acq.status == "done"):
                return False, f"{message} But acq does not start: {answer}"
        return True, message

    @param("sampling_frequency", default=None, type=float)
    def acq(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """acq(sampling_frequency=2.5)

        **Process** - Publish the temperatures and sensor readings of all inputs until stopped.
        Without the module it waits for it and goes on by itself.

        Args:
            sampling_frequency (float): Readings a second of each input, up to 10. A module with
                eight enabled inputs manages about 3. Default: the command line's.

        Notes:
            ``session.data``::

                {"fields": {"Channel_1": {"T": 4.21, "V": 1.629}, ...},
                 "connection": {"last_attempt": 1795389673.5, "connected": True},
                 "timestamp": 1795389673.5,
                 "bad_replies": 0,
                 "commands": {"count": 2, "last_s": 0.03, "longest_s": 0.05},
                 "troubles": []}

            A reading that the module flags, and one of an input that is not enabled, is null
            there and NaN in the feed; ``Channel_1_status`` in the feed has the module's flags.
            ``commands`` says how long operations had to wait for their turn and the module;
            ``troubles`` are the reasons for *degraded*, in sentences.
        """
        asked = params["sampling_frequency"]
        try:
            frequency_hz = self._f_sample if asked is None else rate(asked)
        except ValueError as error:
            return False, f"Cannot start: {error}."
        stop = threading.Event()
        self._stop = stop
        # A stop that came before this line has set the status, but another event.
        if session.status == "stopping":
            stop.set()
        AcqProcess(
            self.agent, self.modules, session, stop, frequency_hz=frequency_hz, era=self._era
        ).run()
        return True, "Acquisition exited cleanly."

    def stop_acq(self, session: OpSession, _params: Any) -> tuple[bool, str]:
        """Ask ``acq`` to end; it does within about 0.2 s."""
        if session.status in ("starting", "running"):
            session.set_status("stopping")
        self._stop.set()
        return True, "Requested to stop taking data."


def _describe(module: Module) -> str:
    """Look at a module's inputs and return a sentence about them."""
    driver = module.driver
    name = driver.ask(codec.module_name())
    types = {channel: driver.ask(codec.input_type(channel)) for channel in driver.model.channels}
    enabled = [str(channel) for channel, found in types.items() if found.enabled]
    identity = driver.identity
    serial = identity.serial if identity is not None else "?"
    listed = ", ".join(enabled) if enabled else "none; see set_values"
    return (
        f"Lake Shore 240 {serial} ({name or 'without a name'}) at {driver.address}: "
        f"{len(types)} inputs, enabled: {listed}."
    )


def make_parser(parser: argparse.ArgumentParser | None = None) -> argparse.ArgumentParser:
    """Describe the Agent's own options."""
    return add_arguments(
        parser
        or argparse.ArgumentParser(
            prog="LS240_agent.py", description="OCS Agent for Lake Shore 240 modules."
        )
    )


def main(args: Sequence[str] | None = None) -> None:
    """Run the Agent until it is told to stop."""
    parser = make_parser()
    options = site_config.parse_args(agent_class="Lakeshore240Agent", parser=parser, args=args)
    drivers = make_drivers(options, parser)
    agent, runner = ocs_agent.init_site_agent(options)
    for sentence in options_without_effect(options):
        agent.log.warn("{sentence}", sentence=sentence)
    lakeshore = LS240_Agent(
        agent, drivers, f_sample=options.sampling_frequency, era=Era(options.era)
    )
    lakeshore.register(mode=options.mode)
    runner.run(agent, auto_reconnect=True)


if __name__ == "__main__":
    main()
