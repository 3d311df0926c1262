"""A hunk in a chat: marked in the code that is shown, and answered with the lines for it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from os.path import commonprefix

from apr.core.location import SuspiciousLocation
from apr.core.patch import Patch
from apr.generation.prompt.answer import Focus, fenced_blocks
from apr.generation.prompt.function import PYTHON
from apr.generation.prompt.matching import indent_of

FROM, TO = "the faulty lines begin here", "the faulty lines end here"


def choose_hunk(
    locations: Sequence[SuspiciousLocation], patch: Patch, focus: Focus, turn: int
) -> range | None:
    """Whose turn (from 0) it is of the suspects inside the focus, in lines of the patched text."""
    inside = [
        range(patch.moved(focus.path, place.first), patch.moved(focus.path, place.last) + 1)
        for place in (suspect.location for suspect in locations)
        if place.path == focus.path
    ]
    fitting = [hunk for hunk in inside if focus.first <= hunk[0] and hunk[-1] <= focus.last]
    return fitting[turn % len(fitting)] if fitting else None


def mark_hunk(code: Sequence[str], first: int, hunk: range, path: str) -> list[str]:
    """The lines `code`, of which the first has the 1-based number `first`, with two marks."""
    sign = "#" if path.endswith(PYTHON) else "//"
    start, end = hunk[0] - first, hunk[-1] - first + 1
    marks = [f"{sign} {text}\n" for text in (FROM, TO)]
    return [*code[:start], marks[0], *code[start:end], marks[1], *code[end:]]


def read_hunk(answer: str, text: str, focus: Focus, hunk: range) -> str | None:
    """The text with the answer's last code block in the place of the hunk.

    None when there is no block, or one with more than the hunk: the whole function, or a diff.
    """
    blocks = list(fenced_blocks(answer.replace("\r\n", "\n").split("\n")))
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.replace("\r\n", "\n").split("\n")
    if not blocks or _is_more(blocks[-1], lines[focus.first - 1], focus, hunk):
        return None
    written = [line for line in blocks[-1].split("\n") if not line.endswith((FROM, TO))]
    old = lines[hunk[0] - 1 : hunk[-1]]
    margin = commonprefix([indent_of(line) for line in old if line.strip()])  # noqa: RUF071
    body = textwrap.dedent("\n".join(written)).strip("\n")
    new = [margin + line if line.strip() else line for line in body.split("\n")] if body else []
    return ending.join([*lines[: hunk[0] - 1], *new, *lines[hunk[-1] :]])


def _is_more(block: str, head: str, focus: Focus, hunk: range) -> bool:
    written = [line.strip() for line in block.split("\n")]
    has_head = bool(focus.name) and focus.first not in hunk and head.strip() in written
    return has_head or any(line.startswith(("@@", "<<<<<<<", "--- ")) for line in written)
