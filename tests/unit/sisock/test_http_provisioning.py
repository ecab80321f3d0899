"""Grafana's provisioning as it is committed: from one description, and readable by the probe."""

import importlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
GRAFANA = ROOT / "docker" / "grafana"
DIALECTS = ("current", "legacy")
BOARDS = ("lakeshore-240", "lakeshore-372", "system", "weather")


@pytest.fixture(scope="module")
def probe_files() -> Any:
    sys.path.insert(0, str(GRAFANA))
    try:
        return importlib.import_module("probe_files")
    finally:
        sys.path.remove(str(GRAFANA))


def board(dialect: str, uid: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        (GRAFANA / dialect / "dashboards" / f"{uid}.json").read_text()
    )
    return loaded


def test_the_dashboards_are_what_the_tool_writes() -> None:
    command = [sys.executable, str(ROOT / "tools" / "make_dashboards.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("dialect", DIALECTS)
def test_four_dashboards(dialect: str) -> None:
    paths = sorted((GRAFANA / dialect / "dashboards").glob("*.json"))
    assert tuple(path.stem for path in paths) == BOARDS
    for uid in BOARDS:
        model = board(dialect, uid)
        assert (model["id"], model["uid"]) == (None, uid)
        assert "__inputs" not in model
        ids = [panel["id"] for panel in model["panels"]]
        assert len(set(ids)) == len(ids)
    weather = board(dialect, "weather")["time"]
    assert (weather["from"][:10], weather["to"][:10]) == ("2017-07-13", "2017-07-28")


@pytest.mark.parametrize(
    ("dialect", "plot", "value"),
    [("current", "timeseries", "stat"), ("legacy", "graph", "singlestat")],
)
def test_the_372_as_in_the_seed(dialect: str, plot: str, value: str) -> None:
    """Eight channels left, seven right, fifteen values below them."""
    panels = board(dialect, "lakeshore-372")["panels"]
    left, right, *below = panels
    assert (left["type"], len(left["targets"])) == (plot, 8)
    assert (right["type"], len(right["targets"])) == (plot, 7)
    assert left["gridPos"]["x"] < right["gridPos"]["x"]
    assert left["gridPos"]["y"] == right["gridPos"]["y"] == 0
    values = [panel for panel in below if panel["type"] == value]
    assert len(values) == 15
    assert all(panel["gridPos"]["y"] >= left["gridPos"]["h"] for panel in values)
    assert all("channel_" in json.dumps(panel["targets"]) for panel in values)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("uid", BOARDS)
def test_no_panel_covers_another(dialect: str, uid: str) -> None:
    cells: Counter[tuple[int, int]] = Counter()
    for panel in board(dialect, uid)["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells.update(
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        )
    assert set(cells.values()) == {1}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_both_dialects_ask_for_the_same_fields(dialect: str) -> None:
    def fields(uid: str) -> list[str]:
        targets = [t for panel in board(dialect, uid)["panels"] for t in panel["targets"]]
        if dialect == "legacy":
            return [target["target"] for target in targets if target["target"] != "nodes"]
        params = [p for target in targets for p in target["url_options"]["params"]]
        return [p["value"].replace("${node}", "$node") for p in params if p["key"] == "target"]

    channels = [f"$node::channel_{n:02d}" for n in range(1, 16)]
    kelvin, ohm = ([f"{stem}_{q}" for stem in channels] for q in "tr")
    assert fields("lakeshore-372") == kelvin + kelvin + ohm + ["$node::.*_t"]
    assert fields("system") == ["sensors::.*"]


@pytest.mark.parametrize("path", sorted(GRAFANA.glob("*/provisioning/*/*.yaml")), ids=str)
def test_the_probe_reads_yaml_as_grafana_does(path: Path, probe_files: Any) -> None:
    text = path.read_text()
    assert probe_files.read_yaml(text) == yaml.safe_load(text)


def test_what_the_probe_does_not_read_it_says(probe_files: Any) -> None:
    for text in ("a: 1\n  b: 2\n", "just words\n"):
        with pytest.raises(probe_files.Unusable, match="cannot read this YAML"):
            probe_files.read_yaml(text)
