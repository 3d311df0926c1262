"""Where the contents of artifacts lie when not in the database: by digest, in a folder or in S3."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from apr.core.errors import BadInputError, StoreError, StoreUnavailableError

Known = Callable[[Sequence[str]], Collection[str]]
"""Which of some digests are still needed."""

DIGEST_LENGTH = 64


class BlobStore(Protocol):
    """Contents by the SHA-256 that names them; one that is there never changes.

    Every method raises StoreUnavailableError when it cannot be reached, else StoreError.
    """

    def put(self, digest: str, data: bytes) -> None:
        """Keep it; from now on it counts as new."""
        ...

    def get(self, digest: str) -> bytes | None:
        """None when it is not there."""
        ...

    def sweep(self, known: Known, before: datetime) -> int:
        """Delete what nobody knows and was put before then; how many that were."""
        ...


class FolderBlobs:
    """Implements `BlobStore` in a folder, which several machines may share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, digest: str, data: bytes) -> None:
        """See `BlobStore.put`; nobody ever sees a part of a file."""
        path = self._path(digest)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(path)
        except OSError as error:
            raise self._failure(error) from error

    def get(self, digest: str) -> bytes | None:
        """See `BlobStore.get`."""
        try:
            return self._path(digest).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failure(error) from error

    def sweep(self, known: Known, before: datetime) -> int:
        """See `BlobStore.sweep`."""
        swept = 0
        try:
            for folder in self._folder.glob("??"):
                old = {
                    folder.name + path.name: path
                    for path in folder.iterdir()
                    if _is_old(path, before)
                }
                for digest in old.keys() - set(known(list(old))):
                    old[digest].unlink()
                    swept += 1
        except OSError as error:
            raise self._failure(error) from error
        return swept

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest[2:]

    def _failure(self, error: OSError) -> StoreError:
        return StoreUnavailableError(
            f"the folder of artifacts {self._folder} cannot be used: {error.strerror}"
        )


def _is_old(path: Path, before: datetime) -> bool:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC) < before


def open_blobs(place: str) -> BlobStore:
    """The store at `s3://BUCKET` or `s3://BUCKET/PREFIX`, or in the folder of an absolute path.

    Raises:
        BadInputError: when the place is neither.
        EnvironmentUnusableError: when the package that S3 needs is absent.
    """
    if place.startswith("s3://"):
        from apr.storage.s3 import S3Blobs

        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        if bucket:
            return S3Blobs(bucket, prefix.strip("/"))
    elif Path(place).is_absolute():
        return FolderBlobs(Path(place))
    raise BadInputError(f"APR_ARTIFACTS {place} is neither s3://BUCKET/PREFIX nor a whole path")
