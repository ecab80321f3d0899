"""A simulated instrument's serial port: a pseudo-terminal, and a link to it at a given path.

Any program that opens serial ports can open it, at any speed: a pseudo-terminal takes every one
and has none. The simulator holds the client's side open as well, so that clients come and go.
"""

import contextlib
import errno
import os
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from agents.lakeshore.sim.conversation import Conversation, Unit
from agents.lakeshore.sim.server import CannotListen

__all__ = ["PtyServer"]

_READ_BYTES = 4096
_FULL_BYTES = 65536


class _Master:
    """The instrument's end of a pseudo-terminal, as Twisted's reactor knows descriptors."""

    def __init__(self, reactor: Any, unit: Unit, hang_up: Callable[[], None]) -> None:
        self._reactor = reactor
        self._fd, self._slave_fd = os.openpty()
        self.device = os.ttyname(self._slave_fd)
        tty.setraw(self._slave_fd)
        os.set_blocking(self._fd, False)
        self.conversation = Conversation(unit, self)
        self.hang_up = hang_up
        self._unsent = b""
        self.is_open = True
        reactor.addReader(self)

    def fileno(self) -> int:
        return self._fd

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        return "pty"

    def doRead(self) -> None:  # noqa: N802 - Twisted's name
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            # Nobody has the other end open: that of a dead terminal, which is not held open here.
            self.shut()
            return
        self.conversation.receive(data)

    def doWrite(self) -> None:  # noqa: N802 - Twisted's name
        if self._unsent:
            with contextlib.suppress(BlockingIOError):
                self._unsent = self._unsent[os.write(self._fd, self._unsent) :]
        if not self._unsent:
            self._reactor.removeWriter(self)

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802, ARG002 - Twisted's name
        self.shut()

    def send(self, data: bytes) -> None:
        # Nobody need listen at a serial port; what finds no room is lost, as in the real one.
        if self.is_open and len(self._unsent) < _FULL_BYTES:
            self._unsent += data
            self._reactor.addWriter(self)

    def deaden(self) -> None:
        """Answer no more; the terminal goes when the last client closes it."""
        self.conversation.deaden()
        self._close_slave()

    def shut(self) -> None:
        """Close both ends; whoever has the port open finds it gone."""
        self.conversation.finish()
        self._unsent = b""
        if self.is_open:
            self.is_open = False
            self._reactor.removeReader(self)
            self._reactor.removeWriter(self)
            os.close(self._fd)
            self._close_slave()

    def _close_slave(self) -> None:
        if self._slave_fd >= 0:
            os.close(self._slave_fd)
            self._slave_fd = -1


class PtyServer:
    """The serial port at a path.

    Args:
        reactor: Twisted's.
        unit: who answers.
        link: path that clients open; a link to the terminal of the day is made there.
    """

    log = Logger(namespace="simulator")

    def __init__(self, reactor: Any, unit: Unit, link: Path) -> None:
        self._reactor = reactor
        self._unit = unit
        self._link = link
        self._master: _Master | None = None
        self._dead: list[_Master] = []
        self._refused = False

    @property
    def address(self) -> str:
        """Where clients find it."""
        return str(self._link)

    def open(self) -> None:
        """Make the terminal and the link to it.

        Raises:
            CannotListen: the link cannot be made, or something else is there.
        """
        self._master = _Master(self._reactor, self._unit, self.disconnect)
        try:
            self._make_link()
        except OSError as error:
            self._shut()
            raise CannotListen(f"cannot make the link {self._link}: {error.strerror}") from None

    async def close(self) -> None:
        """Remove the link and the terminal."""
        self._remove_link()
        self._shut()

    def disconnect(self) -> None:
        """Pull the plug and put it in again: the terminal goes, another one comes."""
        self._remove_link()
        self._shut()
        self._unit.plug_in()
        self._renew()

    def deaden(self) -> None:
        """Leave the terminal to those who have it open, dead; the link leads to another one."""
        self._remove_link()
        if self._master is not None:
            self._dead = [master for master in self._dead if master.is_open]
            self._dead.append(self._master)
            self._master.deaden()
        self._renew()

    def refuse(self, *, refused: bool) -> None:
        """Remove the link, or make it again; who has the terminal open keeps it."""
        self._refused = refused
        if refused:
            self._remove_link()
        else:
            self._relink()

    def _renew(self) -> None:
        self._master = _Master(self._reactor, self._unit, self.disconnect)
        if not self._refused:
            self._relink()

    def _relink(self) -> None:
        try:
            self._make_link()
        except OSError as error:
            self.log.error(
                "the simulator stays unreachable: cannot make the link {link}: {why}",
                link=self._link,
                why=error.strerror,
            )

    def _make_link(self) -> None:
        assert self._master is not None  # noqa: S101 - called with a terminal only
        if self._link.exists() and not self._link.is_symlink():
            raise FileExistsError(errno.EEXIST, "something else is there")
        # In one step: a client finds the link of before or this one. A link that a killed
        # simulator has left is replaced, too.
        fresh = self._link.with_name(f".{self._link.name}.{os.getpid()}")
        fresh.symlink_to(self._master.device)
        fresh.replace(self._link)

    def _remove_link(self) -> None:
        if self._master is None:
            return
        # Not the link of another simulator that has been started for the same path since.
        with contextlib.suppress(OSError):
            if str(self._link.readlink()) == self._master.device:
                self._link.unlink()

    def _shut(self) -> None:
        for master in (*self._dead, self._master):
            if master is not None:
                master.shut()
        self._dead.clear()
        self._master = None
