"""Each fixture bug is what its folder claims, and each problem subject has its problem."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from apr.core.bug import Bug
from apr.datasets import folder

FIXTURES = Path(__file__).parents[1] / "fixtures" / "bugs"
BUGS = folder.load(FIXTURES).bugs
WITH_OVERFITTING = [bug for bug in BUGS if (FIXTURES / bug.name / "overfitting.patch").exists()]

RunTests = Callable[..., dict[str, bool]]


@pytest.fixture
def run(run_patched: RunTests) -> Callable[[Bug, str | None], dict[str, bool]]:
    def run(bug: Bug, patch: str | None) -> dict[str, bool]:
        home = FIXTURES / bug.name
        return run_patched(
            Path(bug.subject),
            home / patch if patch else None,
            sorted(home.glob("hidden/*.py")) if patch else [],
            bug.test_command.argv,
            bug.test_command.kind.value,
        )

    return run


def test_there_is_a_bug_of_each_kind() -> None:
    assert len(BUGS) == 11
    assert len(WITH_OVERFITTING) == 8


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_exactly_the_trigger_tests_fail(bug: Bug, run: RunTests) -> None:
    outcomes = run(bug, None)
    assert {test for test, passed in outcomes.items() if not passed} == set(bug.trigger_tests)
    assert any(outcomes.values())


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_correct_patch_passes_every_test(bug: Bug, run: RunTests) -> None:
    outcomes = run(bug, "correct.patch")
    assert set(bug.trigger_tests) <= outcomes.keys()
    assert all(outcomes.values())


@pytest.mark.parametrize("bug", WITH_OVERFITTING, ids=lambda bug: bug.name)
def test_overfitting_patch_fails_only_hidden_tests(bug: Bug, run: RunTests) -> None:
    outcomes = run(bug, "overfitting.patch")
    failed = {test for test, passed in outcomes.items() if not passed}
    assert set(bug.trigger_tests) <= outcomes.keys()
    assert failed
    assert all(test.startswith("test_hidden.py::") for test in failed)


def test_byte_level_fixtures_kept_their_bytes() -> None:
    crlf = (FIXTURES / "crlf_file/subject/limits.py").read_bytes()
    assert crlf.count(b"\r\n") == crlf.count(b"\n") > 0
    assert not (FIXTURES / "no_final_newline/subject/parity.py").read_bytes().endswith(b"\n")
    latin1 = (FIXTURES / "latin1_source/subject/greeting.py").read_bytes()
    assert b"coding: latin-1" in latin1
    with pytest.raises(UnicodeDecodeError):
        latin1.decode("utf-8")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("syntax_error", {"tests/test_target.py": False}),
        ("no_tests", {}),
        (
            "nothing_fails",
            {
                "tests/test_target.py::test_double": True,
                "tests/test_target.py::test_double_of_zero": True,
            },
        ),
        (
            "everything_fails",
            {
                "tests/test_target.py::test_double": False,
                "tests/test_target.py::test_double_of_zero": False,
            },
        ),
    ],
)
def test_problem_subject_shows_its_problem(
    name: str, expected: dict[str, bool], run_here: RunTests
) -> None:
    assert run_here(FIXTURES / "problems" / name) == expected


def test_hanging_import_never_gets_to_its_tests() -> None:
    text = (FIXTURES / "problems/hanging_import/tests/test_target.py").read_text()
    assert text.index("time.sleep(3600)") < text.index("def test_")
