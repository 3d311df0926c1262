"""Builds the image of an instance that cannot be pulled: its environment, and its checkout on top.

The environment of a recipe is one image, shared by all instances with the same needs; that of an
instance adds the files of its base commit, with that commit alone as history. The official harness
finds the latter under the name that the dataset gives, and runs on it unmodified. Both are labelled
and keyed by content, and the least recently used go when they take more than the disk may hold.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from apr.core.errors import EnvironmentUnusableError, SandboxUnavailableError
from apr.datasets.checkouts import find_clone, find_git_dir
from apr.datasets.swebench.instances import Instance
from apr.datasets.swebench.local import Places, check_out, make_environment
from apr.datasets.swebench.recipes import find_recipe
from apr.evaluation.execution import PLACE
from validation.sandbox.attached import engine_errors
from validation.sandbox.images import KEY_LABEL, labels
from validation.sandbox.images.engine import find_image, get_image
from validation.sandbox.images.recipe import KEY_DIGITS
from validation.sandbox.images.store import ENVIRONMENT, ImageStore
from validation.sandbox.images.swebench import locally_built_name
from validation.sandbox.images.usage import ImageUsage
from validation.temporary import temporary_folder

if TYPE_CHECKING:
    import docker
    from docker.models.images import Image

GIT_S = 300.0
DEPTH = 2
TESTBED = "/opt/miniconda3/envs/testbed"
ACTIVATE = f"""\
conda() {{ [ "$1" != activate ] || export PATH="{TESTBED}/bin:$PATH"; }}
pytest() {{ python -P -m pytest "$@"; }}
"""
ENVIRONMENT_FILE = f"""\
FROM {{base}}
RUN python3 -m venv --without-pip {TESTBED}
COPY packages/ {TESTBED}/lib/python{{version}}/site-packages/
COPY activate /opt/miniconda3/bin/activate
ENV PIP_NO_INDEX=1 PIP_NO_DEPS=1 PIP_NO_BUILD_ISOLATION=0 PIP_ROOT_USER_ACTION=ignore
"""
"""The official script installs the checkout anew, which has to work without a network."""
INSTANCE_FILE = f"""\
FROM {{environment}}
COPY testbed {PLACE}
ENV PYTHONPATH={{path}}
"""


@dataclass(frozen=True, slots=True)
class ImageBuilder:
    """Builds on one engine.

    `base` is an image with Python of this machine's version, git and bash. Images of this kind may
    take `disk_bytes` together.
    """

    client: docker.DockerClient
    places: Places
    base: str
    usage: ImageUsage
    disk_bytes: int

    def build(self, instance: Instance) -> tuple[str, Image]:
        """The image of an instance and its name, built if it is not there yet.

        Raises:
            BadInputError: when its repository is not among the clones, or lacks the commit.
            EnvironmentUnusableError: when no recipe is known, or something cannot be built.
        """
        name = instance.image or locally_built_name(instance.instance_id, platform.machine())
        checkout = check_out(instance, self.places, with_tests=False)
        python = Path(make_environment(instance, checkout, self.places.cache))
        recipe = find_recipe(instance.repository, instance.version)
        shell = "".join(f"{line}\n" for line in recipe.shell)
        environment = self._environment(python, shell)
        key = _digest(
            str(environment.id),
            f"{INSTANCE_FILE}{DEPTH}",
            instance.base_commit,
            checkout.parent.name,
        )
        with self.usage.alone(key):
            found = find_image(self.client, name)
            if found is None or found.labels.get(KEY_LABEL, key) != key:  # not ours: as good
                found = self._testbed(environment, instance, checkout, name, key)
                with self.usage.hold(str(found.id)), self.usage.hold(str(environment.id)):
                    ImageStore(self.client, self.usage).evict(self.disk_bytes)
        with self.usage.hold(str(found.id)):
            return name, found

    def _environment(self, python: Path, shell: str) -> Image:
        packages = next(python.parent.parent.glob("lib/python*/site-packages"))
        base = get_image(self.client, self.base)
        key = _digest(str(base.id), python.parent.parent.name, ENVIRONMENT_FILE, ACTIVATE, shell)
        tag = f"{ENVIRONMENT}:{key}"
        with self.usage.alone(key):
            found = find_image(self.client, tag)
            if found is not None:
                return found
            with temporary_folder("image") as folder:
                shutil.copytree(packages, folder / "packages")
                (folder / "activate").write_text(ACTIVATE + shell, "utf-8")
                text = ENVIRONMENT_FILE.format(
                    base=self.base, version=packages.parent.name.removeprefix("python")
                )
                return self._build(folder, text, tag, key, "SWE-bench environment")

    def _testbed(
        self, environment: Image, instance: Instance, checkout: Path, name: str, key: str
    ) -> Image:
        with temporary_folder("image") as folder:
            testbed = folder / "testbed"
            shutil.copytree(checkout, testbed, symlinks=True)
            clone = find_clone(instance.repository, self.places.repositories)
            _add_history(find_git_dir(clone), instance.base_commit, testbed)
            path = f"{PLACE}/src" if (testbed / "src").is_dir() else PLACE
            text = INSTANCE_FILE.format(environment=environment.tags[0], path=path)
            purpose = f"SWE-bench instance {instance.instance_id}"
            return self._build(folder, text, name, key, purpose)

    def _build(self, folder: Path, dockerfile: str, tag: str, key: str, purpose: str) -> Image:
        from docker.errors import BuildError

        (folder / "Dockerfile").write_text(dockerfile, "utf-8")
        try:
            image, _ = self.client.images.build(
                path=str(folder),
                tag=tag,
                rm=True,
                forcerm=True,
                network_mode="none",
                labels=labels(key, purpose),
            )
        except BuildError as error:
            raise EnvironmentUnusableError(f"the image {tag} cannot be built: {error}") from error
        except engine_errors() as error:
            raise SandboxUnavailableError(
                f"the Docker engine cannot build {tag}: {error}"
            ) from error
        return image


def _add_history(git_dir: Path, commit: str, testbed: Path) -> None:
    """The commit, checked out, with its parent: the official script prints what it changed.

    Raises:
        EnvironmentUnusableError: when git fails.
    """
    pack = "git -c uploadpack.allowAnySHA1InWant=true upload-pack"
    for command in (
        ["init", "--quiet"],
        [
            "fetch",
            "--quiet",
            f"--depth={DEPTH}",
            f"--upload-pack={pack}",
            f"file://{git_dir}",
            commit,
        ],
        ["update-ref", "--no-deref", "HEAD", commit],
        ["read-tree", "HEAD"],
    ):
        try:
            subprocess.run(
                ["git", *command], cwd=testbed, check=True, capture_output=True, timeout=GIT_S
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise EnvironmentUnusableError(
                f"no history can be made of {commit}: {error}"
            ) from error


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:KEY_DIGITS]
