"""Watch a directory of data files, and keep what has been read of them.

A directory need not be there, nor stay: what is missing is said once, and looked for again. A file
is read when it is first needed, and again only when it has changed.
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import attrs
from twisted.logger import Logger

from sisock.nodes.tables import Table

__all__ = ["Directory", "Entry", "TableCache"]

log = Logger()

RESCAN_S = 2.0
CACHE_BYTES = 128 * 2**20  # eight million rows: a year of fifteen quantities, once a minute
LARGEST_FILE_BYTES = 256 * 2**20


@attrs.frozen
class Entry:
    """One file as it was when the directory was last looked at.

    Attributes:
        path: Where it is.
        size_bytes: How large it was.
        version: Changes whenever the file does (modification time, size, inode).
    """

    path: Path
    size_bytes: int
    version: tuple[int, int, int]


class Directory:
    """The files of one directory, sorted by name; not the hidden ones. Any thread may ask.

    Args:
        path: The directory; subdirectories are not entered.
        suffix: How the names of interest end.
        rescan_s: The directory is looked at this often at most, in seconds.
        clock: Gives seconds that only grow.
    """

    def __init__(
        self,
        path: Path,
        suffix: str,
        *,
        rescan_s: float = RESCAN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._suffix = suffix
        self._rescan_s = rescan_s
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: tuple[Entry, ...] = ()
        self._due = float("-inf")
        self._state = ""

    def entries(self) -> tuple[Entry, ...]:
        """Return the files; the very same tuple as long as nothing has changed."""
        with self._lock:
            now = self._clock()
            if now >= self._due:
                self._due = now + self._rescan_s
                found = self._scan()
                if found != self._entries:
                    self._entries = found
            return self._entries

    def _scan(self) -> tuple[Entry, ...]:
        try:
            with os.scandir(self.path) as listing:
                found = [
                    entry
                    for item in listing
                    if item.name.endswith(self._suffix)
                    and not item.name.startswith(".")
                    and (entry := _entry(item)) is not None
                ]
        except OSError as error:
            self._tell(f"cannot read {self.path}: {error.strerror}", trouble=True)
            return ()
        if found:
            self._tell(f"data files found in {self.path}")
        else:
            self._tell(f"no file *{self._suffix} in {self.path} yet", trouble=True)
        return tuple(sorted(found, key=lambda entry: entry.path.name))

    def _tell(self, state: str, *, trouble: bool = False) -> None:
        if state == self._state:
            return
        self._state = state
        if trouble:
            log.warn("{what}; looking again every {pause:g} s", what=state, pause=self._rescan_s)
        else:
            log.info("{what}", what=state)


def _entry(item: "os.DirEntry[str]") -> Entry | None:
    try:
        if not item.is_file():
            return None
        status = item.stat()
    except FileNotFoundError:  # gone since it was listed
        return None
    version = (status.st_mtime_ns, status.st_size, status.st_ino)
    return Entry(Path(item.path), status.st_size, version)


class TableCache:
    """The newest used tables, up to a limit of memory. Any thread may ask.

    Args:
        parse: Makes a table of a file's name and content; `ValueError` says that it is none.
        limit_bytes: Memory for tables; what was not used for longest is dropped first.
    """

    def __init__(
        self, parse: Callable[[str, bytes], Table], limit_bytes: int = CACHE_BYTES
    ) -> None:
        self._parse = parse
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._held: OrderedDict[Path, tuple[tuple[int, int, int], Table | None]] = OrderedDict()
        self._size_bytes = 0
        self._told: dict[Path, str] = {}

    @property
    def size_bytes(self) -> int:
        """Memory held by tables, in bytes."""
        with self._lock:
            return self._size_bytes

    def get(self, entry: Entry) -> Table | None:
        """Return the table of a file; None when it cannot be read (the log says why)."""
        with self._lock:
            held = self._held.get(entry.path)
            if held is not None and held[0] == entry.version:
                self._held.move_to_end(entry.path)
                return held[1]
        table = self._read(entry)
        with self._lock:
            self._drop(entry.path)
            self._held[entry.path] = (entry.version, table)
            self._size_bytes += table.size_bytes if table else 0
            while self._size_bytes > self._limit_bytes and len(self._held) > 1:
                self._drop(next(iter(self._held)))
        return table

    def _drop(self, path: Path) -> None:
        held = self._held.pop(path, None)
        if held is not None and held[1] is not None:
            self._size_bytes -= held[1].size_bytes

    def _read(self, entry: Entry) -> Table | None:
        if entry.size_bytes > LARGEST_FILE_BYTES:
            self._tell(
                entry.path,
                f"is left out: {entry.size_bytes} bytes are more than {LARGEST_FILE_BYTES}",
            )
            return None
        try:
            table = self._parse(entry.path.name, entry.path.read_bytes())
        except OSError as error:
            self._tell(entry.path, f"cannot be read: {error.strerror}")
            return None
        except ValueError as error:
            self._tell(entry.path, f"is left out: {error}")
            return None
        if table.refused:
            # Without the number, which grows with the file.
            self._tell(entry.path, "has lines that are no rows of numbers; they are left out")
        return table

    def _tell(self, path: Path, what: str) -> None:
        with self._lock:
            told = self._told.get(path)
            self._told[path] = what
        if told != what:
            log.warn("{path} {what}", path=path, what=what)
