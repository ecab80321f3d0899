"""The lock that tells who holds it, and the pace (spec/ocs-protocol.md, section 6.3)."""

import threading
from typing import Any

import pytest

from ocs.ocs_twisted import Pacemaker, TimeoutLock
from ocs.testing import wait_for


class Time:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        # Nobody wakes exactly on time.
        self.slept.append(seconds)
        self.now += seconds + 0.001


@pytest.fixture
def clock() -> Time:
    return Time()


def beats(pacemaker: Pacemaker, clock: Time, count: int, work_s: float = 0.0) -> list[float]:
    times = []
    for _ in range(count):
        pacemaker.sleep()
        times.append(clock.now - 1_700_000_000.0)
        clock.now += work_s
    return times


def test_the_first_beat_comes_at_once_and_the_pace_does_not_drift(clock: Time) -> None:
    times = beats(Pacemaker(10, clock=clock, pause=clock.sleep), clock, 1001, work_s=0.03)
    assert times[0] < 0.01
    assert times[-1] == pytest.approx(100.0, abs=0.01)


def test_one_late_beat_moves_no_other(clock: Time) -> None:
    pacemaker = Pacemaker(10, clock=clock, pause=clock.sleep)
    beats(pacemaker, clock, 2)
    clock.now += 0.15
    assert beats(pacemaker, clock, 3) == pytest.approx([0.25, 0.3, 0.4], abs=0.01)


def test_beats_that_were_missed_are_left_out(clock: Time) -> None:
    pacemaker = Pacemaker(10, clock=clock, pause=clock.sleep)
    beats(pacemaker, clock, 2)
    clock.now += 5
    times = beats(pacemaker, clock, 4)
    assert times[-1] - times[0] == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_a_clock_that_is_set_does_not_stop_the_loop(clock: Time, step: float) -> None:
    pacemaker = Pacemaker(10, clock=clock, pause=clock.sleep)
    beats(pacemaker, clock, 3)
    clock.now += step
    clock.slept.clear()
    beats(pacemaker, clock, 10)
    assert max(clock.slept) <= 0.2
    assert 0.5 < sum(clock.slept) < 1.2


def test_quantized_beats_fall_on_the_grid(clock: Time) -> None:
    clock.now += 0.123
    times = beats(
        Pacemaker(4, quantize=True, clock=clock, pause=clock.sleep), clock, 20, work_s=0.01
    )
    assert [round(t * 4) / 4 for t in times[1:]] == pytest.approx(times[1:], abs=0.002)
    assert times[2:] == pytest.approx([t + 0.25 for t in times[1:-1]], abs=0.002)


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_rates_that_are_none(rate: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Pacemaker(rate)


def test_quantize_needs_a_whole_number() -> None:
    with pytest.raises(ValueError, match="whole number"):
        Pacemaker(2.5, quantize=True)


def test_the_lock_tells_its_job() -> None:
    lock = TimeoutLock()
    with lock.acquire_timeout(job="acq") as acquired:
        assert acquired
        assert lock.job == "acq"
        assert not lock.acquire(job="other")
        assert not lock.acquire(timeout=0.01)
        with lock.acquire_timeout(0, job="other") as second:
            assert not second
        assert lock.job == "acq", "who did not get it does not release it"
    assert lock.job is None
    assert lock.acquire(timeout=-1)
    lock.release()


def test_the_lock_is_released_after_an_error() -> None:
    lock = TimeoutLock(default_timeout=1)
    with pytest.raises(KeyError), lock.acquire_timeout():
        raise KeyError
    assert lock.acquire()


def test_a_waiter_gets_in_between() -> None:
    lock = TimeoutLock(default_timeout=10)
    assert lock.acquire(job="acq")
    got: list[Any] = []

    def other() -> None:
        with lock.acquire_timeout(10, job="task") as acquired:
            got.append((acquired, lock.job))

    thread = threading.Thread(target=other)
    thread.start()
    wait_for(lock._next.locked, what="the other thread to queue")
    assert lock.release_and_acquire()
    assert got == [(True, "task")]
    assert lock.job == "acq"
    thread.join()
