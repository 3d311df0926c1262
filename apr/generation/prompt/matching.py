"""Finds the lines that a model meant, though it did not copy them exactly."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

SIMILAR = 0.85
MARGIN = 0.05
MAX_COMPARED_LINES = 20_000
_INDENT = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True)
class Match:
    """Lines `start`..`start + count` (0-based, end exclusive) that some text stands for.

    `shift` is the indentation to put before each new line, or to take away when `is_outdent`.
    """

    start: int
    count: int
    shift: str = ""
    is_outdent: bool = False

    def adjust(self, lines: Sequence[str]) -> list[str]:
        """`lines` at the indentation of the matched ones."""
        if not self.shift:
            return list(lines)
        if self.is_outdent:
            return [line.removeprefix(self.shift) for line in lines]
        return [self.shift + line if line.strip() else line for line in lines]


def find_lines(lines: Sequence[str], wanted: Sequence[str], inside: range) -> list[Match]:
    """Where `wanted` may occur in `lines` (both without line ends); more than one: nobody knows.

    Tried in this order: equal, equal but for trailing blanks, equal at another indentation, each
    first within `inside` (0-based) and then everywhere; at last similar, where the most similar
    place has to stand out. The model has seen what is inside, and copies it before anything else.
    """
    if not wanted or not any(line.strip() for line in wanted):
        return []
    levels = [_equal(lines, wanted, normal) for normal in (str, str.rstrip)]
    levels.append([at for at in _equal(lines, wanted, str.strip) if _shift(lines, wanted, at)])
    within = ([at for at in level if _is_within(at, len(wanted), inside)] for level in levels)
    starts = next(filter(None, (*within, *levels)), None) or _similar(lines, wanted, inside)
    shifted = ((at, _shift(lines, wanted, at)) for at in starts)
    return [Match(at, len(wanted), *shift) for at, shift in shifted if shift is not None]


def _is_within(at: int, count: int, inside: range) -> bool:
    return at in inside and at + count - 1 in inside


def _equal(lines: Sequence[str], wanted: Sequence[str], normal: Callable[[str], str]) -> list[int]:
    ours, theirs = [normal(line) for line in lines], [normal(line) for line in wanted]
    last = len(ours) - len(theirs)
    return [
        at
        for at in range(last + 1)
        if ours[at] == theirs[0] and ours[at : at + len(theirs)] == theirs
    ]


def _shift(lines: Sequence[str], wanted: Sequence[str], at: int) -> tuple[str, bool] | None:
    """The one difference of indentation between `wanted` and the lines at `at`, if there is one."""
    pairs = zip(lines[at:], wanted, strict=False)
    found = {_difference(ours, theirs) for ours, theirs in pairs if theirs.strip()}
    return found.pop() if len(found) == 1 else None


def _difference(ours: str, theirs: str) -> tuple[str, bool] | None:
    inner, outer = indent_of(theirs), indent_of(ours)
    if outer.endswith(inner):
        return outer.removesuffix(inner), False
    return (inner.removesuffix(outer), True) if inner.endswith(outer) else None


def indent_of(line: str) -> str:
    """The blanks that a line begins with."""
    match = _INDENT.match(line)
    return match[0] if match else ""


def _similar(lines: Sequence[str], wanted: Sequence[str], inside: range) -> list[int]:
    """The place of the same length that is similar, if it is so much more than any other."""
    if len(lines) * len(wanted) > MAX_COMPARED_LINES:
        return []
    ratios = dict(_ratios(lines, wanted))
    within = [at for at in ratios if _is_within(at, len(wanted), inside)]
    ranked = sorted(within or ratios, key=lambda at: -ratios[at])
    if len(ranked) > 1 and ratios[ranked[0]] - ratios[ranked[1]] < MARGIN:
        return []
    return ranked[:1]


def _ratios(lines: Sequence[str], wanted: Sequence[str]) -> Iterator[tuple[int, float]]:
    """The similar places with their ratios."""
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2("\n".join(line.strip() for line in wanted))
    for at in range(len(lines) - len(wanted) + 1):
        matcher.set_seq1("\n".join(line.strip() for line in lines[at : at + len(wanted)]))
        if matcher.real_quick_ratio() >= SIMILAR and matcher.quick_ratio() >= SIMILAR:
            ratio = matcher.ratio()
            if ratio >= SIMILAR:
                yield at, ratio
