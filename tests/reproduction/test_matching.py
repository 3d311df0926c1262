"""Which failures are those that an issue reports."""

from __future__ import annotations

import pytest

from apr.core.bug import TestId
from apr.core.report import Frame, TestOutcome, TestResult
from apr.reproduction.matching import likeness, raised_by, why_not

ISSUE = "`last` breaks\n\nlast([1])\n\nIndexError: list index out of range"
TEST = "def test():\n    assert last([1]) == 1\n"


def failed(message: str, *, in_subject: bool = False) -> TestResult:
    frames = (Frame("m.py", 1, "last"),) if in_subject else ()
    return TestResult(TestId("t"), TestOutcome.FAILED, message=message, frames=frames)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("E   IndexError: list index out of range", ("IndexError", "list index out of range")),
        ("m.py:3: in last\nshop.errors.PriceError: no price", ("PriceError", "no price")),
        ("E   KeyError", ("KeyError", "")),
        ("assert 1 == 2", ("", "")),
    ],
)
def test_the_exception_is_read_off_the_message(message: str, said: tuple[str, str]) -> None:
    assert raised_by(failed(message)) == said


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ("IndexError: list index out of range", ""),
        ("IndexError: list out of bounds", ""),
        ("IndexError: completely unrelated words", "says something else"),
        ("TypeError: list", "TypeError, which the issue does not name"),
        ("NameError: name 'last' is not defined", "NameError, which the issue does not name"),
        ("AssertionError: assert 2 == 1", ""),
    ],
)
def test_an_exception_must_be_the_issues_own(message: str, complaint: str) -> None:
    found = why_not(failed(message), TEST, ISSUE)
    assert complaint in found
    assert bool(found) == bool(complaint)


def test_a_test_that_lacks_a_name_is_no_reproduction_even_of_a_name_error() -> None:
    issue = "NameError: name 'x' is not defined"
    assert "itself" in why_not(failed(issue), TEST, issue)
    assert why_not(failed(issue, in_subject=True), TEST, issue) == ""


def test_an_assertion_must_be_about_what_the_issue_names() -> None:
    other = "def test():\n    assert len([1]) == 2\n"
    assert "asserts nothing" in why_not(failed("assert 1 == 2"), other, "`last` breaks")


def test_what_passes_hangs_or_is_skipped_shows_nothing() -> None:
    for outcome in (TestOutcome.PASSED, TestOutcome.SKIPPED, TestOutcome.TIMEOUT):
        assert why_not(TestResult(TestId("t"), outcome), TEST, ISSUE)


def test_likeness_counts_shared_words() -> None:
    assert likeness(failed("IndexError: list index out of range"), ISSUE) == 1.0
    assert likeness(failed("IndexError: banana"), "IndexError") == 0.75
    assert likeness(failed(""), ISSUE) == 0.0
