"""Agent for the Lake Shore 372 AC resistance bridge."""  # noqa: N999 - the name in use since 2019

import argparse
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from twisted.logger import Logger

import ocs
from agents.lakeshore.link import Cancelled, InstrumentUnavailable, WrongInstrument
from agents.lakeshore.messages import BadReply, Query, identify
from agents.lakeshore.outage import Outages
from agents.lakeshore372 import codec
from agents.lakeshore372.acquisition import Sample, ScanReader, SettleBy
from agents.lakeshore372.arguments import add_arguments, instrument_address, unsupported_options
from agents.lakeshore372.driver import DEFAULT_PORT, Ls372Driver
from agents.lakeshore372.input_tables import MEASUREMENT_CHANNELS
from ocs import ocs_agent, site_config
from ocs.ocs_agent import OCSAgent, OpSession, param
from ocs.ocs_twisted import Pacemaker

__all__ = ["LS372_Agent", "main", "make_parser"]

T = TypeVar("T")

SAMPLE_RATE_HZ = 10
"""As often as the unit makes a new reading."""

FRAME_LENGTH_S = 60
"""Recorders write this feed once a minute. Upstream's 600 s keeps a whole ten minutes from files;
at 16 channels in turn a minute's frame is about 8 kB, big enough to be cheap."""


class LS372_Agent:  # noqa: N801 - the name in use since 2019
    """Read the temperatures and resistances of a Lake Shore 372.

    Args:
        agent: the OCS agent it lives in.
        name: serial number of the unit; any other is refused. None takes whichever answers.
        ip: address of the unit.
        port: its TCP port.
        dwell_time_delay: further wait after a channel change in seconds.
        settle_by: how to tell when readings are fresh after a channel change.
        driver: speaks with the unit; None makes one from the above.
    """

    def __init__(
        self,
        agent: OCSAgent,
        name: str | None,
        ip: str,
        *,
        port: int = DEFAULT_PORT,
        dwell_time_delay: float = 0,
        settle_by: SettleBy = SettleBy.PAUSE,
        driver: Ls372Driver | None = None,
    ) -> None:
        self.agent = agent
        self.log: Logger = agent.log
        self.driver = driver or Ls372Driver(ip, port, expected_serial=name)
        self._dwell_time_delay = dwell_time_delay
        self._settle_by = settle_by
        self._summary: str | None = None
        self._initialising = threading.Lock()
        self._stop = threading.Event()
        agent.register_feed(
            "temperatures",
            record=True,
            agg_params={"frame_length": FRAME_LENGTH_S},
            buffer_time=1,
        )

    @property
    def initialized(self) -> bool:
        """Whether the unit has been identified since the start."""
        return self._summary is not None

    @param("auto_acquire", default=False, type=bool)
    @param("acq_params", default=None, type=dict)
    @param("force", default=False, type=bool)
    @param("configfile", default=None, type=str)
    def init_lakeshore(  # noqa: D417 - its arguments are those that clients send
        self, _session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """init_lakeshore(auto_acquire=False, acq_params=None, force=False, configfile=None)

        **Task** - Connect to the unit, check its serial number and read its settings. Succeeds
        at once if that was done before.

        Args:
            auto_acquire (bool): Start the process ``acq`` afterwards.
            acq_params (dict): Parameters for it.
            force (bool): Do all again even if it was done before.
            configfile (str): Not supported yet.
        """
        if params["configfile"] is not None:
            return False, "configfile is not supported yet; nothing was changed on the unit."
        if self.initialized and not params["force"]:
            message = "Lakeshore already initialized."
        else:
            try:
                message = self._initialize(threading.Event())
            except (InstrumentUnavailable, WrongInstrument, BadReply) as error:
                return False, str(error)
        if params["auto_acquire"]:
            code, answer, _ = self.agent.start("acq", params["acq_params"])
            acq = self.agent.sessions["acq"]
            if code != ocs.OK and (acq is None or acq.status == "done"):
                return False, f"{message} But acq does not start: {answer}"
        return True, message

    def _initialize(self, cancel: threading.Event) -> str:
        """Identify the unit, look at its settings and return a sentence about them."""
        with self._initialising:
            identity = self.driver.ask(identify(), cancel)
            scan = self.driver.ask(codec.scan_state(), cancel)
            settings = {
                channel: self.driver.ask(codec.channel_settings(channel), cancel).inset
                for channel in MEASUREMENT_CHANNELS
            }
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
            self._summary = summary
            return summary

    @param("sample_heater", default=False, type=bool)
    @param("run_once", default=False, type=bool)
    def acq(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """acq(sample_heater=False, run_once=False)

        **Process** - Publish every reading the unit makes of the channel its scanner is on, ten
        a second, until stopped. Without the unit it waits for it and goes on by itself.

        Args:
            sample_heater (bool): Not supported yet.
            run_once (bool): End after one reading.

        Notes:
            ``session.data``::

                {"fields": {"Channel_05": {"T": 3.97, "R": 3590.1, "timestamp": 1795389673.5}},
                 "bad_replies": 0}

            A reading that the unit flags is null there, and NaN in the feed.
        """
        if params["sample_heater"]:
            return False, "sample_heater is not supported yet; start acq without it."
        stop = threading.Event()
        self._stop = stop
        # A stop that came before this line has set the status, but another event.
        if session.status == "stopping":
            stop.set()
        try:
            _Acquisition(self, session, stop, run_once=params["run_once"]).run()
        except WrongInstrument as error:
            return False, str(error)
        return True, "Acquisition exited cleanly."

    def stop_acq(self, session: OpSession, _params: Any) -> tuple[bool, str]:
        """Ask ``acq`` to end; it does within about 0.2 s."""
        if session.status in ("starting", "running"):
            session.set_status("stopping")
        self._stop.set()
        return True, "Requested to stop taking data."

    def make_reader(self, cancel: threading.Event) -> ScanReader:
        """Return a reader of this unit's scanner that gives up when ``cancel`` is set."""

        def ask(query: Query[T]) -> T:
            return self.driver.ask(query, cancel)

        return ScanReader(ask, settle_by=self._settle_by, extra_delay_s=self._dwell_time_delay)

    def ensure_initialized(self, session: OpSession, cancel: threading.Event) -> None:
        """Initialize the unit if that has not been done.

        Raises:
            BadReply, InstrumentUnavailable, WrongInstrument, Cancelled: as the driver does.
        """
        if not self.initialized:
            session.add_message(self._initialize(cancel))


class _Acquisition:
    """One run of ``acq``: read at the unit's pace, publish, keep clients informed."""

    def __init__(
        self, owner: LS372_Agent, session: OpSession, stop: threading.Event, *, run_once: bool
    ) -> None:
        self._owner = owner
        self._session = session
        self._stop = stop
        self._run_once = run_once
        self._reader = owner.make_reader(stop)
        self._outages = Outages(session, owner.driver.address, owner.driver.name, stop)
        self._fields: dict[str, dict[str, float]] = {}
        self._tell_data()

    def run(self) -> None:
        """Read until stopped.

        Raises:
            WrongInstrument: another unit answers, and the right one never has.
        """
        pace = Pacemaker(SAMPLE_RATE_HZ, quantize=True)
        published = False
        while not (self._stop.is_set() or (published and self._run_once)):
            pace.sleep()
            try:
                self._owner.ensure_initialized(self._session, self._stop)
                sample = self._reader.step()
            except Cancelled:
                return
            except BadReply as error:
                self._owner.log.warn("Bad reading: {error}", error=str(error))
                if self._outages.on_bad_reply(error):
                    self._reader.forget()
                self._tell_data()
            except InstrumentUnavailable as error:
                self._reader.forget()
                self._outages.on_trouble(str(error))
            except WrongInstrument as error:
                if not self._owner.initialized:
                    raise
                self._reader.forget()
                self._outages.on_trouble(str(error))
            else:
                self._outages.on_answer()
                if sample is not None:
                    self._publish(sample)
                    published = True

    def _publish(self, sample: Sample) -> None:
        self._owner.agent.publish_to_feed(
            "temperatures",
            {
                "block_name": sample.block_name,
                "timestamp": sample.time_s,
                "data": {
                    f"{sample.stem}_T": sample.temperature_k,
                    f"{sample.stem}_R": sample.resistance_ohm,
                    f"{sample.stem}_status": int(sample.status),
                },
            },
        )
        self._fields[sample.stem] = {
            "T": sample.temperature_k,
            "R": sample.resistance_ohm,
            "timestamp": sample.time_s,
        }
        self._tell_data()

    def _tell_data(self) -> None:
        # A new object each time: another thread may be reading the old one.
        self._session.data = {
            "fields": dict(self._fields),
            "bad_replies": self._outages.bad_replies,
        }


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
    if options.serial_number:
        sys.stdout.write(f"I am in charge of device with serial number: {options.serial_number}\n")
        sys.stdout.flush()
    agent, runner = ocs_agent.init_site_agent(options)
    for sentence in unsupported_options(options):
        agent.log.warn("{sentence}", sentence=sentence)
    lakeshore = LS372_Agent(
        agent,
        options.serial_number,
        address.host,
        port=address.port or DEFAULT_PORT,
        dwell_time_delay=options.dwell_time_delay,
        settle_by=options.settle_by,
    )
    agent.register_task("init_lakeshore", lakeshore.init_lakeshore, startup=options.mode == "init")
    agent.register_process("acq", lakeshore.acq, lakeshore.stop_acq, startup=options.mode == "acq")
    runner.run(agent, auto_reconnect=True)


if __name__ == "__main__":
    main()
