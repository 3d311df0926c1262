"""Which tests judge a patch, in which stages and order, and how long each may take."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from apr.core.bug import TestId
from apr.core.coverage import CoverageMatrix
from apr.core.patch import Patch
from apr.core.report import (
    Baseline,
    Execution,
    Stage,
    TestOutcome,
    TestResult,
    ValidationReport,
    Verdict,
)
from validation.judge import progress, regression_report, tampered, trigger_report
from validation.runners.base import RunLimits

HUNG_FLOORS = 4


@dataclass(frozen=True, slots=True)
class ValidationSettings:
    """How candidates are judged.

    `floor_s` and `factor`: a test may use `floor_s` plus `factor` times what it took in the
    baseline, in seconds of CPU time. `thorough_s`: the quickest tests of a stage, as many as
    together took so long in the baseline, run even after a failure, for finer rewards.
    `confirmations`: complete executions in fresh sandboxes before a patch is called plausible.
    """

    jobs: int = 1
    floor_s: float = 0.25
    factor: float = 4.0
    thorough_s: float = 0.3
    confirmations: int = 2
    limits: RunLimits = field(default_factory=RunLimits)


class Plan:
    """Which tests run in which stage, and how long each may take."""

    def __init__(
        self,
        baseline: Baseline,
        matrix: CoverageMatrix | None,
        settings: ValidationSettings,
        can_select: bool,
    ) -> None:
        self.baseline = baseline
        self.can_select = can_select
        self.is_staged = can_select
        self._settings = settings
        self._tests_by_line = _index_coverage(matrix)
        self._kills: Counter[TestId] = Counter()
        self._hung = frozenset(baseline.hung)
        self._slowest_s = max(
            (s for test, s in baseline.durations_s.items() if test not in self._hung), default=0.0
        )

    @property
    def everything(self) -> tuple[TestId, ...]:
        """All tests in the suite's own order, except those that hang for another reason."""
        expected = {*self.baseline.trigger_tests, *self.baseline.passing}
        return tuple(
            test for test in self.baseline.durations_s if test in expected or test not in self._hung
        )

    def collected(self, session: str) -> tuple[TestId, ...]:
        """Which tests the session called `session` may be asked to run."""
        if session == "trigger":
            return self.baseline.trigger_tests
        return self.baseline.passing if session == "regression" else self.everything

    def trigger_order(self) -> tuple[TestId, ...]:
        """The suite's own order; in a slow suite, those first that found most patches out."""
        return self._arrange(self.baseline.trigger_tests)

    def _arrange(self, tests: Iterable[TestId]) -> tuple[TestId, ...]:
        ordered = tuple(tests)
        if self._expected_s(ordered) <= self._settings.thorough_s:
            return tuple(sorted(ordered, key=lambda test: test in self._hung))
        return tuple(
            sorted(
                ordered,
                key=lambda test: (test in self._hung, -self._kills[test], self._expected_s([test])),
            )
        )

    @property
    def learned(self) -> Mapping[TestId, int]:
        """How many patches each test has found out, as far as that matters for the order."""
        both = (*self.baseline.trigger_tests, *self.baseline.passing)
        return {} if self._expected_s(both) <= self._settings.thorough_s else dict(self._kills)

    def adopt(self, learned: Mapping[TestId, int]) -> None:
        """Put the tests in the order of another plan, which has learned so much."""
        self._kills = Counter(learned)

    def learn(self, reports: Iterable[ValidationReport]) -> None:
        """Remember which test ended the validation of each patch."""
        for report in reports:
            if report.results:
                self._kills[report.results[-1].test] += 1

    def regression_stages(self, patch: Patch) -> list[tuple[Stage, tuple[TestId, ...]]]:
        """Regression tests that meet the patched lines, then all the others."""
        passing = self.baseline.passing
        affected = self._affected(patch)
        if self._expected_s(passing) <= self._settings.thorough_s:
            affected = frozenset()
        first = self._arrange(test for test in passing if test in affected)
        rest = self._arrange(test for test in passing if test not in affected)
        stages = ((Stage.AFFECTED, first), (Stage.FULL, rest))
        return [(stage, tests) for stage, tests in stages if tests]

    def order_digest(self, patch: Patch) -> str:
        """What the course of a validation depends on besides the program, until the next `learn`.

        Empty when every test runs in the suite's own order whatever happens before it.
        """
        baseline = self.baseline
        both = (*baseline.trigger_tests, *baseline.passing)
        if not self.is_staged or self._expected_s(both) <= self._settings.thorough_s:
            return ""
        sha = hashlib.sha256()
        for tests in (self.trigger_order(), *(t for _, t in self.regression_stages(patch))):
            sha.update(
                "\0".join((*tests, str(self.thorough(tests)), "")).encode("utf-8", "replace")
            )
        return sha.hexdigest()

    def unchanged_report(self) -> ValidationReport:
        """What the base itself would get: its trigger tests fail as they did."""
        known = {result.test: result for result in self.baseline.failing}
        order = self.trigger_order() if self.is_staged else self.baseline.trigger_tests
        reached = order[: max(1, self.thorough(order))]
        hangs = [n for n, test in enumerate(reached, 1) if test in self._hung]
        results = tuple(known[test] for test in reached[: hangs[0] if hangs else None])
        return ValidationReport(
            verdict=Verdict.STILL_FAILS,
            stage=Stage.TRIGGER,
            triggers_total=len(self.baseline.failing),
            regressions_total=len(self.baseline.passing),
            progress=progress(self.baseline.failing, results),
            message="the program stays the same",
            results=results,
        )

    def _affected(self, patch: Patch) -> frozenset[TestId]:
        found: set[TestId] = set()
        for hunk in patch.hunks:
            by_line = self._tests_by_line.get(hunk.path, {})
            for line in range(hunk.first - 1, hunk.first + len(hunk.old) + 1):
                found.update(by_line.get(line, ()))
        return frozenset(found)

    def limits_s(self, tests: Sequence[TestId]) -> list[float]:
        """CPU seconds that each of these tests may take."""
        settings = self._settings
        if not self.can_select:
            return [settings.floor_s + settings.factor * self.baseline.duration_s]
        return [
            self._hung_limit_s()
            if test in self._hung
            else settings.floor_s + settings.factor * self._expected_s([test])
            for test in tests
        ]

    def _hung_limit_s(self) -> float:
        """For a test that never ended in the baseline: what its slowest fellow test may take.

        At least `HUNG_FLOORS` times the floor, since a suite of quick tests says little about how
        long a mended loop runs, and no more than the baseline itself waited for it.
        """
        settings = self._settings
        relative = settings.floor_s + settings.factor * self._slowest_s
        return min(settings.limits.test_s, max(HUNG_FLOORS * settings.floor_s, relative))

    @property
    def loading_s(self) -> float:
        """CPU seconds for importing the program: what the baseline took besides its tests."""
        outside = self.baseline.duration_s - sum(self.baseline.durations_s.values())
        return max(2.0, self._settings.factor * outside)

    def thorough(self, tests: Sequence[TestId]) -> int:
        """How many of the tests run even after a failure: as many as take `thorough_s`."""
        if not self.is_staged:
            return len(tests)
        total = 0.0
        for count, test in enumerate(tests):
            total += self._expected_s([test])
            if total > self._settings.thorough_s:
                return count
        return len(tests)

    def _expected_s(self, tests: Sequence[TestId]) -> float:
        """What the tests took; those that hung in the baseline tell nothing about a fix."""
        durations = self.baseline.durations_s
        return sum(durations.get(test, 0.0) for test in tests if test not in self._hung)

    def judge_complete(
        self, execution: Execution, excused: frozenset[TestId] = frozenset()
    ) -> ValidationReport:
        """Judge one execution of all tests; what becomes of the excused ones does not matter."""
        triggers = self.baseline.trigger_tests
        passing = tuple(test for test in self.baseline.passing if test not in excused)
        if execution.tampering:
            return tampered(self.baseline, Stage.TRIGGER, execution)
        unknown = self._unknown_failure(execution)
        if unknown is not None:
            return unknown
        execution = self._with_revived_modules(execution)
        report = trigger_report(self.baseline, _only(execution, triggers))
        if not report.is_plausible or not passing:
            return report
        return regression_report(report, Stage.FULL, passing, _only(execution, passing))

    def _with_revived_modules(self, execution: Execution) -> Execution:
        """Test modules whose failing import was a trigger, and whose tests now run, have passed."""
        seen = {result.test for result in execution.results}
        revived = tuple(
            TestResult(trigger, TestOutcome.PASSED)
            for trigger in self.baseline.trigger_tests
            if trigger not in seen and any(_is_inside(test, trigger) for test in seen)
        )
        return replace(execution, results=(*execution.results, *revived))

    def _unknown_failure(self, execution: Execution) -> ValidationReport | None:
        """A failing test that the baseline did not know, since its module could not be imported."""
        known = self.baseline.durations_s
        unknown = [r for r in execution.results if r.outcome.is_failure and r.test not in known]
        if not unknown:
            return None
        return ValidationReport(
            verdict=Verdict.STILL_FAILS,
            stage=Stage.TRIGGER,
            triggers_total=len(self.baseline.failing),
            regressions_total=len(self.baseline.passing),
            message=f"{unknown[0].test}: {unknown[0].message}",
            results=tuple(unknown),
        )


def _is_inside(test: TestId, module: TestId) -> bool:
    """Whether `module` is how pytest or unittest call the module of `test` when it cannot load."""
    failed = module.removeprefix("unittest.loader._FailedTest.")
    return test.startswith(f"{module}::") or (failed != module and test.startswith(f"{failed}."))


def _only(execution: Execution, tests: Sequence[TestId]) -> Execution:
    """The part of an execution that concerns `tests`, with the exit status that fits it."""
    wanted = frozenset(tests)
    results = tuple(result for result in execution.results if result.test in wanted)
    status = execution.exit_status
    others_fail = any(
        result.outcome.is_failure for result in execution.results if result.test not in wanted
    )
    if others_fail and status == 1:
        status = 1 if any(result.outcome.is_failure for result in results) else 0
    return replace(execution, results=results, exit_status=status)


def _index_coverage(
    matrix: CoverageMatrix | None,
) -> Mapping[str, Mapping[int, frozenset[TestId]]]:
    if matrix is None:
        return {}
    return {
        path: {
            line: frozenset(matrix.results[index].test for index in tests)
            for line, tests in lines.items()
        }
        for path, lines in matrix.lines.items()
    }
