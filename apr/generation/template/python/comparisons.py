"""Relational operators (mutation operator ROR): boundary, direction, identity and membership."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.template.python.operators import replace_symbol
from apr.generation.template.python.registry import Rewrite, Site, template

SYMBOLS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
_ORDER = ("<", "<=", ">", ">=", "==", "!=")
_LIKELY = {
    "<": {"<=": 1.0, ">": 0.7, ">=": 0.5},
    "<=": {"<": 1.0, ">=": 0.7, ">": 0.5},
    ">": {">=": 1.0, "<": 0.7, "<=": 0.5},
    ">=": {">": 1.0, "<=": 0.7, "<": 0.5},
    "==": {"!=": 1.0, "<=": 0.5, ">=": 0.5, "is": 0.3, "in": 0.3},
    "!=": {"==": 1.0, "is not": 0.3, "not in": 0.2},
    "is": {"is not": 1.0, "==": 0.8},
    "is not": {"is": 1.0, "!=": 0.8},
    "in": {"not in": 1.0, "==": 0.4},
    "not in": {"in": 1.0, "!=": 0.4},
}


def _alternatives(symbol: str) -> dict[str, float]:
    others = dict.fromkeys(_ORDER, 0.35) if symbol in _ORDER else {}
    others.update(_LIKELY[symbol])
    others.pop(symbol, None)
    return others


@template("comparison-operator", 0.6, ast.Compare)
def swap_comparison(site: Site, node: ast.Compare) -> Iterator[Rewrite]:
    sides = [node.left, *node.comparators]
    for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
        symbol = SYMBOLS[type(operator)]
        is_literal = isinstance(right, ast.Constant) and right.value is not None
        for other, weight in _alternatives(symbol).items():
            if not (is_literal and other.startswith("is")):
                yield from replace_symbol(site, left, right, symbol, other, weight)


@template("comparison-sides", 0.08, ast.Compare)
def swap_sides(site: Site, node: ast.Compare) -> Iterator[Rewrite]:
    if len(node.ops) == 1 and not isinstance(node.ops[0], (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)):
        left, right = site.operand(node.comparators[0], 6), site.operand(node.left, 6)
        yield from site.replace(node, f"{left} {SYMBOLS[type(node.ops[0])]} {right}")


@template("comparison-and-bound", 0.12, ast.Compare)
def shift_bound(site: Site, node: ast.Compare) -> Iterator[Rewrite]:
    """Operator and constant together: `len(xs) == 0` becomes `len(xs) <= 1`."""
    bound = node.comparators[0]
    if len(node.ops) != 1 or not isinstance(bound, ast.Constant) or type(bound.value) is not int:
        return
    symbol = SYMBOLS[type(node.ops[0])]
    if symbol not in _ORDER:
        return
    left = site.operand(node.left, 6)
    for other, weight in _alternatives(symbol).items():
        if other in _ORDER:
            for value in (bound.value + 1, bound.value - 1):
                yield from site.replace(node, f"{left} {other} {value}", weight)


@template("chain-comparison", 0.04, ast.Compare)
def chain(site: Site, node: ast.Compare) -> Iterator[Rewrite]:
    """One end of a chain dropped: `a < b < c` becomes `a < b` or `b < c`."""
    if len(node.ops) < 2:
        return
    sides = [node.left, *node.comparators]
    start, end = site.source.span(node)
    text = site.source.text
    yield from site.replace(node, text[start : site.source.span(sides[-2])[1]])
    yield from site.replace(node, text[site.source.span(sides[1])[0] : end])
