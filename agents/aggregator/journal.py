"""The journal: what was received and is not yet in a `.g3` file, in one SQLite database.

``<data_dir>/journal/journal.sqlite``. Messages are committed here before anything else is done
with them. Once their frames are on disk, one transaction drops them and stores how long the
file is now. So at any moment the samples of a message are in the journal, or in the file below
its stored length, and never in both.

The database runs in WAL mode with ``synchronous=FULL``: a commit is on the disk when it returns.
(``NORMAL`` would not do: a power cut could undo the change to a new file and leave that file
behind, its samples journaled once more.) A killed process loses what had not been committed,
some tenths of a second of messages; so does a power cut. Agents that number their messages are
asked for those again.

The exclusive lock that SQLite holds while the journal is open keeps a second aggregator out.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgpack
import numpy as np

from agents.aggregator.messages import BlockData, Column, FeedMessage, kind_of
from ocs.errors import OcsError

__all__ = [
    "CurrentFile",
    "Journal",
    "JournalError",
    "JournalInUse",
    "JournalUnavailable",
    "UndecodableMessage",
    "decode_message",
    "encode_message",
]

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE message (id INTEGER PRIMARY KEY, payload BLOB NOT NULL);
CREATE TABLE position (
    id INTEGER PRIMARY KEY, address TEXT NOT NULL, session_id TEXT NOT NULL,
    next_seq INTEGER NOT NULL, UNIQUE (address, session_id));
CREATE TABLE file (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    path TEXT NOT NULL, length INTEGER NOT NULL, head BLOB NOT NULL);
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    recording INTEGER NOT NULL, last_session_s INTEGER NOT NULL);
INSERT INTO state VALUES (1, 0, 0);
"""

IN_USE_PATIENCE_S = 2.0
"""A predecessor that is just ending, or a second copy that is just looking, may hold the lock."""

SESSIONS_KEPT = 4
"""Sessions of a feed whose positions are kept: messages of an ended one may still be under way."""

_FORGET_OLD_SESSIONS = """
DELETE FROM position WHERE id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER (PARTITION BY address ORDER BY id DESC) AS age FROM position)
    WHERE age > ?)
"""

_NUMBERS = {"float": "<f8", "int": "<i8", "bool": "|b1"}


class JournalError(OcsError):
    """The journal must not be used as it is; recording is refused.

    The message names the file and the remedy.
    """


class JournalInUse(JournalError):
    """Another aggregator records into the same data directory."""


class JournalUnavailable(OcsError):
    """The journal cannot be used just now, a full disk say; what it holds is untouched."""


class UndecodableMessage(OcsError):
    """A journaled message is not what we wrote."""


@attrs.frozen
class CurrentFile:
    """The file written last.

    Attributes:
        path: Relative to the data directory.
        length: Bytes of it that count; whatever is behind them is also in the journal.
        head: Its first bytes, to know it again.
    """

    path: str
    length: int
    head: bytes


class Journal:
    """The journal of one data directory, for one thread.

    Args:
        path: The database; made if there is none.

    Raises:
        JournalInUse: Another process (or recorder) has it open.
        JournalError: It is damaged, or was written by a later version.
        JournalUnavailable: It cannot be opened just now.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JournalUnavailable(
                f"cannot make the journal's folder {path.parent}: {error.strerror}. "
                "Check the data directory and its permissions."
            ) from error
        with self._opening():
            self._db = sqlite3.connect(path, timeout=IN_USE_PATIENCE_S, isolation_level=None)
        try:
            with self._opening():
                self._open()
        except BaseException:
            self._db.close()
            raise
        self._next_id = self._one("SELECT coalesce(max(id), -1) + 1 FROM message")

    def close(self) -> None:
        """Close the journal and let others have it."""
        self._db.close()

    # -- what it holds ----------------------------------------------------------------------

    def messages(self) -> list[tuple[int, FeedMessage]]:
        """Return id and content of every message held, oldest first.

        Raises:
            JournalError: The journal is damaged.
        """
        with self._opening():
            rows = self._db.execute("SELECT id, payload FROM message ORDER BY id")
            return [(message_id, decode_message(payload)) for message_id, payload in rows]

    def __len__(self) -> int:
        return int(self._one("SELECT count(*) FROM message"))

    def positions(self) -> dict[tuple[str, str], int]:
        """Return the number of the next message of each (feed address, session).

        Of several sessions of a feed the one heard of last comes last.
        """
        rows = self._db.execute("SELECT address, session_id, next_seq FROM position ORDER BY id")
        return {(address, session_id): seq for address, session_id, seq in rows}

    def current_file(self) -> CurrentFile | None:
        """Return the file written last.

        Raises:
            JournalUnavailable: It could not be read.
        """
        with self._transaction():
            row = self._db.execute("SELECT path, length, head FROM file").fetchone()
        return CurrentFile(*row) if row is not None else None

    def was_recording(self) -> bool:
        """Tell whether recording was not ended by `end_recording`."""
        return bool(self._one("SELECT recording FROM state"))

    # -- the steps of a recording -----------------------------------------------------------

    def begin_recording(self, now: float) -> float:
        """Note that recording goes on from `now` (Unix s).

        Returns:
            The start time of the archive's new session: `now`, or a second behind the last
            session's if that is later, as the whole second names the session.

        Raises:
            JournalUnavailable: It could not be noted.
        """
        with self._transaction():
            start = max(now, float(self._one("SELECT last_session_s FROM state") + 1))
            self._db.execute("UPDATE state SET recording = 1, last_session_s = ?", [int(start)])
            self._db.execute(_FORGET_OLD_SESSIONS, [SESSIONS_KEPT])
        return start

    def end_recording(self) -> None:
        """Note that nobody wants what is published from now on; positions are forgotten.

        Raises:
            JournalUnavailable: It could not be noted.
        """
        with self._transaction():
            self._db.execute("UPDATE state SET recording = 0")
            self._db.execute("DELETE FROM position")

    def add(self, messages: Sequence[FeedMessage]) -> list[int]:
        """Store messages and move the positions behind them.

        Returns:
            Their ids, in order. Messages without blocks only move the position.

        Raises:
            JournalUnavailable: Nothing was stored.
        """
        ids = list(range(self._next_id, self._next_id + len(messages)))
        positions = {(m.address, m.session_id): m.seq + 1 for m in messages if m.seq is not None}
        with self._transaction():
            # Replace: a commit that reported an error may have taken place all the same.
            self._db.executemany(
                "INSERT OR REPLACE INTO message VALUES (?, ?)",
                [(i, encode_message(m)) for i, m in zip(ids, messages, strict=True) if m.blocks],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO position (address, session_id, next_seq) VALUES (?, ?, ?)",
                [(*key, next_seq) for key, next_seq in positions.items()],
            )
        self._next_id += len(messages)
        return ids

    def set_file(self, file: CurrentFile) -> None:
        """Name the file that is going to be written; to be called before it is made.

        Raises:
            JournalUnavailable: It could not be noted.
        """
        with self._transaction():
            self._store(file)

    def written(self, message_ids: Sequence[int], file: CurrentFile) -> None:
        """Drop messages whose samples are in `file` below its length.

        Raises:
            JournalUnavailable: It could not be noted. Ask `current_file` what holds.
        """
        with self._transaction():
            self._db.executemany("DELETE FROM message WHERE id = ?", [(i,) for i in message_ids])
            self._store(file)

    # -- inside -----------------------------------------------------------------------------

    def _store(self, file: CurrentFile) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO file VALUES (1, ?, ?, ?)", [file.path, file.length, file.head]
        )

    def _one(self, query: str) -> Any:
        return self._db.execute(query).fetchone()[0]

    def _open(self) -> None:
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        # In exclusive mode the first write takes the lock, and keeps it.
        self._db.execute("BEGIN EXCLUSIVE")
        version = self._one("PRAGMA user_version")
        if version == 0:
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._db.execute("COMMIT")
        if version > SCHEMA_VERSION:
            raise JournalError(
                f"{self.path} was written by a later version (journal {version}, known is "
                f"{SCHEMA_VERSION}): run that version, or let it finish and stop recording there."
            )
        if (found := self._one("PRAGMA quick_check(1)")) != "ok":
            raise sqlite3.DatabaseError(found)

    @contextlib.contextmanager
    def _opening(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise JournalInUse(
                    f"{self.path} is in use: another aggregator records into this data directory. "
                    "Stop that one, or record into another directory (--data-dir)."
                ) from error
            raise JournalUnavailable(
                f"cannot open the journal {self.path}: {error}. Check that the folder can be "
                "written by this user and that its disk is not full."
            ) from error
        except (sqlite3.DatabaseError, UndecodableMessage) as error:
            raise JournalError(
                f"the journal {self.path} is damaged ({error}). Move it aside together with "
                "the file of the same name ending in -wal, and start again; of what it held, "
                "agents that keep a history are asked for the last hour."
            ) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise JournalUnavailable(f"cannot write the journal {self.path}: {error}") from error
        finally:
            if self._db.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")


def encode_message(message: FeedMessage) -> bytes:
    """Pack a message; columns of numbers as their bytes, little-endian."""
    blocks = [
        [b.name, b.times.astype("<f8").tobytes(), [_packed(f, c) for f, c in b.columns.items()]]
        for b in message.blocks
    ]
    packed: bytes = msgpack.packb(
        [
            message.address,
            message.session_id,
            message.seq,
            message.received,
            message.frame_length_s,
            message.fresh_time_s,
            blocks,
        ]
    )
    return packed


def decode_message(payload: bytes) -> FeedMessage:
    """Return what `encode_message` packed.

    Raises:
        UndecodableMessage: `payload` comes from elsewhere.
    """
    try:
        address, session_id, seq, received, frame_length_s, fresh_time_s, blocks = msgpack.unpackb(
            payload
        )
        return FeedMessage(
            address=address,
            session_id=session_id,
            seq=seq,
            received=received,
            frame_length_s=frame_length_s,
            fresh_time_s=fresh_time_s,
            blocks=tuple(
                BlockData(
                    name,
                    np.frombuffer(times, "<f8").astype(np.float64),
                    {field: _unpacked(kind, content) for field, kind, content in columns},
                )
                for name, times, columns in blocks
            ),
        )
    except (msgpack.UnpackException, ValueError, TypeError, KeyError) as error:
        raise UndecodableMessage(f"a message in it cannot be read: {error}") from error


def _packed(field: str, column: Column) -> list[Any]:
    kind = kind_of(column)
    if isinstance(column, np.ndarray):
        return [field, kind, column.astype(_NUMBERS[kind]).tobytes()]
    return [field, kind, column]


def _unpacked(kind: str, content: Any) -> Column:
    if kind == "str":
        return list(content)
    return np.frombuffer(content, _NUMBERS[kind]).astype(np.dtype(_NUMBERS[kind]).newbyteorder("="))
