"""The Agent's operations, without a router."""

import argparse
import threading

import pytest
from twisted.logger import Logger

from agents.aggregator.aggregator_agent import AggregatorAgent, make_parser
from agents.aggregator.journal import Journal
from agents.aggregator.recorder import JOURNAL_NAME, Arrival, Recorder
from ocs.op_session import OpSession
from ocs.params import ParamError, check_params

NOW = 1_700_000_000.0


class Reactor:
    """Keeps what is to be done before the end."""

    running = False

    def __init__(self):
        self.before_shutdown = []

    def addSystemEventTrigger(self, _phase, _event, func):
        self.before_shutdown.append(func)


class Agent:
    """Stands in for the OCS agent, and for its connection."""

    def __init__(self):
        self.log = Logger()
        self.reactor = Reactor()
        self.connection = self
        self.ops = {}
        self.topics = []

    def register_process(self, name, start, stop, **options):
        self.ops[name] = options

    def register_task(self, name, func, **options):
        self.ops[name] = options

    def subscribe(self, topic, handler, **options):
        self.topics.append((topic, options))


@pytest.fixture
def make(tmp_path, monkeypatch, clock):
    monkeypatch.chdir(tmp_path)

    def aggregator(*argv):
        args = make_parser().parse_args(list(argv))
        args.address_root = "observatory"
        return AggregatorAgent(Agent(), args, clock)

    return aggregator


@pytest.fixture
def session():
    return OpSession(0, "aggregate")


def texts(session):
    return [text for _, text in session.messages]


def test_operations_and_subscription(make):
    agent = make().agent
    assert sorted(agent.ops) == ["aggregate", "record", "subscribe"]
    assert agent.ops["record"]["startup"] is False
    assert agent.topics == [("observatory..feeds.", {"match": "wildcard", "with_topic": True})]
    assert make("--initial-state", "record").agent.ops["record"]["startup"] is True


@pytest.mark.parametrize(
    "argv",
    [["--time-per-file", "0"], ["--time-per-file", "nan"], ["--time-per-file", "x"]],
)
def test_bad_options_end_with_one_message(argv, capsys):
    with pytest.raises(SystemExit) as end:
        make_parser().parse_args(argv)
    assert end.value.code == 2
    assert "no number of seconds above 0" in capsys.readouterr().err


def test_options_join_a_parser():
    parser = make_parser(argparse.ArgumentParser())
    options = vars(parser.parse_args(["--data-dir", "/data"]))
    assert options == {"data_dir": "/data", "initial_state": "idle", "time_per_file": 3600.0}


@pytest.mark.parametrize(
    "params",
    [
        {"time_per_file": 0},
        {"time_per_file": "5"},
        {"time_per_frame": -1},
        {"data_dir": 3},
        {"other": 1},
    ],
)
def test_bad_parameters_are_refused(make, params):
    with pytest.raises(ParamError):
        check_params(make().aggregate, params)


@pytest.mark.parametrize("params", [None, {}, {"time_per_file": 5, "data_dir": "data/"}])
def test_the_seeds_parameters_are_taken(make, params):
    check_params(make().aggregate, params)


def test_an_active_recording_is_named_to_who_wants_another(make, session):
    aggregator = make()
    aggregator._one_at_a_time.acquire()
    aggregator._activity = "record"
    params = check_params(aggregator.aggregate, {})
    assert aggregator.aggregate(session, params) == (
        False,
        "'record' is recording already; stop it first",
    )


def test_a_journal_in_use_is_refused(make, session, tmp_path):
    journal = Journal(tmp_path / "data" / JOURNAL_NAME)
    ok, text = make().record(session, {"test_mode": True})
    assert not ok
    assert "another aggregator" in text
    assert str(journal.path) in text
    journal.close()


def test_a_directory_that_cannot_be_written_is_waited_for(make, session, tmp_path):
    (tmp_path / "data").write_text("a file")
    aggregator = make()
    ended = []
    thread = threading.Thread(
        target=lambda: ended.append(aggregator.record(session, {"test_mode": False}))
    )
    thread.start()
    try:
        while not session.degraded:
            thread.join(0.01)
        assert "data" in session.data["problem"]
    finally:
        session.op_name = "record"
        aggregator.stop_recording(session, None)
        thread.join(10)
    assert ended == [(True, "Stopped before anything could be recorded")]


@pytest.mark.parametrize(
    ("argv", "wanted", "opened", "ignored"),
    [
        ([], None, "data", False),
        ([], "other/", "other", False),
        (["--data-dir", "mine"], "other/", "mine", True),
        (["--data-dir", "mine"], "mine/", "mine", False),
        (["--data-dir", "mine"], None, "mine", False),
    ],
)
def test_who_says_where_to_record(make, session, tmp_path, argv, wanted, opened, ignored):
    # Whichever directory is asked for is in use, and named in the refusal.
    journals = [Journal(tmp_path / name / JOURNAL_NAME) for name in ("data", "other", "mine")]
    aggregator = make(*argv)
    ok, text = aggregator.aggregate(
        session, check_params(aggregator.aggregate, {"data_dir": wanted})
    )
    assert not ok
    assert str(tmp_path / opened / JOURNAL_NAME) in text
    assert any("is ignored" in line for line in texts(session)) == ignored
    for journal in journals:
        journal.close()


def run(coroutine):
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    return end.value.value


@pytest.mark.parametrize(
    ("address", "feed", "ok", "words"),
    [
        ("observatory.LSA23JD", "temperatures", True, "every feed under observatory"),
        ("elsewhere.LSA23JD", "temperatures", False, "observatory.INSTANCE"),
        ("observatory.", "temperatures", False, "observatory.INSTANCE"),
        ("observatory.a.b", "temperatures", False, "observatory.INSTANCE"),
        ("observatory.a", "x.y", False, "no feed name"),
        ("observatory.a", "", False, "no feed name"),
    ],
)
def test_subscribe_checks_what_it_is_given(make, session, address, feed, ok, words):
    aggregator = make()
    params = check_params(aggregator.subscribe, {"agent_address": address, "feed_name": feed})
    outcome, text = run(aggregator.subscribe(session, params))
    assert (outcome, words in text) == (ok, True)


def test_what_a_kill_left_is_written_at_an_idle_start(make, tmp_path, clock, feed, block, read):
    recorder = Recorder(tmp_path / "data", clock=clock)
    recorder.cycle([Arrival(block([NOW], x=[1.0]), feed(seq=0), NOW)])
    recorder.close()
    aggregator = make()
    aggregator.recover()
    assert [len(s) for s in read(tmp_path / "data").samples.values()] == [1]
    again = Recorder(tmp_path / "data", clock=clock)
    assert again.resumed
    assert list(again.positions.values()) == [1]
    again.finish(forget_positions=True)
    again.close()
    aggregator.recover()
    last = Recorder(tmp_path / "data", clock=clock)
    assert not last.resumed
    aggregator.recover()
    last.close()


def test_an_idle_start_makes_nothing(make, tmp_path):
    make().recover()
    assert list(tmp_path.iterdir()) == []
