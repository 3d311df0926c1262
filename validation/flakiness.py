"""Tests that pass only now and then: found by repetition, told by counts."""

from __future__ import annotations

from collections.abc import Sequence

from apr.core.bug import TestId
from apr.core.report import Execution, TestOutcome


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
