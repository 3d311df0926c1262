"""The host's end of the harness protocol: configuration in, executions out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apr.core.bug import TestId
from apr.core.errors import EnvironmentUnusableError, SandboxDiedError
from apr.core.ports import SandboxProcess
from apr.core.report import Execution, Frame, TestOutcome, TestResult

HARNESS_ROOT = Path(__file__).resolve().parent.parent / "harness"
BOOTSTRAP = (
    "import sys; sys.path[0] = sys.argv[1]; from apr_harness.main import main; "
    "del sys.path[0], sys.argv[1:]; main()"
)
OnResult = Callable[[TestResult], None]


def harness_argv(python: str) -> list[str]:
    """The command that starts the harness in the subject's interpreter."""
    return [python, "-c", BOOTSTRAP, str(HARNESS_ROOT)]


@dataclass(slots=True)
class Transcript:
    """What one harness execution has said so far."""

    results: dict[TestId, TestResult] = field(default_factory=dict)
    running: TestId | None = None
    status: int | None = None
    stopped: bool = False
    build_error: str = ""
    collected: list[TestId] = field(default_factory=list)
    coverage: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    def read(self, message: Mapping[str, Any]) -> TestResult | None:
        """Take in one message; the finished test if it was one.

        Raises:
            EnvironmentUnusableError: when the harness says that no test can run.
        """
        kind = message.get("k")
        if kind == "start":
            self.running = TestId(str(message["id"]))
        elif kind == "test":
            return self._read_test(message)
        elif kind == "unbuildable":
            self.build_error = str(message["m"])
        elif kind == "collected":
            self.collected = [TestId(str(test)) for test in message["ids"]]
        elif kind == "end":
            self.status = int(message["status"])
            self.stopped = bool(message.get("stopped"))
        elif kind == "coverage":
            lines = message["lines"]
            self.coverage[str(message["path"])] = {int(n): tests for n, tests in lines.items()}
        elif kind == "fatal":
            raise EnvironmentUnusableError(str(message["m"]))
        return None

    def _read_test(self, message: Mapping[str, Any]) -> TestResult:
        result = parse_result(message)
        self.running = None
        if result.test in self.results:
            # A runner reports a test once; twice means that somebody else is talking.
            result = TestResult(result.test, TestOutcome.ERROR, message="reported more than once")
        self.results[result.test] = result
        return result

    def execution(self, duration_s: float, *, timed_out: bool, output: str = "") -> Execution:
        """Everything so far; a test that had not ended when time ran out is a timeout."""
        results = list(self.results.values())
        if self.running is not None:
            outcome = TestOutcome.TIMEOUT if timed_out else TestOutcome.ERROR
            message = "ran out of time" if timed_out else "the test ended its process"
            results.append(TestResult(self.running, outcome, message=message))
        return Execution(
            results=tuple(results),
            exit_status=self.status,
            completed=self.status is not None and not self.stopped,
            duration_s=duration_s,
            timed_out=timed_out,
            output=output,
        )


def parse_result(message: Mapping[str, Any]) -> TestResult:
    """A `test` message as a result."""
    return TestResult(
        test=TestId(str(message["id"])),
        outcome=TestOutcome(message["o"]),
        duration_s=float(message["d"]),
        message=str(message["m"]),
        frames=tuple(Frame(str(p), int(n), str(f)) for p, n, f in message["f"]),
        progress=int(message["p"]),
    )


def run_to_end(
    process: SandboxProcess,
    config: Mapping[str, Any],
    idle_s: float,
    total_s: float,
    on_result: OnResult | None = None,
) -> tuple[Execution, Transcript]:
    """Run one configured execution and read it to its end.

    It is given up when it says nothing for `idle_s` or has not ended after `total_s`.

    Raises:
        EnvironmentUnusableError: when no test can run at all.
    """
    started = time.monotonic()
    transcript = Transcript()
    timed_out = False
    process.send(json.dumps(config).encode() + b"\n")
    try:
        while transcript.status is None:
            remaining = total_s - (time.monotonic() - started)
            line = process.receive_line(max(min(remaining, idle_s), 0.001))
            result = transcript.read(parse_line(line))
            if result is not None and on_result is not None:
                on_result(result)
    except TimeoutError:
        timed_out = True
    except SandboxDiedError:
        # A test that kills its own process is the test's failure, not the sandbox's.
        if transcript.running is None and not transcript.results:
            tail = process.stderr_tail().strip()
            raise EnvironmentUnusableError(f"the test process ended at once: {tail}") from None
    duration = time.monotonic() - started
    output = process.stderr_tail()
    return transcript.execution(duration, timed_out=timed_out, output=output), transcript


def parse_line(line: bytes) -> dict[str, Any]:
    """One protocol line; anything else is an unknown message, which readers ignore."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


class TestServer:
    """A warm harness that runs one candidate after another, each in a forked child."""

    __test__ = False

    def __init__(
        self, process: SandboxProcess, config: Mapping[str, Any], start_limit_s: float
    ) -> None:
        self._process = process
        self._count = 0
        process.send(json.dumps(config).encode() + b"\n")
        self.fork_point = self._await_ready(start_limit_s)

    def _await_ready(self, limit_s: float) -> str:
        deadline = time.monotonic() + limit_s
        while True:
            try:
                line = self._process.receive_line(max(0.001, deadline - time.monotonic()))
            except TimeoutError:
                raise SandboxDiedError(
                    f"the tests could not be loaded within {limit_s:g} s"
                ) from None
            message = parse_line(line)
            if message.get("k") == "ready":
                return str(message["where"])
            if message.get("k") == "fatal":
                raise EnvironmentUnusableError(str(message["m"]))

    def execute(
        self, tests: Sequence[TestId], limits_s: Sequence[float], thorough: int, loading_s: float
    ) -> Execution:
        """See `TestSession.execute`. On the wall clock four times as much is granted.

        Raises:
            SandboxDiedError: when the server itself is gone.
        """
        self._count += 1
        limit_s = sum(limits_s) + loading_s
        command = {
            "n": self._count,
            "tests": tests,
            "limits": limits_s,
            "limit_s": limit_s,
            "thorough": thorough,
        }
        self._process.send(json.dumps(command).encode() + b"\n")
        try:
            message = self._result(deadline=time.monotonic() + 5 * limit_s + 30)
        except TimeoutError:
            raise SandboxDiedError("the test server fell silent") from None
        return _read_child(message, tests)

    def _result(self, deadline: float) -> dict[str, Any]:
        while True:
            line = self._process.receive_line(max(0.001, deadline - time.monotonic()))
            message = parse_line(line)
            if message.get("k") == "result" and message.get("n") == self._count:
                return message


def _read_child(message: Mapping[str, Any], tests: Iterable[TestId]) -> Execution:
    """The execution a child reported; its own lines are hostile and only claims."""
    transcript = Transcript()
    wanted = frozenset(tests)
    fatal = ""
    for line in message["lines"]:
        try:
            transcript.read(parse_line(line.encode("utf-8", "replace")))
        except EnvironmentUnusableError as error:
            fatal = str(error)
        except (KeyError, TypeError, ValueError):
            fatal = "the test process sent garbage"
    execution = transcript.execution(
        float(message["d"]), timed_out=bool(message["timed_out"]), output=fatal
    )
    agrees = not fatal and execution.exit_status == message["status"]
    return Execution(
        results=tuple(r for r in execution.results if r.test in wanted),
        exit_status=message["status"],
        completed=execution.completed and agrees,
        duration_s=execution.duration_s,
        timed_out=execution.timed_out,
        output=fatal,
        build_error=transcript.build_error,
    )
