"""Frames of housekeeping files (HK schema 2), as bytes. So3g does the encoding.

Layout: spec/hk-g3-format.md, sections 1 and 2.
"""

from typing import Any

import numpy as np

# so3g carries its own spt3g: imported the other way round, the interpreter crashes.
import so3g  # noqa: F401  (it puts its spt3g in place)
from numpy.typing import NDArray
from so3g import hk
from spt3g import core

from agents.aggregator.frames import DataFrame, Frame, StatusFrame
from agents.aggregator.messages import BlockData, Column, kind_of

__all__ = ["FrameEncoder", "ticks"]

HK_VERSION = 2
DESCRIPTION = "HK data"

_VECTORS = {
    "float": core.G3VectorDouble,
    "int": core.G3VectorInt,
    "bool": core.G3VectorBool,
    "str": core.G3VectorString,
}
_TICKS_PER_S = 100_000_000


def ticks(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Convert Unix times in s to counts of 10 ns, each the nearest to the time's exact value.

    Multiplying by 1e8 in double precision, as upstream does, is off by up to 16 counts.
    """
    seconds = np.floor(times)
    fraction = np.rint((times - seconds) * _TICKS_PER_S)
    return seconds.astype(np.int64) * _TICKS_PER_S + fraction.astype(np.int64)


class FrameEncoder:
    """Encodes the frames of one aggregator session.

    Args:
        start_time: When the session began, Unix s; its whole second names the session.
    """

    def __init__(self, start_time: float) -> None:
        self._helper = hk.HKSessionHelper(
            start_time=start_time, hkagg_version=HK_VERSION, description=DESCRIPTION
        )

    def session(self) -> bytes:
        """Return the session frame."""
        return _saved(self._helper.session_frame())

    def encode(self, frame: Frame) -> bytes:
        """Return a status or data frame as it stands in a file."""
        if isinstance(frame, StatusFrame):
            self._helper.provs = {
                prov_id: {"description": address} for prov_id, address in frame.providers
            }
            return _saved(self._helper.status_frame(timestamp=frame.timestamp))
        return _saved(self._data(frame))

    def _data(self, frame: DataFrame) -> Any:
        g3 = self._helper.data_frame(prov_id=frame.prov_id, timestamp=frame.timestamp)
        g3["address"] = frame.address
        g3["provider_session_id"] = frame.session_id
        for block in frame.blocks:
            g3["blocks"].append(_sample_map(block))
            g3["block_names"].append(block.name)
        return g3


def _sample_map(block: BlockData) -> Any:
    samples = core.G3TimesampleMap()
    samples.times = core.G3VectorTime(ticks(block.times))
    for field, column in block.columns.items():
        samples[field] = _vector(column)
    return samples


def _vector(column: Column) -> Any:
    # From numpy's buffers: a hundred times faster than from lists of Python numbers.
    return _VECTORS[kind_of(column)](column)


def _saved(frame: Any) -> bytes:
    """Return a frame's bytes, the same that G3Writer writes.

    We write them ourselves: so a full disk leaves us a file we can cut back, not a broken
    stream object.
    """
    _, content = frame.__getstate__()
    return bytes(content)
