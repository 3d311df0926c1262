"""Finds the lines of a project that resemble some code: BM25 (Robertson et al. 1994) over lines.

A line's words are its identifiers, taken apart at underscores and capitals too, so that
`max_price` and `maxPrice` share words. Keywords and single letters say nothing.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

K1 = 1.2  # how soon more of one word stops to count
B = 0.75  # how much a long line is held against it
MAX_LINE = 300  # characters; what is longer was not written by hand
_KEYWORDS = frozenset(
    [
        "and",
        "as",
        "assert",
        "break",
        "case",
        "char",
        "class",
        "const",
        "continue",
        "def",
        "del",
        "do",
        "double",
        "elif",
        "else",
        "except",
        "false",
        "final",
        "finally",
        "float",
        "for",
        "from",
        "function",
        "if",
        "import",
        "in",
        "int",
        "is",
        "lambda",
        "let",
        "long",
        "new",
        "none",
        "not",
        "null",
        "or",
        "pass",
        "private",
        "public",
        "raise",
        "return",
        "self",
        "static",
        "string",
        "switch",
        "this",
        "throw",
        "true",
        "try",
        "var",
        "void",
        "while",
        "with",
        "yield",
    ]
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


@dataclass(frozen=True, slots=True)
class Place:
    """A 1-based line of a file; `text` is without the blanks around it."""

    path: str
    line: int
    text: str


def words_of(text: str) -> list[str]:
    """The identifiers of some code, and the parts of those that have several."""
    found: list[str] = []
    for word in _WORD.findall(text):
        parts = [part.lower() for part in _PART.findall(word)]
        found.append(word.lower())
        if len(parts) > 1:
            found.extend(parts)
    return [word for word in found if len(word) > 1 and word not in _KEYWORDS]


class LineIndex:
    """The lines of some files, to be searched many times; equal lines are kept once."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._places: list[Place] = []
        self._lengths: list[int] = []
        self._postings: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        seen: set[str] = set()
        for place in _places(sources):
            if place.text not in seen:
                seen.add(place.text)
                self._add(place)
        self._mean = sum(self._lengths) / max(len(self._lengths), 1)

    def _add(self, place: Place) -> None:
        counts = Counter(words_of(place.text))
        if not counts:
            return
        for word, count in counts.items():
            self._postings[word].append((len(self._places), count))
        self._places.append(place)
        self._lengths.append(sum(counts.values()))

    def search(
        self, query: str, most: int, without: Iterable[str] = ()
    ) -> list[tuple[Place, float]]:
        """At most `most` lines with their scores > 0, the best first; none of those in `without`.

        Lines in `without` are compared without the blanks around them.
        """
        scores: defaultdict[int, float] = defaultdict(float)
        for word in dict.fromkeys(words_of(query)):
            postings = self._postings.get(word, ())
            rarity = self._rarity(len(postings))
            for number, count in postings:
                scores[number] += rarity * self._weight(count, self._lengths[number])
        barred = {line.strip() for line in without}
        ranked = sorted(scores, key=lambda number: (-scores[number], number))
        kept = (number for number in ranked if self._places[number].text not in barred)
        return [(self._places[n], scores[n]) for n, _ in zip(kept, range(most), strict=False)]

    def _rarity(self, lines: int) -> float:
        return math.log(1 + (len(self._places) - lines + 0.5) / (lines + 0.5))

    def _weight(self, count: int, length: int) -> float:
        return count * (K1 + 1) / (count + K1 * (1 - B + B * length / self._mean))


def _places(sources: Mapping[str, str]) -> Iterator[Place]:
    for path in sorted(sources):
        for number, line in enumerate(sources[path].split("\n"), 1):
            text = line.strip()
            if text and len(text) <= MAX_LINE:
                yield Place(path, number, text)
