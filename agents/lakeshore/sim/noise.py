"""Seeded noise: white, 1/f, and generators that do not disturb each other."""

import math
import random

__all__ = ["PinkNoise", "generator"]

_PINK_TIMES_S = (1.0, 8.0, 64.0, 512.0)


def generator(seed: int, purpose: str) -> random.Random:
    """Return a generator of its own for a purpose, so that using one leaves the others alone.

    Args:
        seed: of the whole simulation.
        purpose: a name; the same seed and name give the same numbers everywhere.
    """
    return random.Random(f"{seed}/{purpose}")  # noqa: S311 - physics, not secrets


class PinkNoise:
    """Noise of size 1 with a spectrum of about 1/f between a millihertz and a hertz.

    A sum of four first-order processes whose times are a factor of eight apart.

    Args:
        rng: where its numbers come from.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._states = [rng.gauss(0, 1) for _ in _PINK_TIMES_S]
        self._elapsed_s = 0.0
        self._factors: list[tuple[float, float]] = []

    def advance(self, elapsed_s: float) -> float:
        """Go on by a time, in seconds, and return the value there."""
        if elapsed_s != self._elapsed_s:
            self._elapsed_s = elapsed_s
            kept = [math.exp(-elapsed_s / time_s) for time_s in _PINK_TIMES_S]
            self._factors = [(part, math.sqrt(1 - part * part)) for part in kept]
        gauss = self._rng.gauss
        self._states = [
            kept * state + fresh * gauss(0, 1)
            for state, (kept, fresh) in zip(self._states, self._factors, strict=True)
        ]
        return sum(self._states) / math.sqrt(len(self._states))
