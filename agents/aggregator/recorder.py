"""The write cycle: journal first, then frames, then the file, then the journal lets go.

Synchronous and without a reactor: the agent calls `Recorder.cycle` from one thread. The steps of
a cycle, and what a kill right after each of them leaves behind::

    1 journal.add(messages)       commit    they are replayed
    2 builder.add, builder.collect          they are replayed
    3 journal.set_file(new, 0)    commit    a name without a file
    4 create, append, fsync                 bytes behind the stored length: cut off, replayed
    5 journal.written(ids, length) commit   they are in the file, and not replayed

A disk that is full, or not writable, stops the cycle before the step that failed. Messages then
wait in memory or in the journal, and the next cycle tries again.
"""

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs
from twisted.logger import Logger

from agents.aggregator.archive import ArchiveFile, Disk, new_name, restore
from agents.aggregator.frames import DEFAULT_FRAME_LENGTH_S, Frame, FrameBuilder, StatusFrame
from agents.aggregator.hkg3 import FrameEncoder
from agents.aggregator.journal import CurrentFile, Journal, JournalUnavailable
from agents.aggregator.messages import BlockRefused, FeedMessage, MessageParser
from agents.aggregator.quarantine import Quarantine

__all__ = ["JOURNAL_NAME", "Arrival", "Recorder"]

log = Logger()

JOURNAL_NAME = Path("journal", "journal.sqlite")
DEFAULT_TIME_PER_FILE_S = 3600.0


@attrs.frozen
class Arrival:
    """A message as it came in, to be recorded; or a reason why it will not be.

    Attributes:
        message: Blocks by name.
        feed: The header.
        received: When it came, Unix s.
        refused: If not empty, the message goes to the quarantine account and nowhere else.
    """

    message: Any
    feed: dict[str, Any]
    received: float
    refused: str = ""


@attrs.frozen
class _Outgoing:
    """An encoded frame that waits to be written, and the messages it puts on disk."""

    content: bytes
    is_status: bool
    message_ids: tuple[int, ...] = ()
    samples: int = 0


class Recorder:
    """Records messages into the `.g3` files of one data directory.

    Making one recovers what an earlier recorder left when it was killed: its file is cut back to
    the length the journal knows, and journaled messages are taken up again.

    Args:
        data_dir: Where the five-digit folders and the journal are.
        time_per_file_s: A file older than this is closed.
        default_frame_length_s: For feeds that name none themselves.
        clock: Gives Unix time in seconds.
        disk: Does the writing.

    Attributes:
        data_dir: As given, absolute.
        problem: Why nothing can be written at the moment; empty if all is well.
        quarantine: What could not be stored.
        resumed: Whether an earlier recording was interrupted and this one goes on with it.
        positions: What came next of each (feed, session) when that recording was interrupted.

    Raises:
        JournalError: The journal is in use or damaged; nothing was changed.
        JournalUnavailable: The journal cannot be opened just now.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        time_per_file_s: float = DEFAULT_TIME_PER_FILE_S,
        default_frame_length_s: float = DEFAULT_FRAME_LENGTH_S,
        clock: Callable[[], float] = time.time,
        disk: Disk | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.problem = ""
        self.quarantine = Quarantine()
        self._time_per_file_s = time_per_file_s
        self._clock = clock
        self._disk = disk or Disk()
        self._parser = MessageParser()
        self._builder = FrameBuilder(default_frame_length_s=default_frame_length_s)
        self._waiting: list[FeedMessage] = []
        self._waiting_bytes = 0
        self._held: dict[int, int] = {}  # message id: bytes
        self._held_bytes = 0
        self._outgoing: list[_Outgoing] = []
        self._last_status: bytes | None = None
        self._file: ArchiveFile | None = None
        self._path: Path | None = None
        self._head = b""
        self._counts = {"messages": 0, "samples_written": 0, "frames_written": 0}
        self._renewed: dict[str, str] = {}
        # Whether the file may be longer than the journal knows.
        self._unsure = True
        self._journal = Journal(self.data_dir / JOURNAL_NAME)
        try:
            self._recover()
        except BaseException:
            self._journal.close()
            raise

    # -- the cycle --------------------------------------------------------------------------

    def cycle(self, arrivals: Iterable[Arrival] = ()) -> None:
        """Take what has come in, and write what is due.

        A disk that cannot be written is no error here: see `problem`.
        """
        for arrival in arrivals:
            self._take(arrival)
        try:
            self._mend()
            self._journal_waiting()
            self._encode(self._builder.collect(self._clock()))
            self._rotate()
            self._write()
        except (OSError, JournalUnavailable) as error:
            self._trouble(error)
        else:
            self._all_well()

    def finish(self, *, forget_positions: bool) -> bool:
        """Write everything held, and close the file.

        Args:
            forget_positions: Whether what is published from now on is not wanted. Else the next
                recorder asks for it.

        Returns:
            Whether everything is on disk now. If not, what is in the journal stays there for
            the next recorder; `unjournaled` counts what would be lost.
        """
        try:
            self._mend()
            self._journal_waiting()
            self._encode(self._builder.finish(self._clock()))
            self._write()
            if forget_positions:
                self._journal.end_recording()
        except (OSError, JournalUnavailable) as error:
            self._trouble(error)
            return False
        self._all_well()
        self._close_file()
        return True

    def close(self) -> None:
        """Let go of the file and the journal, as they are."""
        self._close_file()
        self._journal.close()

    # -- what it is doing -------------------------------------------------------------------

    @property
    def held_bytes(self) -> int:
        """Memory taken by samples that are not in a file yet, about; safe from any thread."""
        return self._waiting_bytes + self._held_bytes

    @property
    def unjournaled(self) -> int:
        """Messages in memory only, because the journal cannot be written."""
        return len(self._waiting)

    def report(self) -> dict[str, Any]:
        """Return session.data: upstream's keys, and ours."""
        return {
            "current_file": str(self._path) if self._path else None,
            "providers": self._builder.reports,
            "problem": self.problem or None,
            "counts": {
                **self._counts,
                "refused": self.quarantine.total,
                "held_messages": len(self._held),
                "held_bytes": self.held_bytes,
                "unjournaled": self.unjournaled,
            },
            "quarantine": self.quarantine.report(),
            "renewed_providers": dict(self._renewed),
        }

    # -- inside: coming in ------------------------------------------------------------------

    def _take(self, arrival: Arrival) -> None:
        address = str(arrival.feed.get("address"))
        if arrival.refused:
            self._refuse(address, "", arrival.refused)
            return
        try:
            parsed = self._parser.parse(arrival.message, arrival.feed, arrival.received)
        except BlockRefused as error:
            self._refuse(address, "", str(error))
            return
        for refusal in parsed.refusals:
            self._refuse(address, refusal.block, refusal.reason)
        self._counts["messages"] += 1
        self._waiting.append(parsed.message)
        self._waiting_bytes += parsed.message.size_bytes

    def _refuse(self, address: str, block: str, reason: str) -> None:
        if self.quarantine.refuse(address, block, reason, self._clock()):
            log.warn(
                "{address} {block}: not stored: {reason}",
                address=address,
                block=block,
                reason=reason,
            )

    def _journal_waiting(self) -> None:
        if not self._waiting:
            return
        ids = self._journal.add(self._waiting)
        messages, self._waiting, self._waiting_bytes = self._waiting, [], 0
        for message_id, message in zip(ids, messages, strict=True):
            self._hold(message_id, message)

    def _hold(self, message_id: int, message: FeedMessage) -> None:
        if message.blocks:
            self._held[message_id] = message.size_bytes
            self._held_bytes += message.size_bytes
        why = self._builder.add(message, message_id)
        if why is not None and self._renewed.get(message.address) != why:
            self._renewed[message.address] = why
            log.info("{address}: new prov_id: {why}", address=message.address, why=why)

    # -- inside: going out ------------------------------------------------------------------

    def _encode(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            if isinstance(frame, StatusFrame):
                self._outgoing.append(_Outgoing(self._encoder.encode(frame), is_status=True))
                continue
            try:
                content = self._encoder.encode(frame)
            except (RuntimeError, TypeError, ValueError) as error:
                # Whatever so3g has against one feed's frame, the others' are written.
                self._refuse(frame.address, "", f"so3g refused the frame: {error}")
                content = b""
            samples = sum(len(block.times) for block in frame.blocks) if content else 0
            self._outgoing.append(
                _Outgoing(content, is_status=False, message_ids=frame.message_ids, samples=samples)
            )

    def _rotate(self) -> None:
        if self._file and self._clock() - self._file.opened > self._time_per_file_s:
            self._close_file()

    def _write(self) -> None:
        """Put all frames that wait into the file and let the journal drop their messages."""
        if not self._outgoing:
            return
        content = [frame.content for frame in self._outgoing]
        if self._file is None:
            self._head = self._encoder.session()
            self._open_file()
            opening = [self._head]
            if self._last_status is not None and not self._outgoing[0].is_status:
                opening.append(self._last_status)
            content = opening + content
        if self._file is None:
            return
        self._unsure = True
        self._file.append(b"".join(content))
        ids = [i for frame in self._outgoing for i in frame.message_ids]
        self._journal.written(ids, self._as_journaled(self._file.path, self._file.end))
        self._written()

    def _open_file(self) -> None:
        now = self._clock()
        while self._file is None:
            path = new_name(self.data_dir, now)
            self._disk.make_folder(path.parent)
            self._journal.set_file(self._as_journaled(path, 0))
            self._unsure = True
            with contextlib.suppress(FileExistsError):  # somebody else's, made just now
                self._file = ArchiveFile.create(path, now, self._disk)
                self._path = path

    def _as_journaled(self, path: Path, length: int) -> CurrentFile:
        return CurrentFile(str(path.relative_to(self.data_dir)), length, self._head)

    def _written(self) -> None:
        """Everything that waited is in the file, and the journal knows."""
        self._unsure = False
        if self._file is not None:
            self._file.keep()
        for frame in self._outgoing:
            if frame.is_status:
                self._last_status = frame.content
            for message_id in frame.message_ids:
                self._held_bytes -= self._held.pop(message_id)
            self._counts["samples_written"] += frame.samples
        self._counts["frames_written"] += len(self._outgoing)
        self._outgoing.clear()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    # -- inside: putting right --------------------------------------------------------------

    def _recover(self) -> None:
        self.resumed = self._journal.was_recording()
        self.positions = self._journal.positions()
        self._encoder = FrameEncoder(self._journal.begin_recording(self._clock()))
        try:
            self._mend()
        except (OSError, JournalUnavailable) as error:
            self._trouble(error)
        messages = list(self._journal.messages())
        for message_id, message in messages:
            self._hold(message_id, message)
        if messages:
            log.info("took up {count} messages from the journal", count=len(messages))

    def _mend(self) -> None:
        """After a step that failed, or a kill: make the file what the journal says it is."""
        if not self._unsure:
            return
        known = self._journal.current_file()
        if (
            known is not None
            and self._file is not None
            and self._file.end > self._file.length
            and known == self._as_journaled(self._file.path, self._file.end)
        ):
            # The commit that reported an error had taken place.
            self._written()
            return
        self._close_file()
        if known is not None:
            done = restore(self.data_dir / known.path, known.length, known.head, self._disk)
            if done:
                log.warn("{done}", done=done)
        self._unsure = False

    def _trouble(self, error: Exception) -> None:
        why = self._why(error) if isinstance(error, OSError) else str(error)
        problem = f"{why}. Messages are kept, and it is tried again."
        if problem != self.problem:
            log.error("{problem}", problem=problem)
        self.problem = problem

    def _why(self, error: OSError) -> str:
        """Name the place without the file's name, which differs from attempt to attempt."""
        place = Path(error.filename) if error.filename else self.data_dir
        if place.suffix == ".g3":
            place = place.parent
        return f"cannot write into {place}: {error.strerror or error}"

    def _all_well(self) -> None:
        if self.problem:
            log.info("writing works again")
        self.problem = ""
