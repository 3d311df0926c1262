"""JUnit suites of Java programs, compiled and run without Maven, Ant or Gradle.

One virtual machine judges many candidates: it compiles the patched file alone, as long as no other
can see the difference, and loads the program anew for each. A complete execution, such as every
confirmation, has a machine of its own.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from apr.core.bug import TestCommand, TestId
from apr.core.coverage import CoverageMatrix
from apr.core.errors import BadInputError, EnvironmentUnusableError, SandboxDiedError
from apr.core.ports import Sandbox, SandboxProcess
from apr.core.report import Execution, TestResult
from validation.runners.base import Guard, RunLimits
from validation.runners.java_harness import java_argv, render_request, run_harness
from validation.runners.protocol import Transcript
from validation.runners.python import MatrixBuilder
from validation.runners.session import GRACE, OnResult

MAX_RESTARTS = 25
BUILD_LIMIT_S = 300.0
"""For starting a machine and compiling; the code under test does not run meanwhile."""
COLD_S = 5.0
WARM_S = 1.0
"""What a test may take longer than in the baseline, where others had loaded and initialized for it
whatever they share: in a machine's first execution, and in all others."""


@dataclass(frozen=True, slots=True)
class JavaProject:
    """Where a Java program's parts are; paths relative to the subject.

    `classes` is a folder with the classes of the unpatched program, as `compile_project` makes it;
    empty: there is none. `suite` are the names of the test classes, `units` those of other classes
    that are compiled with them, `excluded` tests that are never run.
    """

    sources: tuple[str, ...]
    tests: tuple[str, ...]
    suite: tuple[str, ...]
    libraries: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    classes: str = ""
    javac: tuple[str, ...] = ()
    java: tuple[str, ...] = ()

    def argv(self) -> tuple[str, ...]:
        """As the arguments of a `TestCommand`."""
        lists = {
            "--source": self.sources,
            "--tests": self.tests,
            "--library": self.libraries,
            "--resources": self.resources,
            "--unit": self.units,
            "--exclude": self.excluded,
            "--classes": (self.classes,) if self.classes else (),
            "--javac": self.javac,
            "--java": self.java,
        }
        options = (f"{name}={value}" for name, values in lists.items() for value in values)
        return (*options, "--", *self.suite)

    def request(self) -> dict[str, Sequence[str]]:
        """What the harness is told first."""
        fields: dict[str, Sequence[str]] = {
            "source": self.sources,
            "tests": self.tests,
            "class": (*self.suite, *self.units),
            "library": self.libraries,
            "resources": self.resources,
            "javac": self.javac,
        }
        return fields | ({"classes": (self.classes,)} if self.classes else {})


def compile_project(project: JavaProject, root: Path, classes: str) -> JavaProject:
    """The project with its classes compiled into a new folder, relative to `root`.

    Nothing of the project runs meanwhile: annotation processors are off.

    Raises:
        EnvironmentUnusableError: when it does not compile; says why.
    """
    run_harness(project.request() | {"save": (classes,)}, root)
    return replace(project, classes=classes)


def parse_project(argv: Sequence[str]) -> JavaProject:
    """The inverse of `JavaProject.argv`.

    Raises:
        BadInputError: when it cannot be understood.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    for name in ("source", "tests", "library", "resources", "unit", "exclude", "javac", "java"):
        parser.add_argument(f"--{name}", action="append", default=[])
    parser.add_argument("--classes", default="")
    parser.add_argument("suite", nargs="+")
    found = parser.parse_args(list(argv))
    return JavaProject(
        sources=tuple(found.source) or ("src/main/java",),
        tests=tuple(found.tests) or ("src/test/java",),
        suite=tuple(found.suite),
        libraries=tuple(found.library),
        resources=tuple(found.resources),
        units=tuple(found.unit),
        excluded=tuple(found.exclude),
        classes=found.classes,
        javac=tuple(found.javac),
        java=tuple(found.java),
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInputError(f"the arguments of the junit runner cannot be used: {message}")


class JavaRunner:
    """Runs the test classes of a Java program."""

    can_select = True
    is_particular = False

    def __init__(self, command: TestCommand, sandbox: Sandbox) -> None:
        self.command = command
        self.sandbox = sandbox
        self.project = parse_project(command.argv)

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
        """See `TestRunner.run`. A test that ends its machine does not hide the others."""
        started = time.monotonic()
        results: list[TestResult] = []
        matrix = MatrixBuilder()
        left = None if tests is None else list(tests)
        for _ in range(MAX_RESTARTS):
            remaining_s = limits.total_s - (time.monotonic() - started)
            with self.start(workspace, writable=True) as machine:
                request = self._complete(limits, left, coverage)
                execution, transcript = machine.execute(request, max(remaining_s, 0.001), on_result)
            results += execution.results
            matrix.add(transcript)
            seen = {result.test for result in results}
            left = [test for test in (left or transcript.collected) if test not in seen]
            if execution.completed or not execution.results or not left or execution.timed_out:
                break
        execution = replace(
            execution,
            results=tuple(results),
            completed=execution.completed or (bool(results) and not left),
            duration_s=time.monotonic() - started,
            left_over=len(left or ()),
            output=execution.build_error or execution.output,
        )
        return _with_status(execution), matrix.build(execution.results) if matrix else None

    def _complete(
        self, limits: RunLimits, tests: Sequence[TestId] | None, coverage: bool
    ) -> dict[str, Sequence[str]]:
        """The request for all tests, or those left of them, whatever happens."""
        limit = _ms(limits.test_s)
        fields: dict[str, Sequence[str]] = {
            "goOn": (),
            "testLimit": (limit,),
            "loadingLimit": (limit,),
            "exclude": self.project.excluded,
            "test": tests or (),
            "limit": (limit,) * len(tests or ()),
        }
        fields |= {"class": self.project.suite, "collect": ()} if tests is None else {}
        return fields | ({"coverage": ()} if coverage else {})

    @contextmanager
    def open(
        self, workspace: Path, *, watched: Sequence[str], tests: Sequence[TestId], writable: bool
    ) -> Iterator[JavaSession]:
        """See `TestRunner.open`; whatever changes is noticed, so that nothing is watched."""
        with JavaSession(self, workspace, writable) as session:
            yield session

    @contextmanager
    def start(self, workspace: Path, *, writable: bool) -> Iterator[Machine]:
        """A virtual machine that waits for requests."""
        with self.sandbox.start(
            java_argv(self.project.java),
            str(workspace),
            writable=writable,
            environment=dict(self.command.environment),
        ) as process:
            yield Machine(process, self.project)


class Machine:
    """A running harness."""

    def __init__(self, process: SandboxProcess, project: JavaProject) -> None:
        self.process = process
        process.send(render_request(project.request()))
        try:
            message = json.loads(process.receive_line(BUILD_LIMIT_S))
        except (SandboxDiedError, TimeoutError, ValueError) as error:
            tail = process.stderr_tail().strip()[-500:]
            raise EnvironmentUnusableError(f"the Java harness does not start: {tail}") from error
        if message.get("k") != "ready":
            raise EnvironmentUnusableError("the Java harness does not start")

    def execute(
        self, request: dict[str, Sequence[str]], limit_s: float, on_result: OnResult | None = None
    ) -> tuple[Execution, Transcript]:
        """One execution, given up after `limit_s` on the clock."""
        started, transcript = time.monotonic(), Transcript(expected=())
        timed_out = False
        try:
            self.process.send(render_request(request))
            while transcript.status is None:
                remaining_s = limit_s - (time.monotonic() - started)
                line = self.process.receive_line(max(remaining_s, 0.001))
                result = _read(transcript, line)
                if result is not None and on_result is not None:
                    on_result(result)
        except TimeoutError:
            timed_out = True
        except SandboxDiedError:
            pass  # the program has ended its machine
        duration_s = time.monotonic() - started
        output = self.process.stderr_tail()
        return transcript.execution(duration_s, timed_out=timed_out, output=output), transcript


def _read(transcript: Transcript, line: bytes) -> TestResult | None:
    try:
        message = json.loads(line)
        if message["k"] != "covered":
            return transcript.read(message)
        for path, lines in message["lines"].items():
            known = transcript.coverage.setdefault(path, {})
            for number in lines:
                known.setdefault(int(number), []).append(str(message["id"]))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        transcript.suspect("the report of the tests holds a line that the harness never writes")
    return None


class JavaSession:
    """A machine for many executions; one that a candidate has ended is followed by another."""

    def __init__(self, runner: JavaRunner, workspace: Path, writable: bool) -> None:
        self._runner = runner
        self._workspace = workspace
        self._writable = writable
        self._stack = ExitStack()
        self._machine: Machine | None = None
        self._executions = 0

    def __enter__(self) -> JavaSession:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def execute(
        self, tests: Sequence[TestId], limits_s: Sequence[float], thorough: int, loading_s: float
    ) -> Execution:
        """See `TestSession.execute`; what is run for the first time is granted more."""
        grace_s = COLD_S if self._executions == 0 else WARM_S
        granted_s = [limit + grace_s for limit in limits_s]
        request = {
            "test": tests,
            "limit": tuple(map(_ms, granted_s)),
            "testLimit": (_ms(max(granted_s, default=grace_s)),),
            "loadingLimit": (_ms(loading_s + grace_s),),
            "thorough": (str(max(1, thorough)),),
        }
        limit_s = GRACE * (sum(granted_s) + loading_s) + BUILD_LIMIT_S
        execution, transcript = self._current().execute(request, limit_s)
        if self._was_gone(transcript):
            self._leave()
            execution, transcript = self._current().execute(request, limit_s)
        self._executions += 1
        if transcript.status is None:
            self._leave()
        wanted = frozenset(tests)
        return replace(execution, results=tuple(r for r in execution.results if r.test in wanted))

    def _was_gone(self, transcript: Transcript) -> bool:
        """The machine has left after its last execution, in which a test could not be stopped."""
        has_spoken = transcript.status is not None or transcript.running or transcript.results
        return self._executions > 0 and not has_spoken

    def kill(self) -> None:
        """See `TestSession.kill`."""
        if self._machine is not None:
            self._machine.process.kill()

    def _current(self) -> Machine:
        if self._machine is None:
            start = self._runner.start(self._workspace, writable=self._writable)
            self._machine = self._stack.enter_context(start)
            self._executions = 0
        return self._machine

    def _leave(self) -> None:
        self._machine = None
        self._stack.close()


def _with_status(execution: Execution) -> Execution:
    """The status of all machines together, where the last one has run the rest."""
    if not execution.completed:
        return execution
    fails = any(result.outcome.is_failure for result in execution.results)
    return replace(execution, exit_status=1 if fails else 0)


def _ms(seconds: float) -> str:
    return str(max(1, round(1000 * seconds)))
