"""Read, write and verify calibration curves on an instrument.

Works beside an acquisition: each message is an exchange of its own, readings come in between.
"""

import threading
from collections.abc import Callable
from typing import Literal

import attrs

from agents.lakeshore.curves import (
    MAX_POINTS,
    Curve,
    CurveHeader,
    CurveLocations,
    CurvePoint,
    CurveUnfit,
    six_digits,
)
from agents.lakeshore.link import InstrumentLink, Refused
from agents.lakeshore.messages import InstrumentError
from agents.lakeshore.transports import check

__all__ = ["CurveIncomplete", "CurveTransfer", "Progress"]

WRITE_ROUNDS = 3
"""How often points that read back otherwise are sent: a unit loses one now and then."""


class CurveIncomplete(InstrumentError):
    """A curve was being written when something went wrong.

    What the location gives now is no calibration: write it again.
    """


@attrs.frozen
class Progress:
    """How far a transfer is.

    Attributes:
        phase: what is being done.
        done: points of this phase that are done.
        total: points that this phase has at most.
    """

    phase: Literal["reading", "writing", "verifying"]
    done: int
    total: int


def _ignore(_progress: Progress) -> None:
    pass


class CurveTransfer:
    """Moves curves between an instrument and us.

    Args:
        link: the instrument.
        where: where it keeps curves.
        on_progress: called after each point; None if nobody wants to know.
        cancel: set by another thread to end a transfer early.
    """

    def __init__(
        self,
        link: InstrumentLink,
        where: CurveLocations,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        self._link = link
        self._where = where
        self._on_progress = on_progress or _ignore
        self._cancel = cancel or threading.Event()

    def read(self, location: int) -> Curve:
        """Return the curve of a location; one without points if it is empty.

        Raises:
            InstrumentError: see `InstrumentLink.ask`.
        """
        header = self._link.ask(self._where.header(location), self._cancel)
        points = []
        for index in range(1, MAX_POINTS + 1):
            point = self._link.ask(self._where.point(location, index), self._cancel)
            if not point.units and not point.kelvin:
                break
            points.append(point)
            self._on_progress(Progress("reading", index, MAX_POINTS))
        return Curve(header, tuple(points))

    def write(self, location: int, curve: Curve, *, overwrite: bool = False) -> str:
        """Store a curve and read it back.

        Args:
            location: where to.
            curve: what.
            overwrite: whether another curve may be lost by it.

        Returns:
            A sentence about what was done.

        Raises:
            CurveUnfit: the curve or the location is not fit, or is taken; nothing was changed.
            CurveIncomplete: writing began, but did not come to its end.
            InstrumentError: see `InstrumentLink.ask`; nothing was changed.
        """
        present = self.require_writable(location, curve, overwrite=overwrite)
        try:
            self._link.tell(self._where.delete(location), self._cancel)
            self._write_header(location, curve.header)
            self._write_points(location, curve)
        except InstrumentError as error:
            state = "is empty now" if self._empties(location) else "is incomplete"
            raise CurveIncomplete(
                f"{self._where.title(location)} {state}, write it again before it is used: {error}"
            ) from error
        return (
            f"{self._where.title(location)} holds {curve.header.name!r} with {len(curve.points)} "
            f"points, verified. Before, it held {present}."
        )

    def _empties(self, location: int) -> bool:
        """Try to leave no half curve: its temperatures would look like any others."""
        try:
            # Not to be cancelled: this is what a cancelled transfer ends with.
            left = self._link.change(self._where.delete(location), self._where.point(location, 1))
        except InstrumentError:
            return False
        return not left.units and not left.kelvin

    def require_writable(self, location: int, curve: Curve, *, overwrite: bool) -> str:
        """Check everything that can be checked without changing the unit.

        Returns:
            Words for what the location holds now.

        Raises:
            CurveUnfit: the curve or the location is not fit, or is taken.
            InstrumentError: see `InstrumentLink.ask`.
        """
        curve.require_fit(self._where.formats)
        self._where.require(location)
        present = self._link.ask(self._where.header(location), self._cancel)
        first = self._link.ask(self._where.point(location, 1), self._cancel)
        if not first.units and not first.kelvin:
            return "no curve"
        words = f"{present.name!r}, serial number {present.serial!r}"
        if not overwrite:
            raise CurveUnfit(
                f"{self._where.title(location)} holds {words}. Read it out first if it may be "
                "needed, and say overwrite to replace it."
            )
        return words

    def delete(self, location: int) -> str:
        """Empty a location.

        Raises:
            CurveUnfit: it cannot be written.
            Refused: it still holds a point.
            InstrumentError: see `InstrumentLink.ask`.
        """
        left = self._link.change(
            self._where.delete(location), self._where.point(location, 1), self._cancel
        )
        if left.units or left.kelvin:
            raise Refused(
                f"{self._where.title(location)} was to be emptied, but still holds points."
            )
        return f"{self._where.title(location)} is empty."

    def _write_header(self, location: int, header: CurveHeader) -> None:
        found = self._link.change(
            self._where.set_header(location, header), self._where.header(location), self._cancel
        )
        # The 372's own keyboard knows capitals only, and it says the coefficient by itself.
        wanted = header.name.upper(), header.serial, header.format
        if (found.name.upper(), found.serial, found.format) != wanted:
            raise Refused(f"It was given the header {header}, but has {found}.")

    def _write_points(self, location: int, curve: Curve) -> None:
        missing = list(range(1, len(curve.points) + 1))
        for _ in range(WRITE_ROUNDS):
            for done, index in enumerate(missing, start=1):
                self._link.tell(
                    self._where.set_point(location, index, curve.points[index - 1]), self._cancel
                )
                self._cancel.wait(self._where.pause_s)
                check(self._cancel)
                self._on_progress(Progress("writing", done, len(missing)))
            missing = self._differing(location, curve, missing)
            if not missing:
                return
        raise Refused(
            f"{self._where.title(location)} does not hold what was written: {len(missing)} points "
            f"read back otherwise after {WRITE_ROUNDS} rounds, the first of them point "
            f"{missing[0]}."
        )

    def _differing(self, location: int, curve: Curve, indices: list[int]) -> list[int]:
        differing = []
        for done, index in enumerate(indices, start=1):
            found = self._link.ask(self._where.point(location, index), self._cancel)
            if not _same(found, curve.points[index - 1]):
                differing.append(index)
            self._on_progress(Progress("verifying", done, len(indices)))
        return differing


def _same(found: CurvePoint, sent: CurvePoint) -> bool:
    return all(
        found_value is not None and six_digits(found_value) == six_digits(sent_value)
        for found_value, sent_value in (
            (found.units, sent.units),
            (found.kelvin, sent.kelvin),
            (found.curvature, sent.curvature),
        )
        if sent_value is not None
    )
