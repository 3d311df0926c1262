"""The normal form of Python text: its tree without positions, if the compiler accepts it."""

from __future__ import annotations

import ast
import warnings

from apr.generation.template.python.source import parse


def normal_form(text: str) -> str | None:
    """Concatenated dumps of the top-level statements; None when the text does not compile."""
    tree = parse(text)
    if tree is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            compile(tree, "<candidate>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        return None
    parts: list[str] = []
    for node in tree.body:
        _dump(node, parts)
    return "".join(parts)


def _dump(node: ast.AST, parts: list[str]) -> None:
    """Like `ast.dump`, but appending to one list, which is several times faster."""
    parts.append(type(node).__name__)
    parts.append("(")
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            _dump(value, parts)
        elif isinstance(value, list):
            parts.append("[")
            for item in value:
                if isinstance(item, ast.AST):
                    _dump(item, parts)
                else:
                    parts.append(repr(item))
                parts.append(",")
            parts.append("]")
        elif name != "kind" and name != "type_comment":
            parts.append(repr(value))
        parts.append(";")
    parts.append(")")
