"""The oracle: what the unpatched program's tests say, over repeated executions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from apr.core.bug import Bug, RunnerKind, TestId
from apr.core.coverage import CoverageMatrix
from apr.core.errors import BadInputError, EnvironmentUnusableError, NotReproducedError
from apr.core.report import Baseline, Execution, TestOutcome, TestResult
from validation.flakiness import count_passes, flaky_tests
from validation.runners.base import RunLimits, TestRunner
from validation.runners.session import OnResult
from validation.workspace import Workspace

EXTRA_REPEATS = 3
CANNOT_START = {126: "cannot be executed", 127: "was not found"}
DOES_NOT_PARSE = ("SyntaxError", "IndentationError", "TabError")


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
    must_fail: bool = True,
    on_result: OnResult | None = None,
) -> Reproduction:
    """Run all tests `repeats` times (at least twice), the last time under coverage.

    Unless a test `must_fail`, a bug that names no trigger test has none: whatever fails does so
    for other reasons.

    When these executions disagree on a test, `EXTRA_REPEATS` more tell how often it passes.
    The first execution leaves bytecode caches in the workspace, so that copies of it start
    faster; whatever else the tests write stays in their sandbox, and is remembered.

    Raises:
        BadInputError: when there is no test, the test command cannot be started, or a trigger
            test does not exist.
        NotReproducedError: when nothing fails.
        EnvironmentUnusableError: when the tests cannot run, or not to their end.
    """
    first, _ = runner.run(workspace.root, limits, write_bytecode=True, on_result=on_result)
    _require_command(bug, first)
    _require_tests(first)
    _require_complete(bug, first, limits)
    executions = [first]
    later = _tighter(limits, first)
    matrix = None
    for number in range(2, max(2, repeats) + 1):
        execution, coverage = runner.run(workspace.root, later, coverage=number >= repeats)
        executions.append(execution)
        matrix = coverage or matrix
    if flaky_tests(executions):
        executions += [runner.run(workspace.root, later)[0] for _ in range(EXTRA_REPEATS)]
    for execution in executions[1:]:
        _require_complete(bug, execution, limits)
    writes = any(execution.wrote for execution in executions)
    baseline = make_baseline(bug, executions, writes, must_fail=must_fail)
    return Reproduction(baseline, matrix)


def _tighter(limits: RunLimits, first: Execution) -> RunLimits:
    """Once some tests have hung, do not wait so long for them again."""
    if not any(result.outcome is TestOutcome.TIMEOUT for result in first.results):
        return limits
    others = (r.duration_s for r in first.results if r.outcome is not TestOutcome.TIMEOUT)
    needed = min(limits.test_s, max(2.0, 10 * max(others, default=0.0)))
    return replace(limits, test_s=needed, floor_s=needed)


def _require_command(bug: Bug, execution: Execution) -> None:
    """A shell says by its status that it could not start the command; no test has spoken then."""
    command = bug.test_command
    if command.kind is not RunnerKind.COMMAND or len(execution.results) > 1:
        return
    why = CANNOT_START.get(execution.exit_status or 0)
    if why is not None:
        raise BadInputError(f"the test command {command.argv[0]!r} {why} in the sandbox")


def _require_complete(bug: Bug, execution: Execution, limits: RunLimits) -> None:
    """An oracle with holes would take a regression for something it never saw."""
    total = len(execution.results) + execution.left_over
    missing = f"{execution.left_over} of {total} tests were not run"
    if execution.duration_s >= limits.total_s and _is_cut_off(bug, execution):
        raise EnvironmentUnusableError(
            f"{missing}: the suite takes longer than {limits.total_s:g} s"
        )
    if execution.left_over:
        raise EnvironmentUnusableError(
            f"{missing}: the suite ended early (does its configuration stop at the first failure?)"
        )


def _is_cut_off(bug: Bug, execution: Execution) -> bool:
    """The time for all ran out; in the last test, that says nothing about this test."""
    in_last_test = execution.timed_out and bug.test_command.kind is not RunnerKind.COMMAND
    return in_last_test or execution.left_over > 0


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


def make_baseline(
    bug: Bug, executions: Sequence[Execution], writes: bool, *, must_fail: bool = True
) -> Baseline:
    """Sort the tests by how they behaved in every execution; for `must_fail` see `reproduce`.

    Raises:
        BadInputError: when a trigger test of the bug is not among them or passes.
        NotReproducedError: when nothing fails reliably, although a test must fail.
    """
    first = executions[0]
    flaky = flaky_tests(executions)
    passes = count_passes(executions)
    _require_working_environment(first.results)
    unsteady = frozenset(flaky)
    stable = [result for result in first.results if result.test not in unsteady]
    failing = [result for result in stable if result.outcome.is_failure]
    if must_fail or bug.trigger_tests:
        triggers, others = _split_triggers(bug, failing, passes, len(executions))
    else:
        triggers, others = [], failing
    if must_fail and not triggers:
        raise NotReproducedError(_nothing_fails(flaky, passes, len(executions)))
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
        passes=passes,
    )


def _require_working_environment(results: Sequence[TestResult]) -> None:
    """When every test fails to be imported, no patch search can tell anything."""
    errors = [_last_line(result.message) for result in results if result.outcome.is_failure]
    if not errors or len(errors) < len(results):
        return
    if all(_is_module(result.test) for result in results):
        unparsable = next((error for error in errors if error.startswith(DOES_NOT_PARSE)), None)
        if unparsable is not None:
            raise BadInputError(f"the subject does not parse: {unparsable}")
    if all(error.startswith("ModuleNotFoundError") for error in errors):
        raise EnvironmentUnusableError(f"every test fails to import: {errors[0]}")


def _is_module(test: TestId) -> bool:
    """Whether pytest or unittest speak of a test module that could not be imported."""
    return test.startswith("unittest.loader._FailedTest.") or test.endswith(".py")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("E ").strip() if lines else "no message"


def _split_triggers(
    bug: Bug, failing: list[TestResult], passes: Mapping[TestId, int], repeats: int
) -> tuple[list[TestResult], list[TestResult]]:
    if not bug.trigger_tests:
        return failing, []
    by_id = {result.test: result for result in failing}
    for test in bug.trigger_tests:
        if test not in passes:
            raise BadInputError(f"there is no test {test!r}; the names must be the runner's own")
        if test not in by_id:
            raise NotReproducedError(
                f"the test {test!r} does not fail reliably:"
                f" it passed {passes[test]} of {repeats} times"
            )
    wanted = frozenset(bug.trigger_tests)
    return (
        [result for result in failing if result.test in wanted],
        [result for result in failing if result.test not in wanted],
    )


def _nothing_fails(flaky: tuple[TestId, ...], passes: Mapping[TestId, int], repeats: int) -> str:
    if not flaky:
        return f"nothing to repair: none of the {len(passes)} tests fails"
    shown = f"{flaky[0]} passed {passes[flaky[0]]} of {repeats} times"
    return f"no test fails reliably: {len(flaky)} of {len(passes)} tests are flaky ({shown})"


def _with_outcome(results: Sequence[TestResult], *wanted: TestOutcome) -> tuple[TestId, ...]:
    return tuple(result.test for result in results if result.outcome in wanted)
