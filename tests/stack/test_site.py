"""A site of its own, copied from the templates, with its agents in containers."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stack_run import OVERRIDE, Stack, run

from ocs.testing import wait_for


@pytest.fixture(scope="module")
def site(images: Stack) -> Iterator[Stack]:
    """What the documentation says: copy, name, describe; then the two scripts and up."""
    configs = images.directory / "site-configs"
    run("cp", "-r", "templates/", "penn/", cwd=configs)
    penn = configs / "penn"
    run("mv", "ocs_template.yaml", "penn.yaml", cwd=penn)
    run("ln", "-s", "penn.yaml", "default.yaml", cwd=penn)
    text = (penn / "penn.yaml").read_text(encoding="utf-8")
    text = text.replace("LSA22YE", "LSA23JD").replace("10.10.10.4", "demo-ls372-sim")
    text = text.replace("/data/hk", "/data")
    (penn / "penn.yaml").write_text(text, encoding="utf-8")
    run("./setup-tls.sh", cwd=penn)
    run("./init-docker-env.sh", cwd=penn)
    stack = Stack(
        images.command,
        penn,
        "ocs-site-test",
        ("docker-compose.yml", f"../../{OVERRIDE}"),
        profiles=["agents"],
    )
    stack.compose("up", "-d")
    stack.compose("up", "-d", "demo-ls372-sim")
    try:
        yield stack
    finally:
        stack.compose("rm", "--stop", "--force", "demo-ls372-sim")
        stack.compose("down", "--volumes")


def test_agents_in_containers_serve_and_record(site: Stack) -> None:
    started = time.time()
    site.wait_until_healthy()

    def moving() -> bool:
        latest = site.ask("/api/v1/latest") or []
        times = [item["time"] for item in latest if item["name"].startswith("LSA23JD::")]
        return bool(times) and max(times) > started

    wait_for(moving, 60, "samples of the 372 in the bridge")
    call = (
        "from ocs.client_http import ControlClient; "
        "client = ControlClient('observatory.aggregator', url='http://sisock-crossbar:8001/call'); "
        "client.request('start', 'record')"
    )
    site.in_network("python", "-c", call)
    data = Path(site.directory) / "data"
    (first,) = wait_for(lambda: list(data.glob("*/*.g3"))[:1], 90, "a file of the aggregator")
    assert (first.stat().st_uid, first.stat().st_gid) == (5000, 5000)


def test_a_serial_device_comes_without_further_rights(site: Stack) -> None:
    host = site.inspect("lakeshore240")["HostConfig"]
    assert [device["PathInContainer"] for device in host["Devices"]] == ["/dev/ttyUSB0"]
    assert not host["Privileged"]
    assert not host["CapAdd"]
    assert host["GroupAdd"] == ["20"]
