"""Exceptions: caught where they are not, or of another type."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.template.python.registry import Rewrite, Site, template
from apr.generation.template.python.values import results

_COMMON = (
    "ValueError",
    "KeyError",
    "TypeError",
    "IndexError",
    "AttributeError",
    "Exception",
    "StopIteration",
    "RuntimeError",
    "OSError",
    "ZeroDivisionError",
    "NotImplementedError",
)


def _likely(node: ast.stmt) -> list[str]:
    """Exceptions that the statement's own operations raise."""
    found: dict[str, None] = {}
    for each in ast.walk(node):
        if isinstance(each, ast.Subscript):
            found.update(dict.fromkeys(("KeyError", "IndexError")))
        elif isinstance(each, ast.BinOp) and isinstance(each.op, (ast.Div, ast.FloorDiv, ast.Mod)):
            found["ZeroDivisionError"] = None
        elif isinstance(each, ast.Attribute):
            found["AttributeError"] = None
        elif isinstance(each, ast.Call) and isinstance(each.func, ast.Name):
            found["StopIteration" if each.func.id == "next" else "ValueError"] = None
    return [*found, "TypeError"]


@template("catch", 0.06, ast.Assign, ast.AugAssign, ast.Expr, ast.Return)
def catch(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """Wrap the statement in `try`, and pass, return or continue on an exception it may raise."""
    code = site.statement_text(node)
    if code is None or not site.source.is_own_line(node) or site.around.function is None:
        return
    inner = "\n".join("\t" + line if line else line for line in code.split("\n"))
    handlers = ["pass", *(f"return {text}" for text, _ in results(site)[:3])]
    if site.source.loop(node) is not None:
        handlers.append("continue")
    for rank, error in enumerate(_likely(node)):
        for handler in handlers:
            wrapped = f"try:\n{inner}\nexcept {error}:\n\t{handler}"
            yield from site.replace_statement(node, wrapped, 0.9**rank)


@template("exception-type", 0.15, ast.ExceptHandler)
def catch_other(site: Site, node: ast.ExceptHandler) -> Iterator[Rewrite]:
    """Catch another type, or one more."""
    if node.type is None:
        return
    own = site.text(node.type)
    for rank, error in enumerate(_COMMON):
        if error not in own:
            weight = 1.0 - 0.05 * rank
            yield from site.replace(node.type, error, weight)
            if not isinstance(node.type, ast.Tuple):
                yield from site.replace(node.type, f"({own}, {error})", weight)


@template("raised-type", 0.12, ast.Raise)
def raise_other(site: Site, node: ast.Raise) -> Iterator[Rewrite]:
    error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    if isinstance(error, ast.Name):
        for rank, other in enumerate(_COMMON):
            yield from site.replace(error, other, 1.0 - 0.05 * rank)
