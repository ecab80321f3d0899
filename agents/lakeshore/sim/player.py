"""Plays a scenario to a simulated instrument, in real time."""

import random
from typing import Any

from twisted.logger import Logger

from agents.lakeshore.sim.faults import FaultBoard
from agents.lakeshore.sim.misbehaviour import BadFault
from agents.lakeshore.sim.scenario import Clear, Inject, Scenario, read_scenario

__all__ = ["ScenarioPlayer"]


class ScenarioPlayer:
    """Plays one scenario at a time.

    Args:
        board: the faults.
        reactor: Twisted's, for the time.
    """

    log = Logger(namespace="simulator")

    def __init__(self, board: FaultBoard, reactor: Any) -> None:
        self._board = board
        self._reactor = reactor
        self._name: str | None = None
        self._scenario = Scenario(steps=())
        self._rng = random.Random()  # noqa: S311 - drawn faults, not secrets
        self._rounds = self._index = 0
        self._timer: Any = None

    @property
    def playing(self) -> str | None:
        """Name of the scenario that is played; None at the end."""
        return self._name

    def play(self, name: str) -> None:
        """Play a scenario from its beginning, in place of the one of before.

        Raises:
            ocs.errors.OcsError: it is not there or not right.
        """
        scenario = read_scenario(name, self._board.available())
        self.stop()
        self._name, self._scenario = name, scenario
        self._rng.seed(scenario.seed)
        self._rounds = self._index = 0
        self.log.info("scenario {name} begins: {text}", name=name, text=scenario.description)
        self._wait()

    def stop(self) -> None:
        """End the scenario; the faults it has switched on stay as they are."""
        self._name = None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _wait(self) -> None:
        delay_s = self._rng.uniform(*self._scenario.steps[self._index].after_s)
        self._timer = self._reactor.callLater(delay_s, self._do)

    def _do(self) -> None:
        step = self._scenario.steps[self._index]
        self._carry_out(self._rng.choice(step.actions))
        self._index += 1
        if self._index == len(self._scenario.steps):
            self._index = 0
            self._rounds += 1
            if self._rounds == self._scenario.repeat:
                self.log.info("scenario {name} has ended", name=self._name)
                self.stop()
                return
        self._wait()

    def _carry_out(self, action: Inject | Clear) -> None:
        try:
            if isinstance(action, Clear):
                self._board.clear(action.name)
            else:
                self._board.begin(action.name, action.target, action.duration_s)
        except BadFault as error:
            # A module of two channels has no channel 7: the rest of the scenario still counts.
            self.log.error("scenario {name}: {why}", name=self._name, why=error)
