"""Reads a diff as `git apply` does: what it takes, what it skips as prose, and what it refuses.

Prose may stand before, between and after the changes. Two habits of git decide what is accepted:
the header of a hunk in prose is an error, and a broken GIT binary patch ends the diff silently.
"""

from __future__ import annotations

from collections.abc import Sequence

from apr.core.diff.binary import MAX_INFLATED, CorruptBinaryError, read_binary
from apr.core.diff.header import Header, HeaderReader
from apr.core.diff.hunk import Ranges, read_hunk
from apr.core.diff.model import BinaryDelta, DiffHunk, FileChange
from apr.core.diff.source import DiffSource
from apr.core.errors import MalformedDiffError

MAX_DIFF_BYTES = 1023 << 20
"""git reads no larger diff either."""

_BINARY = b"GIT binary patch\n"


def parse_diff(data: bytes) -> tuple[FileChange, ...]:
    """The changes that a diff describes, in its order; at least one.

    Raises:
        MalformedDiffError: when git would refuse it whatever the files are.
    """
    if len(data) >= MAX_DIFF_BYTES:
        raise MalformedDiffError(f"the diff has more than {MAX_DIFF_BYTES >> 20} MiB")
    changes = _Parser(DiffSource(data)).read()
    if not changes:
        raise MalformedDiffError("there is no change in the diff")
    return changes


class _Parser:
    def __init__(self, source: DiffSource) -> None:
        self._source = source
        self._headers = HeaderReader(source)
        self._inflated = 0

    def read(self) -> tuple[FileChange, ...]:
        changes: list[FileChange] = []
        position = 0
        while position < len(self._source.data):
            found = self._headers.find(position)
            if found is None:
                break
            try:
                change, position = self._read_body(*found)
            except CorruptBinaryError:
                break
            changes.append(change)
        return tuple(changes)

    def _read_body(self, header: Header, position: int) -> tuple[FileChange, int]:
        source, start = self._source, position
        line = source.line_number(header.start)
        hunks: list[DiffHunk] = []
        ranges: list[Ranges] = []
        while len(source.data) - position > 4 and source.data.startswith(b"@@ -", position):
            hunk, its_ranges, position = read_hunk(source, position)
            hunks.append(hunk)
            ranges.append(its_ranges)
        self._settle(header, ranges, start)
        is_binary, binary = False, None
        if not hunks:
            is_binary, binary, position = self._read_binary(position)
            if not is_binary and not header.changes_more_than_text:
                raise source.error(header.start, "a header without any change")
        change = FileChange(
            line=line,
            old_path=_decode(header.old),
            new_path=_decode(header.new),
            old_mode=header.old_mode,
            new_mode=header.new_mode,
            is_new=header.is_new,
            is_deleted=header.is_deleted,
            is_rename=header.is_rename,
            is_copy=header.is_copy,
            hunks=tuple(hunks),
            is_binary=is_binary,
            binary=binary,
            old_id=header.old_id,
            new_id=header.new_id,
        )
        return change, position

    def _settle(self, header: Header, ranges: Sequence[Ranges], start: int) -> None:
        """Decide from the hunks what the header left open, and hold it to what it said.

        Without git's headers, a single hunk without old lines may create the file, and one
        without new lines may empty it: the tree decides when the change is applied.
        """
        has_old = any(each.old_lines for each in ranges)
        has_new = any(each.new_lines for each in ranges)
        if header.is_new is None and (has_old or len(ranges) > 1):
            header.is_new = False
        if header.is_deleted is None and (has_new or len(ranges) > 1):
            header.is_deleted = False
        if header.is_new and has_old:
            raise self._source.error(start, "a new file cannot have old lines")
        if header.is_deleted and has_new:
            raise self._source.error(start, "a deleted file cannot have new lines")

    def _read_binary(self, position: int) -> tuple[bool, BinaryDelta | None, int]:
        data = self._source.data
        if data.startswith(_BINARY, position):
            return self._read_binary_data(position + len(_BINARY))
        end = self._source.next_line(position)
        differs = data.startswith((b"Binary files ", b"Files "), position)
        if differs and data.endswith(b" differ\n", 0, end):
            return True, None, end
        return False, None, position

    def _read_binary_data(self, position: int) -> tuple[bool, BinaryDelta, int]:
        try:
            binary, size, end = read_binary(
                self._source.data, position, MAX_INFLATED - self._inflated
            )
        except OverflowError:
            limit = f"the binary patches hold more than {MAX_INFLATED >> 20} MiB"
            raise self._source.error(position, limit) from None
        self._inflated += size
        return True, binary, end


def _decode(name: bytes | None) -> str | None:
    """Names are text like everything else: bytes that are no UTF-8 become surrogate escapes."""
    return None if name is None else name.decode("utf-8", "surrogateescape")
