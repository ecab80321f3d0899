"""Sessions of operations (spec/ocs-protocol.md, section 5)."""

import json
import threading
from collections import deque
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError

from ocs.base import OpCode
from ocs.op_session import OpSession, json_data


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(clock: Clock) -> OpSession:
    return OpSession(3, "acq", clock=clock)


def test_a_run(session: OpSession, clock: Clock) -> None:
    session.begin()
    clock.now = 1002.0
    session.finish(True, "ended well")
    assert session.encoded() == {
        "session_id": 3,
        "op_name": "acq",
        "op_code": 5,
        "cred_level": 1,
        "status": "done",
        "degraded": False,
        "success": True,
        "start_time": 1000.0,
        "end_time": 1002.0,
        "data": {},
        "messages": [
            [1000.0, 'Status is now "starting".'],
            [1000.0, 'Status is now "running".'],
            [1002.0, "ended well"],
            [1002.0, 'Status is now "done".'],
        ],
    }


def test_op_codes(session: OpSession) -> None:
    assert session.op_code is OpCode.STARTING
    session.degraded = True
    assert session.op_code is OpCode.STARTING
    session.set_status("running")
    assert session.op_code is OpCode.DEGRADED
    session.degraded = False
    assert session.op_code is OpCode.RUNNING
    session.degraded = True
    session.set_status("stopping")
    assert session.op_code is OpCode.STOPPING
    session.finish(False, "")
    assert session.op_code is OpCode.FAILED
    assert session.encoded()["degraded"] is True


def test_status_only_moves_forward(session: OpSession) -> None:
    session.set_status("stopping")
    with pytest.raises(ValueError, match="cannot go back"):
        session.set_status("running")
    with pytest.raises(ValueError, match="unknown status"):
        session.set_status("pausing")
    session.begin()
    assert session.status == "stopping", "stopped before it began"


def test_the_same_status_again_says_nothing(session: OpSession) -> None:
    session.set_status("running")
    before = session.messages
    session.set_status("running")
    assert session.messages == before


def test_old_messages_go_but_five_stay(session: OpSession, clock: Clock) -> None:
    for i in range(20):
        session.add_message(str(i))
    clock.now += 3601
    session.add_message("new")
    assert [text for _, text in session.messages] == ["16", "17", "18", "19", "new"]


def test_messages_are_bounded(session: OpSession) -> None:
    for i in range(10_100):
        session.add_message(str(i))
    assert len(session.messages) == 10_000


def test_messages_are_text_whatever_an_author_gives(session: OpSession) -> None:
    session.add_message(ValueError("boom"))  # type: ignore[arg-type]
    session.add_message("file \udcff")
    msgpack.packb(session.encoded())
    assert [text for _, text in session.messages][1:] == ["boom", "file ?"]


def test_data_is_converted(session: OpSession) -> None:
    session.data = {
        "array": np.arange(3),
        "scalar": np.float32(0.5),
        "tuple": (1, 2),
        "nan": float("nan"),
        "deque": deque([1]),
        3: {"nested": np.array([[1.0, np.nan]])},
        "text": np.str_("t"),
        "big": 2**80,
        "bytes in a name": "\udcff",
    }
    assert session.encoded()["data"] == {
        "array": [0, 1, 2],
        "scalar": 0.5,
        "tuple": [1, 2],
        "nan": None,
        "deque": [1],
        "3": {"nested": [[1.0, None]]},
        "text": "t",
        "big": 2.0**80,
        "bytes in a name": "?",
    }


@pytest.mark.parametrize(
    "data", [{"x": float("inf")}, {"x": [1.0, -float("inf")]}, {"x": np.array([np.inf])}]
)
def test_infinity_becomes_null_and_is_said_once(session: OpSession, data: Any) -> None:
    session.data = data
    encoded = session.encoded()
    assert encoded["data"]["x"] in (None, [1.0, None], [None])
    assert "inf" in encoded["messages"][-1][1]
    assert session.encoded()["messages"] == encoded["messages"]


def test_nan_needs_no_message(session: OpSession) -> None:
    session.data = {"x": float("nan")}
    assert len(session.encoded()["messages"]) == 1


@pytest.mark.parametrize("bad", [object(), b"bytes", {1, object()}, 1j])
def test_what_has_no_json_form_is_not_shown(session: OpSession, bad: Any) -> None:
    session.data = {"bad": bad}
    encoded = session.encoded()
    assert encoded["data"] == {}
    assert "session.data cannot be shown" in encoded["messages"][-1][1]
    assert len(session.messages) == 1


def test_data_that_contain_themselves(session: OpSession) -> None:
    session.data = {}
    session.data["me"] = session.data
    assert session.encoded()["data"] == {}


def test_data_may_change_while_they_are_read(session: OpSession) -> None:
    session.data = {"inner": {}}
    ended = threading.Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            session.data["inner"][number % 1000] = number
            session.data["inner"].pop((number * 7) % 1000, None)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            encoded = session.encoded()
            assert "inner" in encoded["data"], encoded["messages"]
    finally:
        ended.set()
        writer.join()


def test_waiters_are_independent(session: OpSession) -> None:
    first, second = session.when_done(), session.when_done()
    failures: list[Any] = []
    first.addErrback(failures.append)
    first.cancel()
    assert failures[0].check(CancelledError)
    session.finish(True, "")
    assert second.called
    assert session.when_done().called


def test_waiters_that_gave_up_leave_nothing_behind(session: OpSession) -> None:
    for _ in range(100):
        waiter = session.when_done()
        waiter.addErrback(lambda _: None)
        waiter.cancel()
    assert session._waiters == []


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.booleans(), inner)
    ),
    max_leaves=20,
)


@given(json_like)
def test_converted_data_are_strict_json_and_can_be_sent(value: Any) -> None:
    converted = json_data(value)
    assert json.loads(json.dumps(converted, allow_nan=False)) == converted
    msgpack.packb(converted)
