"""A real Docker engine with an image to test with, for every test that asks for `docker_image`.

It is the engine that DOCKER_HOST names; else, for root with `dockerd`, a private one, which all
workers of this test session share, and of which nothing is left when the session is over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import docker
import pytest
from docker.errors import APIError

from support.host_image import write_root_filesystem

IMAGE_VARIABLE = "APR_TEST_IMAGE"  # an image with Python, pip and pytest at /usr/bin/python3
FOLDER_VARIABLE = "APR_TEST_ENGINE"  # where the processes of one test session meet
KEEPER = Path(__file__).with_name("engine_keeper.py")
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 60.0
REMOVE_TIMEOUT_S = 10.0
_held = pytest.StashKey[IO[str]]()


@pytest.fixture(scope="session")
def docker_image() -> Iterator[str]:
    """The name of an image on the engine that DOCKER_HOST names, from here on."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    with pytest.MonkeyPatch.context() as patch:
        with _alone(folder):
            if not os.environ.get("DOCKER_HOST"):
                patch.setenv("DOCKER_HOST", _private_engine(folder))
            if not os.environ.get(IMAGE_VARIABLE):
                patch.setenv(IMAGE_VARIABLE, _own_image(folder))
        yield os.environ[IMAGE_VARIABLE]


@pytest.fixture(scope="session")
def docker_client(docker_image: str) -> Iterator[docker.DockerClient]:
    """A client of that engine."""
    with contextlib.closing(docker.from_env()) as client:
        yield client


@pytest.fixture(scope="module")
def images_alone(docker_image: str) -> Iterator[None]:
    """No other module that asks for this makes or removes images of the engine meanwhile."""
    with _alone(Path(os.environ[FOLDER_VARIABLE]), "images"):
        yield


@contextlib.contextmanager
def _alone(folder: Path, what: str = "start") -> Iterator[None]:
    """One process of the session at a time."""
    with (folder / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _private_engine(folder: Path) -> str:
    """The address of the session's own engine; the first to ask has it started."""
    if os.geteuid() != 0:
        pytest.skip("no Docker engine: DOCKER_HOST is not set, and only root can start one")
    if not shutil.which("dockerd"):
        pytest.skip("no Docker engine: DOCKER_HOST is not set, and dockerd is not installed")
    told = folder / "told"
    if not told.exists():
        command = [sys.executable, str(KEEPER), str(folder)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=True
        )
        told.write_text(done.stdout.strip())
    if told.read_text() != "ready":
        pytest.skip(f"no Docker engine: {told.read_text()}")
    return f"unix://{folder}/docker.sock"


def _own_image(folder: Path) -> str:
    """The image that the first to ask makes of this machine's files."""
    made = folder / "image"
    if not made.exists():
        name = f"apr-tests:{secrets.token_hex(6)}"
        archive = folder / "root.tar"
        with archive.open("wb") as file:
            write_root_filesystem(file)
        with contextlib.closing(docker.from_env()) as client:
            repository, _, tag = name.partition(":")
            client.api.import_image_from_file(str(archive), repository, tag)
        archive.unlink()
        made.write_text(f"{os.environ['DOCKER_HOST']} {name}")
    return made.read_text().split()[1]


def pytest_configure(config: pytest.Config) -> None:
    """In the session's first process: give it a place to meet, and hold that."""
    if FOLDER_VARIABLE in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="apr-docker-"))
    os.environ[FOLDER_VARIABLE] = str(folder)
    config.stash[_held] = users = (folder / "users").open("w")
    fcntl.flock(users, fcntl.LOCK_SH)


def pytest_unconfigure(config: pytest.Config) -> None:
    """In the session's first process, when its workers have ended: leave nothing behind."""
    users = config.stash.get(_held, None)
    if users is None:
        return
    folder = Path(os.environ.pop(FOLDER_VARIABLE))
    _remove_image(folder)
    users.close()
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while (folder / "told").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_image(folder: Path) -> None:
    """From an engine that is not ours; a container that is just going may hold it for a while."""
    made = folder / "image"
    if not made.exists() or (folder / "told").exists():
        return
    host, name = made.read_text().split()
    deadline = time.monotonic() + REMOVE_TIMEOUT_S
    with contextlib.closing(docker.DockerClient(host)) as client:
        while time.monotonic() < deadline:
            with contextlib.suppress(APIError):
                client.images.remove(name)
                break
            time.sleep(0.2)
