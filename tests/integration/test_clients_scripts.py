"""Control scripts as programs of their own, against a real router and agents."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients import therm_and_agg_ctrl
from ocs.ocs_client import OCSClient
from ocs.testing import AgentProcess, RouterProcess, free_port, site_config

ROOT = Path(__file__).parents[2]
THERM = ROOT / "clients" / "therm_and_agg_ctrl.py"
SEED = Path(__file__).parent / "seed_script" / "therm_and_agg_ctrl.py"

SCRIPT = """
from ocs import client_t, site_config

def generator(app, args, extra, word):
    print("Entered control", args.target, extra, word)
    operation = client_t.TaskClient(app, f"{args.address_root}.{args.target}", "delay_task")
    reply = yield operation.start({"delay": 0.1})
    print("started", reply[0])
    reply = yield operation.wait(timeout=10)
    print("waited", reply[0], reply[2]["success"])
    plain = yield "not awaitable"
    print("got", plain)

async def coroutine(app, args, extra, word):
    print("Entered", "control")
    api = await app.call(f"{args.address_root}.{args.target}", "get_api")
    print(api["agent_class"], app.publish("observatory.script.feeds.x", 1))

async def crash(app, args, extra, word):
    raise KeyError("nonsense")

async def leave(app, args, extra, word):
    raise SystemExit("no liquid helium left")

async def sleep(app, args, extra, word):
    print("sleeping")
    try:
        await client_t.dsleep(60)
    finally:
        await client_t.dsleep(0.01)
        print("cleaned up")

parser = site_config.add_arguments()
parser.add_argument("--target", default="fake_c")
parser.add_argument("--run", default="generator")
chosen = parser.parse_known_args()[0].run
client_t.run_control_script2(globals()[chosen], parser, 5, word="w")
print("after")
"""


@pytest.fixture(scope="module")
def env(router: RouterProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    directory = tmp_path_factory.mktemp("site")
    site_config(
        directory,
        router,
        [
            {"agent-class": "FakeAgent", "instance-id": "fake_c"},
            {"agent-class": "FakeAgent", "instance-id": "spare_c"},
            {"agent-class": "FakeAgent", "instance-id": "dies_c", "arguments": ["--fail-after=1"]},
            {"agent-class": "FakeAgent", "instance-id": "dead_c", "arguments": ["--fail-after=0"]},
            {"agent-class": "FakeAggregator", "instance-id": "aggregator"},
        ],
    )
    return {"OCS_CONFIG_DIR": str(directory)}


def agent(name: str, env: dict[str, str]) -> AgentProcess:
    script = "fake_aggregator.py" if name == "aggregator" else "fake_agent.py"
    return AgentProcess([str(ROOT / "tests" / "agents" / script), f"--instance-id={name}"], env=env)


@pytest.fixture(scope="module")
def fake(env: dict[str, str]) -> Iterator[AgentProcess]:
    with agent("fake_c", env) as process:
        process.wait_for_line("session joined")
        yield process


@pytest.fixture(scope="module")
def aggregator(env: dict[str, str]) -> Iterator[AgentProcess]:
    with agent("aggregator", env) as process:
        process.wait_for_line("session joined")
        yield process


@pytest.fixture
def script(tmp_path: Path, env: dict[str, str]):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    return lambda *args: AgentProcess([str(path), *args], env=env)


def texts(process: AgentProcess) -> list[str]:
    """What was logged or printed, without the times."""
    return [line.split(" ", 1)[1] for line in process.lines if line[:2] == "20"]


class TestRunControlScript:
    def test_a_generator_gets_the_results(self, script, fake):
        with script() as run:
            assert run.wait() == 0
        assert run.lines[0][4] == "-"
        said = texts(run)
        assert said[0] == "transport connected"
        assert said[1].startswith("session joined: SessionDetails(realm=<test_realm>, session=")
        assert said[2:] == [
            "Entered control fake_c 5 w",
            "started 0",
            "waited 0 True",
            "got not awaitable",
        ]
        assert run.lines[-1] == "after"

    def test_a_coroutine_does_as_well(self, script, fake):
        with script("--run=coroutine") as run:
            assert run.wait() == 0
        assert texts(run)[2:] == ["Entered control", "FakeAgent True"]

    def test_an_exception_ends_it_and_is_shown(self, script):
        with script("--run=crash") as run:
            assert run.wait() == 1
        assert "KeyError: 'nonsense'" in run.output

    def test_an_absent_agent_is_one_line(self, script):
        with script("--target=nosuch") as run:
            assert run.wait() == 1
        assert "ERROR: wamp.error.no_such_procedure" in run.output
        assert "Traceback" not in run.output

    def test_system_exit_is_an_exit(self, script):
        with script("--run=leave") as run:
            assert run.wait() == 1
        assert texts(run)[-1] == "ERROR: no liquid helium left"

    def test_ctrl_c_lets_it_clean_up(self, script):
        with script("--run=sleep") as run:
            run.wait_for_line("sleeping")
            run.process.send_signal(signal.SIGINT)
            assert run.wait() == 130
        assert texts(run)[-1] == "cleaned up"

    def test_an_absent_router_is_given_up(self, script):
        url = f"ws://127.0.0.1:{free_port()}/ws"
        with script(f"--site-hub={url}", "--connect-timeout=0.5") as run:
            assert run.wait() == 1
        assert f"ERROR: gave up after 0.5 s: cannot reach {url}" in run.output
        assert "Entered" not in run.output
        assert "Traceback" not in run.output

    def test_a_wrong_configuration(self, script):
        with script("--site=nowhere") as run:
            assert run.wait() == 2
        assert len(run.lines) == 1
        assert "nowhere.yaml: no such file; sites in" in run.output

    def test_an_address_that_is_none(self, script):
        with script("--site-hub=ws:///ws") as run:
            assert run.wait() == 2
        assert "script.py: error: 'ws:///ws' is no router address" in run.output

    def test_without_a_site(self, script):
        with script("--site=none") as run:
            assert run.wait() == 2
        assert "no value for --site-hub, --site-realm" in run.output


class TestSeedScript:
    def test_a_script_of_2019_runs_as_it_is(self, env, fake, aggregator):
        with AgentProcess([str(SEED), "--target=fake_c"], env=env) as run:
            assert run.wait(30) == 0
        assert texts(run)[2:] == [
            "Entered control",
            "Registering tasks",
            "Starting Aggregator",
            "Starting Data Acquisition",
            "sleeping for 3 more seconds",
            "sleeping for 2 more seconds",
            "sleeping for 1 more seconds",
            "Stopping Data Acquisition",
            "Stopping Data Aggregator",
        ]


def client(name: str, env: dict[str, str]) -> OCSClient:
    return OCSClient(name, args=[f"--site-file={env['OCS_CONFIG_DIR']}/default.yaml"])


def therm(env: dict[str, str], *args: str) -> AgentProcess:
    return AgentProcess([str(THERM), *args], env=env)


class TestThermAndAggCtrl:
    def test_all_of_it(self, env, fake, aggregator):
        with therm(env, "--target=fake_c", "--duration=1.5") as run:
            assert run.wait() == 0
        assert texts(run)[2:] == [
            "Entered control",
            "Registering tasks",
            "Starting Aggregator",
            "Starting Data Acquisition",
            "sleeping for 1.5 more seconds",
            "sleeping for 0.5 more seconds",
            "Stopping Data Acquisition",
            "Stopping Data Aggregator",
        ]

    def test_what_runs_already_goes_on(self, env, fake, aggregator):
        with therm(env, "--target=fake_c", "--no-stop") as run:
            assert run.wait() == 0
        assert texts(run)[-1] == "Starting Data Acquisition"
        with therm(env, "--target=fake_c", "--duration=0") as run:
            assert run.wait() == 0
        assert texts(run)[4:] == [
            "Starting Aggregator",
            "aggregator is already recording; leaving it as it is",
            "Starting Data Acquisition",
            "fake_c is already acquiring; leaving it as it is",
        ]
        # Only what it has started is stopped.
        assert client("fake_c", env).acq.stop().status == 0
        assert client("fake_c", env).acq.wait().session["success"] is True
        with therm(env, "--target=fake_c", "--duration=0") as run:
            assert run.wait() == 0
        assert texts(run)[4:] == [
            "Starting Aggregator",
            "aggregator is already recording; leaving it as it is",
            "Starting Data Acquisition",
            "Stopping Data Acquisition",
        ]
        assert client("aggregator", env).record.stop().status == 0
        assert client("aggregator", env).record.wait().session["success"] is True

    def test_an_absent_agent(self, env, fake, aggregator):
        with therm(env, "--target=nosuch") as run:
            assert run.wait() == 1
        assert texts(run)[-1] == (
            "ERROR: no agent at observatory.nosuch: is it running, and is its instance-id spelt so?"
        )
        assert "Starting" not in run.output

    def test_an_instrument_that_does_not_answer(self, env, aggregator):
        with agent("dead_c", env) as dead:
            dead.wait_for_line("session joined")
            with therm(env, "--target=dead_c") as run:
                assert run.wait() == 1
        assert texts(run)[-2:] == [
            "Stopping Data Aggregator",
            "ERROR: observatory.dead_c: init_lakeshore failed: No instrument answers",
        ]

    def test_an_acquisition_that_ends_by_itself(self, env, aggregator):
        with agent("dies_c", env) as dies:
            dies.wait_for_line("session joined")
            with therm(env, "--target=dies_c", "--duration=20") as run:
                assert run.wait() == 1
        assert texts(run)[-1] == "ERROR: observatory.dies_c: acq failed: The instrument has gone"
        assert "Stopping Data Aggregator" in run.output

    def test_ctrl_c_stops_what_it_has_started(self, env, fake, aggregator):
        with therm(env, "--target=fake_c", "--duration=100") as run:
            run.wait_for_line("sleeping for 100 more seconds")
            run.process.send_signal(signal.SIGINT)
            assert run.wait() == 130
        assert texts(run)[-2:] == ["Stopping Data Acquisition", "Stopping Data Aggregator"]

    @pytest.mark.parametrize(
        ("args", "text"),
        [
            ([], "the following arguments are required: --target"),
            (["--target=x", "--duration=-1"], "'-1' is no duration; give seconds, 0 or more"),
            (["--target=x", "--duration=soon"], "argument --duration: 'soon' is no duration"),
        ],
    )
    def test_wrong_usage(self, env, args, text, monkeypatch, capsys):
        monkeypatch.setenv("OCS_CONFIG_DIR", env["OCS_CONFIG_DIR"])
        monkeypatch.setattr(sys, "argv", ["therm_and_agg_ctrl.py", *args])
        with pytest.raises(SystemExit) as end:
            therm_and_agg_ctrl.main()
        assert end.value.code == 2
        assert text in capsys.readouterr().err.splitlines()[-1]
