"""Whether a comparison method compares, or only says what an assertion would like to hear."""

from __future__ import annotations

import ast
from collections.abc import Iterator

EQUALITY = frozenset({"__eq__", "__ne__"})
_VALUES = frozenset(
    {
        *("int", "float", "complex", "bool", "str", "bytes", "bytearray", "tuple", "list", "dict"),
        *("set", "frozenset", "Decimal", "Fraction", "UserString", "UserList", "UserDict"),
    }
)
"""Types whose comparison is right as it is: a subclass with one of its own is suspicious."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def is_dishonest(method: _Function) -> bool:
    """Whether an equality method may call equal what is not.

    Honest is: a plain method whose every `return` gives False, NotImplemented, a comparison of
    the two sides, a question for the other one's kind, or several of these joined by `and`.
    """
    arguments = [*method.args.posonlyargs, *method.args.args]
    if isinstance(method, ast.AsyncFunctionDef) or len(arguments) < 2:
        return True
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(method)):
        return True
    sides = frozenset(argument.arg for argument in arguments[:2])
    deserved = frozenset(_returned_where_honest(method, sides))
    return not all(
        node in deserved or _is_honest(node.value, sides, method.name)
        for node in ast.walk(method)
        if isinstance(node, ast.Return)
    )


def derives_from_value(node: ast.ClassDef) -> bool:
    """Whether the class is by name a kind of number, text or collection of the language."""
    return any(_last_name(base) in _VALUES for base in node.bases)


def equality_methods(node: ast.ClassDef) -> Iterator[_Function]:
    """The equality methods of a class, also those that a condition inside it defines."""
    pending: list[ast.AST] = list(node.body)
    while pending:
        item = pending.pop()
        if isinstance(item, _Function):
            if item.name in EQUALITY:
                yield item
        elif not isinstance(item, ast.ClassDef):
            pending.extend(ast.iter_child_nodes(item))


def _is_honest(value: ast.expr | None, sides: frozenset[str], name: str) -> bool:
    if isinstance(value, ast.BoolOp):
        # To be equal takes all parts, or identity; to differ takes one.
        joined = isinstance(value.op, ast.And) == (name == "__eq__") or _is_identity(
            value.values[0]
        )
        return joined and all(_is_honest(part, sides, name) for part in value.values)
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
        return name == "__ne__" and _names(value) >= sides
    if isinstance(value, ast.Compare):
        operator = value.ops[0]
        fitting = ast.Eq | ast.Is if name == "__eq__" else ast.NotEq | ast.IsNot
        return len(value.ops) == 1 and isinstance(operator, fitting) and _are_apart(value, sides)
    if isinstance(value, ast.Call):
        return _names(value) >= sides or _asks_for_own_kind(value)
    constant = value.value if isinstance(value, ast.Constant) else value
    if constant is (name == "__ne__"):
        return True
    return isinstance(constant, ast.Name) and constant.id == "NotImplemented"


def _are_apart(node: ast.Compare, sides: frozenset[str]) -> bool:
    """One side on the left, the other on the right: `x == x` compares nothing."""
    left, right = _names(node.left) & sides, _names(node.comparators[0]) & sides
    return len(left) == len(right) == 1 and left != right


def _is_identity(node: ast.expr) -> bool:
    return isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is)


def _asks_for_own_kind(call: ast.Call) -> bool:
    """`isinstance(other, Kind)` of no type of the language, or what `super()` says."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in EQUALITY:
        return True
    if not (isinstance(call.func, ast.Name) and call.func.id == "isinstance"):
        return False
    return len(call.args) == 2 and not {
        _last_name(node) for node in ast.walk(call.args[1]) if isinstance(node, ast.expr)
    } & {*_VALUES, "object"}


def _returned_where_honest(method: _Function, sides: frozenset[str]) -> Iterator[ast.Return]:
    """`if self is other: return True`, and so below any other honest condition."""
    for node in ast.walk(method):
        if isinstance(node, ast.If) and _is_honest(node.test, sides, method.name):
            yield from (item for item in node.body if isinstance(item, ast.Return))


def _names(node: ast.AST) -> frozenset[str]:
    return frozenset(item.id for item in ast.walk(node) if isinstance(item, ast.Name))


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
