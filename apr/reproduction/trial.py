"""Tries drafts of a test on the buggy program, and keeps the one that shows what was reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from apr.answers import add_test, names_of_tests
from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.errors import AprError, BadInputError
from apr.core.location import SuspiciousLocation
from apr.core.report import TestOutcome, TestResult
from apr.localization.issue.locate import rank_by_issue
from apr.repair import Notify
from apr.reproduction.matching import likeness, why_not
from apr.reproduction.snippets import draft_tests
from apr.settings import RunSettings
from apr.subject import PreparedSubject, prepare_subject
from apr.suspects import index_file
from validation.runners.detect import make_runner

FROM_ISSUE = "issue"
SUSPECTS = 60
EXECUTIONS = 2
"""A test that does not fail each time reproduces nothing."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A test file with one test, and who wrote it: the issue itself, or a model by its name."""

    text: str
    origin: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a draft: `complaint` says why it is of no use, empty when it is."""

    draft: Draft
    complaint: str
    message: str = ""
    likeness: float = 0.0


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The bug with a test that shows it; without one (`chosen` None) the bug as it was."""

    bug: Bug
    chosen: Tried | None
    tried: tuple[Tried, ...]


Write = Callable[[PreparedSubject, Sequence[SuspiciousLocation]], Sequence[Draft]]
"""Writes drafts, told of the subject and of where the issue points."""


def reproduce_issue(
    bug: Bug, settings: RunSettings, notify: Notify, write: Write | None = None
) -> Reproduction:
    """Look for a test that fails on the buggy program for the reason that its issue gives.

    The issue's own examples come first; `write` is asked only when none of them is of use.

    Raises:
        BadInputError: when there is no issue, or the tests are not run by pytest.
        EnvironmentUnusableError: when no test can be run at all.
    """
    issue = (bug.issue_text or "").strip()
    if not issue:
        raise BadInputError("there is no issue to reproduce: add --issue FILE")
    if bug.test_command.kind is not RunnerKind.PYTEST:
        raise BadInputError("issues are reproduced by tests of pytest, which does not run these")
    notify("phase", {"name": "reproduce"})
    with prepare_subject(bug, settings) as subject:
        suspects = rank_by_issue(issue, subject.sources, index_file(), SUSPECTS)
        examples = [Draft(text, FROM_ISSUE) for text in draft_tests(issue, _package(suspects))]
        tried = _try_drafts(examples, subject, issue)
        if write is not None and all(each.complaint for each in tried):
            tried += _try_drafts(write(subject, suspects), subject, issue)
    usable = [each for each in tried if not each.complaint]
    chosen = max(usable, key=lambda each: each.likeness, default=None)
    found = bug if chosen is None else with_trigger(bug, chosen.draft.text)
    return Reproduction(found, chosen, tuple(tried))


def with_trigger(bug: Bug, text: str) -> Bug:
    """The bug with a test file more, whose tests alone are its trigger tests."""
    added = add_test(bug, text, fails=True, called="reproduction")
    path = added.added_tests[-1][0]
    return replace(added, trigger_tests=tuple(TestId(f"{path}::{n}") for n in names_of_tests(text)))


def _package(suspects: Sequence[SuspiciousLocation]) -> str:
    """The top package of the first suspect."""
    parts = Path(suspects[0].location.path).with_suffix("").parts if suspects else ()
    return next((part for part in parts if part not in ("src", "lib")), "")


def _try_drafts(drafts: Sequence[Draft], subject: PreparedSubject, issue: str) -> list[Tried]:
    """Run all drafts at once; the folder they are put into is the subject's private copy."""
    paths = {f"test_issue_{number}.py": draft for number, draft in enumerate(drafts, 1)}
    for path, draft in paths.items():
        (subject.workspace.root / path).write_text(draft.text, encoding="utf-8")
    try:
        outcomes = [_run(list(paths), subject) for _ in range(EXECUTIONS if paths else 0)]
    finally:
        for path in paths:
            (subject.workspace.root / path).unlink()
    return [
        _judge(draft, [each.get(path) for each in outcomes], issue) for path, draft in paths.items()
    ]


def _run(paths: Sequence[str], subject: PreparedSubject) -> dict[str, TestResult]:
    """The first result of each file that has any."""
    runner = make_runner(_only(subject.bug.test_command, subject, paths), subject.sandbox)
    try:
        execution, _ = runner.run(subject.workspace.root, subject.limits)
    except AprError:
        return {}
    results: dict[str, TestResult] = {}
    for result in execution.results:
        results.setdefault(result.test.partition("::")[0], result)
    return results


def _only(command: TestCommand, subject: PreparedSubject, paths: Sequence[str]) -> TestCommand:
    """The command with these files instead of whatever it names."""
    root = subject.workspace.root
    options = [
        part
        for part in command.argv
        if part.startswith("-") or not (root / part.partition("::")[0]).exists()
    ]
    return replace(command, argv=(*options, *paths))


def _judge(draft: Draft, results: Sequence[TestResult | None], issue: str) -> Tried:
    seen = [result for result in results if result is not None]
    if len(seen) < len(results):
        return Tried(draft, "it could not be run")
    complaints = [why_not(result, draft.text, issue) for result in seen]
    complaint = next((each for each in complaints if each), "")
    first = seen[0]
    is_failure = first.outcome is not TestOutcome.PASSED
    return Tried(draft, complaint, first.message if is_failure else "", likeness(first, issue))
