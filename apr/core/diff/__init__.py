"""Unified diffs read and applied in memory exactly as `git apply` does; see docs/adr/0008."""

from apr.core.diff.apply import apply_changes
from apr.core.diff.model import BinaryDelta, DiffHunk, FileChange, FileEntry
from apr.core.diff.parse import parse_diff

__all__ = [
    "BinaryDelta",
    "DiffHunk",
    "FileChange",
    "FileEntry",
    "apply_changes",
    "parse_diff",
]
