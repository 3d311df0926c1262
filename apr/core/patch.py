"""Patches as ordered hunks against one base: applying, comparing, rendering and parsing them.

Text is held as `str` with line ends kept; bytes that are no UTF-8 travel as surrogate escapes,
so that applying a patch never changes a byte it does not name.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from apr.core.errors import PatchDoesNotApplyError

NO_NEWLINE = "\\ No newline at end of file"


@dataclass(frozen=True, slots=True, order=True)
class Hunk:
    """A contiguous edit: `old` lines from 1-based line `first` of `path` become `new` lines.

    With `old` empty, `new` is inserted before line `first`. Lines keep their line ends; only the
    last line of a file may lack one.
    """

    path: str
    first: int
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Patch:
    """An ordered tuple of hunks against one base; the empty patch is the base itself."""

    hunks: tuple[Hunk, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The files touched, each once, in order."""
        return tuple(dict.fromkeys(hunk.path for hunk in self.hunks))

    @property
    def digest(self) -> str:
        """SHA-256 of the hunks: equal patches of one base have equal digests."""
        sha = hashlib.sha256()
        for hunk in self.hunks:
            for part in (hunk.path, str(hunk.first), "".join(hunk.old), "".join(hunk.new)):
                data = part.encode("utf-8", "surrogateescape")
                sha.update(b"%d:" % len(data) + data)
        return sha.hexdigest()

    def apply(self, base: Mapping[str, str]) -> dict[str, str]:
        """The patched texts of the touched files only.

        Raises:
            PatchDoesNotApplyError: when a file is absent or its lines differ from a hunk's `old`.
        """
        return {path: self._apply_file(path, base) for path in self.paths}

    def _apply_file(self, path: str, base: Mapping[str, str]) -> str:
        if path not in base:
            raise PatchDoesNotApplyError(f"the patch touches {path}, which the subject lacks")
        lines = split_lines(base[path])
        for hunk in sorted((h for h in self.hunks if h.path == path), reverse=True):
            start = hunk.first - 1
            if tuple(lines[start : start + len(hunk.old)]) != hunk.old or start > len(lines):
                raise PatchDoesNotApplyError(f"the hunk at {path}:{hunk.first} does not match")
            lines[start : start + len(hunk.old)] = hunk.new
        return "".join(lines)


def split_lines(text: str) -> list[str]:
    """Split at LF only, keeping it: form feeds and lone CRs are ordinary characters, as in git."""
    lines = text.split("\n")
    ended = [line + "\n" for line in lines[:-1]]
    return [*ended, lines[-1]] if lines[-1] else ended


def diff_texts(base: Mapping[str, str], changed: Mapping[str, str]) -> Patch:
    """The smallest line-based patch that turns `base` into `base` overlaid with `changed`."""
    hunks: list[Hunk] = []
    for path in sorted(changed):
        if base[path] != changed[path]:
            hunks.extend(_diff_file(path, split_lines(base[path]), split_lines(changed[path])))
    return Patch(tuple(hunks))


def _diff_file(path: str, old: list[str], new: list[str]) -> Iterable[Hunk]:
    start, end = _common_affixes(old, new)
    matcher = difflib.SequenceMatcher(
        None, old[start : len(old) - end], new[start : len(new) - end], autojunk=False
    )
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            yield Hunk(
                path,
                start + i1 + 1,
                tuple(old[start + i1 : start + i2]),
                tuple(new[start + j1 : start + j2]),
            )


def _common_affixes(old: list[str], new: list[str]) -> tuple[int, int]:
    shorter = min(len(old), len(new))
    start = 0
    while start < shorter and old[start] == new[start]:
        start += 1
    end = 0
    while end < shorter - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return start, end


def render_diff(patch: Patch, base: Mapping[str, str], context: int = 3) -> str:
    """A unified diff with `a/` and `b/` prefixes that `git apply` accepts at the base."""
    changed = patch.apply(base)
    parts: list[str] = []
    for path in patch.paths:
        old, new = split_lines(base[path]), split_lines(changed[path])
        lines = list(
            difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", n=context, lineterm="\n")
        )
        if lines:
            parts.append(f"diff --git a/{path} b/{path}\n")
            for line in lines:
                parts.append(line if line.endswith("\n") else f"{line}\n{NO_NEWLINE}\n")
    return "".join(parts)
