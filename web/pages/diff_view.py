"""A unified diff as two columns: the old lines beside the new ones, aligned."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from apr.core.diff import FileChange, parse_diff
from apr.core.diff.model import DiffHunk
from apr.core.errors import MalformedDiffError
from apr.core.patch import Patch
from web.pages.highlight import Span, highlight_lines


@dataclass(frozen=True, slots=True)
class Side:
    """A line of one column; `number` is 1-based."""

    number: int
    code: Markup


@dataclass(frozen=True, slots=True)
class Row:
    """Two lines beside each other; `kind` is same, changed, removed or added."""

    kind: str
    old: Side | None
    new: Side | None


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What is done to one file; `note` says so where there is no line to show."""

    path: str
    note: str
    hunks: tuple[tuple[Row, ...], ...]
    added: int
    removed: int


def diff_view(diff: str) -> tuple[FileDiff, ...]:
    """The files of a diff; none when it is no diff that can be read."""
    try:
        changes = parse_diff(diff.encode("utf-8", "surrogateescape"))
    except MalformedDiffError:
        return ()
    return tuple(_file(change) for change in changes)


def bare_view(patch: Patch) -> tuple[FileDiff, ...]:
    """The hunks of a patch alone, where the program around them cannot be read."""
    found = []
    for path in patch.paths:
        hunks = [hunk for hunk in patch.hunks if hunk.path == path]
        shift, rows = 0, []
        for hunk in hunks:
            rows.append(_rows(path, hunk.first, hunk.first + shift, hunk.old, hunk.new))
            shift += len(hunk.new) - len(hunk.old)
        found.append(_counted(path, _note(path in patch.created, path in patch.deleted), rows))
    return tuple(found)


def _file(change: FileChange) -> FileDiff:
    path = change.path or "?"
    rows = [_hunk_rows(path, hunk) for hunk in change.hunks]
    note = "binary data" if change.is_binary else _note(change.is_new, change.is_deleted)
    return _counted(path, note, rows)


def _note(is_new: bool | None, is_deleted: bool | None) -> str:
    return "new file" if is_new else "deleted" if is_deleted else ""


def _counted(path: str, note: str, hunks: Sequence[tuple[Row, ...]]) -> FileDiff:
    rows = [row for hunk in hunks for row in hunk if row.kind != "same"]
    return FileDiff(
        path,
        note,
        tuple(hunks),
        added=sum(row.new is not None for row in rows),
        removed=sum(row.old is not None for row in rows),
    )


def _hunk_rows(path: str, hunk: DiffHunk) -> tuple[Row, ...]:
    old, new = ([os.fsdecode(line) for line in side] for side in (hunk.old, hunk.new))
    return _rows(path, hunk.first_old, hunk.first_new, old, new)


def _rows(
    path: str, first_old: int, first_new: int, old: Sequence[str], new: Sequence[str]
) -> tuple[Row, ...]:
    pairs = list(_pairs(old, new))
    old_spans: dict[int, Span] = {}
    new_spans: dict[int, Span] = {}
    for kind, a, b in pairs:
        if kind == "changed" and a is not None and b is not None:
            old_spans[a], new_spans[b] = _stressed(old[a], new[b])
    left = highlight_lines(path, old, [old_spans.get(i) for i in range(len(old))])
    right = highlight_lines(path, new, [new_spans.get(i) for i in range(len(new))])
    return tuple(
        Row(
            kind,
            None if a is None else Side(first_old + a, left[a]),
            None if b is None else Side(first_new + b, right[b]),
        )
        for kind, a, b in pairs
    )


def _pairs(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, int | None, int | None]]:
    """Which line stands beside which, by index, and what happened to it."""
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, i, i_end, j, j_end in matcher.get_opcodes():
        while i < i_end or j < j_end:
            a, b = (i if i < i_end else None), (j if j < j_end else None)
            if tag == "equal":
                kind = "same"
            else:
                kind = "added" if a is None else "removed" if b is None else "changed"
            yield kind, a, b
            i, j = i + (a is not None), j + (b is not None)


def _stressed(old: str, new: str) -> tuple[Span, Span]:
    """What differs between two lines that have a beginning and an end in common."""
    old, new = old.rstrip("\r\n"), new.rstrip("\r\n")
    start = _alike(old, new)
    tail = min(min(len(old), len(new)) - start, _alike(old[::-1], new[::-1]))
    return (start, len(old) - tail), (start, len(new) - tail)


def _alike(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
