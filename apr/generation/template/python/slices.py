"""Slices and subscripts: a missing slice, a bound too many or too few."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.template.python.registry import Rewrite, Site, is_load, template
from apr.generation.template.python.scope import Kind


@template("add-slice", 0.22, ast.Name, ast.Attribute, ast.Subscript)
def add_slice(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """A bare sequence becomes part of itself: `xs` becomes `xs[k:]`, `xs[:k]`, `xs[1:]`."""
    kind = site.kind(node)
    if not is_load(node) or kind not in (Kind.COLLECTION, Kind.STRING, Kind.UNKNOWN):
        return
    if site.field in ("func", "value") and not isinstance(
        site.parent, (ast.Return, ast.Assign, ast.AugAssign)
    ):
        return
    factor = 1.0 if kind is not Kind.UNKNOWN else 0.4
    text = site.text(node)
    for part, weight in (("1:", 1.0), (":-1", 0.8), ("::-1", 0.5), (":", 0.5), ("2:", 0.2)):
        yield from site.replace(node, f"{text}[{part}]", weight * factor)
    for name in site.scope.of_kind(Kind.NUMBER)[:5]:
        sure = 1.0 if site.scope.kind(name) is Kind.NUMBER else 0.4
        if name != text:
            for part, weight in ((f"{name}:", 1.0), (f":{name}", 1.0), (f"{name} + 1:", 0.4)):
                yield from site.replace(node, f"{text}[{part}]", weight * factor * sure)


@template("slice-bound", 0.2, ast.Subscript)
def change_bounds(site: Site, node: ast.Subscript) -> Iterator[Rewrite]:
    bounds = node.slice
    if not isinstance(bounds, ast.Slice):
        return
    lower, upper, step = (
        site.text(each) if each is not None else ""
        for each in (bounds.lower, bounds.upper, bounds.step)
    )
    base = site.operand(node.value, 15)
    tail = f":{step}" if step else ""
    if lower:
        yield from site.replace(node, f"{base}[:{upper}{tail}]", 0.8)
        if not upper:
            yield from site.replace(node, f"{base}[:{lower}{tail}]", 0.8)
    if upper:
        yield from site.replace(node, f"{base}[{lower}:{tail}]", 0.8)
        if not lower:
            yield from site.replace(node, f"{base}[{upper}:{tail}]", 0.8)
    if lower and upper:
        yield from site.replace(node, f"{base}[{upper}:{lower}{tail}]", 0.3)
    yield from _missing_bounds(site, node, (base, lower, upper, tail))
    if step:
        yield from site.replace(node, f"{base}[{lower}:{upper}]", 0.6)
    else:
        yield from site.replace(node, f"{base}[{lower}:{upper}:-1]", 0.4)
        yield from site.replace(node, f"{base}[{lower}:{upper}:2]", 0.3)


def _missing_bounds(
    site: Site, node: ast.Subscript, parts: tuple[str, str, str, str]
) -> Iterator[Rewrite]:
    base, lower, upper, tail = parts
    numbers = site.scope.of_kind(Kind.NUMBER)[:5]
    if not lower:
        for bound in ("1", *numbers):
            yield from site.replace(node, f"{base}[{bound}:{upper}{tail}]", 0.6)
    if not upper:
        for bound in ("-1", *numbers):
            yield from site.replace(node, f"{base}[{lower}:{bound}{tail}]", 0.6)


@template("index-to-slice", 0.08, ast.Subscript)
def index_to_slice(site: Site, node: ast.Subscript) -> Iterator[Rewrite]:
    """`xs[i]` becomes `xs[i:]` or `xs[:i]`."""
    if is_load(node) and not isinstance(node.slice, (ast.Slice, ast.Tuple)):
        base, index = site.operand(node.value, 15), site.text(node.slice)
        yield from site.replace(node, f"{base}[{index}:]")
        yield from site.replace(node, f"{base}[:{index}]")
        yield from site.replace(node, f"{base}[-{site.operand(node.slice, 12)}]", 0.5)
