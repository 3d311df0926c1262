"""Instances in the images that the official harness uses, pulled or built before."""

from __future__ import annotations

import contextlib
import platform
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from apr.core.errors import EnvironmentUnusableError, SandboxUnavailableError
from apr.datasets.checkouts import find_clone, find_git_dir
from apr.datasets.swebench.instances import Instance
from apr.evaluation.archive import whole_folder
from apr.evaluation.building import ImageBuilder
from apr.evaluation.execution import PLACE, Ground
from apr.evaluation.ground import WORKSPACE_MIB
from apr.evaluation.script import EvaluationScript
from validation.sandbox.attached import engine_errors
from validation.sandbox.docker import DockerSandbox, connect
from validation.sandbox.images.engine import find_image, pull_image
from validation.sandbox.images.swebench import locally_built_name, published_name
from validation.sandbox.policy import SandboxPolicy

if TYPE_CHECKING:
    import docker
    from docker.models.images import Image

MakeBuilder = Callable[["docker.DockerClient"], ImageBuilder]
TREE, GIT = "tree", "git"


class ImageGrounds:
    """The project's files come out of an image once, and containers only ever see a copy.

    `repositories` are clones that spare taking the history out of images, too; None: there are
    none.
    """

    sandbox = "docker"

    def __init__(
        self,
        repositories: Path | None,
        cache: Path,
        memory_mib: int,
        make_builder: MakeBuilder | None = None,
    ) -> None:
        """`make_builder`: how images are built on an engine; None: they are pulled.

        Raises:
            SandboxUnavailableError: when no engine answers.
        """
        self._repositories = repositories
        self._cache = cache / "testbeds"
        self._policy = SandboxPolicy(
            memory_mib=memory_mib, workspace_mib=WORKSPACE_MIB, mount_at=PLACE
        )
        self._client = connect()
        self._builder = None if make_builder is None else make_builder(self._client)

    def prepare(self, instance: Instance, script: EvaluationScript) -> Ground:
        """The ground of an instance.

        Raises:
            SandboxUnavailableError: when its image is not there and cannot be pulled.
            EnvironmentUnusableError: when the project cannot be taken out of it.
        """
        name, image = self._find(instance)
        taken = self._take_out(image, instance.instance_id)
        git_dir = taken / GIT
        if self._repositories is not None:
            git_dir = find_git_dir(find_clone(instance.repository, self._repositories))
        return Ground(
            taken / TREE,
            git_dir,
            DockerSandbox(str(image.id), self._policy, self._client),
            script.activation,
            {"kind": "docker", "image": name, "image_id": str(image.id)},
        )

    def _find(self, instance: Instance) -> tuple[str, Image]:
        """The image by the dataset's name for it, or one of those that the harness has used."""
        if self._builder is not None:
            return self._builder.build(instance)
        machine = platform.machine()
        published = published_name(instance.instance_id, machine)
        names = (instance.image, locally_built_name(instance.instance_id, machine), published)
        for name in filter(None, names):
            image = find_image(self._client, name)
            if image is not None:
                return name, image
        return published, pull_image(self._client, published)

    def _take_out(self, image: Image, instance_id: str) -> Path:
        """The folder with the project's files and its history, taken out of the image once."""
        digest = str(image.id).rpartition(":")[2][:16]
        wanted = TREE if self._repositories is not None else ""
        target = self._cache / f"{digest}{'-' if wanted else ''}{wanted}" / instance_id
        if not target.is_dir():
            with whole_folder(target) as folder, self._project(image) as archive:
                _extract(archive, folder, with_history=self._repositories is None)
        return target

    @contextlib.contextmanager
    def _project(self, image: Image) -> Iterator[IO[bytes]]:
        try:
            container = self._client.containers.create(str(image.id), "true", network_mode="none")
            try:
                chunks, _ = container.get_archive(PLACE)
                with tempfile.TemporaryFile() as file:
                    for chunk in chunks:
                        file.write(chunk)
                    file.seek(0)
                    yield cast(IO[bytes], file)
            finally:
                container.remove(force=True, v=True)
        except engine_errors() as error:
            raise SandboxUnavailableError(
                f"the project cannot be taken out of {image.id}: {error}"
            ) from error


def _extract(archive: IO[bytes], folder: Path, *, with_history: bool) -> None:
    """Write the project's files, and its history to a place of its own.

    Raises:
        EnvironmentUnusableError: when the archive has none, or would write elsewhere.
    """
    inside = f"{Path(PLACE).name}/"
    try:
        with tarfile.open(fileobj=archive) as members:
            for member in members:
                path = member.name.removeprefix(inside)
                is_history = path == ".git" or path.startswith(".git/")
                if path == member.name or (is_history and not with_history):
                    continue
                place = f"{GIT}/{path.removeprefix('.git').lstrip('/')}"
                member.name = place if is_history else f"{TREE}/{path}"
                if member.islnk():
                    member.linkname = f"{TREE}/{member.linkname.removeprefix(inside)}"
                members.extract(member, folder, filter=_as_it_is)
    except tarfile.TarError as error:
        raise EnvironmentUnusableError(f"the project of an image is unusable: {error}") from error
    if not (folder / TREE).is_dir():
        raise EnvironmentUnusableError(f"the image has no project in {PLACE}")


def _as_it_is(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """What cannot lead outside; links that do are left out, since a sandbox has its own root."""
    with contextlib.suppress(tarfile.LinkOutsideDestinationError, tarfile.AbsoluteLinkError):
        return tarfile.data_filter(member, folder)
    return None
