"""Where a repair model is asked for lines: in the place of a suspect, before it, and after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import Patch, split_lines
from apr.generation.assembly.hunks import find_hunks
from apr.generation.retrieval import LineIndex
from apr.generation.seq2seq.format import HunkInput, language_of, take_hunk
from apr.source.statements import SourceIndex

INSERTION = 0.4
"""What an insertion beside a suspect is worth, compared with an edit of the suspect itself."""

RETRIEVED = 5
"""Lines from elsewhere that are shown, as in MultiMend."""


@dataclass(frozen=True, slots=True)
class Site:
    """`count` lines from the 1-based line `first` of the patched text that may be replaced.

    With `count` 0 something may be inserted before that line. `weight` in (0, 1] is how likely
    the bug is here.
    """

    path: str
    first: int
    count: int
    weight: float


def find_sites(
    sources: Mapping[str, str], locations: Sequence[SuspiciousLocation], patch: Patch, most: int
) -> list[Site]:
    """The sites of the `most` most suspicious hunks, the likeliest first.

    `locations` are given in lines of the base, `sources` are the texts as `patch` leaves them.
    """
    moved = [_moved(suspect, patch) for suspect in locations]
    readable = {path: text for path, text in sources.items() if language_of(path) is not None}
    best: dict[tuple[str, int, int], float] = {}
    for site in _around(find_hunks(moved, readable, most)):
        key = (site.path, site.first, site.count)
        best[key] = max(best.get(key, 0.0), site.weight)
    sites = (Site(*key, weight) for key, weight in best.items() if weight > 0)
    return sorted(sites, key=lambda s: (-s.weight, s.path, s.first, -s.count))


def _moved(suspect: SuspiciousLocation, patch: Patch) -> SuspiciousLocation:
    place = suspect.location
    first, last = (max(1, patch.moved(place.path, line)) for line in (place.first, place.last))
    return replace(suspect, location=Location(place.path, first, max(first, last)))


def _around(hunks: Iterable[SuspiciousLocation]) -> Iterator[Site]:
    for hunk in hunks:
        place, weight = hunk.location, hunk.suspiciousness
        yield Site(place.path, place.first, place.last - place.first + 1, weight)
        yield Site(place.path, place.first, 0, INSERTION * weight)
        yield Site(place.path, place.last + 1, 0, INSERTION * weight)


def show_site(
    site: Site, text: str, index: SourceIndex, elsewhere: LineIndex | None
) -> HunkInput | None:
    """What the model is shown of a site in this text; None in a language that it does not read."""
    language = language_of(site.path)
    if language is None:
        return None
    lines = split_lines(text)
    around = index.function_at(min(site.first, len(lines))) if lines else None
    function = None if around is None else (around.first, around.last)
    if function is not None and site.first + site.count - 1 > function[1]:
        function = None
    start, end = function or (site.first - 1, site.first + site.count)
    query = _query(lines, site)
    found = elsewhere.elsewhere(query, RETRIEVED, site.path, start, end) if elsewhere else []
    retrieved = [place.text for place, _ in found]
    return take_hunk(language, lines, site.first, site.count, function, retrieved)


def _query(lines: Sequence[str], site: Site) -> str:
    """The lines that others should resemble; beside an insertion, those on both sides of it."""
    first, end = site.first - 1, site.first - 1 + site.count
    chosen = lines[first:end] if site.count else lines[max(first - 1, 0) : first + 1]
    return "".join(chosen).rstrip("\n")
