"""How alike texts are by the words they share: BM25 and TF-IDF behind one Protocol."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

K1 = 1.2  # how soon more of one word stops to count
B = 0.75  # how much a long text is held against it

Words = Collection[str]


class Measure(Protocol):
    """Compares texts, given as their words when it is made, with the words of a query."""

    def scores(self, query: Words) -> Mapping[int, float]:
        """By the numbers of the texts that share a word with the query, scores > 0."""
        ...


MakeMeasure = Callable[[Sequence[Words]], Measure]


class Bm25:
    """Okapi BM25 (Robertson et al. 1994)."""

    def __init__(self, texts: Sequence[Words]) -> None:
        self._lengths = [len(words) for words in texts]
        self._mean = sum(self._lengths) / max(len(texts), 1)
        self._postings: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, words in enumerate(texts):
            for word, count in Counter(words).items():
                self._postings[word].append((number, count))

    def scores(self, query: Words) -> Mapping[int, float]:
        """See `Measure.scores`."""
        scores: defaultdict[int, float] = defaultdict(float)
        for word in dict.fromkeys(query):
            postings = self._postings.get(word, ())
            rarity = self._rarity(len(postings))
            for number, count in postings:
                scores[number] += rarity * self._weight(count, self._lengths[number])
        return scores

    def _rarity(self, texts: int) -> float:
        return math.log(1 + (len(self._lengths) - texts + 0.5) / (texts + 0.5))

    def _weight(self, count: int, length: int) -> float:
        return count * (K1 + 1) / (count + K1 * (1 - B + B * length / self._mean))


class TfIdf:
    """The cosine in (0, 1] of the texts' rarities, each word counted once."""

    def __init__(self, texts: Sequence[Words]) -> None:
        self._count = len(texts)
        self._postings: defaultdict[str, list[int]] = defaultdict(list)
        for number, words in enumerate(texts):
            for word in set(words):
                self._postings[word].append(number)
        self._norms = [self._norm(words) for words in texts]

    def scores(self, query: Words) -> Mapping[int, float]:
        """See `Measure.scores`."""
        products: defaultdict[int, float] = defaultdict(float)
        for word in sorted(set(query)):
            weight = self._rarity(word) ** 2
            for number in self._postings.get(word, ()):
                products[number] += weight
        norm = self._norm(query)
        return {n: product / (norm * self._norms[n]) for n, product in products.items()}

    def _norm(self, words: Words) -> float:
        return math.sqrt(sum(self._rarity(word) ** 2 for word in sorted(set(words)))) or 1.0

    def _rarity(self, word: str) -> float:
        return math.log(1 + self._count / (1 + len(self._postings.get(word, ()))))
