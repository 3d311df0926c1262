"""How wide a step should be: what it costs, as measured, against what it is expected to bring."""

from __future__ import annotations

from collections.abc import Sequence as Listing
from dataclasses import dataclass

MEMORY = 0.9  # weight of the past in measured times


@dataclass(frozen=True, slots=True)
class Hope:
    """A row's guess: so many tokens, each right with probability `share` if those before are."""

    tokens: int
    share: float

    def worth(self, width: int) -> float:
        """Tokens that the row is expected to gain from a step of `width`."""
        tried = min(self.tokens, width - 1)
        if self.share >= 1:
            return float(tried + 1)
        return (1 - self.share ** (tried + 1)) / (1 - self.share)


class Pace:
    """Learns what steps take, and picks the width that brings most tokens a second.

    `budget`: the most tokens that all rows of a step may work on, unless each works on one.
    """

    def __init__(self, widths: tuple[int, ...], budget: int) -> None:
        self.widths = widths
        self._budget = budget
        self._seconds: dict[tuple[int, int], float] = {}

    def measured(self, rows: int, width: int, seconds: float) -> None:
        """A step took so long."""
        before = self._seconds.get((rows, width))
        if before is None:
            self._seconds[rows, width] = seconds
        else:
            # One slow step, such as one that waited for a client, must not count for long.
            seconds = min(seconds, 2 * before)
            self._seconds[rows, width] = MEMORY * before + (1 - MEMORY) * seconds

    def widest(self, rows: int) -> int:
        """The widest step that the budget allows."""
        return max((w for w in self.widths if w == 1 or w * rows <= self._budget), default=1)

    def choose(self, rows: int, hopes: Listing[Hope]) -> int:
        """The width of the next step of `rows` rows, some of which may rest."""
        needed = 1 + max((hope.tokens for hope in hopes), default=0)
        best, best_rate = 1, 0.0
        seconds = self._seconds.get((rows, 1), 1.0)
        for width in self.widths:
            if width > self.widest(rows) or (width > 1 and self._narrower(width) >= needed):
                break
            # A width that was never tried is taken to cost no more than the one below it.
            seconds = self._seconds.get((rows, width), seconds)
            rate = sum(hope.worth(width) for hope in hopes) / seconds
            if rate > best_rate:
                best, best_rate = width, rate
        return best

    def _narrower(self, width: int) -> int:
        return max(w for w in self.widths if w < width)
