"""A unit with an instrument of few words, whose time the test moves."""

import json
from io import StringIO

import pytest
from twisted.internet.task import Clock

from agents.lakeshore.sim.conversation import Conversation, Unit
from agents.lakeshore.sim.faults import FaultBoard
from agents.lakeshore.sim.misbehaviour import Misbehaviour, Pace
from agents.lakeshore.sim.replies import Reply, SentReading
from agents.lakeshore.sim.truth import TruthFile


class Parrot:
    """Says back what ends in a question mark; a number before it is a reading."""

    def __init__(self):
        self.heard = []
        self.refused = 0
        self.conditions_on = set()

    def advance(self):
        pass

    def handle_line(self, line):
        text = line.decode("latin-1")
        self.heard.append(text)
        if not text.endswith("?"):
            return Reply(None)
        word = text[:-1]
        readings = (SentReading(5.0, 1, "T", word, 7, 0),) if word.isdigit() else ()
        return Reply(word, readings)

    def refuse_line(self):
        self.refused += 1

    def conditions(self):
        return {"frozen": "never updated", "overrange": "too much"}

    def set_condition(self, name, target, *, active):
        if target not in {None, "1", "2"}:
            raise ValueError(f"No channel {target!r}; there are 1 and 2.")
        targets = {"1", "2"} if target is None else {target}
        now = {(name, it) for it in targets}
        self.conditions_on = self.conditions_on | now if active else self.conditions_on - now


class Rig:
    """The unit with one connection, what the client has got, and the switches."""

    def __init__(self, *, idle_answer_s=None, shy=False, seed=1):
        self.clock = Clock()
        self.instrument = Parrot()
        self.stream = StringIO()
        self.truth = TruthFile(self.stream, clock=self.clock.seconds)
        self.misbehaviour = Misbehaviour(Pace(0.05, 0.0, 0.065), self.clock.seconds, seed=seed)
        self.unit = Unit(
            self.instrument,
            self.misbehaviour,
            self.clock,
            truth=self.truth,
            idle_answer_s=idle_answer_s,
            shy=shy,
        )
        self.packets = []
        self.hung_up = False
        self.wire = []
        self.conversation = Conversation(self.unit, self)
        self.board = FaultBoard(self.misbehaviour, self.instrument, self, self.clock, self.truth)

    def send(self, data):
        self.packets.append(data)

    def hang_up(self):
        self.hung_up = True

    def disconnect(self):
        self.wire.append("disconnect")

    def deaden(self):
        self.wire.append("deaden")

    def refuse(self, *, refused):
        self.wire.append("refuse" if refused else "take")

    def say(self, data):
        """Send bytes and return what comes back at once."""
        self.packets.clear()
        self.conversation.receive(data)
        return b"".join(self.packets)

    def notes(self):
        """Return the truth file's lines."""
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def make_rig():
    return Rig


@pytest.fixture
def rig():
    return Rig()
