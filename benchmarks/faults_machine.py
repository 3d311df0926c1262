"""What the fault run breaks: a private Docker engine, small disks, and processes in sandboxes.

Everything lives in mount and process namespaces of its own (see `faults.py`) and below one control
group, so that a signal can hit nobody else and whatever is left over at the end can be told.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
START_LIMIT_S = 60.0
HOG = """
import sys
held = []
while True:
    held.append(bytearray(1 << 20))
    held[-1][::4096] = b"x" * len(held[-1][::4096])
"""


class Engine:
    """A Docker engine with its own socket, data and control group."""

    def __init__(self, folder: Path, group: str) -> None:
        folder.mkdir()
        self.host = f"unix://{folder}/docker.sock"
        self._log = folder / "dockerd.log"
        self._pidfile = folder / "dockerd.pid"
        self._command = [
            *("dockerd", "-H", self.host, "--data-root", f"{folder}/data"),
            *("--exec-root", f"{folder}/exec", "--pidfile", str(self._pidfile)),
            *("--cgroup-parent", f"/{group}", "--bridge", "none"),
            *("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises SystemExit when it does not answer in time."""
        self._pidfile.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_LIMIT_S
        while not self.answers():
            if time.monotonic() > deadline:
                raise SystemExit(f"dockerd does not start; see {self._log}")
            time.sleep(0.2)

    def answers(self) -> bool:
        return self.docker("info", check=False).returncode == 0

    def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "-H", self.host, *arguments], check=check, capture_output=True, text=True
        )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait()

    def processes(self) -> list[int]:
        """The engine itself and what serves it, without the containers and their shims."""
        names = ("dockerd", "containerd")
        return [pid for pid in all_pids() if command_name(pid) in names]


class Group:
    """A control group in every hierarchy that bounds sandboxes; the owner and they live in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        names = ("pids", "memory", "cpu")
        split = [CGROUPS / hierarchy for hierarchy in names if (CGROUPS / hierarchy).is_dir()]
        self._roots = [hierarchy / name for hierarchy in split or [CGROUPS]]

    def __enter__(self) -> Group:
        for root in self._roots:
            (root / "owner").mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        for path in (*self.folders(), *(root / "owner" for root in self._roots), *self._roots):
            with contextlib.suppress(OSError):
                path.rmdir()

    def take(self, pid: int) -> None:
        """Make `pid` and its later children live in the group."""
        for root in self._roots:
            (root / "owner" / "cgroup.procs").write_text(str(pid))

    def pids(self) -> set[int]:
        """Whatever lives in the group, the owner included."""
        found: set[int] = set()
        for root in self._roots:
            for path in root.rglob("cgroup.procs"):
                with contextlib.suppress(OSError):
                    found.update(int(pid) for pid in path.read_text().split())
        return found - {0}

    def folders(self) -> list[Path]:
        """The groups that sandboxes have made, the innermost first."""
        made = (path for root in self._roots for path in root.rglob("*/") if path.is_dir())
        return sorted((path for path in made if path.name != "owner"), reverse=True)

    def memory_of(self, pid: int) -> Path | None:
        """The group that bounds the memory of the sandbox around `pid`."""
        try:
            lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        except OSError:
            return None
        for line in lines:
            _, controllers, path = line.split(":", 2)
            if "memory" in controllers.split(",") or not controllers:
                folder = (CGROUPS / "memory" if controllers else CGROUPS) / path.lstrip("/")
                return folder if self.name in folder.parts and folder.name != "owner" else None
        return None


class Disk:
    """A small file system of its own at `path`, which can be filled."""

    def __init__(self, path: Path, mib: int) -> None:
        self.path = path
        path.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "apr-faults", str(path)], check=True
        )

    def fill(self, seconds: float) -> None:
        """Leave no byte to anyone for so long."""
        filler = self.path / "filler"
        deadline = time.monotonic() + seconds
        with filler.open("wb", buffering=0) as file:
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError):
                    while file.write(bytes(1 << 16)):
                        pass
                time.sleep(0.02)
        filler.unlink()


def press_memory(group: Path, seconds: float) -> None:
    """Use up the memory of a control group, so that the kernel ends other processes in it."""
    hog = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.stdin.readline()\n{HOG}"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert hog.stdin is not None
    try:
        Path(f"/proc/{hog.pid}/oom_score_adj").write_text("-1000")
        (group / "cgroup.procs").write_text(str(hog.pid))
        hog.stdin.write(b"\n")
        hog.stdin.flush()
        hog.wait(seconds)
    except (OSError, subprocess.TimeoutExpired):
        pass  # the sandbox has gone meanwhile, or nothing was left to be ended
    finally:
        hog.kill()
        hog.stdin.close()
        hog.wait()


@contextlib.contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Hold these processes still."""
    kill(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        kill(pids, signal.SIGCONT)


def kill(pids: list[int], how: signal.Signals = signal.SIGKILL) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)


def all_pids() -> list[int]:
    """Every process of this namespace that has not ended."""
    found = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    return [pid for pid in found if is_alive(pid)]


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in ("Z", "X")
    return False


def command_name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""
