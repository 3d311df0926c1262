"""Unpacks tar and zip archives without believing a word of what they say of themselves."""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from web.intake.bounds import Bounds, RefusedSourceError, inner_path, is_kept

PIECE = 64 * 1024
LONGEST_LINK = 1024


def unpack(archive: Path, target: Path, bounds: Bounds) -> None:
    """Unpack an archive into a new folder; links and devices are left out.

    Raises:
        RefusedSourceError: when it is no archive, too large, or tries to leave the folder.
    """
    target.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, target, bounds)
        else:
            _unpack_tar(archive, target, bounds)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise RefusedSourceError(f"the archive cannot be read: {error}") from error
    except (NotImplementedError, RuntimeError, UnicodeError) as error:  # encrypted, odd methods
        raise RefusedSourceError(f"the archive is of a kind not known here: {error}") from error
    except OSError as error:
        raise RefusedSourceError(f"the archive cannot be unpacked: {error.strerror}") from error


def _unpack_tar(archive: Path, target: Path, bounds: Bounds) -> None:
    # As a stream, so that no member's place in the file has to be believed.
    with tarfile.open(archive, "r|*") as opened:
        for member in opened:
            path = inner_path(member.name) if member.name.strip("./") else None
            bounds.add(0)
            if path is None or not is_kept(path):
                continue
            if member.isdir():
                (target / path).mkdir(parents=True, exist_ok=True)
            elif member.isreg():
                content = opened.extractfile(member)
                assert content is not None
                _write(content, target / path, bounds, is_program=bool(member.mode & 0o100))


def _unpack_zip(archive: Path, target: Path, bounds: Bounds) -> None:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            path = inner_path(member.filename)
            bounds.add(0)
            mode = member.external_attr >> 16
            if not is_kept(path) or stat.S_ISLNK(mode):
                continue
            if member.is_dir():
                (target / path).mkdir(parents=True, exist_ok=True)
                continue
            with opened.open(member) as content:
                _write(content, target / path, bounds, is_program=bool(mode & 0o100))


def _write(content: IO[bytes], path: Path, bounds: Bounds, *, is_program: bool) -> None:
    """Write a file piece by piece, since only what was read tells its size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while piece := content.read(PIECE):
            bounds.size += len(piece)
            if bounds.size > bounds.max_bytes:
                raise RefusedSourceError(f"the archive has more than {bounds.max_bytes:,} bytes")
            file.write(piece)
    path.chmod(0o755 if is_program else 0o644)
