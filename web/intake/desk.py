"""Takes projects in: each gets a folder of its own, and the oldest that nobody needs makes room."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from apr.core.candidate import patch_from_diff
from apr.core.diff import parse_diff
from apr.core.errors import BadInputError
from apr.storage.sources import Source, Sources
from validation.workspace import SourceTree, copy_subject, encode, safe_path
from web.intake.addresses import resolve
from web.intake.archive import unpack
from web.intake.bounds import (
    Bounds,
    BusyError,
    RefusedSourceError,
    count_tree,
    remove_environments,
    single_folder,
)
from web.intake.repository import check_out_bundle, clone
from web.settings import WebSettings

AT_ONCE = 8
"""Projects taken in at once; a clone may take minutes, and everything else needs threads too."""

Fill = Callable[[Path, Bounds], str | None]
"""Fills a folder that does not exist yet; the commit, if there is one."""


class Desk:
    """Where projects are handed in."""

    def __init__(self, sources: Sources, folder: Path, settings: WebSettings) -> None:
        self._sources = sources
        self._folder = folder
        self._settings = settings
        self._places = threading.BoundedSemaphore(AT_ONCE)

    @contextmanager
    def receiving(self) -> Iterator[Path]:
        """A file for an upload, which vanishes at the end."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"upload-{secrets.token_hex(8)}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def take_archive(self, user: str, archive: Path) -> Source:
        """A project from a tar or zip archive.

        Raises:
            RefusedSourceError: when it is none, or too large, or tries to get out.
        """

        def fill(target: Path, bounds: Bounds) -> None:
            unpack(archive, target, bounds)

        return self._take(user, "archive", "upload", fill)

    def take_bundle(self, user: str, bundle: Path, revision: str | None) -> Source:
        """A project from a git bundle.

        Raises:
            RefusedSourceError: see `take_archive`.
        """

        def fill(target: Path, bounds: Bounds) -> str:
            return check_out_bundle(
                bundle, revision, target, bounds, self._settings.clone_timeout_s
            )

        return self._take(user, "bundle", "upload", fill)

    def take_url(self, user: str, url: str, revision: str | None) -> Source:
        """A project from a repository elsewhere.

        Raises:
            RefusedSourceError: when the server may not clone from there, or cannot.
        """
        if not any(_begins(url, prefix) for prefix in self._settings.allowed_urls):
            raise RefusedSourceError("the URL is not on the list of those that may be cloned")
        schemes = ("https", "http") if self._settings.allow_private_addresses else ("https",)
        place = resolve(url, schemes=schemes, allow_private=self._settings.allow_private_addresses)

        def fill(target: Path, bounds: Bounds) -> str:
            return clone(place, revision, target, bounds, self._settings.clone_timeout_s)

        return self._take(user, "url", url, fill)

    def take_path(self, user: str, text: str) -> Source:
        """A project in a folder of this machine, copied.

        Raises:
            RefusedSourceError: when the folder is not below one of those allowed.
        """
        path = self._allowed_folder(text)

        def fill(target: Path, bounds: Bounds) -> None:
            count_tree(path, bounds)
            copy_subject(path, target)

        return self._take(user, "path", str(path), fill)

    def _allowed_folder(self, text: str) -> Path:
        try:
            path = Path(text).resolve()
            is_folder = path.is_dir()
        except (OSError, ValueError, RuntimeError):
            is_folder = False
        allowed = is_folder and any(
            path.is_relative_to(top) for top in self._settings.allowed_paths
        )
        if not allowed:  # one answer for all, so that nobody learns what there is
            raise RefusedSourceError("the path is no folder that may be named")
        return path

    def take_patch(self, user: str, base: Source, diff: bytes) -> Source:
        """A project like another, with a patch applied.

        Raises:
            BadInputError: when the patch cannot be read or does not fit.
        """

        def fill(target: Path, bounds: Bounds) -> str | None:
            shutil.copytree(base.folder, target, symlinks=True)
            _apply(diff, target)
            return base.commit

        return self._take(user, "patch", base.id, fill)

    def remove(self, source: Source) -> None:
        """Forget a project.

        Raises:
            BadInputError: when a run is about it.
        """
        if self._sources.is_needed(source):
            raise BadInputError(f"a run is about {source.id}: it cannot be removed")
        self._sources.remove(source.id)
        shutil.rmtree(self._folder / source.id, ignore_errors=True)

    def _take(self, user: str, kind: str, origin: str, fill: Fill) -> Source:
        if not self._places.acquire(blocking=False):
            raise BusyError("other projects are being taken in: ask again in a moment")
        try:
            self._make_room(user)
            return self._fill(user, kind, origin, fill)
        finally:
            self._places.release()

    def _fill(self, user: str, kind: str, origin: str, fill: Fill) -> Source:
        identity = f"src-{secrets.token_hex(8)}"
        root = self._folder / identity
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        bounds = Bounds(self._settings.max_files, self._settings.max_unpacked_bytes)
        try:
            commit = fill(root, bounds)
            remove_environments(root)
            source = Source(
                id=identity,
                user=user,
                kind=kind,
                origin=origin,
                folder=str(root if kind == "patch" else single_folder(root)),
                commit=commit,
                files=bounds.files,
                size=bounds.size,
                created_at=datetime.now(UTC),
            )
            self._sources.add(source)
        except BaseException:
            shutil.rmtree(root, ignore_errors=True)
            raise
        return source

    def _make_room(self, user: str) -> None:
        """Forget the user's oldest projects that no run needs, when there are too many."""
        kept = self._sources.of(user)
        for source in reversed(kept):
            if len(kept) < self._settings.max_sources:
                return
            if not self._sources.is_needed(source):
                self.remove(source)
                kept = self._sources.of(user)
        if len(kept) >= self._settings.max_sources:
            raise RefusedSourceError(
                f"there are {len(kept)} projects of yours already, and runs are about all of them"
            )


def _begins(url: str, prefix: str) -> bool:
    """Whether a URL begins so, up to a full part: `…/team` does not allow `…/team-of-others`."""
    if ".." in url or "%" in url:
        return False
    return url == prefix or url.startswith(prefix if prefix.endswith("/") else f"{prefix}/")


def _apply(diff: bytes, root: Path) -> None:
    tree = SourceTree(root)
    patch = patch_from_diff(parse_diff(diff), tree)
    for path, text in patch.apply(tree).items():
        target = safe_path(root, path)
        if text is None:
            target.unlink()
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(encode(text))
