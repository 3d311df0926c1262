"""Which pieces of the source are repaired as one: the hunks of a bug."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import split_lines
from apr.source.spans import statement_lines

GIVEN = "given"
"""The formula of locations that the user has named."""

LONGEST = 12
"""Lines of a hunk; in a longer run of given lines every statement is a hunk of its own."""


def find_hunks(
    locations: Sequence[SuspiciousLocation], sources: Mapping[str, str], most: int
) -> tuple[SuspiciousLocation, ...]:
    """At most `most` hunks, the most suspicious ones, in the order of the files and lines.

    Given statements that follow each other are one hunk; a measured one is a hunk by itself. All
    are widened to whole statements.
    """
    whole: dict[Location, SuspiciousLocation] = {}
    for suspect in locations:
        place = _widened(suspect.location, sources)
        if place is not None and place not in whole:
            whole[place] = replace(suspect, location=place)
        if len(whole) >= most and suspect.formula != GIVEN:
            break
    ordered = sorted(whole.values(), key=lambda suspect: suspect.location)
    given = [suspect for suspect in ordered if suspect.formula == GIVEN]
    return tuple([*_joined(given, sources), *(s for s in ordered if s.formula != GIVEN)][:most])


def _widened(place: Location, sources: Mapping[str, str]) -> Location | None:
    if place.path not in sources:
        return None
    text = sources[place.path]
    first, _ = statement_lines(place.path, text, place.first)
    _, last = statement_lines(place.path, text, place.last)
    return Location(place.path, min(first, place.first), max(last, place.last))


def _joined(
    suspects: Iterable[SuspiciousLocation], sources: Mapping[str, str]
) -> list[SuspiciousLocation]:
    """The runs of suspects with no code between them, apart from runs that are too long."""
    runs: list[list[SuspiciousLocation]] = []
    for suspect in suspects:
        if runs and _follows(runs[-1][-1].location, suspect.location, sources):
            runs[-1].append(suspect)
        else:
            runs.append([suspect])
    joined: list[SuspiciousLocation] = []
    for run in runs:
        first, last = run[0].location.first, max(s.location.last for s in run)
        if last - first < LONGEST:
            joined.append(replace(run[0], location=Location(run[0].location.path, first, last)))
        else:
            joined += run
    return joined


def _follows(before: Location, after: Location, sources: Mapping[str, str]) -> bool:
    if before.path != after.path:
        return False
    between = split_lines(sources[before.path])[before.last : after.first - 1]
    return not any(line.strip() for line in between)
