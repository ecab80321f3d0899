"""A real demo, shared by the tests that look at it."""

import os
import shutil
from collections.abc import Iterator

import pytest
from support.demo_run import DemoRun


@pytest.fixture
def chromium() -> str:
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs a Chromium (Debian package chromium)")
        pytest.skip("no Chromium on this machine")
    return path


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoRun]:
    """A demo that is up; tests that kill its programs or stop it come with their own."""
    run = DemoRun(tmp_path_factory.mktemp("demo"))
    with run:
        run.wait_for_line("Live page:", 40)
        yield run
