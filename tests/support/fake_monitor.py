"""A stand-in for what the web application asks: nodes, fields and samples as a test wants them."""

from collections.abc import Mapping, Sequence

import numpy as np

from ocs.connection import ConnectionStatus
from sisock.http.answers import Series
from sisock.http.directory import FieldEntry, NodeDirectory, NodeView
from sisock.http.events import EventLog, NodeEvent
from sisock.http.facade import Unavailable
from sisock.http.monitor import Window
from sisock.series import FieldInfo, FieldList, TimelineInfo
from sisock.uris import join_name

__all__ = ["T0", "FakeMonitor"]

T0 = 1_800_000_000.0


class FakeMonitor:
    def __init__(self) -> None:
        self.log = EventLog()
        self.directory = NodeDirectory(on_change=self.log.note)
        self.status = ConnectionStatus("connected", T0 - 50, "joined")
        self.data: dict[str, Series] = {}
        self.windows: list[Window] = []
        self.unlisted: set[str] = set()
        self.unavailable = False

    def add(
        self, name: str, values: Sequence[object], times: Sequence[float] | None = None
    ) -> None:
        node, _, field = name.partition("::")
        self.directory.appeared(node, "about " + node, T0 - 40)
        column = np.array(values)
        if column.dtype.kind == "U":
            column = np.array(values, dtype=np.object_)
        at = T0 - 10 + np.arange(len(values), dtype=float) if times is None else np.array(times)
        self.data[name] = Series(name, at, column)
        view = self.directory.get(node)
        assert view is not None
        old = view.listing or FieldList({}, {})
        kind = {"O": "string", "b": "bool"}.get(column.dtype.kind, "number")
        listing = FieldList(
            {**old.fields, field: FieldInfo(None, field, kind, "K")},  # type: ignore[arg-type]
            {**old.timelines, field: TimelineInfo((field,), 1.0, float(at[-1]))},
        )
        self.directory.declared(node, listing, takes_max_points=True)

    def fail(self, name: str) -> None:
        self.data[name] = Series(name, error=f"{name} is broken", failed=True)

    def _check(self) -> None:
        if self.unavailable:
            raise Unavailable("the monitor is being stopped")

    def now(self) -> float:
        return T0

    def router(self) -> ConnectionStatus:
        return self.status

    def nodes(self) -> list[NodeView]:
        self._check()
        return self.directory.nodes()

    def fields(self, *, fresh: bool = True) -> list[FieldEntry]:
        self._check()
        return [e for e in self.directory.fields() if fresh or e.name not in self.unlisted]

    def fetch(
        self, wanted: Sequence[tuple[str, str]], window: Window
    ) -> Mapping[tuple[str, str], Series]:
        self._check()
        self.windows.append(window)
        found = {}
        for node, field in wanted:
            name = join_name(node, field)
            found[node, field] = self.data.get(name, Series(name, error=f"no {name}"))
        return found

    def events(self) -> list[NodeEvent]:
        return self.log.all()

    def latest(self) -> list[Series]:
        return [s for s in self.data.values() if s.times.size]
