"""What clients see of a recording: its data, and whether it is degraded."""

from collections.abc import Callable

from agents.aggregator.reception import Reception
from agents.aggregator.recorder import Recorder
from ocs.ocs_agent import OpSession

__all__ = ["ATTENTION_S", "SessionWatch"]

ATTENTION_S = 60.0
"""How long a refused block or a loss shows as degraded."""


class SessionWatch:
    """Keeps the session of a recording up to date.

    Args:
        session: Of process ``record`` or ``aggregate``.
        clock: Gives Unix time in seconds.
    """

    def __init__(self, session: OpSession, clock: Callable[[], float]) -> None:
        self._session = session
        self._clock = clock
        self._problem = ""
        self._losses = 0
        self._attention_until = 0.0

    def report(self, recorder: Recorder, reception: Reception) -> None:
        """Set data and degraded; a new problem, or its end, becomes a message."""
        now = self._clock()
        gaps = reception.lost
        self._session.data = {
            **recorder.report(),
            "gaps": gaps,
            "turned_away": reception.turned_away,
        }
        losses = sum(gaps.values()) + reception.turned_away + recorder.quarantine.total
        if losses > self._losses:
            self._losses = losses
            self._attention_until = now + ATTENTION_S
        self._session.degraded = bool(recorder.problem) or now < self._attention_until
        if recorder.problem != self._problem:
            self._session.add_message(recorder.problem or "Writing works again.")
            self._problem = recorder.problem
