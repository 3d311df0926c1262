"""Staged validation of patches on parallel workers, each with a workspace and warm processes."""

from __future__ import annotations

import queue
import shutil
import tempfile
import warnings
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from apr.core.bug import TestId
from apr.core.coverage import CoverageMatrix
from apr.core.errors import PatchDoesNotApplyError, SandboxDiedError
from apr.core.patch import Patch
from apr.core.report import (
    Baseline,
    Execution,
    Stage,
    TestOutcome,
    ValidationReport,
    Verdict,
)
from validation.judge import regression_report, trigger_report
from validation.runners.base import RunLimits, TestRunner, TestSession
from validation.workspace import SourceTree, Workspace

T = TypeVar("T")
_SessionKey = tuple[str, tuple[str, ...]]  # stage, patched files
MAX_SESSIONS = 6  # warm processes per worker; each holds an interpreter and the test framework


@dataclass(frozen=True, slots=True)
class ValidationSettings:
    """How candidates are judged.

    `floor_s` and `factor`: a test may use `floor_s` plus `factor` times what it took in the
    baseline, in seconds of CPU time. `thorough_s`: the quickest tests of a stage, as many as
    together took so long in the baseline, run even after a failure, for finer rewards.
    """

    jobs: int = 1
    floor_s: float = 0.25
    factor: float = 4.0
    thorough_s: float = 0.3
    limits: RunLimits = field(default_factory=RunLimits)


class StagedValidator:
    """A `PatchValidator`: applies, compiles, trigger tests, affected tests, all the others.

    `pristine` is an unpatched copy of the subject and is only read. Every worker has a copy of
    its own and, per stage, a warm test process that forks a child for each candidate. What a
    patch does can end its child or even the warm process, never the validation of the next one.
    """

    def __init__(
        self,
        runner: TestRunner,
        pristine: Path,
        baseline: Baseline,
        matrix: CoverageMatrix | None,
        settings: ValidationSettings,
        *,
        can_protect: bool,
    ) -> None:
        self._runner = runner
        self._pristine = pristine
        self._plan = _Plan(baseline, matrix, settings, runner.can_select)
        self._settings = settings
        # Where the sandbox cannot keep the workspace read-only, it is inspected after each patch.
        self._writable = baseline.writes_workspace or not can_protect or not runner.can_select
        self._stack = ExitStack()
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> StagedValidator:
        try:
            for _ in range(self._settings.jobs):
                self._free.put(self._stack.enter_context(self._make_worker()))
        except BaseException:
            self._stack.close()
            raise
        self._pool = ThreadPoolExecutor(self._settings.jobs, "validation")
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        # Ending the sandboxes first wakes the threads that wait for them.
        self._stack.close()
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    @contextmanager
    def _make_worker(self) -> Iterator[_Worker]:
        with self._private_workspace() as workspace:
            worker = _Worker(self._runner, workspace, self._plan, self._writable)
            try:
                yield worker
            finally:
                worker.close()

    @contextmanager
    def _private_workspace(self) -> Iterator[Workspace]:
        folder = Path(tempfile.mkdtemp(prefix="apr-workspace-"))
        try:
            root = folder / self._pristine.name
            shutil.copytree(self._pristine, root, symlinks=True)
            yield Workspace(root, self._pristine)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def validate(self, patches: Sequence[Patch]) -> list[ValidationReport]:
        """See `PatchValidator.validate`; the patches are spread over the workers."""
        if self._pool is None:
            raise RuntimeError("the validator must be entered before use")
        futures = [self._pool.submit(self._validate_one, patch) for patch in patches]
        reports = _results(futures)
        self._plan.learn(reports)
        return reports

    def _validate_one(self, patch: Patch) -> ValidationReport:
        worker = self._free.get()
        try:
            return worker.judge(patch)
        finally:
            self._free.put(worker)

    def confirm(self, patch: Patch) -> ValidationReport:
        """See `PatchValidator.confirm`: a new workspace, a new process, all tests at once."""
        with self._private_workspace() as workspace, workspace.patched(patch):
            tests = [*self._plan.baseline.trigger_tests, *self._plan.baseline.passing]
            execution, _ = self._runner.run(workspace.root, self._settings.limits, tests=tests)
        report = self._plan.judge_complete(execution)
        return replace(report, stage=Stage.CONFIRM)


def _results(futures: Sequence[Future[T]]) -> list[T]:
    try:
        return [future.result() for future in futures]
    except BaseException:
        for future in futures:
            future.cancel()
        raise


class _Plan:
    """Which tests run in which stage, and how long each may take."""

    def __init__(
        self,
        baseline: Baseline,
        matrix: CoverageMatrix | None,
        settings: ValidationSettings,
        can_select: bool,
    ) -> None:
        self.baseline = baseline
        self.can_select = can_select
        self._settings = settings
        self._tests_by_line = _index_coverage(matrix)
        self._kills: Counter[TestId] = Counter()
        self._hung = frozenset(
            result.test for result in baseline.failing if result.outcome is TestOutcome.TIMEOUT
        )

    def trigger_order(self) -> tuple[TestId, ...]:
        """The tests that found most candidates out come first, then the quickest."""
        return tuple(
            sorted(
                self.baseline.trigger_tests,
                key=lambda test: (test in self._hung, -self._kills[test], self._expected_s([test])),
            )
        )

    def learn(self, reports: Iterable[ValidationReport]) -> None:
        """Remember which test ended the validation of each patch.

        Called between batches, so that the order does not depend on which worker was faster.
        """
        for report in reports:
            if report.stage is Stage.TRIGGER and report.results:
                self._kills[report.results[-1].test] += 1

    def regression_stages(self, patch: Patch) -> list[tuple[Stage, tuple[TestId, ...]]]:
        """Regression tests that meet the patched lines, then all the others; never empty."""
        affected = self._affected(patch)
        ordered = sorted(self.baseline.passing, key=lambda test: self._expected_s([test]))
        first = tuple(test for test in ordered if test in affected)
        rest = tuple(test for test in ordered if test not in affected)
        if self._expected_s(ordered) < self._settings.thorough_s:
            first, rest = (), (*first, *rest)
        stages = ((Stage.AFFECTED, first), (Stage.FULL, rest))
        return [(stage, tests) for stage, tests in stages if tests]

    def _affected(self, patch: Patch) -> frozenset[TestId]:
        found: set[TestId] = set()
        for hunk in patch.hunks:
            by_line = self._tests_by_line.get(hunk.path, {})
            for line in range(hunk.first - 1, hunk.first + len(hunk.old) + 1):
                found.update(by_line.get(line, ()))
        return frozenset(found)

    def limits_s(self, tests: Sequence[TestId]) -> list[float]:
        """CPU seconds that each of these tests may take."""
        settings = self._settings
        if not self.can_select:
            return [settings.floor_s + settings.factor * self.baseline.duration_s]
        return [settings.floor_s + settings.factor * self._expected_s([test]) for test in tests]

    def thorough(self, tests: Sequence[TestId]) -> int:
        """How many of the tests, which come quickest first, run even after a failure."""
        total = 0.0
        for count, test in enumerate(tests):
            total += self._expected_s([test])
            if total > self._settings.thorough_s:
                return count
        return len(tests)

    def _expected_s(self, tests: Sequence[TestId]) -> float:
        """What the tests took; those that hung in the baseline tell nothing about a fix."""
        durations = self.baseline.durations_s
        return sum(durations.get(test, 0.0) for test in tests if test not in self._hung)

    def judge_complete(self, execution: Execution) -> ValidationReport:
        """Judge one execution of all tests."""
        triggers, passing = self.baseline.trigger_tests, self.baseline.passing
        report = trigger_report(self.baseline, _only(execution, triggers))
        if not report.is_plausible or not passing:
            return report
        return regression_report(report, Stage.FULL, passing, _only(execution, passing))


def _only(execution: Execution, tests: Sequence[TestId]) -> Execution:
    """The part of an execution that concerns `tests`, with the exit status that fits it."""
    wanted = frozenset(tests)
    results = tuple(result for result in execution.results if result.test in wanted)
    status = execution.exit_status
    others_fail = any(
        result.outcome.is_failure for result in execution.results if result.test not in wanted
    )
    if others_fail and status not in (0, None):
        status = 1 if any(result.outcome.is_failure for result in results) else 0
    return replace(execution, results=results, exit_status=status)


def _index_coverage(
    matrix: CoverageMatrix | None,
) -> Mapping[str, Mapping[int, frozenset[TestId]]]:
    if matrix is None:
        return {}
    return {
        path: {
            line: frozenset(matrix.results[index].test for index in tests)
            for line, tests in lines.items()
        }
        for path, lines in matrix.lines.items()
    }


class _Worker:
    """One workspace with its warm sessions; used by one thread at a time."""

    def __init__(
        self,
        runner: TestRunner,
        workspace: Workspace,
        plan: _Plan,
        writable: bool,
    ) -> None:
        self._runner = runner
        self._workspace = workspace
        self._plan = plan
        self._writable = writable
        self._sessions: OrderedDict[_SessionKey, tuple[TestSession, ExitStack]] = OrderedDict()

    def judge(self, patch: Patch) -> ValidationReport:
        """Take one patch through the stages, as far as it gets."""
        try:
            problem = compile_problem(patch, self._workspace.pristine)
            if problem:
                return ValidationReport(Verdict.DOES_NOT_BUILD, Stage.COMPILE, message=problem)
            with self._workspace.patched(patch):
                report = self._run_stages(patch)
        except PatchDoesNotApplyError as error:
            return ValidationReport(Verdict.DOES_NOT_APPLY, Stage.APPLY, message=str(error))
        finally:
            if self._writable:
                self._workspace.clean()
        return report

    def _run_stages(self, patch: Patch) -> ValidationReport:
        baseline = self._plan.baseline
        if not self._plan.can_select:
            tests = (*baseline.trigger_tests, *baseline.passing)
            return self._plan.judge_complete(self._execute(("all", ()), tests, tests))
        triggers = self._plan.trigger_order()
        execution = self._execute(("trigger", patch.paths), triggers, triggers)
        report = trigger_report(baseline, execution)
        for stage, tests in self._plan.regression_stages(patch):
            if not report.is_plausible:
                break
            execution = self._execute(("regression", patch.paths), baseline.passing, tests)
            report = regression_report(report, stage, tests, execution)
        return report

    def _execute(
        self, key: _SessionKey, collected: Sequence[TestId], tests: Sequence[TestId]
    ) -> Execution:
        """Run `tests` in the warm session; a patch that destroys it is tried once more alone."""
        limits_s, thorough = self._plan.limits_s(tests), self._plan.thorough(tests)
        died = ""
        for _ in range(2):
            session = self._session(key, collected)
            try:
                return session.execute(tests, limits_s, thorough)
            except SandboxDiedError as error:
                died = str(error)
                self._close_session(key)
        message = f"the patch ended its test server: {died}"
        return Execution((), None, completed=False, duration_s=0.0, output=message)

    def _session(self, key: _SessionKey, tests: Sequence[TestId]) -> TestSession:
        """The warm session whose fork point is the import of the first patched file."""
        if key not in self._sessions:
            if len(self._sessions) >= MAX_SESSIONS:
                self._close_session(next(iter(self._sessions)))
            stack = ExitStack()
            session = stack.enter_context(
                self._runner.open(
                    self._workspace.root, watched=key[1], tests=tests, writable=self._writable
                )
            )
            self._sessions[key] = (session, stack)
        self._sessions.move_to_end(key)
        return self._sessions[key][0]

    def _close_session(self, key: _SessionKey) -> None:
        _, stack = self._sessions.pop(key)
        stack.close()

    def close(self) -> None:
        """End the warm processes."""
        for key in list(self._sessions):
            self._close_session(key)


def compile_problem(patch: Patch, pristine: Path) -> str:
    """Why a patched Python file does not compile; empty when all do, or for other languages."""
    changed = patch.apply(SourceTree(pristine))
    for path, text in changed.items():
        if not path.endswith(".py"):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compile(text.encode("utf-8", "surrogateescape"), path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            return f"{type(error).__name__}: {error}"
    return ""
