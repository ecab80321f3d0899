"""The operations of one agent and the requests clients make of them.

Replies, their texts and the order of checks: spec/ocs-protocol.md, section 4.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.logger import Logger

from ocs.base import OpCode, ResponseCode
from ocs.op_session import OpSession
from ocs.operations import AgentOp, OpThreads, Refused
from ocs.params import ParamError

__all__ = ["OpRegistry", "Reply"]

log = Logger()

Reply = tuple[int, str, dict[str, Any]]
"""Code (`ResponseCode`), text for a person, encoded session or an empty object."""

# Without an access policy everybody, the agent itself included, has the basic level (section 18).
EVERYBODYS_LEVEL = 1
_LEVEL_NAMES = {1: "1-BASIC", 2: "2-ADVANCED", 3: "3-FULL", 4: "4-SUPERUSER"}


class OpRegistry:
    """All operations of an agent, by name. Reactor thread only.

    Args:
        reactor: The Twisted reactor.
        app: The agent, given to each session.
        on_end: Called when an operation has ended.
        clock: Gives Unix time in seconds.
    """

    def __init__(
        self,
        reactor: Any,
        app: Any,
        on_end: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._reactor = reactor
        self._app = app
        self._on_end = on_end
        self._clock = clock
        self._ops: dict[str, AgentOp] = {}
        self._threads = OpThreads(reactor)
        self._next_session_id = 0

    def __iter__(self) -> Iterator[AgentOp]:
        """Go through the operations in the order of their registration."""
        return iter(self._ops.values())

    def add(self, op: AgentOp) -> None:
        """Register an operation.

        Raises:
            ValueError: There is one of that name.
        """
        if op.name in self._ops:
            raise ValueError(f"an operation called {op.name!r} is already registered")
        self._ops[op.name] = op

    def open(self) -> None:
        """Get ready to run; all operations are registered by now."""
        self._threads.start(len(self._ops))

    def describe(self, kind: type[AgentOp]) -> list[list[Any]]:
        """Return name, session and description of all tasks or processes, sorted by name."""
        return [
            [op.name, op.encoded_session(), op.encoded()]
            for op in sorted(self._ops.values(), key=lambda op: op.name)
            if isinstance(op, kind)
        ]

    def op_codes(self) -> dict[str, int]:
        """Return the state of every operation in one number (heartbeat)."""
        return {
            op.name: (op.session.op_code if op.session is not None else OpCode.NONE).value
            for op in self._ops.values()
        }

    def sessions(self) -> dict[str, OpSession | None]:
        """Return the present or latest session of every operation."""
        return {op.name: op.session for op in self._ops.values()}

    def handle(
        self,
        action: str,
        op_name: str,
        params: Any = None,
        timeout: float | None = None,
        password: str | None = None,  # noqa: ARG002 - clients may send one; there is no policy
    ) -> "Reply | Deferred[Reply]":
        """Answer a request of a client: the procedure ``R.I.ops``."""
        match action:
            case "start":
                return self.start(op_name, params)
            case "stop" | "abort":
                return self.end(action, op_name, params)
            case "status":
                return self.status(op_name)
            case "wait":
                return self.wait(op_name, timeout)
        return _error(
            f'No implementation for "{op_name}": there is no action "{action}"; '
            "allowed are start, status, wait, stop and abort"
        )

    def start(self, op_name: str, params: Any = None) -> Reply:
        """Start an operation; returns when it is accepted."""
        log.info("start called for {op}", op=op_name)
        op = self._ops.get(op_name)
        if op is None:
            return _error(f'No task or process called "{op_name}"')
        if op.active is not None:
            return _error(f'Operation "{op_name}" already in progress.', op.active)
        if op.min_privs > EVERYBODYS_LEVEL:
            return _error(_lacking_privs(op))
        try:
            checked = op.check(params)
        except ParamError as error:
            return _error(str(error))
        session = OpSession(self._next_session_id, op_name, app=self._app, clock=self._clock)
        self._next_session_id += 1
        op.session = session
        # The next turn of the loop: the reply shows the status "starting".
        self._reactor.callLater(0, self._launch, op, session, checked)
        return _ok(f'Started {op.op_type} "{op_name}".', session)

    def _launch(self, op: AgentOp, session: OpSession, params: Any) -> None:
        self._threads.run(op, session, params).addCallback(lambda _: self._on_end())

    def status(self, op_name: str) -> Reply:
        """Return the present or latest session."""
        op = self._ops.get(op_name)
        if op is None:
            return _error(f'No task or process called "{op_name}"')
        if op.session is None:
            return _ok("No session active.")
        return _ok("Session active.", op.session)

    def wait(self, op_name: str, timeout: float | None = None) -> "Deferred[Reply]":
        """Answer when the operation has ended.

        Args:
            op_name: The operation.
            timeout: Seconds to wait at most; negative answers at once, None waits for ever.
        """
        op = self._ops.get(op_name)
        if op is None:
            return succeed(_error(f'Unknown operation "{op_name}".'))
        session = op.session
        if session is None:
            return succeed(_ok("Idle."))
        limit_s = None if timeout is None else max(0.0, float(timeout))
        waiter = session.when_done()
        if limit_s is not None:
            waiter.addTimeout(limit_s, self._reactor)

        def ended(_: None) -> Reply:
            outcome = "SUCCEEDED" if session.success else "FAILED"
            return _ok(f'Operation "{op_name}" is currently not running ({outcome}).', session)

        def expired(failure: Any) -> Reply:
            failure.trap(DeferredTimeout)
            return (
                ResponseCode.TIMEOUT.value,
                f'Operation "{op_name}" still running; wait timed out.',
                session.encoded(),
            )

        return waiter.addCallbacks(ended, expired)

    def end(self, action: str, op_name: str, params: Any = None) -> Reply:
        """Ask a process to stop or a task to abort; it need not have ended on return."""
        op = self._ops.get(op_name)
        if op is None:
            return _error(f'No operation called "{op_name}".')
        if op.min_privs > EVERYBODYS_LEVEL:
            return _error(_lacking_privs(op))
        try:
            session = op.stoppable(action)
        except Refused as error:
            return _error(str(error))
        self._threads.stop(op, session, params)
        return _ok(f"Requested {action} on {op.op_type} {op_name}.", session)

    def end_all(self, timeout: float) -> "Deferred[list[str]]":
        """Ask everything that runs to end; fires when it has, at the latest after `timeout` s.

        Returns:
            Names of the operations that are still running then.
        """
        waiting = []
        for op in self._ops.values():
            session = op.active
            if session is None:
                continue
            if op.stopper is not None and session.status != "stopping":
                self._threads.stop(op, session, {})
            waiting.append(self.wait(op.name, timeout))
        return DeferredList(waiting).addCallback(
            lambda _: [op.name for op in self if op.active is not None]
        )


def _lacking_privs(op: AgentOp) -> str:
    return (
        f"The action requires credential level {_LEVEL_NAMES[op.min_privs]} "
        f"but the client has only level {_LEVEL_NAMES[EVERYBODYS_LEVEL]}"
    )


def _ok(message: str, session: OpSession | None = None) -> Reply:
    return ResponseCode.OK.value, message, session.encoded() if session is not None else {}


def _error(message: str, session: OpSession | None = None) -> Reply:
    return ResponseCode.ERROR.value, message, session.encoded() if session is not None else {}
