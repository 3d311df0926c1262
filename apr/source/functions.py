"""The functions of a Java, JavaScript or C file, found with tree-sitter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_LANGUAGES = {
    ".java": "java",
    ".js": "javascript",
    ".jsx": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".c": "c",
    ".h": "c",
}
_FUNCTIONS = frozenset(
    {"method_declaration", "constructor_declaration", "compact_constructor_declaration"}
    | {"function_declaration", "generator_function_declaration", "method_definition"}
    | {"function_definition"}
)
_SCOPES = frozenset(
    {"class_declaration", "interface_declaration", "enum_declaration", "record_declaration"}
)
_VALUES = frozenset({"arrow_function", "function_expression", "generator_function"})


@dataclass(frozen=True, slots=True)
class Function:
    """A function with its decorators; `name` is dotted and leaves `<locals>` out."""

    name: str
    first: int
    last: int


def find_functions(path: str, text: str) -> tuple[Function, ...]:
    """In source order, an outer function before the ones inside; none for other languages.

    A file with syntax errors yields the functions that could be read nevertheless.
    """
    root = parse_source(path, text)
    return () if root is None else tuple(_walk(root))


def parse_source(path: str, text: str) -> Node | None:
    """The syntax tree of a Java, JavaScript or C file; None for other languages."""
    language = _LANGUAGES.get(PurePosixPath(path).suffix.lower())
    if language is None:
        return None
    return _parser(language).parse(text.encode("utf-8", "replace")).root_node


@cache
def _parser(language: str) -> Parser:
    # Imported here, as most runs repair Python and never need a grammar.
    from importlib import import_module

    from tree_sitter import Language, Parser

    return Parser(Language(import_module(f"tree_sitter_{language}").language()))


def _walk(root: Node) -> Iterator[Function]:
    """Depth first without recursion, since generated code nests deeper than Python's stack."""
    pending: list[tuple[Node, str]] = [(root, "")]
    while pending:
        node, scope = pending.pop()
        name = _name_of(node)
        if name is not None:
            scope = f"{scope}.{name}" if scope else name
            if node.type not in _SCOPES:
                yield Function(scope, node.start_point[0] + 1, node.end_point[0] + 1)
        pending.extend((child, scope) for child in reversed(node.named_children))


def _name_of(node: Node) -> str | None:
    """The name that a function or class node declares; None for every other node."""
    if node.type == "variable_declarator":
        value = node.child_by_field_name("value")
        return _text(node, "name") if value is not None and value.type in _VALUES else None
    if node.type not in _FUNCTIONS and node.type not in _SCOPES:
        return None
    named: Node | None = node
    while named is not None and named.child_by_field_name("name") is None:
        inner = named.child_by_field_name("declarator")
        if inner is None:
            return _own_text(named) if named.type == "identifier" else None
        named = inner
    return _text(named, "name") if named is not None else None


def _text(node: Node, field: str) -> str | None:
    child = node.child_by_field_name(field)
    return _own_text(child) if child is not None else None


def _own_text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
