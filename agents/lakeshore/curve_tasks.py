"""What the curve tasks of both Agents do; each Agent adds its own names and checks."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.lakeshore.curve_files import read_curve, write_340
from agents.lakeshore.curve_transfer import CurveTransfer, Progress
from agents.lakeshore.curves import CurveLocations, CurveUnfit
from agents.lakeshore.link import InstrumentLink
from agents.lakeshore.messages import InstrumentError
from ocs.ocs_agent import OpSession

__all__ = ["CurveTasks", "TransferRunning"]


class TransferRunning(InstrumentError):
    """Another curve is being moved to or from this instrument; nothing was done.

    Wait for its end, or abort it.
    """


class CurveTasks:
    """Curve tasks of one instrument, one at a time, each of which can be aborted.

    While one runs, ``session.data`` is
    ``{"location": 21, "phase": "writing", "done": 17, "total": 150}``.

    Args:
        link: the instrument.
        where: where it keeps curves.
    """

    def __init__(self, link: InstrumentLink, where: CurveLocations) -> None:
        self._link = link
        self._where = where
        self._running = threading.Lock()
        self._cancel = threading.Event()

    def abort(self, session: OpSession, _params: object) -> tuple[bool, str]:
        """End a transfer early; a location that is being written is emptied."""
        session.set_status("stopping")
        self._cancel.set()
        return True, "Asked the transfer to end."

    def check(self, location: int, filename: str, *, overwrite: bool) -> str:
        """Check all that can be checked before an upload, and change nothing.

        Returns:
            A sentence about what would be done.

        Raises:
            InstrumentError: as `upload`.
        """
        curve = read_curve(Path(filename).expanduser())
        with self._transfer() as transfer:
            present = transfer.require_writable(location, curve, overwrite=overwrite)
        return (
            f"{filename} is fit: {curve.header.name!r}, {len(curve.points)} points, "
            f"{curve.points[0].units:g} to {curve.points[-1].units:g}. "
            f"{self._where.title(location)} holds {present}. Nothing was changed."
        )

    def upload(self, session: OpSession, location: int, filename: str, *, overwrite: bool) -> str:
        """Write the curve of a file, and read it back.

        Args:
            session: gets the progress.
            location: where to.
            filename: a file that the Agent can read; see `curve_files`.
            overwrite: whether another curve may be lost by it.

        Returns:
            A sentence about what was done.

        Raises:
            TransferRunning: another one has not ended.
            InstrumentError: see `CurveTransfer.write`.
        """
        curve = read_curve(Path(filename).expanduser())
        with self._transfer(_telling(session, location)) as transfer:
            return transfer.write(location, curve, overwrite=overwrite)

    def download(self, session: OpSession, location: int, filename: str) -> str:
        """Write the curve of a location to a new ``.340`` file.

        Raises:
            TransferRunning: another one has not ended.
            CurveFileError: the file exists, or cannot be written.
            CurveUnfit: the location is empty.
            InstrumentError: see `CurveTransfer.read`.
        """
        path = Path(filename).expanduser()
        with self._transfer(_telling(session, location)) as transfer:
            curve = transfer.read(location)
        if not curve.points:
            raise CurveUnfit(f"{self._where.title(location)} holds no curve; no file was written.")
        write_340(path, curve)
        return f"{len(curve.points)} points of {curve.header.name!r} are in {path}."

    def delete(self, session: OpSession, location: int) -> str:
        """Empty a location.

        Raises:
            TransferRunning: another one has not ended.
            InstrumentError: see `CurveTransfer.delete`.
        """
        with self._transfer(_telling(session, location)) as transfer:
            return transfer.delete(location)

    @contextmanager
    def _transfer(
        self, on_progress: Callable[[Progress], None] | None = None
    ) -> Iterator[CurveTransfer]:
        if not self._running.acquire(blocking=False):
            raise TransferRunning(
                "Another curve is being moved to or from this instrument. Wait for its end, or "
                "abort it."
            )
        try:
            # An event of its own: an abort that came too late must not end the next transfer.
            self._cancel = threading.Event()
            yield CurveTransfer(
                self._link, self._where, on_progress=on_progress, cancel=self._cancel
            )
        finally:
            self._running.release()


def _telling(session: OpSession, location: int) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        session.data = {
            "location": location,
            "phase": progress.phase,
            "done": progress.done,
            "total": progress.total,
        }

    return tell
