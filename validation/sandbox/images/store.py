"""The images that were made here: what they take on the disk, and removing them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from apr.core.errors import SandboxUnavailableError
from validation.sandbox.attached import engine_errors
from validation.sandbox.images import KEY_LABEL, LABEL, PURPOSE_LABEL
from validation.sandbox.images.usage import ImageUsage

if TYPE_CHECKING:
    import docker

ENVIRONMENT, DOCKERFILE, SWEBENCH = "apr-env", "apr-dockerfile", "apr-swebench"
"""The repositories of the images made here."""

OFFICIAL = re.compile(r"(sweb\.eval\.\w+|amd64|arm64)\.[^/]+")
"""How the harness of SWE-bench calls the image of an instance, which may have been made here."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image made here. Sizes are in bytes, times in seconds since the epoch.

    `size` is the whole image, `own_size` what no other image of the engine shares, and so what
    its removal frees. `tags` is empty for one that a newer build has replaced.
    """

    id: str
    tags: tuple[str, ...]
    key: str
    purpose: str
    size: int
    own_size: int
    created: float
    last_used: float
    in_use: bool


@dataclass(frozen=True, slots=True)
class Pruned:
    """The images that were removed, and what they were found to take in bytes."""

    images: tuple[StoredImage, ...]
    freed: int


class ImageStore:
    """The images made here on one engine, with their records of use."""

    def __init__(self, client: docker.DockerClient, usage: ImageUsage) -> None:
        self._client = client
        self._usage = usage

    def images(self) -> tuple[StoredImage, ...]:
        """Every image made here, the least recently used first.

        Raises:
            SandboxUnavailableError: when the engine does not say.
        """
        try:
            entries = self._client.api.df()["Images"] or ()
            used = {c["ImageID"] for c in self._client.api.containers(all=True)}
        except engine_errors() as error:
            raise SandboxUnavailableError(f"the Docker engine lists no images: {error}") from error
        ours = (entry for entry in entries if (entry.get("Labels") or {}).get(LABEL) == "1")
        found = (self._describe(entry, used) for entry in ours)
        return tuple(sorted(found, key=lambda image: (image.last_used, image.id)))

    def _describe(self, entry: dict[str, Any], used: set[str]) -> StoredImage:
        image_id, size = str(entry["Id"]), int(entry["Size"])
        with self._usage.unused(image_id) as free:
            held = not free
        return StoredImage(
            id=image_id,
            tags=tuple(tag for tag in entry.get("RepoTags") or () if tag != "<none>:<none>"),
            key=entry["Labels"].get(KEY_LABEL, ""),
            purpose=entry["Labels"].get(PURPOSE_LABEL, ""),
            size=size,
            own_size=max(0, size - max(0, int(entry.get("SharedSize") or 0))),
            created=float(entry["Created"]),
            last_used=self._usage.last_used(image_id) or float(entry["Created"]),
            in_use=held or image_id in used,
        )

    def evict(self, limit_bytes: int) -> Pruned:
        """Remove the least recently used images until the rest takes at most `limit_bytes`.

        Those that a newer build has replaced go first, those in use never; 0 removes all others,
        even one that has nothing of its own.
        """
        removed: list[StoredImage] = []
        spared: set[str] = set()
        while True:
            images = self.images()
            held = sum(image.own_size for image in images)
            candidates = [i for i in images if not i.in_use and i.id not in spared]
            replaced = [image for image in candidates if not image.tags]
            too_much = held > limit_bytes or limit_bytes == 0
            if not (replaced or (too_much and candidates)):
                return _pruned(removed)
            chosen = (replaced or candidates)[0]
            spared.add(chosen.id)
            removed += [chosen] if self._remove(chosen) else []

    def prune(self, before: float) -> Pruned:
        """Remove every image that was last used before that time, in seconds since the epoch."""
        removed = []
        for image in self.images():
            wanted = image.last_used < before or not image.tags
            if wanted and not image.in_use and self._remove(image):
                removed.append(image)
        return _pruned(removed)

    def _remove(self, image: StoredImage) -> bool:
        """Whether it is gone. A name that somebody else gave it keeps it, and so does a container.

        Removing the last name removes the image; by its id, one removes all names.
        """
        with self._usage.unused(image.id) as free:
            if not free:
                return False
            with contextlib.suppress(*engine_errors()):
                for name in [tag for tag in image.tags if is_ours(tag)] or [image.id]:
                    self._client.api.remove_image(name)
            gone = self._is_gone(image.id)
            if gone:
                self._usage.forget(image.id)
            return gone

    def _is_gone(self, image_id: str) -> bool:
        from docker.errors import ImageNotFound

        try:
            self._client.images.get(image_id)
        except ImageNotFound:
            return True
        except engine_errors():
            return False
        return False


def is_ours(tag: str) -> bool:
    """Whether the name of an image that was made here was given here."""
    repository = tag.partition(":")[0].removeprefix("localhost/")  # Podman says where it is
    is_official = OFFICIAL.fullmatch(repository) is not None
    return is_official or repository in (ENVIRONMENT, DOCKERFILE, SWEBENCH)


def _pruned(removed: Sequence[StoredImage]) -> Pruned:
    return Pruned(tuple(removed), sum(image.own_size for image in removed))
