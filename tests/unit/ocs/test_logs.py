"""What our programs write to their logs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from ocs.logs import LEVELS, format_log_event
from ocs.ocs_agent import log_formatter
from ocs.runner import LogLevelError, log_level_from_environment

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}"

PROGRAM = """
import sys
from pathlib import Path
from twisted.logger import Logger
from ocs.logs import start_logging
start_logging(sys.argv[1], log_file=Path(sys.argv[2]))
log = Logger(namespace="ours")
log.debug("fine {n}", n=1)
log.info("normal {n}", n=2)
log.warn("worry {n}", n=3)
Logger(namespace="twisted.web.server").info("chatter")
Logger(namespace="autobahn.websocket").warn("serious chatter")
"""


def event(**values: object) -> dict[str, object]:
    return {
        "log_time": 1_547_138_566.0,
        "log_level": LogLevel.info,
        "log_format": "read {channel}",
        "channel": 3,
        "log_namespace": "x",
        **values,
    }


def test_a_line_has_the_time_and_the_text() -> None:
    assert re.fullmatch(TIME + r" read 3\n", format_log_event(event()) or "")


@pytest.mark.parametrize(
    ("level", "mark"),
    [
        (LogLevel.debug, ""),
        (LogLevel.warn, "WARN: "),
        (LogLevel.error, "ERROR: "),
        (LogLevel.critical, "CRITICAL: "),
    ],
)
def test_worries_are_marked(level: object, mark: str) -> None:
    assert re.fullmatch(f"{TIME} {mark}read 3\n", format_log_event(event(log_level=level)) or "")


def test_a_failure_has_its_traceback() -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        failure = Failure()
    text = format_log_event(event(log_failure=failure)) or ""
    assert "read 3\n" in text
    assert text.endswith("builtins.ValueError: boom\n")


def test_an_event_without_text_is_no_line() -> None:
    assert format_log_event(event(log_format="")) is None


def test_a_broken_event_is_still_a_line() -> None:
    assert "missing" in (format_log_event(event(log_format="{missing}")) or "")


def test_upstreams_name() -> None:
    assert log_formatter is format_log_event


@pytest.mark.parametrize(
    ("value", "level"),
    [(None, "info"), ("DEBUG", "debug"), ("warning", "warn"), ("error", "error")],
)
def test_level_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str | None, level: str
) -> None:
    monkeypatch.delenv("LOGLEVEL", raising=False)
    if value is not None:
        monkeypatch.setenv("LOGLEVEL", value)
    assert log_level_from_environment() == level
    assert level in LEVELS


def test_an_unknown_level_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGLEVEL", "loud")
    with pytest.raises(LogLevelError, match=r"LOGLEVEL=loud: allowed are debug, info"):
        log_level_from_environment()


@pytest.mark.parametrize(("level", "first"), [("debug", "fine 1"), ("info", "normal 2")])
def test_what_a_program_writes(tmp_path: Path, level: str, first: str) -> None:
    log_file = tmp_path / "agent.log"
    log_file.write_text("before\n")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, level, str(log_file)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    texts = [line.split(" ", 1)[1] for line in run.stdout.splitlines()]
    assert texts[0] == first
    assert texts[-2:] == ["WARN: worry 3", "WARN: serious chatter"]
    assert "chatter" not in texts
    kept, *lines = log_file.read_text().splitlines()
    assert kept == "before"
    assert [line.split(" ", 1)[1] for line in lines] == texts
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6} ", line) for line in lines)


def test_a_log_file_that_cannot_be_written(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, "info", str(tmp_path / "no" / "agent.log")],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert "cannot write the log file" in run.stderr
