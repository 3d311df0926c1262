"""A hunk as a repair model reads it, and the model's answer as the lines that take its place.

MultiMend (arXiv:2501.16044) joins the buggy lines, retrieved lines and the function to one line of
text. Here every line keeps its end, every part has a token of its own, and the indentation that all
lines share is taken off and put back, so that a fix is the same text at every depth:

    <java><retrieved>return total;
    <before>int total(int[] xs) {
        int sum = 0;
    <buggy>    for (int i = 1; i < xs.length; i++)
    <after>        sum += xs[i];
    }

The answer is the fixed lines, each with its end: nothing at all deletes the hunk, and an empty
hunk is a place to insert at. The encoder's input ends with END, and so does the decoder's output,
which begins with START. Whoever makes training data and whoever repairs both go through `take_hunk`
and `render`; a model remembers the VERSION that it was trained with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from os.path import commonprefix

VERSION = 1
SOURCE_TOKENS = 512
"""Most tokens of an input, END included."""
TARGET_TOKENS = 256
"""Most tokens of an answer, END included."""

PAD, START, END = "<pad>", "<s>", "</s>"
RETRIEVED, BEFORE, BUGGY, AFTER = "<retrieved>", "<before>", "<buggy>", "<after>"
LANGUAGES = ("python", "java", "javascript", "c")
LANGUAGE_TOKENS = {language: f"<{language}>" for language in LANGUAGES}
MASK_TOKENS = tuple(f"<mask_{number}>" for number in range(100))
SPECIAL_TOKENS = (
    *(PAD, START, END, RETRIEVED, BEFORE, BUGGY, AFTER),
    *LANGUAGE_TOKENS.values(),
    *MASK_TOKENS,
)
"""By their ids, from 0. PAD is the unknown token too, of which a byte-level vocabulary has none."""
GAP = "..."
"""Stands where lines before the hunk were left out."""

_SUFFIXES = {
    "python": (".py", ".pyi", ".pyw"),
    "java": (".java",),
    "javascript": (".js", ".jsx", ".mjs", ".cjs"),
    "c": (".c", ".h"),
}
_NAMES = "(" + "|".join(token.strip("<>") for token in SPECIAL_TOKENS) + ")>"
_SPECIAL = re.compile("<" + _NAMES)
_TO_ESCAPE = re.compile(r"<(\\*)" + _NAMES)
_ESCAPED = re.compile(r"<\\(\\*)" + _NAMES)
_BLANKS = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True)
class HunkInput:
    """A hunk to be repaired; lines are without their ends.

    With `buggy` empty something is to be inserted. `has_head`: the first line before the hunk
    begins the function around, and is shown however many of the others are left out.
    `retrieved` are lines from elsewhere, the closest one first.
    """

    language: str
    before: tuple[str, ...]
    buggy: tuple[str, ...]
    after: tuple[str, ...]
    has_head: bool = False
    retrieved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """Most characters of each part; about 3 make a token, so that all fit into SOURCE_TOKENS.

    The lines around the hunk share what hunk and retrieved lines leave of `total`; `share` of it
    is for those before, if there are enough on either side.
    """

    total: int = 1400
    buggy: int = 700
    retrieved: int = 280
    retrieved_lines: int = 5
    share: float = 0.6


USUAL = Budget()


@dataclass(frozen=True, slots=True)
class Rendering:
    """An input's text, without END, and the indentation that was taken off every line of it."""

    source: str
    margin: str

    def target(self, fixed: Sequence[str]) -> str | None:
        """The answer, without END, that means these lines; None when one is left of the margin."""
        if any(line.strip() and not line.startswith(self.margin) for line in fixed):
            return None
        return _text(fixed, self.margin)

    def read(self, answer: str) -> tuple[str, ...] | None:
        """The lines that an answer, without END, means; None when it means none."""
        if _SPECIAL.search(answer):
            return None
        lines = answer.removesuffix("\n").split("\n") if answer else []
        return tuple(self.margin + _unescape(line) if line.strip() else "" for line in lines)


def language_of(path: str) -> str | None:
    """The language by the file's suffix; None for one that no model reads."""
    found = (name for name, suffixes in _SUFFIXES.items() if path.lower().endswith(suffixes))
    return next(found, None)


def take_hunk(
    language: str,
    lines: Sequence[str],
    first: int,
    count: int,
    function: tuple[int, int] | None = None,
    retrieved: Iterable[str] = (),
) -> HunkInput:
    """The hunk of `count` lines from the 1-based line `first` of a file's lines.

    With `count` 0 something is to be inserted before line `first`. `function` are the first and
    the last line of the function around, if there is one: nothing outside is shown.
    """
    plain = [line.rstrip("\r\n") for line in lines]
    start, end = function or (1, len(plain))
    after = first + count
    return HunkInput(
        language=language,
        before=tuple(plain[min(start, first) - 1 : first - 1]),
        buggy=tuple(plain[first - 1 : after - 1]),
        after=tuple(plain[after - 1 : end]),
        has_head=function is not None and start < first,
        retrieved=tuple(line.strip() for line in retrieved),
    )


def render(hunk: HunkInput, budget: Budget = USUAL) -> Rendering | None:
    """The text of a hunk; None when the hunk alone is longer than allowed."""
    if _size(hunk.buggy) > budget.buggy:
        return None
    offered = hunk.retrieved[: budget.retrieved_lines]
    retrieved = offered[: _fitting(offered, budget.retrieved)]
    room = max(budget.total - _size(hunk.buggy) - _size(retrieved), 0)
    before, after = _around(hunk, room, budget.share)
    margin = _margin((*before, *hunk.buggy, *after))
    source = "".join(
        (
            LANGUAGE_TOKENS[hunk.language],
            RETRIEVED + _text(retrieved),
            BEFORE + _text(before, margin),
            BUGGY + _text(hunk.buggy, margin),
            AFTER + _text(after, margin),
        )
    )
    return Rendering(source, margin)


def render_within(
    hunk: HunkInput, tokens: Callable[[str], int], budget: Budget = USUAL
) -> Rendering | None:
    """`render` with as much around the hunk as SOURCE_TOKENS have room for, END included.

    `tokens` counts those of a text. None when even the hunk alone has too many.
    """
    while True:
        rendering = render(hunk, budget)
        if rendering is None or tokens(rendering.source) < SOURCE_TOKENS:
            return rendering
        if not budget.total:
            return None
        budget = replace(budget, total=budget.total // 2, retrieved=budget.retrieved // 2)


def _around(hunk: HunkInput, room: int, share: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The nearest lines on both sides for which there is room; what one spares the other gets."""
    head = hunk.before[:1] if hunk.has_head and _size(hunk.before[:1]) <= room else ()
    room -= _size(head)
    rest = hunk.before[len(head) :]
    for_before = max(int(room * share), room - _size(hunk.after))
    near = rest[len(rest) - _fitting(rest[::-1], for_before) :]
    after = hunk.after[: _fitting(hunk.after, room - _size(near))]
    gap = (_indent(head[0]) + GAP,) if head and len(near) < len(rest) else ()
    return (*head, *gap, *near), after


def _size(lines: Sequence[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _fitting(lines: Sequence[str], room: int) -> int:
    """How many of the lines, from the first one on, there is room for."""
    for count, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            return count
    return len(lines)


def _indent(line: str) -> str:
    found = _BLANKS.match(line)
    return found[0] if found else ""


def _margin(lines: Sequence[str]) -> str:
    """The indentation that all lines with code share."""
    return commonprefix([_indent(line) for line in lines if line.strip()])  # noqa: RUF071


def _text(lines: Sequence[str], margin: str = "") -> str:
    """Lines with their ends; blank ones are empty."""
    return "".join(
        _escape(line.removeprefix(margin)) + "\n" if line.strip() else "\n" for line in lines
    )


def _escape(line: str) -> str:
    """Code in which nothing looks like a special token."""
    return _TO_ESCAPE.sub(r"<\\\1\2>", line)


def _unescape(line: str) -> str:
    return _ESCAPED.sub(r"<\1\2>", line)
