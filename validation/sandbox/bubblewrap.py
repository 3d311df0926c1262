"""Sandbox in fresh kernel namespaces through bubblewrap; needs no daemon, image or privilege.

The code sees an allow-list of read-only paths, its workspace or a size-limited scratch copy of
it, and a size-limited `/tmp` that holds its HOME too. It runs as an ordinary user without
capabilities (mapped to the caller, so that the workspace's files stay accessible), in a PID
namespace that dies as a whole.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from apr.core.errors import SandboxUnavailableError
from validation.sandbox.cgroup import OWN_PROCESSES, limit_group
from validation.sandbox.environment import DEFAULT_PATH, minimal_environment, private_folders
from validation.sandbox.host import HostProcess, ending_in_time
from validation.sandbox.paths import (
    Layout,
    check_workspace,
    make_mount_points,
    outside,
    plan_layout,
    with_targets,
)
from validation.sandbox.policy import MIB, SandboxPolicy
from validation.sandbox.scratch import (
    SOURCE,
    SOURCE_VARIABLE,
    await_filled,
    filling,
    read_new,
)
from validation.sandbox.stream import StreamProcess
from validation.sandbox.supervisor import descendants

TMP = "/tmp"
SHM = "/dev/shm"
HOME = f"{TMP}/.home"
UID = 1000
SYSTEM_PATHS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# What programs of /usr need to start, resolve names, or find each other; none of it is secret.
ETC_PATHS = tuple(
    f"/etc/{name}"
    for name in (
        *("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone"),
        *("hosts", "nsswitch.conf", "mime.types", "magic", "fonts", "ssl/certs", "ssl/openssl.cnf"),
        *("java-11-openjdk", "java-17-openjdk", "java-21-openjdk", "maven", "gradle"),
    )
)
PASSWD = f"sandbox:x:{UID}:{UID}::{HOME}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
GROUP = f"sandbox:x:{UID}:\nnogroup:x:65534:\n"
# dash calls the limit `-p`, other shells `-u`.
LIMIT_PROCESSES = 'ulimit -u "$0" 2>/dev/null || ulimit -p "$0"; exec "$@"'
FIRST_KERNEL_WITH_COUNTS_PER_NAMESPACE = (5, 14)


class BubblewrapSandbox:
    """Starts processes under `bwrap` from PATH."""

    name: str = "bubblewrap"

    def __init__(self, policy: SandboxPolicy) -> None:
        self._policy = policy

    @contextlib.contextmanager
    def start(
        self, argv: Sequence[str], workspace: str, *, writable: bool, environment: Mapping[str, str]
    ) -> Iterator[StreamProcess]:
        """Run `argv` in the workspace.

        Raises:
            SandboxUnavailableError: when there is no `bwrap`. One that cannot make namespaces
                shows as a process that died, with the reason in its message.
        """
        check_workspace(workspace)
        program = bwrap()
        supported = supported_options(program)
        point = self._policy.mount_at or workspace
        readable = outside(with_targets(self._policy.readable_paths), SYSTEM_PATHS)
        layout = plan_layout(readable, point)
        variables = minimal_environment(HOME, TMP, {**private_folders(TMP, SHM), **environment})
        place = ["--ro-bind", workspace, point]
        if writable:
            variables[SOURCE_VARIABLE] = SOURCE
            size = _size(self._policy.workspace_mib, supported)
            place = ["--ro-bind", workspace, SOURCE, "--perms", "0755", *size, "--tmpfs", point]
            argv = filling(argv, point, layout.over)
        else:
            make_mount_points(workspace, point, layout.over)
        with (
            limit_group(self._policy) as groups,
            _accounts() as (account_fds, account_options),
            HeldFolder() as held,
        ):
            command = [
                *ending_in_time(self._policy),
                program,
                *namespaces(supported),
                *filesystem(self._policy, layout, supported),
                *account_options,
                *place,
                *_shown(layout.over),
                *("--remount-ro", "/", "--chdir", point),
                *_variables(variables),
                *("--", *bounded(argv, self._policy, os.uname().release)),
            ]
            with HostProcess(
                command,
                self._policy,
                environment={"PATH": DEFAULT_PATH},
                cwd="/",
                groups=groups,
                pass_fds=account_fds,
                collect=lambda globs, limit: held.read_new(Path(workspace), globs, limit),
            ) as process:
                stream = process.start()
                if writable:
                    await_filled(stream, self._policy.workspace_mib)
                    held.hold(process, point)
                    stream.send(b"\n")
                yield stream

    def close(self) -> None:
        """Nothing is kept between starts."""


class HeldFolder:
    """A descriptor of the scratch copy, which keeps it readable when all processes are dead."""

    def __init__(self) -> None:
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def hold(self, process: HostProcess, point: str) -> None:
        """Open the folder at `point` of the sandbox, in which no code under test runs yet.

        Raises:
            SandboxUnavailableError: when the kernel does not let us look into it.
        """
        below = descendants(process.pid)
        innermost = below[-1] if below else process.pid
        try:
            self._descriptor = os.open(
                f"/proc/{innermost}/root{point}", os.O_RDONLY | os.O_DIRECTORY
            )
        except OSError as error:
            raise SandboxUnavailableError(f"cannot look into the sandbox: {error}") from error

    def read_new(self, workspace: Path, globs: Sequence[str], limit: int) -> dict[str, bytes]:
        """See `SandboxProcess.collect`; nothing where there is no scratch copy."""
        if self._descriptor is None:
            return {}
        return read_new(self._descriptor, workspace, globs, limit)


def bwrap() -> str:
    """The program's path.

    Raises:
        SandboxUnavailableError: when PATH has none.
    """
    found = shutil.which("bwrap")
    if found is None:
        raise SandboxUnavailableError(
            "the bubblewrap sandbox needs the program bwrap, which PATH lacks: "
            "install the package bubblewrap"
        )
    return found


@functools.cache
def supported_options(program: str) -> str:
    """What `bwrap --help` prints: options differ between releases."""
    result = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=10)
    return result.stdout + result.stderr


def namespaces(supported: str) -> list[str]:
    """Everything unshared, no capability, no way to make another user namespace."""
    return [
        *("--unshare-all", "--unshare-user", "--die-with-parent", "--new-session"),
        *("--cap-drop", "ALL", "--uid", str(UID), "--gid", str(UID), "--hostname", "sandbox"),
        *(["--disable-userns"] if "--disable-userns" in supported else []),
    ]


def filesystem(policy: SandboxPolicy, layout: Layout, supported: str) -> list[str]:
    """The system, the policy's paths and private temporary folders, read-only but for those."""
    size = _size(policy.tmp_mib, supported)
    return [
        *_shown(SYSTEM_PATHS),
        *(item for path in ETC_PATHS for item in ("--ro-bind-try", path, path)),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--perms", "1777", *size, "--tmpfs", SHM, "--remount-ro", "/dev"),
        *("--perms", "1777", *size, "--tmpfs", TMP, "--dir", HOME),
        *_shown(layout.before),
    ]


def _size(mib: int, supported: str) -> list[str]:
    return ["--size", str(mib * MIB)] if "--size" in supported else []


def _shown(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        if Path(path).is_symlink():
            yield from ("--symlink", str(Path(path).readlink()), path)
        elif Path(path).exists():
            yield from ("--ro-bind", path, path)


def _variables(environment: Mapping[str, str]) -> Iterator[str]:
    yield "--clearenv"
    for name, value in environment.items():
        yield from ("--setenv", name, value)


def bounded(argv: Sequence[str], policy: SandboxPolicy, kernel_release: str) -> list[str]:
    """`argv` under RLIMIT_NPROC, where the kernel counts processes per user namespace.

    Older kernels count all processes of the user, so that a limit fit for a sandbox would stop
    it from starting at all; there, as for root, only the control group bounds them.
    """
    major, minor = (int(part) for part in kernel_release.split("-")[0].split(".")[:2])
    if (major, minor) < FIRST_KERNEL_WITH_COUNTS_PER_NAMESPACE:
        return list(argv)
    return ["/bin/sh", "-c", LIMIT_PROCESSES, str(policy.pids + OWN_PROCESSES), *argv]


@contextlib.contextmanager
def _accounts() -> Iterator[tuple[tuple[int, ...], list[str]]]:
    """Descriptors and options for account files that name the sandbox's user and no one else."""
    with contextlib.ExitStack() as stack:
        passwd = stack.enter_context(_in_memory(PASSWD))
        group = stack.enter_context(_in_memory(GROUP))
        options = ["--ro-bind-data", str(passwd), "/etc/passwd"]
        yield (passwd, group), [*options, "--ro-bind-data", str(group), "/etc/group"]


@contextlib.contextmanager
def _in_memory(text: str) -> Iterator[int]:
    descriptor = os.memfd_create("apr-sandbox")
    try:
        os.write(descriptor, text.encode())
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
