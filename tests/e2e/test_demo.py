"""The demo as a newcomer meets it: samples from the instrument to the query, the page, the file."""

import json
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from support.demo_run import INSTRUMENT, OUTPUT, DemoRun, read_truth, truth_entries

from ocs.testing import AgentProcess, wait_for


def test_every_published_sample_is_answered_once_with_its_exact_time_and_value(demo):
    began = time.time() - 3600
    wait_for(lambda: len(demo.published("Channel_05_T")) > 3, 20, "samples of channel 5")
    published = demo.published("Channel_05_T")
    last = published[-1][0]
    wait_for(lambda: demo.newest() >= last, 10, "the data node to have the same samples")
    points = demo.points("channel_05_t", began, last + 0.01)
    assert [value for value, _ in points[: len(published)]] == [value for _, value in published]
    for (_, milliseconds), (t, _) in zip(points, published, strict=False):
        # The nearest microsecond: float64 seconds are a quarter of one apart.
        assert abs(Decimal(milliseconds) / 1000 - Decimal(t)) < Decimal("0.7e-6")


def test_values_are_those_the_simulator_says_it_sent(demo):
    wait_for(demo.newest, 20, "a sample")
    published = {
        (channel, quantity): {
            value for _, value in demo.published(f"Channel_{channel:02d}_{quantity}")
        }
        for channel in (1, 8, 16)
        for quantity in "TR"
    }
    truth = read_truth(demo.directory)
    for key, values in published.items():
        assert values
        assert values <= truth[key]


def test_all_sixteen_channels_are_listed_and_move(demo):
    def listed() -> set[str]:
        return {entry["name"] for entry in demo.request("/api/v1/fields") or []}

    expected = {f"{INSTRUMENT}::channel_{n:02d}_{q}" for n in range(1, 17) for q in "tr"}
    wait_for(lambda: expected <= listed(), 30, "T and R of all channels")
    before = demo.newest()
    wait_for(lambda: demo.newest() > before + 1, 10, "newer samples")


@pytest.mark.browser
def test_the_live_page_draws_moving_curves_in_a_real_browser(demo, browser):
    OUTPUT.mkdir(exist_ok=True)
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{demo.http}/live")
    # The page's content policy allows no scripts but its own: attributes are looked at instead.
    body = page.locator("body")
    page.wait_for_selector("body[data-state=live]", timeout=30_000)
    wait_for(lambda: int(body.get_attribute("data-points") or 0) > 50, 30, "points")
    first = body.get_attribute("data-last-time")
    wait_for(lambda: body.get_attribute("data-last-time") != first, 15, "newer points")
    page.screenshot(path=OUTPUT / "live-demo.png")
    page.close()
    assert problems == []
    assert (OUTPUT / "live-demo.png").stat().st_size > 20_000


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"targets": []}, "range"),
        (
            {
                "range": {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
                "targets": [],
            },
            "range",
        ),
        ({"range": {"from": "yesterday", "to": "now"}, "targets": []}, "yesterday"),
    ],
)
def test_a_bad_query_gets_a_message_that_names_the_key(demo, body, words):
    result = subprocess.run(
        ["curl", "-s", "-w", "%{http_code}", "-d", json.dumps(body), f"{demo.http}/query"],
        capture_output=True,
        text=True,
        check=True,
    )
    text, status = result.stdout[:-3], int(result.stdout[-3:])
    assert 400 <= status < 500
    assert words in json.loads(text)["message"]
    assert demo.newest()


def test_an_unknown_field_is_an_empty_series_beside_a_good_one(demo):
    wait_for(demo.newest, 20, "a sample")
    now = time.time()
    assert demo.points("no_such_field", now - 60, now) == []
    wait_for(lambda: demo.points("channel_01_t", now - 60, time.time()), 15, "channel 1")


def test_a_port_in_use_is_named_before_anything_is_started(demo, tmp_path):
    second = AgentProcess(
        ["-m", "demo"],
        env={
            "DEMO_HTTP_PORT": demo.http.rpartition(":")[2],
            "DEMO_DATA_DIR": str(tmp_path / "second"),
        },
    ).start()
    assert second.wait() == 2
    assert "DEMO_HTTP_PORT" in second.output
    assert len(second.lines) == 1
    assert not (tmp_path / "second").exists()


def test_ctrl_c_stops_everything_in_five_seconds_and_the_archive_is_complete(tmp_path):
    with DemoRun(tmp_path) as demo:
        demo.wait_for_line("Live page:", 40)
        wait_for(lambda: len(demo.published("Channel_03_T")) > 3, 20, "samples of channel 3")
        published = demo.published("Channel_03_T")
        children = demo.children()
        assert len(children) == 8
        began = time.monotonic()
        demo.stop()
        assert time.monotonic() - began < 5
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert "Traceback" not in demo.output
    times, values = read_archive(
        tmp_path / "hk", f"observatory.{INSTRUMENT}.feeds.temperatures.Channel_03_T"
    )
    assert len(set(times)) == len(times)
    # So3g's reader gives times as float64 seconds, which are 0.24 microseconds apart.
    for t, value in published:
        (index,) = np.flatnonzero(np.abs(times - t) < 1e-6)
        assert values[index] == value
    # Also what came later, up to the end, is there: all but a reading that was under way.
    sent = [
        e["value"] for e in truth_entries(tmp_path) if (e["channel"], e["quantity"]) == (3, "T")
    ]
    assert [float(text) for text in sent[: len(values)]] == list(values)
    assert len(sent) - len(values) <= 1


def read_archive(data_dir: Path, field: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a field of all files with so3g's own reader, in a process of its own."""
    script = (
        "import sys, json, so3g.hk\n"
        "scanner = so3g.hk.HKArchiveScanner()\n"
        "for name in sys.argv[2:]: scanner.process_file(name)\n"
        "t, y = scanner.finalize().simple(sys.argv[1])\n"
        "print(json.dumps([list(t), list(y)]))\n"
    )
    files = sorted(map(str, data_dir.glob("[0-9]*/*.g3")))
    assert files
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, field, *files],
        capture_output=True,
        text=True,
        check=True,
    )
    times, values = json.loads(result.stdout.splitlines()[-1])
    return np.array(times), np.array(values)
