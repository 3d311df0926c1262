"""The verdict rests on every expected test and the runner's own ending together."""

from dataclasses import replace

from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.report import Baseline, Execution, Stage, TestOutcome, TestResult, Verdict
from validation.baseline import make_baseline
from validation.judge import (
    progress,
    regression_report,
    tally,
    trigger_report,
    untriggered_report,
)

A, B, C = TestId("a"), TestId("b"), TestId("c")
PASSED, FAILED, SKIPPED = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.SKIPPED


def execution(status: int | None = 0, *, completed: bool = True, **outcomes: str) -> Execution:
    results = tuple(TestResult(TestId(t), TestOutcome(o)) for t, o in outcomes.items())
    return Execution(results, status, completed=completed, duration_s=0.1)


def baseline(failing: tuple[TestResult, ...], passing: tuple[TestId, ...] = ()) -> Baseline:
    return Baseline(failing, passing, (), (), {}, 0.1, 2)


ORACLE = baseline((TestResult(A, FAILED, progress=10), TestResult(B, FAILED)), (C,))


def test_all_expected_tests_passed_and_a_clean_exit_is_a_pass() -> None:
    assert tally([A, B], execution(a="passed", b="passed")).all_passed


def test_a_skipped_test_is_not_a_pass() -> None:
    count = tally([A, B], execution(a="passed", b="skipped"))
    assert not count.all_passed
    assert [result.test for result in count.failed] == [B]


def test_a_missing_test_is_a_failure_when_the_runner_claims_to_have_finished() -> None:
    count = tally([A, B], execution(a="passed"))
    assert [(r.test, r.outcome) for r in count.failed] == [(B, TestOutcome.MISSING)]


def test_a_test_that_was_not_reached_before_the_end_is_neither_passed_nor_failed() -> None:
    count = tally([A, B], execution(None, completed=False, a="failed"))
    assert count.not_run == (B,)
    assert not count.all_passed


def test_passed_tests_with_a_bad_exit_status_are_not_a_pass() -> None:
    assert not tally([A], execution(3, a="passed")).all_passed


def test_an_early_exit_with_status_zero_is_not_a_pass() -> None:
    assert not tally([A], execution(0, completed=False, a="passed")).all_passed


def test_failed_tests_with_exit_status_zero_contradict_each_other() -> None:
    assert not tally([A], execution(0, a="failed")).is_consistent


def test_the_trigger_report_counts_what_passes() -> None:
    report = trigger_report(ORACLE, execution(1, a="failed", b="passed"))
    assert report.verdict is Verdict.STILL_FAILS
    assert (report.triggers_passed, report.triggers_total) == (1, 2)


def test_a_regression_keeps_the_counts_of_the_trigger_stage() -> None:
    first = trigger_report(ORACLE, execution(0, a="passed", b="passed"))
    report = regression_report(first, Stage.FULL, [C], execution(1, c="failed"))
    assert first.verdict is Verdict.PLAUSIBLE
    assert report.verdict is Verdict.REGRESSES
    assert (report.triggers_passed, report.regressions_failed, report.regressions_run) == (2, 1, 1)


def test_nothing_that_tests_say_counts_once_a_patch_has_tampered() -> None:
    forged = replace(execution(0, a="passed", b="passed"), tampering="it patched assert")
    report = trigger_report(ORACLE, forged)
    assert (report.verdict, report.triggers_passed) == (Verdict.TAMPERED, 0)
    assert report.message == "it patched assert"
    before = trigger_report(ORACLE, execution(0, a="passed", b="passed"))
    forged = replace(execution(0, c="passed"), tampering="it patched assert")
    report = regression_report(before, Stage.FULL, [C], forged)
    assert (report.verdict, report.is_plausible) == (Verdict.TAMPERED, False)


def test_progress_is_one_half_at_the_same_line_and_grows_with_the_line_reached() -> None:
    before = [TestResult(A, FAILED, progress=10)]
    at = [progress(before, [TestResult(A, FAILED, progress=n)]) for n in (7, 10, 13, 22)]
    # d / (2 (|d| + 3)) for d = -3, 0, 3, 12 is -1/4, 0, 1/4, 2/5
    assert at == [0.25, 0.5, 0.75, 0.9]


def test_progress_averages_over_the_tests_that_still_fail() -> None:
    before = [TestResult(A, FAILED, progress=10), TestResult(B, TestOutcome.TIMEOUT)]
    after = [TestResult(A, FAILED, progress=13), TestResult(B, FAILED)]
    assert progress(before, after) == (0.75 + 0.0) / 2


def test_progress_is_complete_when_nothing_fails_any_more() -> None:
    assert progress([TestResult(A, FAILED)], []) == 1.0


def test_where_no_test_has_to_fail_failures_are_other_peoples() -> None:
    bug = Bug("/s", TestCommand(RunnerKind.PYTEST))
    runs = [execution(1, a="passed", b="failed")] * 2
    measured = make_baseline(bug, runs, writes=False, must_fail=False)
    assert (measured.failing, measured.passing, measured.other_failing) == ((), ("a",), ("b",))
    named = make_baseline(
        replace(bug, trigger_tests=(TestId("b"),)), runs, writes=False, must_fail=False
    )
    assert named.trigger_tests == ("b",)
    assert make_baseline(bug, runs, writes=False).trigger_tests == ("b",)


def test_without_trigger_tests_a_patch_is_plausible_until_it_breaks_something() -> None:
    report = untriggered_report(baseline((), (TestId("a"),)))
    assert report.is_plausible
    broken = regression_report(report, Stage.FULL, (TestId("a"),), execution(1, a="failed"))
    assert broken.verdict is Verdict.REGRESSES
