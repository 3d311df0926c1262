"""What a validated patch is worth to the search, from its tests alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apr.core.ports import ConcurrentEvaluator, Evaluator
from apr.core.report import ValidationReport, Verdict
from apr.core.tree import SearchNode

NEUTRAL = 0.0
"""The reward of the baseline's own behaviour, and of a verdict that says nothing."""

TAMPERED = -1.0
"""Nothing is worse than a patch that works on its referee."""

USELESS = -0.95
"""A patch that does not apply or build: below every patch that runs, whatever its tests say."""

CEILING = 0.9
"""No patch that is not plausible is worth more than this, or, if it runs, less than minus this."""

_USELESS = frozenset({Verdict.DOES_NOT_APPLY, Verdict.DOES_NOT_BUILD})
_GRADED = frozenset({Verdict.STILL_FAILS, Verdict.REGRESSES})


@dataclass(frozen=True, slots=True)
class TestReward:
    """Rewards in [-1, 1] from the outcomes of trigger and regression tests.

    -1 when the patch tampers, -0.95 when it does not apply or build, 1 when it is plausible, 0 when
    that is inconclusive.
    Otherwise `ceiling * (T + progress_weight * F) - regression_weight * R`, not below -`ceiling`:

    - T, the fraction of trigger tests that pass (0 in the baseline);
    - F = (2 * progress - 1) / triggers_total while some trigger fails, in [-1, 1]: how much
      further than in the baseline the first of them got, as a fraction of one test;
    - R, the fraction of the regression tests run that fail.

    The baseline's behaviour thus scores 0. `progress_weight` < 0.5 makes one more passing trigger
    test worth more than any progress inside one. `ceiling` < 1 keeps plausible patches on top.
    """

    __test__ = False

    ceiling: float = CEILING
    progress_weight: float = 0.4
    regression_weight: float = 0.9

    def reward(self, node: SearchNode, parent: SearchNode) -> float:
        """The value of `node.report`; the parent does not matter, so rewards compare globally.

        Raises:
            ValueError: when the node was not validated.
        """
        if node.report is None:
            raise ValueError(f"node {node.id} has no report to be rewarded for")
        return self.of_report(node.report)

    def of_report(self, report: ValidationReport) -> float:
        """The value of one verdict."""
        if report.verdict is Verdict.TAMPERED:
            return TAMPERED
        if report.verdict in _USELESS:
            return USELESS
        if report.verdict is Verdict.PLAUSIBLE:
            return 1.0
        if report.verdict is Verdict.INCONCLUSIVE:
            return NEUTRAL
        value = self.ceiling * self._triggers(report) - self.regression_weight * _regressed(report)
        return max(value, -self.ceiling)

    def _triggers(self, report: ValidationReport) -> float:
        total = max(report.triggers_total, 1)
        if report.triggers_passed >= report.triggers_total:
            return report.triggers_passed / total
        further = 2.0 * report.progress - 1.0
        return (report.triggers_passed + self.progress_weight * further) / total


def _regressed(report: ValidationReport) -> float:
    return report.regressions_failed / report.regressions_run if report.regressions_run else 0.0


NO_OPINION = 0.5
"""What a judge that does not know says of a patch, on its scale from 0 to 1."""


@dataclass(frozen=True, slots=True)
class MixedReward:
    """Test outcomes mixed with a second opinion, such as an LLM judge's.

    The opinion gets `judge_weight` in [0, 1], and is asked only where tests leave room for one: a
    patch that does not build stays at -0.95 and a plausible one at 1. The mix is a weighted mean,
    as in APRMCTS. When `bounded`, what the judge thinks above or below NO_OPINION is worth at most
    `judge_weight` / 2 of one trigger test instead: it decides among patches that the tests cannot
    tell apart, and a judge that knows nothing does no harm where tests say enough.
    """

    tests: Evaluator
    judge: Evaluator
    judge_weight: float
    bounded: bool = False

    def reward(self, node: SearchNode, parent: SearchNode) -> float:
        """The mix, or the tests' reward alone where their verdict is final."""
        return self.rewards([(node, parent)])[0]

    def rewards(self, pairs: Sequence[tuple[SearchNode, SearchNode]]) -> list[float]:
        """See `ConcurrentEvaluator.rewards`."""
        tested = [self.tests.reward(node, parent) for node, parent in pairs]
        if self.judge_weight == 0.0:
            return tested
        open_ = [i for i, (n, _) in enumerate(pairs) if n.report and n.report.verdict in _GRADED]
        judged = reward_all(self.judge, [pairs[i] for i in open_])
        for i, opinion in zip(open_, judged, strict=True):
            tested[i] = self._mix(tested[i], opinion, pairs[i][0])
        return tested

    def _mix(self, tested: float, opinion: float, node: SearchNode) -> float:
        if not self.bounded:
            return (1.0 - self.judge_weight) * tested + self.judge_weight * opinion
        triggers = max(node.report.triggers_total, 1) if node.report else 1
        value = tested + self.judge_weight * (opinion - NO_OPINION) / triggers
        return min(max(value, -CEILING), CEILING)


def reward_all(
    evaluator: Evaluator, pairs: Sequence[tuple[SearchNode, SearchNode]]
) -> Sequence[float]:
    """The reward of each (node, parent), side by side where the evaluator can do that."""
    if len(pairs) > 1 and isinstance(evaluator, ConcurrentEvaluator):
        return evaluator.rewards(pairs)
    return [evaluator.reward(node, parent) for node, parent in pairs]
