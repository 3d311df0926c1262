"""Turns a diff that somebody wrote into a candidate patch, or says why it cannot be one."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from apr.core.diff import FileChange, FileEntry, apply_changes
from apr.core.diff.model import EXECUTABLE, REGULAR
from apr.core.errors import PatchDoesNotApplyError
from apr.core.patch import Hunk, Patch, split_lines


def patch_from_diff(changes: Sequence[FileChange], base: Mapping[str, str]) -> Patch:
    """The patch that does to `base` what the changes of a diff do.

    `base` maps the subject's paths to texts and may lack what cannot be read as a file, such as
    symbolic links. Renamed and copied files are deleted and created.

    Raises:
        PatchDoesNotApplyError: when `git apply` would refuse the changes, or when they change
            anything but text: a mode, a link, a submodule or binary data.
    """
    for change in changes:
        _refuse_other_than_text(change)
    hunks: list[Hunk] = []
    created: list[str] = []
    deleted: list[str] = []
    for path, entry in sorted(apply_changes(changes, _Entries(base)).items()):
        old = base.get(path)
        new = None if entry is None else entry.data.decode("utf-8", "surrogateescape")
        if old == new:
            continue
        if old is None:
            created.append(path)
        if new is None:
            deleted.append(path)
        hunks += _edits(path, split_lines(old or ""), split_lines(new or ""))
    return Patch(tuple(hunks), tuple(created), tuple(deleted))


def _refuse_other_than_text(change: FileChange) -> None:
    what = None
    modes = [mode for mode in (change.old_mode, change.new_mode) if mode]
    if change.is_binary:
        what = "binary data"
    elif any(mode not in (REGULAR, EXECUTABLE) for mode in modes):
        what = f"the kind of file {next(m for m in modes if m not in (REGULAR, EXECUTABLE)):o}"
    elif change.new_mode and change.new_mode != (change.old_mode or REGULAR):
        what = f"the mode {change.new_mode:o}"
    if what is not None:
        raise PatchDoesNotApplyError(
            f"{change.path!r}: a patch may change text alone, but line {change.line} of the diff"
            f" begins a change with {what}"
        )


class _Entries(Mapping[str, FileEntry]):
    """Texts as the entries of a tree; modes are left out of account, since none may change."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def __getitem__(self, path: str) -> FileEntry:
        return FileEntry(REGULAR, self._texts[path].encode("utf-8", "surrogateescape"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def _edits(path: str, old: list[str], new: list[str]) -> Iterator[Hunk]:
    """Hunks that turn `old` into `new`, found in time n log n whatever the lines are.

    Lines that occur once on both sides, in the same order, divide the text (patience diff, Cohen
    2003); what differs between two of them is one hunk.
    """
    start, end = 0, 0
    shorter = min(len(old), len(new))
    while start < shorter and old[start] == new[start]:
        start += 1
    while end < shorter - start and old[-1 - end] == new[-1 - end]:
        end += 1
    stops = (len(old) - end, len(new) - end)
    here = (start, start)
    for anchor in [*_anchors(old, new, here, stops), stops]:
        yield from _edit_between(path, old, new, here, anchor)
        here = (anchor[0] + 1, anchor[1] + 1)


def _edit_between(
    path: str, old: list[str], new: list[str], here: tuple[int, int], stop: tuple[int, int]
) -> Iterator[Hunk]:
    first, second = here
    last, other = stop
    while first < last and second < other and old[first] == new[second]:
        first, second = first + 1, second + 1
    while first < last and second < other and old[last - 1] == new[other - 1]:
        last, other = last - 1, other - 1
    if first < last or second < other:
        yield Hunk(path, first + 1, tuple(old[first:last]), tuple(new[second:other]))


def _anchors(
    old: list[str], new: list[str], here: tuple[int, int], stops: tuple[int, int]
) -> list[tuple[int, int]]:
    """Positions of the lines that occur once on both sides; as many as can be in order."""
    ours = {line: i for i, line in enumerate(old[here[0] : stops[0]], here[0])}
    counts = Counter(old[here[0] : stops[0]])
    others = Counter(new[here[1] : stops[1]])
    pairs = [
        (ours[line], j)
        for j, line in enumerate(new[here[1] : stops[1]], here[1])
        if counts[line] == 1 and others[line] == 1
    ]
    return _longest_rising(pairs)


def _longest_rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of the pairs whose first numbers rise."""
    ends: list[int] = []
    chosen: list[int] = []
    before: list[int] = []
    for index, (value, _) in enumerate(pairs):
        place = bisect_left(ends, value)
        before.append(chosen[place - 1] if place else -1)
        ends[place : place + 1] = [value]
        chosen[place : place + 1] = [index]
    result = []
    index = chosen[-1] if chosen else -1
    while index >= 0:
        result.append(pairs[index])
        index = before[index]
    return result[::-1]
