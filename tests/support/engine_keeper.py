"""Keeps a private Docker engine for as long as somebody holds a lock, then removes every trace.

    python engine_keeper.py FOLDER

The engine's socket, data and log lie in FOLDER. The command ends when the engine answers, with
`ready` on standard output, or when it will not, with the reason. The keeper itself stays behind
as a daemon, out of the reach of Ctrl-C. Users hold FOLDER/users with a shared lock; when the last
one is gone, even by `kill -9`, the engine is stopped and FOLDER removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 40.0
GROUPS_TIMEOUT_S = 10.0
LOG_TAIL = 600
CGROUPS = Path("/sys/fs/cgroup")


def main(folder: Path) -> None:
    """Become two: one that tells, and the daemon."""
    heard, said = os.pipe()
    if os.fork():
        os.close(said)
        with os.fdopen(heard) as stream:
            print(stream.read())
        return
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    keep(folder, said)


def keep(folder: Path, said: int) -> None:
    """Start, tell, wait until nobody needs it, stop, remove."""
    engine = _start(folder)
    try:
        os.write(said, _await(engine, folder).encode())
        os.close(said)
        with (folder / "users").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
    finally:
        _stop(engine)
        _remove(folder)


def _start(folder: Path) -> subprocess.Popen[bytes]:
    name = folder.name
    config = folder / "config.json"  # not this machine's own
    config.write_text("{}")
    command = [
        *("dockerd", "--host", f"unix://{folder}/docker.sock"),
        *("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"),
        *("--pidfile", f"{folder}/pid", "--config-file", str(config)),
        # It must change nothing on this machine: no bridge, no packet filter, no forwarding.
        *("--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"),
        *("--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{name}"),
        *("--containerd-namespace", name, "--containerd-plugins-namespace", f"{name}-plugins"),
    ]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _await(engine: subprocess.Popen[bytes], folder: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and engine.poll() is None:
        if "API listen on" in (folder / "log").read_text(errors="replace"):
            return "ready"
        time.sleep(0.05)
    said = (folder / "log").read_text(errors="replace")[-LOG_TAIL:]
    return f"dockerd does not start: {' '.join(said.split())}"


def _stop(engine: subprocess.Popen[bytes]) -> None:
    engine.terminate()
    try:
        engine.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        engine.kill()
        engine.wait()


def _remove(folder: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in sorted(mounts, reverse=True):
        if point.startswith(f"{folder}/"):
            subprocess.run(["umount", "-l", point], check=False)
    shutil.rmtree(folder)
    deadline = time.monotonic() + GROUPS_TIMEOUT_S
    while (groups := _groups(folder.name)) and time.monotonic() < deadline:
        for path in groups:
            with contextlib.suppress(OSError):  # what it held may only just be going
                path.rmdir()
        time.sleep(0.05)


def _groups(name: str) -> list[Path]:
    """The engine's control groups, the innermost first."""
    tops = (CGROUPS / name, *CGROUPS.glob(f"*/{name}"))
    return [Path(path) for top in tops for path, _, _ in os.walk(top, topdown=False)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
