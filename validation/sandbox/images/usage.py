"""Who uses an image now, and when it was last used: one file an image, locked by its users.

A lock vanishes with its process, however that ends, so no image is ever held by the dead.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from apr.core.errors import EnvironmentUnusableError


class ImageUsage:
    """The records of one user's images, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def hold(self, image_id: str) -> Iterator[None]:
        """Keep the image from being evicted for as long as the context lasts."""
        with self._locked(image_id, fcntl.LOCK_SH):
            self._path(image_id).touch()
            yield
            self._path(image_id).touch()

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Only one process at a time gets here with the same name; the others wait."""
        with self._locked(name, fcntl.LOCK_EX):
            yield

    @contextlib.contextmanager
    def unused(self, image_id: str) -> Iterator[bool]:
        """Whether nobody holds the image, and nobody can take it while the context lasts."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._locked(image_id, fcntl.LOCK_EX | fcntl.LOCK_NB))
                free = True
            except BlockingIOError:
                free = False
            yield free

    def last_used(self, image_id: str) -> float | None:
        """Seconds since the epoch; None when it was never used by this user."""
        with contextlib.suppress(OSError):
            return self._path(image_id).stat().st_mtime
        return None

    def forget(self, image_id: str) -> None:
        """Drop the records of an image that is gone, and whose lock the caller holds.

        One who waited for that lock will hold a file without a name, and must look for the image
        again in any case.
        """
        for path in (self._path(image_id), self._lock_path(image_id)):
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / name.removeprefix("sha256:")

    def _lock_path(self, name: str) -> Path:
        path = self._path(name)
        return path.with_name(f"{path.name}.lock")

    @contextlib.contextmanager
    def _locked(self, name: str, operation: int) -> Iterator[None]:
        path = self._lock_path(name)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a")
        except OSError as error:
            raise EnvironmentUnusableError(
                f"the record of used images {path} cannot be written: {error.strerror}"
            ) from error
        with file:
            fcntl.flock(file, operation)
            yield
