"""The modes of localization: what tests accuse, what the issue says, and both."""

from __future__ import annotations

import pytest

from apr.core.bug import TestId
from apr.core.coverage import CoverageMatrix
from apr.core.errors import BadInputError
from apr.core.report import Baseline, TestOutcome, TestResult
from apr.settings import LocalizationName, RunSettings
from apr.suspects import rank_suspects, require_issue

FAILED = TestResult(TestId("t0"), TestOutcome.FAILED)
PASSED = TestResult(TestId("t1"), TestOutcome.PASSED)
SOURCES = {"m.py": "def f():\n    return 1\n\n\ndef g():\n    return 2\n"}
MATRIX = CoverageMatrix(
    (FAILED, PASSED), {"m.py": {2: frozenset({0, 1}), 6: frozenset({0, 1})}}, {}
)


def first_line(mode: LocalizationName, baseline: Baseline) -> tuple[int, str]:
    settings = RunSettings(localization=mode)
    found = rank_suspects(SOURCES, settings, MATRIX, baseline, "`f` is wrong")
    return found[0].location.first, found[0].formula


def baseline(*failing: TestResult) -> Baseline:
    return Baseline(failing, (TestId("t1"),), (), (), {}, 0.0, 2)


def test_the_issue_decides_between_what_the_tests_cannot_tell_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert first_line("spectrum", baseline(FAILED)) == (6, "ochiai")
    assert first_line("combined", baseline(FAILED)) == (2, "ochiai")
    assert first_line("issue", baseline(FAILED)) == (1, "issue")
    assert first_line("combined", baseline()) == (1, "issue")


def test_reading_an_issue_needs_one() -> None:
    require_issue(RunSettings(localization="spectrum"), None)
    require_issue(RunSettings(localization="combined", locations=("m.py",)), None)
    with pytest.raises(BadInputError, match="add --issue FILE"):
        require_issue(RunSettings(localization="issue"), " \n")
