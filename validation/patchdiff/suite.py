"""Tests that tell versions apart by passing on one and failing on another."""

from __future__ import annotations

from collections.abc import Sequence

from apr.core.bug import TestId
from apr.core.errors import EnvironmentUnusableError
from apr.core.report import TestOutcome
from validation.patchdiff.capture import Captured
from validation.patchdiff.model import SuiteDifference
from validation.patchdiff.sessions import Place, Version
from validation.runners.base import RunLimits
from validation.runners.python import PythonRunner


def differing_tests(captures: Sequence[Captured]) -> tuple[SuiteDifference, ...]:
    """Tests that passed on one version and failed on another while they were traced.

    One that either has not come to in time says nothing; one that it lacks does.
    """
    missing = TestOutcome.MISSING
    late = any(each.was_cut for each in captures)
    tests = dict.fromkeys(test for each in captures for test in each.outcomes)
    rows = ((test, tuple(each.outcomes.get(test, missing) for each in captures)) for test in tests)
    return tuple(
        SuiteDifference(test, row)
        for test, row in rows
        if len({o.is_failure for o in row}) > 1 and not (late and missing in row)
    )


def run_tests(
    tests: Sequence[TestId], version: Version, place: Place, limits: RunLimits
) -> dict[TestId, TestOutcome]:
    """The outcomes of these tests on a fresh copy; none when the version ends their process."""
    runner = PythonRunner(place.command, place.sandbox)
    try:
        execution, _ = runner.run(version.root, limits, tests=tests)
    except EnvironmentUnusableError:
        return {}
    return execution.outcomes()


def keep_steady(
    found: Sequence[SuiteDifference],
    versions: Sequence[Version],
    place: Place,
    limits: RunLimits,
    repeats: int,
) -> tuple[SuiteDifference, ...]:
    """Those that come out on every version as they did, each of so many times."""
    steady = {each.test for each in found}
    for index, version in enumerate(versions):
        for _ in range(repeats if steady else 0):
            outcomes = run_tests([each.test for each in found], version, place, limits)
            for each in found:
                again = outcomes.get(each.test, TestOutcome.MISSING)
                if again.is_failure != each.outcomes[index].is_failure:
                    steady.discard(each.test)
    return tuple(each for each in found if each.test in steady)
