"""The suspects of a bug, and of a patch that has mended a part of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from apr.core.bug import TestId
from apr.core.coverage import CoverageMatrix
from apr.core.errors import BadInputError
from apr.core.location import SuspiciousLocation
from apr.core.oracle import Oracle
from apr.core.report import Baseline, TestOutcome, ValidationReport, Verdict
from apr.core.tree import SearchNode
from apr.localization.given import parse_location
from apr.localization.issue.locate import rank_by_issue
from apr.localization.localize import localize
from apr.localization.stacktrace import combine
from apr.settings import RunSettings, default_cache_dir

READING = ("issue", "combined")
"""The modes of localization that read the issue."""
ISSUE_WEIGHT = 0.5
"""How much the issue counts beside the failing tests."""


def rank_suspects(
    sources: Mapping[str, str],
    settings: RunSettings,
    matrix: CoverageMatrix | None,
    baseline: Baseline,
    issue: str | None = None,
) -> tuple[SuspiciousLocation, ...]:
    """The locations as given, or else as the baseline or the issue accuses them.

    Without a failing test only the issue can.

    Raises:
        BadInputError: when a given location or the formula does not exist.
    """
    if settings.locations:
        given = (parse_location(text, sources) for text in settings.locations)
        return tuple(suspect for suspects in given for suspect in suspects)
    limit, mode = settings.max_locations, settings.localization
    if mode not in READING:
        return _by_tests(sources, settings, matrix, baseline, limit)
    told = rank_by_issue(issue or "", sources, index_file(), limit)
    if mode == "issue" or not baseline.failing:
        return told
    measured = _by_tests(sources, settings, matrix, baseline, None)
    return combine(measured, told, weight=ISSUE_WEIGHT)[:limit]


def require_issue(settings: RunSettings, issue: str | None) -> None:
    """See to it, before anything is run, that there is an issue if it is to be read.

    Raises:
        BadInputError: when there is none.
    """
    mode = settings.localization
    if mode in READING and not settings.locations and not (issue or "").strip():
        raise BadInputError(f"localization by {mode} needs the text of an issue: add --issue FILE")


def _by_tests(
    sources: Mapping[str, str],
    settings: RunSettings,
    matrix: CoverageMatrix | None,
    baseline: Baseline,
    limit: int | None,
) -> tuple[SuspiciousLocation, ...]:
    return localize(
        matrix
        and _heard(matrix, baseline.trigger_tests, (*baseline.other_failing, *baseline.flaky)),
        baseline.failing,
        sources,
        formula=settings.formula,
        limit=limit,
    )


def index_file() -> Path:
    """Where the words of source files are remembered."""
    return default_cache_dir() / "issue-units.sqlite"


def _heard(
    matrix: CoverageMatrix, failing: Collection[TestId], silent: Collection[TestId]
) -> CoverageMatrix:
    """The matrix as if exactly `failing` had failed and `silent` had not been run.

    Tests that fail because of another bug, or now and then, must not accuse anything.
    """
    failed, unheard = frozenset(failing), frozenset(silent)

    def outcome(test: TestId, seen: TestOutcome) -> TestOutcome:
        if test in unheard:
            return TestOutcome.SKIPPED
        if test in failed:
            return seen if seen.is_failure else TestOutcome.FAILED
        return TestOutcome.PASSED if seen.is_failure else seen

    results = tuple(
        replace(result, outcome=outcome(result.test, result.outcome)) for result in matrix.results
    )
    return replace(matrix, results=results)


class Relocation:
    """Ranks the suspects of a partly mended program by the tests that fail there.

    The base's coverage stands in for the patched program's: the tests that a patch has mended
    now speak for the lines they execute, and only those still failing speak against them. With
    given locations, with an issue that was read, or where nothing has changed sides, the base's
    ranking holds.
    """

    def __init__(self, sources: Mapping[str, str], settings: RunSettings, oracle: Oracle) -> None:
        self._sources = sources
        self._settings = settings
        self._oracle = oracle
        self._known: dict[frozenset[TestId], tuple[SuspiciousLocation, ...]] = {}

    def __call__(self, node: SearchNode) -> tuple[SuspiciousLocation, ...]:
        failing = self._failing(node.report)
        is_fixed = bool(self._settings.locations) or self._settings.localization in READING
        if not failing or is_fixed or self._oracle.matrix is None:
            return self._oracle.locations
        if failing not in self._known:
            self._known[failing] = self._rank(failing) or self._oracle.locations
        return self._known[failing]

    def _failing(self, report: ValidationReport | None) -> frozenset[TestId]:
        """The tests that fail with the patch; empty when not all are known, or as before."""
        if report is None or report.verdict not in (Verdict.STILL_FAILS, Verdict.REGRESSES):
            return frozenset()
        failed = frozenset(result.test for result in report.results)
        if report.verdict is Verdict.REGRESSES:
            return failed
        complete = report.triggers_passed + len(failed) == report.triggers_total
        return failed if complete and report.triggers_passed else frozenset()

    def _rank(self, failing: frozenset[TestId]) -> tuple[SuspiciousLocation, ...]:
        baseline, matrix = self._oracle.baseline, self._oracle.matrix
        if matrix is None:
            return ()
        return localize(
            _heard(matrix, failing, (*baseline.other_failing, *baseline.flaky)),
            tuple(result for result in baseline.failing if result.test in failing),
            self._sources,
            formula=self._settings.formula,
            limit=self._settings.max_locations,
        )
