"""The router's configuration passes crossbar's own check."""

import subprocess
import sys
from pathlib import Path

from ocs.router import write_router_config


def test_crossbar_check(tmp_path: Path) -> None:
    write_router_config(tmp_path, port=8001)
    crossbar = Path(sys.executable).with_name("crossbar")
    run = subprocess.run(
        [crossbar, "check", "--cbdir", tmp_path], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
