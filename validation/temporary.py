"""Temporary folders that outlive nobody: all below one root per process, held by a lock.

The lock ends with the process, however it ends. Whoever makes a root first removes those whose
lock is free, so that after a SIGKILL nothing is left once the next process has started.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apr.core.errors import EnvironmentUnusableError

PREFIX = "apr-run-"
MAKING = "apr-making-"  # not locked yet; becomes a root by being renamed
LOCK = "lock"
UNFINISHED_S = 3600.0  # nobody takes so long from making a folder to locking it


@dataclass(slots=True)
class _Root:
    path: Path
    lock: int
    users: int = 0


_roots: dict[Path, _Root] = {}
_guard = threading.Lock()


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """A new folder, private to this user, whose name begins with `name`; it goes at the end.

    Raises:
        EnvironmentUnusableError: when it cannot be made, on a full disk say.
    """
    with _guard, _explained():
        parent = Path(tempfile.gettempdir())
        root = _roots.get(parent) or _make_root(parent)
        root.users += 1
    try:
        with _explained():
            folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root.path))
        try:
            yield folder
        finally:
            remove_tree(folder)
    finally:
        with _guard:
            root.users -= 1
            if not root.users and _roots.get(parent) is root:
                del _roots[parent]
                _remove_root(root.path)
                os.close(root.lock)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnvironmentUnusableError(f"cannot make a temporary folder: {error}") from error


def _make_root(parent: Path) -> _Root:
    reap(parent)
    making = Path(tempfile.mkdtemp(prefix=MAKING, dir=parent))
    lock = os.open(making / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    path = parent / making.name.replace(MAKING, PREFIX)
    making.rename(path)
    _roots[parent] = _Root(path, lock)
    return _roots[parent]


def reap(parent: Path) -> list[Path]:
    """Remove the roots in `parent` that dead processes of this user have left; which they were."""
    removed = []
    for prefix in (PREFIX, MAKING):
        for path in parent.glob(f"{prefix}*"):
            if _is_ours(path) and _is_free(path, is_unfinished=prefix == MAKING):
                _remove_root(path)
                removed.append(path)
    return removed


def _is_ours(path: Path) -> bool:
    try:
        info = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid()


def _is_free(root: Path, *, is_unfinished: bool) -> bool:
    """Nobody holds the lock; a root without one has lost it to an earlier, interrupted removal.

    An unfinished root gets its lock a moment after the file, so that its age must speak too.
    """
    if is_unfinished and _age_s(root) <= UNFINISHED_S:
        return False
    try:
        lock = os.open(root / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return 0.0


def _remove_root(root: Path) -> None:
    """The lock goes last but one: what is interrupted here can be told from a living root."""
    with contextlib.suppress(OSError):
        for path in root.iterdir():
            if path.name != LOCK:
                remove_tree(path)
        (root / LOCK).unlink(missing_ok=True)
        root.rmdir()


def remove_tree(path: Path) -> None:
    """Remove a path as far as possible, following no link, however deeply it is nested.

    Folders are lifted out of each other first, so that no path grows too long.
    """
    with contextlib.suppress(OSError):
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
            return
    pending = [path]
    while pending:
        folder = pending.pop()
        with contextlib.suppress(OSError):
            _empty(folder, path.parent, pending)
            folder.rmdir()


def _empty(folder: Path, aside: Path, pending: list[Path]) -> None:
    folder.chmod(0o700)
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        with contextlib.suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                Path(entry.path).chmod(0o700)  # or it could not be given another parent
                lifted = aside / f"removed-{secrets.token_hex(8)}"
                Path(entry.path).rename(lifted)
                pending.append(lifted)
            else:
                Path(entry.path).unlink()


def _forget() -> None:
    """A forked child owns nothing of its parent, and must not keep the locks alive."""
    for root in _roots.values():
        os.close(root.lock)
    _roots.clear()


os.register_at_fork(after_in_child=_forget)
