"""Requests of operations and their replies (spec/ocs-protocol.md, sections 4 and 6)."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ocs.op_registry import OpRegistry
from ocs.op_session import OpSession
from ocs.operations import AgentProcess, AgentTask
from ocs.params import ParamError, param
from ocs.testing import wait_for


class FakeReactor(Clock):
    """A clock, and a queue for what threads hand over."""

    def __init__(self) -> None:
        super().__init__()
        self.from_threads: list[Callable[[], Any]] = []

    def callFromThread(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.from_threads.append(lambda: func(*args, **kwargs))

    def turn(self) -> None:
        while self.from_threads:
            self.from_threads.pop(0)()
        self.advance(0)


class Ops:
    """One of each kind of operation, ended on command."""

    def __init__(self, reactor: FakeReactor) -> None:
        self.reactor = reactor
        self.ended_calls = 0
        self.params: list[Any] = []
        self.registry = OpRegistry(reactor, None, self._on_end, clock=reactor.seconds)
        self.endings: dict[str, Deferred[Any]] = {}
        self.release = threading.Event()
        add = self.registry.add
        add(AgentTask("task", self.checked, False, self.stopper, False))
        add(AgentTask("endless", self.unchecked, False, None, False))
        add(AgentTask("advanced", self.unchecked, False, self.stopper, False, min_privs=2))
        add(AgentProcess("proc", self.unchecked, False, self.stopper, False))
        add(AgentProcess("idle", self.unchecked, False, self.stopper, False))
        add(AgentProcess("unstoppable", self.unchecked, False, None, False))
        add(AgentTask("thread", self.blocking, True, self.stopper, True))
        self.registry.open()

    def _on_end(self) -> None:
        self.ended_calls += 1

    @param("delay", default=1, type=float)
    def checked(self, session: OpSession, params: Any) -> Any:
        return self.unchecked(session, params)

    def unchecked(self, session: OpSession, params: Any) -> Any:
        self.params.append(params)
        self.endings[session.op_name] = Deferred()
        return self.endings[session.op_name]

    def blocking(self, session: OpSession, params: Any) -> tuple[bool, str]:
        session.data["status at entry"] = session.status
        self.release.wait(10)
        return True, "released"

    def stopper(self, session: OpSession, params: Any) -> tuple[bool, str]:
        session.set_status("stopping")
        return True, "stopping it"

    def ask(self, action: str, op: str, *args: Any, **kwargs: Any) -> Any:
        answer: Any = self.registry.handle(action, op, *args, **kwargs)
        if isinstance(answer, Deferred):
            replies: list[Any] = []
            answer.addBoth(replies.append)
            if not replies:
                self.reactor.advance(0)
            return replies[0] if replies else None
        return answer

    def run(self, op: str, params: Any = None) -> None:
        self.ask("start", op, params)
        self.reactor.turn()

    def end(self, op: str, result: Any = (True, "ended")) -> None:
        self.endings.pop(op).callback(result)


@pytest.fixture
def ops() -> Iterator[Ops]:
    ops = Ops(FakeReactor())
    yield ops
    ops.release.set()


def idle(ops: Ops, op: str) -> None: ...


def starting(ops: Ops, op: str) -> None:
    ops.ask("start", op)


def running(ops: Ops, op: str) -> None:
    ops.run(op)


def stopping(ops: Ops, op: str) -> None:
    ops.run(op)
    ops.ask("abort" if op == "task" else "stop", op)


def done(ops: Ops, op: str) -> None:
    ops.run(op)
    ops.end(op)


def failed(ops: Ops, op: str) -> None:
    ops.run(op)
    ops.end(op, (False, "no good"))


ALREADY = 'Operation "{op}" already in progress.'
NOT_RUNNING = 'Operation "{op}" is currently not running ({how}).'
PRIVS = "The action requires credential level 2-ADVANCED but the client has only level 1-BASIC"

# What the section's table says: state, request, code, message, status in the reply's session.
TABLE: list[tuple[Callable[[Ops, str], None], tuple[Any, ...], int, str, str | None]] = [
    (idle, ("start", "task"), 0, 'Started task "task".', "starting"),
    (idle, ("start", "proc"), 0, 'Started process "proc".', "starting"),
    (done, ("start", "task"), 0, 'Started task "task".', "starting"),
    (starting, ("start", "task"), -1, ALREADY.format(op="task"), "starting"),
    (running, ("start", "task"), -1, ALREADY.format(op="task"), "running"),
    (stopping, ("start", "proc"), -1, ALREADY.format(op="proc"), "stopping"),
    (running, ("start", "task", {"delay": "x"}), -1, ALREADY.format(op="task"), "running"),
    (idle, ("start", "nope"), -1, 'No task or process called "nope"', None),
    (idle, ("start", "task", {"delay": "x"}), -1, "Param 'delay'=x is not of required", None),
    (idle, ("start", "task", [1]), -1, "params must be an object", None),
    (idle, ("start", "advanced"), -1, PRIVS, None),
    (idle, ("status", "task"), 0, "No session active.", None),
    (running, ("status", "task"), 0, "Session active.", "running"),
    (done, ("status", "task"), 0, "Session active.", "done"),
    (done, ("status", "task", []), 0, "Session active.", "done"),
    (idle, ("status", "nope"), -1, 'No task or process called "nope"', None),
    (idle, ("wait", "task"), 0, "Idle.", None),
    (done, ("wait", "task"), 0, NOT_RUNNING.format(op="task", how="SUCCEEDED"), "done"),
    (done, ("wait", "task", None, -1), 0, NOT_RUNNING.format(op="task", how="SUCCEEDED"), "done"),
    (done, ("wait", "task", None, 0), 0, NOT_RUNNING.format(op="task", how="SUCCEEDED"), "done"),
    (failed, ("wait", "task"), 0, NOT_RUNNING.format(op="task", how="FAILED"), "done"),
    (running, ("wait", "task", {"delay": 9}, 0), 1, 'Operation "task" still running', "running"),
    (running, ("wait", "task", None, -1), 1, 'Operation "task" still running', "running"),
    (idle, ("wait", "nope"), -1, 'Unknown operation "nope".', None),
    (running, ("stop", "proc"), 0, "Requested stop on process proc.", "stopping"),
    (starting, ("stop", "proc"), 0, "Requested stop on process proc.", "stopping"),
    (running, ("abort", "task"), 0, "Requested abort on task task.", "stopping"),
    (idle, ("stop", "proc"), -1, "No session active.", None),
    (idle, ("abort", "task"), -1, "No session active.", None),
    (stopping, ("stop", "proc"), -1, "The operation is already stopping", None),
    (done, ("stop", "proc"), -1, "The operation is already done", None),
    (stopping, ("abort", "task"), -1, "The operation is already stopping", None),
    (done, ("abort", "task"), -1, "The operation is already done", None),
    (running, ("stop", "task"), -1, 'Cannot "stop" "task" because it is a "task".', None),
    (running, ("abort", "proc"), -1, 'Cannot "abort" "proc" because it is a "process".', None),
    (running, ("abort", "endless"), -1, 'Task "endless" has nothing to abort it with.', None),
    (
        running,
        ("stop", "unstoppable"),
        -1,
        'Process "unstoppable" has nothing to stop it with.',
        None,
    ),
    (idle, ("abort", "advanced"), -1, PRIVS, None),
    (idle, ("stop", "nope"), -1, 'No operation called "nope".', None),
    (idle, ("abort", "nope"), -1, 'No operation called "nope".', None),
    (idle, ("jump", "task"), -1, 'No implementation for "task"', None),
]


@pytest.mark.parametrize(
    ("state", "request_", "code", "message", "status"),
    [pytest.param(*row, id=f"{row[0].__name__}-{'-'.join(map(str, row[1]))}") for row in TABLE],
)
def test_replies(
    ops: Ops,
    state: Callable[[Ops, str], None],
    request_: tuple[Any, ...],
    code: int,
    message: str,
    status: str | None,
) -> None:
    state(ops, request_[1])
    got_code, got_message, session = ops.ask(*request_)
    assert got_message.startswith(message)
    assert got_code == code
    if status is None:
        assert session == {}
    else:
        assert len(session) == 11
        assert session["status"] == status


@pytest.mark.parametrize(
    "kwargs",
    [{"op_name": "task", "params": None, "timeout": -1, "password": "secret"}, {"op_name": "task"}],
)
def test_arguments_by_name(ops: Ops, kwargs: dict[str, Any]) -> None:
    assert ops.registry.handle(action="status", **kwargs)[0] == 0  # type: ignore[index]


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("start",), {}),
        (("start", "task", None, None, None, None), {}),
        (("start", "task"), {"nonsense": 1}),
    ],
)
def test_wrong_calls_raise_for_the_router_to_tell(
    ops: Ops, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        ops.registry.handle(*args, **kwargs)


def test_a_timeout_that_is_no_number_raises_for_the_router_to_tell(ops: Ops) -> None:
    ops.run("task")
    with pytest.raises(ValueError, match="could not convert"):
        ops.registry.handle("wait", "task", timeout="soon")  # type: ignore[arg-type]
    assert ops.registry.sessions()["task"]._waiters == []  # type: ignore[union-attr]


def test_a_refused_start_keeps_the_last_session(ops: Ops) -> None:
    done(ops, "task")
    assert ops.ask("start", "task", {"delay": "x"})[0] == -1
    assert ops.ask("wait", "task")[2]["session_id"] == 0


def test_session_numbers_are_shared_and_only_used_by_accepted_starts(ops: Ops) -> None:
    done(ops, "task")
    ops.ask("start", "task", {"delay": "x"})
    assert ops.ask("start", "proc")[2]["session_id"] == 1


def test_declared_operations_get_all_parameters_others_what_was_sent(ops: Ops) -> None:
    ops.run("task", {})
    ops.run("proc", None)
    assert ops.params == [{"delay": 1.0}, None]


def test_any_number_of_waiters_with_timeouts_of_their_own(ops: Ops) -> None:
    ops.run("task")
    replies: dict[Any, Any] = {}
    for timeout in (None, 1.0, 3.0, 10.0):
        waiting: Any = ops.registry.handle("wait", "task", timeout=timeout)
        waiting.addCallback(lambda reply, timeout=timeout: replies.update({timeout: reply}))
    ops.reactor.advance(1.0)
    assert {timeout: reply[0] for timeout, reply in replies.items()} == {1.0: 1}
    ops.reactor.advance(2.0)
    assert {timeout: reply[0] for timeout, reply in replies.items()} == {1.0: 1, 3.0: 1}
    ops.end("task")
    assert {timeout: reply[0] for timeout, reply in replies.items()} == {
        1.0: 1,
        3.0: 1,
        None: 0,
        10.0: 0,
    }
    assert ops.reactor.getDelayedCalls() == []


def test_polling_waits_leave_nothing_behind(ops: Ops) -> None:
    ops.run("proc")
    for _ in range(1000):
        assert ops.ask("wait", "proc", timeout=0)[0] == 1
    assert ops.registry.sessions()["proc"]._waiters == []  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("result", "success", "message"),
    [
        ((True, "fine"), True, "fine"),
        ([False, "bad"], False, "bad"),
        ((1, 2), True, "2"),
        (None, False, "CRASH: the operation returned None instead of (bool, str)"),
        (False, False, "CRASH: the operation returned False"),
        ("ok", False, "CRASH: the operation returned 'ok'"),
        (10, False, "CRASH: the operation returned 10"),
    ],
)
def test_outcomes(ops: Ops, result: Any, success: bool, message: str) -> None:
    ops.run("task")
    ops.end("task", result)
    session = ops.ask("status", "task")[2]
    assert session["success"] is success
    assert session["op_code"] == (5 if success else 6)
    assert session["messages"][-2][1].startswith(message)
    assert ops.ended_calls == 1


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("boom"), "CRASH: ValueError: boom"),
        (ParamError("Param 'x' is required"), "ERROR: Param 'x' is required"),
    ],
)
def test_an_operation_that_raises(ops: Ops, error: Exception, message: str) -> None:
    ops.run("task")
    ops.endings["task"].errback(error)
    session = ops.ask("wait", "task")[2]
    assert session["success"] is False
    assert session["messages"][-2][1].startswith(message)


def test_stopped_before_it_began(ops: Ops) -> None:
    ops.ask("start", "proc")
    ops.ask("stop", "proc")
    ops.reactor.turn()
    session = ops.ask("status", "proc")[2]
    assert session["status"] == "stopping"
    ops.end("proc")
    assert ops.ask("status", "proc")[2]["success"] is True


def test_a_stopper_that_refuses_or_fails_is_told(ops: Ops) -> None:
    def refusing(session: OpSession, params: Any) -> tuple[bool, str]:
        return False, "not now"

    def failing(session: OpSession, params: Any) -> tuple[bool, str]:
        raise RuntimeError("the stopper broke")

    for name, stopper in (("refusing", refusing), ("failing", failing)):
        ops.registry.add(AgentProcess(name, ops.unchecked, False, stopper, False))
        ops.run(name)
        assert ops.ask("stop", name)[0] == 0
        assert ops.ask("status", name)[2]["status"] == "running"
    assert ops.ask("status", "refusing")[2]["messages"][-1][1] == "stop: not now"
    assert "the stopper broke" in ops.ask("status", "failing")[2]["messages"][-1][1]


def test_blocking_operations_run_in_a_thread(ops: Ops) -> None:
    ops.run("thread")
    wait_for(
        lambda: ops.ask("status", "thread")[2]["data"] == {"status at entry": "running"},
        what="the operation's thread",
    )
    ops.release.set()
    wait_for(lambda: ops.reactor.from_threads, what="the operation's end")
    ops.reactor.turn()
    session = ops.ask("wait", "thread")[2]
    assert (session["success"], session["messages"][-2][1]) == (True, "released")


def test_codes_for_the_heartbeat(ops: Ops) -> None:
    running(ops, "proc")
    failed(ops, "task")
    codes = ops.registry.op_codes()
    assert (codes["proc"], codes["task"], codes["idle"]) == (3, 6, 1)
    assert all(type(code) is int for code in codes.values())


def test_descriptions(ops: Ops) -> None:
    done(ops, "task")
    tasks = ops.registry.describe(AgentTask)
    assert [name for name, _, _ in tasks] == ["advanced", "endless", "task", "thread"]
    by_name = {name: (session, info) for name, session, info in tasks}
    assert by_name["endless"] == (
        {"op_name": "endless", "status": "no_history"},
        {
            "blocking": False,
            "abortable": False,
            "docstring": None,
            "op_type": "task",
            "min_privs": 1,
        },
    )
    assert by_name["task"][0]["status"] == "done"
    assert by_name["task"][1]["abortable"] is True
    processes = ops.registry.describe(AgentProcess)
    assert [name for name, _, _ in processes] == ["idle", "proc", "unstoppable"]
    assert processes[0][2].keys() == {"blocking", "docstring", "op_type", "min_privs"}


def test_end_all_names_what_does_not_end(ops: Ops) -> None:
    for op in ("task", "proc", "endless"):
        ops.run(op)
    results: list[list[str]] = []
    ops.registry.end_all(2.5).addCallback(results.append)
    assert ops.ask("status", "task")[2]["status"] == "stopping"
    ops.end("task")
    ops.end("proc")
    assert results == []
    ops.reactor.advance(2.5)
    assert results == [["endless"]]


def test_end_all_is_quick_when_nothing_runs(ops: Ops) -> None:
    results: list[list[str]] = []
    ops.registry.end_all(2.5).addCallback(results.append)
    assert results == [[]]


def test_two_operations_of_one_name(ops: Ops) -> None:
    with pytest.raises(ValueError, match="'task' is already registered"):
        ops.registry.add(AgentTask("task", ops.unchecked, False, None, False))
