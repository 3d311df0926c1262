"""Patches as ordered hunks against one base: applying, comparing, rendering and parsing them.

Text is held as `str` with line ends kept; bytes that are no UTF-8 travel as surrogate escapes,
so that applying a patch never changes a byte it does not name.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from apr.core.diff.names import quote_name
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
    """An ordered tuple of hunks against one base; the empty patch is the base itself.

    `created` are files that the base lacks: their hunks fill them, and an empty one has none.
    `deleted` are files that go: their hunks remove every line. A renamed file is both.
    """

    hunks: tuple[Hunk, ...] = ()
    created: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The files touched, each once, in order."""
        edited = (hunk.path for hunk in self.hunks)
        return tuple(dict.fromkeys((*edited, *self.created, *self.deleted)))

    def only(self, path: str) -> Patch:
        """What the patch does to one file."""
        return Patch(
            tuple(hunk for hunk in self.hunks if hunk.path == path),
            tuple(each for each in self.created if each == path),
            tuple(each for each in self.deleted if each == path),
        )

    def moved(self, path: str, line: int) -> int:
        """Where the patch leaves a 1-based line of the base; one that it changes, about there."""
        before = [h for h in self.hunks if h.path == path and h.first + len(h.old) <= line]
        return line + sum(len(hunk.new) - len(hunk.old) for hunk in before)

    @property
    def digest(self) -> str:
        """SHA-256 of the hunks: equal patches of one base have equal digests."""
        sha = hashlib.sha256()
        for hunk in self.hunks:
            for part in (hunk.path, str(hunk.first), "".join(hunk.old), "".join(hunk.new)):
                data = part.encode("utf-8", "surrogateescape")
                sha.update(b"%d:" % len(data) + data)
        # Nothing is added for patches that only edit, whose digests are stored already.
        for sign, paths in ((b"+", self.created), (b"-", self.deleted)):
            for path in sorted(paths):
                data = path.encode("utf-8", "surrogateescape")
                sha.update(sign + b"%d:" % len(data) + data)
        return sha.hexdigest()

    def apply(self, base: Mapping[str, str]) -> dict[str, str | None]:
        """The patched texts of the touched files only; None: the file is gone.

        Raises:
            PatchDoesNotApplyError: when a file is absent, or there already, or its lines differ
                from a hunk's `old`.
        """
        return {path: self._apply_file(path, base) for path in self.paths}

    def apply_edits(self, base: Mapping[str, str]) -> dict[str, str]:
        """The patched texts of the touched files that are there afterwards; see `apply`."""
        return {path: text for path, text in self.apply(base).items() if text is not None}

    def _apply_file(self, path: str, base: Mapping[str, str]) -> str | None:
        if path in self.created:
            if path in base:
                raise PatchDoesNotApplyError(f"the patch creates {path}, which exists already")
            return self._apply_hunks(path, "")
        if path not in base:
            raise PatchDoesNotApplyError(f"the patch touches {path}, which the subject lacks")
        text = self._apply_hunks(path, base[path])
        if path not in self.deleted:
            return text
        if text:
            raise PatchDoesNotApplyError(f"the patch deletes {path}, but not all of its lines")
        return None

    def _apply_hunks(self, path: str, text: str) -> str:
        lines = split_lines(text)
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


def diff_texts(base: Mapping[str, str], changed: Mapping[str, str | None]) -> Patch:
    """The smallest line-based patch that turns `base` into `base` overlaid with `changed`.

    What `base` lacks is created, and what is None in `changed` is deleted.
    """
    hunks: list[Hunk] = []
    for path in sorted(changed):
        old, new = base.get(path) or "", changed[path] or ""
        if old != new:
            hunks.extend(_diff_file(path, split_lines(old), split_lines(new)))
    return Patch(
        tuple(hunks),
        tuple(path for path in sorted(changed) if path not in base and changed[path] is not None),
        tuple(path for path in sorted(changed) if path in base and changed[path] is None),
    )


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
    return "".join(
        _render_file(path, base.get(path) if path not in patch.created else None, text, context)
        for path, text in changed.items()
    )


def _render_file(path: str, old: str | None, new: str | None, context: int) -> str:
    """The part about one file; None stands for a file that is not there."""
    if old == new:
        return ""
    names = [quote_name(side + path) for side in ("a/", "b/")]
    parts = [f"diff --git {names[0]} {names[1]}\n"]
    if old is None:
        parts.append("new file mode 100644\n")
    elif new is None:
        parts.append("deleted file mode 100644\n")
    # A tab tells where a name with spaces ends.
    names = [f"{name}\t" if " " in path and not name.startswith('"') else name for name in names]
    lines = difflib.unified_diff(
        split_lines(old or ""),
        split_lines(new or ""),
        "/dev/null" if old is None else names[0],
        "/dev/null" if new is None else names[1],
        n=context,
        lineterm="\n",
    )
    for line in lines:
        parts.append(line if line.endswith("\n") else f"{line}\n{NO_NEWLINE}\n")
    return "".join(parts)
