"""The reward of a report: fixed points, bounds and monotonicity."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.core.patch import Patch
from apr.core.report import Stage, ValidationReport, Verdict
from apr.core.tree import SearchNode
from apr.search.reward import NEUTRAL, MixedReward, TestReward

BASELINE_LIKE = ValidationReport(
    Verdict.STILL_FAILS, Stage.TRIGGER, triggers_total=4, progress=0.5, regressions_total=10
)
reward = TestReward().of_report


@st.composite
def graded(draw: st.DrawFn) -> ValidationReport:
    total = draw(st.integers(1, 12))
    passed = draw(st.integers(0, total))
    run = draw(st.integers(0, 20))
    failed = draw(st.integers(0, run))
    return ValidationReport(
        Verdict.STILL_FAILS if passed < total else Verdict.REGRESSES,
        Stage.TRIGGER,
        triggers_passed=passed,
        triggers_total=total,
        regressions_failed=failed,
        regressions_run=run,
        progress=draw(st.floats(0, 1)),
    )


def test_behaving_like_the_baseline_is_neutral() -> None:
    assert reward(BASELINE_LIKE) == NEUTRAL == 0.0


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (replace(BASELINE_LIKE, triggers_passed=1), 0.225),  # 0.9 * 1/4
        (replace(BASELINE_LIKE, progress=1.0), 0.09),  # 0.9 * 0.4 * 1 / 4
        (replace(BASELINE_LIKE, progress=0.0), -0.09),
        (
            replace(BASELINE_LIKE, triggers_passed=3, progress=0.75, regressions_run=10),
            0.72,  # 0.9 * (3 + 0.4 * 0.5) / 4
        ),
        (
            replace(
                BASELINE_LIKE,
                verdict=Verdict.REGRESSES,
                triggers_passed=4,
                regressions_run=10,
                regressions_failed=1,
            ),
            0.81,  # 0.9 - 0.9 / 10
        ),
        (replace(BASELINE_LIKE, verdict=Verdict.DOES_NOT_BUILD), -0.95),
        (replace(BASELINE_LIKE, verdict=Verdict.DOES_NOT_APPLY), -0.95),
        (replace(BASELINE_LIKE, verdict=Verdict.TAMPERED, triggers_passed=4), -1.0),
        (replace(BASELINE_LIKE, verdict=Verdict.INCONCLUSIVE), 0.0),
        (replace(BASELINE_LIKE, verdict=Verdict.PLAUSIBLE, triggers_passed=4), 1.0),
    ],
)
def test_reward_matches_the_documented_formula(report: ValidationReport, expected: float) -> None:
    assert reward(report) == pytest.approx(expected)


@given(graded())
def test_a_graded_report_stays_strictly_between_broken_and_plausible(
    report: ValidationReport,
) -> None:
    broken = reward(replace(report, verdict=Verdict.DOES_NOT_BUILD))
    tampered = reward(replace(report, verdict=Verdict.TAMPERED))
    assert -1.0 <= tampered < broken < reward(report) < 1.0


@given(graded(), st.floats(0, 1))
def test_one_more_trigger_test_outweighs_any_progress(
    report: ValidationReport, progress: float
) -> None:
    if report.triggers_passed < report.triggers_total:
        more = replace(report, triggers_passed=report.triggers_passed + 1, progress=progress)
        floor = -TestReward().ceiling
        assert reward(more) > reward(report) or reward(report) == floor


@given(graded(), st.floats(0, 1))
def test_getting_further_never_lowers_the_reward(report: ValidationReport, other: float) -> None:
    near, far = sorted((report.progress, other))
    assert reward(replace(report, progress=near)) <= reward(replace(report, progress=far))


@given(graded())
def test_another_regression_never_raises_the_reward(report: ValidationReport) -> None:
    if report.regressions_failed < report.regressions_run:
        worse = replace(report, regressions_failed=report.regressions_failed + 1)
        assert reward(worse) <= reward(report)


def test_an_unvalidated_node_has_no_reward() -> None:
    root = SearchNode(id=0, parent=None, patch=Patch())
    with pytest.raises(ValueError, match="no report"):
        TestReward().reward(root, root)


@dataclass
class _FixedOpinion:
    opinion: float
    asked: int = 0

    def reward(self, node: SearchNode, parent: SearchNode) -> float:
        self.asked += 1
        return self.opinion


def test_a_judge_is_heard_only_where_the_tests_leave_room() -> None:
    judge = _FixedOpinion(0.8)
    mixed = MixedReward(TestReward(), judge, judge_weight=0.25)
    root = SearchNode(id=0, parent=None, patch=Patch())

    def value(report: ValidationReport) -> float:
        node = SearchNode(id=1, parent=0, patch=Patch(), report=report)
        return mixed.reward(node, root)

    assert value(BASELINE_LIKE) == pytest.approx(0.2)
    assert value(replace(BASELINE_LIKE, verdict=Verdict.DOES_NOT_BUILD)) == -0.95
    assert value(replace(BASELINE_LIKE, verdict=Verdict.PLAUSIBLE)) == 1.0
    assert judge.asked == 1


def test_a_bounded_judge_decides_within_half_a_weight_of_one_trigger_test() -> None:
    root = SearchNode(id=0, parent=None, patch=Patch())

    def value(report: ValidationReport, opinion: float) -> float:
        mixed = MixedReward(TestReward(), _FixedOpinion(opinion), 0.5, bounded=True)
        return mixed.reward(SearchNode(id=1, parent=0, patch=Patch(), report=report), root)

    assert value(BASELINE_LIKE, 1.0) == pytest.approx(0.0625)  # 0.5 * (1 - 0.5) / 4 triggers
    assert value(BASELINE_LIKE, 0.5) == 0.0
    assert value(BASELINE_LIKE, 0.0) == pytest.approx(-0.0625)
    assert value(replace(BASELINE_LIKE, triggers_total=1), 0.9) == pytest.approx(0.2)
    assert value(replace(BASELINE_LIKE, verdict=Verdict.PLAUSIBLE), 0.0) == 1.0
    better = replace(BASELINE_LIKE, triggers_passed=1)
    assert value(better, 0.0) > value(BASELINE_LIKE, 1.0), "a test outweighs any opinion"


@given(graded(), st.floats(0, 1), st.floats(0, 1))
def test_a_bounded_judge_never_makes_a_patch_plausible_or_broken(
    report: ValidationReport, opinion: float, weight: float
) -> None:
    mixed = MixedReward(TestReward(), _FixedOpinion(opinion), weight, bounded=True)
    root = SearchNode(id=0, parent=None, patch=Patch())
    node = SearchNode(id=1, parent=0, patch=Patch(), report=report)
    assert -0.95 < mixed.reward(node, root) < 1.0
