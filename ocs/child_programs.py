"""Programs that a program of ours runs and that must not outlive it."""

import shutil
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

__all__ = ["ChildProgram", "keepers"]


def keepers() -> list[str]:
    """Return commands of util-linux to put before a child's own, where they are installed.

    A terminal's Ctrl-C shall reach the parent only, so that it can stop its children in order
    (setsid); and should the parent be killed, the kernel shall end them: nobody else would
    (setpriv).
    """
    found = []
    if setsid := shutil.which("setsid"):
        found += [setsid]
    if setpriv := shutil.which("setpriv"):
        found += [setpriv, "--pdeathsig", "TERM", "--"]
    return found


class ChildProgram(ProcessProtocol):
    """A program that writes where its parent writes.

    Args:
        name: What to call it.
        argv: Command line, the program with its full path.
        env: Its whole environment.

    Attributes:
        ended: Fires with how it ended, in words, when it has.
    """

    def __init__(self, name: str, argv: list[str], env: dict[str, str]) -> None:
        self.name = name
        self.ended: Deferred[str] = Deferred()
        self._argv = [*keepers(), *argv]
        self._env = env
        self._process: Any = None

    def start(self, reactor: Any) -> None:
        """Run it."""
        self._process = reactor.spawnProcess(
            self, self._argv[0], self._argv, env=self._env, childFDs={0: 0, 1: 1, 2: 2}
        )

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.pid is not None

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """Tell who waits."""
        status: Any = reason.value
        how = f"signal {status.signal}" if status.signal else f"status {status.exitCode}"
        self.ended.callback(how)

    async def stop(self, reactor: Any, timeout_s: float) -> None:
        """Ask it to end, and kill it if it has not done so in time."""
        if not self.running:
            return
        gone: Deferred[None] = Deferred()

        def tell(how: str) -> str:
            gone.callback(None)
            return how

        self.ended.addCallback(tell)
        gone.addTimeout(timeout_s, reactor)
        try:
            self._process.signalProcess("TERM")
            await gone
        except ProcessExitedAlready:
            pass
        except DeferredTimeout:
            self._process.signalProcess("KILL")
