"""The bundled demo is what its README claims: three bugs, and patches of known worth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from apr.core.bug import Bug
from apr.datasets import folder

DEMO = Path(__file__).parents[2] / "benchmarks" / "demo"
SUBJECT = DEMO / "stockroom"
BUGS = folder.load(DEMO).bugs

RunPatched = Callable[..., dict[str, bool]]


def failing(outcomes: dict[str, bool]) -> set[str]:
    return {test for test, passed in outcomes.items() if not passed}


def hidden(bug: Bug) -> Path:
    return DEMO / "hidden" / f"test_hidden_{bug.name.replace('-', '_')}.py"


def all_triggers() -> set[str]:
    return {str(test) for bug in BUGS for test in bug.trigger_tests}


def test_three_bugs_have_tests_of_their_own() -> None:
    assert [bug.name for bug in BUGS] == ["no-orders", "returns", "tier-boundary"]
    assert sum(len(bug.trigger_tests) for bug in BUGS) == len(all_triggers()) == 10


def test_exactly_the_trigger_tests_fail(run_patched: RunPatched) -> None:
    outcomes = run_patched(SUBJECT, None)
    assert len(outcomes) == 80
    assert failing(outcomes) == all_triggers()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_correct_patch_fixes_its_bug_and_nothing_else(bug: Bug, run_patched: RunPatched) -> None:
    patch = DEMO / "patches" / f"{bug.name}.correct.patch"
    outcomes = run_patched(SUBJECT, patch, [hidden(bug)])
    assert failing(outcomes) == all_triggers() - set(bug.trigger_tests)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_overfitting_patch_fails_only_hidden_tests(bug: Bug, run_patched: RunPatched) -> None:
    patch = DEMO / "patches" / f"{bug.name}.overfitting.patch"
    outcomes = run_patched(SUBJECT, patch, [hidden(bug)])
    still_failing = failing(outcomes) - (all_triggers() - set(bug.trigger_tests))
    assert still_failing
    assert all(test.startswith("test_hidden_") for test in still_failing)


def test_first_of_two_edits_is_visible_progress(run_patched: RunPatched) -> None:
    (bug,) = (bug for bug in BUGS if bug.name == "returns")
    outcomes = run_patched(SUBJECT, DEMO / "patches" / "returns.first-edit.patch")
    fixed = all_triggers() - failing(outcomes)
    assert fixed < set(bug.trigger_tests)
    assert len(fixed) == 2
    assert failing(outcomes) < all_triggers()
