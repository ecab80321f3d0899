"""Aggregator Agent: records all feeds into `.g3` files (spec/ocs-protocol.md, sections 10 and 17).

One activity under two names: process ``record``, and ``aggregate`` as scripts of 2019 call it.
"""

import argparse
import contextlib
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.threads import blockingCallFromThread

from agents.aggregator.frames import DEFAULT_FRAME_LENGTH_S
from agents.aggregator.journal import JournalError, JournalUnavailable
from agents.aggregator.reception import Reception
from agents.aggregator.recorder import JOURNAL_NAME, Recorder
from agents.aggregator.session_watch import SessionWatch
from ocs import site_config
from ocs.ocs_agent import OCSAgent, OpSession, init_site_agent, param

__all__ = ["AggregatorAgent", "main", "make_parser"]

DEFAULT_DATA_DIR = "data"
DEFAULT_TIME_PER_FILE_S = 3600.0
READABLE_TIME_PER_FILE_S = 7200.0
"""so3g's `load_range` does not find the end of files that are longer."""

PERIOD_S = 1.0
GATHER_S = 0.1
"""How long messages are gathered before they are journaled together."""

MEMORY_LIMIT_BYTES = 512 * 2**20


class AggregatorAgent:
    """The Aggregator's operations.

    Args:
        agent: The agent they belong to.
        args: Options, see `make_parser`.
        clock: Gives Unix time in seconds.
    """

    def __init__(
        self,
        agent: OCSAgent,
        args: argparse.Namespace,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.agent = agent
        self._args = args
        self._clock = clock
        self._reception: Reception | None = None
        self._one_at_a_time = threading.Lock()
        self._activity = ""
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._leaving = False
        root = args.address_root
        agent.register_process(
            "record",
            self.record,
            self.stop_recording,
            stopper_blocking=False,
            startup=args.initial_state == "record",
        )
        agent.register_process(
            "aggregate", self.aggregate, self.stop_recording, stopper_blocking=False
        )
        agent.register_task("subscribe", self.subscribe, blocking=False)
        agent.connection.subscribe(
            f"{root}..feeds.", self._receive, match="wildcard", with_topic=True
        )
        # Before the operations are ended: a restart is no wish to miss anything.
        agent.reactor.addSystemEventTrigger("before", "shutdown", self._leave)

    @property
    def data_dir(self) -> Path:
        """Where to record unless a request says otherwise."""
        return Path(self._args.data_dir or DEFAULT_DATA_DIR)

    # -- operations -------------------------------------------------------------------------

    @param("test_mode", default=False, type=bool)
    def record(self, session: OpSession, params: Mapping[str, Any]) -> tuple[bool, str]:
        """record(test_mode=False)

        **Process** - Record every feed that is to be recorded, until stopped.

        Parameters:
            test_mode (bool): End after one round.

        Notes:
            The session's data::

                >>> response.session['data']
                {'current_file': '/data/17953/1795382594.g3',
                 'providers': {'observatory.faker2.feeds.false_temperatures': {
                     'last_refresh': 1795382767.6, 'sessid': '1795382626.2882693',
                     'stale': False, 'last_block_received': 'temps'}},
                 'problem': None, 'counts': {...}, 'quarantine': {}, 'gaps': {}, ...}
        """
        return self._record(
            session,
            "record",
            self.data_dir,
            self._args.time_per_file,
            DEFAULT_FRAME_LENGTH_S,
            test_mode=params["test_mode"],
        )

    @param("time_per_file", default=None, type=float, check=lambda value: 0 < value < math.inf)
    @param("time_per_frame", default=None, type=float, check=lambda value: 0 < value < math.inf)
    @param("data_dir", default=None, type=str)
    def aggregate(self, session: OpSession, params: Mapping[str, Any]) -> tuple[bool, str]:
        """aggregate(time_per_file=None, time_per_frame=None, data_dir=None)

        **Process** - The same as ``record``, under its name of 2019.

        Parameters:
            time_per_file (float): Age in s at which a file is closed (default: the agent's).
            time_per_frame (float): Seconds after which a frame is written, for feeds that do
                not say so themselves (default: 300).
            data_dir (str): Where to record; only if neither the command line nor the site
                configuration names a directory.
        """
        data_dir = self.data_dir
        wanted = params["data_dir"]
        if wanted is not None and self._args.data_dir is None:
            data_dir = Path(wanted)
        elif wanted is not None and Path(wanted).absolute() != data_dir.absolute():
            session.add_message(
                f"data_dir {wanted!r} is ignored: this aggregator records into "
                f"{data_dir.absolute()} (--data-dir)"
            )
        return self._record(
            session,
            "aggregate",
            data_dir,
            params["time_per_file"] or self._args.time_per_file,
            params["time_per_frame"] or DEFAULT_FRAME_LENGTH_S,
        )

    @param("agent_address", type=str)
    @param("feed_name", type=str)
    async def subscribe(self, session: OpSession, params: Mapping[str, Any]) -> tuple[bool, str]:
        """subscribe(agent_address, feed_name)

        **Task** - Accepted for scripts of 2019: all feeds are subscribed anyway.

        Parameters:
            agent_address (str): ``<root>.<instance>``.
            feed_name (str): Name of the feed.
        """
        agent_address, feed_name = params["agent_address"], params["feed_name"]
        root = self._args.address_root
        instance = agent_address.removeprefix(f"{root}.")
        if instance in ("", agent_address) or "." in instance:
            return False, f"{agent_address!r} is no agent address: expected {root}.INSTANCE"
        if not feed_name or "." in feed_name:
            return False, f"{feed_name!r} is no feed name: it must not be empty or have a dot"
        text = f"{agent_address}.feeds.{feed_name} is subscribed, as every feed under {root} is"
        if self._reception is None:
            text += "; nothing is recorded until record or aggregate is started"
        session.add_message(text)
        return True, text

    def stop_recording(
        self,
        session: OpSession,
        params: Any,  # noqa: ARG002 - a stopper gets what the request had
    ) -> tuple[bool, str]:
        """Ask a recording to end: what is held gets written first."""
        session.set_status("stopping")
        if session.op_name == self._activity:
            self._stopping.set()
            self._wake.set()
        return True, "Stopping: writing what is held"

    def recover(self) -> None:
        """Put on disk what an interrupted recording left in the journal.

        Called at start if recording does not begin at once: files must not stay torn, nor
        samples wait, until somebody asks for a recording.
        """
        if not (self.data_dir / JOURNAL_NAME).exists():
            return
        try:
            recorder = Recorder(self.data_dir, clock=self._clock)
        except (JournalError, JournalUnavailable) as error:
            self.agent.log.error("{why}", why=error)
            return
        with contextlib.closing(recorder):
            recorder.finish(forget_positions=not recorder.resumed)

    # -- the writer thread ------------------------------------------------------------------

    def _record(
        self,
        session: OpSession,
        name: str,
        data_dir: Path,
        time_per_file_s: float,
        frame_length_s: float,
        *,
        test_mode: bool = False,
    ) -> tuple[bool, str]:
        if not self._one_at_a_time.acquire(blocking=False):
            return False, f"{self._activity!r} is recording already; stop it first"
        try:
            self._activity = name
            self._stopping.clear()
            recorder = self._open(session, data_dir, time_per_file_s, frame_length_s)
            if recorder is None:
                return True, "Stopped before anything could be recorded"
            with contextlib.closing(recorder):
                return self._run(session, recorder, test_mode=test_mode)
        except JournalError as error:
            return False, str(error)
        finally:
            self._activity = ""
            self._one_at_a_time.release()

    def _open(
        self, session: OpSession, data_dir: Path, time_per_file_s: float, frame_length_s: float
    ) -> Recorder | None:
        """Make the recorder; keep trying while the disk does not let us. None if stopped."""
        told = ""
        while _going_on(session):
            try:
                recorder = Recorder(
                    data_dir,
                    time_per_file_s=time_per_file_s,
                    default_frame_length_s=frame_length_s,
                    clock=self._clock,
                )
            except JournalUnavailable as error:
                session.degraded = True
                session.data = {"current_file": None, "providers": {}, "problem": str(error)}
                if str(error) != told:
                    told = str(error)
                    session.add_message(f"{told} It is tried again every second.")
                self._stopping.wait(PERIOD_S)
            else:
                session.add_message(f"Recording into {recorder.data_dir}")
                return recorder
        return None

    def _run(self, session: OpSession, recorder: Recorder, *, test_mode: bool) -> tuple[bool, str]:
        reception: Reception = blockingCallFromThread(
            self.agent.reactor, self._begin_reception, recorder
        )
        watch = SessionWatch(session, self._clock)
        try:
            while _going_on(session):
                recorder.cycle(reception.take())
                watch.report(recorder, reception)
                if test_mode:
                    break
                self._pause(hurry=not recorder.problem)
        finally:
            keep = self._leaving
            blockingCallFromThread(self.agent.reactor, self._end_reception, reception, keep)
        recorder.cycle(reception.take())
        complete = recorder.finish(forget_positions=not keep)
        watch.report(recorder, reception)
        if complete:
            return True, "Stopped recording; everything is written"
        if not recorder.unjournaled:
            return True, f"Stopped. {recorder.problem} The journal has it for the next recording."
        return False, (
            f"Stopped with {recorder.unjournaled} messages in neither file nor journal. "
            f"{recorder.problem}"
        )

    def _pause(self, *, hurry: bool) -> None:
        """Wait until there is something to do: a message, a second gone by, or a stop."""
        if not hurry:
            self._stopping.wait(PERIOD_S)
            return
        if self._wake.wait(PERIOD_S):
            self._stopping.wait(GATHER_S)
            self._wake.clear()

    # -- the reactor's thread ---------------------------------------------------------------

    def _begin_reception(self, recorder: Recorder) -> Reception:
        self._reception = Reception(
            self.agent.connection,
            positions=recorder.positions,
            resumed=recorder.resumed,
            started=self._clock(),
            held_bytes=lambda: recorder.held_bytes,
            limit_bytes=MEMORY_LIMIT_BYTES,
            arrived=self._wake,
            clock=self._clock,
        )
        return self._reception

    def _end_reception(self, reception: Reception, keep: bool) -> None:
        reception.end(release=not keep)
        self._reception = None

    def _receive(self, topic: str, event: Any = None, *_: Any) -> None:
        if self._reception is not None:
            self._reception.receive(topic, event)

    def _leave(self) -> None:
        self._leaving = True


def _going_on(session: OpSession) -> bool:
    return session.status in ("starting", "running")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return value


def make_parser(parser: argparse.ArgumentParser | None = None) -> argparse.ArgumentParser:
    """Add the Aggregator's options to a parser."""
    if parser is None:
        parser = argparse.ArgumentParser(description="Run the Aggregator Agent.")
    group = parser.add_argument_group("Agent Options")
    group.add_argument(
        "--data-dir",
        metavar="DIR",
        help="directory of the .g3 files and of the journal (default: data, or what a request "
        "to 'aggregate' names)",
    )
    group.add_argument(
        "--initial-state",
        choices=["idle", "record"],
        default="idle",
        help="whether to record from the start (default: idle)",
    )
    group.add_argument(
        "--time-per-file",
        metavar="SECONDS",
        type=_seconds,
        default=DEFAULT_TIME_PER_FILE_S,
        help="age at which a file is closed (default: 3600)",
    )
    return parser


def main(args: Sequence[str] | None = None) -> None:
    """Run the Aggregator."""
    parsed = site_config.parse_args("AggregatorAgent", make_parser(), args)
    agent, runner = init_site_agent(parsed)
    if parsed.time_per_file > READABLE_TIME_PER_FILE_S:
        agent.log.warn(
            "--time-per-file {given}: readers look for samples in files of the two hours "
            "around a time; later ones in a longer file are not found",
            given=parsed.time_per_file,
        )
    aggregator = AggregatorAgent(agent, parsed)
    if parsed.initial_state == "idle":
        aggregator.recover()
    runner.run(agent)


if __name__ == "__main__":
    main()
