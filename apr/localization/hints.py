"""Localization without coverage: stack traces first, then what the failing tests allude to.

Tests are named after what they test, so a file is as suspicious as the share of the words of its
name found in the names and messages of the failing tests; and a fault tends to lie close to where
it crashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import split_lines
from apr.core.report import TestResult
from apr.source.statements import index_source

TEST_NAME = "test-name"
_BASE = 0.1
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def rank_by_hints(
    failures: Sequence[TestResult],
    traced: Sequence[SuspiciousLocation],
    sources: Mapping[str, str],
) -> tuple[SuspiciousLocation, ...]:
    """Every statement of every source, the most suspicious first.

    A statement that stack traces name with evidence e gets (1 + e) / 2 and formula `stack-trace`.
    Any other gets formula `test-name` and at most 0.5: the larger of the allusion to its file and
    function, and of e / (2 + d / 5) for each traced statement d lines away in its file.
    """
    alluded = frozenset(word for failure in failures for word in _words_of(failure))
    known = {location.location: location for location in traced}
    ranked = [_promoted(location) for location in traced]
    for path in sorted(sources):
        near = [location for location in traced if location.location.path == path]
        hints = _rank_file(path, sources[path], alluded, near)
        ranked.extend(hint for hint in hints if hint.location not in known)
    return tuple(sorted(ranked, key=lambda s: (-s.suspiciousness, s.location)))


def _promoted(traced: SuspiciousLocation) -> SuspiciousLocation:
    return replace(traced, suspiciousness=(1 + traced.suspiciousness) / 2)


def _rank_file(
    path: str, text: str, alluded: frozenset[str], near: Sequence[SuspiciousLocation]
) -> Iterator[SuspiciousLocation]:
    file_hint = _BASE + 0.3 * _share(PurePosixPath(path).stem, alluded)
    for statement in index_source(path, text).statements:
        where = Location(path, statement.first, statement.last)
        function = (statement.function or "").rpartition(".")[2]
        hint = file_hint + 0.1 * _share(function, alluded)
        value = max([hint, *(_proximity(where, traced) for traced in near)])
        yield SuspiciousLocation(where, value, TEST_NAME, statement.function)


def _proximity(where: Location, traced: SuspiciousLocation) -> float:
    distance = max(traced.location.first - where.last, where.first - traced.location.last, 0)
    return traced.suspiciousness / (2 + distance / 5)


def _words_of(failure: TestResult) -> list[str]:
    first_lines = split_lines(failure.message)[:5]
    return _words(" ".join([failure.test, *first_lines]))


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _share(name: str, alluded: frozenset[str]) -> float:
    words = _words(name)
    return sum(word in alluded for word in words) / len(words) if words else 0.0
