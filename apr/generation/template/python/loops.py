"""Loops: range bounds, direction, and what is iterated."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.template.python.registry import Rewrite, Site, template
from apr.generation.template.python.scope import Kind


def _is_range(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"
    )


@template("range-bound", 0.25, ast.Call)
def range_bounds(site: Site, node: ast.Call) -> Iterator[Rewrite]:
    """Add, drop or reverse the bounds of a `range`."""
    if not _is_range(node) or node.keywords:
        return
    texts = [site.text(each) for each in node.args]
    for arguments, weight in _ranges(site, texts):
        yield from site.replace(node, f"range({arguments})", weight)


def _ranges(site: Site, texts: list[str]) -> Iterator[tuple[str, float]]:
    numbers = [name for name in site.scope.of_kind(Kind.NUMBER)[:6] if name not in texts]
    if len(texts) == 1:
        for start in ("1", "2"):
            yield f"{start}, {texts[0]}", 0.8
        yield f"1, {texts[0]} + 1", 0.9
        for name in numbers:
            yield f"{name}, {texts[0]}", 0.6
            yield f"{name} + 1, {texts[0]}", 0.6
        yield f"{texts[0]} - 1, -1, -1", 0.5
        yield f"0, {texts[0]}, 2", 0.3
    elif len(texts) == 2:
        yield texts[1], 0.6
        yield f"{texts[1]} - 1, {texts[0]} - 1, -1", 0.3
        yield f"{texts[0]}, {texts[1]}, 2", 0.4
        yield f"{texts[0]}, {texts[1]}, -1", 0.3
        yield f"{texts[0]} + 1, {texts[1]} + 1", 0.6
    elif len(texts) == 3:
        yield f"{texts[0]}, {texts[1]}", 0.6
        for name in numbers:
            yield f"{texts[0]}, {texts[1]}, {name}", 0.4
    for name in site.scope.of_kind(Kind.COLLECTION)[:4]:
        if site.scope.kind(name) is Kind.COLLECTION and f"len({name})" not in texts:
            yield ", ".join([*texts[:-1], f"len({name})"]), 0.3


_ITERABLES = (
    ("list({})", 0.6),
    ("{}[:]", 0.6),
    ("reversed({})", 0.7),
    ("sorted({})", 0.7),
    ("enumerate({})", 0.4),
    ("{}.items()", 0.6),
    ("{}.values()", 0.4),
    ("{}[1:]", 0.8),
    ("{}[:-1]", 0.6),
    ("range(len({}))", 0.5),
    ("set({})", 0.3),
)


@template("iterable", 0.2, ast.For, ast.AsyncFor)
def change_iterable(site: Site, node: ast.For | ast.AsyncFor) -> Iterator[Rewrite]:
    """Iterate over a copy, in another order, over part of it, or over something else."""
    text = site.operand(node.iter, 15)
    if not _is_range(node.iter):
        for pattern, weight in _ITERABLES:
            yield from site.replace(node.iter, pattern.format(text), weight)
    elif isinstance(node.iter, ast.Call):
        yield from site.replace(node.iter, f"reversed({text})", 0.6)
    for name in site.scope.of_kind(Kind.COLLECTION)[:6]:
        if name != text:
            sure = 1.0 if site.scope.kind(name) is Kind.COLLECTION else 0.4
            yield from site.replace(node.iter, name, 0.6 * sure)
            yield from site.replace(node.iter, f"{name}[1:]", 0.2 * sure)


@template("loop-condition", 0.3, ast.While)
def bound_loop(site: Site, node: ast.While) -> Iterator[Rewrite]:
    """`while True` becomes `while xs`, the collections that the loop empties first."""
    if not isinstance(node.test, ast.Constant):
        return
    emptied = {
        site.text(each.func.value)
        for each in ast.walk(node)
        if isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr.startswith(("pop", "remove", "get"))
    }
    for name in site.scope.of_kind(Kind.COLLECTION)[:6]:
        yield from site.replace(node.test, name, 1.0 if name in emptied else 0.4)


@template("loop-progress", 0.45, ast.While)
def advance(site: Site, node: ast.While) -> Iterator[Rewrite]:
    """The loop never changes what it tests: update that variable at the end of its body."""
    stored = {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)
    }
    tested = [each.id for each in ast.walk(node.test) if isinstance(each, ast.Name)]
    body = Site(site.around, node.body[-1])
    for name in dict.fromkeys(tested):
        if name not in stored and name in site.scope.variables:
            for code in (f"{name} += 1", f"{name} -= 1", f"{name} //= 2", f"{name}.pop()"):
                yield from body.insert_after(node.body[-1], code, 0.4 if "." in code else 1.0)


@template("loop-else", 0.05, ast.For, ast.While)
def extend_loop(site: Site, node: ast.For | ast.While) -> Iterator[Rewrite]:
    """Drop the `else` of a loop: its body follows the loop."""
    if node.orelse:
        texts = [site.statement_text(each) for each in node.orelse]
        if all(text is not None for text in texts):
            code = "\n".join(text for text in texts if text is not None)
            start = site.source.lines_span(node.body[-1])[1]
            end = site.source.lines_span(node)[1]
            yield from site.splice(start, end, site.indented(node, code))
