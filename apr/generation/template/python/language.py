"""Python for the template generator: analysis by `ast`, edits as exact spans of the source text."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from apr.generation.template.edits import Edit, Ingredients
from apr.generation.template.python import families
from apr.generation.template.python.harvest import harvest_nodes
from apr.generation.template.python.normal import normal_form
from apr.generation.template.python.registry import Rewrite, Site, Surroundings, Template
from apr.generation.template.python.scope import inner_names, scope_of
from apr.generation.template.python.source import Function, Source, first_line, load

_BOM = "\ufeff"


class PythonLanguage:
    """The Python implementation of `apr.generation.template.edits.Language`."""

    suffixes: tuple[str, ...] = (".py", ".pyi")

    def __init__(self, templates: dict[type[ast.AST], list[Template]] | None = None) -> None:
        self._templates = templates if templates is not None else families.ALL
        self._last: _Everywhere | None = None

    def harvest(self, text: str) -> Ingredients:
        """The ingredients of one file; none when it does not parse."""
        source = load(text.removeprefix(_BOM))
        return harvest_nodes(source, source.nodes) if source else Ingredients()

    def edits(
        self, text: str, lines: frozenset[int] | None, ingredients: Ingredients
    ) -> Iterator[Edit]:
        """Every edit at `lines`; a byte order mark stays where it is."""
        source = load(text.removeprefix(_BOM))
        if source is None:
            return
        shift = len(text) - len(source.text)
        everywhere = self._everywhere(source, ingredients)
        for site, line in _sites(source, lines, everywhere):
            for template in self._templates.get(type(site.node), ()):
                for rewrite in template.draft(site, site.node):
                    yield _edit(rewrite, template, line, shift)

    def _everywhere(self, source: Source, ingredients: Ingredients) -> _Everywhere:
        """Kept from the last call: one text is asked for in batches of lines."""
        if not (self._last and self._last.is_about(source, ingredients)):
            self._last = _Everywhere(source, ingredients)
        return self._last

    def normalise(self, text: str) -> str | None:
        """The dumped statements without positions; None unless the text compiles.

        Text that is indented as a whole is taken as members of a class.
        """
        return normal_form(text.removeprefix(_BOM))

    def chunks(self, text: str) -> Sequence[tuple[int, int]]:
        """One span per top-level statement, a class's further members on their own.

        Statements that share a line share a span.
        """
        source = load(text.removeprefix(_BOM))
        shift = 1 if text.startswith(_BOM) else 0
        if source is None:
            return [(0, len(text))]
        starts = [0, *(source.line_start(line) + shift for line in _first_lines(source.tree))]
        return list(zip(starts, [*starts[1:], len(text)], strict=True))


def _first_lines(tree: ast.Module) -> Iterator[int]:
    """Where each piece after the first begins."""
    previous = 0
    for node in tree.body:
        if first_line(node) > previous and node is not tree.body[0]:
            yield first_line(node)
        previous = node.end_lineno or node.lineno
        if isinstance(node, ast.ClassDef):
            for before, member in zip(node.body, node.body[1:], strict=False):
                if first_line(member) > (before.end_lineno or before.lineno):
                    yield first_line(member)


def _edit(rewrite: Rewrite, template: Template, line: int, shift: int) -> Edit:
    return Edit(
        rewrite.start + shift,
        rewrite.end + shift,
        rewrite.text,
        template.name,
        template.prior * rewrite.weight,
        line,
    )


class _Everywhere:
    """What is known of the file and the project, and of each function when it is asked for."""

    def __init__(self, source: Source, project: Ingredients) -> None:
        self._source = source
        self._project = project
        self._file = harvest_nodes(source, source.nodes)
        self._known: dict[tuple[Function | None, tuple[str, ...]], Surroundings] = {}

    def is_about(self, source: Source, project: Ingredients) -> bool:
        """Made of exactly these objects."""
        return self._source is source and self._project is project

    def of(self, node: ast.AST) -> Surroundings:
        """What the site `node` shares with its function and the expression scopes around it."""
        key = (self._source.function(node), inner_names(self._source, node))
        if key not in self._known:
            self._known[key] = self._make(*key)
        return self._known[key]

    def _make(self, function: Function | None, inner: tuple[str, ...]) -> Surroundings:
        outer = self._known.get((function, ()))
        if inner and outer is not None:
            return replace(outer, scope=outer.scope.within(inner))
        nodes = list(ast.walk(function)) if function else list(self._source.tree.body)
        return Surroundings(
            self._source,
            function,
            scope_of(self._source, function).within(inner),
            harvest_nodes(self._source, nodes),
            self._file,
            self._project,
        )


def _sites(
    source: Source, lines: frozenset[int] | None, everywhere: _Everywhere
) -> Iterator[tuple[Site, int]]:
    excluded = _excluded(source)
    for node in source.nodes:
        if node in excluded or not isinstance(node, (ast.expr, ast.stmt, ast.excepthandler)):
            continue
        line = _line_of(source, node, lines)
        if line is not None:
            yield Site(everywhere.of(node), node), line


def _line_of(source: Source, node: ast.AST, lines: frozenset[int] | None) -> int | None:
    """The line whose suspiciousness applies: the node's own, else its statement's first."""
    own = int(getattr(node, "lineno", 0))
    if lines is None or own in lines:
        return own
    statement = source.statement(node)
    if statement is not None and statement.lineno in lines:
        return statement.lineno
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        body = [each.lineno for each in node.body if each.lineno in lines]
        return body[0] if body else None
    return None


def _excluded(source: Source) -> set[ast.AST]:
    """Nodes that are no behaviour or have no reliable span: docstrings, annotations, f-strings."""
    roots: list[ast.AST] = []
    for node in source.nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            roots.append(node)
        elif isinstance(node, ast.JoinedStr):
            roots.extend(ast.iter_child_nodes(node))
        elif isinstance(node, (ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)):
            roots.append(node)
        for name in ("annotation", "returns"):
            annotation = getattr(node, name, None)
            if isinstance(annotation, ast.expr):
                roots.append(annotation)
    return {each for root in roots for each in ast.walk(root)}
