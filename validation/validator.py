"""Staged validation of patches on parallel workers, each with a workspace and warm processes."""

from __future__ import annotations

import queue
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
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
from validation.judge import regression_report, tally, trigger_report
from validation.plan import Plan, ValidationSettings
from validation.runners.base import TestRunner, TestSession
from validation.workspace import Workspace, copy_workspace

T = TypeVar("T")
_SessionKey = tuple[str, tuple[str, ...]]  # stage, patched files
MAX_SESSIONS = 6  # warm processes per worker; each holds an interpreter and the test framework


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
        likely: tuple[str, ...] = (),
    ) -> None:
        """`likely` names the files that patches will touch, to start the right processes first."""
        self._runner = runner
        self._pristine = pristine
        self._plan = Plan(baseline, matrix, settings, runner.can_select)
        self._settings = settings
        self._likely = likely
        # Where the sandbox cannot keep the workspace read-only, it is inspected after each patch.
        self._writable = baseline.writes_workspace or not can_protect or not runner.can_select
        self._stack = ExitStack()
        self._workers: list[_Worker] = []
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> StagedValidator:
        try:
            for _ in range(self._settings.jobs):
                workspace = self._stack.enter_context(self._private_workspace())
                worker = _Worker(self._runner, workspace, self._plan, self._writable)
                self._workers.append(worker)
                self._free.put(worker)
            self._pool = ThreadPoolExecutor(self._settings.jobs, "validation")
            if self._plan.can_select:
                self._plan.is_staged = self._can_stage()
        except BaseException:
            self._close()
            raise
        return self

    def _can_stage(self) -> bool:
        """Whether stages reproduce the baseline, if need be with a workspace open to the tests.

        Tests may write and remove files so that the baseline shows no trace of them.
        """
        first = self._workers[0]
        if first.stages_agree_with_baseline(self._likely):
            return True
        if self._writable:
            return False
        for worker in self._workers:
            worker.open_workspace()
        return first.stages_agree_with_baseline(self._likely)

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        """End all processes, then the threads that waited for them, then remove the copies."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.close()
        if self._pool is not None:
            self._pool.shutdown(wait=True)
        for worker in self._workers:
            worker.close()  # what a thread had been starting meanwhile
        self._stack.close()

    @contextmanager
    def _private_workspace(self) -> Iterator[Workspace]:
        folder = Path(tempfile.mkdtemp(prefix="apr-workspace-"))
        try:
            root = folder / self._pristine.name
            copy_workspace(self._pristine, root)
            yield Workspace(root, self._pristine)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def validate(self, patches: Sequence[Patch]) -> list[ValidationReport]:
        """See `PatchValidator.validate`; the patches are spread over the workers."""
        if self._pool is None:
            raise RuntimeError("the validator must be entered before use")
        futures = [self._pool.submit(self._validate_one, patch) for patch in patches]
        return _results(futures)

    def learn(self, reports: Sequence[ValidationReport]) -> None:
        """See `PatchValidator.learn`: the tests that find most patches out come first."""
        self._plan.learn(reports)

    def _validate_one(self, patch: Patch) -> ValidationReport:
        worker = self._free.get()
        try:
            return worker.judge(patch)
        finally:
            self._free.put(worker)

    def confirm(self, patch: Patch) -> ValidationReport:
        """See `PatchValidator.confirm`: a new workspace, a new process, all tests at once."""
        with self._private_workspace() as workspace, workspace.patched(patch):
            execution, _ = self._runner.run(workspace.root, self._settings.limits)
        report = self._plan.judge_complete(execution)
        return replace(report, stage=Stage.CONFIRM)


def _results(futures: Sequence[Future[T]]) -> list[T]:
    try:
        return [future.result() for future in futures]
    except BaseException:
        for future in futures:
            future.cancel()
        raise


class _Worker:
    """One workspace with its warm sessions; used by one thread at a time."""

    def __init__(
        self,
        runner: TestRunner,
        workspace: Workspace,
        plan: Plan,
        writable: bool,
    ) -> None:
        self._runner = runner
        self._workspace = workspace
        self._plan = plan
        self._writable = writable
        self._sessions: OrderedDict[_SessionKey, tuple[TestSession, ExitStack]] = OrderedDict()
        self._is_closed = False

    def judge(self, patch: Patch) -> ValidationReport:
        """Take one patch through the stages, as far as it gets."""
        try:
            with self._workspace.patched(patch):
                report = self._run_stages(patch)
        except PatchDoesNotApplyError as error:
            return ValidationReport(Verdict.DOES_NOT_APPLY, Stage.APPLY, message=str(error))
        finally:
            if self._writable:
                self._workspace.clean()
        return report

    def _run_stages(self, patch: Patch) -> ValidationReport:
        plan = self._plan
        if not plan.is_staged:
            return plan.judge_complete(self._execute("all", patch.paths, plan.everything))
        execution = self._execute("trigger", patch.paths, plan.trigger_order())
        report = trigger_report(plan.baseline, execution)
        for stage, tests in plan.regression_stages(patch):
            if not report.is_plausible:
                break
            execution = self._execute("regression", patch.paths, tests)
            report = regression_report(report, stage, tests, execution)
        return report

    def stages_agree_with_baseline(self, watched: tuple[str, ...]) -> bool:
        """Whether the unpatched program behaves in stages as it does in one go.

        It does not where tests depend on each other's traces and so on their order.
        """
        plan = self._plan
        order = plan.trigger_order()
        triggers = tally(order, self._execute("trigger", watched, order, len(order)))
        before = {result.test: result for result in plan.baseline.failing}
        fail_alike = all(
            result.outcome is before[result.test].outcome
            and (
                result.outcome is TestOutcome.TIMEOUT
                or result.progress == before[result.test].progress
            )
            for result in triggers.failed
        )
        if triggers.passed or not fail_alike:
            return False
        return all(
            tally(tests, self._execute("regression", watched, tests)).all_passed
            for _, tests in plan.regression_stages(Patch())
        )

    def _execute(
        self,
        name: str,
        watched: tuple[str, ...],
        tests: Sequence[TestId],
        thorough: int | None = None,
    ) -> Execution:
        """Run `tests` in the warm session; a patch that destroys it is tried once more alone."""
        key = (name, watched)
        limits_s = self._plan.limits_s(tests)
        thorough = self._plan.thorough(tests) if thorough is None else thorough
        died = ""
        for _ in range(2):
            session = self._session(key)
            try:
                return session.execute(tests, limits_s, thorough, self._plan.loading_s)
            except SandboxDiedError as error:
                died = str(error)
                if self._is_closed:
                    raise
                self._close_session(key)
        message = f"the patch ended its test server: {died}"
        return Execution((), None, completed=False, duration_s=0.0, output=message)

    def _session(self, key: _SessionKey) -> TestSession:
        """The warm session whose fork point is the import of the first patched file."""
        if self._is_closed:
            raise SandboxDiedError("the validator was closed")
        if key not in self._sessions:
            if len(self._sessions) >= MAX_SESSIONS:
                self._close_session(next(iter(self._sessions)))
            stack = ExitStack()
            session = stack.enter_context(
                self._runner.open(
                    self._workspace.root,
                    watched=key[1],
                    tests=self._plan.collected(key[0]),
                    writable=self._writable,
                )
            )
            self._sessions[key] = (session, stack)
        self._sessions.move_to_end(key)
        return self._sessions[key][0]

    def _close_session(self, key: _SessionKey) -> None:
        known = self._sessions.pop(key, None)
        if known is not None:
            known[1].close()

    def open_workspace(self) -> None:
        """Let the tests write into the workspace, which is then inspected after each patch."""
        self._writable = True
        for key in list(self._sessions):
            self._close_session(key)

    def close(self) -> None:
        """End the warm processes, and start no more."""
        self._is_closed = True
        for key in list(self._sessions):
            self._close_session(key)
