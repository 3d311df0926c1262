"""How often guesses turn out right, by how much of the text before them agreed."""

from __future__ import annotations

from bisect import bisect_right

STEPS = (4, 6, 9, 16)  # tokens of agreement at which trust is kept apart
FIRST = (0.35, 0.5, 0.65, 0.8, 0.9)  # before anything is known
MEMORY = 0.98


class Trust:
    """Shares in [0, 1], learned from all sequences of a server."""

    def __init__(self) -> None:
        self._shares = list(FIRST)

    def of(self, agreed: int) -> float:
        """The share of right tokens to be expected behind so much agreement."""
        return self._shares[bisect_right(STEPS, agreed)]

    def learn(self, agreed: int, share: float) -> None:
        """A guess behind so much agreement was right in this share."""
        step = bisect_right(STEPS, agreed)
        self._shares[step] = MEMORY * self._shares[step] + (1 - MEMORY) * share
