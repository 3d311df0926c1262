"""The function around a line, quickly and in any version of a language."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from apr.source.functions import Function, find_functions

_DEF = re.compile(r"([ \t]*)(?:async[ \t]+)?def[ \t]+(\w+)")
_SUFFIX = {"java": "x.java", "javascript": "x.js", "c": "x.c"}


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions of one file, an outer one before the ones inside."""

    found: tuple[Function, ...]

    def around(self, first: int, last: int) -> Function | None:
        """The innermost function that has these 1-based lines after its first one."""
        holding = [f for f in self.found if f.first < first and last <= f.last]
        return min(holding, key=lambda f: f.last - f.first, default=None)


def functions_of(language: str, lines: Sequence[str]) -> Functions:
    """All functions; Python is read by its indentation, since old code may not parse."""
    if language == "python":
        return Functions(tuple(_by_indentation(lines)))
    return Functions(find_functions(_SUFFIX[language], "\n".join(lines)))


def _by_indentation(lines: Sequence[str]) -> list[Function]:
    found: list[Function] = []
    is_open: list[tuple[int, str, int]] = []  # indentation, name, first line
    last_code = 0
    for number, line in enumerate([*lines, "end"], 1):
        text = line.strip()
        if not text or text.startswith(("#", ")", "]", "}", '"""', "'''")):
            continue
        indentation = len(line) - len(line.lstrip())
        while is_open and indentation <= is_open[-1][0]:
            _, name, first = is_open.pop()
            found.append(Function(name, first, last_code))
        definition = _DEF.match(line)
        if definition:
            is_open.append((indentation, definition[2], number))
        last_code = number
    return sorted(found, key=lambda f: f.first)
