"""SIGKILL each program of the demo in turn: curves move again within ten seconds."""

import time
from collections import Counter

import pytest
from support.demo_run import INSTRUMENT, DemoRun, read_truth

from ocs.testing import wait_for

HEAL_S = 10.0


@pytest.fixture(scope="module")
def victim(tmp_path_factory):
    with DemoRun(tmp_path_factory.mktemp("victim")) as run:
        run.wait_for_line("Live page:", 40)
        yield run


def op_status(demo: DemoRun, instance: str, op: str) -> str:
    reply = demo.call(f"observatory.{instance}.ops", "status", op)
    return reply[2].get("status", "") if reply else ""


# In this order what one kill leaves behind is still there to be checked after the next.
@pytest.mark.parametrize(
    "program",
    [
        "sisock.http.main",
        "sisock.hub",
        "registry.registry",
        "aggregator_agent",
        "sisock.feed_node",
        "crossbar",
        "lakeshore372.simulator",
        "LS372_agent",
    ],
)
def test_curves_move_again_within_ten_seconds(victim, program):
    before = set(victim.children())
    victim.kill_program(program)
    killed = time.time()
    # A sample read after the kill has come all the way to the answer for the same field as before.
    wait_for(
        lambda: victim.points("channel_02_t", killed, time.time()),
        HEAL_S,
        f"samples after the kill of {program}",
    )
    wait_for(lambda: len(victim.children()) == len(before), HEAL_S, "the program is back")
    wait_for(lambda: op_status(victim, "aggregator", "record") == "running", HEAL_S, "recording")
    wait_for(lambda: op_status(victim, "registry", "main") == "running", HEAL_S, "the registry")


def test_afterwards_no_sample_is_missing_and_none_is_there_twice(victim):
    published = victim.published("Channel_02_T")
    last = published[-1][0]
    wait_for(lambda: victim.newest() >= last, HEAL_S, "the newest samples")
    points = victim.points("channel_02_t", time.time() - 3600, last + 0.001)
    assert max(Counter(t for _, t in points).values()) == 1
    # The Agent was the last to be killed: what it has published since is all there, in order.
    since_restart = [p for p in points if p[1] > published[0][0] * 1000 - 0.001]
    assert [value for value, _ in since_restart] == [value for _, value in published]
    assert {value for value, _ in points} <= read_truth(victim.directory)[2, "T"]
    assert INSTRUMENT in {node["name"] for node in victim.request("/api/v1/status")["nodes"]}
