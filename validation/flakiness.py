"""Tests that pass only now and then: found by repetition, told by counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from apr.core.bug import TestId
from apr.core.report import Execution, Stage, TestOutcome, ValidationReport, Verdict

RERUNS = 5
COMPLETE_RERUNS = 2

Execute = Callable[[bool, Sequence[TestId] | None], Execution]
"""Runs tests (None: all) in a fresh process, on the base program or on the patched one."""


def count_passes(executions: Sequence[Execution]) -> dict[TestId, int]:
    """In how many of the executions each test passed, in the order in which they appeared."""
    passes: dict[TestId, int] = {}
    for execution in executions:
        for result in execution.results:
            passed = result.outcome is TestOutcome.PASSED
            passes[result.test] = passes.get(result.test, 0) + passed
    return passes


def flaky_tests(executions: Sequence[Execution]) -> tuple[TestId, ...]:
    """The tests on which the executions disagree, one that is absent from some among them."""
    seen: dict[TestId, set[str]] = {}
    counts: dict[TestId, int] = {}
    for execution in executions:
        for test, outcome in execution.outcomes().items():
            seen.setdefault(test, set()).add(_kind(outcome))
            counts[test] = counts.get(test, 0) + 1
    return tuple(
        test for test, kinds in seen.items() if len(kinds) > 1 or counts[test] < len(executions)
    )


def _kind(outcome: TestOutcome) -> str:
    """How exactly a test fails may vary from one execution to the next."""
    return "fails" if outcome.is_failure else outcome.value


class Culprit(StrEnum):
    """Whose doing it is that a test failed in a confirmation."""

    BASE = "base"
    PATCH = "patch"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trial:
    """A regression test that failed in a confirmation, and how it behaved when run again.

    It failed in `failures` of `confirmations` complete executions of the patched program. Run
    again, it failed `patched_failures` of `patched_runs` times with the patch, and
    `base_failures` of `base_runs` times without.
    """

    test: TestId
    failures: int
    confirmations: int
    patched_runs: int = 0
    patched_failures: int = 0
    base_runs: int = 0
    base_failures: int = 0

    @property
    def culprit(self) -> Culprit:
        """The base, if it fails there but once; else the patch, if it fails reliably or again."""
        if self.base_failures:
            return Culprit.BASE
        if self.patched_failures or self.failures == self.confirmations:
            return Culprit.PATCH
        return Culprit.UNKNOWN

    def __str__(self) -> str:
        return (
            f"{self.test} failed {self.failures} of {self.confirmations} times, then"
            f" {self.patched_failures} of {self.patched_runs} times with the patch and"
            f" {self.base_failures} of {self.base_runs} times without it"
        )


def ask_alone(trials: Sequence[Trial], execute: Execute) -> list[Trial]:
    """Run the tests by themselves, base and patch in turn, until the base is found flaky."""
    asked = list(trials)
    for _ in range(RERUNS):
        tests = [trial.test for trial in asked if not trial.base_failures]
        if not tests:
            break
        asked = _count_base(asked, tests, execute(True, tests))
        asked = _count_patched(asked, tests, execute(False, tests))
    return asked


def ask_in_company(trials: Sequence[Trial], execute: Execute) -> list[Trial]:
    """Run the base's whole suite for tests that never failed again when they were alone.

    They may depend on the tests around them and on their order.
    """
    asked = list(trials)
    for _ in range(COMPLETE_RERUNS):
        tests = [t.test for t in asked if not t.base_failures and not t.patched_failures]
        if not tests:
            break
        asked = _count_base(asked, tests, execute(True, None))
    return asked


def _count_base(
    trials: Sequence[Trial], tests: Sequence[TestId], execution: Execution
) -> list[Trial]:
    """A test that was not reported has said nothing: that never speaks for the patch."""
    outcomes = execution.outcomes()
    return [
        replace(
            trial,
            base_runs=trial.base_runs + 1,
            base_failures=trial.base_failures + (outcomes[trial.test] is not TestOutcome.PASSED),
        )
        if trial.test in tests and trial.test in outcomes
        else trial
        for trial in trials
    ]


def _count_patched(
    trials: Sequence[Trial], tests: Sequence[TestId], execution: Execution
) -> list[Trial]:
    """A test that was not reported has failed."""
    outcomes = execution.outcomes()
    return [
        replace(
            trial,
            patched_runs=trial.patched_runs + 1,
            patched_failures=trial.patched_failures
            + (outcomes.get(trial.test) is not TestOutcome.PASSED),
        )
        if trial.test in tests
        else trial
        for trial in trials
    ]


def confirmed(
    reports: Sequence[ValidationReport],
    executions: Sequence[Execution],
    trials: Sequence[Trial] = (),
) -> ValidationReport:
    """The verdict of some confirmations, of which the reports judge the decisive ones.

    Plausible only when all of them are. A regression that nobody is to blame for makes the
    verdict INCONCLUSIVE. `trials` have become part of the reports already, as excused tests.
    """
    worst = next((report for report in reports if not report.is_plausible), reports[-1])
    worst = replace(
        worst,
        stage=Stage.CONFIRM,
        duration_s=sum(execution.duration_s for execution in executions),
        confirmations=len(executions),
        flaky=tuple(trial.test for trial in trials if trial.culprit is Culprit.BASE),
    )
    if worst.is_plausible:
        told = [str(trial) for trial in trials]
        return replace(worst, message="flaky, so left out: " + "; ".join(told)) if told else worst
    blamed = [trial for trial in trials if trial.culprit is Culprit.PATCH]
    unknown = [trial for trial in trials if trial.culprit is Culprit.UNKNOWN]
    if blamed or not unknown:
        return worst
    return replace(worst, verdict=Verdict.INCONCLUSIVE, message=str(unknown[0]))
