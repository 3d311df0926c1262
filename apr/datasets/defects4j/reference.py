"""The developer's patch of a bug, which the framework keeps the other way round."""

from __future__ import annotations

import re
from itertools import chain

_HUNK = re.compile(r"@@ -(\S+) \+(\S+) @@(.*)")
_SWAPPED = {"-": "+", "+": "-"}


def reverse_diff(text: str) -> str:
    """The unified diff that undoes this one."""
    reversed_lines: list[str] = []
    removed: list[str] = []
    added: list[str] = []
    names: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(("index ", "diff ")):
            reversed_lines += chain(removed, added)
            removed, added = [], []
            if line.startswith("diff "):
                reversed_lines.append(line)
        elif line.startswith("--- "):
            names = [line.replace("--- a/", "+++ b/", 1)]
        elif line.startswith("+++ "):
            reversed_lines += [line.replace("+++ b/", "--- a/", 1), *names]
        elif line[0] in _SWAPPED:
            (removed if line[0] == "+" else added).append(_SWAPPED[line[0]] + line[1:])
        elif line.startswith("\\"):
            (added or removed or reversed_lines).append(line)
        else:
            reversed_lines += chain(removed, added)
            removed, added = [], []
            reversed_lines.append(_HUNK.sub(r"@@ -\2 +\1 @@\3", line))
    return "".join(chain(reversed_lines, removed, added))
