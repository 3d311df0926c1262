"""Intervals and tests against numbers worked out by hand."""

from __future__ import annotations

import math
import random
from statistics import fmean

import pytest

from apr.bench.statistics import (
    MOST_EXACT,
    Estimate,
    bootstrap,
    bootstrap_mean,
    bootstrap_ratio,
    bootstrap_sum,
    doubling,
    mcnemar,
    quantile,
    restricted,
    sign_flip,
)


@pytest.mark.parametrize(
    ("left", "right", "p"),
    [
        (0, 0, 1.0),
        (3, 3, 1.0),
        (1, 0, 1.0),  # 2 * 1/2
        (5, 0, 2 / 32),
        (1, 9, 2 * (1 + 10) / 1024),
        (9, 1, 2 * (1 + 10) / 1024),
        (2, 6, 2 * (1 + 8 + 28) / 256),
    ],
)
def test_mcnemar_counts_splits_at_least_as_uneven(left: int, right: int, p: float) -> None:
    assert mcnemar(left, right) == pytest.approx(p)


def test_sign_flips_of_few_bugs_are_counted_exactly() -> None:
    # |+-1 +-1 +-1| >= 3 in 2 of 8 ways.
    assert sign_flip([1, 1, 1], seed=0) == 2 / 8
    # 3 - 1 = 2: of the four sums 4, 2, -2, -4 all are at least that far out.
    assert sign_flip([3, -1], seed=0) == 1.0
    # 3 + 2 - 1 = 4: 6, 4, -4, -6 of 6, 4, 2, 0, 0, -2, -4, -6.
    assert sign_flip([3, 2, -1], seed=0) == 4 / 8


def test_bugs_without_a_difference_do_not_count() -> None:
    assert sign_flip([0.0, 0.5, 0.0, 0.5], seed=0) == sign_flip([0.5, 0.5], seed=0) == 2 / 4
    assert sign_flip([0.0, 0.0], seed=0) == sign_flip([], seed=0) == 1.0


def test_a_sign_flip_of_equal_sizes_is_mcnemars_test() -> None:
    assert sign_flip([1.0] * 9 + [-1.0], seed=0) == pytest.approx(mcnemar(9, 1))


def test_many_sign_flips_are_sampled_by_the_seed_and_near_the_exact_value() -> None:
    differences = [1.0] * 11 + [-1.0] * 4
    assert len(differences) > MOST_EXACT
    assert sign_flip(differences, seed=1) == sign_flip(differences, seed=1)
    assert sign_flip(differences, seed=1) == pytest.approx(mcnemar(11, 4), abs=0.012)
    assert sign_flip([1.0] * 60, seed=1) == 1 / 20_001


def test_rounding_does_not_hide_an_equal_sum() -> None:
    # 0.1 + 0.2 - 0.3 is not exactly 0 in floating point, but no sum is nearer to 0.
    assert sign_flip([0.1, 0.2, -0.3], seed=0) == 1.0


def test_a_quantile_lies_between_its_neighbours() -> None:
    assert quantile([10.0, 20.0, 30.0], 0.0) == 10.0
    assert quantile([10.0, 20.0, 30.0], 0.25) == 15.0
    assert quantile([10.0, 20.0, 30.0], 1.0) == 30.0
    assert quantile([5.0], 0.7) == 5.0
    assert quantile([1.0, math.inf, math.inf], 0.9) == math.inf


def test_an_interval_is_reproducible_and_covers_about_what_theory_says() -> None:
    # 25 of 50 bugs: the binomial's standard deviation is 3.54, 1.96 times that 6.9.
    estimate = bootstrap_sum([1.0, 0.0] * 25, seed=3)
    assert estimate == bootstrap_sum([1.0, 0.0] * 25, seed=3)
    assert estimate.value == 25
    assert estimate.low == pytest.approx(25 - 6.9, abs=1.5)
    assert estimate.high == pytest.approx(25 + 6.9, abs=1.5)


def test_intervals_hold_the_truth_about_as_often_as_they_claim() -> None:
    rng = random.Random(5)
    held = []
    for trial in range(100):
        sample = [rng.gauss(7.0, 2.0) for _ in range(40)]
        found = bootstrap(lambda d, s=sample: fmean(s[i] for i in d), 40, trial, resamples=300)
        held.append(found.low <= 7.0 <= found.high)
    assert 86 <= sum(held) <= 100


def test_without_variation_the_interval_is_a_point() -> None:
    assert bootstrap_mean([2.0] * 6, seed=0) == Estimate(2.0, 2.0, 2.0)
    assert bootstrap_ratio([2.0, 4.0], [1.0, 2.0], seed=0) == Estimate(2.0, 2.0, 2.0)


def test_a_ratio_keeps_each_bugs_two_values_together() -> None:
    left, right = [10.0, 1.0, 6.0], [20.0, 2.0, 12.0]
    assert bootstrap_ratio(left, right, seed=0) == Estimate(0.5, 0.5, 0.5)


def test_a_ratio_to_nothing_is_infinite_or_undefined() -> None:
    assert bootstrap_ratio([1.0, 1.0], [0.0, 0.0], seed=0).value == math.inf
    nothing = bootstrap_ratio([0.0], [0.0], seed=0)
    assert math.isnan(nothing.value)


def test_no_bugs_have_no_mean() -> None:
    assert math.isnan(bootstrap_mean([], seed=0).value)
    assert bootstrap_sum([], seed=0) == Estimate(0.0, 0.0, 0.0)


def test_an_unsolved_bug_costs_the_whole_budget() -> None:
    assert [restricted(first, 32) for first in (1, 32, 40, None)] == [1, 32, 32, 32]


def test_budgets_double_up_to_the_whole() -> None:
    assert doubling(32) == (1, 2, 4, 8, 16, 32)
    assert doubling(20) == (1, 2, 4, 8, 16, 20)
    assert doubling(1) == (1,)
