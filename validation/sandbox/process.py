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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from validation.sandbox import supervisor
from validation.sandbox.cgroup import limit_group
from validation.sandbox.environment import minimal_environment, private_folders
from validation.sandbox.host import HostProcess
from validation.sandbox.paths import check_workspace
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.scratch import SOURCE_VARIABLE, read_new
from validation.sandbox.stream import StreamProcess
from validation.temporary import temporary_folder
from validation.workspace import copy_workspace

MARKER = "APR_SANDBOX"


class ProcessSandbox:
    """Starts supervised subprocesses; policies about paths and the sizes of folders do nothing."""

    name: str = "process"

    def __init__(self, policy: SandboxPolicy) -> None:
        self._policy = policy

    @contextlib.contextmanager
    def start(
        self, argv: Sequence[str], workspace: str, *, writable: bool, environment: Mapping[str, str]
    ) -> Iterator[StreamProcess]:
        """Run `argv` in `workspace`, which nothing protects, or in a copy if `writable`.

        Raises:
            EnvironmentUnusableError: when the copy cannot be made.
        """
        check_workspace(workspace)
        token = secrets.token_hex(16)
        with temporary_folder("process") as private, limit_group(self._policy) as groups:
            home = private / "home"
            home.mkdir()
            place = Path(workspace)
            extra = {**private_folders(str(home)), **environment}
            if writable:
                place = private / "scratch" / place.name
                copy_workspace(Path(workspace), place)
                extra[SOURCE_VARIABLE] = workspace
            variables = minimal_environment(str(home), str(home), extra) | {MARKER: token}

            def collect(globs: Sequence[str], limit_bytes: int) -> dict[str, bytes]:
                return read_copy(place, Path(workspace), globs, limit_bytes) if writable else {}

            with HostProcess(
                supervised(argv, self._policy),
                self._policy,
                environment=variables,
                cwd=str(place),
                groups=groups,
                kill_more=lambda: kill_marked(token),
                collect=collect,
            ) as process:
                yield process.start()

    def close(self) -> None:
        """Nothing is kept between starts."""


def read_copy(
    place: Path, workspace: Path, globs: Sequence[str], limit_bytes: int
) -> dict[str, bytes]:
    """See `SandboxProcess.collect`; nothing if the folder itself was replaced."""
    try:
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return {}
    try:
        return read_new(folder, workspace, globs, limit_bytes)
    finally:
        os.close(folder)


def supervised(argv: Sequence[str], policy: SandboxPolicy) -> list[str]:
    """The command that runs `argv` below a child subreaper, for `wall_seconds` at most."""
    script = str(Path(supervisor.__file__))
    return [sys.executable, "-I", "-S", script, str(policy.wall_seconds or 0), *argv]


def kill_marked(token: str) -> None:
    """SIGKILL what still carries the sandbox's mark: orphans whose supervisor was murdered."""
    mark = f"{MARKER}={token}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    os.kill(int(folder.name), signal.SIGKILL)
