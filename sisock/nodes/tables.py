"""Read text files of ``time value`` rows, also while somebody is still writing them.

Nothing here opens a file. The fast path is numpy's own parser; only a file that it refuses is gone
through line by line.
"""

import io
import re

import attrs
import numpy as np

from sisock.series import FloatArray

__all__ = ["Table", "complete_lines", "make_table", "parse_pairs"]

_NUMBER = rb"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_ROW = re.compile(
    rb"[ \t]*" + _NUMBER + rb"[ \t]+(?:" + _NUMBER + rb"|[-+]?(?:nan|inf))(?:[ \t].*)?\r?",
    re.IGNORECASE,
)
_BLANK_OR_COMMENT = re.compile(rb"[ \t\r]*(?:#.*)?")
_LATEST_TIME = 1e10  # year 2286: two torn lines run together make times far beyond


@attrs.frozen(eq=False)
class Table:
    """The rows of one file.

    Attributes:
        times: Unix times in seconds, ascending, shape (n,); not to be written to.
        values: Shape (n,); not to be written to.
        header: What the comment lines at the top say, where the format has any.
        refused: Number of lines that are no rows.
    """

    times: FloatArray
    values: FloatArray
    header: tuple[str, ...] = ()
    refused: int = 0

    @property
    def size_bytes(self) -> int:
        """Memory held by the rows, in bytes."""
        return self.times.nbytes + self.values.nbytes

    def rows(self, start: float, end: float) -> slice:
        """Return which rows lie in ``[start, end)`` (Unix seconds)."""
        low, high = np.searchsorted(self.times, (start, end), side="left")
        return slice(int(low), max(int(low), int(high)))


def complete_lines(data: bytes) -> bytes:
    """Return the lines that have their end: the last one may still be growing."""
    return data[: data.rfind(b"\n") + 1]


def parse_pairs(data: bytes) -> tuple[FloatArray, FloatArray, int]:
    """Read the first two columns of white-space separated rows.

    Args:
        data: Complete lines. Those that are blank or begin with ``#`` are passed over.

    Returns:
        First column, second column, and how many lines were no rows.
    """
    refused = 0
    try:
        pairs = _load(data)
    except ValueError:
        lines = data.split(b"\n")
        rows = [line for line in lines if _ROW.fullmatch(line)]
        refused = sum(
            not (_ROW.fullmatch(line) or _BLANK_OR_COMMENT.fullmatch(line)) for line in lines
        )
        pairs = _load(b"\n".join(rows))
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1]), refused


def _load(data: bytes) -> FloatArray:
    if not data.strip() or not _has_rows(data):
        return np.empty((0, 2))  # numpy warns of what holds no rows
    return np.loadtxt(
        io.BytesIO(data), dtype=np.float64, usecols=(0, 1), ndmin=2, encoding="latin-1"
    )


def _has_rows(data: bytes) -> bool:
    return re.search(rb"^[ \t]*[^#\s]", data, re.MULTILINE) is not None


def make_table(
    times: FloatArray, values: FloatArray, header: tuple[str, ...] = (), refused: int = 0
) -> Table:
    """Make a table of rows in any order; equal times stay in the order they came.

    Rows whose time cannot be one (not finite, not after 1970, beyond the year 2286) are refused.
    """
    good = (times > 0) & (times < _LATEST_TIME)  # False for NaN, too
    if not good.all():
        refused += int(times.size - np.count_nonzero(good))
        times, values = times[good], values[good]
    if times.size > 1 and (times[1:] < times[:-1]).any():
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    for array in (times, values):
        array.setflags(write=False)
    return Table(times, values, header, refused)
