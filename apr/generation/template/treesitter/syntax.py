"""A light syntax tree over tree-sitter's, with offsets in characters of the source."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from apr.generation.template.treesitter.grammar import Grammar

if TYPE_CHECKING:
    from tree_sitter import Language, Parser, Query
    from tree_sitter import Node as ParsedNode

_SPACES = re.compile(r"\s+")
_LAYOUT = re.compile(r"(?<![\w$]) | (?![\w$])")
_DECLARING = frozenset(
    {"function_definition", "declaration", "parameter_declaration", "field_declaration"}
)
_ONE_WORD = (["identifier"], ["type_identifier"], ["field_identifier"])
_CPLUSPLUS = re.compile(
    r"^[ \t]*#[ \t]*if(?:def[ \t]+|[ \t]+defined[ (]+)__cplusplus\b"
    r"(?:(?!^[ \t]*#[ \t]*(?:el|if)).)*?^[ \t]*#[ \t]*endif[^\n]*",
    re.MULTILINE | re.DOTALL,
)
_VISIBLE = re.compile(r"[^\n]")
_DEEPEST = 5000  # levels; tens of thousands crash, sources written by people have dozens
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
    """The syntax tree of `text`, or None when it has a syntax error or absurdly many levels."""
    root = _root(text, grammar)
    return None if root is None else _convert(root, text, grammar)


def _root(text: str, grammar: Grammar) -> ParsedNode | None:
    root = _parser(grammar).parse(_shadow(text, grammar).encode("ascii")).root_node
    broken = root.has_error and not (grammar.preprocessed and _errs_by_macro(root))
    return None if broken or _is_bottomless(root) else root


def _errs_by_macro(root: ParsedNode) -> bool:
    """Whether each error is only a macro that the preprocessor would have replaced.

    That is a word too many before a declarator (`EXPORT int f(void)`), a word in capitals too
    many anywhere (`int argc UNUSED`), or a semicolon too few after a call that opens a block
    (`FOR_EACH(x, xs) { ... }`).
    """
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            if not _is_macro(node):
                return False
        elif node.has_error:
            stack.extend(node.children)
    return True


def _is_macro(error: ParsedNode) -> bool:
    parent = error.parent
    if parent is None:
        return False
    if error.is_error:
        only_word = [child.type for child in error.children] in _ONE_WORD
        shouted = error.text is not None and error.text.isupper()
        return only_word and (shouted or parent.type in _DECLARING)
    block = parent.next_sibling
    opens = block is not None and block.type == "compound_statement"
    return opens and parent.type == "expression_statement" and parent.child_count == 2


def _is_bottomless(root: ParsedNode) -> bool:
    """Whether the tree is so deep that tree-sitter's own recursion would exhaust the stack."""
    if root.descendant_count <= _DEEPEST:
        return False
    cursor = root.walk()
    while cursor.depth <= _DEEPEST:
        if not cursor.goto_first_child():
            while not cursor.goto_next_sibling():
                if not cursor.goto_parent():
                    return False
    return True


def _shadow(text: str, grammar: Grammar) -> str:
    """`text` with an ASCII stand-in for every other character: a byte offset is then an offset
    in characters, and the grammar sees the same tokens. What only C++ sees in C is blank."""
    shadow = text if text.isascii() else _NON_ASCII.sub(_stand_in, text)
    if grammar.preprocessed and "__cplusplus" in shadow:
        return _CPLUSPLUS.sub(lambda match: _VISIBLE.sub(" ", match.group()), shadow)
    return shadow


def _stand_in(match: re.Match[str]) -> str:
    character = match.group()
    return " " if character.isspace() or character == "\ufeff" else "x"


@cache
def _language(grammar: Grammar) -> Language:
    from tree_sitter import Language

    return Language(import_module(grammar.module).language())


@cache
def _parser(grammar: Grammar) -> Parser:
    from tree_sitter import Parser

    return Parser(_language(grammar))


@cache
def _atoms(grammar: Grammar) -> Query:
    """Finds the nodes that white space must not be taken out of, and the comments."""
    from tree_sitter import Query

    kinds = sorted(grammar.opaque | grammar.comments)
    return Query(_language(grammar), f"[{' '.join(f'({kind})' for kind in kinds)}] @atom")


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
    """The structure of `text` and its tokens, free of layout and comments; None if broken.

    Each top-level piece ends in a line feed, so that the forms of consecutive pieces,
    concatenated, are the form of the whole.
    """
    from tree_sitter import QueryCursor

    root = _root(text, grammar)
    if root is None:
        return None
    atoms = QueryCursor(_atoms(grammar)).captures(root).get("atom", [])
    atoms.sort(key=lambda node: (node.start_byte, -node.end_byte))
    pieces = [child for child in root.children if child.type not in grammar.comments]
    return "".join(f"{_form(piece, atoms, text, grammar)}\n" for piece in pieces)


def _form(piece: ParsedNode, atoms: list[ParsedNode], text: str, grammar: Grammar) -> str:
    """The tree as an S-expression, which says where layout matters, then the tokens."""
    structure = str(piece)
    tokens, code, position = "", "", piece.start_byte
    for atom in atoms:
        if position <= atom.start_byte and atom.end_byte <= piece.end_byte:
            code += text[position : atom.start_byte]
            position = atom.end_byte
            if atom.type in grammar.comments:
                structure = structure.replace(f" ({atom.type})", "")
                code += " "
            else:
                tokens += _squeezed(code) + text[atom.start_byte : position]
                code = ""
    return f"{structure} {tokens}{_squeezed(code + text[position : piece.end_byte])}"


def _squeezed(text: str) -> str:
    """Without white space, but for one blank between two words."""
    return _LAYOUT.sub("", _SPACES.sub(" ", text))
