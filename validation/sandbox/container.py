"""One container of the pool: made once, used by one process after another, wiped in between."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apr.core.errors import SandboxDiedError, SandboxUnavailableError
from validation.sandbox.attached import Attached, engine_errors
from validation.sandbox.cgroup import OWN_PROCESSES
from validation.sandbox.environment import minimal_environment, private_folders
from validation.sandbox.host import GATE, resource_limits
from validation.sandbox.keeper import KEEPER_ID, KILL, LIST, READ, TESTER_ID, keeper, wipe
from validation.sandbox.owner import this_process
from validation.sandbox.paths import Layout, make_mount_points, plan_layout
from validation.sandbox.policy import MIB, SandboxPolicy
from validation.sandbox.scratch import (
    SOURCE,
    SOURCE_VARIABLE,
    await_filled,
    await_shell,
    filling,
    matches,
    waiting,
)
from validation.sandbox.stream import StreamProcess
from validation.workspace import make_readable

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container as EngineContainer

MOUNT_POINT = "/workspace"
TMP = "/tmp"
SHM = "/dev/shm"
QUEUES = "/dev/mqueue"
LABEL = "apr.owner"
TESTER = f"{TESTER_ID}:{TESTER_ID}"
KEEPER = f"{KEEPER_ID}:{KEEPER_ID}"
# Not the address space: the memory of a container is bounded as a whole.
LIMIT_NAMES = {
    resource.RLIMIT_DATA: "data",
    resource.RLIMIT_FSIZE: "fsize",
    resource.RLIMIT_NOFILE: "nofile",
    resource.RLIMIT_CORE: "core",
    resource.RLIMIT_CPU: "cpu",
}
KEEPER_TIMEOUT_S = 30.0
CLEAN_TIMEOUT_S = 3.0
MAX_NAMES_BYTES = 16 * MIB


class Container:
    """A container for one workspace, writable or not; used by one process at a time."""

    def __init__(
        self,
        client: docker.DockerClient,
        image: str,
        policy: SandboxPolicy,
        workspace: str,
        *,
        writable: bool,
    ) -> None:
        """Make and start it.

        Raises:
            SandboxUnavailableError: when the engine refuses or lacks the image.
        """
        self._client = client
        self._policy = policy
        self._workspace = workspace
        self._writable = writable
        self._layout = plan_layout(policy.readable_paths, mount_point(policy))
        self._folders = [TMP, SHM, QUEUES, *([mount_point(policy)] if writable else [])]
        if not writable:
            make_mount_points(workspace, mount_point(policy), self._layout.over)
        make_readable(Path(workspace))
        self._container = self._create(image)
        self._is_broken = False
        try:
            attach = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            attached = self._container.attach_socket(params=attach)
            # What wants to see an end of the keeper looks at the stream alone.
            self._keeper = Attached(attached, policy, lambda: None, self.kill)
        except engine_errors() as error:
            self._remove()
            raise SandboxUnavailableError(f"a container cannot be attached to: {error}") from error
        try:
            self._container.start()
        except engine_errors() as error:
            self.remove()
            raise SandboxUnavailableError(f"a container does not start: {error}") from error

    def _create(self, image: str) -> EngineContainer:
        from docker.errors import ImageNotFound

        try:
            options = container_options(
                self._policy,
                self._workspace,
                self._layout,
                writable=self._writable,
                is_podman=is_podman(self._client),
            )
            return self._client.containers.create(image, keeper(self._folders), **options)
        except ImageNotFound:
            raise SandboxUnavailableError(
                f"the Docker engine has no image {image}: docker pull {image}"
            ) from None
        except engine_errors() as error:
            raise SandboxUnavailableError(
                f"the Docker engine cannot make a container of {image}: {error}"
            ) from error

    @contextlib.contextmanager
    def run(self, argv: Sequence[str], environment: Mapping[str, str]) -> Iterator[StreamProcess]:
        """Run `argv`; `reset` must be called before the next time.

        Raises:
            SandboxUnavailableError: when the engine cannot start it.
            EnvironmentUnusableError: when the scratch copy cannot be made.
        """
        point = mount_point(self._policy)
        argv = filling(argv, point, self._layout.over) if self._writable else waiting(argv)
        self._keeper.process.send(f"limit {self._policy.wall_seconds or 0}\n".encode())
        api = self._client.api
        try:
            made = api.exec_create(
                self._container.id,
                [*GATE, *argv],
                stdin=True,
                user=TESTER,
                environment=self._environment(environment),
            )
            socket = api.exec_start(made["Id"], socket=True)
        except engine_errors() as error:
            self._is_broken = True
            raise SandboxUnavailableError(f"a container does not start: {error}") from error

        def status() -> int | None:
            found = api.exec_inspect(made["Id"])
            return None if found["Running"] else found["ExitCode"]

        def end_the_rest() -> None:
            self._execute(KILL)

        attached = Attached(socket, self._policy, status, self.kill, self._collect, end_the_rest)
        try:
            # Nothing is written before we are attached: the SDK may drop what comes too early.
            attached.process.send(b"\n")
            if self._writable:
                await_filled(attached.process, self._policy.workspace_mib)
            else:
                await_shell(attached.process)
            attached.process.send(b"\n")
            yield attached.process
        finally:
            attached.close()

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        variables = minimal_environment(TMP, TMP, {**private_folders(TMP, SHM), **extra})
        if "PATH" not in extra:
            del variables["PATH"]  # the image knows its own
        if self._writable:
            variables[SOURCE_VARIABLE] = SOURCE
        return variables

    def kill(self) -> None:
        """End every process; the engine removes the container."""
        self._is_broken = True
        with contextlib.suppress(*engine_errors()):  # not running any more
            self._container.kill()

    def _collect(self, globs: Sequence[str], limit_bytes: int) -> dict[str, bytes]:
        """See `SandboxProcess.collect`. Both commands run when nothing else of their user does."""
        if not self._writable:
            return {}
        listed = self._execute(["/bin/sh", "-c", LIST, "sh", str(MAX_NAMES_BYTES)])
        names = [name.removeprefix(b"./") for name in (listed or b"").split(b"\0")[:-1]]
        paths = sorted(path for name in names if matches(path := os.fsdecode(name), globs))
        if not paths:
            return {}
        told = self._execute(["/bin/sh", "-c", READ, "sh", str(limit_bytes), *paths])
        return dict(_files(paths, told or b""))

    def reset(self) -> bool:
        """Make it as good as new; False when that is not certain, and it must not be used again."""
        if self._is_broken or self._execute(wipe(self._folders)) is None:
            return False
        deadline = time.monotonic() + CLEAN_TIMEOUT_S
        try:
            self._keeper.process.send(b"limit 0\n")
            while True:
                self._keeper.process.send(b"check\n")
                if self._keeper.process.receive_line(KEEPER_TIMEOUT_S) == b"clean":
                    return True
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.01)
        except (SandboxDiedError, TimeoutError):
            return False

    def _execute(self, argv: Sequence[str]) -> bytes | None:
        """What a command, run by the tester's user, prints; None when it did not end well."""
        try:
            result = self._container.exec_run(
                list(argv), user=TESTER, stderr=False, environment={SOURCE_VARIABLE: SOURCE}
            )
        except engine_errors():
            return None
        output = result.output
        return output if result.exit_code == 0 and isinstance(output, bytes) else None

    def remove(self) -> None:
        """End it and everything in it."""
        self._is_broken = True
        self._keeper.close()
        self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(*engine_errors()):  # gone or going: it removes itself at its end
            self._container.remove(force=True, v=True)


def _files(paths: Sequence[str], told: bytes) -> Iterator[tuple[str, bytes]]:
    """Take apart what `READ` has printed: a size and as many bytes for each path."""
    for path in paths:
        size, _, told = told.partition(b"\n")
        if not size.strip().lstrip(b"-").isdigit():
            return
        if int(size) >= 0:
            yield path, told[: int(size)]
            told = told[int(size) :]


def is_podman(client: docker.DockerClient) -> bool:
    """Whether Podman answers, which differs from Docker in a few options."""
    parts = client.version().get("Components") or ()
    return any(part.get("Name") == "Podman Engine" for part in parts)


def mount_point(policy: SandboxPolicy) -> str:
    """Where the workspace, or its scratch copy, appears."""
    return policy.mount_at or MOUNT_POINT


def container_options(
    policy: SandboxPolicy, workspace: str, layout: Layout, *, writable: bool, is_podman: bool
) -> dict[str, Any]:
    """The keyword arguments for creating the container.

    The engine's own seccomp profile and masked paths stay as they are.
    """
    from docker.types import LogConfig, Mount, Ulimit

    point = mount_point(policy)
    shown = [Mount(path, path, "bind", read_only=True) for path in (*layout.before, *layout.over)]
    tmpfs = {TMP: f"size={policy.tmp_mib}m,mode=1777,exec,nosuid,nodev"}
    if writable:
        # Docker gives it the mode of a folder that the image may have there, whatever we say;
        # Podman knows no owners of memory file systems.
        owner = "mode=1777" if is_podman else f"mode=755,uid={TESTER_ID},gid={TESTER_ID}"
        tmpfs[point] = f"size={policy.workspace_mib}m,{owner},exec,nosuid,nodev"
    return {
        "entrypoint": [],
        "working_dir": point,
        "user": KEEPER,
        "labels": {LABEL: str(this_process())},
        "mounts": [
            Mount(SOURCE if writable else point, workspace, "bind", read_only=True),
            *shown,
        ],
        "tmpfs": tmpfs,
        "shm_size": policy.tmp_mib * MIB,
        "ulimits": [
            Ulimit(name=name, soft=value, hard=value) for name, value in _ulimits(policy).items()
        ],
        "mem_limit": policy.memory_mib * MIB,
        "memswap_limit": policy.memory_mib * MIB,
        "nano_cpus": None if policy.cpus is None else int(policy.cpus * 1e9),
        "pids_limit": policy.pids + OWN_PROCESSES,
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "read_only": True,
        "ipc_mode": "private",
        "log_config": LogConfig(type="none"),
        "init": True,
        "stdin_open": True,
        "auto_remove": True,
    }


def _ulimits(policy: SandboxPolicy) -> dict[str, int]:
    """Limits of each process, by the engine's names."""
    given = resource_limits(policy)
    limits = {name: given[limit] for limit, name in LIMIT_NAMES.items() if limit in given}
    # What bounds processes is the control group: this one counts those of all containers. But
    # without it Podman asks for a million, which not every engine may grant.
    return limits | {"nproc": 32_768}
