"""Collects repair ingredients from the nodes of a file or function."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable

from apr.generation.template.edits import Ingredients
from apr.generation.template.python.source import Source

_LONGEST = 120  # characters; longer fragments are hardly ever reused as they stand


def harvest_nodes(source: Source, nodes: Iterable[ast.AST]) -> Ingredients:
    """What `nodes` (all of them from `source`) contain, each fragment as written."""
    names: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    attributes: Counter[str] = Counter()
    constants: Counter[str] = Counter()
    statements: Counter[str] = Counter()
    expressions: Counter[str] = Counter()
    for node in nodes:
        if isinstance(node, ast.Name):
            names[node.id] += 1
        elif isinstance(node, ast.Attribute):
            attributes[node.attr] += 1
        elif isinstance(node, ast.Constant):
            constants[repr(node.value)] += 1
        elif isinstance(node, ast.Call):
            calls[_callee(node)] += 1
        if isinstance(node, (ast.Call, ast.Compare, ast.BoolOp, ast.Subscript, ast.BinOp)):
            _count_text(expressions, source, node)
        elif isinstance(node, (ast.Assign, ast.AugAssign, ast.Return, ast.Raise)) or (
            isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
        ):
            _count_text(statements, source, node)
    calls.pop("", None)
    return Ingredients(names, calls, attributes, constants, statements, expressions)


def _callee(node: ast.Call) -> str:
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _count_text(table: Counter[str], source: Source, node: ast.expr | ast.stmt) -> None:
    if node.lineno == node.end_lineno:
        text = source.segment(node)
        if len(text) <= _LONGEST:
            table[text] += 1
