"""From recorded outcomes to a verdict: pure functions, so that a run can be re-graded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from apr.core.bug import TestId
from apr.core.report import (
    Baseline,
    Execution,
    Stage,
    TestOutcome,
    TestResult,
    ValidationReport,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Tally:
    """How a set of expected tests came out: exactly these, each once, nothing taken on trust."""

    passed: tuple[TestId, ...]
    failed: tuple[TestResult, ...]
    not_run: tuple[TestId, ...]
    is_consistent: bool

    @property
    def all_passed(self) -> bool:
        """Every expected test passed and the runner's own ending agrees."""
        return not self.failed and not self.not_run and self.is_consistent


def tally(expected: Sequence[TestId], execution: Execution) -> Tally:
    """Compare an execution with the tests that it was asked to run.

    A test that did not pass is a failure, also a skipped one. A missing test is one as well when
    the runner claims to have finished; `not_run` are those it had no chance to reach.
    """
    results = {result.test: result for result in execution.results}
    passed, failed, not_run = [], [], []
    for test in expected:
        result = results.get(test)
        if result is None and not execution.completed:
            not_run.append(test)
        elif result is None:
            failed.append(TestResult(test, TestOutcome.MISSING, message="not reported"))
        elif result.outcome is TestOutcome.PASSED:
            passed.append(test)
        else:
            failed.append(result)
    # A clean exit and a failure contradict each other, and so do a bad exit and only passes.
    consistent = execution.completed and (execution.exit_status == 0) == (not failed)
    return Tally(tuple(passed), tuple(failed), tuple(not_run), consistent)


def trigger_report(baseline: Baseline, execution: Execution) -> ValidationReport:
    """The report after the trigger stage; PLAUSIBLE means: so far."""
    if execution.tampering:
        return tampered(baseline, Stage.TRIGGER, execution)
    if execution.build_error:
        return ValidationReport(
            verdict=Verdict.DOES_NOT_BUILD,
            stage=Stage.COMPILE,
            triggers_total=len(baseline.failing),
            regressions_total=len(baseline.passing),
            duration_s=execution.duration_s,
            message=execution.build_error,
        )
    count = tally(baseline.trigger_tests, execution)
    return ValidationReport(
        verdict=Verdict.PLAUSIBLE if count.all_passed else Verdict.STILL_FAILS,
        stage=Stage.TRIGGER,
        triggers_passed=len(count.passed),
        triggers_total=len(baseline.failing),
        regressions_total=len(baseline.passing),
        progress=progress(baseline.failing, count.failed),
        duration_s=execution.duration_s,
        message=_message(count, execution),
        results=count.failed,
    )


def untriggered_report(baseline: Baseline) -> ValidationReport:
    """The report before any test has run, which stands where there is no trigger test."""
    return ValidationReport(
        verdict=Verdict.PLAUSIBLE, stage=Stage.TRIGGER, regressions_total=len(baseline.passing)
    )


def tampered(baseline: Baseline, stage: Stage, execution: Execution) -> ValidationReport:
    """The report on a patch that worked on its referee: nothing that its tests say counts."""
    return ValidationReport(
        verdict=Verdict.TAMPERED,
        stage=stage,
        triggers_total=len(baseline.failing),
        regressions_total=len(baseline.passing),
        duration_s=execution.duration_s,
        message=execution.tampering,
    )


def regression_report(
    before: ValidationReport, stage: Stage, expected: Sequence[TestId], execution: Execution
) -> ValidationReport:
    """`before`, extended by one stage of regression tests."""
    if execution.tampering:
        return replace(
            before, verdict=Verdict.TAMPERED, stage=stage, message=execution.tampering, results=()
        )
    count = tally(expected, execution)
    return ValidationReport(
        verdict=Verdict.PLAUSIBLE if count.all_passed else Verdict.REGRESSES,
        stage=stage,
        triggers_passed=before.triggers_passed,
        triggers_total=before.triggers_total,
        regressions_failed=before.regressions_failed + len(count.failed),
        regressions_run=before.regressions_run + len(count.passed) + len(count.failed),
        regressions_total=before.regressions_total,
        progress=before.progress,
        duration_s=before.duration_s + execution.duration_s,
        message=_message(count, execution),
        results=count.failed,
    )


def progress(before: Iterable[TestResult], still_failing: Sequence[TestResult]) -> float:
    """How far the still-failing tests got compared with before, averaged, in [0, 1].

    A test that reached a line d further down scores 1/2 + d / (2 (|d| + 3)): 1/2 for the same
    line, approaching 1 and 0. A test without a known line (a timeout, say) scores 1/2 when it
    fails in the same way and 0 when it used to fail otherwise.
    """
    if not still_failing:
        return 1.0
    known = {result.test: result for result in before}
    scores = [_test_progress(known[r.test], r) for r in still_failing if r.test in known]
    return sum(scores) / len(scores) if scores else 0.0


def _test_progress(before: TestResult, after: TestResult) -> float:
    if before.progress and after.progress:
        further = after.progress - before.progress
        return 0.5 + further / (2 * (abs(further) + 3))
    return 0.5 if before.outcome is after.outcome else 0.0


def _message(count: Tally, execution: Execution) -> str:
    if count.failed:
        first = count.failed[0]
        return f"{first.test}: {first.outcome.value}: {first.message}"[:2000]
    if execution.timed_out:
        return "ran out of time"
    if execution.output and not count.all_passed:
        return execution.output[-2000:]
    if not count.is_consistent:
        return f"all tests passed but the runner ended with status {execution.exit_status}"
    return ""
