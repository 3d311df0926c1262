"""Subjects with dependency files, and images built for them on a real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from support.wheels import make_wheel
from validation.sandbox.images.build import BuildSettings
from validation.sandbox.images.resolve import ImageSettings, subject_image
from validation.sandbox.images.store import ImageStore
from validation.sandbox.images.usage import ImageUsage

WriteSubject = Callable[..., Path]


@pytest.fixture
def subject(tmp_path: Path) -> WriteSubject:
    """`subject({path: text})`: a folder with these files."""

    def write(files: dict[str, str], name: str = "subject") -> Path:
        folder = tmp_path / name
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return folder

    return write


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two versions of a package, and a pip that knows nothing else."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    folder = tmp_path / "wheels"
    for version in ("1.0", "2.0"):
        make_wheel(folder, "parcel", version, f"VERSION = '{version}'\n")
    return folder


class Images:
    """Makes images on the engine, with records of its own."""

    def __init__(
        self,
        client: docker.DockerClient,
        base: str,
        folder: Path,
        wheels: Path,
        made: set[str],
    ) -> None:
        self.client = client
        self.base = base
        self.settings = ImageSettings(folder, 10_000, BuildSettings(wheels=wheels, timeout_s=60))
        self.store = ImageStore(client, ImageUsage(folder))
        self.told: list[str] = []
        self.usage = ImageUsage(folder)
        self._made = made

    @contextmanager
    def hold(self, subject: Path, request: str = "", **changes: object) -> Iterator[str]:
        """The id of the subject's image, while it is in use."""
        settings = replace(self.settings, **changes)
        wanted = request or f"auto:{self.base}"
        self.told.clear()
        with subject_image(wanted, subject, settings, self.told.append) as image:
            self._made.add(image)
            yield image

    def make(self, subject: Path, request: str = "", **changes: object) -> str:
        """The id of the subject's image."""
        with self.hold(subject, request, **changes) as image:
            return image

    def exists(self, image: str) -> bool:
        return any(found.id == image for found in self.client.images.list(all=True))

    def run(self, image: str, code: str) -> str:
        """What Python code prints in the image, as nobody and without a network."""
        output: bytes = self.client.containers.run(
            image, ["python3", "-c", code], network_mode="none", user="65534:65534", remove=True
        )
        return output.decode().strip()


@pytest.fixture(scope="module")
def made(docker_client: docker.DockerClient, images_alone: None) -> Iterator[set[str]]:
    """The ids of the images that a module makes: its tests share them, none outlives it."""
    ids: set[str] = set()
    yield ids
    for image in docker_client.images.list(all=True):
        if image.id in ids:
            docker_client.images.remove(image.id, force=True)


@pytest.fixture
def images(
    docker_client: docker.DockerClient,
    docker_image: str,
    made: set[str],
    tmp_path: Path,
    wheels: Path,
) -> Images:
    return Images(docker_client, docker_image, tmp_path / "records", wheels, made)
