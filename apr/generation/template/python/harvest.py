"""Collects repair ingredients from the nodes of a file or function."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

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
    members: Counter[str] = Counter()
    for node in nodes:
        if isinstance(node, ast.Name):
            names[node.id] += 1
        elif isinstance(node, ast.Attribute):
            attributes[node.attr] += 1
        elif isinstance(node, ast.Constant):
            constants[repr(node.value)] += 1
        elif isinstance(node, ast.Call):
            calls[_callee(node)] += 1
        elif isinstance(node, ast.ClassDef):
            members.update(_members(node))
        if isinstance(node, (ast.Call, ast.Compare, ast.BoolOp, ast.Subscript, ast.BinOp)):
            _count_text(expressions, source, node)
        elif isinstance(node, (ast.Assign, ast.AugAssign, ast.Return, ast.Raise)) or (
            isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
        ):
            _count_text(statements, source, node)
    calls.pop("", None)
    return Ingredients(names, calls, attributes, constants, statements, expressions, members)


def _members(node: ast.ClassDef) -> Iterator[str]:
    """The attributes that the body of a class declares, properties and methods included."""
    for part in node.body:
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{node.name}.{part.name}"
        targets = part.targets if isinstance(part, ast.Assign) else []
        for target in [part.target] if isinstance(part, ast.AnnAssign) else targets:
            if isinstance(target, ast.Name):
                yield f"{node.name}.{target.id}"


def _callee(node: ast.Call) -> str:
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _count_text(table: Counter[str], source: Source, node: ast.expr | ast.stmt) -> None:
    if node.lineno == node.end_lineno:
        text = source.segment(node)
        if len(text) <= _LONGEST:
            table[text] += 1
