"""The corpus itself: large enough, every patch real, and none tried where it could do harm."""

from __future__ import annotations

import pytest

from apr.core.diff import parse_diff
from support.hostile.arena import may_try, unpromised
from support.hostile.cases import (
    SUBJECTS,
    TARGETS,
    fill,
    honest_patch,
    hostile_patch,
    load_cases,
    source,
)
from validation.sandbox import PROMISES, Promise

CASES = load_cases()
EMPTY = {"TCP": "1", "UDP": "1", "VICTIM": "1", "KEY": "1", "CR": "\r", "NESTED": "()"}


def test_there_are_more_attacks_than_anyone_asked_for() -> None:
    attacks = {(case.family, case.name) for case in CASES if not case.limits}
    assert len(attacks) >= 200


def test_every_stake_is_a_promise() -> None:
    assert {stake for case in CASES for stake in case.stakes} <= set(Promise)


def test_no_attack_is_dangerous_without_saying_what_must_hold_it() -> None:
    assert not [case.id for case in CASES if case.dangerous and not case.stakes]


@pytest.mark.parametrize("backend", PROMISES)
def test_what_is_too_dangerous_for_a_backend_is_what_it_does_not_promise(backend: str) -> None:
    untried = [case for case in CASES if not may_try(backend, case)]
    assert all(unpromised(backend, case) for case in untried)
    assert bool(untried) == (backend != "docker")


def test_every_patch_changes_the_source_and_is_not_the_fix() -> None:
    for case in (case for case in CASES if not case.diff):
        target = TARGETS[case.subject]
        before = {target.path: source(case.subject)}
        patch = hostile_patch(case, EMPTY)
        assert patch.paths == (target.path,), case.id
        fixed = honest_patch(case.subject, 0, right=True).apply(before)
        assert patch.apply(before) not in (before, fixed), case.id


def test_every_diff_can_be_read_unless_that_is_its_point() -> None:
    for case in (case for case in CASES if case.diff and case.family != "malformed"):
        assert parse_diff(fill(case.diff, EMPTY).lstrip("\n").encode()), case.id


def test_every_subject_is_there() -> None:
    assert {path.name for path in SUBJECTS.iterdir()} == set(TARGETS)
