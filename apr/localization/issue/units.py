"""What of a source file can be found by words: its functions, and what is outside of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apr.core.patch import split_lines
from apr.source.statements import index_source
from apr.source.words import count_words


@dataclass(frozen=True, slots=True)
class Unit:
    """Lines `first`..`last` of a file with the words in them, and how often each occurs.

    `name` is the function's; empty for the rest of the file, which spans all of it.
    """

    name: str
    first: int
    last: int
    words: Mapping[str, int]

    @property
    def size(self) -> int:
        """How many words there are."""
        return sum(self.words.values())


def read_units(path: str, text: str) -> tuple[Unit, ...]:
    """The functions of a file in source order, the rest of it last.

    A function within another one is a part of that too.
    """
    lines = split_lines(text)
    functions = index_source(path, text).functions
    rest = _outside(lines, [(each.first, each.last) for each in functions])
    units = [
        Unit(each.name, each.first, each.last, _count(lines[each.first - 1 : each.last]))
        for each in functions
    ]
    return (*units, Unit("", 1, max(1, len(lines)), _count(rest)))


def _outside(lines: Sequence[str], spans: Sequence[tuple[int, int]]) -> list[str]:
    inside = {number for first, last in spans for number in range(first, last + 1)}
    return [line for number, line in enumerate(lines, 1) if number not in inside]


def _count(lines: Sequence[str]) -> dict[str, int]:
    return dict(count_words("".join(lines)))
