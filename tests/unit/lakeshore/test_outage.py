import threading

import pytest

from agents.lakeshore.messages import BadReply
from agents.lakeshore.outage import BAD_REPLIES_BEFORE_DEGRADED, Backoff, Outages
from ocs.op_session import OpSession

AWAY = "No answer from the Lake Shore 372 at sim:7777: timed out."
STUCK = "The scanner stays at channel 5."
DEAD = "Channel 5 is dead."


@pytest.fixture
def session():
    return OpSession(0, "acq")


@pytest.fixture
def outages(session):
    return Outages(session, "sim:7777", "Lake Shore 372", threading.Event(), Backoff(1e-6, 1e-6))


def texts(session):
    return [text for _, text in session.messages][1:]


def test_an_outage_is_said_once_and_its_end(session, outages):
    outages.on_trouble(AWAY)
    outages.on_trouble(AWAY)
    assert session.degraded
    assert outages.troubles == [AWAY]
    outages.on_answer()
    outages.on_answer()
    assert not session.degraded
    assert outages.troubles == []
    assert texts(session) == [f"{AWAY} Trying again.", "Connection re-established."]


def test_several_troubles_at_once(session, outages):
    outages.report({"scan": STUCK, "channel 5": DEAD})
    outages.report({"scan": STUCK, "channel 5": DEAD})
    outages.on_trouble(AWAY)
    assert outages.troubles == [AWAY, STUCK, DEAD]
    outages.on_answer()
    assert session.degraded
    outages.report({"channel 5": DEAD})
    assert session.degraded
    outages.report({})
    assert not session.degraded
    assert texts(session) == [
        STUCK,
        DEAD,
        f"{AWAY} Trying again.",
        "Connection re-established.",
        f"Over: {STUCK}",
        f"Over: {DEAD}",
    ]


def test_a_trouble_that_changes_is_said_again(session, outages):
    outages.report({"scan": STUCK})
    outages.report({"scan": DEAD})
    assert texts(session) == [STUCK, DEAD]


def test_only_several_bad_replies_in_a_row_are_an_outage(session, outages):
    for _ in range(3):
        for _ in range(BAD_REPLIES_BEFORE_DEGRADED - 1):
            assert not outages.on_bad_reply(BadReply("noise"))
        outages.on_answer()
    outages.count_bad_reply()
    assert not session.degraded
    for _ in range(BAD_REPLIES_BEFORE_DEGRADED):
        outages.on_bad_reply(BadReply("noise"))
    assert session.degraded
    assert outages.bad_replies == 4 * BAD_REPLIES_BEFORE_DEGRADED - 3 + 1


def test_a_new_trouble_is_told_before_the_wait(session):
    stop = threading.Event()
    told = []
    outages = Outages(
        session, "a:1", "Lake Shore 372", stop, on_change=lambda: told.append(outages.troubles)
    )
    stop.wait = lambda _: told.append("waits")
    outages.on_trouble("No answer.")
    assert told == [["No answer."], "waits"]
    outages.on_trouble("No answer.")
    assert told == [["No answer."], "waits", "waits"]
