"""Which lines a statement takes, in any language: the bounds of what is repaired as one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apr.source.functions import parse_source
from apr.source.statements import index_source

if TYPE_CHECKING:
    from tree_sitter import Node

_ENDINGS = ("_statement", "_declaration", "_definition")
_KINDS = frozenset({"declaration", "catch_clause", "finally_clause", "else_clause"})
_BLOCKS = frozenset(
    {"block", "statement_block", "compound_statement", "constructor_body", "switch_block"}
    | {"switch_body", "class_body", "interface_body", "enum_body", "field_declaration_list"}
)


def statement_lines(path: str, text: str, line: int) -> tuple[int, int]:
    """First and last line of the statement, or of a compound one's header, on a 1-based line.

    A line that belongs to none, such as a blank one, is on its own.
    """
    root = parse_source(path, text)
    if root is None:
        statement = index_source(path, text).statement_at(line)
        return (line, line) if statement is None else (statement.first, statement.last)
    row = line - 1
    rows = text.encode("utf-8", "replace").split(b"\n")
    code = rows[row].strip() if row < len(rows) else b""
    if not code:
        return line, line
    start = rows[row].index(code)
    node = root.descendant_for_point_range((row, start), (row, start + len(code) - 1))
    while node is not None and not _is_statement(node):
        node = node.parent
    return (line, line) if node is None else _header(node, line)


def _is_statement(node: Node) -> bool:
    return node.type.endswith(_ENDINGS) or node.type in _KINDS


def _header(node: Node, line: int) -> tuple[int, int]:
    """The lines of a statement up to where what it holds begins; `line` if it is not among them."""
    first, last = node.start_point[0] + 1, node.end_point[0] + 1
    for child in node.named_children:
        if child.type in _BLOCKS:
            last = child.start_point[0] + 1
        elif _is_statement(child) and child.start_point[0] + 1 > first:
            last = child.start_point[0]
        else:
            continue
        break
    return (first, last) if first <= line <= last else (line, line)
