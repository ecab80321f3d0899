"""Operations of an agent: what can be started, and how it runs (spec/ocs-protocol.md, 4 and 6).

An operation's states and what a request answers in each::

    no session --start--> starting --> running --stop/abort--> stopping --> done --start--> ...
       start:   accepted    refused     refused                  refused    accepted
       stop:    refused     accepted    accepted                 refused    refused
"""

import inspect
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Any, ClassVar

import attrs
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from ocs.errors import OcsError
from ocs.op_session import OpSession
from ocs.params import ParamError, check_params

__all__ = ["AgentOp", "AgentProcess", "AgentTask", "OpThreads", "Refused"]

log = Logger()


class Refused(OcsError):
    """A request to an operation was not carried out; the message says why."""


@attrs.define(eq=False)
class AgentOp:
    """Something an agent can do.

    Attributes:
        name: Operation name.
        launcher: The operation's function, ``(session, params) -> (bool, str)``.
        blocking: Whether it runs in a thread; else it is called in the reactor's.
        stopper: Asks a running session to end.
        stopper_blocking: As `blocking`, for the stopper.
        min_privs: Credential level a client needs to start or stop it.
        startup: Parameters to start it with when the agent starts; None if it is not.
        session: The present or latest run.
    """

    op_type: ClassVar[str]
    stop_action: ClassVar[str]

    name: str
    launcher: Callable[..., Any]
    blocking: bool
    stopper: Callable[..., Any] | None
    stopper_blocking: bool
    min_privs: int = 1
    startup: Mapping[str, Any] | None = None
    session: OpSession | None = None

    @property
    def active(self) -> OpSession | None:
        """The session that is running now, if any."""
        if self.session is not None and self.session.status != "done":
            return self.session
        return None

    def encoded(self) -> dict[str, Any]:
        """Return the operation's entry in ``get_api``."""
        return {
            "blocking": self.blocking,
            "docstring": inspect.getdoc(self.launcher),
            "op_type": self.op_type,
            "min_privs": self.min_privs,
        }

    def encoded_session(self) -> dict[str, Any]:
        """Return the present or latest run as ``get_api`` shows it."""
        if self.session is None:
            return {"op_name": self.name, "status": "no_history"}
        return self.session.encoded()

    def check(self, params: Mapping[str, Any] | None) -> Any:
        """Check the parameters of a start.

        Raises:
            ParamError: They do not fit what the operation declares.
        """
        return check_params(self.launcher, params)

    def stoppable(self, action: str) -> OpSession:
        """Return the session that `action` (``stop`` or ``abort``) would end.

        Raises:
            Refused: There is none, it is ending already, or `action` is not for this operation.
        """
        if action != self.stop_action:
            raise Refused(f'Cannot "{action}" "{self.name}" because it is a "{self.op_type}".')
        if self.session is None:
            raise Refused("No session active.")
        if self.session.status in ("stopping", "done"):
            raise Refused(f"The operation is already {self.session.status}")
        if self.stopper is None:
            raise Refused(
                f'{self.op_type.capitalize()} "{self.name}" has nothing to {action} it with.'
            )
        return self.session


class AgentTask(AgentOp):
    """An operation that ends by itself; it may have an aborter."""

    op_type = "task"
    stop_action = "abort"

    def encoded(self) -> dict[str, Any]:
        """Return the operation's entry in ``get_api``."""
        return {**super().encoded(), "abortable": self.stopper is not None}


class AgentProcess(AgentOp):
    """An operation that runs until it is stopped."""

    op_type = "process"
    stop_action = "stop"


class _DaemonThread(Thread):
    # An operation that never ends must not keep the program from ending.
    daemon = True


class _DaemonThreadPool(ThreadPool):
    threadFactory = _DaemonThread  # noqa: N815 - Twisted's name


class OpThreads:
    """The threads of an agent's operations.

    An operation has one session at most, so as many threads as operations are enough for all of
    them; stoppers have threads of their own, and never wait for an operation to end.

    Args:
        reactor: The Twisted reactor.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._ops = _DaemonThreadPool(0, 1, "operations")
        self._stoppers = _DaemonThreadPool(0, 1, "stoppers")

    def start(self, operations: int) -> None:
        """Make room for this many operations."""
        for pool in (self._ops, self._stoppers):
            pool.adjustPoolsize(0, max(1, operations))
            pool.start()

    def run(self, op: AgentOp, session: OpSession, params: Any) -> "Deferred[None]":
        """Run an operation to its end; never fails, the session says how it went."""

        def begin() -> Any:
            session.begin()
            return op.launcher(session, params)

        ended = self._call(self._ops, op.blocking, begin)
        return ended.addCallbacks(_judge, _judge_failure).addCallback(
            lambda outcome: session.finish(*outcome)
        )

    def stop(self, op: AgentOp, session: OpSession, params: Any) -> "Deferred[None]":
        """Run an operation's stopper; what it says is logged."""
        stopper = op.stopper
        if stopper is None:
            raise Refused(f"{op.name} has no stopper")
        stopped = self._call(self._stoppers, op.stopper_blocking, lambda: stopper(session, params))

        def answered(answer: Any) -> None:
            match answer:
                case [False, message]:
                    session.add_message(f"{op.stop_action}: {message}")
                case [_, message]:
                    log.info(
                        "{op}: {action}: {message}",
                        op=op.name,
                        action=op.stop_action,
                        message=message,
                    )

        def failed(failure: Failure) -> None:
            log.failure("the stopper of {op} failed", failure=failure, op=op.name)
            session.add_message(f"{op.stop_action} failed: {_short(failure)}")

        return stopped.addCallback(answered).addErrback(failed)

    def _call(self, pool: ThreadPool, blocking: bool, func: Callable[[], Any]) -> "Deferred[Any]":
        if blocking:
            return deferToThreadPool(self._reactor, pool, func)
        return maybeDeferred(func)


def _judge(result: Any) -> tuple[bool, str]:
    match result:
        case [bool() as success, str() as message]:
            return success, message
        case [success, message]:
            return bool(success), str(message)
    return False, f"CRASH: the operation returned {result!r} instead of (bool, str)"


def _judge_failure(failure: Failure) -> tuple[bool, str]:
    if isinstance(failure.value, ParamError):
        return False, f"ERROR: {failure.value}"
    log.failure("an operation failed", failure=failure)
    return False, f"CRASH: {_short(failure)} (the traceback is in the agent's log)"


def _short(failure: Failure) -> str:
    name = failure.type.__name__ if failure.type is not None else "error"
    return f"{name}: {failure.getErrorMessage()}"
