"""When an expression needs parentheses where it is put."""

from __future__ import annotations

import ast
from functools import lru_cache

ATOM = 15
_BINARY = {
    ast.BitOr: 6,
    ast.BitXor: 7,
    ast.BitAnd: 8,
    ast.LShift: 9,
    ast.RShift: 9,
    ast.Add: 10,
    ast.Sub: 10,
    ast.Mult: 11,
    ast.MatMult: 11,
    ast.Div: 11,
    ast.FloorDiv: 11,
    ast.Mod: 11,
    ast.Pow: 13,
}
_LOOSE = (ast.Return, ast.Assign, ast.AugAssign, ast.Expr, ast.Yield)


@lru_cache(maxsize=65536)
def precedence(text: str) -> int:
    """How tightly the outermost operator of an expression binds; -1 when it does not parse."""
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return -1
    return _of_node(node)


def _of_node(node: ast.expr) -> int:
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)]
    if isinstance(node, ast.BoolOp):
        return 2 if isinstance(node.op, ast.Or) else 3
    if isinstance(node, ast.UnaryOp):
        return 4 if isinstance(node.op, ast.Not) else 12
    if isinstance(node, ast.Compare):
        return 5
    if isinstance(node, (ast.IfExp, ast.Lambda)):
        return 1
    if isinstance(node, (ast.Tuple, ast.Yield, ast.YieldFrom, ast.NamedExpr, ast.Starred)):
        return 0
    return 14 if isinstance(node, ast.Await) else ATOM


def required(parent: ast.AST | None, field: str) -> int:
    """The precedence below which the child of `parent` at `field` needs parentheses."""
    if isinstance(parent, ast.BinOp):
        level = _BINARY[type(parent.op)]
        is_loose_side = (field == "left") != isinstance(parent.op, ast.Pow)
        return level if is_loose_side else level + 1
    if isinstance(parent, ast.Compare):
        return 6
    if isinstance(parent, ast.BoolOp):
        return 3 if isinstance(parent.op, ast.Or) else 4
    if isinstance(parent, ast.UnaryOp):
        return 4 if isinstance(parent.op, ast.Not) else 12
    if isinstance(parent, (ast.Attribute, ast.Await)) or (
        isinstance(parent, (ast.Subscript, ast.Call)) and field in ("value", "func")
    ):
        return ATOM
    if isinstance(parent, (ast.IfExp, ast.comprehension)):
        return 2
    if isinstance(parent, ast.Starred):
        return 6
    return 0 if isinstance(parent, _LOOSE) or field == "slice" else 1


def fit(text: str, level: int) -> str:
    """`text`, in parentheses when it binds more loosely than `level`."""
    return text if precedence(text) >= level else f"({text})"
