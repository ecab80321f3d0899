"""The operations on inputs against the simulated 372, without a socket."""

import threading

import pytest

from agents.lakeshore.messages import TERMINATOR
from agents.lakeshore.transports import check
from agents.lakeshore372.curve_operations import CurveOperations
from agents.lakeshore372.input_editor import InputEditor
from agents.lakeshore372.input_operations import InputOperations
from agents.lakeshore372.scan_operations import ScanOperations
from agents.lakeshore372.settings_operations import SettingsOperations
from ocs.op_session import OpSession
from ocs.params import check_params


class BenchLink:
    """Speaks with the bench's instrument as a link does; `deaf` makes it ignore commands."""

    name = "Lake Shore 372"
    address = "10.0.0.6:7777"

    def __init__(self, bench):
        self.bench = bench
        self.deaf = False
        self.meanwhile = None
        """Called with each command before it is sent, as somebody else may be quicker."""

    def ask(self, query, cancel=None):
        return self.bench.ask(query)

    def tell(self, command, cancel=None):
        check(cancel)
        if self.meanwhile is not None:
            self.meanwhile(command.text)
        if not self.deaf:
            assert self.bench.say(command.encode().removesuffix(TERMINATOR).decode()) is None
        self.bench.wait(0.05)

    def change(self, command, readback, cancel=None):
        self.tell(command, cancel)
        return self.bench.ask(readback)


class Tasks:
    """Runs tasks by name, as a client would."""

    def __init__(self, link, configfile=None):
        self.link = link
        self.changed = threading.Event()
        self.tasks = {}
        self.aborters = {}
        editor = InputEditor(link, self.changed.set)
        self.settings = SettingsOperations(self, link, editor, configfile)
        for group in (
            InputOperations(self, editor),
            ScanOperations(self, editor),
            CurveOperations(self, link, editor),
            self.settings,
        ):
            group.register()

    def register_task(self, name, task, aborter=None):
        self.tasks[name] = task
        self.aborters[name] = aborter

    def run(self, name, /, **params):
        """Return whether it succeeded, what it said, and its session's data."""
        self.session = session = OpSession(0, name)
        session.set_status("running")
        task = self.tasks[name]
        ok, words = task(session, check_params(task, params))
        return ok, words, session.data

    def succeed(self, name, /, **params):
        ok, words, data = self.run(name, **params)
        assert ok, words
        return data

    def fail(self, name, /, **params):
        ok, words, _ = self.run(name, **params)
        assert not ok, words
        return words


@pytest.fixture
def link(bench):
    return BenchLink(bench)


@pytest.fixture
def tasks(link):
    return Tasks(link)
