"""How long tests may take, in which order they come, and what the base itself would get."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from apr.core.bug import TestId
from apr.core.patch import Hunk, Patch
from apr.core.report import (
    Baseline,
    Execution,
    Stage,
    TestOutcome,
    TestResult,
    ValidationReport,
    Verdict,
)
from validation.plan import Plan, ValidationSettings
from validation.runners.base import RunLimits

A, B, C, D = (TestId(name) for name in "abcd")
FAILED, TIMEOUT = TestOutcome.FAILED, TestOutcome.TIMEOUT
PATCH = Patch((Hunk("m.py", 1, ("x\n",), ("y\n",)),))


def plan(
    failing: Mapping[TestId, TestOutcome],
    durations_s: Mapping[TestId, float],
    settings: ValidationSettings | None = None,
) -> Plan:
    results = tuple(TestResult(test, outcome, progress=3) for test, outcome in failing.items())
    baseline = Baseline(
        failing=results,
        passing=tuple(test for test in durations_s if test not in failing),
        flaky=(),
        skipped=(),
        durations_s=durations_s,
        duration_s=sum(durations_s.values()),
        repeats=2,
        hung=tuple(test for test, outcome in failing.items() if outcome is TIMEOUT),
    )
    return Plan(baseline, None, settings or ValidationSettings(), can_select=True)


@pytest.mark.parametrize(
    ("slowest_s", "test_s", "allowed_s"),
    [
        (0.001, 10.0, 1.0),  # quick tests say little: four times the floor of 0.25 s
        (1.5, 10.0, 6.25),  # 0.25 s + 4 * 1.5 s
        (9.0, 10.0, 10.0),  # no longer than the baseline itself has waited
    ],
)
def test_a_test_that_hung_may_take_as_long_as_the_slowest_other(
    slowest_s: float, test_s: float, allowed_s: float
) -> None:
    settings = ValidationSettings(limits=RunLimits(test_s=test_s))
    made = plan({A: TIMEOUT}, {A: 10.0, B: 0.001, C: slowest_s}, settings)
    assert made.limits_s([A, B]) == [allowed_s, 0.254]


def test_in_a_quick_suite_what_was_learned_changes_nothing() -> None:
    made = plan({A: FAILED}, {A: 0.01, B: 0.01, C: 0.01})
    assert made.order_digest(PATCH) == ""
    made.learn([ValidationReport(Verdict.REGRESSES, Stage.FULL, results=(TestResult(C, FAILED),))])
    assert made.order_digest(PATCH) == ""


def test_in_a_slow_suite_the_order_is_a_part_of_the_key() -> None:
    made = plan({A: FAILED}, {A: 1.0, B: 1.0, C: 2.0})
    before = made.order_digest(PATCH)
    assert before == made.order_digest(PATCH) != ""
    made.learn([ValidationReport(Verdict.REGRESSES, Stage.FULL, results=(TestResult(C, FAILED),))])
    assert made.order_digest(PATCH) != before


def test_the_base_fails_as_it_did() -> None:
    report = plan({A: FAILED, B: FAILED}, {A: 0.1, B: 0.1, C: 0.1}).unchanged_report()
    assert (report.verdict, report.stage) == (Verdict.STILL_FAILS, Stage.TRIGGER)
    assert (report.triggers_passed, report.triggers_total, report.regressions_total) == (0, 2, 1)
    assert report.progress == 0.5
    assert [result.test for result in report.results] == [A, B]


def test_the_base_stops_where_a_validation_of_it_would() -> None:
    slow = plan({A: FAILED, B: FAILED}, {A: 1.0, B: 2.0, C: 0.1})
    assert [result.test for result in slow.unchanged_report().results] == [A]
    hanging = plan({A: FAILED, B: TIMEOUT, D: TIMEOUT}, {A: 0.1, B: 9.0, D: 9.0})
    assert [result.test for result in hanging.unchanged_report().results] == [A, B]


def test_excused_tests_do_not_count() -> None:
    made = plan({A: FAILED}, {A: 0.1, B: 0.1, C: 0.1})
    results = (
        TestResult(A, TestOutcome.PASSED),
        TestResult(B, FAILED),
        TestResult(C, TestOutcome.PASSED),
    )
    execution = Execution(results, 1, completed=True, duration_s=0.1)
    assert made.judge_complete(execution).verdict is Verdict.REGRESSES
    assert made.judge_complete(execution, frozenset({B})).verdict is Verdict.PLAUSIBLE
    assert made.judge_complete(execution, frozenset({C})).verdict is Verdict.REGRESSES
