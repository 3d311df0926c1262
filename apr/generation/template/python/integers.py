"""Off by one: any integer-like expression plus or minus one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.template.python.registry import EXPRESSIONS, Rewrite, Site, is_load, template
from apr.generation.template.python.scope import Kind


def _position_weight(site: Site) -> float:
    """How often an off-by-one error sits in such a position."""
    parent, field = site.parent, site.field
    if isinstance(parent, ast.Slice) or field == "slice":
        return 1.0
    if isinstance(parent, ast.Call) and field == "args":
        is_range = isinstance(parent.func, ast.Name) and parent.func.id == "range"
        return 1.0 if is_range else 0.5
    if isinstance(parent, ast.Compare):
        return 0.5
    if isinstance(parent, ast.Return):
        return 0.5
    if isinstance(parent, ast.Assign) and field == "value":
        return 0.4
    if isinstance(parent, (ast.BinOp, ast.AugAssign)) and field != "target":
        return 0.3
    return 0.3 if isinstance(parent, (ast.IfExp, ast.Tuple)) else 0.0


@template("off-by-one", 0.35, *EXPRESSIONS)
def off_by_one(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    weight = _position_weight(site)
    kind = site.kind(node)
    if not weight or not is_load(node) or kind not in (Kind.NUMBER, Kind.UNKNOWN):
        return
    if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant):
        weight *= 0.4  # changing that constant says the same
    if kind is Kind.UNKNOWN:
        weight *= 0.6
    text = site.operand(node, 10)
    yield from site.replace(node, f"{text} + 1", weight)
    yield from site.replace(node, f"{text} - 1", weight)
