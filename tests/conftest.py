"""Fixtures shared by all tests."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ocs.testing import ReactorThread, RouterProcess

# How long an example takes says something about the machine, nothing about the product.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

# What a shell starts in the background is deaf to Ctrl-C, and so would be all programs under test.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def reactor_thread() -> Iterator[ReactorThread]:
    with ReactorThread() as thread:
        yield thread


@pytest.fixture(scope="session")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    """A router shared by the session's tests; those that kill it start their own."""
    with RouterProcess(tmp_path_factory.mktemp("router")) as process:
        yield process


@pytest.fixture(scope="session")
def upstream() -> Path:
    """Interpreter of an environment with upstream's packages (`make upstream`).

    Upstream's `ocs` has the import name of ours, so it cannot share ours.
    """
    default = Path(__file__).parents[1] / ".venv-upstream" / "bin" / "python"
    python = Path(os.environ.get("OCS_UPSTREAM_PYTHON", default))
    if not python.exists():
        if os.environ.get("CI"):
            pytest.fail(f"CI needs upstream's packages: {python} is missing (make upstream)")
        pytest.skip("no upstream packages on this machine (make upstream installs them)")
    return python
