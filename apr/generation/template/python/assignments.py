"""Assignments: bounded right-hand sides, initial values, accumulation against overwriting."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.template.python.registry import Rewrite, Site, template
from apr.generation.template.python.scope import Kind

_INITIAL = ("0", "1", "[]", "None", "{}", "set()", "''", "False", "True", "-1")


def _target(site: Site, node: ast.Assign) -> str | None:
    target = node.targets[0]
    is_single = len(node.targets) == 1 and not isinstance(target, (ast.Tuple, ast.List))
    return site.text(target) if is_single else None


@template("bound-value", 0.12, ast.Assign)
def bound_value(site: Site, node: ast.Assign) -> Iterator[Rewrite]:
    """Keep the best so far or clamp: `x = v` becomes `x = max(x, v)`, `min(x, v)`, `max(0, v)`."""
    target = _target(site, node)
    if target is None or site.kind(node.value) in (Kind.COLLECTION, Kind.STRING):
        return
    if isinstance(node.value, ast.Constant):
        return
    value = site.text(node.value)
    for function, weight in (("max", 1.0), ("min", 1.0)):
        yield from site.replace(node.value, f"{function}({target}, {value})", weight)
        yield from site.replace(node.value, f"{function}(0, {value})", weight * 0.8)
        for name in site.scope.of_kind(Kind.NUMBER)[:5]:
            if name not in (target, value):
                yield from site.replace(node.value, f"{function}({name}, {value})", weight * 0.4)


@template("bound-expression", 0.06, ast.Call, ast.BinOp, ast.Name, ast.Subscript)
def bound_expression(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """The same for returned values, arguments and bounds: `max(0, e)`, `max(a, e)`, `min(a, e)`."""
    is_value = isinstance(site.parent, (ast.Return, ast.Slice)) or (
        site.field in ("args", "elts")
        or (site.field == "value" and isinstance(site.parent, ast.AugAssign))
    )
    is_number = site.kind(node) in (Kind.NUMBER, Kind.UNKNOWN)
    if not is_value or not is_number or not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    text = site.text(node)
    for function in ("max", "min"):
        yield from site.replace(node, f"{function}(0, {text})", 0.8)
        bounds = [*_compared(site), *site.scope.of_kind(Kind.NUMBER)[:4]]
        for bound in dict.fromkeys(bounds):
            if bound != text:
                yield from site.replace(node, f"{function}({bound}, {text})", 0.6)


@template("accumulate", 0.12, ast.Assign)
def accumulate(site: Site, node: ast.Assign) -> Iterator[Rewrite]:
    """`x = v` becomes `x += v`, `x -= v`, `x *= v`."""
    if _target(site, node) is None:
        return
    target, value = node.targets[0], node.value
    start, end = site.source.span(target)[1], site.source.span(value)[0]
    gap = site.source.text[start:end]
    for symbol, weight in (("+=", 1.0), ("-=", 0.4), ("*=", 0.4)):
        yield from site.splice(start, end, gap.replace("=", symbol, 1), weight)


@template("initial-value", 0.15, ast.Assign)
def initial_value(site: Site, node: ast.Assign) -> Iterator[Rewrite]:
    """Another start value, where the present one is a literal, an empty display or a name."""
    if _target(site, node) is None:
        return
    value, kind = node.value, site.kind(node.value)
    factor = 1.0 if isinstance(value, (ast.Constant, ast.List, ast.Dict, ast.Set)) else 0.4
    for text in _INITIAL:
        yield from site.replace(value, text, factor * 0.7)
    if kind in (Kind.NUMBER, Kind.UNKNOWN):
        for text in ("float('inf')", "float('-inf')"):
            yield from site.replace(value, text, factor * 0.6)
    for name in site.scope.variables[:7]:
        if name != site.text(node.targets[0]):
            yield from site.replace(value, name, factor * 0.5)
            if site.scope.kind(name) in (Kind.COLLECTION, Kind.UNKNOWN):
                yield from site.replace(value, f"{name}[0]", factor * 0.3)
                yield from site.replace(value, f"len({name})", factor * 0.3)


@template("parallel-assignment", 0.12, ast.Assign)
def reorder_targets(site: Site, node: ast.Assign) -> Iterator[Rewrite]:
    """`a, b = x, y` becomes `b, a = x, y`; values swap in the family of displays."""
    target = node.targets[0]
    if not isinstance(target, ast.Tuple) or len(target.elts) < 2:
        return
    texts = [site.text(each) for each in target.elts]
    for index in range(len(texts) - 1):
        order = [*texts]
        order[index], order[index + 1] = texts[index + 1], texts[index]
        start, end = site.source.span(target.elts[0])[0], site.source.span(target.elts[-1])[1]
        yield from site.splice(start, end, ", ".join(order))


@template("combine-values", 0.12, ast.Assign, ast.AugAssign, ast.Return)
def combine_values(site: Site, node: ast.Assign | ast.AugAssign | ast.Return) -> Iterator[Rewrite]:
    """A number built from two variables: `x = v` becomes `x = a + b`, `x = a - b`."""
    if node.value is None or not isinstance(node.value, (ast.Name, ast.BinOp, ast.Subscript)):
        return
    if site.kind(node.value) not in (Kind.NUMBER, Kind.UNKNOWN):
        return
    names = site.scope.of_kind(Kind.NUMBER)[:5]
    for first in names:
        for second in names:
            if first != second:
                for symbol, weight in (("+", 0.6 if first < second else 0.0), ("-", 0.6)):
                    if weight:
                        yield from site.replace(node.value, f"{first} {symbol} {second}", weight)


def _compared(site: Site) -> list[str]:
    """Elements and attributes that the function compares something with, as written."""
    found: dict[str, None] = {}
    function = site.around.function
    for node in ast.walk(function) if function is not None else ():
        if isinstance(node, ast.Compare):
            for operand in (node.left, *node.comparators):
                if isinstance(operand, (ast.Subscript, ast.Attribute)):
                    found[site.text(operand)] = None
    return [bound for bound in found if len(bound) <= 40][:6]
