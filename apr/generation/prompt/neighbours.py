"""The code around a function: what it calls, what calls it, and lines that resemble it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from apr.core.patch import split_lines
from apr.generation.prompt.answer import Focus
from apr.generation.retrieval import LineIndex, Place, index_lines
from apr.source.functions import Function
from apr.source.statements import index_source

MAX_FILE = 400_000  # characters; larger files are data or generated
MAX_LINES = 25  # of a function that is shown whole
_CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A function of `path` whose text is `code`, cut where it is long."""

    path: str
    name: str
    code: str


class Project:
    """The functions and lines of a project's sources, indexed when they are first asked for."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = {path: text for path, text in sources.items() if len(text) <= MAX_FILE}

    @cached_property
    def _functions(self) -> Mapping[str, list[tuple[str, Function]]]:
        """The functions by the last part of their names."""
        found: defaultdict[str, list[tuple[str, Function]]] = defaultdict(list)
        for path, text in self._sources.items():
            for function in index_source(path, text).functions:
                found[_last_name(function.name)].append((path, function))
        return found

    @cached_property
    def _lines(self) -> LineIndex:
        return index_lines(self._sources)

    @cached_property
    def _calls(self) -> Mapping[str, list[Place]]:
        """The lines that call a function of some name."""
        found: defaultdict[str, list[Place]] = defaultdict(list)
        for path, text in self._sources.items():
            for number, line in enumerate(split_lines(text), 1):
                for name in dict.fromkeys(_CALLED.findall(line)):
                    if name in self._functions:
                        found[name].append(Place(path, number, line.strip()))
        return found

    def callees(self, focus: Focus, code: str, most: int) -> list[Neighbour]:
        """The project's functions that `code` calls, in the order of the calls.

        A name that several functions have stands for those of the same file, or else for none.
        """
        found: list[Neighbour] = []
        for name in dict.fromkeys(_CALLED.findall(code)):
            known = [f for f in self._functions.get(name, ()) if not _is_focus(*f, focus)]
            here = [f for f in known if f[0] == focus.path]
            for path, function in here or (known if len(known) == 1 else []):
                found.append(self._show(path, function))
        return found[:most]

    def callers(self, focus: Focus, most: int) -> list[Neighbour]:
        """The functions that call the focused one; those of other files first, as news."""
        if not focus.name:
            return []
        around: dict[tuple[str, str], Neighbour] = {}
        for place in self._calls.get(focus.name, ()):
            is_own = place.path == focus.path and focus.first <= place.line <= focus.last
            text = self._sources[place.path]
            function = None if is_own else index_source(place.path, text).function_at(place.line)
            if function is not None and function.first != place.line:
                neighbour = self._show(place.path, function, place.line)
                around.setdefault((place.path, function.name), neighbour)
        return sorted(around.values(), key=lambda n: n.path == focus.path)[:most]

    def similar(self, focus: Focus, code: str, most: int) -> list[Place]:
        """Lines elsewhere that share rare words with the focused code."""
        found = self._lines.elsewhere(code, most, focus.path, focus.first, focus.last)
        return [place for place, _ in found]

    def _show(self, path: str, function: Function, line: int | None = None) -> Neighbour:
        """The function, or where it is long its head and what stands around `line`."""
        lines = split_lines(self._sources[path])[function.first - 1 : function.last]
        if len(lines) > MAX_LINES:
            lines = list(_shortened(lines, 0 if line is None else line - function.first))
        return Neighbour(path, function.name, "".join(lines).rstrip())


def _shortened(lines: list[str], centre: int) -> Iterator[str]:
    half = MAX_LINES // 2
    first = max(1, centre - half)
    yield lines[0]
    if first > 1:
        yield "    ...\n"
    yield from lines[first : first + MAX_LINES]
    if first + MAX_LINES < len(lines):
        yield "    ...\n"


def _last_name(name: str) -> str:
    return name.rpartition(".")[2]


def _is_focus(path: str, function: Function, focus: Focus) -> bool:
    return path == focus.path and function.first == focus.first
