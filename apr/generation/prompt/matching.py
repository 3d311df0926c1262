"""Finds the lines that a model meant, though it did not copy them exactly."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

SIMILAR = 0.85
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


def find_lines(lines: Sequence[str], wanted: Sequence[str], near: int) -> Match | None:
    """Where `wanted` occurs in `lines` (both without line ends); None when nowhere or anywhere.

    Tried in this order: equal, equal but for trailing blanks, equal at another indentation, and
    the one place that is similar enough. Among equally good places, the one closest to the
    0-based line `near` is meant.
    """
    if not wanted or not any(line.strip() for line in wanted):
        return None
    for normal in (str, str.rstrip):
        starts = _equal(lines, wanted, normal)
        if starts:
            return Match(_closest(starts, near), len(wanted))
    starts = [at for at in _equal(lines, wanted, str.strip) if _shift(lines, wanted, at)]
    if starts:
        at = _closest(starts, near)
        shift, is_outdent = _shift(lines, wanted, at) or ("", False)
        return Match(at, len(wanted), shift, is_outdent)
    return _similar(lines, wanted, near)


def _equal(lines: Sequence[str], wanted: Sequence[str], normal: Callable[[str], str]) -> list[int]:
    ours, theirs = [normal(line) for line in lines], [normal(line) for line in wanted]
    last = len(ours) - len(theirs)
    return [
        at
        for at in range(last + 1)
        if ours[at] == theirs[0] and ours[at : at + len(theirs)] == theirs
    ]


def _closest(starts: Sequence[int], near: int) -> int:
    return min(starts, key=lambda at: abs(at - near))


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


def _similar(lines: Sequence[str], wanted: Sequence[str], near: int) -> Match | None:
    """The place of the same length that is most similar, if it is clearly so."""
    if len(lines) * len(wanted) > MAX_COMPARED_LINES:
        return None
    scored = sorted(_ratios(lines, wanted), key=lambda pair: (-pair[0], abs(pair[1] - near)))
    if not scored or scored[0][0] < SIMILAR:
        return None
    shift, is_outdent = _shift(lines, wanted, scored[0][1]) or ("", False)
    return Match(scored[0][1], len(wanted), shift, is_outdent)


def _ratios(lines: Sequence[str], wanted: Sequence[str]) -> Iterator[tuple[float, int]]:
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2("\n".join(line.strip() for line in wanted))
    for at in range(len(lines) - len(wanted) + 1):
        matcher.set_seq1("\n".join(line.strip() for line in lines[at : at + len(wanted)]))
        if matcher.real_quick_ratio() >= SIMILAR and matcher.quick_ratio() >= SIMILAR:
            yield matcher.ratio(), at
