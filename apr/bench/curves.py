"""How many bugs are fixed within so many candidates, and within so many seconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apr.bench.comparison import Trials
from apr.bench.records import PLAUSIBLE, BugRecord

Cost = Callable[[BugRecord], float | None]
"""What it took to fix a bug; None: it was not fixed."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One variant over one cost.

    `costs` are those of all bugs fixed, ascending, those of several seeds together; `runs` counts
    the runs of a bug with a seed, fixed or not, so that n of them fixed are n / `runs` of all.
    """

    name: str
    costs: tuple[float, ...]
    runs: int

    @property
    def share(self) -> float:
        """The share of the runs that fixed their bug, in [0, 1]."""
        return len(self.costs) / self.runs

    def points(self) -> list[tuple[float, float]]:
        """Where the share rises, and to what: a step at each cost, ascending."""
        counts: dict[float, float] = {}
        for number, cost in enumerate(self.costs, start=1):
            counts[cost] = number / self.runs
        return list(counts.items())


@dataclass(frozen=True, slots=True)
class LogAxis:
    """A logarithmic axis from `low` to `high`, both greater than 0 and apart."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Where a value stands, in [0, 1]; what is out of the axis stands at its ends."""
        inside = min(max(value, self.low), self.high)
        return math.log(inside / self.low) / math.log(self.high / self.low)

    def ticks(self, steps: Sequence[float] = (1,)) -> list[float]:
        """The `steps` of each power of ten that lie on the axis."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        numbers = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        return [n for n in numbers if self.low * 0.999 <= n <= self.high * 1.001]


def candidates_to_fix(record: BugRecord) -> float | None:
    """Candidates up to and with the first plausible one."""
    return record.first_plausible


def seconds_to_fix(record: BugRecord) -> float | None:
    """Seconds of search until it ended with a plausible patch, and so no less than it took."""
    return record.seconds if record.verdict == PLAUSIBLE else None


def dollars_to_fix(record: BugRecord) -> float | None:
    """US dollars that the search cost which ended with a plausible patch."""
    return record.cost_usd if record.verdict == PLAUSIBLE else None


def curves(trials: Sequence[Trials], cost: Cost) -> list[Curve]:
    """A curve for each variant, in their order."""
    return [_curve(each, cost) for each in trials]


def _curve(trials: Trials, cost: Cost) -> Curve:
    records = [record for bugs in trials.records.values() for record in bugs.values()]
    found = (cost(record) for record in records)
    return Curve(trials.variant, tuple(sorted(c for c in found if c is not None)), len(records))
