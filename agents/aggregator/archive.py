"""The `.g3` files on disk: made under a name of their own, appended to, cut back.

``<data_dir>/<first five digits of the Unix time>/<Unix second>.g3``; a name that is taken is
never used again, the next second is (spec/hk-g3-format.md, sections 3 and 8).
"""

import contextlib
import os
from pathlib import Path

import attrs

__all__ = ["ArchiveFile", "Disk", "new_name", "restore"]


class Disk:
    """The calls to the operating system that writing a file takes.

    Tests replace it to see what is left of a write cycle that stops anywhere.
    """

    def make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, if they are not there."""
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            self._sync_folder(folder.parent)

    def create(self, path: Path) -> int:
        """Make a new, empty file; return its descriptor.

        Raises:
            FileExistsError: The name is taken.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o644)
        try:
            self._sync_folder(path.parent)
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        """Append all of `data`."""
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]

    def sync(self, descriptor: int) -> None:
        """Return once the file's content is on the disk itself."""
        os.fsync(descriptor)

    def cut(self, path: Path, length: int) -> None:
        """Cut a file back to `length` bytes, for good."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, length)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        os.close(descriptor)

    @staticmethod
    def _sync_folder(folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def new_name(data_dir: Path, now: float) -> Path:
    """Return the first name from `now` (Unix s) on that no file has."""
    second = int(now)
    while (path := data_dir / f"{second:05d}"[:5] / f"{second}.g3").exists():
        second += 1
    return path


@attrs.define(eq=False)
class ArchiveFile:
    """A file being written.

    Attributes:
        path: Where it is.
        opened: When it was made, Unix s.
        length: Bytes of it that are to stay; what is appended counts once kept.
    """

    path: Path
    opened: float
    _disk: Disk
    _descriptor: int
    length: int = 0
    _appended: int = 0

    @classmethod
    def create(cls, path: Path, now: float, disk: Disk) -> "ArchiveFile":
        """Make the file; its folder is there.

        Raises:
            FileExistsError: The name is taken.
            OSError: It cannot be made.
        """
        return cls(path, now, disk, disk.create(path))

    @property
    def end(self) -> int:
        """Length with what was appended since `keep`."""
        return self.length + self._appended

    def append(self, data: bytes) -> None:
        """Write at the end, down to the disk itself.

        Raises:
            OSError: It could not; some of `data` may be in the file.
        """
        self._disk.write(self._descriptor, data)
        self._disk.sync(self._descriptor)
        self._appended += len(data)

    def keep(self) -> None:
        """Count what was appended as part of the file."""
        self.length, self._appended = self.end, 0

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):  # everything that counts was synced before
            self._disk.close(self._descriptor)


def restore(path: Path, length: int, head: bytes, disk: Disk) -> str:
    """Cut a file back to the part of it that counts; a file of which nothing counts goes.

    Only a file that begins as ours did is touched.

    Args:
        path: The file.
        length: Bytes that count.
        head: What the file began with when we wrote it.
        disk: Does the cutting.

    Returns:
        What was done or found, for the log; empty if the file is as it should be.

    Raises:
        OSError: It cannot be read or cut.
    """
    try:
        with path.open("rb") as stream:
            found = stream.read(len(head))
            size = os.fstat(stream.fileno()).st_size
    except FileNotFoundError:
        return f"{path} is gone; {length} bytes were in it" if length else ""
    if not head.startswith(found):
        return f"{path} is not the file that was written under this name: left as it is"
    if size < length:
        return f"{path} has {size} bytes, {length} were written: left as it is"
    if length == 0:
        disk.remove(path)
        return f"removed {path}: its samples are written again"
    if size > length:
        disk.cut(path, length)
        return f"cut {path} back to {length} bytes: the {size - length} behind are written again"
    return ""
