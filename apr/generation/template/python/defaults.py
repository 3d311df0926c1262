"""Python's own pitfalls: mutable defaults, aliases, a missing `self.`, a missing `await`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.template.python.registry import Rewrite, Site, is_load, template
from apr.generation.template.python.source import first_line


@template("mutable-default", 0.3, ast.FunctionDef, ast.AsyncFunctionDef)
def mutable_default(site: Site, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Rewrite]:
    """`def f(xs=[])` becomes `def f(xs=None)` with the list made in the body."""
    positional = [*node.args.posonlyargs, *node.args.args]
    first = len(positional) - len(node.args.defaults)
    pairs = list(zip(positional[first:], node.args.defaults, strict=True))
    for argument, default in pairs:
        empty = isinstance(default, (ast.List, ast.Dict, ast.Set)) or (
            isinstance(default, ast.Call) and not default.args
        )
        body = _first_statement(node)
        if empty and body is not None and site.source.is_own_line(body):
            name, value = argument.arg, site.text(default)
            guard = f"if {name} is None:\n\t{name} = {value}"
            start, end = site.source.span(default)
            insertion = site.source.line_start(first_line(body))
            head = site.source.text[end:insertion]
            code = Site(site.around, body).indented(body, guard)
            yield from site.splice(start, insertion, f"None{head}{code}")


def _first_statement(node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.stmt | None:
    first = node.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    if not is_docstring:
        return first
    return node.body[1] if len(node.body) > 1 else None


@template("missing-self", 0.25, ast.Name)
def missing_self(site: Site, node: ast.Name) -> Iterator[Rewrite]:
    """`x` becomes `self.x` where the class has such an attribute or method."""
    function = site.around.function
    if function is None or not function.args.args or function.args.args[0].arg != "self":
        return
    attributes = site.around.cache.setdefault("members", _members(site))
    if node.id in attributes:
        yield from site.replace(node, f"self.{node.id}")


def _members(site: Site) -> frozenset[str]:
    owner = next(
        (each for each in site.source.ancestors(site.node) if isinstance(each, ast.ClassDef)), None
    )
    names: set[str] = set()
    for node in ast.walk(owner) if owner is not None else ():
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "self":
            names.add(node.attr)
    return frozenset(names)


@template("surplus-self", 0.08, ast.Attribute)
def surplus_self(site: Site, node: ast.Attribute) -> Iterator[Rewrite]:
    """`self.x` becomes the local or module name `x`."""
    if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
        known = {*site.scope.local, *site.scope.enclosing, *site.scope.module}
        if node.attr in known:
            yield from site.replace(node, node.attr)


@template("missing-await", 0.3, ast.Call)
def missing_await(site: Site, node: ast.Call) -> Iterator[Rewrite]:
    is_async = isinstance(site.around.function, ast.AsyncFunctionDef)
    if is_async and is_load(node) and not isinstance(site.parent, ast.Await):
        yield from site.replace(node, f"await {site.text(node)}")
