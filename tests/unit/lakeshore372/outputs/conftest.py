"""The outputs' operations on a simulated 372, without a router and without a socket."""

import pytest
from twisted.logger import Logger

from agents.lakeshore.link import Cancelled, InstrumentUnavailable
from agents.lakeshore372.limits import Limits
from agents.lakeshore372.output_operations import OutputOperations
from ocs.op_session import OpSession
from ocs.params import check_params

ADDRESS = "10.0.0.6:7777"


class RecordingAgent:
    """Stands in for the OCS agent."""

    def __init__(self):
        self.log = Logger()
        self.ops = {}
        self.published = []

    def register_task(self, name, func, aborter=None):
        self.ops[name] = func, aborter

    def register_process(self, name, func, stopper):
        self.ops[name] = func, stopper

    def publish_to_feed(self, feed, message):
        assert feed == "temperatures"
        self.published.append((message["block_name"], message["data"]))


class BenchDriver:
    """The link to the bench's instrument; each exchange takes 10 ms, a command 50 ms more."""

    address = ADDRESS
    name = "Lake Shore 372"

    def __init__(self, bench):
        self.bench = bench
        self.away = False
        self.after = None
        """Called after each command, as somebody at the front panel may be."""
        self.garbles = None
        """Tells whether the answer to a question arrives as nonsense."""

    def ask(self, query, cancel=None):
        if cancel is not None and cancel.is_set():
            raise Cancelled("Stopped while waiting for the instrument.")
        if self.away:
            self.bench.wait(2)
            raise InstrumentUnavailable(f"No answer from the {self.name} at {ADDRESS}: timed out.")
        self.bench.wait(0.01)
        answer = self.bench.say(query.text)
        if answer is None:
            self.bench.wait(2)
            raise InstrumentUnavailable(f"No answer from the {self.name} at {ADDRESS}: timed out.")
        if self.garbles is not None and self.garbles(query.text):
            answer = "\x7f"
        return query.decode(answer.encode())

    def change(self, command, readback, cancel=None):
        if cancel is not None and cancel.is_set():
            raise Cancelled("Stopped while waiting for the instrument.")
        if not self.away:
            assert self.bench.say(command.text) is None
            self.bench.wait(0.05)
            if self.after is not None:
                self.after(command)
        return self.ask(readback, cancel)


class Lab:
    """An Agent's operations with the instrument they work on."""

    def __init__(self, bench, **limits):
        self.bench = bench
        self.agent = RecordingAgent()
        self.driver = BenchDriver(bench)
        self.session = None
        self.meanwhile = None
        """Called whenever an operation waits."""
        self.input_changes = []
        self.clock_error_s = 0.0
        OutputOperations(
            self.agent,
            self.driver,
            Limits(**limits),
            on_input_change=lambda: self.input_changes.append(bench.now),
            clock=lambda: bench.now + self.clock_error_s,
            steady=lambda: bench.now,
            wait=self.wait,
        ).register()

    def wait(self, event, seconds):
        self.bench.wait(seconds)
        if self.meanwhile is not None:
            self.meanwhile()
        return event.is_set()

    @property
    def published(self):
        return self.agent.published

    @property
    def data(self):
        return self.session.data

    def commands(self):
        """What the instrument has been told so far, queries left out."""
        return [line for line in self.bench.lines if "?" not in line]

    def say(self, text):
        return self.bench.say(text)

    def run(self, name, **params):
        """Run a task as the framework does; return its outcome."""
        function = self.agent.ops[name][0]
        self.session = OpSession(0, name)
        self.session.set_status("running")
        return function(self.session, check_params(function, params))

    def succeed(self, name, **params):
        outcome, message = self.run(name, **params)
        assert outcome, message
        return message

    def fail(self, name, **params):
        outcome, message = self.run(name, **params)
        assert not outcome, message
        return message


@pytest.fixture
def make_lab_of():
    return Lab


@pytest.fixture
def make_lab(bench):
    def make(**limits):
        return Lab(bench, **limits)

    return make


@pytest.fixture
def lab(make_lab):
    return make_lab()
