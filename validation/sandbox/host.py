"""A helper process of this machine that carries a sandbox: started behind a gate, ended whole.

The gate is a shell that waits for a line before it becomes the command. In between, limits and
groups are laid on it from outside: no code runs between fork and exec, so threads are safe.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self

from apr.core.errors import SandboxUnavailableError
from validation.sandbox.policy import MIB, SandboxPolicy
from validation.sandbox.stream import Collect, StreamProcess, Tail, drain
from validation.sandbox.supervisor import kill_descendants

# An alarm survives exec: it goes off whatever becomes of those who wait for the process.
ALARM = (
    "import os, signal, sys; signal.alarm(int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"
)
GATE = ("/bin/sh", "-c", 'read -r go && exec "$@"', "sh")
DRAIN_TIMEOUT_S = 2.0


def ending_in_time(policy: SandboxPolicy) -> list[str]:
    """What comes before a program's absolute path to let SIGALRM end it after `wall_seconds`."""
    if policy.wall_seconds is None:
        return []
    return [sys.executable, "-I", "-S", "-c", ALARM, str(policy.wall_seconds)]


def resource_limits(policy: SandboxPolicy) -> dict[int, int]:
    """Limits of each process (RLIMIT_* to value).

    RLIMIT_DATA bounds the private memory that a process may write to, so that a hog meets an
    allocation error of its own before the kernel's killer meets the whole sandbox.
    """
    limits = {
        resource.RLIMIT_DATA: policy.memory_mib * MIB,
        resource.RLIMIT_FSIZE: policy.file_size_mib * MIB,
        resource.RLIMIT_NOFILE: policy.open_files,
        resource.RLIMIT_CORE: 0,
    }
    if policy.limit_address_space:
        limits[resource.RLIMIT_AS] = policy.memory_mib * MIB
    if policy.cpu_seconds is not None:
        limits[resource.RLIMIT_CPU] = policy.cpu_seconds
    return limits


class HostProcess:
    """A process in its own session; leaving the context ends it and all its descendants.

    It is started by a thread that lives as long as it does, because the kernel delivers
    parent-death signals (`bwrap --die-with-parent`) when the *thread* that started it ends.
    """

    def __init__(
        self,
        argv: Sequence[str],
        policy: SandboxPolicy,
        *,
        environment: Mapping[str, str],
        cwd: str,
        groups: Sequence[Path] = (),
        pass_fds: Sequence[int] = (),
        kill_more: Callable[[], None] = lambda: None,
        collect: Collect = lambda globs, limit_bytes: {},
    ) -> None:
        self._argv = [*GATE, *argv]
        self._policy = policy
        self._environment = dict(environment)
        self._cwd = cwd
        self._groups = groups
        self._pass_fds = pass_fds
        self._kill_more = kill_more
        self._collect = collect
        self._tail = Tail(policy, self.kill)
        self._started: Future[subprocess.Popen[bytes]] = Future()
        self._ended_read, self._ended_write = os.pipe()
        self._keeper = threading.Thread(target=self._keep, name="sandbox-keeper", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def start(self) -> StreamProcess:
        """Start behind the gate, lay the limits on, open the gate.

        Raises:
            SandboxUnavailableError: when it cannot be started or limited.
        """
        self._keeper.start()
        try:
            process = self._started.result()
            self._confine(process.pid)
        except OSError as error:
            raise SandboxUnavailableError(f"cannot start a sandboxed process: {error}") from error
        assert process.stdin is not None
        assert process.stdout is not None
        stream = StreamProcess(
            self._policy,
            (process.stdin.fileno(), process.stdout.fileno(), self._ended_read),
            self._tail,
            self._status,
            self.kill,
            self._end_and_collect,
        )
        stream.send(b"\n")
        return stream

    @property
    def pid(self) -> int:
        """The process's, once it has been started."""
        return self._started.result().pid

    def _end_and_collect(self, globs: Sequence[str], limit_bytes: int) -> dict[str, bytes]:
        self.kill()
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        return self._collect(globs, limit_bytes)

    def _keep(self) -> None:
        try:
            process = subprocess.Popen(
                self._argv,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self._cwd,
                env=self._environment,
                pass_fds=self._pass_fds,
                start_new_session=True,
            )
        except OSError as error:
            self._started.set_exception(error)
            return
        assert process.stderr is not None
        # Its own descriptor: an escaped daemon may hold the other end for longer than we live.
        stderr = os.dup(process.stderr.fileno())
        drainer = threading.Thread(target=drain, args=(stderr, self._tail), daemon=True)
        drainer.start()
        self._started.set_result(process)
        # Not reaped before `_close`: until then no other process can be given its pid.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        os.write(self._ended_write, b"\n")
        drainer.join(DRAIN_TIMEOUT_S)

    def _confine(self, pid: int) -> None:
        for limit, value in resource_limits(self._policy).items():
            _, hard = resource.prlimit(pid, limit)
            allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.prlimit(pid, limit, (allowed, allowed))
        for group in self._groups:
            group.write_text(str(pid))

    def _status(self) -> int | None:
        pid = self._started.result().pid
        with contextlib.suppress(ChildProcessError):
            found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
            if found is not None:
                code = found.si_status
                return code if found.si_code == os.CLD_EXITED else 128 + code
        return None

    def kill(self) -> None:
        """SIGKILL every descendant and the process itself last, lest one lose its parent first."""
        process = self._started.result()
        if process.returncode is None:
            kill_descendants(process.pid)
            # Popen.send_signal would reap it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self._kill_more()

    def _close(self) -> None:
        if self._keeper.ident is not None and self._started.exception() is None:
            process = self._started.result()
            self.kill()
            self._keeper.join()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        os.close(self._ended_read)
        os.close(self._ended_write)
