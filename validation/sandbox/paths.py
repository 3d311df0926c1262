"""Which host path appears where in a sandbox, and in which order."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from apr.core.errors import EnvironmentUnusableError

LINKS_MAX = 40  # as the kernel's own limit on symbolic links in one path


@dataclass(frozen=True, slots=True)
class Layout:
    """Read-only paths to show before the workspace, and those to lay over it afterwards."""

    before: tuple[str, ...]
    over: tuple[str, ...]


def plan_layout(readable: Iterable[str], mount_at: str) -> Layout:
    """Order the readable paths around the workspace's mount point, parents first.

    The workspace hides whatever readable path is the same place; a readable path inside that
    place (a virtual environment in the subject's folder) stays visible on top of it.
    """
    point = PurePosixPath(mount_at)
    ordered = sorted({PurePosixPath(path) for path in readable} - {point})
    over = [str(path) for path in ordered if path.is_relative_to(point)]
    before = [str(path) for path in ordered if not path.is_relative_to(point)]
    return Layout(tuple(without_nested(before)), tuple(without_nested(over)))


def with_targets(paths: Iterable[str]) -> Iterator[str]:
    """Each path, then every step of the symbolic links from it to what it means in the end."""
    for path in paths:
        yield from link_chain(path)
        yield str(Path(path).resolve())


def link_chain(start: str) -> list[str]:
    """The absolute paths from `start` along its own symbolic links, `start` first."""
    path = Path(start).absolute()
    chain = [str(path)]
    while path.is_symlink() and len(chain) < LINKS_MAX:
        path = Path(os.path.normpath(path.parent / path.readlink()))
        chain.append(str(path))
    return chain


def outside(paths: Iterable[str], folders: Iterable[str]) -> list[str]:
    """The `paths` that are neither one of `folders` nor below one."""
    excluded = tuple(folders)
    return [p for p in paths if not any(PurePosixPath(p).is_relative_to(f) for f in excluded)]


def without_nested(paths: Iterable[str]) -> list[str]:
    """`paths` without those that lie below another of them, sorted."""
    kept: list[PurePosixPath] = []
    for path in sorted({PurePosixPath(path) for path in paths}):
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return [str(path) for path in kept]


def make_mount_points(workspace: str, mount_at: str, over: Iterable[str]) -> None:
    """Create the empty folders or files of `workspace` that the paths `over` it are mounted on."""
    for path in over:
        point = Path(workspace) / PurePosixPath(path).relative_to(mount_at)
        with contextlib.suppress(FileExistsError):
            if Path(path).is_dir():
                point.mkdir(parents=True)
            else:
                point.parent.mkdir(parents=True, exist_ok=True)
                point.touch(exist_ok=False)


def check_workspace(workspace: str) -> None:
    """Raises EnvironmentUnusableError when `workspace` is no absolute path of a folder."""
    if not (Path(workspace).is_absolute() and Path(workspace).is_dir()):
        raise EnvironmentUnusableError(f"the workspace {workspace!r} is no absolute folder path")
