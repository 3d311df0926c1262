"""Private copies of a subject, in which candidates are tried without touching the original."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from apr.core.errors import EnvironmentUnusableError, PatchDoesNotApplyError
from apr.core.patch import Patch

# Version control (with the repository's later history), environments and caches stay outside.
EXCLUDED_NAMES = frozenset(
    {
        ".git", ".hg", ".svn", "__pycache__", ".tox", ".nox", ".venv", ".mypy_cache",
        ".pytest_cache", ".ruff_cache", ".hypothesis", ".idea", ".vscode",
    }
)  # fmt: skip
CACHE_NAMES = frozenset({"__pycache__", ".pytest_cache"})


def copy_subject(subject: Path, target: Path) -> None:
    """Copy the subject's working tree, symlinks as symlinks, to the new folder `target`.

    The copy is readable for the users of sandboxes, whatever the subject's own mode bits are.

    Raises:
        EnvironmentUnusableError: when a file cannot be read or the disk is full.
    """
    _copy(subject, target, _ignore)
    make_readable(target)


def make_readable(root: Path) -> None:
    """Let everybody read a private copy of ours, and enter its folders."""
    for folder, folders, files in os.walk(root):
        for name in (".", *folders, *files):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            needed = 0o555 if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0o444
            if not stat.S_ISLNK(mode) and mode & needed != needed:
                path.chmod(stat.S_IMODE(mode) | needed)


def copy_workspace(pristine: Path, target: Path) -> None:
    """Copy a private copy once more, bytecode caches included.

    Raises:
        EnvironmentUnusableError: when the disk is full.
    """
    _copy(pristine, target, None)


def _copy(source: Path, target: Path, ignore: Callable[[str, list[str]], set[str]] | None) -> None:
    try:
        shutil.copytree(source, target, symlinks=True, ignore=ignore)
    except (OSError, shutil.Error) as error:
        reason = error.args[0][0][2] if isinstance(error, shutil.Error) else error
        raise EnvironmentUnusableError(f"cannot copy {source}: {reason}") from error


def _ignore(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in EXCLUDED_NAMES or _is_foreign(folder, name)}


def _is_foreign(folder: str, name: str) -> bool:
    """A virtual environment of any name, or no regular file, folder or link."""
    path = Path(folder, name)
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode):
        return (path / "pyvenv.cfg").is_file()
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode))


def decode(data: bytes) -> str:
    """Text of a source file; bytes that are no UTF-8 become surrogate escapes."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The exact inverse of `decode`."""
    return text.encode("utf-8", "surrogateescape")


class SourceTree(Mapping[str, str]):
    """The texts of a folder's files by relative POSIX path, read on first use."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._texts: dict[str, str] = {}

    def __getitem__(self, path: str) -> str:
        if path not in self._texts:
            try:
                self._texts[path] = decode(safe_path(self.root, path).read_bytes())
            except (OSError, PatchDoesNotApplyError) as error:
                raise KeyError(path) from error
        return self._texts[path]

    def __iter__(self) -> Iterator[str]:
        return _walk(self.root)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def safe_path(root: Path, path: str) -> Path:
    """The file that a relative POSIX path names inside `root`.

    Raises:
        PatchDoesNotApplyError: when it is absolute, climbs out, leads through a symlink, or
            cannot be a file's.
    """
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise PatchDoesNotApplyError(f"{path!r} is not a path inside the subject")
    current = root
    for part in pure.parts:
        current = current / part
        try:
            is_link = current.is_symlink()
        except (OSError, ValueError) as error:
            raise PatchDoesNotApplyError(f"{path[:200]!r} cannot be a file's path") from error
        if is_link:
            raise PatchDoesNotApplyError(f"{path!r} leads through a symbolic link")
    return current


class Workspace:
    """One private copy of the subject that is patched, tested and put back.

    `pristine` is the folder it was copied from and is never written.
    """

    def __init__(self, root: Path, pristine: Path) -> None:
        self.root = root
        self.pristine = pristine
        self._texts = SourceTree(pristine)

    @contextmanager
    def patched(self, patch: Patch) -> Iterator[None]:
        """Hold `patch` applied.

        Raises:
            PatchDoesNotApplyError: when it does not fit; nothing is written then.
            EnvironmentUnusableError: when the copy cannot be written.
        """
        changed = patch.apply(self._texts)
        targets = {path: safe_path(self.root, path) for path in changed}
        for path in patch.created:
            self._check_free(path, patch.deleted)
        try:
            for path in patch.deleted:
                self._delete(targets[path])
            for path, text in changed.items():
                if text is not None:
                    self._write(targets[path], encode(text), path)
            yield
        finally:
            # What was created goes first: it may lie where a folder or file has to come back.
            for path in sorted(targets, key=lambda path: path not in patch.created):
                self._restore(path)

    def renew(self) -> None:
        """Make the copy anew, when what is in it cannot be trusted any more.

        Raises:
            EnvironmentUnusableError: when the disk is full.
        """
        _remove(self.root)
        copy_workspace(self.pristine, self.root)

    def _check_free(self, path: str, deleted: Sequence[str]) -> None:
        """Refuse to create a file where something is, or below a file, if it is not deleted."""
        for parent in PurePosixPath(path).parents:
            place = self.root / parent
            if place.exists() and not place.is_dir() and parent.as_posix() not in deleted:
                raise PatchDoesNotApplyError(f"the patch creates {path}, but {parent} is a file")
        if (self.root / path).exists():
            raise PatchDoesNotApplyError(f"the patch creates {path}, which is a folder")

    def _delete(self, target: Path) -> None:
        try:
            target.unlink()
        except OSError as error:
            raise EnvironmentUnusableError(f"cannot delete {target}: {error.strerror}") from error

    def _write(self, target: Path, data: bytes, path: str) -> None:
        try:
            if target.exists():
                target.chmod(target.stat().st_mode | stat.S_IWUSR)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        except OSError as error:
            raise EnvironmentUnusableError(f"cannot write {target}: {error.strerror}") from error
        # Bytecode caches compare whole seconds and sizes: never look like the original.
        source = safe_path(self.pristine, path)
        original = source.stat().st_mtime if source.is_file() else 0.0
        moment = max(time.time(), original + 2)
        os.utime(target, (moment, moment))

    def _restore(self, path: str) -> None:
        """Put one file back as it was."""
        try:
            folder = self.root
            for part in PurePosixPath(path).parts[:-1]:
                folder = folder / part
                if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                    folder.unlink()
                folder.mkdir(exist_ok=True)
            target, source = self.root / path, self.pristine / path
            _remove(target)
            if source.is_symlink() or source.is_file():
                shutil.copy2(source, target, follow_symlinks=False)
            else:
                self._remove_new_folder(path)
        except OSError as error:
            raise EnvironmentUnusableError(f"cannot restore {path}: {error}") from error

    def _remove_new_folder(self, path: str) -> None:
        """Remove the outermost folder on the way to `path` that was made for it, if one was."""
        for parent in reversed(PurePosixPath(path).parents):
            if not (self.pristine / parent).is_dir():
                _remove(self.root / parent)
                return


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


def store_bytecode(root: Path, caches: Mapping[str, bytes]) -> None:
    """Write bytecode caches that came out of a sandbox, by relative path, into `root`.

    Whatever is not the new cache of a folder that exists is passed over: its sender is not to be
    trusted with any other file.
    """
    for path, data in caches.items():
        pure = PurePosixPath(path)
        if pure.parent.name != "__pycache__" or pure.suffix != ".pyc":
            continue
        with contextlib.suppress(OSError, PatchDoesNotApplyError):
            target = safe_path(root, path)
            if target.parent.parent.is_dir() and not target.exists():
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(data)


def _walk(root: Path) -> Iterator[str]:
    """Every file and link, caches aside, by relative path."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in CACHE_NAMES)
        base = Path(folder)
        links = [name for name in folders if (base / name).is_symlink()]
        for name in [*sorted(files), *links]:
            yield (base / name).relative_to(root).as_posix()
