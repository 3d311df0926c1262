"""Reads a model's answer: search-replace blocks, a unified diff, or the whole new function.

Models copy carelessly. What is only slightly off is understood; what is not becomes an
AnswerError whose message can be told back to the model.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from apr.generation.prompt.function import splice_function, syntax_complaint
from apr.generation.prompt.matching import Match, find_lines

_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,})[ \t]*(?P<label>[^\n`]*)$")
_SEARCH = re.compile(r"^<{5,9}\s*SEARCH\b.*$", re.IGNORECASE)
_DIVIDER = re.compile(r"^={5,9}\s*$")
_REPLACE = re.compile(r"^>{5,9}\s*REPLACE\b.*$", re.IGNORECASE)
_HUNK = re.compile(r"^@@(?: -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@)?")


class AnswerError(ValueError):
    """An answer that holds no change that could be applied; says why, in words for the model.

    `kind` says it in two or three words that are the same for every code, to be counted.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Focus:
    """The function that the question was about: lines `first`..`last` (1-based) of `path`.

    `name` is its last component, empty when the place is no function.
    """

    path: str
    first: int
    last: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """Some lines of a file that are to be others; `at` is the 0-based line they are said to be at.

    Of places that look alike, those inside the 0-based lines `inside` are meant.
    """

    path: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    inside: range
    at: int | None = None


def read_answer(
    text: str, sources: Mapping[str, str], focus: Focus, *, is_cut: bool = False
) -> dict[str, str]:
    """The new texts of the files that the answer changes, at least one of them different.

    `sources` are the texts as the model saw them. `is_cut` says that the answer was longer than
    it could be, so that its end is missing.

    Raises:
        AnswerError: when there is no change, it fits nowhere, or the outcome would not compile.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    if is_cut:  # what is in a block that was not closed may lack anything
        lines = _without_open_block(lines)
    edits = list(_search_replace(lines, sources, focus)) or list(_diff(lines, sources, focus))
    changed = _apply(edits, sources) if edits else _whole_function(lines, sources, focus)
    return checked(changed, sources)


def checked(changed: Mapping[str, str], sources: Mapping[str, str]) -> dict[str, str]:
    """Those of the new texts that differ from the old ones.

    Raises:
        AnswerError: when there are none, or one of them would not compile.
    """
    changed = {path: new for path, new in changed.items() if new != sources[path]}
    if not changed:
        raise AnswerError(
            "no change", "it changes nothing: the present code, which has the bug, is repeated"
        )
    for path, new in changed.items():
        complaint = syntax_complaint(path, new, sources[path])
        if complaint:
            raise AnswerError("does not compile", complaint)
    return changed


def _without_open_block(lines: Sequence[str]) -> list[str]:
    """The lines before the code block that is never closed.

    Raises:
        AnswerError: when there is no code block before it.
    """
    fences = [number for number, line in enumerate(lines) if _FENCE.match(line.strip())]
    is_open = len(fences) % 2 == 1
    if len(fences) < 2 + is_open:
        raise AnswerError("cut off", "it is too long and breaks off: write only the code")
    return list(lines[: fences[-1]] if is_open else lines)


def _search_replace(
    lines: Sequence[str], sources: Mapping[str, str], focus: Focus
) -> Iterator[Edit]:
    """Blocks of SEARCH, a divider and REPLACE; the line before one may name its file."""
    start = middle = None
    path = focus.path
    for number, line in enumerate(lines):
        if _SEARCH.match(line):
            start, middle = number, None
            path = _named_before(lines, number, sources) or path
        elif start is not None and middle is None and _DIVIDER.match(line):
            middle = number
        elif start is not None and middle is not None and _REPLACE.match(line):
            old, new = _trimmed(lines[start + 1 : middle], lines[middle + 1 : number])
            yield Edit(path, old, new, _lines_of(focus, path))
            start = middle = None
    if start is not None:
        raise AnswerError(
            "block not closed", "a SEARCH block is not closed by ======= and >>>>>>> REPLACE"
        )


def _lines_of(focus: Focus, path: str) -> range:
    return range(focus.first - 1, focus.last) if path == focus.path else range(0)


def _named_before(lines: Sequence[str], number: int, sources: Mapping[str, str]) -> str | None:
    for line in reversed(lines[max(0, number - 3) : number]):
        found = _path_of(line.strip().strip("`*#: "), sources)
        if found is not None:
            return found
    return None


def _path_of(name: str, sources: Mapping[str, str]) -> str | None:
    """The source that `name` means: its path, or the only one that ends so."""
    name = name.removeprefix("./")
    if name in sources:
        return name
    ending = [path for path in sources if name and path.endswith(f"/{name}")]
    return ending[0] if len(ending) == 1 else None


def _trimmed(old: Sequence[str], new: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Without the blank lines at both ends of `old`, which models add at will, often to both."""
    ours, theirs = list(old), list(new)
    for end in (0, -1):
        while ours and not ours[end].strip():
            del ours[end]
            if theirs and not theirs[end].strip():
                del theirs[end]
    return tuple(ours), tuple(theirs)


def _diff(lines: Sequence[str], sources: Mapping[str, str], focus: Focus) -> Iterator[Edit]:
    """Hunks of a unified diff, whose line numbers and counts are only hints."""
    path, at = focus.path, None
    body: list[str] | None = None
    for line in [*lines, "```"]:
        header = _HUNK.match(line)
        ends = header or _FENCE.match(line) or line.startswith(("--- ", "+++ ", "diff --git "))
        if body is not None and ends:
            yield _hunk(path, _lines_of(focus, path), at, body)
            body = None
        if header:
            at, body = (int(header[1]) - 1 if header[1] else None), []
        elif line.startswith("+++ "):
            name = line[4:].split("\t")[0].strip()
            path = _path_of(name.removeprefix("b/"), sources) or _path_of(name, sources) or path
        elif body is not None:
            body.append(line)


def _hunk(path: str, inside: range, at: int | None, body: Sequence[str]) -> Edit:
    while body and not body[-1].strip():
        body = body[:-1]
    # Context that lost its leading blank begins with the code itself.
    old = [line[1:] if line[:1] in "- " else line for line in body if line[:1] not in ("+", "\\")]
    new = [line[1:] if line[:1] in "+ " else line for line in body if line[:1] not in ("-", "\\")]
    return Edit(path, tuple(old), tuple(new), inside, at)


def _apply(edits: Sequence[Edit], sources: Mapping[str, str]) -> dict[str, str]:
    """The changed texts; every edit is about the text as the model saw it."""
    by_path: dict[str, list[Edit]] = {}
    for edit in dict.fromkeys(edits):  # some say everything twice
        by_path.setdefault(edit.path, []).append(edit)
    missing = by_path.keys() - sources.keys()
    if missing:
        raise AnswerError("no such file", f"there is no file {min(missing)} that may be changed")
    return {path: _replaced(sources[path], path_edits) for path, path_edits in by_path.items()}


def _replaced(text: str, edits: Sequence[Edit]) -> str:
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.replace("\r\n", "\n").split("\n")
    placed = sorted(((_match(lines, edit), edit) for edit in edits), key=lambda pair: pair[0].start)
    for (before, _), (after, edit) in itertools.pairwise(placed):
        if before.start + before.count > after.start:
            raise AnswerError(
                "edits overlap", f"two of the changes of {edit.path} are about the same lines"
            )
    for match, edit in reversed(placed):
        lines[match.start : match.start + match.count] = _rewritten(lines, match, edit)
    return ending.join(lines)


def _rewritten(lines: Sequence[str], match: Match, edit: Edit) -> list[str]:
    """The new lines; those that the edit leaves as they were stay as they are in the file.

    What a model has copied wrongly on both sides of its edit is thus no change.
    """
    written: list[str] = []
    old, new = ([line.rstrip() for line in side] for side in (edit.old, edit.new))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, first, last, new_first, new_last in matcher.get_opcodes():
        if tag == "equal":
            written.extend(lines[match.start + first : match.start + last])
        else:
            written.extend(match.adjust(edit.new[new_first:new_last]))
    return written


def _match(lines: Sequence[str], edit: Edit) -> Match:
    """The one place that the edit means.

    Raises:
        AnswerError: when there is none, or nobody can know which of several.
    """
    matches = find_lines(lines, edit.old, edit.inside)
    if len(matches) > 1:
        matches = [match for match in matches if match.start == edit.at] or matches
    if len(matches) == 1:
        return matches[0]
    sample = next((line.strip() for line in edit.old if line.strip()), None)
    if sample is None:
        raise AnswerError("fits nowhere", "the answer does not say which lines it replaces")
    if matches:
        raise AnswerError(
            "fits twice",
            f"the lines to be replaced, beginning {sample!r}, occur {len(matches)} times in "
            f"{edit.path}: show more of the lines around them",
        )
    raise AnswerError(
        "fits nowhere",
        f"the lines to be replaced, beginning {sample!r}, do not occur in {edit.path}",
    )


def _whole_function(
    lines: Sequence[str], sources: Mapping[str, str], focus: Focus
) -> dict[str, str]:
    """The last fenced block that holds the function (or, without fences, all of the answer)."""
    if focus.path not in sources:
        raise AnswerError("no such file", f"there is no file {focus.path} that may be changed")
    blocks = list(fenced_blocks(lines)) or ["\n".join(lines)]
    for block in reversed(blocks):
        text = splice_function(block, sources[focus.path], focus.path, focus.first, focus.last)
        if text is not None:
            return {focus.path: text}
    wanted = f"the whole function {focus.name}" if focus.name else "the changed code"
    raise AnswerError("no code", f"the answer holds no code block with {wanted}")


def fenced_blocks(lines: Sequence[str]) -> Iterator[str]:
    """The contents of the Markdown code blocks; one that is never closed reaches to the end."""
    fence = ""
    body: list[str] = []
    for line in lines:
        match = _FENCE.match(line.strip())
        if not fence and match:
            fence, body = match["fence"], []
        elif fence and match and match["fence"].startswith(fence) and not match["label"]:
            yield "\n".join(body)
            fence = ""
        elif fence:
            body.append(line)
    if fence and body:
        yield "\n".join(body)
