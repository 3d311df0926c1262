"""Applies the changes of a diff to a tree in memory, all of them or none, as `git apply` does.

That is git without options, attributes and configuration, outside of a repository. First every
change is checked and its result computed, in order, so that a second change of one file builds on
the first one; renames and copies read what was there at the outset. Then everything old is removed
and everything new is written, and only then does it show whether files and folders get in each
other's way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from apr.core.diff.binary import apply_delta
from apr.core.diff.folder import Kind, MemoryFolder, parents
from apr.core.diff.header import ID_LENGTH
from apr.core.diff.model import (
    KIND_MASK,
    REGULAR,
    SUBMODULE,
    FileChange,
    FileEntry,
    is_submodule,
    is_symlink,
)
from apr.core.diff.paths import is_safe_path
from apr.core.diff.place import Effort, PatchedLines
from apr.core.errors import PatchDoesNotApplyError


def apply_changes(
    changes: Sequence[FileChange], tree: Mapping[str, FileEntry]
) -> dict[str, FileEntry | None]:
    """What becomes of every path that the changes write or (None) remove.

    `tree` holds files, symbolic links and submodules by path, never a folder.

    Raises:
        PatchDoesNotApplyError: when git would refuse any of the changes for this tree.
    """
    return _Application(changes, tree).run()


class _Gone(Enum):
    """Why a path is not to be had: a change removed it already, or a later one will."""

    WAS_REMOVED = "was removed"
    TO_BE_REMOVED = "is to be removed"


@dataclass(slots=True)
class _Step:
    """A change with what the tree has decided about it, and with its result."""

    change: FileChange
    old: str | None
    old_mode: int
    new_mode: int
    is_new: bool | None
    is_deleted: bool | None
    result: bytes = b""

    @property
    def name(self) -> str:
        return self.old or self.change.path

    @property
    def moves(self) -> bool:
        return self.change.is_rename or self.change.is_copy


class _Application:
    def __init__(self, changes: Sequence[FileChange], tree: Mapping[str, FileEntry]) -> None:
        self._folder = MemoryFolder(tree)
        self._steps = [
            _Step(c, c.old_path, c.old_mode, c.new_mode, c.is_new, c.is_deleted) for c in changes
        ]
        self._effort = Effort()
        self._results: dict[str | None, _Step | _Gone] = {
            c.old_path: _Gone.TO_BE_REMOVED for c in changes if c.new_path is None or c.is_rename
        }
        self._links_removed = {
            c.old_path
            for c in changes
            if is_symlink(c.old_mode) and (c.is_rename or c.is_deleted is not False)
        }
        self._links_made = {c.new_path for c in changes if is_symlink(c.new_mode)}

    def run(self) -> dict[str, FileEntry | None]:
        for step in self._steps:
            self._check(step)
        for step in self._steps:
            self._remove_old(step)
        for step in self._steps:
            self._write_new(step)
        return self._folder.changes

    def _check(self, step: _Step) -> None:
        change, new = step.change, step.change.new_path
        previous = self._previous(step)
        if step.old is not None:
            self._check_old(step, step.old, previous)
        if new is not None and (step.is_new or step.moves):
            self._check_absent(new)
            if not step.new_mode:
                step.new_mode = REGULAR if step.is_new else step.old_mode
        if new is not None and step.old is not None:
            step.new_mode = step.new_mode or step.old_mode
            if (step.old_mode ^ step.new_mode) & KIND_MASK:
                raise PatchDoesNotApplyError(f"{new} changes its kind of file")
        self._check_paths(step)
        step.result = self._compute(step, previous if step.old is not None else None)
        self._effort.keep(len(step.result) if change.is_binary or change.hunks else 0)
        self._remember(step)
        if step.is_deleted and step.result:
            raise PatchDoesNotApplyError(f"{change.path} is to be deleted, but lines are left")

    def _previous(self, step: _Step) -> _Step | None:
        """The earlier change of the same file on which this one builds."""
        if step.moves or step.old is None:
            return None
        found = self._results.get(step.old)
        if found is _Gone.WAS_REMOVED:
            raise PatchDoesNotApplyError(f"{step.old} was renamed or deleted before")
        return found if isinstance(found, _Step) else None

    def _check_old(self, step: _Step, old: str, previous: _Step | None) -> None:
        """Compare what the change says of the old file with what is there."""
        if step.is_new:
            raise PatchDoesNotApplyError(f"{old} is named as the old file of a new one")
        if previous is not None:
            mode = previous.new_mode
        else:
            kind = self._folder.kind(old)
            if kind is Kind.MISSING and step.is_new is None:
                step.is_new, step.is_deleted, step.old = True, False, None
                return
            entry = self._folder.get(old)
            if kind is not Kind.FOLDER and entry is None:
                raise PatchDoesNotApplyError(f"there is no file {old}")
            # A folder is taken for a submodule, of which git without an index knows nothing.
            mode = SUBMODULE if entry is None else entry.mode
        step.is_new = bool(step.is_new)
        step.old_mode = step.old_mode or mode
        if (mode ^ step.old_mode) & KIND_MASK:
            raise PatchDoesNotApplyError(f"{old} is another kind of file")
        if not step.new_mode and step.is_deleted is False:
            step.new_mode = mode

    def _check_absent(self, new: str) -> None:
        """Refuse to create what exists, unless this diff removes it."""
        if isinstance(self._results.get(new), _Gone):
            return
        kind = self._folder.kind(new)
        if kind in (Kind.FILE, Kind.TOO_LONG):
            raise PatchDoesNotApplyError(f"{new} exists already")

    def _check_paths(self, step: _Step) -> None:
        new = step.change.new_path
        reads_old = step.is_deleted is not False or not (step.is_new or step.change.is_copy)
        if reads_old and step.old is not None and not is_safe_path(step.old, step.old_mode):
            raise PatchDoesNotApplyError(f"{step.old!r} is not a path that may be changed")
        if step.is_deleted is not False or new is None:
            return
        if not is_safe_path(new, step.new_mode):
            raise PatchDoesNotApplyError(f"{new!r} is not a path that may be written")
        for parent in parents(new):
            entry = self._folder.get(parent)
            is_link = entry is not None and entry.is_symlink
            if parent in self._links_made or (is_link and parent not in self._links_removed):
                raise PatchDoesNotApplyError(f"{new!r} leads through a symbolic link")

    def _compute(self, step: _Step, previous: _Step | None) -> bytes:
        """The bytes after the change."""
        change = step.change
        entry = self._folder.get(step.old) if step.old is not None else None
        hunks = change.hunks
        if previous is not None:
            data = previous.result
        elif step.old is not None and is_submodule(step.old_mode):
            data, hunks = b"", ()
        else:
            data = b"" if entry is None else entry.data
        if change.is_binary:
            self._effort.look(len(data) // 16)
            return _apply_binary(change, data, has_old=step.old is not None)
        if not hunks:
            return data
        lines = PatchedLines(data, self._effort)
        for hunk in hunks:
            if not lines.apply(hunk):
                raise PatchDoesNotApplyError(
                    f"the hunk in line {hunk.line} of the diff does not fit {step.name}"
                )
        return lines.join()

    def _remember(self, step: _Step) -> None:
        new = step.change.new_path
        if new is not None:
            self._results[new] = step
        if new is None or step.change.is_rename:
            self._results[step.old] = _Gone.WAS_REMOVED

    def _remove_old(self, step: _Step) -> None:
        if step.old is None or step.is_new or (step.change.is_copy and not step.is_deleted):
            return
        prune = step.is_deleted is True or step.change.is_rename
        self._folder.remove(step.old, step.old_mode, prune=prune)

    def _write_new(self, step: _Step) -> None:
        new = step.change.new_path
        if step.is_deleted is not True and new is not None:
            self._folder.write(new, step.new_mode or REGULAR, step.result)


def _apply_binary(change: FileChange, data: bytes, *, has_old: bool) -> bytes:
    """git insists on full object names, and on the bytes that they stand for."""
    path = change.path
    if not _is_full_id(change.old_id) or not _is_full_id(change.new_id):
        raise PatchDoesNotApplyError(f"the binary change of {path} lacks a full index line")
    if has_old and object_id(data) != change.old_id:
        raise PatchDoesNotApplyError(f"{path} is not the file that the binary change was made for")
    if not has_old and data:
        raise PatchDoesNotApplyError(f"{path} is not empty")
    if not change.new_id.strip(b"0"):
        return b""
    binary = change.binary
    if binary is None:
        raise PatchDoesNotApplyError(f"the diff does not hold the new bytes of {path}")
    result = binary.data if binary.is_literal else apply_delta(data, binary.data)
    if result is None or object_id(result) != change.new_id:
        raise PatchDoesNotApplyError(f"the binary change of {path} does not give what it promises")
    return result


def _is_full_id(text: bytes) -> bool:
    return len(text) == ID_LENGTH and not text.strip(b"0123456789abcdefABCDEF")


def object_id(data: bytes) -> bytes:
    """The name that git gives to a file of these bytes."""
    sha = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    sha.update(data)
    return sha.hexdigest().encode()
