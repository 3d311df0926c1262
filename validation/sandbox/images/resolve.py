"""From an image request to an image on the engine, held for as long as it is needed."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from apr.core.errors import BadInputError, SandboxUnavailableError
from validation.sandbox.docker import connect
from validation.sandbox.images.build import (
    BuildSettings,
    Tell,
    adopt_image,
    build_dockerfile,
    build_environment,
)
from validation.sandbox.images.dependencies import read_dependencies
from validation.sandbox.images.engine import find_image, get_image, pull_image
from validation.sandbox.images.recipe import KEY_DIGITS, RECIPES, content_key
from validation.sandbox.images.request import ImageRequest, Origin, parse_request
from validation.sandbox.images.store import DOCKERFILE, ENVIRONMENT, SWEBENCH, ImageStore
from validation.sandbox.images.swebench import locally_built_name, published_name
from validation.sandbox.images.usage import ImageUsage
from validation.sandbox.policy import MIB

if TYPE_CHECKING:
    import docker
    from docker.models.images import Image


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """Where this machine records the use of images, how it builds them, and how much they take."""

    folder: Path
    disk_mib: int
    build: BuildSettings = field(default_factory=BuildSettings)


def silent(line: str) -> None:
    """Tells nobody what a build prints."""


@contextlib.contextmanager
def subject_image(
    request: str, subject: Path, settings: ImageSettings, tell: Tell = silent
) -> Iterator[str]:
    """The image that the request means for this subject, made or fetched when it is not there.

    Yields a named image's name as it is, of any other the id. While the context lasts, no eviction
    removes it. After something was made, images are evicted down to the disk budget.

    Raises:
        BadInputError: when the request or the subject's files make no sense.
        EnvironmentUnusableError: when the image cannot be built.
        SandboxUnavailableError: when there is no engine, or the image cannot be had.
    """
    wanted = parse_request(request)
    if wanted.origin is Origin.NAMED:
        yield wanted.detail
        return
    if wanted.origin is Origin.DOCKERFILE:
        find_dockerfile(wanted.detail, subject)
    usage = ImageUsage(settings.folder)
    with contextlib.ExitStack() as held:
        with contextlib.closing(connect()) as client:
            client.api.timeout = settings.build.timeout_s
            maker = _Maker(client, usage, subject, settings.build, tell)
            image_id = _hold(held, maker, wanted, usage)
            if maker.made:
                ImageStore(client, usage).evict(settings.disk_mib * MIB)
        yield image_id


def find_dockerfile(path: str, subject: Path) -> Path:
    """The absolute path of the Dockerfile, by default the subject's own.

    Raises:
        BadInputError: when there is none.
    """
    found = Path(path).absolute() if path else subject.absolute() / "Dockerfile"
    if not found.is_file():
        raise BadInputError(f"there is no Dockerfile {found}")
    return found


def _hold(
    held: contextlib.ExitStack, maker: _Maker, wanted: ImageRequest, usage: ImageUsage
) -> str:
    """The id of the image, which nobody can remove any more."""
    for _ in range(3):
        image_id = str(maker.make(wanted).id)
        with contextlib.ExitStack() as attempt:
            attempt.enter_context(usage.hold(image_id))
            if maker.has(image_id):
                held.push(attempt.pop_all())
                return image_id
    raise SandboxUnavailableError("somebody removes the image as often as it is made")


class _Maker:
    """Makes the image of one subject, or finds it; `made` says which."""

    def __init__(
        self,
        client: docker.DockerClient,
        usage: ImageUsage,
        subject: Path,
        settings: BuildSettings,
        tell: Tell,
    ) -> None:
        self._client = client
        self._usage = usage
        self._subject = subject
        self._settings = settings
        self._tell = tell
        self.made = False

    def has(self, name: str) -> bool:
        return find_image(self._client, name) is not None

    def make(self, wanted: ImageRequest) -> Image:
        if wanted.origin is Origin.SWEBENCH:
            return self._swebench(wanted.detail)
        if wanted.origin is Origin.DOCKERFILE:
            return self._dockerfile(wanted.detail)
        return self._environment(wanted.detail)

    def _environment(self, base_image: str) -> Image:
        dependencies = read_dependencies(self._subject)
        name = base_image or RECIPES[dependencies.ecosystem].base_image
        base = get_image(self._client, name)
        key = content_key(str(base.id), dependencies)
        tag = f"{ENVIRONMENT}:{key}"
        with self._usage.alone(key):
            found = find_image(self._client, tag)
            if found is not None:
                return found
            self.made = True
            return build_environment(
                self._client, base, dependencies, key, tag, self._settings, self._tell
            )

    def _dockerfile(self, path: str) -> Image:
        dockerfile = find_dockerfile(path, self._subject)
        identity = f"{dockerfile}\0{self._subject.absolute()}".encode("utf-8", "surrogateescape")
        key = hashlib.sha256(identity).hexdigest()[:KEY_DIGITS]
        tag = f"{DOCKERFILE}:{key}"
        with self._usage.alone(key):
            before = find_image(self._client, tag)
            image = build_dockerfile(
                self._client, dockerfile, self._subject, key, tag, self._settings, self._tell
            )
            self.made = before is None or before.id != image.id
            return image

    def _swebench(self, instance: str) -> Image:
        machine = str(self._client.info()["Architecture"])
        published = published_name(instance, machine)
        tag = f"{SWEBENCH}:{instance.lower()}"
        for name in (tag, published, locally_built_name(instance, machine)):
            found = find_image(self._client, name)
            if found is not None:
                return found
        with self._usage.alone(tag):
            self._tell(f"pulling {published}")
            pulled = pull_image(self._client, published)
            adopted = adopt_image(self._client, pulled, tag, f"SWE-bench instance {instance}")
            self._client.api.remove_image(published)  # its content stays, as ours to evict
            self.made = True
            return adopted
