"""Archives to test with: the one we ship and, where it is at hand, the real one."""

from pathlib import Path

import pytest

from sisock.nodes.weather import EXAMPLE_DATA

REAL = Path(__file__).parents[5] / "shared" / "data" / "apex"
ARCHIVES = [path for path in (EXAMPLE_DATA, REAL) if path.is_dir()]


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name)
def archive(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


class Seconds:
    """A clock that goes on when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()
