"""Perfect localization: the user names the place by file, lines or function."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from apr.core.errors import BadInputError
from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import split_lines
from apr.source.functions import Function
from apr.source.statements import Statement, index_source

GIVEN = "given"

_LINES = re.compile(r"(?P<file>.+):(?P<first>[0-9]{1,9})(?:-(?P<last>[0-9]{1,9}))?", re.DOTALL)


def parse_location(text: str, sources: Mapping[str, str]) -> tuple[SuspiciousLocation, ...]:
    """The statements that `text` means, in source order, each with suspiciousness 1.0.

    `sources` maps the subject's paths to texts; FILE may be any unambiguous end of such a path.
    One line means its whole statement, or just itself when it is blank or a comment. NAME is a
    function, `Class.method` or, where that is unambiguous, `method`.

    Raises:
        BadInputError: when there is no such file, line or function.
    """
    if text in sources:
        return _statements(text, sources, 1, None)
    if "::" in text:
        file, _, name = text.partition("::")
        path = _find_file(file, sources)
        function = _find_function(path, name, sources)
        return _statements(path, sources, function.first, function.last)
    numbered = _LINES.fullmatch(text)
    if numbered is None:
        return _statements(_find_file(text, sources), sources, 1, None)
    path = _find_file(numbered["file"], sources)
    first = int(numbered["first"])
    last = int(numbered["last"] or first)
    _check_lines(path, first, last, sources)
    return _statements(path, sources, first, last)


def _find_file(name: str, sources: Mapping[str, str]) -> str:
    wanted = posixpath.normpath(name.replace("\\", "/"))
    if wanted in sources:
        return wanted
    fitting = [p for p in sorted(sources) if p.endswith(f"/{wanted}") or wanted.endswith(f"/{p}")]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise BadInputError(f"{name!r} could mean any of {', '.join(fitting)}")
    raise BadInputError(f"{name!r} is not among the source files that a patch may touch")


def _find_function(path: str, name: str, sources: Mapping[str, str]) -> Function:
    dotted = name.replace("::", ".")
    functions = index_source(path, sources[path]).functions
    exact = [f for f in functions if f.name == dotted]
    fitting = exact or [f for f in functions if f.name.endswith(f".{dotted}")]
    if not fitting or not dotted:
        raise BadInputError(f"{path} has no function called {name!r}")
    if len(fitting) > 1 and not exact:
        names = ", ".join(f.name for f in fitting)
        raise BadInputError(f"{name!r} in {path} could mean any of {names}")
    return fitting[-1]  # the last definition is the one in force


def _check_lines(path: str, first: int, last: int, sources: Mapping[str, str]) -> None:
    count = len(split_lines(sources[path]))
    if not 1 <= first <= last:
        raise BadInputError(f"{first}-{last} is no range of lines; the first line of a file is 1")
    if last > count:
        raise BadInputError(f"{path} has {count} lines, so there is no line {last}")


def _statements(
    path: str, sources: Mapping[str, str], first: int, last: int | None
) -> tuple[SuspiciousLocation, ...]:
    text = sources[path]
    end = last if last is not None else max(1, len(split_lines(text)))
    index = index_source(path, text)
    chosen = [s for s in index.statements if s.first <= end and first <= s.last]
    if not chosen:
        around = index.function_at(first)
        chosen = [Statement(first, end, function=around.name if around else None)]
    return tuple(
        SuspiciousLocation(Location(path, s.first, s.last), 1.0, GIVEN, s.function) for s in chosen
    )
