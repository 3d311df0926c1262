"""What every test runner offers, whatever the language."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from apr.core.bug import TestId
from apr.core.coverage import CoverageMatrix
from apr.core.report import Execution
from validation.runners.session import OnResult


@dataclass(frozen=True, slots=True)
class RunLimits:
    """Time limits of one complete execution, in seconds on the wall clock.

    `test_s` bounds a single test; once tests have hung, the ones after them get less, but never
    less than `floor_s`. `total_s` bounds the whole suite.
    """

    test_s: float = 30.0
    total_s: float = 3600.0
    floor_s: float = 1.0

    @property
    def idle_s(self) -> float:
        """How long a runner may say nothing before it is taken to hang."""
        return 3 * self.test_s + 5


@dataclass(frozen=True, slots=True)
class Guard:
    """Asks for a run in which the referee itself is watched.

    `patched` are the subject-relative paths of the files that the patch changes, `base` a folder
    with the unpatched program: what that program does too is never held against a patch, and so
    it is run once in the same way. `disguised` hides from the patched files that they run under
    a test, as far as the unpatched program's tests bear it.
    """

    patched: tuple[str, ...]
    base: Path
    disguised: bool = False


class TestSession(Protocol):
    """Runs tests against whatever the workspace holds at the moment."""

    def execute(
        self, tests: Sequence[TestId], limits_s: Sequence[float], thorough: int, loading_s: float
    ) -> Execution:
        """Run `tests` in this order, each within its own limit in CPU seconds.

        The first `thorough` tests run whatever happens; after them, the first failure ends the
        execution, and so does any test that runs out of its limit. `loading_s` is granted for
        importing the program before the first test. A session that cannot select
        runs everything within the sum of the limits.
        """
        ...

    def kill(self) -> None:
        """End what is running; called from another thread than `execute`."""
        ...


class TestRunner(Protocol):
    """Runs a subject's tests in a sandbox; one implementation per kind of test command."""

    can_select: bool
    """Whether single tests can be run without the others."""

    is_particular: bool
    """Whether a session is for certain files and tests; else one serves them all."""

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
        """One complete execution in a fresh process.

        With `guard`, `Execution.tampering` tells what was seen. A runner that cannot look into
        the process ignores it.

        Raises:
            EnvironmentUnusableError: when no test can run at all.
        """
        ...

    def open(
        self, workspace: Path, *, watched: Sequence[str], tests: Sequence[TestId], writable: bool
    ) -> AbstractContextManager[TestSession]:
        """A session for many executions of (some of) `tests` while `watched` files change."""
        ...
