"""The container's health check of the router, with a real router."""

import os
import subprocess
import sys

from ocs.testing import RouterProcess


def test_a_router_without_a_hub_is_not_healthy(router: RouterProcess) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("WAMP_")}
    done = subprocess.run(
        [sys.executable, "-m", "sisock.healthcheck", "router"],
        env={
            **environ,
            "WAMP_TRANSPORT": "plain",
            "CROSSBAR_HOST": "127.0.0.1",
            "CROSSBAR_OCS_PORT": str(router.port),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert "the hub does not answer" in done.stderr
