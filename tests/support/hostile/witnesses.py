"""What tells that hostile code got out or left something behind: canaries, listeners, look-outs."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from validation.sandbox.cgroup import CGROUP_ROOT, group_prefix
from validation.sandbox.container import LABEL
from validation.sandbox.docker import connect
from validation.sandbox.owner import this_process

GRACE_S = 2.0
LISTENER_TICK_S = 0.2


class Canaries:
    """Files outside of the sandbox that everybody could write to, and nobody may change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "repository" / ".git" / "hooks").mkdir(parents=True)
        (folder / "secret").write_text("nobody reads this")
        (folder / "repository" / ".git" / "config").write_text("[core]\n")
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        self._before = self._look()

    def _look(self) -> dict[str, tuple[int, int, bytes]]:
        return {
            str(path.relative_to(self.folder)): _description(path)
            for path in sorted(self.folder.rglob("*"))
        }

    def changed(self) -> list[str]:
        """The paths that differ from how they were left; put back afterwards."""
        now = self._look()
        differing = [p for p in {*now, *self._before} if now.get(p) != self._before.get(p)]
        if differing:
            self._before = now
        return sorted(differing)


def _description(path: Path) -> tuple[int, int, bytes]:
    info = path.lstat()
    content = path.read_bytes() if stat.S_ISREG(info.st_mode) else b""
    return info.st_mode, info.st_mtime_ns, content[:4096]


class Listeners:
    """Sockets of this machine that hostile code may try to reach, and what reached them."""

    def __init__(self, folder: Path, token: str) -> None:
        self.heard: list[str] = []
        self._stack = contextlib.ExitStack()
        self.unix_path = str(folder / "socket")
        self.abstract = f"apr-hostile-{token}"
        self.tcp = self._open("tcp", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))[1]
        self.udp = self._open("udp", socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))[1]
        self._open("unix", socket.AF_UNIX, socket.SOCK_STREAM, self.unix_path)
        self._open("abstract", socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.abstract}")
        Path(self.unix_path).chmod(0o777)

    def _open(self, name: str, family: int, kind: int, address: object) -> tuple[str, int]:
        opened = self._stack.enter_context(socket.socket(family, kind))
        opened.bind(address)  # type: ignore[arg-type]
        opened.settimeout(LISTENER_TICK_S)
        if kind == socket.SOCK_STREAM:
            opened.listen()
        stop = threading.Event()
        thread = threading.Thread(target=self._listen, args=(name, opened, kind, stop))
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(stop.set)
        found = opened.getsockname()
        return (found[0], found[1]) if family == socket.AF_INET else ("", 0)

    def _listen(self, name: str, opened: socket.socket, kind: int, stop: threading.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                if kind == socket.SOCK_STREAM:
                    opened.accept()[0].close()
                else:
                    opened.recvfrom(100)
                self.heard.append(name)

    def take(self) -> list[str]:
        """What was heard since the last time."""
        heard, self.heard = self.heard, []
        return heard

    def close(self) -> None:
        """Hear no more."""
        self._stack.close()


class Victim:
    """A process of this machine, owned by us, that hostile code must not end."""

    def __init__(self) -> None:
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sleep", "3600"], start_new_session=True, env={})

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def was_ended(self) -> bool:
        """Whether it is dead; another one takes its place then."""
        if self._process.poll() is None:
            return False
        self._process = self._start()
        return True

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def processes_with(mark: str) -> list[str]:
    """Living processes that carry `mark` in their command line, environment or name."""
    found = []
    needle = mark.encode()
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if b"Z" in (folder / "stat").read_bytes().rpartition(b")")[2].split()[:1]:
                continue
        for name in ("cmdline", "environ", "comm"):
            with contextlib.suppress(OSError):
                if needle in (folder / name).read_bytes():
                    cmdline = (folder / "cmdline").read_bytes().replace(b"\0", b" ")[:100]
                    found.append(f"process {folder.name} {cmdline!r}")
                    break
    return found


def kernel_objects(mark: str, key: int) -> list[str]:
    """What outlives processes: shared memory, semaphores, queues and keys of this machine."""
    found = []
    for kind in ("shm", "sem", "msg"):
        with contextlib.suppress(OSError):
            rows = Path("/proc/sysvipc", kind).read_text().splitlines()[1:]
            found.extend(f"System V {kind}" for row in rows if row.split()[0] == str(key))
    with contextlib.suppress(OSError):
        found.extend(row for row in Path("/proc/keys").read_text().splitlines() if mark in row)
    shared = Path("/dev/shm")
    return found + [f"/dev/shm/{p.name}" for p in shared.glob(f"*{mark}*")]


def files_with(mark: str, root: Path) -> list[str]:
    """Files and folders below `root` that carry `mark` in their name, not those inside of them."""
    found = []
    for folder, folders, files in os.walk(root):
        marked = [name for name in (*folders, *files) if mark in name]
        found.extend(f"file {Path(folder, name).relative_to(root)}" for name in marked)
        folders[:] = [name for name in folders if name not in marked]
    return found


def contents(root: Path) -> dict[str, bytes]:
    """What every file below `root` holds, and where every link leads, by relative path."""
    return {
        str(path.relative_to(root)): str(path.readlink()).encode()
        if path.is_symlink()
        else path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def differences(before: dict[str, bytes], root: Path) -> list[str]:
    """The files below `root` that are not as they were."""
    now = contents(root)
    return sorted(path for path in {*now, *before} if now.get(path) != before.get(path))


def setuid_files(root: Path) -> list[str]:
    """Files below `root` that run as somebody else."""
    found = []
    for folder, _, files in os.walk(root):
        for name in files:
            path = Path(folder) / name
            with contextlib.suppress(OSError):
                if path.lstat().st_mode & (stat.S_ISUID | stat.S_ISGID):
                    found.append(str(path))
    return found


def own_groups() -> list[str]:
    """Control groups of sandboxes that this process has made and not removed."""
    return [
        str(Path(folder) / name)
        for folder, names, _ in os.walk(CGROUP_ROOT)
        for name in names
        if name.startswith(group_prefix())
    ]


def own_containers() -> list[str]:
    """Containers that this process has made and not removed."""
    with contextlib.closing(connect()) as client:
        found = client.containers.list(
            all=True, filters={"label": f"{LABEL}={this_process()}"}, ignore_removed=True
        )
        return [container.name or "" for container in found]


def eventually_empty(look: Callable[[], list[str]]) -> list[str]:
    """What is still found after a moment of grace."""
    deadline = time.monotonic() + GRACE_S
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found
