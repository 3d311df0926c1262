"""The host's end of the harness protocol: configuration in, executions out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from apr.core.bug import TestId
from apr.core.errors import EnvironmentUnusableError, SandboxDiedError, SandboxUnavailableError
from apr.core.ports import SandboxProcess
from apr.core.report import Execution, TestResult
from validation.runners.protocol import FORGED, ForgedLineError, Seal, Transcript

HARNESS_ROOT = Path(__file__).resolve().parent.parent / "harness"
BOOTSTRAP = (
    "import sys; sys.path[0] = sys.argv[1]; import apr_harness.main; "
    "del sys.path[0], sys.argv[1:], apr_harness; sys.modules['apr_harness.main'].main()"
)
GRACE = 4.5
"""A server ends its child after at most this many times the limit (see the harness)."""
LEAVE_S = 2.0
"""How long a harness may take to leave after its last message."""
OnResult = Callable[[TestResult], None]


class SilentServerError(SandboxDiedError):
    """A test server has not answered in any time that a candidate may take."""


class ImportedTooEarlyError(EnvironmentUnusableError):
    """A file under repair is loaded before any code of ours could wait for it."""


def harness_argv(python: str) -> list[str]:
    """The command that starts the harness in the subject's interpreter."""
    return [python, "-c", BOOTSTRAP, str(HARNESS_ROOT)]


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
    seal, transcript = Seal(), Transcript(expected=config["tests"])
    timed_out = False
    process.send(json.dumps({**config, "secret": seal.secret}).encode() + b"\n")
    try:
        while transcript.status is None:
            remaining = total_s - (time.monotonic() - started)
            line = process.receive_line(max(min(remaining, idle_s), 0.001))
            result = transcript.read_line(line, seal)
            is_real = result is not None and result.test not in transcript.canaries
            if result is not None and is_real and on_result is not None:
                on_result(result)
        _read_after_end(process, transcript, seal)
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


def _read_after_end(process: SandboxProcess, transcript: Transcript, seal: Seal) -> None:
    """The harness leaves as soon as it has said so: whatever follows is not its own."""
    deadline = time.monotonic() + LEAVE_S
    with suppress(SandboxDiedError, TimeoutError):
        while True:
            line = process.receive_line(max(0.001, deadline - time.monotonic()))
            transcript.read_line(line, seal)


class TestServer:
    """A warm harness that runs one candidate after another, each in a forked child."""

    __test__ = False

    def __init__(
        self, process: SandboxProcess, config: Mapping[str, Any], start_limit_s: float
    ) -> None:
        self._process = process
        self._count = 0
        self._seal = Seal()
        process.send(json.dumps({**config, "secret": self._seal.secret}).encode() + b"\n")
        self.fork_point = self._await_ready(start_limit_s)

    def _await_ready(self, limit_s: float) -> str:
        deadline = time.monotonic() + limit_s
        while True:
            try:
                message = self._receive(deadline)
            except TimeoutError:
                raise SandboxDiedError(
                    f"the tests could not be loaded within {limit_s:g} s"
                ) from None
            if message["k"] == "ready":
                return str(message["where"])
            if message["k"] == "stale":
                raise ImportedTooEarlyError(str(message["m"]))
            if message["k"] == "fatal":
                raise EnvironmentUnusableError(str(message["m"]))

    def execute(
        self, tests: Sequence[TestId], limits_s: Sequence[float], thorough: int, loading_s: float
    ) -> Execution:
        """See `TestSession.execute`. On the wall clock four times as much is granted.

        Raises:
            SandboxDiedError: when the server itself is gone.
        """
        self._count += 1
        seal = Seal()
        limit_s = sum(limits_s) + loading_s
        command = {
            "n": self._count,
            "secret": seal.secret,
            "tests": tests,
            "limits": limits_s,
            "limit_s": limit_s,
            "thorough": thorough,
        }
        self._process.send(json.dumps(command).encode() + b"\n")
        forged = False
        lines: list[str] = []
        deadline = time.monotonic() + GRACE * limit_s + LEAVE_S * 5
        while True:
            try:
                message = self._receive(deadline)
            except ForgedLineError:
                forged = True
            except TimeoutError:
                raise SilentServerError("the test server fell silent") from None
            else:
                if message["k"] == "closed":
                    raise SandboxDiedError(str(message["m"]))
                if message["k"] == "part" and message["n"] == self._count:
                    lines += message["lines"]
                if message["k"] == "result" and message["n"] == self._count:
                    return _read_child(message, lines, tests, seal, forged)

    def kill(self) -> None:
        """See `TestSession.kill`."""
        self._process.kill()

    def _receive(self, deadline: float) -> dict[str, Any]:
        line = self._process.receive_line(max(0.001, deadline - time.monotonic()))
        return self._seal.open(line)


class FreshSession:
    """Runs each candidate in a process of its own: slower, and right whatever is loaded early."""

    def __init__(
        self,
        start: Callable[[], AbstractContextManager[SandboxProcess]],
        config: Mapping[str, Any],
    ) -> None:
        self._start = start
        self._config = config
        self._process: SandboxProcess | None = None

    def execute(
        self, tests: Sequence[TestId], limits_s: Sequence[float], thorough: int, loading_s: float
    ) -> Execution:
        """See `TestSession.execute`. On the wall clock four times as much is granted."""
        config = {**self._config, "tests": tests, "limits": limits_s, "thorough": thorough}
        total_s = 4 * (sum(limits_s) + loading_s)
        try:
            with self._start() as self._process:
                execution, _ = run_to_end(self._process, config, total_s, total_s)
        except SandboxUnavailableError:
            raise
        except EnvironmentUnusableError as error:
            # The tests could be loaded before, so it is this candidate that ends the process.
            return Execution((), None, completed=False, duration_s=0.0, output=str(error))
        wanted = frozenset(tests)
        results = tuple(result for result in execution.results if result.test in wanted)
        return replace(execution, results=results)

    def kill(self) -> None:
        """See `TestSession.kill`."""
        if self._process is not None:
            self._process.kill()


def _read_child(
    message: Mapping[str, Any],
    lines: Sequence[str],
    tests: Sequence[TestId],
    seal: Seal,
    forged: bool,
) -> Execution:
    """The execution a child reported; its own lines are hostile and only claims."""
    transcript = Transcript(expected=tests)
    if forged:
        transcript.suspect(FORGED)
    if not message["is_readable"]:
        transcript.suspect("the report of the tests is endless or no text")
    fatal = ""
    for line in lines:
        try:
            transcript.read_line(line.encode(), seal)
        except EnvironmentUnusableError as error:
            fatal = str(error)
    execution = transcript.execution(
        float(message["d"]), timed_out=bool(message["timed_out"]), output=fatal
    )
    wanted = frozenset(tests)
    return replace(
        execution,
        results=tuple(result for result in execution.results if result.test in wanted),
        exit_status=message["status"],
        completed=execution.completed and not fatal and transcript.status == message["status"],
    )
