"""Intervals and tests for runs paired by bug: bootstrap, McNemar, sign-flip permutation.

The bug is the unit throughout. Several seeds of one bug are no independent observations of a
method's skill, so they are averaged first, and bugs are what is drawn or flipped.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from operator import mul
from statistics import fmean

RESAMPLES = 2000
FLIPS = 20_000
MOST_EXACT = 12
"""So many bugs that differ are all flipped in every way; of more, a sample of ways is drawn."""
CONFIDENCE = 0.95
_SAME = 1e-9

Statistic = Callable[[Sequence[int]], float]
"""A number computed from the bugs at the given positions, one position maybe several times."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with the interval that holds it with 95 % confidence, bounds included.

    A ratio whose denominator is 0 is infinite, or NaN when its numerator is 0 too.
    """

    value: float
    low: float
    high: float


def bootstrap(statistic: Statistic, bugs: int, seed: int, resamples: int = RESAMPLES) -> Estimate:
    """The statistic of all bugs, with the percentile interval over bugs drawn with replacement.

    Resamples in which the statistic is NaN are left out (Efron and Tibshirani 1993, chapter 13).
    """
    everything = range(bugs)
    value = statistic(everything)
    if not bugs:
        return Estimate(value, value, value)
    drawn = map(statistic, _resamples(bugs, seed, resamples))
    found = sorted(each for each in drawn if not math.isnan(each))
    if not found:
        return Estimate(value, value, value)
    tail = (1.0 - CONFIDENCE) / 2
    return Estimate(value, quantile(found, tail), quantile(found, 1.0 - tail))


@lru_cache(maxsize=2)
def _resamples(bugs: int, seed: int, resamples: int) -> Sequence[Sequence[int]]:
    """Bugs drawn with replacement; the same ones serve every statistic of a comparison."""
    rng, everything = random.Random(seed), range(bugs)
    return [array("I", rng.choices(everything, k=bugs)) for _ in range(resamples)]


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the numbers lie, between neighbours in proportion."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    if ordered[below] == ordered[above]:  # infinite ones have no difference
        return ordered[below]
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def bootstrap_sum(values: Sequence[float], seed: int) -> Estimate:
    """The sum over all bugs of a value that each bug has."""
    return bootstrap(lambda drawn: math.fsum(map(values.__getitem__, drawn)), len(values), seed)


def bootstrap_mean(values: Sequence[float], seed: int) -> Estimate:
    """The mean over all bugs; NaN when there is none."""
    return bootstrap(lambda drawn: _mean([values[i] for i in drawn]), len(values), seed)


def bootstrap_ratio(left: Sequence[float], right: Sequence[float], seed: int) -> Estimate:
    """The sum of the left values by that of the right ones, a bug's two values kept together."""

    def ratio(drawn: Sequence[int]) -> float:
        return divide(math.fsum(left[i] for i in drawn), math.fsum(right[i] for i in drawn))

    return bootstrap(ratio, len(left), seed)


def divide(left: float, right: float) -> float:
    """The quotient of two numbers >= 0; infinite or NaN where the right one is 0."""
    if right:
        return left / right
    return math.inf if left else math.nan


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else math.nan


def mcnemar(only_left: int, only_right: int) -> float:
    """Two-sided exact probability of a split at least as uneven, were both equally likely.

    The arguments count the bugs that only one side has fixed (McNemar 1947, exact form).
    """
    n = only_left + only_right
    tail = sum(math.comb(n, k) for k in range(min(only_left, only_right) + 1))
    return min(1.0, 2 * tail / (1 << n))


def sign_flip(differences: Sequence[float], seed: int, flips: int = FLIPS) -> float:
    """Two-sided probability of a sum so far from 0, were each bug's sign a coin's toss.

    Exact for up to `MOST_EXACT` differences other than 0. Else the seed decides which sign
    patterns are drawn, and what was observed counts as one of them, so that p is never 0.
    """
    sizes = [abs(each) for each in differences if abs(each) > _SAME]
    observed = abs(math.fsum(differences)) - _SAME
    if len(sizes) <= MOST_EXACT:
        patterns = list(product((1, -1), repeat=len(sizes)))
        return fmean(abs(_signed(sizes, signs)) >= observed for signs in patterns)
    toss = random.Random(seed).random
    extreme = sum(
        abs(math.fsum(size if toss() < 0.5 else -size for size in sizes)) >= observed
        for _ in range(flips)
    )
    return (extreme + 1) / (flips + 1)


def _signed(sizes: Sequence[float], signs: Sequence[int]) -> float:
    return math.fsum(map(mul, sizes, signs))


def restricted(first: int | None, budget: int) -> int:
    """Candidates until the first plausible one, at most the budget: an unsolved bug costs it all.

    The mean of this is the restricted mean: the area above the curve of bugs fixed by budget.
    """
    return budget if first is None else min(first, budget)


def doubling(budget: int) -> tuple[int, ...]:
    """1, 2, 4, 8… up to the budget, which is always the last."""
    steps = []
    step = 1
    while step < budget:
        steps.append(step)
        step *= 2
    return (*steps, budget)
