"""How likely a candidate is right, from the score that its generator gave it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

from apr.generation.seq2seq.bundle import Table

Calibrate = Callable[[float], float]
"""From a generator's score to a probability in (0, 1]; higher scores never get a lower one."""

LEAST = 1e-6


def calibrate_by(table: Table) -> Calibrate:
    """Between the points of the table in straight lines, beyond them as at its ends."""
    scores = [score for score, _ in table]

    def probability(score: float) -> float:
        place = bisect_left(scores, score)
        if place == 0:
            return max(table[0][1], LEAST)
        if place == len(table):
            return max(table[-1][1], LEAST)
        (left, low), (right, high) = table[place - 1 : place + 1]
        return max(low + (high - low) * (score - left) / (right - left), LEAST)

    return probability


def as_probability(score: float) -> float:
    """Of a model that nobody calibrated, what it says itself: its score is a logarithm."""
    return max(math.exp(min(score, 0.0)), LEAST)


def as_it_is(score: float) -> float:
    """Of templates that nobody calibrated, their own score."""
    return min(max(score, LEAST), 1.0)
