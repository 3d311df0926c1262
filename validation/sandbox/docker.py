"""Sandbox in containers of a local Docker engine, kept warm in a pool.

The engine must see this machine's file system: the workspace and the readable paths are bind
mounts. `DOCKER_HOST` is honoured, so Podman's compatible socket and rootless engines work too.
The image needs a POSIX shell with the usual small programs, of GNU or BusyBox.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from apr.core.errors import SandboxUnavailableError
from validation.sandbox.attached import engine_errors
from validation.sandbox.container import LABEL, Container
from validation.sandbox.owner import Owner
from validation.sandbox.paths import check_workspace
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.stream import StreamProcess

if TYPE_CHECKING:
    import docker

DEFAULT_HOST = "unix:///var/run/docker.sock"
MAX_IDLE = 4  # wiped containers that wait for their next use
_Key = tuple[str, int, int, bool]  # workspace, its device and inode, writable


class DockerSandbox:
    """Starts processes in pooled containers of `image`, under a user that owns nothing.

    A container is used again, for the same workspace, only after everything in it was ended and
    wiped and its keeper has seen that; else another takes its place. Files of the workspace are
    made readable for everybody: give it a copy, never a tree that others rely on.
    """

    name: str = "docker"

    def __init__(
        self, image: str, policy: SandboxPolicy, client: docker.DockerClient | None = None
    ) -> None:
        """`client` stays the caller's; without one, the sandbox opens and closes its own."""
        self._image = image
        self._policy = policy
        self._given = client
        self._client = client
        self._idle: OrderedDict[Container, _Key] = OrderedDict()  # the longest idle first
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def start(
        self, argv: Sequence[str], workspace: str, *, writable: bool, environment: Mapping[str, str]
    ) -> Iterator[StreamProcess]:
        """Run `argv` in a container that is as good as new.

        Raises:
            SandboxUnavailableError: when no engine answers or it cannot make the container.
            EnvironmentUnusableError: when the subject does not fit into its scratch copy.
        """
        check_workspace(workspace)
        info = Path(workspace).stat()
        key = (workspace, info.st_dev, info.st_ino, writable)
        container = self._take(key)
        is_reusable = False
        try:
            with container.run(argv, environment) as process:
                yield process
            is_reusable = container.reset()
        finally:
            if is_reusable:
                self._give_back(key, container)
            else:
                container.remove()

    def _take(self, key: _Key) -> Container:
        with self._lock:
            for container, known in self._idle.items():
                if known == key:
                    del self._idle[container]
                    return container
            client = self._client = self._client or self._open()
        return Container(client, self._image, self._policy, key[0], writable=key[3])

    def _open(self) -> docker.DockerClient:
        client = connect()
        remove_orphans(client)
        return client

    def _give_back(self, key: _Key, container: Container) -> None:
        with self._lock:
            self._idle[container] = key
            surplus = self._idle.popitem(last=False)[0] if len(self._idle) > MAX_IDLE else None
        if surplus is not None:
            surplus.remove()

    def close(self) -> None:
        """Remove the idle containers; a later start opens everything anew."""
        with self._lock:
            idle, self._idle = list(self._idle), OrderedDict()
            client, self._client = self._client, self._given
        for container in idle:
            container.remove()
        if client is not None and client is not self._given:
            client.close()


def remove_orphans(client: docker.DockerClient) -> list[str]:
    """Remove the containers whose owners are dead; which they were, by id."""
    removed = []
    with contextlib.suppress(*engine_errors()):
        for container in client.containers.list(
            all=True, filters={"label": LABEL}, ignore_removed=True
        ):
            owner = Owner.parse(container.labels.get(LABEL, ""))
            if owner is not None and owner.is_dead():
                with contextlib.suppress(*engine_errors()):  # it removes itself as well
                    container.remove(force=True, v=True)
                    removed.append(str(container.id))
    return removed


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
