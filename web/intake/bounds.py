"""How large a project may be, counted while it is unpacked."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from apr.core.errors import AprError, BadInputError

MOST_DEPTH = 64
LONGEST_NAME = 1024


class RefusedSourceError(BadInputError):
    """A project that is too large, or tries to leave its folder."""


class BusyError(AprError):
    """Too much of this work is under way: it may be asked for again a little later."""


@dataclass(slots=True)
class Bounds:
    """Counts files and bytes; `max_files` counts folders too."""

    max_files: int
    max_bytes: int
    files: int = field(default=0, init=False)
    size: int = field(default=0, init=False)

    def add(self, size: int) -> None:
        """Count one file more.

        Raises:
            RefusedSourceError: when there are too many, or too much in them.
        """
        self.files += 1
        self.size += size
        if self.files > self.max_files:
            raise RefusedSourceError(f"the project has more than {self.max_files:,} files")
        if self.size > self.max_bytes:
            raise RefusedSourceError(f"the project has more than {self.max_bytes:,} bytes")


def inner_path(name: str) -> PurePosixPath:
    """The name of a file in an archive as a path below the project's folder.

    Raises:
        RefusedSourceError: when it would lie elsewhere, or in what git keeps for itself.
    """
    path = PurePosixPath(name)
    parts = path.parts
    if not parts or path.is_absolute() or ".." in parts or "\\" in name or "\0" in name:
        raise RefusedSourceError(f"the archive has a file outside of itself: {name[:100]!r}")
    if len(parts) > MOST_DEPTH or len(name) > LONGEST_NAME:
        raise RefusedSourceError(f"the archive has a file too deep: {name[:100]!r}")
    return path


def is_kept(path: PurePosixPath) -> bool:
    """Whether a file is part of the program: not git's own, nor of an environment.

    An interpreter that comes along would be started outside of a sandbox to ask for its paths.
    """
    return not {part.lower() for part in path.parts} & {".git", ".venv", "venv"}


def count_tree(root: Path, bounds: Bounds) -> None:
    """Count what a copy of a folder would take.

    Raises:
        RefusedSourceError: when it is too much.
    """
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if is_kept(PurePosixPath(name))]
        for name in files:
            bounds.add(Path(folder, name).lstat().st_size)


def single_folder(root: Path) -> Path:
    """The project's folder: archives often have all in one folder of the project's name."""
    entries = list(root.iterdir())
    is_wrapped = len(entries) == 1 and entries[0].is_dir() and not entries[0].is_symlink()
    return entries[0] if is_wrapped else root


def remove_environments(root: Path) -> None:
    """Remove folders that hold an interpreter, and git's own."""
    for folder, folders, _ in os.walk(root):
        for name in list(folders):
            path = Path(folder, name)
            if not is_kept(PurePosixPath(name)) or (path / "pyvenv.cfg").exists():
                folders.remove(name)
                if path.is_symlink():
                    path.unlink()
                else:
                    shutil.rmtree(path)
