"""Type conversions and other one-argument wrappers around a value."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.template.python.registry import EXPRESSIONS, Rewrite, Site, is_load, template
from apr.generation.template.python.scope import Kind

_WRAPPERS: dict[Kind, tuple[tuple[str, float], ...]] = {
    Kind.COLLECTION: (
        ("list({})", 1.0),
        ("set({})", 1.0),
        ("len({})", 1.0),
        ("sorted({})", 0.9),
        ("tuple({})", 0.5),
        ("sum({})", 0.5),
        ("max({})", 0.5),
        ("min({})", 0.5),
        ("reversed({})", 0.4),
    ),
    Kind.NUMBER: (
        ("abs({})", 1.0),
        ("int({})", 1.0),
        ("str({})", 1.0),
        ("float({})", 0.6),
        ("round({})", 0.6),
        ("round({}, 2)", 0.4),
    ),
    Kind.STRING: (("len({})", 0.8), ("int({})", 0.8), ("list({})", 0.5), ("set({})", 0.4)),
    Kind.UNKNOWN: (
        ("str({})", 0.8),
        ("int({})", 0.8),
        ("len({})", 0.8),
        ("abs({})", 0.8),
        ("list({})", 0.7),
        ("sorted({})", 0.6),
        ("set({})", 0.6),
        ("float({})", 0.5),
        ("sum({})", 0.4),
    ),
    Kind.CALLABLE: (),
}
_METHODS: dict[Kind, tuple[tuple[str, float], ...]] = {
    Kind.STRING: (
        (".lower()", 1.0),
        (".strip()", 1.0),
        (".upper()", 0.7),
        (".swapcase()", 0.6),
        (".split()", 0.6),
        ("[::-1]", 0.6),
        (".title()", 0.3),
        (".capitalize()", 0.3),
    ),
    Kind.UNKNOWN: (
        (".lower()", 0.6),
        (".strip()", 0.6),
        (".copy()", 0.4),
        ("[::-1]", 0.4),
        (".upper()", 0.4),
    ),
    Kind.COLLECTION: (
        (".copy()", 1.0),
        ("[:]", 0.8),
        ("[::-1]", 0.8),
        (".items()", 0.7),
        (".keys()", 0.4),
        (".values()", 0.6),
        (".lower()", 0.3),
        (".strip()", 0.3),
        (".upper()", 0.2),
        (".split()", 0.2),
    ),
    Kind.NUMBER: (),
    Kind.CALLABLE: (),
}


def _is_value(site: Site, node: ast.expr) -> bool:
    if site.field == "func" or not is_load(node) or isinstance(site.parent, (ast.Expr, ast.Raise)):
        return False
    return not (isinstance(node, ast.Name) and site.scope.kind(node.id) is Kind.CALLABLE)


@template("wrap-call", 0.13, *EXPRESSIONS)
def wrap(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """The value needs converting: `xs` becomes `list(xs)`, `n` becomes `abs(n)`."""
    if not _is_value(site, node):
        return
    if isinstance(site.parent, (ast.Attribute, ast.Subscript)) and site.field == "value":
        return
    text = site.text(node)
    for pattern, weight in _WRAPPERS[site.kind(node)]:
        yield from site.replace(node, pattern.format(text), weight * _share(node))


@template("add-method", 0.12, *EXPRESSIONS)
def add_method(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """A conversion by method is missing: `.lower()`, `.strip()`, `.copy()`, `[::-1]`."""
    if _is_value(site, node):
        text = site.operand(node, 15)
        for suffix, weight in _METHODS[site.kind(node)]:
            yield from site.replace(node, text + suffix, weight * _share(node))


def _share(node: ast.expr) -> float:
    return 0.4 if isinstance(node, (ast.BinOp, ast.UnaryOp)) else 1.0
