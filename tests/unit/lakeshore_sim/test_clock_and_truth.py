from io import StringIO

import pytest
from twisted.internet.task import Clock

from agents.lakeshore.sim.clock import Life, SimClock
from agents.lakeshore.sim.truth import TruthFile


def test_time_runs_as_fast_as_asked():
    now = [7.0]
    clock = SimClock(speed=60, wall=lambda: 1000.0, elapsed=lambda: now[0])
    assert clock() == 1000.0
    now[0] += 2
    assert clock() == 1120.0


@pytest.mark.parametrize(("speed", "times"), [(0.5, 11), (1.0, 11), (10.0, 101), (1000.0, 501)])
def test_an_instrument_lives_between_questions(speed, times):
    reactor, lived = Clock(), []
    life = Life(lambda: lived.append(reactor.seconds()), reactor, speed)
    life.start()
    reactor.pump([0.01] * 1001)
    assert abs(len(lived) - times) <= 1
    life.stop()
    reactor.advance(100)
    assert reactor.getDelayedCalls() == []
    life.stop()


class Full(StringIO):
    def flush(self):
        raise OSError(28, "No space left on device")

    close = flush


def test_a_full_disk_does_not_stop_the_instrument():
    truth = TruthFile(Full(), clock=lambda: 0.0)
    truth.note_fault("slow", None, "begin")
    truth.note_fault("slow", None, "end")
    truth.close()
