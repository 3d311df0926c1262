"""Staged validation of patches on parallel workers, each with a workspace and warm processes."""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from signal import SIGKILL
from threading import Event
from typing import Protocol, TypeVar

from apr.core.bug import TestId
from apr.core.coverage import CoverageMatrix
from apr.core.errors import EnvironmentUnusableError, PatchDoesNotApplyError, SandboxDiedError
from apr.core.oracle import Staging
from apr.core.patch import Patch
from apr.core.report import (
    Baseline,
    Execution,
    Stage,
    TestOutcome,
    ValidationReport,
    Verdict,
)
from validation.flakiness import Culprit, Trial, ask_alone, ask_in_company, confirmed
from validation.judge import regression_report, tally, trigger_report, untriggered_report
from validation.plan import Plan, ValidationSettings
from validation.runners.base import Guard, TestRunner, TestSession
from validation.runners.session import SilentServerError
from validation.schedule import Schedule
from validation.temporary import temporary_folder
from validation.workspace import Workspace, copy_workspace

_SessionKey = tuple[str, tuple[str, ...]]  # stage, patched files
T = TypeVar("T")
MAX_SESSIONS = 6  # warm processes per worker; each holds an interpreter and the test framework
MAX_ATTEMPTS = 3  # of tests that were cut off: someone else may have done that, even twice
MAX_SILENCES = 2
KILLED = 128 + SIGKILL
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)  # two minutes in all


class Gate(Protocol):
    """Refuses patches by what they would change, before anything of them runs."""

    def check(self, patch: Patch) -> object | None:
        """Why the patch is refused, as something `str` turns into a sentence; None: it is not."""
        ...


class GatedValidator(Protocol):
    """A `PatchValidator` whose gate and judgement can be asked one by one."""

    @property
    def plan(self) -> Plan: ...

    def validate(self, patches: Sequence[Patch]) -> list[ValidationReport]: ...

    def refuse(self, patch: Patch) -> ValidationReport | None: ...

    def judge(self, patches: Sequence[Patch]) -> list[ValidationReport]: ...

    def learn(self, reports: Sequence[ValidationReport]) -> None: ...

    def confirm(self, patch: Patch) -> ValidationReport: ...


class StagedValidator:
    """A `PatchValidator`: gate, apply, compile, trigger tests, affected tests, all the others.

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
        gate: Gate | None = None,
        staging: Staging | None = None,
    ) -> None:
        """`likely` names the files that patches will touch, to start the right processes first.

        `staging` is what an earlier validator of this subject has measured.
        """
        self._runner = runner
        self._pristine = pristine
        self._plan = Plan(baseline, matrix, settings, runner.can_select)
        self._settings = settings
        self._likely = likely
        self._gate = gate
        self._known_staging = staging
        # Where the sandbox cannot keep the workspace read-only, tests get a scratch copy of it.
        self._writable = baseline.writes_workspace or not can_protect or not runner.can_select
        self._stack = ExitStack()
        self._workers: list[_Worker] = []
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._pool: ThreadPoolExecutor | None = None
        self._pending: list[Future[None]] = []

    def __enter__(self) -> StagedValidator:
        try:
            for _ in range(self._settings.jobs):
                workspace = self._stack.enter_context(self._private_workspace())
                worker = _Worker(self._runner, workspace, self._plan, self._writable)
                self._workers.append(worker)
                self._free.put(worker)
            self._pool = ThreadPoolExecutor(self._settings.jobs, "validation")
            if self._plan.can_select:
                self._choose_staging()
        except BaseException:
            self._close()
            raise
        return self

    @property
    def staging(self) -> Staging:
        """How the tests are run, once the validator is entered."""
        return Staging(self._plan.is_staged, self._writable)

    @property
    def plan(self) -> Plan:
        """Which tests are run in which order, as of the last `learn`."""
        return self._plan

    def _choose_staging(self) -> None:
        """Stages must reproduce the baseline, if need be with a workspace open to the tests.

        Tests may write and remove files so that the baseline shows no trace of them.
        """
        if self._known_staging is not None:
            self._plan.is_staged = self._known_staging.is_staged
            if self._known_staging.writable:
                self._open_workspaces()
            return
        first = self._workers[0]
        if first.stages_agree_with_baseline(self._likely):
            return
        if not self._writable:
            self._open_workspaces()
            if first.stages_agree_with_baseline(self._likely):
                return
        self._plan.is_staged = False

    def _open_workspaces(self) -> None:
        if not self._writable:
            self._writable = True
            for worker in self._workers:
                worker.open_workspace()

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        """End all processes, then the threads that waited for them, then remove the copies.

        A process is killed while a thread may still be reading from it, but its pipes are closed
        only when no thread can.
        """
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            while True:
                for worker in self._workers:
                    worker.kill()
                # What was cancelled before a thread took it up is done, but `wait` is never told.
                unfinished = [future for future in self._pending if not future.done()]
                if not wait(unfinished, timeout=0.1).not_done:
                    break
            self._pool.shutdown(wait=True)
        for worker in self._workers:
            worker.close()
        self._stack.close()

    @contextmanager
    def _private_workspace(self) -> Iterator[Workspace]:
        with temporary_folder("workspace") as folder:
            root = folder / self._pristine.name
            copy_workspace(self._pristine, root)
            yield Workspace(root, self._pristine)

    def validate(self, patches: Sequence[Patch]) -> list[ValidationReport]:
        """See `PatchValidator.validate`; the patches are spread over the workers."""
        return fill([self.refuse(patch) for patch in patches], patches, self.judge)

    def judge(self, patches: Sequence[Patch]) -> list[ValidationReport]:
        """Validate patches that the gate has let through."""
        if self._pool is None:
            raise RuntimeError("the validator must be entered before use")
        reports: dict[int, ValidationReport] = {}
        schedule = Schedule(patches)

        def serve(worker: _Worker) -> None:
            while (index := schedule.take(worker.warm)) is not None:
                reports[index] = worker.judge(patches[index])

        self._run_on_workers(self._pool, serve, schedule, min(len(patches), len(self._workers)))
        return [reports[index] for index in range(len(patches))]

    def _run_on_workers(
        self,
        pool: ThreadPoolExecutor,
        serve: Callable[[_Worker], None],
        schedule: Schedule,
        count: int,
    ) -> None:
        """Let `count` workers serve the schedule; the first error ends it for all."""

        def borrow() -> None:
            worker = self._free.get()
            try:
                serve(worker)
            finally:
                self._free.put(worker)

        futures = [pool.submit(borrow) for _ in range(count)]
        self._pending = [future for future in self._pending if not future.done()] + futures
        try:
            for future in futures:
                future.result()
        except BaseException:
            schedule.clear()
            for future in futures:
                future.cancel()
            raise

    def refuse(self, patch: Patch) -> ValidationReport | None:
        """The report on a patch that the gate does not let through; None: it may be judged."""
        violation = None if self._gate is None else self._gate.check(patch)
        if violation is None:
            return None
        return ValidationReport(
            verdict=Verdict.TAMPERED,
            stage=Stage.APPLY,
            triggers_total=len(self._plan.baseline.failing),
            regressions_total=len(self._plan.baseline.passing),
            message=str(violation),
        )

    def learn(self, reports: Sequence[ValidationReport]) -> None:
        """See `PatchValidator.learn`: the tests that find most patches out come first."""
        self._plan.learn(reports)

    def confirm(self, patch: Patch) -> ValidationReport:
        """See `PatchValidator.confirm`: each time a new workspace, a new process, all tests.

        Every trigger test must pass each time. When regression tests fail, they are run again
        on the patched and on the base program until it is known whose fault that is; what cannot
        be known is INCONCLUSIVE.
        """
        refused = self.refuse(patch)
        if refused is not None:
            return refused
        executions: list[Execution] = []
        for number in range(self._settings.confirmations):
            guard = Guard(patch.paths, self._pristine, disguised=number % 2 == 1)
            try:
                executions.append(self._execute_alone(patch, guard=guard))
            except PatchDoesNotApplyError as error:
                return ValidationReport(Verdict.DOES_NOT_APPLY, Stage.APPLY, message=str(error))
            report = self._plan.judge_complete(executions[-1])
            if not (
                report.is_plausible or (report.verdict is Verdict.REGRESSES and report.results)
            ):
                return confirmed([report], executions)
        return self._settled(patch, executions)

    def _settled(self, patch: Patch, executions: Sequence[Execution]) -> ValidationReport:
        """The verdict of executions in which nothing but regression tests failed."""
        judge = self._plan.judge_complete
        reports = [judge(execution) for execution in executions]
        failures = Counter(result.test for report in reports for result in report.results)
        if not failures:
            return confirmed(reports, executions)

        def execute(on_base: bool, tests: Sequence[TestId] | None) -> Execution:
            return self._execute_alone(Patch() if on_base else patch, tests=tests)

        trials = [Trial(test, count, len(executions)) for test, count in failures.items()]
        trials = ask_in_company(ask_alone(trials, execute), execute)
        excused = frozenset(trial.test for trial in trials if trial.culprit is Culprit.BASE)
        return confirmed(
            [judge(execution, excused) for execution in executions], executions, trials
        )

    def _execute_alone(
        self, patch: Patch, *, tests: Sequence[TestId] | None = None, guard: Guard | None = None
    ) -> Execution:
        """Run tests, or all, in a new process on a new copy."""

        def run(patch: Patch) -> Execution:
            with self._private_workspace() as workspace, workspace.patched(patch):
                limits = self._settings.limits
                return self._runner.run(workspace.root, limits, tests=tests, guard=guard)[0]

        def attempt() -> Execution:
            """What comes out the same way several times is the patch's doing."""
            for _ in range(MAX_ATTEMPTS):
                try:
                    execution = run(patch)
                    if not self._is_doubtful(execution):
                        break
                except EnvironmentUnusableError as error:
                    if patch == Patch():
                        raise
                    run(Patch())  # not before the base can be run
                    execution = Execution((), None, False, duration_s=0.0, output=str(error))
            return execution

        return patiently(attempt, time.sleep)

    def _is_doubtful(self, execution: Execution) -> bool:
        """Whether something from outside, such as a busy or dying machine, may have spoilt it."""
        timed = {r.test for r in execution.results if r.outcome is TestOutcome.TIMEOUT}
        cut_off = not execution.completed and not execution.tampering
        return cut_off or was_killed(execution) or not timed <= frozenset(self._plan.baseline.hung)


def patiently(attempt: Callable[[], T], pause: Callable[[float], object]) -> T:
    """The result of an attempt, repeated after `PAUSES_S` while this machine cannot make it.

    Raises:
        EnvironmentUnusableError: the one of the last attempt.
    """
    for pause_s in PAUSES_S:
        try:
            return attempt()
        except EnvironmentUnusableError:
            pause(pause_s)
    return attempt()


def fill(
    known: Sequence[ValidationReport | None],
    patches: Sequence[Patch],
    judge: Callable[[Sequence[Patch]], Sequence[ValidationReport]],
) -> list[ValidationReport]:
    """The reports that are known, and those that `judge` makes of the other patches, in order."""
    unknown = [patch for patch, report in zip(patches, known, strict=True) if report is None]
    made = iter(judge(unknown) if unknown else ())
    return [next(made) if report is None else report for report in known]


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
        self._sessions: dict[_SessionKey, tuple[TestSession, ExitStack]] = {}
        self._is_spoilt = False
        self._closed = Event()

    @property
    def warm(self) -> set[tuple[str, ...]]:
        """For which patched files there is a process."""
        return {files for _, files in self._sessions}

    def judge(self, patch: Patch) -> ValidationReport:
        """Take one patch through the stages, as far as it gets.

        What this machine breaks meanwhile (a full disk, an engine that is started anew) is waited
        for, and then the patch is judged from the beginning.

        Raises:
            EnvironmentUnusableError: when it stays broken.
        """
        return patiently(lambda: self._judge_once(patch), self._closed.wait)

    def _judge_once(self, patch: Patch) -> ValidationReport:
        if self._closed.is_set():
            raise SandboxDiedError("the validator was closed")
        if self._is_spoilt:
            self._workspace.renew()
            self._is_spoilt = False
        try:
            with self._workspace.patched(patch):
                return self._run_stages(patch)
        except PatchDoesNotApplyError as error:
            return ValidationReport(Verdict.DOES_NOT_APPLY, Stage.APPLY, message=str(error))
        except EnvironmentUnusableError:
            self._is_spoilt = True
            self._close_sessions()
            raise

    def _run_stages(self, patch: Patch) -> ValidationReport:
        plan = self._plan
        if not plan.is_staged:
            return plan.judge_complete(self._execute("all", patch.paths, plan.everything))
        report = untriggered_report(plan.baseline)
        if plan.baseline.failing:
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
        return (not plan.baseline.failing or self._triggers_agree(watched)) and all(
            tally(tests, self._execute("regression", watched, tests)).all_passed
            for _, tests in plan.regression_stages(Patch())
        )

    def _triggers_agree(self, watched: tuple[str, ...]) -> bool:
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
        return fail_alike and not triggers.passed

    def _execute(
        self,
        name: str,
        watched: tuple[str, ...],
        tests: Sequence[TestId],
        thorough: int | None = None,
    ) -> Execution:
        """Run `tests` in the warm session, and again in a fresh one if they are cut off.

        A patch that ends its own process, or the server, does so every time.

        Raises:
            EnvironmentUnusableError: when the tests of the unpatched program are cut off too.
        """
        key = (name, watched) if self._runner.is_particular else ("all", ())
        thorough = self._plan.thorough(tests) if thorough is None else thorough
        died, silences = "", 0
        for attempt in range(MAX_ATTEMPTS):
            try:
                execution = self._ask(self._session(key), tests, thorough)
            except EnvironmentUnusableError as error:
                died = str(error)
                self._close_session(key)
                if self._closed.is_set():
                    raise
                is_silent = isinstance(error, SilentServerError)
                silences += is_silent
                if is_silent or attempt == MAX_ATTEMPTS - 2:
                    self._require_working(key, tests)
                if silences == MAX_SILENCES:
                    break  # each takes long
            else:
                if attempt == MAX_ATTEMPTS - 1 or not was_killed(execution):
                    return execution
                self._close_session(key)
        message = f"the patch ended its test server: {died}"
        return Execution((), None, completed=False, duration_s=0.0, output=message)

    def _ask(self, session: TestSession, tests: Sequence[TestId], thorough: int) -> Execution:
        return session.execute(tests, self._plan.limits_s(tests), thorough, self._plan.loading_s)

    def _require_working(self, key: _SessionKey, tests: Sequence[TestId]) -> None:
        """Raises EnvironmentUnusableError when the unpatched program cannot be tested either."""
        with self._open(self._workspace.pristine, key) as session:
            self._ask(session, tests[:1], 1)

    def _session(self, key: _SessionKey) -> TestSession:
        """The warm session whose fork point is the import of the first patched file."""
        if self._closed.is_set():
            raise SandboxDiedError("the validator was closed")
        if key not in self._sessions:
            if len(self._sessions) >= MAX_SESSIONS:
                self._close_session(next(iter(self._sessions)))
            stack = ExitStack()
            session = stack.enter_context(self._open(self._workspace.root, key))
            self._sessions[key] = (session, stack)
        self._sessions[key] = self._sessions.pop(key)  # the one used last comes last
        return self._sessions[key][0]

    def _open(self, folder: Path, key: _SessionKey) -> AbstractContextManager[TestSession]:
        stage, watched = key
        tests = self._plan.collected(stage)
        return self._runner.open(folder, watched=watched, tests=tests, writable=self._writable)

    def _close_sessions(self) -> None:
        for key in list(self._sessions):
            self._close_session(key)

    def _close_session(self, key: _SessionKey) -> None:
        known = self._sessions.pop(key, None)
        if known is not None:
            known[1].close()

    def open_workspace(self) -> None:
        """Let the tests write, into a scratch copy of the workspace."""
        self._writable = True
        self._close_sessions()

    def kill(self) -> None:
        """End the warm processes from another thread, and start no more."""
        self._closed.set()
        for session, _ in list(self._sessions.values()):
            session.kill()

    def close(self) -> None:
        """Give back what the warm processes hold, when no thread uses them any more."""
        self._closed.set()
        self._close_sessions()


def was_killed(execution: Execution) -> bool:
    """Whether a signal ended it that no limit of ours sent; someone else may have.

    A sandbox that was killed as a whole shows as the status that shells give for that.
    """
    status = execution.exit_status or 0
    return not execution.timed_out and (status < 0 or status == KILLED)
