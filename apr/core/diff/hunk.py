"""Reads one hunk. Only its counts tell a removed line `-- x` from the header of the next file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from apr.core.diff.model import DiffHunk
from apr.core.diff.source import DiffSource

_RANGES = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_NO_NEWLINE = b"\\ "
_MIN_NO_NEWLINE = 12  # in any language, "\ No newline at end of file" is at least so long
_MAX_NUMBER = (1 << 64) - 1
_SPACE, _LF, _MINUS, _PLUS, _BACKSLASH = b" \n-+\\"


@dataclass(frozen=True, slots=True)
class Ranges:
    """The header of a hunk: for each side its first line and how many there are."""

    first_old: int
    old_lines: int
    first_new: int
    new_lines: int


def read_ranges(source: DiffSource, start: int, end: int) -> Ranges | None:
    """The ranges in the line from `start` to `end`; None when it is no header of a hunk."""
    if not source.data.startswith(b"@@ -", start) or not source.is_ended(end):
        return None
    found = _RANGES.match(source.data, start, end)
    return Ranges(*(_number(group) for group in found.groups(b"1"))) if found else None


def _number(digits: bytes) -> int:
    digits = digits.lstrip(b"0")
    return _MAX_NUMBER if len(digits) > 20 else min(int(digits or b"0"), _MAX_NUMBER)


def read_hunk(source: DiffSource, start: int) -> tuple[DiffHunk, Ranges, int]:
    """The hunk that begins at `start`, its ranges, and where it ends.

    Raises:
        MalformedDiffError: when the lines do not agree with the ranges, or change nothing.
    """
    data = source.data
    position = source.next_line(start)
    ranges = read_ranges(source, start, position)
    if ranges is None:
        raise source.error(start, "the ranges of the hunk cannot be read")
    old: list[bytes] = []
    new: list[bytes] = []
    old_left, new_left = ranges.old_lines, ranges.new_lines
    has_change = has_tail = False
    while position < len(data) and (old_left or new_left):
        end = source.next_line(position)
        tag = data[position]
        if not source.is_ended(end):
            raise source.error(position, "the hunk breaks off")
        if tag == _BACKSLASH:
            if not data.startswith(_NO_NEWLINE, position) or end - position < _MIN_NO_NEWLINE:
                raise source.error(position, "this line belongs to no hunk")
            position = end
            continue
        if tag not in (_SPACE, _LF, _MINUS, _PLUS):
            raise source.error(position, "the hunk has fewer lines than its ranges say")
        in_old, in_new = tag != _PLUS, tag != _MINUS
        old_left -= in_old
        new_left -= in_new
        has_tail = in_old and in_new
        has_change = has_change or not has_tail
        is_last = not old_left and not new_left
        is_unended = _has_marker(data, end) if is_last else data.startswith(b"\\", end)
        # An empty line stands for an empty line of context, its leading space lost on the way.
        first = position if tag == _LF else position + 1
        if tag != _LF or not is_unended:
            text = data[first : end - is_unended]
            if in_old:
                old.append(text)
            if in_new:
                new.append(text)
        position = end
    if old_left or new_left:
        raise source.error(start, "the hunk has other lines than its ranges say")
    if not has_change:
        raise source.error(start, "the hunk changes nothing")
    if _has_marker(data, position):
        position = source.next_line(position)
    line = source.line_number(start)
    hunk = DiffHunk(line, ranges.first_old, ranges.first_new, tuple(old), tuple(new), has_tail)
    return hunk, ranges, position


def _has_marker(data: bytes, position: int) -> bool:
    """Whether the hunk that ends here is followed by the remark that the last line has no end."""
    return data.startswith(_NO_NEWLINE, position) and len(data) - position > _MIN_NO_NEWLINE
