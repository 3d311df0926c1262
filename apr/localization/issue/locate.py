"""The statements that an issue points at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import split_lines
from apr.localization.issue.cache import find_units
from apr.localization.issue.rank import ScoredUnit, rank_units
from apr.localization.issue.text import IssueText, read_issue
from apr.source.statements import SourceIndex, Statement, index_source
from apr.source.words import words_of

ISSUE = "issue"
OWN_SHARE = 0.1
"""How much of a statement's suspiciousness its own words decide; the rest is its function's."""


def rank_by_issue(
    text: str, sources: Mapping[str, str], cache: Path | None, limit: int
) -> tuple[SuspiciousLocation, ...]:
    """At most `limit` statements by what an issue says, function by function.

    The best function's suspiciousness is 1. `cache` is a file that remembers what is in the
    sources; None: nothing is remembered.
    """
    issue = read_issue(text)
    ranking = rank_units(issue, find_units(sources, cache))
    best = ranking[0].score if ranking else 1.0
    found: list[SuspiciousLocation] = []
    indexes: dict[str, SourceIndex] = {}
    for scored in ranking:
        if len(found) >= limit:
            break
        path = scored.path
        if path not in indexes:
            indexes[path] = index_source(path, sources[path])
        found += _statements(scored, scored.score / best, issue, sources[path], indexes[path])
    return tuple(sorted(found[:limit], key=lambda each: (-each.suspiciousness, each.location)))


def _statements(
    scored: ScoredUnit, value: float, issue: IssueText, text: str, index: SourceIndex
) -> list[SuspiciousLocation]:
    lines = split_lines(text)
    found = [
        SuspiciousLocation(
            Location(scored.path, each.first, each.last),
            value * (1 - OWN_SHARE + OWN_SHARE * _share(issue, lines[each.first - 1 : each.last])),
            ISSUE,
            each.function,
        )
        for each in _inside(scored, index)
    ]
    return sorted(found, key=lambda each: -each.suspiciousness)


def _inside(scored: ScoredUnit, index: SourceIndex) -> Iterator[Statement]:
    """The statements of the unit that are in none of the functions within it."""
    unit = scored.unit
    for statement in index.statements:
        if (statement.function or "") == unit.name and unit.first <= statement.first <= unit.last:
            yield statement


def _share(issue: IssueText, lines: list[str]) -> float:
    """The share of the words of some lines that the issue has too."""
    words = words_of("".join(lines))
    return sum(word in issue.weights for word in words) / len(words) if words else 0.0
