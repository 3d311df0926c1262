"""The oracle: what the unpatched program's tests say, over repeated executions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from apr.core.bug import Bug, TestId
from apr.core.coverage import CoverageMatrix
from apr.core.errors import BadInputError, EnvironmentUnusableError, NotReproducedError
from apr.core.report import Baseline, Execution, TestOutcome, TestResult
from validation.runners.base import RunLimits, TestRunner
from validation.runners.session import OnResult
from validation.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The baseline, and the coverage of the execution that recorded it (None: not measurable)."""

    baseline: Baseline
    matrix: CoverageMatrix | None


def reproduce(
    bug: Bug,
    runner: TestRunner,
    workspace: Workspace,
    limits: RunLimits,
    *,
    repeats: int = 2,
    on_result: OnResult | None = None,
) -> Reproduction:
    """Run all tests `repeats` times (at least twice), the last time under coverage.

    The first execution leaves bytecode caches in the workspace, so that copies of it start
    faster; whatever else the tests leave there is removed, and remembered in the baseline.

    Raises:
        BadInputError: when there is no test, or a trigger test does not exist.
        NotReproducedError: when nothing fails.
        EnvironmentUnusableError: when the tests cannot run.
    """
    first, _ = runner.run(workspace.root, limits, write_bytecode=True, on_result=on_result)
    _require_tests(first)
    executions = [first]
    limits = _tighter(limits, first)
    matrix = None
    for number in range(2, max(2, repeats) + 1):
        execution, coverage = runner.run(workspace.root, limits, coverage=number == repeats)
        executions.append(execution)
        matrix = coverage or matrix
    writes = bool(workspace.dirt())
    if runner.can_select:
        workspace.clean()
    return Reproduction(make_baseline(bug, executions, writes), matrix)


def _tighter(limits: RunLimits, first: Execution) -> RunLimits:
    """Once some tests have hung, do not wait so long for them again."""
    if not any(result.outcome is TestOutcome.TIMEOUT for result in first.results):
        return limits
    others = (r.duration_s for r in first.results if r.outcome is not TestOutcome.TIMEOUT)
    needed = max(2.0, 10 * max(others, default=0.0))
    return replace(limits, test_s=min(limits.test_s, needed))


def _require_tests(execution: Execution) -> None:
    if execution.results:
        return
    if execution.timed_out:
        raise EnvironmentUnusableError(
            "the tests hang while they are being loaded: no test had started in time"
        )
    tail = execution.output.strip().splitlines()[-3:]
    detail = f" ({' / '.join(line.strip() for line in tail)})" if tail else ""
    raise BadInputError(f"no tests were found{detail}")


def make_baseline(bug: Bug, executions: Sequence[Execution], writes: bool) -> Baseline:
    """Sort the tests by how they behaved in every execution.

    Raises:
        BadInputError: when a trigger test of the bug is not among them or passes.
        NotReproducedError: when nothing fails reliably.
    """
    first = executions[0]
    outcomes = {
        result.test: [execution.outcomes().get(result.test) for execution in executions]
        for result in first.results
    }
    flaky = tuple(test for test, seen in outcomes.items() if _is_flaky(seen))
    _require_working_environment(first.results)
    stable = [result for result in first.results if result.test not in flaky]
    failing = [result for result in stable if result.outcome.is_failure]
    triggers, others = _split_triggers(bug, failing, outcomes)
    if not triggers:
        raise NotReproducedError(_nothing_fails(len(first.results), flaky))
    return Baseline(
        failing=tuple(triggers),
        passing=_with_outcome(stable, TestOutcome.PASSED),
        flaky=flaky,
        skipped=_with_outcome(stable, TestOutcome.SKIPPED, TestOutcome.XFAILED),
        durations_s={result.test: result.duration_s for result in first.results},
        duration_s=first.duration_s,
        repeats=len(executions),
        other_failing=tuple(result.test for result in others),
        hung=tuple(r.test for r in first.results if r.outcome is TestOutcome.TIMEOUT),
        writes_workspace=writes,
    )


def _require_working_environment(results: Sequence[TestResult]) -> None:
    """When every test fails to be imported, no patch search can tell anything."""
    failing = [result for result in results if result.outcome.is_failure]
    if len(failing) < len(results):
        return
    message = failing[0].message
    for text in (result.message for result in failing):
        if "SyntaxError" in text or "IndentationError" in text:
            raise BadInputError(f"the subject does not parse: {_last_line(text)}")
        if "ModuleNotFoundError" not in text:
            return
    raise EnvironmentUnusableError(f"every test fails to import: {_last_line(message)}")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("E").strip() if lines else "no message"


def _is_flaky(seen: Sequence[TestOutcome | None]) -> bool:
    """Sometimes a pass, sometimes not; how exactly it fails may vary."""
    kinds = {None if o is None else "fail" if o.is_failure else o.value for o in seen}
    return len(kinds) > 1


def _split_triggers(
    bug: Bug, failing: list[TestResult], outcomes: dict[TestId, list[TestOutcome | None]]
) -> tuple[list[TestResult], list[TestResult]]:
    if not bug.trigger_tests:
        return failing, []
    by_id = {result.test: result for result in failing}
    for test in bug.trigger_tests:
        if test not in outcomes:
            raise BadInputError(f"there is no test {test!r}; the names must be the runner's own")
        if test not in by_id:
            raise NotReproducedError(f"the test {test!r} does not fail reliably")
    wanted = frozenset(bug.trigger_tests)
    return (
        [result for result in failing if result.test in wanted],
        [result for result in failing if result.test not in wanted],
    )


def _nothing_fails(total: int, flaky: tuple[TestId, ...]) -> str:
    if flaky:
        return f"no test fails reliably: {len(flaky)} of {total} tests are flaky ({flaky[0]}…)"
    return f"nothing to repair: none of the {total} tests fails"


def _with_outcome(results: Sequence[TestResult], *wanted: TestOutcome) -> tuple[TestId, ...]:
    return tuple(result.test for result in results if result.outcome in wanted)
