"""How our programs write their log: one line an event, with the local time."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
    formatTime,
    globalLogBeginner,
)

from ocs.errors import OcsError

__all__ = ["LEVELS", "LogFileError", "format_log_event", "start_logging"]

LEVELS = tuple(level.name for level in LogLevel.iterconstants())
"""Names accepted for a log level (environment variable ``LOGLEVEL``)."""

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"


def format_log_event(event: LogEvent) -> str | None:
    """Format an event as ``2019-01-10T11:42:46-0500 text``, with the level if it is a worry."""
    text = formatEvent(event)
    failure = event.get("log_failure")
    if failure is not None:
        text = f"{text}\n{failure.getTraceback().rstrip()}" if text else failure.getTraceback()
    if not text:
        return None
    level = event.get("log_level", LogLevel.info)
    mark = f"{level.name.upper()}: " if level >= LogLevel.warn else ""
    return f"{formatTime(event.get('log_time'), TIME_FORMAT)} {mark}{text}\n"


# Machinery that reports every socket it opens; an operator has no use for that.
_CHATTY = (
    "twisted.internet",
    "twisted.web",
    "twisted.application",
    "log_legacy",
    "autobahn",
    "txaio",
)


class LogFileError(OcsError):
    """The log file cannot be written; its directory must exist and be ours to write in."""


def _format_for_file(event: LogEvent) -> str | None:
    text = format_log_event(event)
    if text is None:
        return None
    time = datetime.fromtimestamp(event["log_time"], UTC).strftime("%Y-%m-%dT%H-%M-%S.%f")
    return f"{time} {text.partition(' ')[2]}"


def start_logging(
    level: str = "info", stream: TextIO | None = None, log_file: Path | None = None
) -> None:
    """Send all log events of the process to `stream` (standard output by default).

    Args:
        level: Lowest level shown, one of `LEVELS`.
        stream: Where the lines go.
        log_file: Appended to as well, with the time in UTC (spec/ocs-protocol.md, section 13).

    Raises:
        LogFileError: `log_file` cannot be opened.
    """
    # zope.interface's declarations are invisible to mypy, hence Any.
    predicate: Any = LogLevelFilterPredicate(LogLevel.levelWithName(level))
    for namespace in _CHATTY:
        predicate.setLogLevelForNamespace(namespace, LogLevel.warn)
    out = stream if stream is not None else sys.stdout
    sinks: list[Any] = [FileLogObserver(out, format_log_event)]
    if log_file is not None:
        try:
            sinks.append(FileLogObserver(log_file.open("a", encoding="utf-8"), _format_for_file))
        except OSError as error:
            raise LogFileError(f"cannot write the log file {log_file}: {error.strerror}") from error
    observers: list[Any] = [FilteringLogObserver(sink, [predicate]) for sink in sinks]
    globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False)
