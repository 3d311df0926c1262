"""Which statement and which function a line of source belongs to.

Python is read with `ast`; in every other language, and where the text does not parse, a line with
at least one letter or digit is a statement of its own.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from apr.core.patch import split_lines
from apr.source.functions import Function, find_functions

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
Block = Sequence[ast.stmt] | Sequence[ast.ExceptHandler] | Sequence[ast.match_case]


@dataclass(frozen=True, slots=True)
class Statement:
    """A simple statement or the header of a compound one, on lines `first`..`last`.

    `depth` counts the blocks around it. `defines` is set for the header of a function.
    """

    first: int
    last: int
    depth: int = 0
    function: str | None = None
    defines: Function | None = None


@dataclass(frozen=True, slots=True)
class SourceIndex:
    """The statements and functions of one file, in source order."""

    statements: tuple[Statement, ...] = ()
    functions: tuple[Function, ...] = ()
    _by_line: Mapping[int, Statement] = field(default_factory=dict)

    def statement_at(self, line: int) -> Statement | None:
        """The innermost statement on the 1-based line; None on blank lines and comments."""
        return self._by_line.get(line)

    def function_at(self, line: int) -> Function | None:
        """The innermost function around the line."""
        around = [f for f in self.functions if f.first <= line <= f.last]
        return max(around, key=lambda f: (f.first, -f.last)) if around else None


def index_source(path: str, text: str) -> SourceIndex:
    """Index one file by the language that its suffix names."""
    lines = split_lines(text)
    tree = parse_python(text) if path.endswith((".py", ".pyi", ".pyw")) else None
    if tree is None:
        return _index_lines(lines, find_functions(path, text))
    return _index(list(_Reader(lines).read(tree.body, 0, "", None)))


def _index_lines(lines: list[str], functions: tuple[Function, ...]) -> SourceIndex:
    owners = {
        line: function.name
        for function in functions
        for line in range(function.first, function.last + 1)
    }
    by_line = {
        line: Statement(line, line, function=owners.get(line))
        for line, text in enumerate(lines, 1)
        if _has_code(text)
    }
    return SourceIndex(tuple(by_line.values()), functions, by_line)


def parse_python(text: str) -> ast.Module | None:
    """The tree of a Python text; None when it does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _has_code(line: str) -> bool:
    return any(char.isalnum() for char in line)


def _index(statements: list[Statement]) -> SourceIndex:
    """Let later (inner) statements own the lines that they share with earlier ones."""
    by_line = {
        line: statement
        for statement in statements
        for line in range(statement.first, statement.last + 1)
    }
    functions = tuple(s.defines for s in statements if s.defines is not None)
    return SourceIndex(tuple(dict.fromkeys(by_line.values())), functions, by_line)


class _Reader:
    """Walks blocks in source order, so that a header always precedes what it holds."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def read(
        self, block: Block, depth: int, scope: str, function: str | None
    ) -> Iterator[Statement]:
        for node in block:
            blocks = _blocks_of(node)
            if not blocks:
                if not _is_docstring(node):
                    yield Statement(_first(node), _last(node), depth, function)
            elif isinstance(node, FunctionNode | ast.ClassDef):
                yield from self._read_definition(node, depth, scope, function)
            else:
                yield from self._read_compound(node, blocks, depth, scope, function)

    def _read_definition(
        self, node: FunctionNode | ast.ClassDef, depth: int, scope: str, function: str | None
    ) -> Iterator[Statement]:
        name = f"{scope}.{node.name}" if scope else node.name
        first, last = _first(node), self._header_end(node, node.body)
        if isinstance(node, ast.ClassDef):
            yield Statement(first, last, depth, function)
            yield from self.read(node.body, depth + 1, name, function)
        else:
            yield Statement(first, last, depth, name, Function(name, first, _last(node)))
            yield from self.read(node.body, depth + 1, name, name)

    def _read_compound(
        self, node: ast.AST, blocks: list[Block], depth: int, scope: str, function: str | None
    ) -> Iterator[Statement]:
        yield Statement(_first(node), self._header_end(node, blocks[0]), depth, function)
        for block in blocks:
            is_inline = _is_elif(node, block) or not isinstance(block[0], ast.stmt)
            yield from self.read(block, depth + (not is_inline), scope, function)

    def _header_end(self, node: ast.AST, body: Block) -> int:
        """The last line with code before the body, so that neither comments nor blanks count."""
        first = _first(node)
        end = max(first, _first(body[0]) - 1)
        while end > first and self._is_blank(end):
            end -= 1
        return end

    def _is_blank(self, line: int) -> bool:
        # A lone CR ends a line for Python and not for us, hence the slice instead of an index.
        text = "".join(self._lines[line - 1 : line]).strip()
        return not text or text.startswith("#")


def _blocks_of(node: ast.AST) -> list[Block]:
    names = ("body", "cases", "handlers", "orelse", "finalbody")
    blocks = (getattr(node, name, None) for name in names)
    return [block for block in blocks if isinstance(block, list) and block]


def _is_elif(node: ast.AST, block: Block) -> bool:
    nested = block[0]
    return (
        isinstance(node, ast.If)
        and block is node.orelse
        and isinstance(nested, ast.If)
        and len(block) == 1
        and nested.col_offset == node.col_offset
    )


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _first(node: ast.AST) -> int:
    if isinstance(node, ast.match_case):
        return node.pattern.lineno
    decorators = getattr(node, "decorator_list", [])
    return min(int(item.lineno) for item in (node, *decorators))


def _last(node: ast.AST) -> int:
    return int(node.end_lineno)  # type: ignore[attr-defined]
