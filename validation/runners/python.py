"""pytest and unittest suites, run by the harness in the subject's own interpreter."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apr.core.bug import RunnerKind, TestCommand, TestId
from apr.core.coverage import CoverageMatrix
from apr.core.errors import SandboxDiedError
from apr.core.ports import Sandbox, SandboxProcess
from apr.core.report import Execution, TestResult
from validation.runners.base import Guard, RunLimits
from validation.runners.session import (
    OnResult,
    TestServer,
    Transcript,
    harness_argv,
    run_to_end,
)

MAX_RESTARTS = 25
START_LIMIT_S = 300.0


class PythonRunner:
    """Runs a pytest or unittest command."""

    can_select = True

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
        """See `TestRunner.run`. A test that takes the process down does not hide the others."""
        started = time.monotonic()
        config = self._config("run", tests) | {
            "coverage": coverage,
            "toolbox": str(toolbox()),
            "test_timeout_s": limits.test_s,
            "test_floor_s": limits.floor_s,
            "write_bytecode": write_bytecode,
        }
        whole: list[TestResult] = []
        matrix = _MatrixBuilder()
        for _ in range(MAX_RESTARTS):
            remaining_s = limits.total_s - (time.monotonic() - started)
            with self._start(workspace, writable=True) as process:
                execution, transcript = run_to_end(
                    process, config, min(limits.idle_s, remaining_s), remaining_s, on_result
                )
            whole.extend(execution.results)
            matrix.add(transcript)
            config["tests"] = left = _left_over(transcript, execution)
            if execution.completed or not execution.results or not left:
                break
        merged = Execution(
            results=tuple(whole),
            exit_status=execution.exit_status,
            completed=execution.completed,
            duration_s=time.monotonic() - started,
            timed_out=execution.timed_out,
            output=execution.output,
            left_over=len(left),
        )
        return merged, matrix.build(merged.results) if coverage and matrix else None

    @contextmanager
    def open(
        self, workspace: Path, *, watched: Sequence[str], tests: Sequence[TestId], writable: bool
    ) -> Iterator[TestServer]:
        """See `TestRunner.open`."""
        config = self._config("serve", tests) | {"watched": list(watched)}
        with self._start(workspace, writable=writable) as process:
            yield TestServer(process, config, START_LIMIT_S)

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


def _left_over(transcript: Transcript, execution: Execution) -> list[TestId]:
    seen = {result.test for result in execution.results}
    return [test for test in transcript.collected if test not in seen]


def toolbox() -> Path:
    """The folder that holds coverage.py, for interpreters that lack it."""
    spec = importlib.util.find_spec("coverage")
    if spec is None or spec.origin is None:
        raise SandboxDiedError("coverage.py is not installed beside APR")
    return Path(spec.origin).parent.parent


class _MatrixBuilder:
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
