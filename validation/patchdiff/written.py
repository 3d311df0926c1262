"""Tests that somebody wrote to tell versions apart, as Wang et al. have a language model do.

A test that names implementation details is left out. One that passes on a version and fails on
another, each time, is a difference as it stands. Of all others the calls remain: what a test feeds
to the functions is an input like those of the suite, however wrong its expectation is.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from apr.core.bug import RunnerKind
from apr.core.report import TestOutcome
from validation.patchdiff.capture import Captured
from validation.patchdiff.model import (
    Call,
    SuiteDifference,
    Target,
    Written,
    WrittenDifference,
    WrittenTest,
)
from validation.patchdiff.render import show_call
from validation.patchdiff.sessions import Place, Version
from validation.patchdiff.suite import differing_tests, keep_steady, run_tests
from validation.runners.base import RunLimits

EXAMPLES = 4
PRYING = frozenset({"ast", "dis", "gc", "inspect", "mock", "tokenize"})
"""Modules with which a test looks at how something is done."""


@dataclass(frozen=True, slots=True)
class View:
    """An affected function for whoever writes tests of it.

    `texts` has its source in each version, empty where a version lacks it; they are the same for
    one that only leads to what was changed. `calls` are examples from the suite, `tests` their
    tests.
    """

    target: Target
    texts: tuple[str, ...]
    calls: tuple[str, ...]
    tests: tuple[str, ...]


Author = Callable[[Sequence[View]], Sequence[WrittenTest]]


def view(
    target: Target, texts: tuple[str, ...], calls: Sequence[Call], most: int = EXAMPLES
) -> View:
    """The function with the shortest calls of it that the suite makes."""
    shown = sorted({show_call(target, call) for call in calls}, key=lambda text: (len(text), text))
    tests = dict.fromkeys(call.test for call in calls if call.test)
    return View(target, texts, tuple(shown[:most]), tuple(tests)[:most])


def collect(
    tests: Sequence[WrittenTest],
    trace: Callable[[Place], list[Captured]],
    versions: Sequence[Version],
    base: Version | None,
    place: Place,
    limits: RunLimits,
    repeats: int,
) -> tuple[list[Captured], Written]:
    """The calls that the tests make, by version, and what the tests themselves say.

    `trace` runs the tests of a place on as many of the versions as need be.
    """
    kept, counts = sort_out(tests)
    if not kept:
        return [], Written((), counts)
    here = place_of(kept, place)
    with placed(kept, [*versions, *([base] if base is not None else [])]):
        captures = trace(here)
        written = weigh(kept, captures, versions, base, here, limits, repeats)
    return captures, replace(written, counts=counts + Counter(written.counts))


def sort_out(tests: Sequence[WrittenTest]) -> tuple[list[WrittenTest], Counter[str]]:
    """The tests that may be run, and how many were left out, by reason."""
    counts: Counter[str] = Counter()
    kept: list[WrittenTest] = []
    for each in tests:
        reason = _complaint(each.text)
        if reason:
            counts[reason] += 1
        else:
            kept.append(each)
    return kept, counts


def _complaint(text: str) -> str:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "invalid"
    return "internal" if any(_is_prying(node) for node in ast.walk(tree)) else ""


def _is_prying(node: ast.AST) -> bool:
    names: list[str] = []
    if isinstance(node, ast.Import | ast.ImportFrom):
        modules = [alias.name for alias in node.names]
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names = [part for module in modules for part in module.split(".")]
    elif isinstance(node, ast.Attribute):
        names = [node.attr]
    elif isinstance(node, ast.Name):
        names = [node.id]
    elif isinstance(node, ast.arg):
        return node.arg == "monkeypatch"
    is_import = isinstance(node, ast.Import | ast.ImportFrom)
    return any(_is_private(name) or (is_import and name in PRYING) for name in names)


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("_") and name != "_"


@contextmanager
def placed(tests: Sequence[WrittenTest], versions: Sequence[Version]) -> Iterator[None]:
    """The tests lie in the folder of every version, for as long as the block lasts."""
    files = [version.root / each.name for version in versions for each in tests]
    try:
        for version in versions:
            for each in tests:
                text = each.text.encode("utf-8", "surrogatepass")
                (version.root / each.name).write_bytes(text)
        yield
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def place_of(tests: Sequence[WrittenTest], place: Place) -> Place:
    """Where these tests alone are run."""
    names = tuple(each.name for each in tests)
    return replace(place, command=replace(place.command, kind=RunnerKind.PYTEST, argv=names))


def weigh(
    tests: Sequence[WrittenTest],
    captures: Sequence[Captured],
    versions: Sequence[Version],
    base: Version | None,
    place: Place,
    limits: RunLimits,
    repeats: int,
) -> Written:
    """What the tests say of the versions, of which the first have been traced.

    The tests must lie in all folders (`placed`).
    """
    files = {each.name: each for each in tests}
    seen = differing_tests(captures)
    steady = keep_steady(seen, versions[: len(captures)], place, limits, repeats)
    names = [each.test for each in steady]
    more = [run_tests(names, version, place, limits) for version in versions[len(captures) :]]
    on_base = run_tests(names, base, place, limits) if base is not None and names else {}
    differences = tuple(
        WrittenDifference(
            files[each.test.partition("::")[0]],
            SuiteDifference(
                each.test,
                (*each.outcomes, *(o.get(each.test, TestOutcome.MISSING) for o in more)),
            ),
            on_base.get(each.test),
        )
        for each in steady
        if each.test.partition("::")[0] in files
    )
    counts = Counter(_standing(name, captures) for name in files)
    counts["unsteady"] += len(seen) - len(steady)
    counts["differs"] = len(differences)
    return Written(differences, {name: number for name, number in counts.items() if number})


def _standing(file: str, captures: Sequence[Captured]) -> str:
    """How the tests of a file came out where they were traced."""
    rows = [
        {test: o for test, o in each.outcomes.items() if test.partition("::")[0] == file}
        for each in captures
    ]
    failed = [not row or any(o.is_failure for o in row.values()) for row in rows]
    if all(failed):
        return "broken"
    return "differs" if any(failed) else "alike"
