"""A light syntax tree over tree-sitter's, with offsets in characters of the source."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from apr.generation.template.treesitter.grammar import Grammar

if TYPE_CHECKING:
    from tree_sitter import Node as ParsedNode
    from tree_sitter import Parser

_NON_ASCII = re.compile(r"[^\x00-\x7f]")


@dataclass(slots=True, eq=False)
class Node:
    """A syntax node: `text[start:end]` of the source, first character on 1-based `line`.

    `field` is its role in the parent. Unnamed children (punctuation, operators) are kept, so
    that the leaves spell the program; comments are not.
    """

    kind: str
    start: int
    end: int
    line: int
    text: str
    named: bool
    field: str
    parent: Node | None
    children: list[Node] = dataclasses.field(default_factory=list)

    def part(self, name: str) -> Node | None:
        """The first child in the given role."""
        return next((child for child in self.children if child.field == name), None)

    @property
    def named_children(self) -> list[Node]:
        """The children that are more than punctuation."""
        return [child for child in self.children if child.named]

    def walk(self) -> Iterator[Node]:
        """This node and its descendants in source order."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def ancestors(self) -> Iterator[Node]:
        """The parent, its parent, and so on."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def enclosing(self, kinds: frozenset[str]) -> Node | None:
        """The nearest proper ancestor of one of the kinds."""
        return next((node for node in self.ancestors() if node.kind in kinds), None)


def parse(text: str, grammar: Grammar) -> Node | None:
    """The syntax tree of `text`, or None when it has a syntax error."""
    root = _parser(grammar).parse(_shadow(text).encode("ascii")).root_node
    if root.has_error:
        return None
    return _convert(root, text, grammar)


def _shadow(text: str) -> str:
    """`text` with an ASCII stand-in for every other character: a byte offset is then an offset
    in characters, and the grammar sees the same tokens."""
    return text if text.isascii() else _NON_ASCII.sub(_stand_in, text)


def _stand_in(match: re.Match[str]) -> str:
    character = match.group()
    return " " if character.isspace() or character == "\ufeff" else "x"


@lru_cache(maxsize=8)
def _parser(grammar: Grammar) -> Parser:
    from tree_sitter import Language, Parser

    return Parser(Language(import_module(grammar.module).language()))


def _convert(root: ParsedNode, text: str, grammar: Grammar) -> Node:
    top = _node(root, text, "", None)
    stack = [(root, top)]
    while stack:
        parsed, node = stack.pop()
        if node.kind in grammar.opaque:
            continue
        for index, child in enumerate(parsed.children):
            if child.type not in grammar.comments:
                role = parsed.field_name_for_child(index) or ""
                made = _node(child, text, role, node)
                node.children.append(made)
                stack.append((child, made))
    return top


def _node(parsed: ParsedNode, text: str, role: str, parent: Node | None) -> Node:
    start, end = parsed.start_byte, parsed.end_byte
    line = parsed.start_point.row + 1
    return Node(parsed.type, start, end, line, text[start:end], parsed.is_named, role, parent)


def normalise(text: str, grammar: Grammar) -> str | None:
    """The tokens of `text`, bracketed by the tree so that layout which matters still shows.

    Free of comments and other layout; None for a syntax error. Each top-level piece ends in a
    line feed, so that the forms of consecutive pieces, concatenated, are the form of the whole.
    """
    root = parse(text, grammar)
    return None if root is None else "".join(f"{_bracketed(c)}\n" for c in root.children)


def _bracketed(top: Node) -> str:
    parts: list[str] = []
    stack: list[Node | str] = [top]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            parts.append(item)
        elif item.children:
            parts.append("(")
            stack.extend((")", *reversed(item.children)))
        else:
            parts.append(item.text)
    return " ".join(parts)
