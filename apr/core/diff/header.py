"""Finds and reads what stands before the hunks of a file: git's headers and those of plain diff."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from apr.core.diff.hunk import read_ranges
from apr.core.diff.names import (
    SPACES,
    has_epoch_timestamp,
    header_name,
    is_dev_null,
    lacks_prefix,
    read_name,
    read_traditional_name,
)
from apr.core.diff.source import DiffSource

ID_LENGTH = 40
"""Hexadecimal digits of an object's name (SHA-1)."""

_GIT = b"diff --git "
_OCTAL = re.compile(rb"[ \t\n\v\f\r]*([-+]?)([0-7]+)")
_MAX_NUMBER = (1 << 64) - 1


@dataclass(slots=True)
class Header:
    """What the lines said so far; None means: left open. A mode of 0 was not given."""

    start: int = 0
    old: bytes | None = None
    new: bytes | None = None
    default: bytes | None = None
    old_mode: int = 0
    new_mode: int = 0
    is_new: bool | None = None
    is_deleted: bool | None = None
    is_rename: bool = False
    is_copy: bool = False
    old_id: bytes = b""
    new_id: bytes = b""

    @property
    def contradicts_itself(self) -> bool:
        """Whether it claims more than one of: created, deleted, renamed, copied."""
        claims = (self.is_new, self.is_deleted, self.is_rename, self.is_copy)
        return sum(claim is True for claim in claims) > 1

    @property
    def changes_more_than_text(self) -> bool:
        """Whether there is something to do without any hunk."""
        other_mode = self.old_mode and self.new_mode and self.old_mode != self.new_mode
        maybe_deleted = self.is_deleted is not False
        return bool(self.is_rename or self.is_copy or self.is_new or maybe_deleted or other_mode)


class HeaderReader:
    """Reads the headers of one diff; what it learns of prefixes holds for the later ones too."""

    def __init__(self, source: DiffSource) -> None:
        self._source = source
        self._data = source.data
        self._strip = 1
        self._strip_is_known = False

    def find(self, position: int) -> tuple[Header, int] | None:
        """The next header from `position` on, prose skipped, and where its hunks begin.

        Raises:
            MalformedDiffError: when a header is unsound or a hunk comes before any.
        """
        data, source = self._data, self._source
        header = Header()
        while position < len(data):
            end = source.next_line(position)
            if end - position >= 6:
                if read_ranges(source, position, end) is not None:
                    raise source.error(position, "a hunk without the name of a file before it")
                if len(data) - end < 6:
                    return None
                after = self._read(header, position, end)
                if after is not None:
                    return header, after
            position = end
        return None

    def _read(self, header: Header, position: int, end: int) -> int | None:
        """Where the hunks begin, provided that a header begins here."""
        data = self._data
        header.start = position
        if data.startswith(_GIT, position):
            # A line alone is no header, yet git remembers the names in it.
            after = self._read_git(header, position, end)
            return after if after > end else None
        if data.startswith(b"--- ", position) and data.startswith(b"+++ ", end):
            after = self._source.next_line(end)
            if len(data) - position >= after - end + 14 and data.startswith(b"@@ -", after):
                self._read_plain(header, position + 4, end + 4)
                return after
        return None

    def _read_plain(self, header: Header, first: int, second: int) -> None:
        """The two lines of a diff that git did not write."""
        data = self._data
        if not self._strip_is_known and lacks_prefix(data, second):
            self._strip, self._strip_is_known = 0, True
        old = None
        if not is_dev_null(data, first) and not is_dev_null(data, second):
            old = read_traditional_name(data, first, None, self._strip)
        named = first if is_dev_null(data, second) and not is_dev_null(data, first) else second
        name = read_traditional_name(data, named, old, self._strip)
        if name is None:
            raise self._source.error(first, "the name of the file is missing")
        if is_dev_null(data, first):
            header.is_new, header.is_deleted, header.new = True, False, name
        elif is_dev_null(data, second):
            header.is_new, header.is_deleted, header.old = False, True, name
        elif has_epoch_timestamp(data, first):
            header.is_new, header.is_deleted, header.new = True, False, name
        elif has_epoch_timestamp(data, second):
            header.is_new, header.is_deleted, header.old = False, True, name
        else:
            header.old = header.new = name

    def _read_git(self, header: Header, start: int, position: int) -> int:
        """The lines after `diff --git` at `start`; where they end."""
        source, data = self._source, self._data
        header.is_new = header.is_deleted = False
        header.default = header_name(data, start + len(_GIT), position, self._strip)
        while position < len(data):
            end = source.next_line(position)
            entry = next((e for e in _ENTRIES if data.startswith(e[0], position)), None)
            if entry is None or not source.is_ended(end):
                break
            entry[1](self, header, position + len(entry[0]))
            if header.contradicts_itself:
                raise source.error(position, "it contradicts an earlier line of the header")
            position = end
        if header.old is None and header.new is None:
            header.old = header.new = header.default
        lacks_new = header.new is None and not header.is_deleted
        if lacks_new or (header.old is None and not header.is_new):
            raise source.error(start, "the header does not name its files")
        return position

    def _old_name(self, header: Header, start: int) -> None:
        header.old = self._agreed_name(header.old, start, is_absent=bool(header.is_new))

    def _new_name(self, header: Header, start: int) -> None:
        header.new = self._agreed_name(header.new, start, is_absent=bool(header.is_deleted))

    def _agreed_name(self, known: bytes | None, start: int, *, is_absent: bool) -> bytes | None:
        """The name after `--- ` or `+++ `, provided that it agrees with what was said before."""
        if known is None and is_absent:
            if not is_dev_null(self._data, start):
                raise self._source.error(start, "/dev/null is expected here")
            return None
        name = read_name(self._data, start, self._strip, ends_at_tab=True)
        if known is not None and (is_absent or name != known):
            raise self._source.error(start, "the name contradicts an earlier line of the header")
        return name

    def _mode(self, start: int) -> int:
        found = _OCTAL.match(self._data, start)
        if found is None or not _is_space(self._data, found.end()):
            raise self._source.error(start, "this is no file mode")
        digits = found[2].lstrip(b"0")
        value = _MAX_NUMBER if len(digits) > 22 else min(int(digits or b"0", 8), _MAX_NUMBER)
        return (-value if found[1] == b"-" and value < _MAX_NUMBER else value) & 0xFFFFFFFF

    def _old_mode(self, header: Header, start: int) -> None:
        header.old_mode = self._mode(start)

    def _new_mode(self, header: Header, start: int) -> None:
        header.new_mode = self._mode(start)

    def _deleted(self, header: Header, start: int) -> None:
        header.is_deleted, header.old = True, header.default
        header.old_mode = self._mode(start)

    def _created(self, header: Header, start: int) -> None:
        header.is_new, header.new = True, header.default
        header.new_mode = self._mode(start)

    def _copy_from(self, header: Header, start: int) -> None:
        header.is_copy, header.old = True, self._whole_name(start)

    def _copy_to(self, header: Header, start: int) -> None:
        header.is_copy, header.new = True, self._whole_name(start)

    def _rename_from(self, header: Header, start: int) -> None:
        header.is_rename, header.old = True, self._whole_name(start)

    def _rename_to(self, header: Header, start: int) -> None:
        header.is_rename, header.new = True, self._whole_name(start)

    def _whole_name(self, start: int) -> bytes | None:
        # These lines carry no a/ and b/, so nothing is stripped.
        return read_name(self._data, start, 0, ends_at_tab=False)

    def _similarity(self, header: Header, start: int) -> None:
        """Nothing depends on it."""

    def _index(self, header: Header, start: int) -> None:
        """`OLD..NEW MODE`; what does not look like that is passed over."""
        line = self._data[start : self._source.next_line(start) - 1].partition(b"\0")[0]
        old, dot, rest = line.partition(b".")
        if not dot or not rest.startswith(b".") or len(old) > ID_LENGTH:
            return
        header.old_id = old
        new, space, _ = rest[1:].partition(b" ")
        if len(new) > ID_LENGTH:
            return
        header.new_id = new
        if space:
            self._old_mode(header, start + len(old) + len("..") + len(new) + len(" "))


def _is_space(data: bytes, position: int) -> bool:
    return position < len(data) and data[position] in SPACES


_ENTRIES: tuple[tuple[bytes, Callable[[HeaderReader, Header, int], None]], ...] = (
    (b"--- ", HeaderReader._old_name),
    (b"+++ ", HeaderReader._new_name),
    (b"old mode ", HeaderReader._old_mode),
    (b"new mode ", HeaderReader._new_mode),
    (b"deleted file mode ", HeaderReader._deleted),
    (b"new file mode ", HeaderReader._created),
    (b"copy from ", HeaderReader._copy_from),
    (b"copy to ", HeaderReader._copy_to),
    (b"rename old ", HeaderReader._rename_from),
    (b"rename new ", HeaderReader._rename_to),
    (b"rename from ", HeaderReader._rename_from),
    (b"rename to ", HeaderReader._rename_to),
    (b"similarity index ", HeaderReader._similarity),
    (b"dissimilarity index ", HeaderReader._similarity),
    (b"index ", HeaderReader._index),
)
