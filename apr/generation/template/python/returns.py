"""Return statements: another value, a condition, a missing part, a missing return."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.template.python.atoms import atoms
from apr.generation.template.python.registry import Rewrite, Site, template
from apr.generation.template.python.scope import Kind
from apr.generation.template.python.values import results


@template("return-value", 0.2, ast.Return)
def other_value(site: Site, node: ast.Return) -> Iterator[Rewrite]:
    for text, weight in results(site)[:14]:
        if node.value is None:
            yield from site.replace_statement(node, f"return {text}", weight)
        else:
            yield from site.replace(node.value, text, weight)


@template("return-condition", 0.2, ast.Return)
def return_condition(site: Site, node: ast.Return) -> Iterator[Rewrite]:
    """`return True` becomes a condition over what is in scope."""
    value = node.value
    if isinstance(value, (ast.Constant, ast.Name)) and not isinstance(
        getattr(value, "value", None), str
    ):
        is_truth = isinstance(value, ast.Constant) and isinstance(value.value, bool)
        for atom, weight in atoms(site)[:40]:
            yield from site.replace(value, atom, weight * (1.0 if is_truth else 0.2))


@template("return-part", 0.12, ast.Return)
def add_part(site: Site, node: ast.Return) -> Iterator[Rewrite]:
    """The returned sequence lacks a part: `return xs` becomes `return [x] + xs`, `xs + ys`."""
    value = node.value
    if value is None or isinstance(value, (ast.Compare, ast.BoolOp)):
        return
    if site.kind(value) not in (Kind.COLLECTION, Kind.UNKNOWN):
        return
    text = site.operand(value, 10)
    for name in site.scope.of_kind(Kind.COLLECTION)[:5]:
        if name != text:
            yield from site.replace(value, f"{text} + {name}")
            yield from site.replace(value, f"{name} + {text}", 0.8)
    for name in site.scope.variables[:5]:
        if name != text:
            yield from site.replace(value, f"[{name}] + {text}", 0.5)
            yield from site.replace(value, f"{text} + [{name}]", 0.5)
    yield from site.replace(value, f"[{site.text(value)}]", 0.5)


@template("missing-return", 0.2, ast.Expr)
def return_expression(site: Site, node: ast.Expr) -> Iterator[Rewrite]:
    """A computed value is thrown away: `f(x)` becomes `return f(x)`."""
    if isinstance(node.value, ast.Call) and site.around.function is not None:
        yield from site.replace_statement(node, f"return {site.text(node.value)}")


@template("yield-form", 0.1, ast.Yield, ast.YieldFrom)
def change_yield(site: Site, node: ast.Yield | ast.YieldFrom) -> Iterator[Rewrite]:
    if node.value is not None and site.field == "value" and isinstance(site.parent, ast.Expr):
        word = "yield from" if isinstance(node, ast.Yield) else "yield"
        start, end = site.source.span(node)
        yield from site.splice(start, end, f"{word} {site.text(node.value)}")


@template("assign-to-return", 0.06, ast.Assign, ast.AugAssign)
def return_assigned(site: Site, node: ast.Assign | ast.AugAssign) -> Iterator[Rewrite]:
    if site.around.function is not None:
        yield from site.replace_statement(node, f"return {site.text(node.value)}")


@template("final-return", 0.15, ast.Expr, ast.Assign, ast.AugAssign, ast.If, ast.For, ast.While)
def add_final_return(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """The function ends without returning its result."""
    function = site.around.function
    if function is not None and node is function.body[-1]:
        for text, weight in results(site)[:10]:
            yield from site.insert_after(node, f"return {text}", weight)
