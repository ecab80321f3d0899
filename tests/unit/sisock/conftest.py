"""Stand-ins shared by the monitor's unit tests."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from autobahn.wamp.exception import ApplicationError
from twisted.internet.defer import Deferred

from ocs.connection import ConnectionStatus


class FakeConnection:
    """Remembers what is declared on it and answers calls from `procedures`."""

    def __init__(self) -> None:
        self.session_id: int | None = 7
        self.status = ConnectionStatus("connected", 0.0, "joined")
        self.registered: dict[str, Callable[..., Any]] = {}
        self.handlers: dict[str, Callable[..., Any]] = {}
        self.joined: list[Callable[[], Any]] = []
        self.status_hooks: list[Callable[[ConnectionStatus], None]] = []
        self.published: list[tuple[Any, ...]] = []
        self.calls: list[tuple[Any, ...]] = []
        self.procedures: dict[str, Callable[..., Any]] = {}

    def register(self, procedure: str, func: Callable[..., Any]) -> None:
        self.registered[procedure] = func

    def subscribe(self, topic: str, handler: Callable[..., Any]) -> None:
        self.handlers[topic] = handler

    def on_join(self, func: Callable[[], Any]) -> None:
        self.joined.append(func)

    def on_status(self, func: Callable[[ConnectionStatus], None]) -> None:
        self.status_hooks.append(func)

    def publish(self, *event: Any) -> bool:
        self.published.append(event)
        return True

    async def call(
        self, procedure: str, *args: Any, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        self.calls.append((procedure, *args, kwargs))
        if procedure not in self.procedures:
            raise ApplicationError("wamp.error.no_such_procedure", procedure)
        answer = self.procedures[procedure](*args, **kwargs)
        if isinstance(answer, Deferred):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer


def result_of(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that needs no reactor and return its result."""
    outcome: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(outcome.append)
    assert outcome, "the coroutine waits for something"
    if hasattr(outcome[0], "raiseException"):
        outcome[0].raiseException()
    return outcome[0]


@pytest.fixture
def connection() -> FakeConnection:
    return FakeConnection()


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    return result_of
