"""What the engine has, and what it can get: images by name, pulls, and a network for builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apr.core.errors import SandboxUnavailableError
from validation.sandbox.attached import engine_errors

if TYPE_CHECKING:
    import docker
    from docker.models.images import Image


def find_image(client: docker.DockerClient, name: str) -> Image | None:
    """The image of that name or id, None when the engine has none.

    Raises:
        SandboxUnavailableError: when the engine does not say.
    """
    from docker.errors import ImageNotFound

    try:
        return client.images.get(name)
    except ImageNotFound:
        return None
    except engine_errors() as error:
        raise SandboxUnavailableError(
            f"the Docker engine cannot look up {name}: {error}"
        ) from error


def pull_image(client: docker.DockerClient, name: str) -> Image:
    """The image, downloaded.

    Raises:
        SandboxUnavailableError: when that does not work.
    """
    repository, tag = split_tag(name)
    try:
        client.api.pull(repository, tag=tag or "latest")
        return client.images.get(name)
    except engine_errors() as error:
        reason = " ".join(str(getattr(error, "explanation", None) or error).split())
        raise SandboxUnavailableError(
            f"the image {name} is not here and cannot be pulled: {reason}"
        ) from error


def get_image(client: docker.DockerClient, name: str) -> Image:
    """The image, downloaded when the engine does not have it.

    Raises:
        SandboxUnavailableError: when it cannot be had.
    """
    return find_image(client, name) or pull_image(client, name)


def split_tag(name: str) -> tuple[str, str]:
    """Repository and tag; a colon before a slash belongs to a host's port."""
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "")


def build_network(client: docker.DockerClient, wanted: str | None) -> str:
    """The network of a build: the wanted one, else the engine's bridge, else the machine's own.

    Raises:
        SandboxUnavailableError: when the engine does not say.
    """
    if wanted is not None:
        return wanted
    try:
        names = {network["Name"] for network in client.api.networks()}
    except engine_errors() as error:
        raise SandboxUnavailableError(f"the Docker engine lists no networks: {error}") from error
    return "bridge" if names & {"bridge", "podman"} else "host"
