"""What a diff says about each file, and what a file is: mode and bytes, as in a git tree."""

from __future__ import annotations

from dataclasses import dataclass

KIND_MASK = 0o170000
REGULAR, EXECUTABLE, SYMLINK, SUBMODULE = 0o100644, 0o100755, 0o120000, 0o160000


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file: its git mode and bytes; a symlink's bytes are its target, a submodule has none."""

    mode: int
    data: bytes

    @property
    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return is_symlink(self.mode)

    @property
    def is_submodule(self) -> bool:
        """Whether it is a folder that belongs to another repository."""
        return is_submodule(self.mode)


def is_symlink(mode: int) -> bool:
    """Whether a git mode means a symbolic link."""
    return mode & KIND_MASK == SYMLINK


def is_submodule(mode: int) -> bool:
    """Whether a git mode means a submodule."""
    return mode & KIND_MASK == SUBMODULE


@dataclass(frozen=True, slots=True)
class DiffHunk:
    """One hunk: the lines it expects and the lines it leaves, line ends included.

    A line lacks its line end where "\\ No newline at end of file" follows it. `first_old` and
    `first_new` are the 1-based lines of the header, 0 for a side without lines. `has_tail` says
    that context follows the last change; without it the hunk must reach the end of the file.
    `line` is where the hunk stands in the diff.
    """

    line: int
    first_old: int
    first_new: int
    old: tuple[bytes, ...]
    new: tuple[bytes, ...]
    has_tail: bool


@dataclass(frozen=True, slots=True)
class BinaryDelta:
    """The inflated content of a GIT binary patch: new bytes, or a delta against the old ones."""

    is_literal: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a diff says about one file.

    A mode of 0 was not given. `is_new` and `is_deleted` are None where a diff without git's
    headers leaves it open; the tree it is applied to decides then. `old_id` and `new_id` are the
    object names of the index line, as far as they were written out. A binary change without
    `binary` has no data ("Binary files differ").
    """

    line: int
    old_path: str | None
    new_path: str | None
    old_mode: int = 0
    new_mode: int = 0
    is_new: bool | None = False
    is_deleted: bool | None = False
    is_rename: bool = False
    is_copy: bool = False
    hunks: tuple[DiffHunk, ...] = ()
    is_binary: bool = False
    binary: BinaryDelta | None = None
    old_id: bytes = b""
    new_id: bytes = b""

    @property
    def path(self) -> str:
        """The name to call it by: the new one, of a removed file the old one."""
        return self.new_path or self.old_path or ""
