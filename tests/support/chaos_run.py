"""A simulated instrument that goes wrong every few seconds, the Agent that reads it, and a record.

Real programs on a real router. What is wrong when follows from a seed; what came of it is written
down while it happens, and judged afterwards.
"""

import json
import random
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import psutil

from ocs.client_http import ControlClient, ControlClientError
from ocs.testing import AgentProcess, RouterProcess, free_port, site_config, wait_for

SLOT_S = 5.0
"""So often something goes wrong."""

SHORT_S = 3.5
POLL_S = 0.2
TASK_EVERY_S = 1.0
NOT_IN_A_SHORT_RUN = 5
"""Trials of so many slots are left to runs of five minutes or more."""

_READING = re.compile(r"Channel_(\d+)_([TRV])")


@attrs.frozen
class Trial:
    """Something that goes wrong, and what ought to come of it.

    Attributes:
        fault: its name at the control port.
        argument: of the fault: a channel, a number, a line end.
        told: pattern of what the Agent says of it; None if it need not tell.
        within_s: how soon after the beginning.
        over_within_s: how soon after the end it is not told any more.
        slots: how long it lasts; in the slots after its first only gentle trials begin.
        fleeting: the Agent heals it so soon that only a message is left of it.
        gentle: the Agent stays connected, so that it can notice what lasts longer.
    """

    fault: str
    argument: str = ""
    told: str | None = None
    within_s: float = 4.0
    over_within_s: float = 10.0
    slots: int = 1
    fleeting: bool = False
    gentle: bool = False

    @property
    def lasts_s(self) -> float:
        return SLOT_S * (self.slots - 1) + SHORT_S

    @property
    def words(self) -> str:
        return f"{self.fault} {self.argument}".strip()


def line_trials(name: str, *, unreachable: str, no_answer: str, within_s: float) -> list[Trial]:
    """Everything that can be wrong with the line of an instrument.

    Args:
        name: of the instrument, as its Agent says it.
        unreachable: what the Agent says when there is nothing at its address.
        no_answer: what it says when something is there, but does not answer.
        within_s: how soon it says anything.
    """
    nonsense = f"not as a {name} does"
    trials = [
        Trial("disconnect", told="closed"),
        Trial("refuse", told=unreachable),
        Trial("half_open", told=no_answer, fleeting=True),
        Trial("slow", "3", told=no_answer),
        Trial("slow", "0.1", gentle=True),
        Trial("silent", told=no_answer),
        Trial("silent", "0.3"),
        Trial("garbage", told=nonsense),
        Trial("garbage", "0.3"),
        Trial("truncated", told=no_answer),
        Trial("truncated", "0.3"),
        *(Trial("wrong_terminator", end, told=no_answer) for end in ("lf", "cr", "lfcr", "none")),
        Trial("split", gentle=True),
        Trial("split", "0.1", gentle=True),
        Trial("extra_line", told=nonsense),
        Trial("extra_line", "0.3"),
        Trial("strict_pace", gentle=True),
    ]
    return [attrs.evolve(trial, within_s=within_s) for trial in trials]


def schedule(trials: Sequence[Trial], seconds: float, seed: int) -> list[Trial]:
    """Draw what begins in each slot."""
    rng = random.Random(seed)
    gentle = [trial for trial in trials if trial.gentle]
    slots = int(seconds / SLOT_S)
    possible = [t for t in trials if seconds >= 300 or t.slots < NOT_IN_A_SHORT_RUN]
    drawn: list[Trial] = []
    while len(drawn) < slots:
        for trial in rng.sample(possible, len(possible)):
            if len(drawn) + trial.slots <= slots:
                drawn += [trial, *(rng.choice(gentle) for _ in range(trial.slots - 1))]
        possible = [trial for trial in trials if trial.slots == 1]
    return drawn


@attrs.frozen
class Instrument:
    """One kind of instrument and its Agent.

    Attributes:
        simulator: the program, and its arguments with ``{port}`` for its port.
        agent_class: in the site configuration.
        agent: the Agent's program.
        arguments: its arguments, with ``{port}``.
        set_up: operations that are run before anything goes wrong.
        tasks: draw an operation and its parameters.
        remembered: which operation sets and which reads what under which name.
        trials: what can go wrong.
        quantities: how the truth file calls those of the fields.
        sensor_flags: bits of the status that leave the sensor's reading as it is.
        late_s: how much older than its time in the feed a reading may be.
        round_s: how long it takes until all inputs have been read.
    """

    simulator: Sequence[str]
    agent_class: str
    agent: str
    arguments: Sequence[str]
    set_up: Sequence[tuple[str, Mapping[str, Any]]]
    tasks: Callable[[random.Random], tuple[str, Mapping[str, Any]]]
    remembered: tuple[str, str, str, str]
    trials: Sequence[Trial]
    quantities: Mapping[str, str]
    sensor_flags: int
    late_s: float
    round_s: float


@attrs.frozen
class Poll:
    """What the session of ``acq`` said at a time."""

    time_s: float
    status: str
    degraded: bool
    troubles: Sequence[str]


@attrs.frozen
class Happened:
    """A trial, and when it was."""

    trial: Trial
    began_s: float

    @property
    def ended_s(self) -> float:
        return self.began_s + self.trial.lasts_s


@attrs.frozen
class Done:
    """A task that has been run: what it was told, when it ended, what it answered."""

    op: str
    params: Mapping[str, Any]
    ended_s: float
    took_s: float
    success: bool
    text: str
    data: Mapping[str, Any]


@attrs.frozen
class Resources:
    """What the Agent's process has taken."""

    descriptors: int
    rss_mib: float


@attrs.frozen
class Sample:
    """One number of the feed."""

    time_s: float
    channel: str
    quantity: str
    value: float
    status: int


class ChaosRun:
    """One instrument's run.

    Args:
        instrument: which.
        name: instance-id of its Agent.
        directory: for its files.
        router: where the Agent is found.
        seconds: how long things go wrong.
        seed: of what goes wrong.
    """

    def __init__(
        self,
        instrument: Instrument,
        name: str,
        directory: Path,
        router: RouterProcess,
        seconds: float,
        seed: int,
    ) -> None:
        self.instrument = instrument
        self.truth_file = directory / "truth.jsonl"
        self._control_port = free_port()
        self._seconds = seconds
        self._seed = seed
        places = {"port": free_port(), "directory": directory}
        self.simulator = AgentProcess(
            [
                "-m",
                *(word.format(**places) for word in instrument.simulator),
                *(f"--truth={self.truth_file}", f"--control={self._control_port}", "--seed=3"),
            ]
        )
        arguments = [word.format(**places) for word in instrument.arguments]
        entry = {"agent-class": instrument.agent_class, "instance-id": name, "arguments": arguments}
        config = site_config(directory / "config", router, [entry])
        self.agent = AgentProcess(
            ["-m", instrument.agent, f"--instance-id={name}", "--site-host=localhost"],
            env={"OCS_CONFIG_DIR": str(config.parent)},
        )
        self.topic = f"observatory.{name}.feeds.temperatures"
        self.events: list[Any] = []
        self._client = ControlClient(f"observatory.{name}", url=router.http_url)
        self.happened: list[Happened] = []
        self.polls: list[Poll] = []
        self.messages: dict[tuple[float, str], None] = {}
        self.tasks: list[Done] = []
        self.before: Resources | None = None
        self.after: Resources | None = None
        self.baseline_s = (0.0, 0.0)
        self.recovery_s = (0.0, 0.0)
        self.last_fault_s = 0.0
        self._no_more_tasks = threading.Event()
        self._over = threading.Event()

    def run(self) -> None:
        """Let everything happen; ends with what was running still running."""
        wait_for(self.samples, 30, "data")
        for op, params in self.instrument.set_up:
            done = self._run_task(op, params)
            assert done.success, done
        watcher = threading.Thread(target=self._watch)
        worker = threading.Thread(target=self._work)
        watcher.start()
        time.sleep(self.instrument.round_s)
        self.baseline_s = self._window()
        worker.start()
        # Whatever a task needs for the first time is there by now.
        wait_for(lambda: len(self.tasks) > 3, 30, "the first tasks")
        self.before = self._resources()
        try:
            self._go_wrong()
            self._no_more_tasks.set()
            worker.join()
            # It has the rest of 15 s to recover.
            time.sleep(max(0.0, self.last_fault_s + 15 - time.time()))
            self.recovery_s = self._window()
            self.after = self._resources()
        finally:
            self._no_more_tasks.set()
            self._over.set()
            watcher.join()

    def _window(self) -> tuple[float, float]:
        began = time.time()
        time.sleep(2 * self.instrument.round_s)
        return began, time.time()

    def _go_wrong(self) -> None:
        began = time.monotonic()
        drawn = schedule(self.instrument.trials, self._seconds, self._seed)
        for number, trial in enumerate(drawn):
            time.sleep(max(0.0, began + number * SLOT_S - time.monotonic()))
            if trial.fleeting:
                # It is a fault of the present connection: there has to be one.
                wait_for(lambda: not self.polls[-1].degraded, 15, "a connection again")
            self.control(f"fault {trial.words} for {trial.lasts_s}")
            if trial.fault == "refuse":
                self.control("fault disconnect")
            self.happened.append(Happened(trial, time.time()))
        time.sleep(max(0.0, self.happened[-1].ended_s - time.time()))
        self.control("clear")
        self.last_fault_s = time.time()

    def _watch(self) -> None:
        while not self._over.wait(POLL_S):
            session = self.session()
            self.polls.append(
                Poll(
                    time.time(),
                    session.get("status", ""),
                    session["degraded"],
                    session["data"]["troubles"],
                )
            )
            self.messages.update(dict.fromkeys((when, text) for when, text in session["messages"]))

    def _work(self) -> None:
        rng = random.Random(self._seed)
        while not self._no_more_tasks.wait(TASK_EVERY_S):
            self.tasks.append(self._run_task(*self.instrument.tasks(rng)))

    def _run_task(self, op: str, params: Mapping[str, Any]) -> Done:
        began = time.monotonic()
        code, text, _ = self._client.request("start", op, dict(params))
        assert code == 0, (op, params, text)
        session = self._client.request("wait", op)[2]
        took_s = time.monotonic() - began
        text = session["messages"][-2][1]
        data = session["data"] or {}
        return Done(op, params, time.time(), took_s, session["success"], text, data)

    def session(self) -> dict[str, Any]:
        """The session of ``acq``."""
        try:
            session: dict[str, Any] = self._client.request("status", "acq")[2]
        except ControlClientError as error:
            raise AssertionError(f"{error}\n{self.agent.output[-3000:]}") from None
        return session

    def control(self, request: str) -> dict[str, Any]:
        """Send a request to the simulator's control port."""
        with socket.create_connection(("127.0.0.1", self._control_port), 5) as connection:
            connection.sendall(f"{request}\n".encode())
            answer: dict[str, Any] = json.loads(connection.makefile().readline())
        assert answer["ok"], answer
        return answer

    def _resources(self) -> Resources:
        process = psutil.Process(self.agent.pid)
        return Resources(process.num_fds(), process.memory_info().rss / 2**20)

    def samples(self) -> list[Sample]:
        """Every number of the feed, in order of time."""
        found = []
        for message, _ in list(self.events):
            for block in message.values():
                data = block["data"]
                for name, values in data.items():
                    field = _READING.fullmatch(name)
                    if field is None:
                        continue
                    statuses = data[f"Channel_{field[1]}_status"]
                    found += [
                        Sample(when, str(int(field[1])), field[2], value, status)
                        for when, value, status in zip(
                            block["timestamps"], values, statuses, strict=True
                        )
                    ]
        return sorted(found, key=lambda sample: sample.time_s)

    def rate_hz(self, window_s: tuple[float, float]) -> float:
        """Numbers a second of the feed within a window."""
        began, ended = window_s
        inside = [sample for sample in self.samples() if began <= sample.time_s < ended]
        return len(inside) / (ended - began)

    def wrong_samples(self) -> list[tuple[Sample, str]]:
        """Find numbers of the feed that the instrument has not said, or taken back by a flag."""
        truth = self._truth()
        wrong = []
        for sample in self.samples():
            quantity = self.instrument.quantities[sample.quantity]
            near = self._near(truth[sample.channel, quantity], sample)
            if sample.value != sample.value:
                # What is flagged, and what the instrument gives as zero, is no number.
                if not sample.status and not any(float(it["value"]) == 0 for it in near):
                    wrong.append((sample, "NaN without a reason"))
                continue
            said = [it for it in near if float(it["value"]) == sample.value]
            good = self.instrument.sensor_flags if sample.quantity in "RV" else 0
            if not said:
                wrong.append((sample, "never said"))
            elif all(it["status"] & ~good for it in said):
                wrong.append((sample, "flagged by the instrument"))
            elif sample.status & ~good:
                wrong.append((sample, "a number though it is flagged"))
        return wrong

    def _truth(self) -> Mapping[tuple[str, str], list[dict[str, Any]]]:
        truth = defaultdict(list)
        for line in self.truth_file.read_text().splitlines():
            entry = json.loads(line)
            if "quantity" in entry:
                truth[str(entry["channel"]), entry["quantity"]].append(entry)
        return truth

    def _near(self, entries: list[dict[str, Any]], sample: Sample) -> list[dict[str, Any]]:
        late_s = self.instrument.late_s
        if self._during("slow", sample.time_s) or self._during("split", sample.time_s):
            # All answers to what is asked together come late one by one.
            late_s += 10
        if self._during("frozen", sample.time_s):
            # It goes on to say what it said when that began.
            late_s += 120
        began, ended = sample.time_s - late_s, sample.time_s + late_s
        return [entry for entry in entries if began <= entry["time"] and entry["sent"] <= ended]

    def _during(self, fault: str, time_s: float) -> bool:
        return any(
            it.trial.fault == fault and it.began_s <= time_s <= it.ended_s + 10
            for it in self.happened
        )

    def untold(self) -> list[str]:
        """Find what went wrong and was not told, or not soon enough, or for too long."""
        found = []
        for event in self.happened:
            told = event.trial.told
            if told is None:
                continue
            soon = event.began_s + event.trial.within_s
            name = f"{event.trial.words} at {event.began_s:.1f}"
            if event.trial.fleeting:
                # A task may have met it, and acq have found a connection that is whole again.
                refusals = [(done.ended_s, done.text) for done in self.tasks if not done.success]
                if not any(
                    re.search(told, text) and event.began_s <= when <= soon
                    for when, text in [*self.messages, *refusals]
                ):
                    found.append(f"{name}: no message within {event.trial.within_s} s")
            elif not (self._shown(told, event.began_s, soon) or self._prolongs(event)):
                found.append(f"{name}: not degraded within {event.trial.within_s} s")
            until = event.ended_s + event.trial.over_within_s
            if not any(
                not any(re.search(told, text) for text in poll.troubles)
                for poll in self.polls
                if event.ended_s <= poll.time_s <= until
            ):
                found.append(f"{name}: still told {event.trial.over_within_s} s after its end")
        return found

    def _shown(self, told: str, began_s: float, until_s: float) -> bool:
        if any(
            re.search(told, text) and began_s <= when <= until_s for when, text in self.messages
        ):
            return True
        polls = [poll for poll in self.polls if began_s <= poll.time_s <= until_s]
        return any(
            poll.degraded and any(re.search(told, text) for text in poll.troubles) for poll in polls
        )

    def _prolongs(self, event: Happened) -> bool:
        """Tell whether it came before the outage of before was over: it has no words of its own."""
        during = [p for p in self.polls if event.began_s <= p.time_s <= event.ended_s]
        return bool(during) and all(poll.degraded for poll in during)

    def unfounded(self) -> list[str]:
        """Find times at which the Agent was degraded, but nothing had gone wrong for long."""
        spans = [
            (event.began_s, event.ended_s + event.trial.over_within_s) for event in self.happened
        ]
        return [
            f"{poll.time_s:.1f}: {poll.troubles}"
            for poll in self.polls
            if poll.degraded and not any(began <= poll.time_s <= ended for began, ended in spans)
        ]

    def forgotten(self) -> list[Done]:
        """Find answers about a setting that no task can have left there."""
        setter, getter, parameter, key = self.instrument.remembered
        possible: set[Any] | None = None
        wrong = []
        for done in self.tasks:
            if done.op == setter:
                value = done.params[parameter]
                if done.success:
                    possible = {value}
                elif possible is not None:
                    # It may have been taken, though the answer was lost.
                    possible = {*possible, value}
            elif done.op == getter and done.success:
                if possible is not None and done.data[key] not in possible:
                    wrong.append(done)
                possible = {done.data[key]}
        return wrong
