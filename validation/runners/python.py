"""pytest and unittest suites, run by the harness in the subject's own interpreter."""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from apr.core.bug import RunnerKind, TestCommand, TestId
from apr.core.coverage import CoverageMatrix
from apr.core.errors import EnvironmentUnusableError, SandboxDiedError
from apr.core.ports import Sandbox, SandboxProcess
from apr.core.report import Execution, TestOutcome, TestResult
from validation.runners.base import Guard, RunLimits, TestSession
from validation.runners.guarding import Behaviour, Disguise, behaviour, evidence
from validation.runners.protocol import INTERRUPTED, Transcript
from validation.runners.session import (
    FreshSession,
    ImportedTooEarlyError,
    OnResult,
    TestServer,
    harness_argv,
    run_to_end,
)
from validation.workspace import store_bytecode

MAX_RESTARTS = 25
MAX_MEASUREMENTS = 3
START_LIMIT_S = 300.0


class PythonRunner:
    """Runs a pytest or unittest command."""

    can_select = True
    is_particular = True

    def __init__(self, command: TestCommand, sandbox: Sandbox) -> None:
        self.command = command
        self.sandbox = sandbox
        self._lock = threading.Lock()
        self._behaviours: dict[tuple[Path, tuple[str, ...], Disguise], Behaviour] = {}

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
        """See `TestRunner.run`. A test that takes the process down does not hide the others."""
        if guard is not None:
            return self._run_guarded(workspace, limits, tests, guard, on_result), None
        config = self._run_config(limits, tests) | {
            "coverage": coverage,
            "toolbox": str(toolbox()),
            "write_bytecode": write_bytecode,
        }
        execution, transcripts = self._run_parts(workspace, limits, config, on_result)
        matrix = MatrixBuilder()
        for transcript in transcripts:
            matrix.add(transcript)
            if write_bytecode:
                store_bytecode(workspace, transcript.bytecode)
        return execution, matrix.build(execution.results) if coverage and matrix else None

    def _run_config(self, limits: RunLimits, tests: Sequence[TestId] | None) -> dict[str, Any]:
        return self._config("run", tests) | {
            "test_timeout_s": limits.test_s,
            "test_floor_s": limits.floor_s,
        }

    def _run_parts(
        self,
        workspace: Path,
        limits: RunLimits,
        config: dict[str, Any],
        on_result: OnResult | None = None,
        tolerated: Container[TestId] | None = None,
    ) -> tuple[Execution, list[Transcript]]:
        """Run until every collected test has an outcome, in as many processes as that takes.

        With `tolerated`, only these tests may end their process; after any other, nothing follows.
        """
        started = time.monotonic()
        whole: list[TestResult] = []
        transcripts: list[Transcript] = []
        left: list[TestId] = list(config["tests"] or ())
        for _ in range(MAX_RESTARTS):
            remaining_s = limits.total_s - (time.monotonic() - started)
            with self._start(workspace, writable=True) as process:
                execution, transcript = run_to_end(
                    process, config, min(limits.idle_s, remaining_s), remaining_s, on_result
                )
            whole.extend(execution.results)
            transcripts.append(transcript)
            seen = {result.test for result in whole}
            left = [test for test in transcript.collected or left if test not in seen]
            config = config | {"tests": left}
            if execution.completed or not execution.results or not left or execution.tampering:
                break
            if tolerated is not None and transcript.running not in tolerated:
                break
            if time.monotonic() - started >= limits.total_s:
                break
        merged = replace(
            execution,
            results=tuple(whole),
            duration_s=time.monotonic() - started,
            left_over=len(left),
            wrote=tuple(dict.fromkeys(path for part in transcripts for path in part.wrote)),
        )
        return _with_last_test_fatal(merged, transcript), transcripts

    def _run_guarded(
        self,
        workspace: Path,
        limits: RunLimits,
        tests: Sequence[TestId] | None,
        guard: Guard,
        on_result: OnResult | None,
    ) -> Execution:
        base = self._behaviour_of_base(limits, guard)
        config = self._guarded(limits, tests, guard.patched, base.disguise)
        execution, transcripts = self._run_parts(
            workspace, limits, config, on_result, tolerated=base.fatal
        )
        sources = {path: _read_text(guard.base / path) for path in guard.patched}
        found = (evidence(transcript, base, sources) for transcript in transcripts)
        sentence = next(filter(None, found), "")
        if not sentence:
            return execution
        return replace(execution, tampering=sentence, completed=False)

    def _behaviour_of_base(self, limits: RunLimits, guard: Guard) -> Behaviour:
        """What the unpatched program does, in disguise where its tests bear that."""
        plain = self._measure(limits, guard, Disguise.NONE)
        if not guard.disguised:
            return plain
        # Without an alarm, a test that hangs is waited for much longer.
        hangs = TestOutcome.TIMEOUT in plain.outcomes.values()
        disguised = self._measure(limits, guard, Disguise.ALARMED if hangs else Disguise.FULL)
        return disguised if disguised.outcomes == plain.outcomes else plain

    def _measure(self, limits: RunLimits, guard: Guard, disguise: Disguise) -> Behaviour:
        key = (guard.base, guard.patched, disguise)
        with self._lock:
            if key not in self._behaviours:
                self._behaviours[key] = self._measure_anew(limits, guard, disguise)
            return self._behaviours[key]

    def _measure_anew(self, limits: RunLimits, guard: Guard, disguise: Disguise) -> Behaviour:
        """A run that was cut off must not become the measure of every patch."""
        config = self._guarded(limits, None, guard.patched, disguise)
        for _ in range(MAX_MEASUREMENTS):
            execution, transcripts = self._run_parts(guard.base, limits, config)
            # Tests that do not come to their end in disguise do not bear it: also an answer.
            if execution.completed or disguise is not Disguise.NONE:
                return behaviour(transcripts, disguise)
        said = execution.output.strip()[-200:] or "the run was cut off"
        raise EnvironmentUnusableError(f"the unpatched program's tests come to no end: {said}")

    def _guarded(
        self,
        limits: RunLimits,
        tests: Sequence[TestId] | None,
        patched: Sequence[str],
        disguise: Disguise,
    ) -> dict[str, Any]:
        config = self._run_config(limits, tests)
        config["guard"] = {"patched": list(patched), "disguised": disguise is not Disguise.NONE}
        if disguise is Disguise.FULL:
            config["test_timeout_s"] = 0
        return config

    @contextmanager
    def open(
        self, workspace: Path, *, watched: Sequence[str], tests: Sequence[TestId], writable: bool
    ) -> Iterator[TestSession]:
        """See `TestRunner.open`; a new process for each execution where no fork point is early."""
        config = self._config("serve", tests) | {"watched": list(watched)}
        with ExitStack() as stack:
            process = stack.enter_context(self._start(workspace, writable=writable))
            session: TestSession
            try:
                session = TestServer(process, config, START_LIMIT_S)
            except ImportedTooEarlyError:
                stack.close()
                session = FreshSession(
                    lambda: self._start(workspace, writable=writable), self._config("run", tests)
                )
            yield session

    @contextmanager
    def _start(self, workspace: Path, *, writable: bool) -> Iterator[SandboxProcess]:
        with self.sandbox.start(
            harness_argv(self.command.python),
            str(workspace),
            writable=writable,
            environment=dict(self.command.environment),
        ) as process:
            yield process

    def _config(self, mode: str, tests: Sequence[TestId] | None) -> dict[str, Any]:
        argv = list(self.command.argv)
        paths: list[str] = []
        if tests is not None and self.command.kind is RunnerKind.PYTEST:
            paths = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        return {
            "mode": mode,
            "runner": self.command.kind.value,
            "argv": argv,
            "paths": paths,
            "tests": list(tests) if tests is not None else None,
        }


def _with_last_test_fatal(execution: Execution, last: Transcript) -> Execution:
    """A run whose last test broke out of it has lost nothing: every test has an outcome."""
    broke_out = last.running is not None or last.status in INTERRUPTED
    if execution.left_over or last.tampering or last.disorder or execution.timed_out:
        return execution
    if not (broke_out and execution.results and execution.results[-1].outcome.is_failure):
        return execution
    return replace(execution, completed=True, exit_status=1)


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def toolbox() -> Path:
    """The folder that holds coverage.py, for interpreters that lack it."""
    spec = importlib.util.find_spec("coverage")
    if spec is None or spec.origin is None:
        raise SandboxDiedError("coverage.py is not installed beside APR")
    return Path(spec.origin).parent.parent


class MatrixBuilder:
    """Joins the coverage of several executions into one matrix."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[int, set[str]]] = {}

    def add(self, transcript: Transcript) -> None:
        for path, lines in transcript.coverage.items():
            target = self._lines.setdefault(path, {})
            for line, tests in lines.items():
                target.setdefault(line, set()).update(tests)

    def __bool__(self) -> bool:
        return bool(self._lines)

    def build(self, results: tuple[TestResult, ...]) -> CoverageMatrix:
        index: Mapping[str, int] = {result.test: i for i, result in enumerate(results)}
        lines: dict[str, dict[int, frozenset[int]]] = {}
        imported: dict[str, frozenset[int]] = {}
        for path, by_line in sorted(self._lines.items()):
            lines[path] = {
                line: frozenset(index[test] for test in tests if test in index)
                for line, tests in sorted(by_line.items())
                if tests - {""}
            }
            imported[path] = frozenset(line for line, tests in by_line.items() if tests <= {""})
        return CoverageMatrix(results, lines, imported)
