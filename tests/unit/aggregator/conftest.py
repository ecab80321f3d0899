"""What the Aggregator's unit tests share: a feed's messages, and a reader that is not ours."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import so3g  # noqa: F401 - before spt3g, or the interpreter crashes
from spt3g import core

ADDRESS = "observatory.LSA23JD.feeds.temperatures"


class Archive:
    """All frames under a data directory, checked against the rules readers rely on."""

    def __init__(self, data_dir: Path) -> None:
        self.files = sorted(data_dir.glob("[0-9]*/*.g3"))
        self.samples: dict[str, list[tuple[int, Any]]] = defaultdict(list)
        self.frames: list[Any] = []
        for path in self.files:
            self._read(path)

    def _read(self, path: Path) -> None:
        listed: set[int] = set()
        last: dict[tuple[int, str], int] = {}
        shapes: dict[tuple[int, str], Any] = {}
        kinds = []
        for frame in core.G3File(str(path)):
            self.frames.append(frame)
            assert frame.type == core.G3FrameType.Housekeeping
            assert frame["hkagg_version"] == 2
            kinds.append(frame["hkagg_type"])
            if kinds[-1] == 1:
                listed = {provider["prov_id"].value for provider in frame["providers"]}
            elif kinds[-1] == 2:
                assert frame["prov_id"] in listed
                assert len(frame["blocks"]) == len(frame["block_names"]) > 0
                for name, block in zip(frame["block_names"], frame["blocks"], strict=True):
                    key = (frame["prov_id"], name)
                    ticks = np.asarray(block.times).tolist()
                    assert ticks
                    assert ticks == sorted(ticks)
                    assert last.get(key, ticks[0]) <= ticks[0]
                    last[key] = ticks[-1]
                    columns = dict(block.items())
                    shape = {field: type(column) for field, column in columns.items()}
                    assert shapes.setdefault(key, shape) == shape
                    for field, column in columns.items():
                        self.samples[f"{frame['address']}.{name}.{field}"] += zip(
                            ticks, list(column), strict=True
                        )
        assert kinds[:2] in ([0, 1], [])


@pytest.fixture
def read() -> Callable[[Path], Archive]:
    return Archive


@pytest.fixture
def feed() -> Callable[..., dict[str, Any]]:
    """Makes the header of a feed's message."""

    def make(
        address: str = ADDRESS, session_id: str = "1700000000.5", **more: Any
    ) -> dict[str, Any]:
        agent_address, _, feed_name = address.rpartition(".feeds.")
        return {
            "agent_address": agent_address,
            "agg_params": {},
            "feed_name": feed_name,
            "address": address,
            "record": True,
            "session_id": session_id,
            "agent_class": "TestAgent",
            **more,
        }

    return make


@pytest.fixture
def block() -> Callable[..., dict[str, Any]]:
    """Makes a message of one block."""

    def make(times: list[float], name: str = "temps", **columns: Any) -> dict[str, Any]:
        return {name: {"block_name": name, "timestamps": times, "data": columns}}

    return make


class Clock:
    """A clock that goes when told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    yield Clock(1_700_000_000.0)
