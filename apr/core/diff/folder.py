"""A tree of files in memory that behaves as a folder on a disk would, folders included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum, auto

from apr.core.diff.model import (
    EXECUTABLE,
    REGULAR,
    SUBMODULE,
    SYMLINK,
    FileEntry,
    is_submodule,
    is_symlink,
)
from apr.core.diff.paths import MAX_PATH, is_too_long
from apr.core.errors import PatchDoesNotApplyError


class Kind(Enum):
    """What is at a path."""

    MISSING = auto()
    FILE = auto()  # or a symbolic link
    FOLDER = auto()  # or a submodule
    BEHIND_FILE = auto()  # a name that should be a folder's is a file's
    BEHIND_LINK = auto()  # the way there leads through a symbolic link
    TOO_LONG = auto()


class MemoryFolder:
    """`base` with changes on top of it; `changes` holds what was written or (None) removed."""

    def __init__(self, base: Mapping[str, FileEntry]) -> None:
        self._base = base
        self.changes: dict[str, FileEntry | None] = {}
        self._folders: dict[str, int] = {}  # every folder with the number of things in it
        for path in base:
            self._count(path)

    def get(self, path: str) -> FileEntry | None:
        """The file or link at the path; a submodule is a folder and none."""
        entry = self._entry(path)
        return None if entry is None or entry.is_submodule else entry

    def _entry(self, path: str) -> FileEntry | None:
        return self.changes[path] if path in self.changes else self._base.get(path)

    def kind(self, path: str) -> Kind:
        """What is there."""
        if is_too_long(path):
            return Kind.TOO_LONG
        entry = self._entry(path)
        if path in self._folders or (entry is not None and entry.is_submodule):
            return Kind.FOLDER
        if entry is not None:
            return Kind.FILE
        for parent in parents(path):
            entry = self.get(parent)
            if entry is not None:
                return Kind.BEHIND_LINK if entry.is_symlink else Kind.BEHIND_FILE
        return Kind.MISSING

    def remove(self, path: str, mode: int, *, prune: bool) -> None:
        """Remove a file, or a submodule's empty folder; with `prune` the folders left empty too.

        What cannot be removed stays, as git only warns of it.
        """
        kind = self.kind(path)
        if kind is not Kind.MISSING and is_submodule(mode) is not (kind is Kind.FOLDER):
            return
        if kind is Kind.FOLDER:
            if self._folders.get(path):
                return
            self._drop_folder(path)
        elif kind is Kind.FILE:
            self.changes[path] = None
            self._uncount(path)
        if prune:
            for parent in parents(path):
                if self._folders.get(parent) != 0:
                    break
                self._drop_folder(parent)

    def write(self, path: str, mode: int, data: bytes) -> None:
        """Create or replace a file, a link or a submodule's folder, parents included.

        Raises:
            PatchDoesNotApplyError: when something else is in the way.
        """
        kind = self.kind(path)
        if kind in (Kind.BEHIND_FILE, Kind.BEHIND_LINK, Kind.TOO_LONG):
            raise PatchDoesNotApplyError(f"{path}: its folder cannot be made")
        if is_submodule(mode):
            self._write_submodule(path, kind)
            return
        if kind is Kind.FOLDER:
            if self._folders.get(path):
                raise PatchDoesNotApplyError(f"{path} is a folder that is not empty")
            self._drop_folder(path)
        entry = _make_entry(path, mode, data)
        if kind is not Kind.FILE:
            self._count(path)
        self.changes[path] = entry

    def _write_submodule(self, path: str, kind: Kind) -> None:
        if kind is Kind.FILE:
            raise PatchDoesNotApplyError(f"{path} is a file where a submodule should be")
        if kind is Kind.MISSING:
            self._count(path)
            self.changes[path] = FileEntry(SUBMODULE, b"")

    def _drop_folder(self, path: str) -> None:
        self._folders.pop(path, None)
        base = self._base.get(path)
        if base is not None and base.is_submodule:
            self.changes[path] = None
        else:
            self.changes.pop(path, None)
        self._uncount(path)

    def _count(self, path: str) -> None:
        """A new thing is at `path`: count it in its folder, which may be new itself."""
        for parent in parents(path):
            known = parent in self._folders
            self._folders[parent] = self._folders.get(parent, 0) + 1
            if known:
                return

    def _uncount(self, path: str) -> None:
        parent = next(parents(path), None)
        if parent is not None:
            self._folders[parent] -= 1


def parents(path: str) -> Iterator[str]:
    """The folders on the way to a path, the innermost first."""
    end = path.rfind("/")
    while end > 0:
        path = path[:end]
        yield path
        end = path.rfind("/")


def _make_entry(path: str, mode: int, data: bytes) -> FileEntry:
    if not is_symlink(mode):
        return FileEntry(EXECUTABLE if mode & 0o100 else REGULAR, data)
    target = data.partition(b"\0")[0]
    if not target or len(target) > MAX_PATH:
        raise PatchDoesNotApplyError(f"{path}: a symbolic link cannot have this target")
    return FileEntry(SYMLINK, target)
