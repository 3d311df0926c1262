"""Makes images: an environment installed on a base image, or a Dockerfile's.

An environment is installed in one container and committed as one layer. Secrets of this machine
(an index with a password, a proxy) reach the build as variables of its command, which no image
keeps.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tarfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apr.core.errors import BadInputError, EnvironmentUnusableError, SandboxUnavailableError
from validation.sandbox.attached import engine_errors
from validation.sandbox.images import labels
from validation.sandbox.images.dependencies import Dependencies
from validation.sandbox.images.engine import build_network
from validation.sandbox.images.recipe import PLACE, RECIPES, Recipe
from validation.sandbox.images.sources import PackageSources, package_sources

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container
    from docker.models.images import Image

Tell = Callable[[str], None]
"""Is called with every line that a build prints."""

TAIL_LINES = 12
TAIL_CHARACTERS = 800
PIDS = 4096
KILLED = 137  # 128 and SIGKILL


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """How builds are done on this machine."""

    wheels: Path | None = None
    """Folder of wheels to install from, besides what pip is configured to use."""

    network: str | None = None
    """Network of the engine for builds; None: its bridge, or the machine's own without one."""

    timeout_s: int = 1800
    """Wall-clock seconds that one build may take."""


def build_environment(
    client: docker.DockerClient,
    base: Image,
    dependencies: Dependencies,
    key: str,
    tag: str,
    settings: BuildSettings,
    tell: Tell,
) -> Image:
    """Install the dependencies on the base image.

    Raises:
        EnvironmentUnusableError: when they cannot be installed; the end of the output says why.
        SandboxUnavailableError: when the engine refuses.
    """
    recipe = RECIPES[dependencies.ecosystem]
    sources = package_sources(settings.wheels)
    network = build_network(client, settings.network)
    with _engine_refuses("build an environment"):
        container = _create(client, base, key, sources, network, settings.timeout_s)
        try:
            container.start()
            container.put_archive("/", _archive(dependencies.files))
            _install(client, container, recipe, sources, settings, tell)
            purpose = _purpose(dependencies)
            changes = _changes(base, recipe, labels(key, purpose))
            repository, _, name = tag.partition(":")
            return container.commit(repository, name, changes=changes, pause=False)
        finally:
            _remove(container)


def _create(
    client: docker.DockerClient,
    base: Image,
    key: str,
    sources: PackageSources,
    network: str,
    timeout_s: int,
) -> Container:
    from docker.types import Mount

    name = f"apr-build-{key}"
    # Whoever built this before us was killed: we hold the key's lock.
    for left in client.containers.list(all=True, filters={"name": f"^/?{name}-"}):
        _remove(left)
    return client.containers.create(
        base,
        ["sleep", str(timeout_s)],  # so that it ends by itself when its builder does not
        entrypoint=[],
        name=f"{name}-{os.getpid()}",
        network_mode=network,
        mounts=[Mount(path, path, "bind", read_only=True) for path in sources.paths],
        pids_limit=PIDS,
        security_opt=["no-new-privileges:true"],
        auto_remove=True,
    )


def _archive(files: Sequence[tuple[str, str]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folder = tarfile.TarInfo(PLACE.lstrip("/"))
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        for name, text in files:
            data = text.encode()
            info = tarfile.TarInfo(f"{folder.name}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _install(
    client: docker.DockerClient,
    container: Container,
    recipe: Recipe,
    sources: PackageSources,
    settings: BuildSettings,
    tell: Tell,
) -> None:
    script = f"cd {PLACE}\n{recipe.script}\nrm -rf {PLACE}\n"
    started = client.api.exec_create(
        container.id,
        ["/bin/sh", "-c", script],
        environment={**sources.environment, **recipe.environment},
        user="0:0",
    )
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with _attached(client.api.exec_start(started["Id"], socket=True)) as chunks:
        for line in _lines(chunks):
            tail.append(line)
            tell(line)
    status = _exit_status(client, started["Id"])
    if status is None or status == KILLED:
        raise EnvironmentUnusableError(
            f"building the environment took more than {settings.timeout_s} s, or too much memory"
        )
    if status != 0:
        raise EnvironmentUnusableError(_explain("the environment cannot be installed", tail))


@contextlib.contextmanager
def _attached(stream: Any) -> Iterator[Iterator[bytes]]:
    """What comes out of it; at the end the stream is closed, and the socket below it."""
    from docker.utils import socket as streams

    socket = getattr(stream, "_sock", stream)
    try:
        frames = streams.frames_iter(stream, tty=False)  # type: ignore[no-untyped-call]
        yield (data for _, data in frames)
    finally:
        stream.close()
        socket.close()


def _exit_status(client: docker.DockerClient, execution: str) -> int | None:
    """None when the container ended first, and was removed with all that ran in it."""
    from docker.errors import NotFound

    try:
        status: int | None = client.api.exec_inspect(execution)["ExitCode"]
    except NotFound:
        return None
    return status


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    pending = b""
    for chunk in chunks:
        *complete, pending = (pending + chunk).split(b"\n")
        yield from (line.decode(errors="replace").rstrip() for line in complete)
    if pending:
        yield pending.decode(errors="replace").rstrip()


def _explain(what: str, tail: Iterable[str]) -> str:
    said = " ".join(" ".join(tail).split())[-TAIL_CHARACTERS:]
    hint = ""
    if any(sign in said for sign in ("NewConnectionError", "name resolution", "EAI_AGAIN")):
        hint = "; the build reached no network: set APR_BUILD_NETWORK, or APR_WHEELS to a folder"
    return f"{what}{hint}: {said}"


def _purpose(dependencies: Dependencies) -> str:
    names = ", ".join(dependencies.read_from)
    return f"{dependencies.ecosystem} environment of {names or 'pytest alone'}"


def _changes(base: Image, recipe: Recipe, wanted: dict[str, str]) -> list[str]:
    config: dict[str, Any] = base.attrs.get("Config") or {}
    lines = [f"CMD {json.dumps(config.get('Cmd') or ['/bin/sh'])}"]
    lines += [f'LABEL {name}="{_quotable(value)}"' for name, value in wanted.items()]
    if recipe.path:
        variables = dict(entry.partition("=")[::2] for entry in config.get("Env") or ())
        known = variables.get("PATH", "/usr/local/bin:/usr/bin:/bin")
        lines.append(f"ENV PATH={':'.join((*recipe.path, known))}")
    return lines


def _quotable(text: str) -> str:
    return text.replace("\\", "/").replace('"', "'").replace("$", "")


def build_dockerfile(
    client: docker.DockerClient,
    dockerfile: Path,
    context: Path,
    key: str,
    tag: str,
    settings: BuildSettings,
    tell: Tell,
) -> Image:
    """Build a Dockerfile with the folder `context`; the engine caches its layers by content.

    Raises:
        BadInputError: when the context is no folder.
        EnvironmentUnusableError: when a step of it fails.
        SandboxUnavailableError: when the engine refuses.
    """
    from docker.errors import BuildError

    sources = package_sources(None)
    proxies = {name: v for name, v in sources.environment.items() if "PIP_" not in name}
    with _engine_refuses(f"build {dockerfile}"):
        try:
            image, log = client.images.build(
                path=str(context),
                dockerfile=str(dockerfile.resolve()),
                tag=tag,
                rm=True,
                forcerm=True,
                buildargs=proxies,  # predefined arguments, which no image keeps
                network_mode=build_network(client, settings.network),
                labels=labels(key, f"Dockerfile of {context.name}"),
            )
        except BuildError as error:
            said = [str(line.get("stream") or line.get("error") or "") for line in error.build_log]
            raise EnvironmentUnusableError(
                _explain(f"{dockerfile} cannot be built", [*said[-TAIL_LINES:], str(error.msg)])
            ) from error
        except TypeError as error:  # what the SDK makes of a path that is no context
            raise BadInputError(f"{context} is no context for a build: {error}") from error
    for entry in log:
        text = entry.get("stream") if isinstance(entry, dict) else None
        for line in str(text or "").splitlines():
            tell(line)
    return image


def adopt_image(client: docker.DockerClient, image: Image, tag: str, purpose: str) -> Image:
    """A labelled child of the image without a layer of its own: from then on it is ours.

    Raises:
        SandboxUnavailableError: when the engine refuses.
    """
    text = f"FROM {image.tags[0] if image.tags else image.id}\n"
    with _engine_refuses(f"label {tag}"):
        adopted, _ = client.images.build(
            fileobj=io.BytesIO(text.encode()),
            tag=tag,
            rm=True,
            forcerm=True,
            labels=labels(str(image.id).removeprefix("sha256:"), purpose),
        )
        return adopted


@contextlib.contextmanager
def _engine_refuses(what: str) -> Iterator[None]:
    try:
        yield
    except engine_errors() as error:
        reason = " ".join(str(getattr(error, "explanation", None) or error).split())
        raise SandboxUnavailableError(f"the Docker engine cannot {what}: {reason}") from error


def _remove(container: Container) -> None:
    with contextlib.suppress(*engine_errors()):  # gone already, or going by itself
        container.remove(force=True, v=True)
