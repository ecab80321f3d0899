"""An acquisition whose instrument fails: say so once, wait, try again, say that it is over."""

import random
import threading

from agents.lakeshore.messages import BadReply
from ocs.ocs_agent import OpSession

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


class Outages:
    """Keeps an operation's `degraded` and messages in step with its instrument.

    Args:
        session: the operation's session.
        address: where the instrument is.
        name: what people call it, as ``Lake Shore 372``.
        stop: ends a wait when set.
        backoff: how long to wait between tries.
    """

    def __init__(
        self,
        session: OpSession,
        address: str,
        name: str,
        stop: threading.Event,
        backoff: Backoff | None = None,
    ) -> None:
        self._session = session
        self._address = address
        self._name = name
        self._stop = stop
        self._backoff = backoff or Backoff()
        self._trouble: str | None = None
        self._bad_in_a_row = 0
        self.bad_replies = 0
        """How many replies made no sense since the start."""

    def on_answer(self) -> None:
        """Note that the instrument has answered as it should."""
        self._bad_in_a_row = 0
        self._backoff.reset()
        if self._trouble is not None:
            self._trouble = None
            self._session.degraded = False
            self._session.add_message("Connection re-established.")

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
            self._session.degraded = True
            self._session.add_message(f"{message} Trying again.")
        self._stop.wait(self._backoff.next_delay_s())
