"""Variants of a repair on the same bugs with the same seeds: what each does, and how they differ.

The first variant is compared with each of the others. With one seed the bugs fixed are compared
by McNemar's exact test; with several, and for numbers of candidates always, the sign of each
bug's mean difference is flipped at random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from apr.bench.journal import ERROR
from apr.bench.records import PLAUSIBLE, BugRecord
from apr.bench.statistics import (
    Estimate,
    bootstrap_mean,
    bootstrap_ratio,
    bootstrap_sum,
    doubling,
    mcnemar,
    restricted,
    sign_flip,
)
from apr.core.errors import BadInputError
from apr.core.report import CorrectnessLabel

RESAMPLING_SEED = 0
MCNEMAR, SIGN_FLIP = "McNemar", "sign flip"

Measure = Callable[[BugRecord], float]


@dataclass(frozen=True, slots=True)
class Trials:
    """The records of one variant, by seed and then by bug."""

    variant: str
    records: Mapping[int, Mapping[str, BugRecord]]

    def means(self, measure: Measure, bugs: Sequence[str], seeds: Sequence[int]) -> list[float]:
        """A measure of each bug, averaged over the seeds."""
        return [fmean(measure(self.records[seed][bug]) for seed in seeds) for bug in bugs]


@dataclass(frozen=True, slots=True)
class Spent:
    """What all bugs together took, averaged over the seeds.

    `out_of_time` counts the runs that the seconds ended, so that they had fewer candidates.
    """

    candidates: float
    validations: float
    seconds: float
    calls: float
    tokens: float
    cost_usd: float
    out_of_time: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One variant: bugs (of `Comparison.bugs`, averaged over the seeds) and candidates.

    `curve` gives the bugs fixed within so many candidates. `first` is the mean over the bugs of
    the candidates to the first plausible patch, where an unsolved bug counts with the budget.
    """

    variant: str
    plausible: Estimate
    correct: Estimate
    overfitting: Estimate
    errors: float
    curve: tuple[tuple[int, Estimate], ...]
    first: Estimate
    spent: Spent


@dataclass(frozen=True, slots=True)
class Difference:
    """Two variants on one measure: left minus right, left by right, and the test's p."""

    measure: str
    left: float
    right: float
    difference: Estimate
    ratio: Estimate
    p: float
    test: str


@dataclass(frozen=True, slots=True)
class Contrast:
    """The first variant (left) against another one (right).

    `left_only` and `right_only` are the bugs that one side fixes with more of the seeds.
    """

    left: str
    right: str
    differences: tuple[Difference, ...]
    left_only: tuple[str, ...]
    right_only: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All variants over the bugs and seeds that each of them has a record of."""

    bugs: tuple[str, ...]
    seeds: tuple[int, ...]
    budget: int
    summaries: tuple[Summary, ...]
    contrasts: tuple[Contrast, ...]


def compare(trials: Sequence[Trials], budget: int) -> Comparison:
    """Compare variants; `budget` is the number of candidates that each bug may cost.

    Raises:
        BadInputError: when there is no bug that all variants have run with one seed.
    """
    bugs, seeds = common(trials)
    first, *others = trials
    return Comparison(
        bugs,
        seeds,
        budget,
        tuple(summarize(each, bugs, seeds, budget) for each in trials),
        tuple(contrast(first, other, bugs, seeds, budget) for other in others),
    )


def common(trials: Sequence[Trials]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The bugs and the seeds that all variants have run.

    Raises:
        BadInputError: when there is no such bug.
    """
    seeds = tuple(sorted(set.intersection(*(set(each.records) for each in trials))))
    cells = [set(each.records[seed]) for each in trials for seed in seeds]
    bugs = tuple(sorted(set.intersection(*cells))) if cells else ()
    if not bugs:
        names = ", ".join(each.variant for each in trials)
        raise BadInputError(f"there is no bug that was run with the same seeds by all of: {names}")
    return bugs, seeds


def summarize(trials: Trials, bugs: Sequence[str], seeds: Sequence[int], budget: int) -> Summary:
    """One variant's numbers."""

    def count(measure: Measure) -> Estimate:
        return bootstrap_sum(trials.means(measure, bugs, seeds), RESAMPLING_SEED)

    firsts = trials.means(_first(budget), bugs, seeds)
    return Summary(
        trials.variant,
        plausible=count(_is_plausible),
        correct=count(_is_correct),
        overfitting=count(_is_overfitting),
        errors=sum(trials.means(_is_error, bugs, seeds)),
        curve=tuple((k, count(_fixed_within(k))) for k in doubling(budget)),
        first=bootstrap_mean(firsts, RESAMPLING_SEED),
        spent=_spent(trials, bugs, seeds),
    )


def _spent(trials: Trials, bugs: Sequence[str], seeds: Sequence[int]) -> Spent:
    def total(measure: Measure) -> float:
        return sum(trials.means(measure, bugs, seeds))

    return Spent(
        candidates=total(lambda record: record.candidates),
        validations=total(lambda record: record.validations),
        seconds=total(lambda record: record.seconds),
        calls=total(lambda record: record.calls),
        tokens=total(lambda record: record.tokens),
        cost_usd=total(lambda record: record.cost_usd),
        out_of_time=total(lambda record: record.message == "seconds"),
    )


def contrast(
    left: Trials, right: Trials, bugs: Sequence[str], seeds: Sequence[int], budget: int
) -> Contrast:
    """The paired differences of two variants."""
    fixed = [each.means(_is_plausible, bugs, seeds) for each in (left, right)]
    correct = [each.means(_is_correct, bugs, seeds) for each in (left, right)]
    firsts = [each.means(_first(budget), bugs, seeds) for each in (left, right)]
    pairs = list(zip(bugs, *fixed, strict=True))
    return Contrast(
        left.variant,
        right.variant,
        (
            _difference("plausible", *fixed, is_binary=len(seeds) == 1),
            _difference("correct", *correct, is_binary=len(seeds) == 1),
            _difference("candidates to first", *firsts, is_mean=True),
        ),
        tuple(bug for bug, ours, theirs in pairs if ours > theirs),
        tuple(bug for bug, ours, theirs in pairs if theirs > ours),
    )


def _difference(
    name: str,
    left: Sequence[float],
    right: Sequence[float],
    *,
    is_binary: bool = False,
    is_mean: bool = False,
) -> Difference:
    """`is_binary`: each bug counts 0 or 1; `is_mean`: the numbers are averaged, not summed."""
    total, estimate = (fmean, bootstrap_mean) if is_mean else (sum, bootstrap_sum)
    differences = [a - b for a, b in zip(left, right, strict=True)]
    if is_binary:
        p = mcnemar(sum(d > 0 for d in differences), sum(d < 0 for d in differences))
    else:
        p = sign_flip(differences, RESAMPLING_SEED)
    return Difference(
        name,
        total(left),
        total(right),
        estimate(differences, RESAMPLING_SEED),
        bootstrap_ratio(left, right, RESAMPLING_SEED),
        p,
        MCNEMAR if is_binary else SIGN_FLIP,
    )


def _is_plausible(record: BugRecord) -> float:
    return record.verdict == PLAUSIBLE


def _is_correct(record: BugRecord) -> float:
    return record.label == CorrectnessLabel.CORRECT


def _is_overfitting(record: BugRecord) -> float:
    return record.label == CorrectnessLabel.OVERFITTING


def _is_error(record: BugRecord) -> float:
    return record.verdict == ERROR


def _fixed_within(candidates: int) -> Measure:
    return lambda r: r.first_plausible is not None and r.first_plausible <= candidates


def _first(budget: int) -> Measure:
    return lambda record: restricted(record.first_plausible, budget)
