"""Keeps the scratch copy of the subject equal to its source, whatever a candidate did to it.

Everything here is done when every process of the candidate is dead. So it need not win a race,
but it must survive what they left behind: planted links, locked folders, endless nesting, and
files whose size and modification time were put back so as to look untouched.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import stat
import time
from typing import Iterable, Iterator

from apr_harness.channel import Channel

SETTLING_S = 0.03  # more than one tick of a file system's clock
FEW = 20
CACHE_NAMES = frozenset({"__pycache__", ".pytest_cache"})
MAX_PATHS = 20  # named to the host when tests write into their folder
MAX_BYTECODE = 64 * 2**20
MAX_BYTECODE_FILE = 8 * 2**20
State = tuple  # of integers that tell a change


class Scratch:
    """The folder `target`, to be held equal to `source`.

    A file is known by its inode and its change time, which nobody but the kernel sets. Folders
    of another file system that are mounted in `target` are left alone.
    """

    def __init__(self, source: str, target: str) -> None:
        self.source = source
        self.target = target
        self._device = os.lstat(target).st_dev
        self._known: dict[str, State] = {}
        self._is_new = True

    def sync(self) -> list[str]:
        """Restore what differs and remove what is superfluous; the paths concerned, sorted.

        The first call believes modification times: no candidate has run by then.

        Raises:
            OSError: when something cannot be restored.
        """
        superfluous, lacking = self._compare()
        for path in superfluous:
            self._known.pop(path, None)
            remove(os.path.join(self.target, path))
        restored = [path for root in lacking for path in self._restore(root)]
        if self._is_new or len(restored) > FEW:
            # A change within the tick of the restoration would go unseen: let it pass. Of a few
            # files nothing is remembered instead, so that they are restored again next time.
            time.sleep(SETTLING_S)
            for path in restored:
                self._remember(path)
        self._is_new = False
        return sorted({*superfluous, *lacking})

    def differences(self) -> list[str]:
        """The paths that differ in kind, mode, size or modification time, caches aside, sorted."""
        superfluous, lacking = Scratch(self.source, self.target)._compare()
        return sorted(
            path
            for path in {*superfluous, *lacking}
            if os.path.basename(path) not in CACHE_NAMES
            and os.path.basename(os.path.dirname(path)) not in CACHE_NAMES
        )

    def _compare(self) -> tuple[list[str], list[str]]:
        """What is too much in the target, and what is missing there; a changed path is in both."""
        superfluous: list[str] = []
        lacking: list[str] = []
        folders = [""]
        _unlock(self.target)
        while folders:
            folder = folders.pop()
            wanted = _listing(os.path.join(self.source, folder))
            for name, found in _listing(os.path.join(self.target, folder)).items():
                path = os.path.join(folder, name)
                original = wanted.pop(name, None)
                if found.st_dev != self._device:
                    continue
                if original is None:
                    superfluous.append(path)
                elif not self._is_intact(path, original, found):
                    superfluous.append(path)
                    lacking.append(path)
                elif stat.S_ISDIR(found.st_mode):
                    folders.append(path)
            lacking.extend(os.path.join(folder, name) for name in wanted)
        return superfluous, lacking

    def _is_intact(self, path: str, original: os.stat_result, found: os.stat_result) -> bool:
        if stat.S_ISDIR(original.st_mode) or stat.S_ISDIR(found.st_mode):
            return _kind(original) == _kind(found)
        if not self._is_new:
            return self._known.get(path) == _state(original, found)
        if _look(original) != _look(found):
            return False
        self._known[path] = _state(original, found)
        return True

    def _restore(self, root: str) -> Iterator[str]:
        """Copy a path anew with all that is below; each file is told."""
        pending = [root]
        while pending:
            path = pending.pop()
            source, target = os.path.join(self.source, path), os.path.join(self.target, path)
            original = os.lstat(source)
            if stat.S_ISDIR(original.st_mode):
                os.mkdir(target)
                os.chmod(target, _kind(original) & 0o777)
                pending.extend(os.path.join(path, name) for name in os.listdir(source))
            else:
                shutil.copy2(source, target, follow_symlinks=False)
                yield path

    def _remember(self, path: str) -> None:
        original = os.lstat(os.path.join(self.source, path))
        self._known[path] = _state(original, os.lstat(os.path.join(self.target, path)))


class Leftovers:
    """What appears in temporary folders after the moment of creation."""

    def __init__(self, folders: Iterable[str]) -> None:
        self._before = {folder: dict(_tree(folder)) for folder in folders}

    def clear(self) -> bool:
        """Remove what is new; whether everything else is still as it was.

        Raises:
            OSError: when something cannot be removed.
        """
        return all(_clear(folder, before) for folder, before in self._before.items())


def _clear(root: str, before: dict[str, State]) -> bool:
    _unlock(root)
    unseen = set(before)
    for path, state in list(_tree(root, frozenset(before))):
        if path not in before:
            remove(os.path.join(root, path))
        elif before[path] == state:
            unseen.discard(path)
    return not unseen


def _tree(root: str, known: frozenset[str] | None = None) -> Iterator[tuple[str, State]]:
    """Everything below `root`, but (given `known`) only the tops of what is unknown.

    What is mounted there, such as a subject that has its place below `/tmp`, is left alone.
    """
    device = os.lstat(root).st_dev
    folders = [""]
    while folders:
        folder = folders.pop()
        for name, found in _listing(os.path.join(root, folder)).items():
            path = os.path.join(folder, name)
            if found.st_dev != device:
                continue
            if stat.S_ISDIR(found.st_mode):
                yield path, (_kind(found), found.st_ino)
                if known is None or path in known:
                    folders.append(path)
            else:
                yield path, (_kind(found), found.st_ino, found.st_ctime_ns)


def remove(path: str) -> None:
    """Remove a path and everything below it, following no link, however deeply it is nested.

    Folders are lifted out of each other first, so that no path grows too long.

    Raises:
        OSError: when something cannot be removed.
    """
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        os.unlink(path)
        return
    lifted = os.path.join(os.path.dirname(path), f".{secrets.token_hex(8)}-")
    pending = [path]
    count = 0
    while pending:
        folder = pending.pop()
        _unlock(folder)
        with os.scandir(folder) as entries:
            found = list(entries)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                count += 1
                _unlock(entry.path)  # or it could not be given another parent
                os.rename(entry.path, f"{lifted}{count}")
                pending.append(f"{lifted}{count}")
            else:
                os.unlink(entry.path)
        os.rmdir(folder)


class Upkeep:
    """Puts the folders in which candidates may write back in order between any two of them.

    The sandbox names them: `APR_SOURCE` is what the working folder is a scratch copy of (unset:
    it cannot be written), `APR_PRIVATE` lists the sandbox's own temporary folders.
    """

    def __init__(self) -> None:
        source = os.environ.pop("APR_SOURCE", "")
        self._folders = [path for path in os.environ.pop("APR_PRIVATE", "").split(":") if path]
        self._scratch = Scratch(source, os.getcwd()) if source else None
        self._leftovers = Leftovers(())

    def begin(self) -> None:
        """From now on, what appears is a candidate's."""
        self._leftovers = Leftovers(self._folders)

    def renew(self) -> bool:
        """Bring everything up to date; False when that fails, and nothing here can be trusted."""
        try:
            if self._scratch is not None:
                self._scratch.sync()
            return self._leftovers.clear()
        except OSError:
            return False

    def tell(self, channel: Channel, bytecode: bool) -> None:
        """Send which paths the tests have changed, and, if asked for, the new bytecode."""
        if self._scratch is None:
            return
        paths = self._scratch.differences()
        channel.send(k="wrote", paths=paths[:MAX_PATHS], count=len(paths))
        if bytecode:
            send_bytecode(channel, self._scratch.source, self._scratch.target)


def send_bytecode(channel: Channel, source: str, target: str) -> None:
    """Send the bytecode caches that are new in `target`, base64, bounded in all."""
    total = 0
    for folder, folders, files in os.walk(target):
        folders.sort()
        if os.path.basename(folder) != "__pycache__":
            continue
        for name in sorted(files):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, target)
            info = os.lstat(path)
            is_new = not os.path.lexists(os.path.join(source, relative))
            if not (is_new and name.endswith(".pyc") and stat.S_ISREG(info.st_mode)):
                continue
            total += info.st_size
            if info.st_size > MAX_BYTECODE_FILE or total > MAX_BYTECODE:
                return
            with open(path, "rb") as file:
                data = base64.b64encode(file.read()).decode()
            channel.send(k="bytecode", path=relative.replace(os.sep, "/"), data=data)


def _unlock(folder: str) -> None:
    """Make a folder of ours readable and writable; raises NotADirectoryError for a link."""
    mode = os.lstat(folder).st_mode
    if not stat.S_ISDIR(mode):
        raise NotADirectoryError(folder)
    if mode & 0o700 != 0o700:
        os.chmod(folder, 0o755)


def _listing(folder: str) -> dict[str, os.stat_result]:
    with os.scandir(folder) as entries:
        return {entry.name: entry.stat(follow_symlinks=False) for entry in entries}


def _kind(info: os.stat_result) -> int:
    """The type and the permission bits."""
    return stat.S_IFMT(info.st_mode) | (info.st_mode & 0o777)


def _look(info: os.stat_result) -> State:
    return (_kind(info), info.st_size, info.st_mtime_ns)


def _state(original: os.stat_result, found: os.stat_result) -> State:
    """Of the source, too, what nobody sets: a patch may give a file its old size and time."""
    unset = (original.st_ino, original.st_ctime_ns, found.st_ino, found.st_ctime_ns)
    return (*_look(original), *_look(found), *unset)
