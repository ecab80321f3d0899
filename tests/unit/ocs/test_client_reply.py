"""OCSClient and OCSReply without a router."""

import time
from typing import Any

import pytest

from ocs import site_config
from ocs.ocs_client import OCSClient, OCSReply

NOW = 1795384160.0
SESSION = {
    "session_id": 4,
    "op_name": "delay_task",
    "op_code": 5,
    "cred_level": 1,
    "status": "done",
    "degraded": False,
    "success": True,
    "start_time": NOW - 10,
    "end_time": NOW - 0.5,
    "data": {},
    "messages": [[NOW - 10 + n, f"message {n}"] for n in range(7)],
}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)


def test_a_finished_run_is_printed_as_upstream_does():
    lines = repr(OCSReply(0, 'Operation "delay_task" is not running.', SESSION)).splitlines()
    assert lines == [
        'OCSReply: OK : Operation "delay_task" is not running.',
        "  delay_task[session=4]; status=done without error 0.500000 s ago, took 9.5 s",
        "  messages (5 of 7):",
        "    1795384152.000 message 2",
        "    1795384153.000 message 3",
        "    1795384154.000 message 4",
        "    1795384155.000 message 5",
        "    1795384156.000 message 6",
        "  other keys in .session: op_code, cred_level, degraded, data",
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"success": False}, "status=done with ERROR 0.500000 s ago"),
        ({"success": -1}, "status=done with ERROR"),
        ({"status": "running", "end_time": None}, "status=running for 10.0 s"),
        ({"status": "running", "start_time": NOW - 1e4}, "status=running for 2.8 hrs"),
        ({"status": "running", "start_time": NOW - 600}, "status=running for 10.0 mins"),
        ({"status": "running", "start_time": NOW - 1e6}, "status=running for 11.6 days"),
        ({"status": "stopping", "end_time": None}, "status=stopping\n"),
    ],
)
def test_other_states(change, text):
    assert text in repr(OCSReply(0, "", {**SESSION, **change}))


def test_no_session_and_unknown_codes():
    text = "  (no session -- op has never run)"
    assert repr(OCSReply(-1, "No.", {})) == f"OCSReply: ERROR : No.\n{text}"
    assert repr(OCSReply(1, "late", {})).startswith("OCSReply: TIMEOUT : late")
    assert repr(OCSReply(9, "", {})).startswith("OCSReply: ??? : ")


def test_an_agent_of_2019_is_printed_too():
    old = {"op_name": "acq", "session_id": 0, "status": "starting", "start_time": None}
    assert "acq[session=0]; status=starting" in repr(OCSReply(0, "", old))


class Agent:
    """Stands for an agent, instead of a ControlClient."""

    def __init__(self, access_control: object = None) -> None:
        self.requests: list[tuple[Any, ...]] = []
        self.access_control = access_control
        self.code = 0

    def get_api(self) -> dict[str, Any]:
        return {
            "agent_class": "A",
            "tasks": [["warm-up now", {}, {"docstring": "Heat."}]],
            "processes": [["acq", {}, {"docstring": None}]],
            "access_control": self.access_control,
        }

    def request(self, action: str, name: str, params: Any = None, **kwargs: Any) -> list[Any]:
        self.requests.append((action, name, params, kwargs))
        return [self.code, "", {}]


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Agent:
    agent = Agent(access_control={"version": 1})
    monkeypatch.setattr(site_config, "get_control_client", lambda *args, **kwargs: agent)
    return agent


def test_operations_are_attributes(agent):
    client = OCSClient("a")
    assert repr(client) == "OCSClient('a')"
    assert client.warm_up_now.start.__doc__ == "Heat."
    client.warm_up_now(power=3)
    client.warm_up_now.abort()
    client.acq()
    client.acq.stop()
    client.acq.wait(timeout=2)
    assert agent.requests == [
        ("start", "warm-up now", {"power": 3}, {}),
        ("wait", "warm-up now", None, {"timeout": None}),
        ("abort", "warm-up now", None, {}),
        ("status", "acq", None, {}),
        ("stop", "acq", None, {}),
        ("wait", "acq", None, {"timeout": 2}),
    ]


def test_a_refused_start_is_not_waited_for(agent):
    agent.code = -1
    assert OCSClient("a").warm_up_now().status == -1
    assert [request[0] for request in agent.requests] == ["start"]


def test_an_operation_that_does_not_exist_is_named(agent):
    with pytest.raises(AttributeError, match="no operation 'acqu'; it has: acq, warm-up now; did"):
        OCSClient("a").acqu.start()
    assert not hasattr(OCSClient("a"), "_repr_html_")


def test_passwords(agent):
    OCSClient("a", privs="secret").acq()
    assert agent.requests[-1][3] == {"password": "secret"}
    for privs in (None, "", 1):
        OCSClient("a", privs=privs).acq()
        assert agent.requests[-1][3] == {}
    with pytest.raises(ValueError, match="privs=2: allowed are"):
        OCSClient("a", privs=2)


def test_a_password_is_not_sent_to_who_knows_none(agent):
    agent.access_control = None
    OCSClient("a", privs="secret").acq()
    assert agent.requests[-1][3] == {}
