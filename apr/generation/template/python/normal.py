"""The normal form of Python text: its tree without positions, if the compiler accepts it."""

from __future__ import annotations

import ast
import re
import warnings

from apr.generation.template.python.source import parse

_INDENTED = re.compile(r"(?:[ \t]*(?:#.*)?[\r\n]+)*[ \t]+[^\s#]")


def normal_form(text: str) -> str | None:
    """Concatenated dumps of the top-level statements; None when the text does not compile.

    Members of a class, indented as they are, are marked so that they differ from the same
    statements at the top level.
    """
    if not _INDENTED.match(text):
        tree = parse(text)
        return _dumps(tree.body, "") if tree is not None and _compiles(tree) else None
    tree = parse(f"if 1:\n{text}")
    if tree is None or len(tree.body) != 1 or not _compiles(tree):
        return None
    branch = tree.body[0]
    if not isinstance(branch, ast.If) or branch.orelse:
        return None
    return _dumps(branch.body, ">")


def _compiles(tree: ast.Module) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            compile(tree, "<candidate>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        return False
    return True


def _dumps(nodes: list[ast.stmt], mark: str) -> str:
    """A class at the top level is its head and then its members, marked, one by one."""
    parts: list[str] = []
    for node in nodes:
        parts.append(mark)
        if isinstance(node, ast.ClassDef) and not mark:
            members, node.body = node.body, []
            _dump(node, parts)
            parts.append(_dumps(members, ">"))
        else:
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
