"""Which paths git refuses to write, whatever is asked of it."""

from __future__ import annotations

import re

from apr.core.diff.model import is_symlink

MAX_NAME, MAX_PATH = 255, 4095
"""Bytes that Linux takes in one name, and in a whole path."""

# Windows drops dots and spaces at the end of a name and knows git~1; git protects it everywhere.
_DOT_GIT = re.compile(r"(?:^|[/\\])(?:\.git|git~1)[. ]*(?:\Z|[/\\:])", re.IGNORECASE | re.ASCII)
_DOT_GITMODULES = re.compile(
    r"(?:^|[/\\])(?:\.gitmodules(?:/|[. ]*(?:\Z|:))|"
    r"(?:gitmod~[1-4]|"
    + "|".join(f"{'gi7eba'[:n]}~[1-9][0-9]{{{6 - n}}}" for n in range(7))
    + r")[. ]*(?:\Z|:))",
    re.IGNORECASE | re.ASCII,
)


def is_safe_path(path: str, mode: int) -> bool:
    """Whether the path stays inside the tree and away from the repository's own files."""
    if is_too_long(path):
        return False
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or _DOT_GIT.search(path):
        return False
    return not (is_symlink(mode) and _DOT_GITMODULES.search(path))


def is_too_long(path: str) -> bool:
    """Whether no file can have this path on Linux."""
    if len(path) * 4 <= MAX_NAME:
        return False
    data = path.encode("utf-8", "surrogateescape")
    return len(data) > MAX_PATH or any(len(part) > MAX_NAME for part in data.split(b"/"))
