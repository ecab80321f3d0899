"""Agent for the Lake Shore 372 AC resistance bridge."""  # noqa: N999 - the name in use since 2019

import argparse
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from twisted.logger import Logger

import ocs
from agents.lakeshore.link import WrongInstrument
from agents.lakeshore.messages import InstrumentError, Query, identify
from agents.lakeshore372 import codec, limits
from agents.lakeshore372.acq_process import FEED, AcqOptions, AcqProcess
from agents.lakeshore372.arguments import (
    acq_options,
    add_arguments,
    check_configfile,
    instrument_address,
    options_without_effect,
)
from agents.lakeshore372.curve_operations import CurveOperations
from agents.lakeshore372.dialect import learn
from agents.lakeshore372.driver import DEFAULT_PORT, Ls372Driver
from agents.lakeshore372.input_editor import InputEditor
from agents.lakeshore372.input_operations import InputOperations
from agents.lakeshore372.output_operations import OutputOperations
from agents.lakeshore372.scan_operations import ScanOperations
from agents.lakeshore372.settings_operations import SettingsOperations
from ocs import ocs_agent, site_config
from ocs.ocs_agent import OCSAgent, OpSession, param

__all__ = ["LS372_Agent", "main", "make_parser"]

T = TypeVar("T")

FRAME_LENGTH_S = 60
"""Recorders write this feed once a minute. Upstream's 600 s keeps a whole ten minutes from files;
at 16 channels in turn a minute's frame is about 8 kB, big enough to be cheap."""


class LS372_Agent:  # noqa: N801 - the name in use since 2019
    """Read the temperatures and resistances of a Lake Shore 372, and set its inputs up.

    Args:
        agent: the OCS agent it lives in.
        name: serial number of the unit; any other is refused. None takes whichever answers.
        ip: address of the unit.
        enable_control_chan: read the control input, too.
        configfile: settings file to apply when the unit is first there.
        port: its TCP port.
        options: how readings are taken.
        driver: speaks with the unit; None makes one from the above.
    """

    def __init__(
        self,
        agent: OCSAgent,
        name: str | None,
        ip: str,
        *,
        enable_control_chan: bool = False,
        configfile: str | None = None,
        port: int = DEFAULT_PORT,
        options: AcqOptions | None = None,
        driver: Ls372Driver | None = None,
    ) -> None:
        self.agent = agent
        self.log: Logger = agent.log
        self.driver = driver or Ls372Driver(ip, port, expected_serial=name)
        self.control_chan_enabled = enable_control_chan
        self.channels_changed = threading.Event()
        self._options = options or AcqOptions()
        editor = InputEditor(self.driver, self.channels_changed.set)
        self._settings = SettingsOperations(agent, self.driver, editor, configfile)
        self._groups = (
            self._settings,
            InputOperations(agent, editor),
            ScanOperations(agent, editor),
            CurveOperations(agent, self.driver, editor),
        )
        self._initialized = False
        self._initialising = threading.Lock()
        self._stop = threading.Event()
        agent.register_feed(
            FEED, record=True, agg_params={"frame_length": FRAME_LENGTH_S}, buffer_time=1
        )

    @property
    def initialized(self) -> bool:
        """Whether the unit has been identified since the start."""
        return self._initialized

    @property
    def settings_trouble(self) -> str | None:
        """Why the settings file is not in force; None if it is, or there is none."""
        return self._settings.trouble

    def register(self, mode: str = "idle", *, sample_heater: bool = False) -> None:
        """Offer the operations to clients.

        Args:
            mode: what to start with: ``init``, ``acq``, anything else for nothing.
            sample_heater: parameter of ``acq`` if that is started.
        """
        startup = {"sample_heater": sample_heater} if mode == "acq" else False
        self.agent.register_task("init_lakeshore", self.init_lakeshore, startup=mode == "init")
        self.agent.register_process("acq", self.acq, self.stop_acq, startup=startup)
        self.agent.register_task("enable_control_chan", self.enable_control_chan)
        self.agent.register_task("disable_control_chan", self.disable_control_chan)
        for group in self._groups:
            group.register()

    @param("auto_acquire", default=False, type=bool)
    @param("acq_params", default=None, type=dict)
    @param("force", default=False, type=bool)
    @param("configfile", default=None, type=str)
    def init_lakeshore(  # noqa: D417 - its arguments are those that clients send
        self, _session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """init_lakeshore(auto_acquire=False, acq_params=None, force=False, configfile=None)

        **Task** - Connect to the unit, check its serial number, read its settings, and apply the
        settings file of the command line. Succeeds at once if that was done before.

        Args:
            auto_acquire (bool): Start the process ``acq`` afterwards.
            acq_params (dict): Parameters for it.
            force (bool): Do all again even if it was done before.
            configfile (str): Apply this settings file; see `input_configfile`.
        """
        configfile = params["configfile"]
        sentences = ["Lakeshore already initialized."]
        try:
            if params["force"] or not self.initialized:
                sentences = [self._initialize(threading.Event())]
            if configfile is not None or self._settings.pending:
                sentences.append(self._settings.apply(configfile))
        except InstrumentError as error:
            return False, str(error)
        if params["auto_acquire"]:
            code, answer, _ = self.agent.start("acq", params["acq_params"])
            acq = self.agent.sessions["acq"]
            if code != ocs.OK and (acq is None or acq.status == "done"):
                return False, f"{' '.join(sentences)} But acq does not start: {answer}"
        return True, " ".join(sentences)

    def _initialize(self, cancel: threading.Event) -> str:
        """Identify the unit, look at its settings and return a sentence about them."""

        def ask(query: Query[T]) -> T:
            return self.driver.ask(query, cancel)

        with self._initialising:
            identity = ask(identify())
            scan = ask(codec.scan_state())
            dialect = self._options.dialect or learn(ask)
            settings = dialect.scanner_settings(ask)
            enabled = [channel for channel in settings if settings[channel].enabled]
            bare = [channel for channel in enabled if not settings[channel].curve]
            summary = (
                f"Lake Shore 372 {identity.serial}, firmware {identity.firmware}, at "
                f"{self.driver.address}: autoscan {'on' if scan.autoscan else 'off'}, "
                f"{len(enabled)} of {len(settings)} channels enabled."
            )
            if bare:
                listed = ", ".join(map(str, bare))
                summary += f" Without a curve, so without temperatures: {listed}."
            self._initialized = True
            return summary

    @param("_")
    def enable_control_chan(
        self, _session: OpSession, _params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """enable_control_chan()

        **Task** - Let ``acq`` read the control input, A, too.
        """
        self.control_chan_enabled = True
        return True, "The control input is read by acq."

    @param("_")
    def disable_control_chan(
        self, _session: OpSession, _params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """disable_control_chan()

        **Task** - Let ``acq`` leave the control input, A, alone.
        """
        self.control_chan_enabled = False
        return True, "The control input is not read by acq."

    @param("sample_heater", default=False, type=bool)
    @param("run_once", default=False, type=bool)
    def acq(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """acq(sample_heater=False, run_once=False)

        **Process** - Publish every reading the unit makes of the channel its scanner is on, ten
        a second, until stopped. Without the unit it waits for it and goes on by itself.

        Args:
            sample_heater (bool): Publish the sample heater's output, too.
            run_once (bool): End after one reading.

        Notes:
            ``session.data``::

                {"fields": {"Channel_05": {"T": 3.97, "R": 3590.1, "timestamp": 1795389673.5},
                            "control": {"T": 0.1, "R": 20131.0, "timestamp": 1795389673.5}},
                 "bad_replies": 0,
                 "commands": {"count": 3, "last_s": 0.06, "longest_s": 0.11},
                 "troubles": []}

            A reading that the unit flags is null there, and NaN in the feed. ``commands`` says
            how long operations had to wait for their turn and the unit; ``troubles`` are the
            reasons for *degraded*, in sentences.
        """
        stop = threading.Event()
        self._stop = stop
        # A stop that came before this line has set the status, but another event.
        if session.status == "stopping":
            stop.set()
        run = AcqProcess(
            self,
            session,
            stop,
            self._options,
            sample_heater=params["sample_heater"],
            run_once=params["run_once"],
        )
        try:
            run.run()
        except WrongInstrument as error:
            return False, str(error)
        return True, "Acquisition exited cleanly."

    def stop_acq(self, session: OpSession, _params: Any) -> tuple[bool, str]:
        """Ask ``acq`` to end; it does within about 0.2 s."""
        if session.status in ("starting", "running"):
            session.set_status("stopping")
        self._stop.set()
        return True, "Requested to stop taking data."

    def ensure_initialized(self, session: OpSession, cancel: threading.Event) -> None:
        """Initialize the unit, and apply the settings file, if that has not been done.

        Raises:
            BadReply, InstrumentUnavailable, WrongInstrument, Cancelled: as the driver does.
        """
        if not self.initialized:
            session.add_message(self._initialize(cancel))
        if self._settings.pending:
            session.add_message(self._settings.apply_pending(cancel))


def make_parser(parser: argparse.ArgumentParser | None = None) -> argparse.ArgumentParser:
    """Describe the Agent's own options."""
    return add_arguments(
        parser
        or argparse.ArgumentParser(
            prog="LS372_agent.py", description="OCS Agent for a Lake Shore 372."
        )
    )


def main(args: Sequence[str] | None = None) -> None:
    """Run the Agent until it is told to stop."""
    parser = make_parser()
    options = site_config.parse_args(agent_class="Lakeshore372Agent", parser=parser, args=args)
    address = instrument_address(options, parser)
    check_configfile(options, parser)
    if options.serial_number:
        sys.stdout.write(f"I am in charge of device with serial number: {options.serial_number}\n")
        sys.stdout.flush()
    agent, runner = ocs_agent.init_site_agent(options)
    for sentence in options_without_effect(options):
        agent.log.warn("{sentence}", sentence=sentence)
    lakeshore = LS372_Agent(
        agent,
        options.serial_number,
        address.host,
        enable_control_chan=options.enable_control_chan,
        configfile=options.configfile,
        options=acq_options(options),
        driver=Ls372Driver(
            address.host,
            address.port or DEFAULT_PORT,
            expected_serial=options.serial_number,
            emulator=options.dialect == "emulator",
        ),
    )
    lakeshore.register(options.mode, sample_heater=options.sample_heater)
    OutputOperations(
        agent,
        lakeshore.driver,
        limits.from_args(options),
        on_input_change=lakeshore.channels_changed.set,
    ).register()
    runner.run(agent, auto_reconnect=True)


if __name__ == "__main__":
    main()
