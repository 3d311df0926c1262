"""The tests near a suspected fault, where running all of them would take hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from apr.localization.issue.cache import find_units
from apr.localization.issue.rank import rank_files, rank_units
from apr.localization.issue.text import read_issue
from apr.source.words import words_of

SUSPECTED = 3
"""Files whose own tests are wanted."""
_ROLES = frozenset({"test", "tests", "unittest", "testing"})


def tests_near(
    issue: str,
    suspected: Sequence[str],
    tests: Mapping[str, str],
    cache: Path | None,
    most: int,
) -> tuple[str, ...]:
    """At most `most` of the test files: those named after a suspected file, then by the issue.

    `suspected` are paths of source files, the most suspicious first; `tests` maps the paths of
    test files to their texts. `cache` is as for `find_units`.
    """
    runnable = {path: text for path, text in tests.items() if _is_run_by_pytest(path)}
    own = [path for each in suspected[:SUSPECTED] for path in _tests_of(each, runnable)]
    ranked = rank_files(rank_units(read_issue(issue), find_units(runnable, cache)))
    return tuple(dict.fromkeys([*own, *ranked]))[:most]


tests_near.__test__ = False  # type: ignore[attr-defined]


def _is_run_by_pytest(path: str) -> bool:
    name = PurePosixPath(path).name
    named = name.startswith(("test_", "unittest_")) or name.endswith("_test.py")
    return named and name.endswith(".py")


def _tests_of(source: str, tests: Mapping[str, str]) -> list[str]:
    """The tests that are named after a file, those in the nearest folder first."""
    stem = PurePosixPath(source).stem.strip("_")
    named = [path for path in sorted(tests) if stem in (_subject_of(path), _last_word(path))]
    return sorted(named, key=lambda path: -_shared_folders(source, path))[:SUSPECTED]


def _subject_of(path: str) -> str:
    """What a test file is called after, which `test_x.py` and `x_test.py` say alike."""
    parts = PurePosixPath(path).stem.split("_")
    return "_".join(part for part in parts if part not in _ROLES)


def _last_word(path: str) -> str:
    words = [word for word in words_of(PurePosixPath(path).stem) if word not in _ROLES]
    return words[-1] if words else ""


def _shared_folders(left: str, right: str) -> int:
    return len(set(PurePosixPath(left).parent.parts) & set(PurePosixPath(right).parent.parts))
