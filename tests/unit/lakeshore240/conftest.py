"""The Agent's parts around a simulated 240 that is plugged in, and can be pulled out."""

import contextlib
import errno
import socket
import threading
from collections.abc import Iterator

import attrs
import pytest
from twisted.logger import Logger

import ocs
from agents.lakeshore.messages import LineFramer
from agents.lakeshore240.driver import Ls240Driver, manners_for
from agents.lakeshore240.LS240_agent import LS240_Agent
from agents.lakeshore240.sim_instrument import make_instrument
from ocs.op_session import OpSession
from ocs.params import check_params

QUICK = attrs.evolve(
    manners_for(None), reply_timeout_s=0.3, command_pause_s=0.0, query_pause_s=0.0, first_tries=1
)


class Plug:
    """A serial port with a simulated module behind it, whose time runs with its messages."""

    def __init__(self, serial="LSA2359", **settings):
        self.address = f"/dev/{serial}"
        self.now = 1_800_000_000.0
        self.step_s = 0.05
        self.instrument = make_instrument(serial=serial, clock=lambda: self.now, **settings)
        self.lines: list[str] = []
        self.answer = self.tell_instrument
        self.plugged = True
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def open(self, cancel):
        if not self.plugged:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._ends.append(theirs)
        self._threads.append(threading.Thread(target=self._serve, args=(theirs,)))
        self._threads[-1].start()
        return ours

    def pull_out(self):
        self.plugged = False
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def tell_instrument(self, line: bytes) -> bytes:
        self.now += self.step_s
        text = self.instrument.handle_line(line).text
        return b"" if text is None else text.encode() + b"\r\n"

    def say(self, text: str) -> str | None:
        return self.instrument.handle_line(text.encode()).text

    def close(self):
        self.pull_out()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _serve(self, end):
        framer = LineFramer()
        with end, contextlib.suppress(OSError):
            while data := end.recv(4096):
                for line in framer.feed(data):
                    self.lines.append(line.decode())
                    end.sendall(self.answer(line))


class RecordingFeed:
    def __init__(self):
        self.flushed = 0

    def flush_buffer(self):
        self.flushed += 1


class RecordingAgent:
    """Stands in for the OCS agent."""

    def __init__(self):
        self.log = Logger()
        self.feeds = {}
        self.options = {}
        self.published = []
        self.tasks = {}
        self.started = []
        self.sessions = {"acq": None}
        self.start_answer = (ocs.OK, "Started.", {})

    def register_feed(self, name, **options):
        self.feeds[name] = RecordingFeed()
        self.options[name] = options

    def register_task(self, name, task, *, startup=False, aborter=None):
        self.tasks[name] = (task, startup, aborter)

    def register_process(self, name, process, stopper, startup=False):
        self.tasks[name] = (process, startup, stopper)

    def publish_to_feed(self, name, message):
        self.published.append((name, message))

    def start(self, name, params=None):
        self.started.append(name)
        return self.start_answer


class Lab:
    """The Agent with one or more modules, its operations called as the framework does."""

    def __init__(self, *plugs, manners=QUICK, **options):
        self.plugs = plugs
        self.agent = RecordingAgent()
        serials = [plug.address.removeprefix("/dev/") for plug in plugs]
        drivers = [
            Ls240Driver(plug, expected_serial=serial if len(plugs) > 1 else None, manners=manners)
            for plug, serial in zip(plugs, serials, strict=True)
        ]
        self.lakeshore = LS240_Agent(self.agent, drivers, **options)
        self.lakeshore.register(mode="idle")
        self.session = OpSession(0, "acq")
        self._acq: threading.Thread | None = None
        self.result = None

    def run(self, op, /, **params):
        """Run an operation and return its result and its session."""
        session = OpSession(0, op)
        session.set_status("running")
        task = self.agent.tasks[op][0]
        return task(session, check_params(task, params)), session

    def start_acq(self, **params):
        self.session = OpSession(0, "acq")
        self.session.set_status("running")
        task = self.agent.tasks["acq"][0]

        def run():
            self.result = task(self.session, check_params(task, params))

        self._acq = threading.Thread(target=run)
        self._acq.start()

    def stop_acq(self):
        if self._acq is not None:
            self.agent.tasks["acq"][2](self.session, None)
            self._acq.join(5)
            assert not self._acq.is_alive()
            self._acq = None

    def texts(self):
        return [text for _, text in self.session.messages]

    @property
    def data(self):
        """Fields of the last message published."""
        return self.agent.published[-1][1]["data"]

    def close(self):
        self.stop_acq()
        for module in self.lakeshore.modules:
            module.driver.close()
        for plug in self.plugs:
            plug.close()


@pytest.fixture
def make_lab() -> Iterator:
    labs = []

    def make(*plugs, **options):
        labs.append(Lab(*(plugs or (Plug(),)), **options))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


@pytest.fixture
def lab(make_lab) -> Lab:
    return make_lab()


@pytest.fixture
def make_plug():
    return Plug
