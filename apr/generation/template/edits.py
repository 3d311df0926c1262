"""What a language offers the template generator: text-span edits, ingredients, a normal form.

Plastic-surgery ingredients (Barr et al. 2014): most of what a fix needs already stands in the
function, the file or the project, in this order of likelihood.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Protocol

from apr.generation.retrieval import TfIdf

_MOST_CONSTANTS = 200


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the characters `start`..`end` (half-open) of one source by `replacement`.

    `prior` in (0, 1] is the template's prior times the similarity of its ingredient. `line` is
    the 1-based line whose suspiciousness applies to the edit.
    """

    start: int
    end: int
    replacement: str
    template: str
    prior: float
    line: int

    def apply(self, text: str) -> str:
        """The edited text."""
        return text[: self.start] + self.replacement + text[self.end :]


@dataclass(frozen=True)
class Ingredients:
    """Fragments seen in a body of code, each with its number of occurrences.

    `names` are variables, `calls` the called functions and methods (last component only),
    `attributes` what stands after a dot, `constants` literals as written; `statements` are whole
    simple statements and `expressions` conditions and calls, as written, on one line. `members`
    are the attributes that classes declare, as `Class.attribute`.
    """

    names: Mapping[str, int] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)
    attributes: Mapping[str, int] = field(default_factory=dict)
    constants: Mapping[str, int] = field(default_factory=dict)
    statements: Mapping[str, int] = field(default_factory=dict)
    expressions: Mapping[str, int] = field(default_factory=dict)
    members: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def donors(self) -> DonorIndex:
        """The statements, searchable; built on first use."""
        return DonorIndex(self.statements)

    @cached_property
    def common_constants(self) -> tuple[tuple[str, int], ...]:
        """The literals seen most often; a project has too many to compare with all of them."""
        ranked = sorted(self.constants.items(), key=lambda item: (-item[1], item[0]))
        return tuple(ranked[:_MOST_CONSTANTS])

    @staticmethod
    def merge(parts: Iterable[Ingredients]) -> Ingredients:
        """The sum of several bodies of code."""
        totals: tuple[Counter[str], ...] = tuple(Counter() for _ in range(7))
        for part in parts:
            tables = (
                part.names,
                part.calls,
                part.attributes,
                part.constants,
                part.statements,
                part.expressions,
                part.members,
            )
            for total, table in zip(totals, tables, strict=True):
                total.update(table)
        return Ingredients(*totals)


class Language(Protocol):
    """One programming language's templates; text that does not parse yields nothing."""

    suffixes: tuple[str, ...]

    def harvest(self, text: str) -> Ingredients:
        """The ingredients of one file."""
        ...

    def edits(
        self, text: str, lines: frozenset[int] | None, ingredients: Ingredients
    ) -> Iterable[Edit]:
        """Every edit at `lines` (1-based; None: all), given the ingredients of the project."""
        ...

    def normalise(self, text: str) -> str | None:
        """A form equal for texts that differ only in layout; None when `text` does not parse.

        `text` is a whole file or one of its chunks, changed or not; the forms of a file's chunks,
        concatenated, are the form of the file.
        """
        ...

    def chunks(self, text: str) -> Sequence[tuple[int, int]]:
        """Spans of consecutive pieces that `normalise` accepts on their own and that cover `text`.

        A language without such pieces answers with the one span of the whole text.
        """
        ...


_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@lru_cache(maxsize=65536)
def subtokens(text: str) -> frozenset[str]:
    """The lower-case words of the identifiers of `text`, snake and camel case split."""
    return frozenset(word.lower() for word in _TOKEN.findall(text))


def similarity(one: str, other: str) -> float:
    """Jaccard index of the sub-tokens, in [0, 1]."""
    a, b = subtokens(one), subtokens(other)
    return len(a & b) / len(a | b) if a or b else 0.0


class DonorIndex:
    """Retrieves the statements nearest to a query by the TF-IDF cosine of their sub-tokens."""

    def __init__(self, donors: Iterable[str]) -> None:
        self._donors = sorted(set(donors))
        self._measure = TfIdf([subtokens(donor) for donor in self._donors])

    def nearest(self, query: str, count: int) -> list[tuple[str, float]]:
        """At most `count` donors with their cosine in (0, 1], the nearest first."""
        scores = self._measure.scores(subtokens(query))
        ranked = sorted((-score, number) for number, score in scores.items())
        return [(self._donors[number], -score) for score, number in ranked[:count]]
