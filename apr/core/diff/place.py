"""Where a hunk fits: at its line if it can, else at the nearest other place; never fuzzily.

As in git, a hunk that begins at line 1 must match the beginning of the file, one that ends without
context its end, and lines that an earlier hunk left are not matched again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from apr.core.diff.model import DiffHunk
from apr.core.diff.names import SPACES
from apr.core.errors import PatchDoesNotApplyError

MAX_LOOKS = 50_000_000
"""Lines that may be looked at to apply one diff: a few seconds' work."""

MAX_RESULT_BYTES = 512 << 20
"""Bytes that the changed files may have together, every step of a file changed twice included."""


NEARBY = 64
"""Lines around its own at which a hunk is looked for first, before the file is indexed."""

_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


class Effort:
    """Counts what applying a diff costs, so that none can make it last or fill the memory."""

    def __init__(self, looks: int = MAX_LOOKS, size: int = MAX_RESULT_BYTES) -> None:
        self._looks = looks
        self._bytes = size

    def look(self, lines: int) -> None:
        """Raises PatchDoesNotApplyError when too many lines were looked at."""
        self._looks -= lines
        if self._looks < 0:
            raise PatchDoesNotApplyError("it takes too long to apply the diff")

    def keep(self, size: int) -> None:
        """Raises PatchDoesNotApplyError when the results are too large."""
        self._bytes -= size
        if self._bytes < 0:
            raise PatchDoesNotApplyError("the changed files are too large")


def split_bytes(data: bytes) -> list[bytes]:
    """The lines with their line ends; only LF ends one."""
    return _LINE.findall(data)


class PatchedLines:
    """The lines of a file while hunks are applied to them one after the other."""

    def __init__(self, data: bytes, effort: Effort) -> None:
        effort.look(len(data) // 16)
        self._lines: list[bytes] = split_bytes(data)
        effort.look(16 * len(self._lines))
        # What can still be matched: None stands for a line that a hunk has left.
        self._open: list[bytes | None] = list(self._lines)
        self._counts: Counter[bytes] | None = None
        self._effort = effort
        self._is_ragged = False  # a line without a line end stands before another one

    def join(self) -> bytes:
        """The file's bytes."""
        return b"".join(self._lines)

    def apply(self, hunk: DiffHunk) -> bool:
        """Apply the hunk; False when it fits nowhere."""
        place = self._find(hunk)
        if place is None:
            return False
        stop = place + len(hunk.old)
        if self._counts is not None:
            self._counts.subtract(line for line in self._open[place:stop] if line is not None)
        self._effort.look((len(self._lines) - place) // 64 + len(hunk.old) + len(hunk.new))
        before = self._lines[place - 1 : place]
        self._lines[place:stop] = hunk.new
        self._open[place:stop] = [None] * len(hunk.new)
        after = self._lines[place + len(hunk.new) :][:1]
        joints = [*before, *hunk.new, *after]
        self._is_ragged |= any(not line.endswith(b"\n") for line in joints[:-1])
        return True

    def _find(self, hunk: DiffHunk) -> int | None:
        size, wanted = len(self._lines), len(hunk.old)
        at_end = not hunk.has_tail
        if hunk.first_old <= 1:
            return 0 if self._matches(hunk.old, 0, at_end=at_end) else None
        if at_end:
            place = size - wanted
            return place if place >= 0 and self._matches(hunk.old, place, at_end=True) else None
        expected = _as_int(hunk.first_new - 1) if hunk.first_new else 0
        if not 0 <= expected <= size:
            expected = size
        for distance in range(NEARBY):
            for place in (expected + distance, expected - distance):
                if self._matches(hunk.old, place, at_end=False):
                    return place
        if _is_ragged(hunk.old) or self._is_ragged:
            places: Iterator[int] = iter(range(size - wanted + 1))
            self._effort.look(16 * size)
        else:
            places = self._candidates(hunk.old)
        return self._nearest(hunk.old, places, expected)

    def _nearest(self, old: Sequence[bytes], places: Iterator[int], expected: int) -> int | None:
        """The match closest to where it should be; of two equally close ones the later."""
        best: int | None = None
        for place in places:
            if best is not None and place - expected > expected - best:
                break
            if self._matches(old, place, at_end=False):
                best = place
                if place >= expected:
                    break
        return best

    def _candidates(self, old: Sequence[bytes]) -> Iterator[int]:
        """In rising order, every place at which the rarest of the lines is right."""
        if self._counts is None:
            self._counts = Counter(self._lines)
        counts = self._counts
        index = min(range(len(old)), key=lambda i: counts[old[i]])
        line = old[index]
        self._effort.look(len(old))
        place = index - 1
        for _ in range(counts[line]):
            try:
                found = self._open.index(line, place + 1)
            except ValueError:
                return
            self._effort.look(found - place)
            place = found
            yield place - index

    def _matches(self, old: Sequence[bytes], place: int, *, at_end: bool) -> bool:
        stop = place + len(old)
        if stop > len(self._open) or place < 0 or (at_end and stop != len(self._open)):
            return False
        self._effort.look(1)
        if old and self._open[place] == old[0]:
            self._effort.look(len(old))
            if self._open[place:stop] == list(old):
                return True
        elif not old:
            return True
        return (_is_ragged(old) or self._is_ragged) and self._matches_bytes(old, place, at_end)

    def _matches_bytes(self, old: Sequence[bytes], place: int, at_end: bool) -> bool:
        """git compares the bytes, and the lines but for spaces: so `x` matches the line `x\\n`."""
        found = self._open[place : place + len(old)]
        for ours, theirs in zip(found, old, strict=True):
            if ours is None or _without_spaces(ours) != _without_spaces(theirs):
                return False
        wanted = b"".join(old)
        if at_end:
            return b"".join(self._lines[place:]) == wanted
        # The wanted bytes may reach one line further than the lines do, never more.
        return b"".join(self._lines[place : place + len(old) + 1]).startswith(wanted)


def _is_ragged(lines: Sequence[bytes]) -> bool:
    return any(not line.endswith(b"\n") for line in lines)


def _without_spaces(line: bytes) -> bytes:
    return line.translate(None, SPACES)


def _as_int(number: int) -> int:
    """As a C program has it that keeps the number in 32 bits."""
    number &= 0xFFFFFFFF
    return number - (1 << 32) if number >> 31 else number
