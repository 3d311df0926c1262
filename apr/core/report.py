"""What running the tests said: outcomes of single tests, and the verdict on a patch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from apr.core.bug import TestId


class TestOutcome(StrEnum):
    """What became of one test."""

    __test__ = False

    PASSED = "passed"
    FAILED = "failed"  # an assertion did not hold
    ERROR = "error"  # set-up, tear-down, import or collection went wrong
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    TIMEOUT = "timeout"
    MISSING = "missing"  # expected, but the runner did not report it

    @property
    def is_failure(self) -> bool:
        """Failed, erred, timed out or vanished: what a fix must turn into a pass."""
        return self in _FAILURES


_FAILURES = frozenset(
    {TestOutcome.FAILED, TestOutcome.ERROR, TestOutcome.TIMEOUT, TestOutcome.MISSING}
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One stack frame of a failure inside the subject, outermost first in a traceback."""

    path: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test's outcome in one execution.

    `message` is the failure text, cut to a few KiB. `progress` is the 1-based line that the
    failing test function itself had reached (0: unknown or passed): later is further.
    """

    __test__ = False

    test: TestId
    outcome: TestOutcome
    duration_s: float = 0.0
    message: str = ""
    frames: tuple[Frame, ...] = ()
    progress: int = 0


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a set of tests against one version of the subject.

    `completed` is true only when the runner reached its own end; `exit_status` is the runner's
    (None when it was killed). `timed_out` says the execution as a whole hit its limit.
    `build_error` says why the program under test does not compile; empty when it does.
    `left_over` counts the tests that were collected and never got an outcome.
    `tampering` is a sentence that says how the code under test worked on its own referee; empty
    when nothing shows that it did. `wrote` names some of the paths that the tests changed.
    """

    results: tuple[TestResult, ...]
    exit_status: int | None
    completed: bool
    duration_s: float
    timed_out: bool = False
    output: str = ""
    build_error: str = ""
    left_over: int = 0
    tampering: str = ""
    wrote: tuple[str, ...] = ()

    def outcomes(self) -> dict[TestId, TestOutcome]:
        """The outcome of each reported test."""
        return {result.test: result.outcome for result in self.results}


@dataclass(frozen=True, slots=True)
class Baseline:
    """The unpatched program's behaviour over repeated executions: the oracle.

    `failing` are the trigger tests, `passing` the regression tests; `flaky` ones changed their
    outcome between executions and belong to neither. `durations_s` is each test's time, undisturbed
    by coverage, in the suite's own order.
    `other_failing` fail too, but this repair is not asked to mend them.
    `hung` are those of any kind that ran out of time, so that nobody waits for them again.
    `writes_workspace` says that the tests create or change files in the subject's folder.
    `passes` counts, for every test, in how many of the `repeats` executions it passed.
    """

    failing: tuple[TestResult, ...]
    passing: tuple[TestId, ...]
    flaky: tuple[TestId, ...]
    skipped: tuple[TestId, ...]
    durations_s: Mapping[TestId, float]
    duration_s: float
    repeats: int
    other_failing: tuple[TestId, ...] = ()
    hung: tuple[TestId, ...] = ()
    writes_workspace: bool = False
    passes: Mapping[TestId, int] = field(default_factory=dict)

    @property
    def trigger_tests(self) -> tuple[TestId, ...]:
        """The ids of the failing tests, in baseline order."""
        return tuple(result.test for result in self.failing)


class Stage(StrEnum):
    """How far validation went; each stage runs only when the one before it was passed."""

    APPLY = "apply"
    COMPILE = "compile"
    TRIGGER = "trigger"  # FAIL_TO_PASS, the most-failing test first
    AFFECTED = "affected"  # regression tests whose coverage meets the patch
    FULL = "full"  # every other regression test
    CONFIRM = "confirm"  # everything again in a fresh sandbox


class Verdict(StrEnum):
    """What the tests say of a patch. Plausible is not yet correct."""

    DOES_NOT_APPLY = "does-not-apply"
    DOES_NOT_BUILD = "does-not-build"
    STILL_FAILS = "still-fails"
    REGRESSES = "regresses"
    PLAUSIBLE = "plausible"
    TAMPERED = "tampered"
    INCONCLUSIVE = "inconclusive"  # infrastructure or flakiness: no statement about the patch


class CorrectnessLabel(StrEnum):
    """Whether a plausible patch has the intended behaviour: an axis of its own."""

    UNKNOWN = "unknown"
    CORRECT = "correct"
    OVERFITTING = "overfitting"


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """The verdict on one patch, and the outcomes it rests on.

    Counts are over the baseline's trigger and regression tests. `regressions_run` counts
    regression tests that got an outcome before validation stopped. `progress` in [0, 1] says how
    far the still-failing trigger tests got compared with the baseline, on average (0.5: equally
    far; 0 when there is no comparison).
    `from_cache` marks a verdict that was known and cost nothing.
    `confirmations` counts the complete executions in fresh sandboxes that the verdict rests on,
    and `flaky` names the tests that were left out of it, since they fail on the base now and then.
    """

    verdict: Verdict
    stage: Stage
    triggers_passed: int = 0
    triggers_total: int = 0
    regressions_failed: int = 0
    regressions_run: int = 0
    regressions_total: int = 0
    progress: float = 0.0
    duration_s: float = 0.0
    message: str = ""
    results: tuple[TestResult, ...] = field(default=())
    sandbox: str = ""
    from_cache: bool = False
    confirmations: int = 0
    flaky: tuple[TestId, ...] = ()

    @property
    def is_plausible(self) -> bool:
        """Every trigger test passes and no regression test fails."""
        return self.verdict is Verdict.PLAUSIBLE
