"""The Agent as a program, against the simulator as a program, over a real router."""

import sys
import time

import pytest

from ocs.testing import (
    AgentProcess,
    site_config,
    wait_for,
)


def test_from_absent_to_data_and_back(make_lab, simulator):
    """Absent at start, appears, is killed, comes back: values in the feed equal those sent."""
    where = f"127.0.0.1:{simulator.port}"
    lab = make_lab("LSA23JD", "--serial-number=LSA23JD", f"--ip-address={where}")
    lab.agent.wait_for_line("I am in charge of device with serial number: LSA23JD")
    wait_for(lambda: lab.session().get("degraded"), 10, "degraded without an instrument")
    assert lab.session()["op_code"] == 8
    (told,) = [text for text in lab.messages() if where in text]
    assert "connection refused" in told
    assert "network cable" in told
    assert lab.events == []

    simulator.start()
    wait_for(lambda: len(lab.samples()) > 20, 10, "data")
    assert not lab.session()["degraded"]

    simulator.kill()
    wait_for(lambda: lab.session()["degraded"], 5, "degraded after the simulator was killed")
    time_of_kill = lab.samples()[-1][-1]
    simulator.start()
    wait_for(lambda: lab.samples()[-1][-1] > time_of_kill + 0.5, 10, "data again")
    assert not lab.session()["degraded"]
    assert lab.messages().count("Connection re-established.") == 2

    wait_for(lambda: len(lab.session()["data"]["fields"]) >= 4, 15, "four channels")
    asked = time.monotonic()
    assert lab.client.request("stop", "acq")[0] == 0
    session = lab.client.request("wait", "acq")[2]
    assert time.monotonic() - asked < 1
    assert session["success"]

    sent = simulator.truth()
    wait_for(lambda: lab.samples()[-1][:3] == sent[-1][:3], 5, "the last reading")
    samples = lab.samples()
    received = [row[:3] for row in samples]
    # Whatever was on the network when the simulator was killed is the one thing that may lack.
    lost = [row for row in sent if row[:3] not in received]
    assert len(lost) <= 1
    sent = [row for row in sent if row not in lost]
    assert received == [row[:3] for row in sent]
    for (*_, status, read_at), (*_, made_at) in zip(samples, sent, strict=True):
        assert status == 0
        assert -0.005 < read_at - made_at < 0.35

    last = {f"Channel_{row[0]:02d}": row for row in samples}
    assert session["data"] == {
        "fields": {
            name: {"T": row[1], "R": row[2], "timestamp": row[4]} for name, row in last.items()
        },
        "bad_replies": 0,
        "commands": {"count": 0, "last_s": 0.0, "longest_s": 0.0},
        "troubles": [],
    }
    ((_, header), *_) = lab.events
    assert header["agg_params"] == {"frame_length": 60}
    assert [feed["seq"] for _, feed in lab.events] == list(range(len(lab.events)))


def test_the_seeds_script_finds_everything_running(make_lab, simulator):
    """init_lakeshore and a start of acq, though acq runs since the Agent started."""
    simulator.start()
    lab = make_lab("LSA23JE", "--ip-address=127.0.0.1", f"--port={simulator.port}")
    wait_for(lab.samples, 15, "data")
    init = lab.run("init_lakeshore")
    assert init["success"]
    assert "Lakeshore already initialized." in [text for _, text in init["messages"]]
    code, text, session = lab.client.request("start", "acq")
    assert code == -1
    assert "already" in text
    assert session["status"] == "running"
    again = lab.run("init_lakeshore", {"force": True, "auto_acquire": True})
    assert again["success"]
    assert "16 of 16 channels enabled" in again["messages"][-2][1]
    # A killed Agent resumes by itself.
    lab.agent.kill()
    lab.events.clear()
    lab.agent.start()
    wait_for(lab.samples, 15, "data after a restart")


def test_a_wrong_serial_number_is_refused(make_lab, simulator):
    simulator.start()
    lab = make_lab("LSA99ZZ", "--serial-number=LSA99ZZ", f"--ip-address=127.0.0.1:{simulator.port}")
    wait_for(lambda: lab.session().get("status") == "done", 15, "the end of acq")
    assert not lab.session()["success"]
    told = [text for text in lab.messages() if "LSA23JD, not LSA99ZZ" in text]
    assert told
    init = lab.run("init_lakeshore")
    assert not init["success"]
    assert told[0] in [text for _, text in init["messages"]]
    assert lab.events == []


@pytest.mark.parametrize(
    ("mode", "operations"),
    [("init", {"init_lakeshore": "done"}), ("idle", {})],
)
def test_modes_that_do_not_acquire(make_lab, simulator, mode, operations):
    simulator.start()
    lab = make_lab(f"mode-{mode}", f"--ip-address=127.0.0.1:{simulator.port}", f"--mode={mode}")
    for op, status in operations.items():
        wait_for(lambda op=op, status=status: lab.session(op).get("status") == status, 15, op)
        assert lab.session(op)["success"]
    wait_for(lambda: "session joined" in lab.agent.output, 15, "the router")
    assert lab.client.request("start", "acq", {"run_once": True})[0] == 0
    assert lab.client.request("wait", "acq")[2]["success"]
    wait_for(lab.samples, 5, "one reading")
    assert len(lab.samples()) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--ip-address"),
        (["--ip-address=sim:77777"], "77777"),
        (["--ip-address=sim", "--mode=go"], "--mode"),
    ],
)
def test_bad_arguments_end_the_program_in_one_line(tmp_path, router, arguments, told):
    config = site_config(
        tmp_path,
        router,
        [{"agent-class": "Lakeshore372Agent", "instance-id": "LS", "arguments": arguments}],
    )
    with AgentProcess(
        ["-m", "agents.lakeshore372.LS372_agent", "--instance-id=LS", "--site-host=localhost"],
        env={"OCS_CONFIG_DIR": str(config.parent)},
    ) as agent:
        assert agent.wait() == 2
    assert told in agent.lines[-1]
    assert "Traceback" not in agent.output


def test_the_simulators_port_in_use(simulator):
    simulator.start()
    with AgentProcess([sys.executable, *simulator.argv[1:-1]]) as second:
        assert second.wait() == 2
    assert second.lines[-1] == (
        f"ls372-sim: cannot listen on 127.0.0.1:{simulator.port}: Address already in use. "
        "Choose another one with --host and --port."
    )
