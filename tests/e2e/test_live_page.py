"""The live page in a real Chromium, against a web server that can be made to fail."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from support.live_fake import FakeBridge

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
OUTPUT = HERE.parent / "output"
HOSTILE = "WEATHER::<img src=x onerror=document.title='owned'>"


@pytest.fixture
def bridge() -> Iterator[Any]:
    fake = FakeBridge()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def page(browser: Browser, bridge: Any) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1600, "height": 900})
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    context.close()
    assert faults == []


def open_live(page: Page, bridge: Any, fragment: str = "") -> None:
    page.goto(f"http://127.0.0.1:{bridge.port}/live{fragment}")
    has_points(page)


def has_points(page: Page) -> None:
    expect(page.locator("body")).not_to_have_attribute("data-points", "0", timeout=10_000)


def connection(page: Page) -> Locator:
    return page.get_by_role("status")


def dataset(page: Page, name: str) -> str:
    return page.locator("body").get_attribute(f"data-{name}") or ""


def drag_across(page: Page) -> None:
    box = page.locator(".u-over").first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=4)
    page.mouse.up()


def test_temperatures_of_the_first_instrument_are_drawn_without_any_choice(
    page: Page, bridge: Any
) -> None:
    open_live(page, bridge)

    expect(connection(page)).to_contain_text("Live: 32 fields, newest sample")
    expect(page.locator("body")).to_have_attribute("data-state", "live")
    expect(page.get_by_role("heading", level=2)).to_contain_text("Temperature (K)")
    expect(page.locator("tbody tr")).to_have_count(16)
    assert int(dataset(page, "points")) > 16 * 250
    assert abs(float(dataset(page, "last-time")) - bridge.now()) < 5
    body = bridge.queries[0]
    assert [target["target"] for target in body["targets"]] == [
        f"LSA23JD::channel_{channel:02d}_t" for channel in range(1, 17)
    ]
    OUTPUT.mkdir(exist_ok=True)
    page.screenshot(path=OUTPUT / "live_page.png")


def test_points_keep_coming(page: Page, bridge: Any) -> None:
    open_live(page, bridge)
    before = dataset(page, "last-time")

    expect(page.locator("body")).not_to_have_attribute("data-last-time", before)


def test_a_restarted_web_server_is_noticed_in_words_and_needs_no_new_choice(
    page: Page, bridge: Any
) -> None:
    chosen = "#last=15min&log=resistance&fields=LSA23JD::channel_03_r,LSA23JD::channel_04_t"
    open_live(page, bridge, chosen)

    bridge.stop()

    expect(connection(page)).to_contain_text("The web server does not answer (since ")
    expect(connection(page)).to_contain_text("The plot shows what was received until then.")
    expect(page.locator("body")).to_have_attribute("data-state", "disconnected")
    assert int(dataset(page, "points")) > 0
    asked_before = len(bridge.queries)

    bridge.start()

    expect(page.locator("body")).to_have_attribute("data-state", "live", timeout=5_000)
    before = float(dataset(page, "last-time"))
    page.wait_for_selector(f"body:not([data-last-time='{before:g}'])")
    assert page.url.endswith(chosen)
    expect(page.get_by_label("channel_03_r")).to_be_checked()
    expect(page.get_by_label("channel_01_t")).not_to_be_checked()
    asked = {
        target["target"] for body in bridge.queries[asked_before:] for target in body["targets"]
    }
    assert asked == {"LSA23JD::channel_03_r", "LSA23JD::channel_04_t"}


def test_router_instrument_and_acquisition_troubles_have_words_of_their_own(
    page: Page, bridge: Any
) -> None:
    open_live(page, bridge)
    drawn = int(dataset(page, "points"))

    bridge.router_connected = False
    expect(connection(page)).to_contain_text("Router disconnected since ")
    bridge.router_connected, bridge.node_connected = True, False
    expect(connection(page)).to_contain_text("Instrument LSA23JD: its data node left at ")
    expect(page.locator("body")).to_have_attribute("data-state", "disconnected")
    # What this page has received is not taken back.
    assert int(dataset(page, "points")) > drawn * 0.9
    bridge.node_connected, bridge.silent_since = True, bridge.now() - 17
    expect(connection(page)).to_contain_text("No new data from LSA23JD for ")
    expect(connection(page)).to_contain_text("is acquisition running?")
    expect(page.locator("body")).to_have_attribute("data-state", "stale")
    bridge.silent_since, bridge.broken = None, True
    expect(connection(page)).to_contain_text("reports an error: the cache is upside down")
    bridge.broken = False
    expect(connection(page)).to_contain_text("Live: 32 fields")


def test_old_values_are_called_stale_in_the_table(page: Page, bridge: Any) -> None:
    bridge.silent_since = bridge.now() - 200
    open_live(page, bridge)

    expect(page.locator("td.age").first).to_contain_text(re.compile(r"stale, 3 min"))


def test_a_browser_with_a_wrong_clock_sees_the_servers_time(page: Page, bridge: Any) -> None:
    bridge.clock_offset_s = -7200.0
    open_live(page, bridge)

    expect(connection(page)).to_contain_text("Live: 32 fields, newest sample")
    expect(page.locator("td.age").first).to_have_text(re.compile(r"^[0-3] s$"))


def test_a_field_name_is_text_and_never_markup(page: Page, bridge: Any) -> None:
    bridge.add_field(HOSTILE)
    open_live(page, bridge)

    field = HOSTILE.partition("::")[2]
    page.get_by_label(field, exact=True).check()

    expect(page.locator("tbody th").filter(has_text=field)).to_be_visible()
    assert page.locator("img").count() == 0
    assert "owned" not in page.title()
    # ...and it survives the address.
    page.reload()
    has_points(page)
    expect(page.get_by_label(field, exact=True)).to_be_checked()


def test_zooming_pauses_and_resume_follows_again(page: Page, bridge: Any) -> None:
    open_live(page, bridge)

    drag_across(page)

    expect(page.get_by_text("Paused: showing")).to_be_visible()
    zoomed = int(dataset(page, "points"))
    page.get_by_role("button", name="Resume following now").click()
    expect(page.get_by_text("Paused: showing")).to_be_hidden()
    newest = dataset(page, "last-time")
    expect(page.locator("body")).not_to_have_attribute("data-last-time", newest)
    assert 0 < zoomed < int(dataset(page, "points")) / 3


def test_choosing_by_kind_by_search_and_by_keyboard_is_kept_by_a_reload(
    page: Page, bridge: Any
) -> None:
    open_live(page, bridge)

    page.get_by_role("button", name="Choose none: Temperature").click()
    expect(connection(page)).to_contain_text("No field is chosen")
    page.get_by_label("Find a field").fill("channel_1 _r")
    page.get_by_role("button", name="Choose all: LSA23JD").click()
    page.get_by_label("channel_12_r").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Logarithmic axis for Resistance").click()
    page.get_by_role("button", name="30 min").click()
    page.reload()

    has_points(page)
    # channel_10 to channel_16 match the search; one of them was taken out by the keyboard.
    expect(page.locator("tbody tr")).to_have_count(6)
    log = page.get_by_role("button", name="Logarithmic axis for Resistance")
    expect(log).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="30 min")).to_have_attribute("aria-pressed", "true")


def test_a_page_opened_before_anything_exists_starts_by_itself(page: Page, bridge: Any) -> None:
    fields, bridge.fields = bridge.fields, {}
    page.goto(f"http://127.0.0.1:{bridge.port}/live")
    expect(connection(page)).to_contain_text("No instrument has sent anything yet")
    expect(page.locator("body")).to_have_attribute("data-state", "starting")

    bridge.fields = fields

    has_points(page)
    expect(page.locator("body")).to_have_attribute("data-state", "live")


def test_queries_are_never_two_at_a_time_and_about_one_a_second(page: Page, bridge: Any) -> None:
    open_live(page, bridge)
    answered = bridge.query
    under_way: list[int] = []
    most: list[int] = []

    def slow(body: dict[str, Any]) -> Any:
        under_way.append(1)
        most.append(len(under_way))
        time.sleep(0.6)  # a slow server is what this test is about
        under_way.pop()
        return answered(body)

    bridge.query = slow
    page.wait_for_timeout(4_000)

    assert max(most) == 1
    assert 2 <= len(most) <= 5
