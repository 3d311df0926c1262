"""What a failure says about the code: the line it happened on, and its words made short."""

from __future__ import annotations

import re
from collections.abc import Mapping

from apr.core.patch import split_lines
from apr.core.report import TestResult

MAX_MESSAGE_LINES = 25
MAX_LINE = 400
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
_LIMIT = re.compile(r"the test ran longer than [\d.]+ s")
_CUT_ADDRESS = re.compile(r"\.\.\.[0-9a-f]{4,}>")
_PLACE = re.compile(
    r"\((?P<file>[^()\s,]+), line (?P<line>\d+)\)|(?P<path>[\w./-]+\.\w+):(?P<at>\d+)"
)
AROUND = 2  # lines shown before the one of a syntax error


def failing_line(result: TestResult, sources: Mapping[str, str]) -> str:
    """A sentence about the innermost line of the sources that the failure came through."""
    for frame in reversed(result.frames):
        lines = split_lines(sources.get(frame.path, ""))
        if 0 < frame.line <= len(lines):
            code = lines[frame.line - 1].strip()
            return f"It happens in `{frame.function}`, on the line `{code}`"
    return ""


def build_error_place(message: str, sources: Mapping[str, str]) -> str:
    """The lines up to the one that a compiler complains about; empty when it names none of ours."""
    for match in _PLACE.finditer(message):
        name = match["file"] or match["path"]
        number = int(match["line"] or match["at"])
        paths = [p for p in sources if p == name or p.endswith(f"/{name}")]
        lines = split_lines(sources[paths[0]]) if len(paths) == 1 else []
        if 0 < number <= len(lines):
            shown = lines[max(0, number - 1 - AROUND) : number]
            return "".join(shown).rstrip() + "    <-- here"
    return ""


def shorten(message: str) -> str:
    """The beginning and the end of a long message, the same in every run.

    Addresses and time limits differ from one run to the next, and would make equal questions
    different.
    """
    text = _CUT_ADDRESS.sub("...>", _ADDRESS.sub("0x...", message.strip()))
    text = _LIMIT.sub("the test does not come to an end", text)
    lines = text.split("\n")
    if len(lines) > MAX_MESSAGE_LINES:
        half = MAX_MESSAGE_LINES // 2
        lines = [*lines[:half], "[...]", *lines[-half:]]
    return "\n".join(line[:MAX_LINE] for line in lines)
