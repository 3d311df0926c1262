"""One training example: a hunk as the model reads it, the answer, and where both come from."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from apr.generation.retrieval import LineIndex
from apr.generation.seq2seq.format import render, take_hunk

SPLITS = ("train", "valid", "test")
MINED, INJECTED = "mined", "injected"
REPLACE, INSERT, DELETE = "replace", "insert", "delete"
EDITS = (REPLACE, INSERT, DELETE)
MAX_TARGET = 600
"""Characters of an answer; longer ones would rarely fit into the tokens for it."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines `first` (1-based) to `first + count - 1`, and those that take their place."""

    first: int
    count: int
    fixed: tuple[str, ...]

    @property
    def edit(self) -> str:
        """What the fix does to the buggy lines."""
        if not self.count:
            return INSERT
        return REPLACE if self.fixed else DELETE


@dataclass(frozen=True, slots=True)
class Example:
    """`edit` is what the fix does; `detail` is the mutation's name, or how many hunks a fix had.

    `function` is the name of the function around, or empty.
    """

    project: str
    language: str
    origin: str
    edit: str
    detail: str
    function: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of code in one of the languages that the model reads."""

    project: str
    path: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """A buggy file, and the function around the hunk in question, if there is one."""

    project: str
    language: str
    lines: Sequence[str]
    function: tuple[int, int] | None = None
    name: str = ""
    index: LineIndex | None = None


def make_example(place: Place, hunk: Hunk, origin: str, detail: str) -> Example | None:
    """The example of one hunk; None when it does not fit the format."""
    buggy = place.lines[hunk.first - 1 : hunk.first - 1 + hunk.count]
    taken = take_hunk(
        place.language,
        place.lines,
        hunk.first,
        hunk.count,
        place.function,
        _retrieved(place, buggy or place.lines[max(hunk.first - 3, 0) : hunk.first + 1]),
    )
    rendering = render(taken)
    target = rendering.target(hunk.fixed) if rendering else None
    if rendering is None or target is None or len(target) > MAX_TARGET:
        return None
    return Example(
        place.project,
        place.language,
        origin,
        hunk.edit,
        detail,
        place.name,
        rendering.source,
        target,
    )


def widen(hunk: Hunk, lines: Sequence[str], random: Random) -> Hunk:
    """Half of the insertions, and a few other hunks, with one unchanged line beside them.

    Fault localization names lines, so at repair an insertion is mostly asked for in this form.
    """
    if random.random() > (0.5 if not hunk.count else 0.12):
        return hunk
    above, below = hunk.first - 2, hunk.first - 1 + hunk.count
    if random.random() < 0.5 and above >= 0 and lines[above].strip():
        return Hunk(hunk.first - 1, hunk.count + 1, (lines[above], *hunk.fixed))
    if below < len(lines) and lines[below].strip():
        return Hunk(hunk.first, hunk.count + 1, (*hunk.fixed, lines[below]))
    return hunk


def save_records(path: Path, records: Iterable[Example | SourceFile], preset: int = 1) -> int:
    """Write them as compressed JSON lines; how many. `path` appears when it is whole."""
    count = 0
    part = path.with_suffix(".part")
    with lzma.open(part, "wt", encoding="utf-8", preset=preset) as file:
        for record in records:
            file.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")
            count += 1
    part.replace(path)
    return count


def load_examples(path: Path) -> Iterator[Example]:
    """The examples that `save_records` wrote."""
    return (Example(**record) for record in _records(path))


def load_sources(path: Path) -> Iterator[SourceFile]:
    """The source files that `save_records` wrote."""
    return (SourceFile(**record) for record in _records(path))


def _records(path: Path) -> Iterator[dict[str, str]]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _retrieved(place: Place, query: Sequence[str]) -> tuple[str, ...]:
    """Lines of the same file, outside of the function, that resemble the hunk."""
    if place.index is None:
        return ()
    first, last = place.function or (1, 0)
    shown = place.lines[first - 1 : last]
    found = place.index.search("\n".join(query), 5, shown)
    return tuple(line.text for line, _ in found)
