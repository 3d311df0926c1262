"""A parsed Python file: the tree, its parents, and exact character spans into the source text."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from functools import cached_property, lru_cache

Function = ast.FunctionDef | ast.AsyncFunctionDef
Block = list[ast.stmt]

_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n|\r|\n")
_BLOCKS = ("body", "orelse", "finalbody")


def parse(text: str) -> ast.Module | None:
    """The tree of `text`, or None; undecodable bytes (surrogate escapes) count as `?`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(_SURROGATE.sub("?", text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class Source:
    """One text with its tree. Spans are half-open character offsets into `text`."""

    def __init__(self, text: str, tree: ast.Module) -> None:
        self.text = text
        self.tree = tree
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
        self._ascii = text.isascii()
        self.parents: dict[ast.AST, ast.AST] = {}
        self.fields: dict[ast.AST, str] = {}
        self.nodes: list[ast.AST] = []
        self._walk(tree)
        match = _LINE_END.search(text)
        self.newline = match.group() if match else "\n"

    def _walk(self, root: ast.AST) -> None:
        stack = [root]
        while stack:
            node = stack.pop()
            self.nodes.append(node)
            children: list[ast.AST] = []
            for name, value in ast.iter_fields(node):
                for child in value if isinstance(value, list) else (value,):
                    if isinstance(child, ast.AST) and not isinstance(
                        child, (ast.expr_context, ast.operator, ast.cmpop, ast.boolop, ast.unaryop)
                    ):
                        self.parents[child] = node
                        self.fields[child] = name
                        children.append(child)
            stack.extend(reversed(children))

    def offset(self, line: int, column: int) -> int:
        """The character offset of a 1-based line and a UTF-8 byte column."""
        start = self._starts[line - 1]
        if self._ascii:
            return start + column
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        data = _SURROGATE.sub("?", self.text[start:end]).encode()
        return start + len(data[:column].decode("utf-8", "ignore"))

    def span(
        self, node: ast.expr | ast.stmt | ast.arg | ast.keyword | ast.excepthandler
    ) -> tuple[int, int]:
        """The node's own characters, without parentheses around it; decorators are included."""
        line, column = node.lineno, node.col_offset
        decorators = getattr(node, "decorator_list", None)
        if decorators:
            line = decorators[0].lineno
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.offset(line, column), self.offset(node.end_lineno, node.end_col_offset)

    def segment(self, node: ast.expr | ast.stmt | ast.arg | ast.keyword) -> str:
        """The node's own text."""
        start, end = self.span(node)
        return self.text[start:end]

    def line_start(self, line: int) -> int:
        """Where the 1-based line begins."""
        return self._starts[line - 1]

    def line_end(self, offset: int) -> int:
        """The first offset of the line after the one that holds `offset`."""
        match = _LINE_END.search(self.text, offset)
        return match.end() if match else len(self.text)

    def indent(self, node: ast.stmt) -> str:
        """The white space before a statement's first character."""
        start = self.line_start(node.lineno)
        line = self.text[start : start + node.col_offset]
        return line if not line.strip() else line[: len(line) - len(line.lstrip())]

    def is_own_line(self, node: ast.stmt) -> bool:
        """No other statement shares the node's lines (`if x: return`, `a = 1; b = 2` do)."""
        start, end = self.span(node)
        before = self.text[self.line_start(first_line(node)) : start]
        after = self.text[end : self.line_end(end)].strip()
        return not before.strip() and (not after or after.startswith("#"))

    def lines_span(self, node: ast.stmt) -> tuple[int, int]:
        """The whole lines of a statement that owns its lines."""
        _, end = self.span(node)
        return self.line_start(first_line(node)), self.line_end(end)

    @cached_property
    def indent_unit(self) -> str:
        """One level of indentation as the file writes it."""
        for node in self.nodes:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.If, ast.For)):
                outer, inner = self.indent(node), self.indent(node.body[0])
                if node.body[0].lineno > node.lineno and len(inner) > len(outer):
                    return inner[len(outer) :]
        return "    "

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The node's parent, its parent, up to the module."""
        current = self.parents.get(node)
        while current is not None:
            yield current
            current = self.parents.get(current)

    def statement(self, node: ast.AST) -> ast.stmt | None:
        """The innermost statement that is or holds `node`."""
        if isinstance(node, ast.stmt):
            return node
        return next((each for each in self.ancestors(node) if isinstance(each, ast.stmt)), None)

    def function(self, node: ast.AST) -> Function | None:
        """The innermost function around `node` (not `node` itself)."""
        for each in self.ancestors(node):
            if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
                return each
        return None

    def block(self, node: ast.stmt) -> Block:
        """The statement list that holds `node`."""
        parent = self.parents.get(node)
        for name in _BLOCKS:
            block = getattr(parent, name, None)
            if isinstance(block, list) and node in block:
                return block
        return [node]

    def loop(self, node: ast.AST) -> ast.For | ast.AsyncFor | ast.While | None:
        """The innermost loop whose body holds `node`, within the same function."""
        child = node
        for each in self.ancestors(node):
            if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
                return None
            if isinstance(each, (ast.For, ast.AsyncFor, ast.While)) and child in each.body:
                return each
            child = each
        return None


def first_line(node: ast.stmt) -> int:
    """The 1-based first line, decorators included."""
    decorators = getattr(node, "decorator_list", None)
    return int(decorators[0].lineno) if decorators else node.lineno


@lru_cache(maxsize=16)
def load(text: str) -> Source | None:
    """The parsed text, kept for the few texts in use; None when it does not parse."""
    tree = parse(text)
    return Source(text, tree) if tree is not None else None
