"""Start programs, keep them running, and stop them together.

Twisted's own process monitor does the work; this gives it a voice and an orderly end.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import LogEvent, Logger
from twisted.runner.procmon import ProcessMonitor

from ocs.child_programs import keepers

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

    def removeProcess(self, name: str) -> None:  # noqa: N802 - Twisted's name
        """Stop a program for good, also one that is waiting to be started again."""
        waiting: Any = self.restart.pop(name, None)
        if waiting is not None and waiting.active():
            waiting.cancel()
        super().removeProcess(name)


class Supervisor:
    """A set of programs that are kept running.

    Args:
        reactor: The Twisted reactor.
        say: Gets every line the programs write, with their name in front.
    """

    def __init__(self, reactor: Any, say: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._monitor = _Monitor(reactor, say)
        self._waves: dict[int, list[str]] = {}

    def add(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], cwd: str, *, stop_wave: int
    ) -> None:
        """Add a program; it is started by `start`.

        Args:
            name: What to call it.
            argv: Command line, the program with its full path.
            env: Its whole environment.
            cwd: Its working directory.
            stop_wave: Programs of a lower wave have ended before those of a higher one are asked
                to: who still has something to say goes before those who listen.
        """
        self._monitor.addProcess(name, [*keepers(), *argv], env=dict(env), cwd=cwd)
        self._waves.setdefault(stop_wave, []).append(name)

    def start(self) -> None:
        """Start everything; whatever ends is started again."""
        self._monitor.startService()

    async def stop(self) -> None:
        """Ask everything to end, wave by wave; returns when it has (killed if it takes long)."""
        for _, names in sorted(self._waves.items()):
            for name in names:
                self._monitor.removeProcess(name)
            while not self._monitor.protocols.keys().isdisjoint(names):
                await deferLater(self._reactor, POLL_S, lambda: None)
        self._monitor.stopService()
