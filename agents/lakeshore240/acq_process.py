"""One run of ``acq``: sweep the modules at the wanted pace, publish, keep clients informed."""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from enum import Enum
from typing import TypeVar

import attrs
from twisted.logger import Logger

from agents.lakeshore.link import Cancelled, InstrumentUnavailable, WrongInstrument
from agents.lakeshore.messages import BadReply, Query
from agents.lakeshore.outage import Outages
from agents.lakeshore240.acquisition import ModuleReader, Sweep
from agents.lakeshore240.module import Module
from agents.lakeshore240.watch import InputWatch
from ocs.field_names import repair_field_name
from ocs.ocs_agent import OCSAgent, OpSession
from ocs.ocs_twisted import Pacemaker

__all__ = ["FEED", "AcqProcess", "Era"]

T = TypeVar("T")

FEED = "temperatures"


class Era(Enum):
    """Whose names the fields have (the project's Lake Shore specification, section 7)."""

    Y2019 = "2019"
    """Also the fields of 2019: the input's name, in its preferred units."""

    CURRENT = "current"


class AcqProcess:
    """One run of ``acq`` over all modules, each in a thread of its own.

    Args:
        agent: publishes.
        modules: what to read.
        session: the run's session.
        stop: ends the run when set.
        frequency_hz: sweeps a second.
        era: names of the fields.
    """

    def __init__(
        self,
        agent: OCSAgent,
        modules: Sequence[Module],
        session: OpSession,
        stop: threading.Event,
        *,
        frequency_hz: float,
        era: Era = Era.CURRENT,
    ) -> None:
        self._agent = agent
        self._stop = stop
        board = _Board(session, modules)
        self._runs = [
            _ModuleRun(agent, module, board, stop, frequency_hz, era) for module in modules
        ]

    def run(self) -> None:
        """Read until stopped."""
        with ThreadPoolExecutor(len(self._runs), "acq") as pool:
            running = [pool.submit(run.run) for run in self._runs]
            # One that fails as it never should takes the others with it: acq ends and says so.
            wait(running, return_when=FIRST_EXCEPTION)
            self._stop.set()
        for run in running:
            run.result()
        self._agent.feeds[FEED].flush_buffer()


@attrs.define
class _State:
    """What clients are told of one module.

    Attributes:
        fields: its inputs' last readings.
        connected: whether the last try to read it succeeded.
        bad_replies: how many replies made no sense since the start.
        troubles: what is wrong, in sentences.
    """

    fields: dict[str, dict[str, float]] = attrs.field(factory=dict)
    connected: bool = False
    bad_replies: int = 0
    troubles: list[str] = attrs.field(factory=list)


class _Board:
    """Where the modules' threads meet: the session's data and its *degraded*."""

    def __init__(self, session: OpSession, modules: Sequence[Module]) -> None:
        self._session = session
        self._links = [module.driver for module in modules]
        self._lock = threading.Lock()
        self._states = {module.block_name: _State() for module in modules}
        self._degraded: set[str] = set()

    def add_message(self, text: str) -> None:
        """Add to the session's messages."""
        self._session.add_message(text)

    def set_degraded(self, module: Module, degraded: bool) -> None:
        """Have the session degraded as long as one module is."""
        with self._lock:
            (self._degraded.add if degraded else self._degraded.discard)(module.block_name)
            self._session.degraded = bool(self._degraded)

    def tell(self, module: Module, state: _State, time_s: float) -> None:
        """Show what the last try to read a module has brought."""
        with self._lock:
            self._states[module.block_name] = state
            states = self._states.values()
            latencies = [link.command_latency for link in self._links]
            # A new object each time: another thread may be reading the old one.
            self._session.data = {
                "fields": {name: it for state in states for name, it in state.fields.items()},
                "connection": {
                    "last_attempt": time_s,
                    "connected": all(state.connected for state in states),
                },
                "timestamp": time_s,
                "bad_replies": sum(state.bad_replies for state in states),
                "commands": {
                    "count": sum(latency.count for latency in latencies),
                    "last_s": max(latency.last_s for latency in latencies),
                    "longest_s": max(latency.longest_s for latency in latencies),
                },
                "troubles": [sentence for state in states for sentence in state.troubles],
            }


class _Share:
    """A module's part in the session that all modules share; see `outage.Audience`."""

    def __init__(self, board: _Board, module: Module) -> None:
        self._board = board
        self._module = module
        self._degraded = False

    @property
    def degraded(self) -> bool:
        """Whether this module is in trouble."""
        return self._degraded

    @degraded.setter
    def degraded(self, value: bool) -> None:
        self._degraded = value
        self._board.set_degraded(self._module, value)

    def add_message(self, text: str) -> None:
        """Add to the session's messages, with the module's name if there are several."""
        self._board.add_message(_named(self._module, text))


class _ModuleRun:
    """The run over one module."""

    _log = Logger()

    def __init__(
        self,
        agent: OCSAgent,
        module: Module,
        board: _Board,
        stop: threading.Event,
        frequency_hz: float,
        era: Era,
    ) -> None:
        self._agent = agent
        self._module = module
        self._board = board
        self._stop = stop
        self._frequency_hz = frequency_hz
        self._era = era
        driver = module.driver
        self._outages = Outages(_Share(board, module), driver.address, driver.name, stop)
        self._watch = InputWatch()
        self._reader = ModuleReader(
            self._ask, lambda: driver.model, has_curve=module.curves.is_whole
        )
        self._fields: dict[str, dict[str, float]] = {}

    def _ask(self, query: Query[T]) -> T:
        return self._module.driver.ask(query, self._stop)

    def run(self) -> None:
        """Read until stopped."""
        pace = Pacemaker(self._frequency_hz, pause=self._stop.wait)
        while not self._stop.is_set():
            pace.sleep()
            if self._module.settings_changed.is_set():
                self._module.settings_changed.clear()
                self._reader.forget()
            try:
                sweep = self._reader.sweep()
            except Cancelled:
                return
            except BadReply as error:
                self._log.warn("Bad reading: {error}", error=_named(self._module, str(error)))
                if self._outages.on_bad_reply(error):
                    self._reader.forget()
                self._tell_failure()
            except (InstrumentUnavailable, WrongInstrument) as error:
                # At once, and again afterwards: there is a wait in between.
                self._tell_failure(str(error))
                self._reader.forget()
                self._watch.forget()
                self._outages.on_trouble(str(error))
                self._tell_failure()
            else:
                self._outages.on_answer()
                incomplete = self._module.curves.incomplete
                self._outages.report(self._watch.troubles(sweep, incomplete_curves=incomplete))
                self._publish(sweep)

    def _publish(self, sweep: Sweep) -> None:
        data: dict[str, float] = {}
        for channel, reading in sweep.readings.items():
            stem = f"{self._module.prefix}Channel_{channel}"
            data[f"{stem}_T"] = reading.temperature_k
            data[f"{stem}_V"] = reading.sensor
            if reading.status is not None:
                data[f"{stem}_status"] = int(reading.status)
            self._fields[stem] = {"T": reading.temperature_k, "V": reading.sensor}
        if self._era is Era.Y2019:
            data = {**_fields_of_2019(self._module.prefix, sweep), **data}
        message = {"block_name": self._module.block_name, "timestamp": sweep.time_s, "data": data}
        self._agent.publish_to_feed(FEED, message)
        self._tell(sweep.time_s, connected=True)

    def _tell_failure(self, *troubles: str) -> None:
        self._tell(time.time(), *troubles, connected=False)

    def _tell(self, time_s: float, *troubles: str, connected: bool) -> None:
        state = _State(
            fields=dict(self._fields),
            connected=connected,
            bad_replies=self._outages.bad_replies,
            troubles=[
                _named(self._module, sentence) for sentence in (troubles or self._outages.troubles)
            ],
        )
        self._board.tell(self._module, state, time_s)


def _named(module: Module, text: str) -> str:
    """Put the module's serial number before a sentence, if there are several modules."""
    return text if module.serial is None else f"{module.serial}: {text}"


def _fields_of_2019(prefix: str, sweep: Sweep) -> Mapping[str, float]:
    """Return each input's reading in its preferred units, under the input's name."""
    names = {
        channel: repair_field_name(prefix + (setup.name or f"Channel {channel}"))
        for channel, setup in sweep.setups.items()
    }
    # After the repair: of two names that differ in a space only, one would have hidden the other.
    count = Counter(names.values())
    return {
        name if count[name] == 1 else f"{name}_{channel}": sweep.readings[channel].in_units(
            sweep.setups[channel].units
        )
        for channel, name in names.items()
    }
