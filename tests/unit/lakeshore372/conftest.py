"""A simulated 372 whose time the test moves."""

from collections.abc import Callable

import pytest

from agents.lakeshore.messages import TERMINATOR, BadReply, Query
from agents.lakeshore372.sim_build import make_instrument
from agents.lakeshore372.sim_instrument import Reply, SentReading, SimulatedLs372


class Bench:
    """An instrument, its clock, and everything it has sent."""

    def __init__(self, **settings: float) -> None:
        self.now = 1_800_000_000.0
        self.instrument: SimulatedLs372 = make_instrument(clock=lambda: self.now, **settings)
        self.sent: list[SentReading] = []
        self.lines: list[str] = []

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def reply(self, text: str) -> Reply:
        reply = self.instrument.handle_line(text.encode())
        self.sent += reply.readings
        self.lines.append(text)
        return reply

    def say(self, text: str) -> str | None:
        return self.reply(text).text

    def ask(self, query: Query):
        self.now += 0.001
        answer = self.say(query.encode().removesuffix(TERMINATOR).decode())
        self.now += 0.001
        if answer is None:
            raise BadReply("silence")
        return query.decode(answer.encode())


@pytest.fixture
def make_bench() -> Callable[..., Bench]:
    return Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
