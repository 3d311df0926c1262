"""The weakest sandbox: a subprocess with resource limits, a private HOME and a supervisor.

It guards against accidents (endless loops, runaway memory, forgotten daemons), not against
malice: the code runs as the same user, reads and writes whatever that user may, and reaches the
network. Use it for code that one would run anyway.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from validation.sandbox import supervisor
from validation.sandbox.cgroup import limit_group
from validation.sandbox.environment import minimal_environment
from validation.sandbox.host import HostProcess
from validation.sandbox.paths import check_workspace
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.stream import StreamProcess

MARKER = "APR_SANDBOX"


class ProcessSandbox:
    """Starts supervised subprocesses; `mount_at`, `tmp_mib` and `readable_paths` have no effect."""

    name: str = "process"

    def __init__(self, policy: SandboxPolicy) -> None:
        self._policy = policy

    @contextlib.contextmanager
    def start(
        self, argv: Sequence[str], workspace: str, *, writable: bool, environment: Mapping[str, str]
    ) -> Iterator[StreamProcess]:
        """Run `argv` in `workspace`, which stays writable whatever `writable` says."""
        check_workspace(workspace)
        token = secrets.token_hex(16)
        with (
            tempfile.TemporaryDirectory(prefix="apr-home-", ignore_cleanup_errors=True) as private,
            limit_group(self._policy) as groups,
        ):
            variables = minimal_environment(private, private, environment) | {MARKER: token}
            with HostProcess(
                supervised(argv, private),
                self._policy,
                environment=variables,
                cwd=workspace,
                groups=groups,
                kill_more=lambda: kill_marked(token),
            ) as process:
                yield process.start()


def supervised(argv: Sequence[str], folder: str) -> list[str]:
    """The command that runs `argv` below a child subreaper, which removes `folder` at the end."""
    return [sys.executable, "-I", "-S", str(Path(supervisor.__file__)), folder, *argv]


def kill_marked(token: str) -> None:
    """SIGKILL what still carries the sandbox's mark: orphans whose supervisor was murdered."""
    mark = f"{MARKER}={token}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    os.kill(int(folder.name), signal.SIGKILL)
