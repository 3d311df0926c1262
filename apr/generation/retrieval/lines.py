"""Finds the lines of a project that resemble some code, whatever language it is in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from apr.generation.retrieval.embedding import CLOSE, Embedder, cosines
from apr.generation.retrieval.measures import Bm25, MakeMeasure
from apr.source.words import words_of

MAX_LINE = 300  # characters; what is longer was not written by hand
POOL = 200  # lines with the most words in common, of which an embedder finds the closest


@dataclass(frozen=True, slots=True)
class Place:
    """A 1-based line of a file; `text` is without the blanks around it."""

    path: str
    line: int
    text: str


class LineIndex:
    """The lines of some files, to be searched many times; equal lines are kept once.

    Words decide which lines are alike; with an embedder they only choose those worth comparing,
    and of these the ones too far from the query (CLOSE) are left out.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        measure: MakeMeasure = Bm25,
        embedder: Embedder | None = None,
    ) -> None:
        distinct: dict[str, Place] = {}
        for place in _places(sources):
            distinct.setdefault(place.text, place)
        worded = [(place, words_of(place.text)) for place in distinct.values()]
        self._places = [place for place, words in worded if words]
        self._measure = measure([words for _, words in worded if words])
        self._embedder = embedder

    def search(
        self, query: str, most: int, without: Iterable[str] = ()
    ) -> list[tuple[Place, float]]:
        """At most `most` lines with their scores > 0, the best first; none of those in `without`.

        Lines in `without` are compared without the blanks around them.
        """
        barred = {line.strip() for line in without}
        scores = self._measure.scores(words_of(query))
        ranked = sorted(scores, key=lambda number: (-scores[number], number))
        found = ((self._places[n], scores[n]) for n in ranked if self._places[n].text not in barred)
        if self._embedder is None:
            return list(islice(found, most))
        return self._closest(query, [place for place, _ in islice(found, POOL)])[:most]

    def elsewhere(
        self, query: str, most: int, path: str, first: int, last: int
    ) -> list[tuple[Place, float]]:
        """The same, without the lines of the query and all of `first`..`last` of `path`."""
        own = query.split("\n")
        found = self.search(query, most + len(own) + last - first + 1, own)
        outside = (
            (place, score)
            for place, score in found
            if place.path != path or not first <= place.line <= last
        )
        return list(islice(outside, most))

    def _closest(self, query: str, places: list[Place]) -> list[tuple[Place, float]]:
        if self._embedder is None or not places:
            return []
        near = cosines(self._embedder, query, [place.text for place in places])
        ranked = sorted(zip(places, near, strict=True), key=lambda found: -found[1])
        return [(place, cosine) for place, cosine in ranked if cosine >= CLOSE]


def index_lines(
    sources: Mapping[str, str], measure: MakeMeasure = Bm25, embedder: Embedder | None = None
) -> LineIndex:
    """The index of these texts; equal texts have one index, made once, while it is in use."""
    return _index(tuple(sorted(sources.items())), measure, embedder)


@lru_cache(maxsize=4)
def _index(
    texts: tuple[tuple[str, str], ...], measure: MakeMeasure, embedder: Embedder | None
) -> LineIndex:
    return LineIndex(dict(texts), measure, embedder)


def _places(sources: Mapping[str, str]) -> Iterator[Place]:
    for path in sorted(sources):
        for number, line in enumerate(sources[path].split("\n"), 1):
            text = line.strip()
            if text and len(text) <= MAX_LINE:
                yield Place(path, number, text)
