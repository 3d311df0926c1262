"""The weak sandbox does what it can even when its own supervisor is murdered."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from apr.core.errors import SandboxDiedError
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.process import ProcessSandbox
from validation.sandbox.supervisor import descendants, kill_descendants

MURDER = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    os.execv(sys.executable, [sys.executable, "-c",
        "import time; print('up', flush=True); time.sleep(600)", sys.argv[1]])
time.sleep(0.3)
os.kill(os.getppid(), signal.SIGKILL)
time.sleep(600)
"""


def test_orphans_of_a_murdered_supervisor_are_found_by_their_mark(tmp_path: Path) -> None:
    marker = uuid.uuid4().hex
    with ProcessSandbox(SandboxPolicy()).start(
        [sys.executable, "-c", MURDER, marker], str(tmp_path), writable=True, environment={}
    ) as process:
        assert process.receive_line(30) == b"up"
        with pytest.raises(SandboxDiedError, match="137"):
            process.receive_line(30)
    deadline = time.monotonic() + 3
    while (left := _marked(marker)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left == []


def test_descendants_are_the_living_processes_below() -> None:
    command = ["/bin/sh", "-c", "sleep 60 & echo $!; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        sleeper = int(shell.stdout.readline())
        assert descendants(shell.pid) == [sleeper]
        assert {shell.pid, sleeper} <= set(descendants(os.getpid()))
        kill_descendants(shell.pid)
        assert descendants(shell.pid) == []


def _marked(marker: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found
