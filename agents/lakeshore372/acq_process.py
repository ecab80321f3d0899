"""One run of ``acq``: read at the unit's pace, publish, keep clients informed."""

import threading
import time
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

import attrs
from twisted.logger import Logger

from agents.lakeshore.link import Cancelled, InstrumentUnavailable, WrongInstrument
from agents.lakeshore.messages import BadReply, Query
from agents.lakeshore.outage import Outages
from agents.lakeshore372.acquisition import (
    ControlReader,
    ControlSample,
    Sample,
    ScanReader,
    SettleBy,
)
from agents.lakeshore372.dialect import Dialect
from agents.lakeshore372.driver import Ls372Driver
from agents.lakeshore372.output_codec import sample_heater_output
from ocs.ocs_agent import OCSAgent, OpSession
from ocs.ocs_twisted import Pacemaker

__all__ = ["FEED", "AcqOptions", "AcqProcess", "Era", "Host"]

T = TypeVar("T")

FEED = "temperatures"

SAMPLE_RATE_HZ = 10
"""As often as the unit makes a new reading."""

FAILURES_BEFORE_TROUBLE = 2
RETRY_S = 15.0
"""How soon something that does not answer is asked again: each time costs readings for 2 s."""


class Era(Enum):
    """Whose names the fields of a channel have (the project's Lake Shore specification, 6.3)."""

    Y2019 = "2019"
    """Also the one field of 2019: ``Channel_01``, in the channel's preferred units."""

    CURRENT = "current"


@attrs.frozen
class AcqOptions:
    """How readings are taken; the same for every run.

    Attributes:
        settle_by: how to tell when readings are fresh after a channel change.
        dwell_time_delay_s: further wait after that.
        dialect: what the unit understands; None finds out.
        era: names of the fields.
    """

    settle_by: SettleBy = SettleBy.PAUSE
    dwell_time_delay_s: float = 0.0
    dialect: Dialect | None = None
    era: Era = Era.CURRENT


class Host(Protocol):
    """What a run needs of the Agent it runs in."""

    agent: OCSAgent
    driver: Ls372Driver
    control_chan_enabled: bool
    channels_changed: threading.Event
    """Set when an operation has changed how a channel is measured."""

    @property
    def initialized(self) -> bool:
        """Whether the unit has been identified since the start."""
        ...

    @property
    def settings_trouble(self) -> str | None:
        """Why the settings file has not been applied; None if it has, or there is none."""
        ...

    def ensure_initialized(self, session: OpSession, cancel: threading.Event) -> None:
        """Initialize the unit if that has not been done."""
        ...


class AcqProcess:
    """One run of ``acq``.

    Args:
        host: the Agent.
        session: the run's session.
        stop: ends the run when set.
        options: how readings are taken.
        sample_heater: publish the sample heater's output, too.
        run_once: end after one reading.
    """

    _log = Logger()

    def __init__(
        self,
        host: Host,
        session: OpSession,
        stop: threading.Event,
        options: AcqOptions,
        *,
        sample_heater: bool,
        run_once: bool,
    ) -> None:
        self._host = host
        self._session = session
        self._stop = stop
        self._era = options.era
        self._run_once = run_once

        def ask(query: Query[T]) -> T:
            return host.driver.ask(query, stop)

        self._reader = ScanReader(
            ask,
            settle_by=options.settle_by,
            extra_delay_s=options.dwell_time_delay_s,
            dialect=options.dialect,
        )
        self._control = ControlReader(ask)
        self._control_input: _SideQuestion[ControlSample | None] = _SideQuestion(
            "The control input does not answer: it is not published. Does the unit have one? "
            "If not, use disable_control_chan.",
            lambda: self._control.step(self._reader.dialect),
        )
        self._heater: _SideQuestion[float] | None = None
        if sample_heater:
            self._heater = _SideQuestion(
                "The sample heater does not answer: its output is not published, and whether it "
                "heats is not known. Look at the front panel.",
                lambda: ask(sample_heater_output()),
            )
        self._outages = Outages(
            session,
            host.driver.address,
            host.driver.name,
            stop,
            on_change=self._tell_data,
        )
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
                published = self._turn() or published
            except Cancelled:
                return
            except BadReply as error:
                self._log.warn("Bad reading: {error}", error=str(error))
                if self._outages.on_bad_reply(error):
                    self._reader.reconnect()
            except InstrumentUnavailable as error:
                self._reader.reconnect()
                self._outages.on_trouble(str(error))
            except WrongInstrument as error:
                if not self._host.initialized:
                    raise
                self._reader.reconnect()
                self._outages.on_trouble(str(error))
            self._tell_data()

    def _turn(self) -> bool:
        """Ask once for everything; return whether there was a reading of the scanner."""
        self._host.ensure_initialized(self._session, self._stop)
        if self._host.channels_changed.is_set():
            self._host.channels_changed.clear()
            self._reader.forget()
        sample = self._reader.step()
        self._outages.on_answer()
        if self._host.channels_changed.is_set():
            # It was taken around the change: the channel has not settled, or had another name.
            sample = None
        if sample is not None:
            self._publish(sample)
        troubles = dict(self._reader.troubles())
        if self._host.control_chan_enabled:
            self._publish_control(self._ask_aside(self._control_input))
            troubles |= self._control.troubles()
            if self._control_input.failing:
                troubles["control"] = self._control_input.trouble
        if self._heater is not None:
            self._publish_heater(self._ask_aside(self._heater))
            if self._heater.failing:
                troubles["heater"] = self._heater.trouble
        if self._host.settings_trouble is not None:
            troubles["settings"] = self._host.settings_trouble
        self._outages.report(troubles)
        return sample is not None

    def _ask_aside(self, question: "_SideQuestion[T]") -> T | None:
        try:
            return question.ask()
        except BadReply as error:
            self._log.warn("Bad reading: {error}", error=str(error))
            self._outages.count_bad_reply()
            return None

    def _publish(self, sample: Sample) -> None:
        data: dict[str, float] = {
            f"{sample.stem}_T": sample.temperature_k,
            f"{sample.stem}_R": sample.resistance_ohm,
            f"{sample.stem}_status": int(sample.status),
        }
        if self._era is Era.Y2019:
            data[sample.stem] = sample.preferred
        self._send(sample.block_name, sample.time_s, data)
        self._remember(sample.stem, sample)

    def _publish_control(self, sample: ControlSample | None) -> None:
        if sample is None:
            return
        data = {
            "control_T": sample.temperature_k,
            "control_R": sample.resistance_ohm,
            "control_status": int(sample.status),
        }
        self._send("control_chan", sample.time_s, data)
        self._remember("control", sample)

    def _publish_heater(self, output: float | None) -> None:
        if output is not None:
            self._send("heaters", time.time(), {"sample_heater_output": output})

    def _send(self, block_name: str, time_s: float, data: Mapping[str, float]) -> None:
        message = {"block_name": block_name, "timestamp": time_s, "data": data}
        self._host.agent.publish_to_feed(FEED, message)

    def _remember(self, name: str, sample: Sample | ControlSample) -> None:
        self._fields[name] = {
            "T": sample.temperature_k,
            "R": sample.resistance_ohm,
            "timestamp": sample.time_s,
        }

    def _tell_data(self) -> None:
        latency = self._host.driver.command_latency
        # A new object each time: another thread may be reading the old one.
        data: dict[str, Any] = {
            "fields": dict(self._fields),
            "bad_replies": self._outages.bad_replies,
            "commands": {
                "count": latency.count,
                "last_s": latency.last_s,
                "longest_s": latency.longest_s,
            },
            "troubles": self._outages.troubles,
        }
        self._session.data = data


class _SideQuestion(Generic[T]):
    """A question that must not stop the readings when it gets no answer.

    Args:
        trouble: what to say then.
        ask: asks it.
        clock: seconds that only ever grow.
    """

    def __init__(
        self, trouble: str, ask: Callable[[], T], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.trouble = trouble
        self._ask = ask
        self._clock = clock
        self._failures = 0
        self._not_before = 0.0

    @property
    def failing(self) -> bool:
        """Whether it has had no answer several times, while the readings went on."""
        return self._failures >= FAILURES_BEFORE_TROUBLE

    def ask(self) -> T | None:
        """Return the answer; None if there is none, or it is too early to ask again.

        Raises:
            BadReply: the answer makes no sense.
            WrongInstrument, Cancelled: as the driver does.
        """
        if self._clock() < self._not_before:
            return None
        try:
            answer = self._ask()
        except (InstrumentUnavailable, BadReply) as error:
            self._failures += 1
            if self.failing:
                self._not_before = self._clock() + RETRY_S
            if isinstance(error, BadReply):
                raise
            return None
        self._failures = 0
        return answer
