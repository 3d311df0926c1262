"""Reading stack traces of Python, Java, JavaScript and C from text, as frames of the subject."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from pathlib import PurePosixPath

from apr.core.report import Frame

_FOREIGN = re.compile(r"(?:^|/)(?:node_modules|site-packages|dist-packages)/|^node:|^<")
_CAUSE = re.compile(r"^\s*Caused by: ", re.MULTILINE)
_JAVA = re.compile(
    r"^\s*at (?P<cls>[\w.$/@]+)\.(?P<function>[\w$<>]+)\((?P<file>\w+\.\w+):(?P<line>\d{1,9})\)"
)
_NODE = re.compile(
    r"^\s*at (?:(?:async )?(?P<function>[^()\n]{1,200}) \()?"
    r"(?P<file>[^()\s][^()\n]{0,400}?):(?P<line>\d{1,9}):\d{1,9}\)?\s*$"
)
_PYTHON = re.compile(
    r'^\s*File "(?P<file>[^"\n]{1,400})", line (?P<line>\d{1,9})(?:, in (?P<function>\S+))?'
)
_C = re.compile(
    r"(?P<file>[\w./\\+-]{1,400}\.(?:c|cc|cpp|cxx|h|hh|hpp)):(?P<line>\d{1,9})(?=[:\s)]|$)"
)
_C_FUNCTION = re.compile(r"^\s*#\d+ +(?:0x[0-9a-f]+ +)?(?:in +)?(?P<function>\w+)")


def parse_trace(text: str, paths: Collection[str]) -> tuple[Frame, ...]:
    """The frames of `text` that lie in `paths` (relative to the subject), outermost first.

    The frames of a Java trace's last cause are the innermost. A frame whose file fits several
    paths equally well, or none, is left out.
    """
    frames: list[Frame] = []
    for section in _CAUSE.split(text):
        found = list(_frames_of_section(section, _Matcher(paths)))
        # Only Python names the innermost frame last.
        frames.extend(found if _is_python(section) else reversed(found))
    return tuple(frames)


def _is_python(section: str) -> bool:
    return any(_PYTHON.match(line) for line in section.splitlines())


def _frames_of_section(section: str, matcher: _Matcher) -> Iterator[Frame]:
    for line in section.splitlines():
        frame = _read_java(line, matcher) or _read_located(line, matcher) or _read_c(line, matcher)
        if frame is not None:
            yield frame


def _read_java(line: str, matcher: _Matcher) -> Frame | None:
    found = _JAVA.match(line)
    if found is None:
        return None
    package = found["cls"].rsplit("/", 1)[-1].split(".")[:-1]
    traced = "/".join([*package, found["file"]])
    return _frame(matcher.ending_in(traced), found["line"], found["function"])


def _read_located(line: str, matcher: _Matcher) -> Frame | None:
    found = _PYTHON.match(line) or _NODE.match(line)
    if found is None:
        return None
    return _frame(matcher.either_way(found["file"]), found["line"], found["function"] or "")


def _read_c(line: str, matcher: _Matcher) -> Frame | None:
    found = _C.search(line)
    if found is None:
        return None
    function = _C_FUNCTION.match(line)
    name = function["function"] if function else ""
    return _frame(matcher.either_way(found["file"]), found["line"], name)


def _frame(path: str | None, line: str, function: str) -> Frame | None:
    return Frame(path, int(line), function) if path is not None and int(line) > 0 else None


class _Matcher:
    """Finds the subject's path that a traced file name means, by whole path components."""

    def __init__(self, paths: Collection[str]) -> None:
        self._paths = sorted(paths)

    def ending_in(self, traced: str) -> str | None:
        """The one path that ends in `traced`, which is complete from the source root on."""
        return self._only(lambda path: _is_suffix(traced, path))

    def either_way(self, traced: str) -> str | None:
        """The path that ends in `traced` or, when that is absolute, in which `traced` ends."""
        cleaned = _clean(traced)
        if _FOREIGN.search(cleaned):
            return None
        around = [path for path in self._paths if _is_suffix(path, cleaned)]
        if around:
            return max(around, key=len)
        return self._only(lambda path: _is_suffix(cleaned, path))

    def _only(self, fits: Callable[[str], bool]) -> str | None:
        fitting = [path for path in self._paths if fits(path)]
        return fitting[0] if len(fitting) == 1 else None


def _clean(traced: str) -> str:
    posix = traced.removeprefix("file://").replace("\\", "/")
    kept = [part for part in PurePosixPath(posix).parts if part not in (".", "..")]
    return "/".join(kept).replace("//", "/")


def _is_suffix(short: str, long: str) -> bool:
    return bool(short) and (long == short or long.endswith(f"/{short}"))
