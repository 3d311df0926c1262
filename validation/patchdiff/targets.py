"""Which lines and functions versions of a program do not have in common."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from apr.core.patch import diff_texts

MAX_CONSTANTS = 60
MAX_TEXT = 40
Texts = Mapping[str, str | None]
"""One version's texts of the files that any version touches; None: it lacks the file."""


@dataclass(frozen=True, slots=True)
class Span:
    """A function's place in a file; `parameters` are the names of its parameters, in order.

    `hints` holds the text of each parameter's annotation, empty where there is none;
    `decorators` the last name of each decorator.
    """

    path: str
    name: str
    first: int
    last: int
    parameters: tuple[str, ...]
    hints: tuple[str, ...]
    decorators: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """How the probe calls the function."""
        return f"{self.path}:{self.name}"

    @property
    def can_be_called(self) -> bool:
        """Whether a module holds it, directly or in a class."""
        return "<locals>" not in self.name


@dataclass(frozen=True, slots=True)
class Changes:
    """What versions do not have in common.

    `lines` and `watched` have one entry a version: the executable lines that differ from some
    other version, and those of all changed functions besides. `functions` are the changed ones
    by key, as the first version that has it spells it; `common` names those that all versions
    have with the same parameters. `constants` are literals of the changed functions.
    """

    lines: tuple[Mapping[str, frozenset[int]], ...]
    watched: tuple[Mapping[str, frozenset[int]], ...]
    functions: Mapping[str, Span]
    common: frozenset[str]
    constants: tuple[Any, ...]


def find_changes(versions: Sequence[Texts]) -> Changes:
    """Compare the texts of all versions with each other."""
    lines: list[dict[str, frozenset[int]]] = [{} for _ in versions]
    for (i, ours), (j, theirs) in combinations(enumerate(versions), 2):
        for path in sorted({*ours, *theirs}):
            ours_differ, theirs_differ = _differing(ours.get(path) or "", theirs.get(path) or "")
            lines[i][path] = lines[i].get(path, frozenset()) | ours_differ
            lines[j][path] = lines[j].get(path, frozenset()) | theirs_differ
    spans = [_spans_of(texts) for texts in versions]
    functions: dict[str, Span] = {}
    for number, texts in enumerate(versions):
        for span in _changed_spans(spans[number], lines[number], texts):
            functions.setdefault(span.key, span)
    watched = [_watched(functions, spans[number], lines[number]) for number in range(len(versions))]
    return Changes(
        tuple(_executable(lines[i], texts) for i, texts in enumerate(versions)),
        tuple(watched),
        functions,
        frozenset(_common(spans)),
        tuple(_constants(functions, versions)),
    )


def _differing(ours: str, theirs: str) -> tuple[frozenset[int], frozenset[int]]:
    """The 1-based lines of each text that the other lacks.

    Where one only lacks lines, the line that took their place stands for the gap.
    """
    left: set[int] = set()
    right: set[int] = set()
    shift = 0
    for hunk in diff_texts({"f": ours}, {"f": theirs}).hunks:
        left.update(range(hunk.first, hunk.first + max(len(hunk.old), 1)))
        first = hunk.first + shift
        right.update(range(first, first + max(len(hunk.new), 1)))
        shift += len(hunk.new) - len(hunk.old)
    return frozenset(left), frozenset(right)


def _spans_of(texts: Texts) -> dict[str, Span]:
    return {
        span.key: span
        for path, text in texts.items()
        if path.endswith(".py") and text is not None
        for span in list_functions(path, text)
    }


def list_functions(path: str, text: str) -> Iterator[Span]:
    """Every function of a file; none when it does not parse."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    yield from _functions_in(tree, path, "")


def _functions_in(node: ast.AST, path: str, prefix: str) -> Iterator[Span]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{prefix}{child.name}"
            parameters = list(_parameters(child.args))
            yield Span(
                path,
                name,
                min([child.lineno, *(each.lineno for each in child.decorator_list)]),
                child.end_lineno or child.lineno,
                tuple(parameter.arg for parameter in parameters),
                tuple(ast.unparse(p.annotation) if p.annotation else "" for p in parameters),
                tuple(ast.unparse(each).rpartition(".")[2] for each in child.decorator_list),
            )
            yield from _functions_in(child, path, f"{name}.<locals>.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions_in(child, path, f"{prefix}{child.name}.")
        else:
            yield from _functions_in(child, path, prefix)


def _parameters(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args)
    yield from (each for each in (arguments.vararg, *arguments.kwonlyargs, arguments.kwarg) if each)


def _changed_spans(
    spans: Mapping[str, Span], lines: Mapping[str, frozenset[int]], texts: Texts
) -> Iterator[Span]:
    """The functions in which lines differ, and those that use a name bound where others do."""
    for path, numbers in lines.items():
        here = [span for span in spans.values() if span.path == path]
        inside = {number for number in numbers for s in here if s.first <= number <= s.last}
        yield from (s for s in here if any(s.first <= number <= s.last for number in numbers))
        bound = set(_bound_names(texts.get(path) or "", numbers - inside))
        if bound:
            yield from (s for s in here if bound & set(_used_names(texts.get(path) or "", s)))


def _bound_names(text: str, numbers: frozenset[int]) -> Iterator[str]:
    for node in _nodes(text):
        if getattr(node, "lineno", None) is None or not numbers & _lines_of(node):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (each.asname or each.name.partition(".")[0] for each in node.names)


def _used_names(text: str, span: Span) -> Iterator[str]:
    for node in _nodes(text):
        if span.first <= getattr(node, "lineno", 0) <= span.last:
            if isinstance(node, ast.Name):
                yield node.id
            elif isinstance(node, ast.Attribute):
                yield node.attr


def _lines_of(node: Any) -> frozenset[int]:
    return frozenset(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _nodes(text: str) -> Iterator[ast.AST]:
    try:
        yield from ast.walk(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return


def _watched(
    functions: Mapping[str, Span], own: Mapping[str, Span], lines: Mapping[str, frozenset[int]]
) -> dict[str, frozenset[int]]:
    watched = dict(lines)
    for key in functions:
        span = own.get(key)
        if span is not None:
            more = frozenset(range(span.first, span.last + 1))
            watched[span.path] = watched.get(span.path, frozenset()) | more
    return watched


def _executable(lines: Mapping[str, frozenset[int]], texts: Texts) -> dict[str, frozenset[int]]:
    """The lines inside functions that the compiler knows: others are never reported."""
    found = {}
    for path, numbers in lines.items():
        text = texts.get(path)
        if text is not None and path.endswith(".py"):
            found[path] = numbers & frozenset(_code_lines(text))
    return found


def _code_lines(text: str) -> Iterator[int]:
    try:
        pending = [compile(text, "f", "exec", dont_inherit=True)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    outermost = pending[0]
    while pending:
        code = pending.pop()
        pending += [each for each in code.co_consts if isinstance(each, types.CodeType)]
        # A class body runs at import, before anything is called; so does the module.
        if code is not outermost and code.co_flags & 0x02:
            numbers = {number for _, _, number in code.co_lines() if number is not None}
            yield from (numbers - {code.co_firstlineno}) or numbers


def _common(spans: Sequence[Mapping[str, Span]]) -> Iterator[str]:
    for key, span in spans[0].items():
        others = [each.get(key) for each in spans[1:]]
        if all(other is not None and other.parameters == span.parameters for other in others):
            yield key


def _constants(functions: Mapping[str, Span], versions: Sequence[Texts]) -> list[Any]:
    """Short literals of the changed functions in all versions, each once."""
    found: dict[str, Any] = {}
    for texts in versions:
        for path in {span.path for span in functions.values()}:
            text = texts.get(path) or ""
            names = {span.name for span in functions.values() if span.path == path}
            spans = [s for s in list_functions(path, text) if s.name in names]
            for node in _nodes(text):
                line = getattr(node, "lineno", 0)
                if isinstance(node, ast.Constant) and any(s.first <= line <= s.last for s in spans):
                    value = node.value
                    if isinstance(value, int | float | str) and len(str(value)) <= MAX_TEXT:
                        found.setdefault(repr(value), value)
    return list(found.values())[:MAX_CONSTANTS]
