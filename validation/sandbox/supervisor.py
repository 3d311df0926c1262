"""Runs one command and ends with it, leaving no descendant behind; the weak sandbox's init.

Started as a script of its own (`python -I -S supervisor.py SECONDS COMMAND...`), so it imports
nothing but the standard library. After SECONDS (0: never) everything ends. As a child subreaper
it becomes the parent of every daemonised descendant, which therefore can be found by walking
`/proc`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
KILL_TIMEOUT_S = 5.0


def descendants(root: int) -> list[int]:
    """Living processes below `root`, itself excluded, in ascending order of pid."""
    parents = _living_parents()
    found: set[int] = {root}
    size = 0
    while size != len(found):
        size = len(found)
        found.update(pid for pid, parent in parents.items() if parent in found)
    return sorted(found - {root})


def _living_parents() -> dict[int, int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                # The command name may hold spaces and parentheses; what follows its end may not.
                state, parent = (folder / "stat").read_bytes().rpartition(b")")[2].split()[:2]
                if state not in (b"Z", b"X"):
                    parents[int(folder.name)] = int(parent)
    return parents


def kill_descendants(root: int) -> None:
    """SIGKILL below `root` until nothing is left: a process may fork between look and kill."""
    deadline = time.monotonic() + KILL_TIMEOUT_S
    while (pids := descendants(root)) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)


def supervise(seconds: int, command: Sequence[str]) -> int:
    """Run `command`, reap everything, kill what outlives it; the shell's kind of exit status."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(seconds)
    try:
        return _run(command)
    finally:
        kill_descendants(os.getpid())


def _run(command: Sequence[str]) -> int:
    try:
        main = os.fork()
        if main == 0:
            _execute(command)
        # Only the command may hold the protocol's pipes, or their ends would go unnoticed.
        with Path(os.devnull).open("r+b") as null:
            os.dup2(null.fileno(), 0)
            os.dup2(null.fileno(), 1)
        return _reap_until(main)
    finally:
        # The death of whoever started us often ends the command too: nothing may interrupt what
        # cleans up, whichever of the two is noticed first.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)


def _stop(number: int, _: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    sys.exit(128 + number)


def _execute(command: Sequence[str]) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvp(command[0], list(command))
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(127)


def _reap_until(main: int) -> int:
    while True:
        pid, status = os.wait()
        if pid == main:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(supervise(int(sys.argv[1]), sys.argv[2:]))
