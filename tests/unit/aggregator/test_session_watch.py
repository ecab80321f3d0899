from types import SimpleNamespace

import pytest

from agents.aggregator.session_watch import ATTENTION_S, SessionWatch
from ocs.op_session import OpSession


@pytest.fixture
def session():
    return OpSession(0, "record")


@pytest.fixture
def state():
    recorder = SimpleNamespace(
        problem="", quarantine=SimpleNamespace(total=0), report=lambda: {"current_file": None}
    )
    return recorder, SimpleNamespace(lost={}, turned_away=0)


def test_a_problem_is_told_once_and_so_is_its_end(session, state, clock):
    watch = SessionWatch(session, clock)
    recorder, _ = state
    before = len(session.messages)
    for problem in ("", "disk full", "disk full", "", ""):
        recorder.problem = problem
        watch.report(*state)
        assert session.degraded == bool(problem)
    assert [t for _, t in session.messages[before:]] == ["disk full", "Writing works again."]


def test_losses_show_for_a_while(session, state, clock):
    watch = SessionWatch(session, clock)
    recorder, reception = state
    watch.report(*state)
    for cause in (
        lambda: setattr(recorder.quarantine, "total", 1),
        lambda: reception.lost.update(feed=3),
        lambda: setattr(reception, "turned_away", 1),
    ):
        cause()
        watch.report(*state)
        assert session.degraded
        clock.now += ATTENTION_S
        watch.report(*state)
        assert not session.degraded
    assert session.data == {"current_file": None, "gaps": {"feed": 3}, "turned_away": 1}
