"""Sandbox in a container of a local Docker engine, attached to over the engine's own socket.

The engine must see this machine's file system: the workspace and the readable paths are bind
mounts. `DOCKER_HOST` is honoured, so Podman's compatible socket and rootless engines work too.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apr.core.errors import SandboxUnavailableError
from validation.sandbox.attached import AttachedContainer, engine_errors
from validation.sandbox.environment import minimal_environment
from validation.sandbox.host import resource_limits
from validation.sandbox.paths import check_workspace, make_mount_points, plan_layout
from validation.sandbox.policy import MIB, SandboxPolicy
from validation.sandbox.stream import StreamProcess

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

DEFAULT_HOST = "unix:///var/run/docker.sock"
MOUNT_POINT = "/workspace"
TMP = "/tmp"
NOBODY = 65534
LABEL = "apr.owner"


class DockerSandbox:
    """Starts containers of `image`; without a `client`, one is opened for each start.

    The container runs as the workspace's owner. Root's workspaces are handed over to `nobody`,
    since nothing in the container is root: give it a copy, never a tree that others rely on.
    """

    name: str = "docker"

    def __init__(
        self, image: str, policy: SandboxPolicy, client: docker.DockerClient | None = None
    ) -> None:
        self._image = image
        self._policy = policy
        self._client = client

    @contextlib.contextmanager
    def start(
        self, argv: Sequence[str], workspace: str, *, writable: bool, environment: Mapping[str, str]
    ) -> Iterator[StreamProcess]:
        """Run `argv` in a new container, which is removed at the end.

        Raises:
            SandboxUnavailableError: when no engine answers or it cannot make the container.
        """
        check_workspace(workspace)
        options = container_options(
            self._policy,
            workspace,
            writable=writable,
            environment=environment,
            user=hand_over(workspace),
        )
        with contextlib.ExitStack() as stack:
            client = self._client or stack.enter_context(contextlib.closing(connect()))
            container = self._create(client, argv, options)
            stack.callback(_remove, container)
            process = AttachedContainer(container, self._policy)
            stack.callback(process.close)
            yield process.start()

    def _create(
        self, client: docker.DockerClient, argv: Sequence[str], options: Mapping[str, Any]
    ) -> Container:
        from docker.errors import ImageNotFound

        try:
            return client.containers.create(self._image, list(argv), **options)
        except ImageNotFound:
            raise SandboxUnavailableError(
                f"the Docker engine has no image {self._image}: docker pull {self._image}"
            ) from None
        except engine_errors() as error:
            raise SandboxUnavailableError(
                f"the Docker engine cannot make a container of {self._image}: {error}"
            ) from error


def connect() -> docker.DockerClient:
    """A client of the engine that `DOCKER_HOST` names, or the default one.

    Raises:
        SandboxUnavailableError: when none answers.
    """
    host = os.environ.get("DOCKER_HOST") or DEFAULT_HOST
    try:
        _knock(host)
        import docker

        return docker.from_env()
    except engine_errors() as error:
        raise SandboxUnavailableError(
            f"no Docker engine answers at {host} ({error}): "
            "start one, or set DOCKER_HOST to its socket"
        ) from error


def _knock(host: str) -> None:
    """Fail at once where nobody listens: the SDK would take its time and leak its socket."""
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(host.removeprefix("unix://"))


def container_options(
    policy: SandboxPolicy,
    workspace: str,
    *,
    writable: bool,
    environment: Mapping[str, str],
    user: str,
) -> dict[str, Any]:
    """The keyword arguments for creating the container."""
    from docker.types import LogConfig, Mount, Ulimit

    point = policy.mount_at or MOUNT_POINT
    layout = plan_layout(policy.readable_paths, point)
    make_mount_points(workspace, point, layout.over)
    shown = [Mount(path, path, "bind", read_only=True) for path in (*layout.before, *layout.over)]
    variables = minimal_environment(TMP, TMP, environment)
    if "PATH" not in environment:
        del variables["PATH"]  # the image knows its own
    return {
        "entrypoint": [],
        "working_dir": point,
        "user": user,
        "environment": variables,
        "labels": {LABEL: str(os.getpid())},
        "mounts": [Mount(point, workspace, "bind", read_only=not writable), *shown],
        "tmpfs": {TMP: f"size={policy.tmp_mib}m,mode=1777,exec"},
        "ulimits": [
            Ulimit(name=_ulimit_name(limit), soft=value, hard=value)
            for limit, value in resource_limits(policy).items()
            if _ulimit_name(limit) != "as"  # its memory is bounded as a whole
        ],
        "mem_limit": policy.memory_mib * MIB,
        "memswap_limit": policy.memory_mib * MIB,
        "pids_limit": policy.pids,
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


def _ulimit_name(limit: int) -> str:
    import resource

    names = (name for name in dir(resource) if name.startswith("RLIMIT_"))
    found = next(name for name in names if getattr(resource, name) == limit)
    return found.removeprefix("RLIMIT_").lower()


def hand_over(workspace: str) -> str:
    """Make sure that an ordinary user owns `workspace`; its `uid:gid`."""
    info = Path(workspace).stat()
    if info.st_uid != 0:
        return f"{info.st_uid}:{info.st_gid}"
    for folder, folders, files in os.walk(workspace):
        for name in (".", *folders, *files):
            os.chown(Path(folder) / name, NOBODY, NOBODY, follow_symlinks=False)
    return f"{NOBODY}:{NOBODY}"


def _remove(container: Container) -> None:
    with contextlib.suppress(*engine_errors()):  # gone or going: it removes itself at its end
        container.remove(force=True, v=True)
