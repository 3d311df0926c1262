"""The subject's files as they are now: where a page takes the lines around a change from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from apr.core.bug import Bug
from apr.core.errors import PatchDoesNotApplyError
from apr.core.patch import Patch, render_diff
from validation.workspace import SourceTree
from web.pages.diff_view import FileDiff, bare_view, diff_view

LARGEST = 2_000_000
"""Bytes of a file that is shown."""


def read_sources(bug: Bug, paths: tuple[str, ...]) -> dict[str, str]:
    """The texts of those files that are there and can be read; links are not followed."""
    root = Path(bug.subject)
    if not root.is_dir():
        return {}
    tree = SourceTree(root)
    found = {path: tree.get(path) for path in paths if _is_small(root / path)}
    return {path: text for path, text in found.items() if text is not None}


def _is_small(path: Path) -> bool:
    try:
        return path.stat(follow_symlinks=False).st_size <= LARGEST
    except (OSError, ValueError):
        return False


def show_patch(patch: Patch, sources: Mapping[str, str]) -> tuple[FileDiff, ...]:
    """The changes with the lines around them, where `sources` still has what they change."""
    try:
        return diff_view(render_diff(patch, sources))
    except PatchDoesNotApplyError:
        return bare_view(patch)
