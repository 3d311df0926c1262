"""Examples from working code: a bug is injected into a function, the fix is what was there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from random import Random
from textwrap import dedent

from apr.generation.retrieval import LineIndex
from apr.source.functions import Function
from apr.training.examples import INJECTED, Example, Hunk, Place, SourceFile, make_example, widen
from apr.training.functions import functions_of
from apr.training.mutations import Code, apply, mutate
from apr.training.tokens import tokenize

SHORTEST, LONGEST = 3, 80
"""Lines of a function."""
INDEXED = 0.15
"""Share of the files whose lines can be retrieved, since indexing takes most of the time."""
TWICE = 0.12
"""Share of the functions that have a second bug, which stays in sight."""


def inject(file: SourceFile, random: Random, twice: float = TWICE) -> Iterator[Example]:
    """Examples for the functions of a file, more for long ones."""
    lines = file.text.split("\n")
    index = LineIndex({file.path: file.text}) if random.random() < INDEXED else None
    elsewhere = _called(file)
    for function in functions_of(file.language, lines).found:
        if not SHORTEST <= function.last - function.first <= LONGEST:
            continue
        seen = set()
        for _ in range(2 + (function.last - function.first) // 8):
            example = _bug(file, lines, function, elsewhere, index, random, twice)
            if example and (example.source, example.target) not in seen:
                seen.add((example.source, example.target))
                yield example


def _called(file: SourceFile) -> tuple[str, ...]:
    """Some names that the file calls."""
    tokens = tokenize(file.text, file.language)
    names = {a.text for a, b in pairwise(tokens) if a.kind == "name" and b.text == "("}
    return tuple(sorted(name for name in names if len(name) > 2)[:200])


def _bug(
    file: SourceFile,
    lines: list[str],
    function: Function,
    elsewhere: tuple[str, ...],
    index: LineIndex | None,
    random: Random,
    twice: float,
) -> Example | None:
    right = text = "\n".join(lines[function.first - 1 : function.last]) + "\n"
    if random.random() < twice:
        found = mutate(Code(text, file.language, elsewhere), random)
        text = apply(text, found[1]) if found else text
    found = mutate(Code(text, file.language, elsewhere), random)
    if found is None:
        return None
    name, change = found
    broken = apply(text, change)
    if file.language == "python" and _parses(text) and not _parses(broken):
        return None
    hunk = _difference(broken.split("\n"), text.split("\n"), function.first)
    if hunk is None or broken == right or not set(hunk.fixed) <= set(right.split("\n")):
        return None  # the second bug has met the first one
    buggy = [*lines[: function.first - 1], *broken.split("\n")[:-1], *lines[function.last :]]
    last = function.last + broken.count("\n") - text.count("\n")
    place = Place(
        file.project,
        file.language,
        buggy,
        (function.first, last),
        function.name.rsplit(".", 1)[-1],
        index,
    )
    return make_example(place, widen(hunk, buggy, random), INJECTED, name)


def _parses(text: str) -> bool:
    try:
        ast.parse(dedent(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _difference(broken: list[str], right: list[str], first: int) -> Hunk | None:
    """The lines in which the two differ, as a hunk of the broken one; None when only blanks do."""
    if "".join("".join(broken).split()) == "".join("".join(right).split()) and len(broken) != len(
        right
    ):
        return None
    head = 0
    while head < min(len(broken), len(right)) and broken[head] == right[head]:
        head += 1
    tail = 0
    while tail < min(len(broken), len(right)) - head and broken[-1 - tail] == right[-1 - tail]:
        tail += 1
    fixed = tuple(right[head : len(right) - tail])
    count = len(broken) - tail - head
    return Hunk(first + head, count, fixed) if count or fixed else None
