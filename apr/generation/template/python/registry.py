"""The registry of templates and what a template sees: a site, that is, a node in its function."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from apr.generation.template.edits import Ingredients
from apr.generation.template.python.precedence import fit, precedence, required
from apr.generation.template.python.scope import Kind, Scope, value_kind
from apr.generation.template.python.source import Function, Source, first_line


class Rewrite(NamedTuple):
    """A proposed span edit; `weight` in (0, 1] is the similarity of its ingredient."""

    start: int
    end: int
    text: str
    weight: float


@dataclass(frozen=True)
class Surroundings:
    """What all sites of one function share."""

    source: Source
    function: Function | None
    scope: Scope
    near: Ingredients  # of the function
    file: Ingredients
    project: Ingredients

    cache: dict[str, Any] = field(default_factory=dict, compare=False, init=False)
    """Room for lists that a family computes once per function."""


@dataclass(frozen=True, slots=True)
class Site:
    """One node and the means to rewrite it."""

    around: Surroundings
    node: ast.AST

    @property
    def source(self) -> Source:
        return self.around.source

    @property
    def scope(self) -> Scope:
        return self.around.scope

    @property
    def parent(self) -> ast.AST | None:
        return self.source.parents.get(self.node)

    @property
    def field(self) -> str:
        """The field of the parent that holds the node."""
        return self.source.fields.get(self.node, "")

    def text(self, node: ast.expr | ast.stmt | ast.arg | ast.keyword) -> str:
        """The node as written."""
        return self.source.segment(node)

    def kind(self, node: ast.expr) -> Kind:
        """What the expression seems to hold."""
        return self.scope.kind(node.id) if isinstance(node, ast.Name) else value_kind(node)

    def operand(self, node: ast.expr, level: int) -> str:
        """The node as written, in parentheses if it binds more loosely than `level`."""
        return fit(self.text(node), level)

    def replace(self, node: ast.expr, text: str, weight: float = 1.0) -> Iterator[Rewrite]:
        """Put the expression `text` in the node's place; nothing when it is no expression."""
        source = self.source
        level = required(source.parents.get(node), source.fields.get(node, ""))
        start, end = source.span(node)
        if text == source.text[start:end]:
            return
        binding = precedence(text)
        if binding < 0:
            return
        if binding < level and not _in_parentheses(source.text, start, end):
            text = f"({text})"
        yield Rewrite(start, end, text, weight)

    def splice(self, start: int, end: int, text: str, weight: float = 1.0) -> Iterator[Rewrite]:
        """Replace a raw span."""
        yield Rewrite(start, end, text, weight)

    def insert_before(self, node: ast.stmt, code: str, weight: float = 1.0) -> Iterator[Rewrite]:
        """Put statements (lines relative to the block) before `node`."""
        if self.source.is_own_line(node):
            start = self.source.line_start(first_line(node))
            yield Rewrite(start, start, self.indented(node, code), weight)

    def insert_after(self, node: ast.stmt, code: str, weight: float = 1.0) -> Iterator[Rewrite]:
        """Put statements after `node`, in its block."""
        if self.source.is_own_line(node):
            _, end = self.source.lines_span(node)
            text = self.indented(node, code)
            if end == len(self.source.text) and not self.source.text.endswith(("\n", "\r")):
                text = self.source.newline + text.rstrip("\r\n")
            yield Rewrite(end, end, text, weight)

    def replace_statement(
        self, node: ast.stmt, code: str, weight: float = 1.0
    ) -> Iterator[Rewrite]:
        """Put statements (lines relative to the block) in the place of `node`."""
        start, end = self.source.span(node)
        if not self.source.is_own_line(node):
            if "\n" not in code:
                yield Rewrite(start, end, code, weight)
            return
        text = self.indented(node, code).rstrip("\r\n")
        yield Rewrite(self.source.line_start(first_line(node)), end, text, weight)

    def indented(self, node: ast.stmt, code: str) -> str:
        """`code` at the indentation of `node`, with the file's units and line ends."""
        unit, newline, indent = (
            self.source.indent_unit,
            self.source.newline,
            self.source.indent(node),
        )
        lines = []
        for line in code.split("\n"):
            bare = line.lstrip("\t")
            lines.append(indent + unit * (len(line) - len(bare)) + bare if bare else "")
        return newline.join(lines) + newline

    def statement_text(self, node: ast.stmt) -> str | None:
        """A statement as relative code (tabs for levels); None when it cannot be re-indented."""
        indent, unit = self.source.indent(node), self.source.indent_unit
        lines = self.text(node).replace("\r\n", "\n").split("\n")
        shifted = [lines[0]]
        for line in lines[1:]:
            if not line.startswith(indent) and line.strip():
                return None
            rest = line[len(indent) :]
            level = 0
            while rest.startswith(unit):
                rest, level = rest[len(unit) :], level + 1
            shifted.append("\t" * level + rest)
        return "\n".join(shifted)


def _in_parentheses(text: str, start: int, end: int) -> bool:
    """The span alone stands in parentheses that are no call's or subscript's."""
    left, right = text[:start].rstrip(), text[end : end + 200].lstrip()
    if not (left.endswith("(") and right.startswith(")")):
        return False
    before = left[:-1].rstrip()
    return not (before and (before[-1].isalnum() or before[-1] in "_)]'\"")) or before.endswith(
        (" in", " not", " and", " or", "return", " if", " else", " is", "yield", "while", "elif")
    )


Draft = Callable[[Site, Any], Iterator[Rewrite]]


@dataclass(frozen=True, slots=True)
class Template:
    """A named rewriting of nodes of some types.

    `prior` in (0, 1] says how likely a fix is to be of this kind where the template applies:
    first set by judgement, then shifted by at most a factor of two by a regularised fit to the
    ranks of known fixes in HumanEvalFix-dev and QuixBugs, which are therefore no held-out sets.
    """

    name: str
    prior: float
    draft: Draft


TEMPLATES: dict[type[ast.AST], list[Template]] = {}


def template(name: str, prior: float, *types: type[ast.AST]) -> Callable[[Draft], Draft]:
    """Register a function as the template `name` for nodes of exactly these types."""

    def register(draft: Draft) -> Draft:
        for each in types:
            TEMPLATES.setdefault(each, []).append(Template(name, prior, draft))
        return draft

    return register


EXPRESSIONS = (
    ast.Name,
    ast.Call,
    ast.Attribute,
    ast.Subscript,
    ast.BinOp,
    ast.UnaryOp,
)
SIMPLE_STATEMENTS = (
    ast.Assign,
    ast.AugAssign,
    ast.AnnAssign,
    ast.Expr,
    ast.Return,
    ast.Raise,
    ast.Delete,
    ast.Break,
    ast.Continue,
    ast.Assert,
    ast.Pass,
)
COMPOUND_STATEMENTS = (ast.If, ast.For, ast.While, ast.With, ast.Try)
STATEMENTS = (*SIMPLE_STATEMENTS, *COMPOUND_STATEMENTS)


def is_load(node: ast.AST) -> bool:
    """The expression is read, not stored or deleted."""
    return isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
