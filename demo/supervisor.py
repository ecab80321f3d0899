"""Start programs, keep them running, and stop them together.

Twisted's own process monitor does the work; this gives it a voice and an orderly end.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import LogEvent, Logger
from twisted.runner.procmon import ProcessMonitor

__all__ = ["Supervisor"]

KILL_AFTER_S = 3
POLL_S = 0.05


class _Monitor(ProcessMonitor):
    """A process monitor for a person who watches: quick to restart, and it says so."""

    threshold = 1
    killTime = KILL_AFTER_S  # noqa: N815 - Twisted's name
    minRestartDelay = 1  # noqa: N815
    maxRestartDelay = 4  # noqa: N815

    def __init__(self, reactor: Any, say: Callable[[str], None]) -> None:
        super().__init__(reactor)
        self._say = say
        self._started: set[str] = set()
        # Each line a program writes comes as a log event with its tag.
        relay: Any = self._relay
        self.log = Logger(observer=relay)

    def _relay(self, event: LogEvent) -> None:
        # At a program's end the monitor adds a line end of its own to what was complete already.
        if event.get("line"):
            self._say(f"{event['tag']:>10} | {event['line']}")

    def startProcess(self, name: str) -> None:  # noqa: N802 - Twisted's name
        """Start a program, saying so if it is not the first time."""
        if name in self._started:
            self._say(f"{name} has ended: starting it again")
        self._started.add(name)
        super().startProcess(name)


class Supervisor:
    """A set of programs that are kept running.

    Args:
        reactor: The Twisted reactor.
        say: Gets every line the programs write, with their name in front.
    """

    def __init__(self, reactor: Any, say: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._monitor = _Monitor(reactor, say)

    def add(self, name: str, argv: Sequence[str], env: Mapping[str, str], cwd: str) -> None:
        """Add a program; it is started by `start`.

        Args:
            name: What to call it.
            argv: Command line, the program with its full path.
            env: Its whole environment.
            cwd: Its working directory.
        """
        command = list(argv)
        # Should we be killed, the kernel ends our programs too: nobody else would.
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "TERM", "--", *command]
        self._monitor.addProcess(name, command, env=dict(env), cwd=cwd)

    def start(self) -> None:
        """Start everything; whatever ends is started again."""
        self._monitor.startService()

    async def stop(self) -> None:
        """Ask everything to end; returns when it has (killed if it takes too long)."""
        self._monitor.stopService()
        while self._monitor.protocols:
            await deferLater(self._reactor, POLL_S, lambda: None)
