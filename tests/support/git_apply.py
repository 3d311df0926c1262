"""The reference for diffs: what `git apply` makes of a case, and whether we make the same of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from apr.core.diff import FileEntry, apply_changes, parse_diff
from apr.core.diff.folder import parents
from apr.core.errors import MalformedDiffError, PatchDoesNotApplyError
from support.diff_cases import EXECUTABLE, REGULAR, SUBMODULE, SYMLINK, Case, Tree

Result = Mapping[str, FileEntry] | None
"""The tree after a diff; None when it was refused."""

TIMEOUT_S = 60


def ours(case: Case) -> Result:
    """What this project makes of the case."""
    try:
        changes = apply_changes(parse_diff(case.diff), case.tree)
    except (MalformedDiffError, PatchDoesNotApplyError):
        return None
    after = {**case.tree, **changes}
    return {path: entry for path, entry in after.items() if entry is not None}


class NoReferenceError(Exception):
    """git had no memory for a size that a diff claims; on a larger machine it goes on reading."""


class GitApply:
    """Runs `git apply` in one folder, which is emptied before each case."""

    def __init__(self, folder: Path) -> None:
        self.out_of_memory = 0
        self._folder = folder / "tree"
        self._command = [shutil.which("git") or "git", "apply", "--whitespace=nowarn", "-"]
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CEILING_DIRECTORIES": str(folder),
        }

    def __call__(self, case: Case) -> Result:
        """Raises NoReferenceError when git does not get to an answer."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        for path, entry in case.tree.items():
            write_entry(self._folder / path, entry)
        done = subprocess.run(
            self._command,
            cwd=self._folder,
            env=self._environment,
            input=case.diff,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode and b"fatal: Out of memory" in done.stderr:
            self.out_of_memory += 1
            raise NoReferenceError
        return read_tree(self._folder) if done.returncode == 0 else None


def write_entry(target: Path, entry: FileEntry) -> None:
    """Make a file, a link or, for a submodule, an empty folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if entry.mode == SUBMODULE:
        target.mkdir()
    elif entry.mode == SYMLINK:
        target.symlink_to(os.fsdecode(entry.data))
    else:
        target.write_bytes(entry.data)
        target.chmod(0o755 if entry.mode == EXECUTABLE else 0o644)


def read_tree(root: Path) -> Tree:
    """All files and links; a folder with nothing in it is a submodule's."""
    tree: Tree = {}
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        if not folders and not files and here != root:
            tree[str(here.relative_to(root))] = FileEntry(SUBMODULE, b"")
        for path in (here / name for name in (*files, *folders)):
            if path.is_symlink():
                entry = FileEntry(SYMLINK, os.fsencode(path.readlink()))
            elif path.is_file():
                mode = EXECUTABLE if path.stat().st_mode & 0o100 else REGULAR
                entry = FileEntry(mode, path.read_bytes())
            else:
                continue
            tree[str(path.relative_to(root))] = entry
    return tree


def without_empty_folders(case: Case, tree: Result) -> Result:
    """The tree without submodules that something lies in, and without folders left empty.

    A folder is left empty when a change moves its last file without calling that a rename.
    """
    if tree is None:
        return None
    used = {parent for path in (*tree, *case.tree) for parent in parents(path)}
    return {
        path: entry for path, entry in tree.items() if entry.mode != SUBMODULE or path not in used
    }


def compare(case: Case, git: Callable[[Case], Result]) -> str | None:
    """How the two disagree about the case; None when they agree or git does not answer."""
    try:
        mine, reference = (without_empty_folders(case, apply(case)) for apply in (ours, git))
    except NoReferenceError:
        return None
    if mine == reference:
        return None
    if mine is None:
        return "git applies it, we refuse"
    return "we apply it, git refuses" if reference is None else "other bytes"
