"""An acquisition whose instrument fails: say so once, wait, try again, say that it is over."""

import random
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from agents.lakeshore.messages import BadReply

__all__ = ["Backoff", "Outages"]

BAD_REPLIES_BEFORE_DEGRADED = 5


class Backoff:
    """Delays between tries: they grow, have a ceiling, and never keep step with others'.

    Args:
        first_s: ceiling of the first delay in seconds.
        longest_s: ceiling of all later ones.
        rng: source of the jitter.
    """

    def __init__(
        self, first_s: float = 0.25, longest_s: float = 3.0, rng: random.Random | None = None
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret
        self._ceiling_s = first_s

    def next_delay_s(self) -> float:
        """Return the next delay: between half and the whole of a ceiling that doubles."""
        ceiling_s = self._ceiling_s
        self._ceiling_s = min(self._longest_s, 2 * ceiling_s)
        return ceiling_s * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin again with the shortest delay."""
        self._ceiling_s = self._first_s


class Audience(Protocol):
    """Who hears of outages; an `OpSession` does."""

    degraded: bool

    def add_message(self, text: str, /) -> None:
        """Add a message for clients and the log."""
        ...


class Outages:
    """Keeps an operation's `degraded` and messages in step with its instrument.

    There may be several troubles at once: the connection's own, and any number of others
    (`report`). The operation is degraded as long as there is one.

    Args:
        session: the operation's session, or a part of it.
        address: where the instrument is.
        name: what people call it, as ``Lake Shore 372``.
        stop: ends a wait when set.
        backoff: how long to wait between tries.
        on_change: called when the connection is in another trouble, ahead of the wait for the next
            try.
    """

    def __init__(
        self,
        session: Audience,
        address: str,
        name: str,
        stop: threading.Event,
        backoff: Backoff | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._session = session
        self._address = address
        self._name = name
        self._stop = stop
        self._backoff = backoff or Backoff()
        self._on_change = on_change
        self._trouble: str | None = None
        self._others: dict[str, str] = {}
        self._bad_in_a_row = 0
        self.bad_replies = 0
        """How many replies made no sense since the start."""

    @property
    def troubles(self) -> list[str]:
        """What is wrong now, in sentences."""
        connection = [] if self._trouble is None else [self._trouble]
        return [*connection, *self._others.values()]

    def on_answer(self) -> None:
        """Note that the instrument has answered as it should."""
        self._bad_in_a_row = 0
        self._backoff.reset()
        if self._trouble is not None:
            self._trouble = None
            self._session.add_message("Connection re-established.")
            self._show()

    def report(self, troubles: Mapping[str, str]) -> None:
        """Say what is wrong with an instrument that answers, and what is not any more.

        Args:
            troubles: all there are now, as sentences, by what they are about. Each is said when
                it comes, and when it is no longer among them.
        """
        for key in [key for key in self._others if key not in troubles]:
            self._session.add_message(f"Over: {self._others.pop(key)}")
        for key, message in troubles.items():
            if self._others.get(key) != message:
                self._others[key] = message
                self._session.add_message(message)
        self._show()

    def count_bad_reply(self) -> None:
        """Note a reply to a question of minor importance that made no sense."""
        self.bad_replies += 1

    def on_bad_reply(self, error: BadReply) -> bool:
        """Note a reply that made no sense; several in a row count as an outage.

        Returns:
            Whether it counts as one, and the wait is over.
        """
        self.bad_replies += 1
        self._bad_in_a_row += 1
        if self._bad_in_a_row < BAD_REPLIES_BEFORE_DEGRADED:
            return False
        self.on_trouble(
            f"{self._address} answers, but not as a {self._name} does: {error} "
            "Check the address, and whether another program disturbs the connection."
        )
        return True

    def on_trouble(self, message: str) -> None:
        """Say what is wrong, once, and wait a while before the next try."""
        if message != self._trouble:
            self._trouble = message
            # First what is shown: whoever reads the message finds it so.
            self._on_change()
            self._show()
            self._session.add_message(f"{message} Trying again.")
        self._stop.wait(self._backoff.next_delay_s())

    def _show(self) -> None:
        self._session.degraded = self._trouble is not None or bool(self._others)
