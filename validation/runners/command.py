"""Any test command: judged by the JUnit XML it leaves behind, or else by its exit code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from apr.core.bug import TestCommand, TestId
from apr.core.coverage import CoverageMatrix
from apr.core.errors import SandboxDiedError
from apr.core.ports import Sandbox, SandboxProcess
from apr.core.report import Execution, TestOutcome, TestResult
from validation.runners.base import Guard, RunLimits
from validation.runners.junit import read_junit
from validation.runners.session import OnResult

WHOLE_COMMAND = TestId("command")
"""The single test of a command that says nothing but its exit code."""
OnStart = Callable[[SandboxProcess], None]
MAX_REPORT_BYTES = 64 * 2**20
# The command becomes the sandbox's own process, so that its status comes from the system; what
# it prints is no message of anybody's.
SCRIPT = 'exec "$@" >&2'


class CommandRunner:
    """Runs the whole command for every execution."""

    can_select = False
    is_particular = True

    def __init__(self, command: TestCommand, sandbox: Sandbox) -> None:
        self.command = command
        self.sandbox = sandbox

    def run(
        self,
        workspace: Path,
        limits: RunLimits,
        *,
        tests: Sequence[TestId] | None = None,
        coverage: bool = False,
        write_bytecode: bool = False,
        on_result: OnResult | None = None,
        guard: Guard | None = None,
    ) -> tuple[Execution, CoverageMatrix | None]:
        """See `TestRunner.run`; there is no coverage."""
        execution = self.execute_all(workspace, limits.total_s)
        for result in execution.results:
            if on_result is not None:
                on_result(result)
        return execution, None

    @contextmanager
    def open(
        self, workspace: Path, *, watched: Sequence[str], tests: Sequence[TestId], writable: bool
    ) -> Iterator[CommandSession]:
        """See `TestRunner.open`."""
        yield CommandSession(self, workspace)

    def execute_all(
        self, workspace: Path, limit_s: float, on_start: OnStart | None = None
    ) -> Execution:
        """Run the command once and read what it left behind; `on_start` gets its process."""
        started = time.monotonic()
        status: int | None = None
        timed_out = False
        reports: Mapping[str, bytes] = {}
        with self.sandbox.start(
            ["/bin/sh", "-c", SCRIPT, "sh", *self.command.argv],
            str(workspace),
            writable=True,
            environment=dict(self.command.environment),
        ) as process:
            if on_start is not None:
                on_start(process)
            try:
                status = process.wait(limit_s)
            except TimeoutError:
                timed_out = True
            except SandboxDiedError:
                pass  # it wrote without end: no report of it counts for more than its tests
            if self.command.junit_globs:
                reports = process.collect(self.command.junit_globs, MAX_REPORT_BYTES)
            output = process.stderr_tail()
        results = read_junit(reports.values())
        if not results:
            results = [TestResult(WHOLE_COMMAND, _outcome(status, timed_out), message=output)]
        return Execution(
            results=tuple(results),
            exit_status=status,
            completed=status is not None,
            duration_s=time.monotonic() - started,
            timed_out=timed_out,
            output=output,
        )


def _outcome(status: int | None, timed_out: bool) -> TestOutcome:
    if timed_out:
        return TestOutcome.TIMEOUT
    return TestOutcome.PASSED if status == 0 else TestOutcome.FAILED


class CommandSession:
    """A session that runs everything each time and keeps what was asked for."""

    def __init__(self, runner: CommandRunner, workspace: Path) -> None:
        self._runner = runner
        self._workspace = workspace
        self._process: SandboxProcess | None = None

    def execute(
        self, tests: Sequence[TestId], limits_s: Sequence[float], thorough: int, loading_s: float
    ) -> Execution:
        """See `TestSession.execute`."""
        limit_s = sum(limits_s) + loading_s
        execution = self._runner.execute_all(self._workspace, limit_s, self._remember)
        wanted = frozenset(tests)
        return Execution(
            results=tuple(r for r in execution.results if r.test in wanted),
            exit_status=execution.exit_status,
            completed=execution.completed,
            duration_s=execution.duration_s,
            timed_out=execution.timed_out,
            output=execution.output,
        )

    def kill(self) -> None:
        """See `TestSession.kill`."""
        if self._process is not None:
            self._process.kill()

    def _remember(self, process: SandboxProcess) -> None:
        self._process = process
