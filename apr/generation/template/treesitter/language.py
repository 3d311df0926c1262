"""The template repertoire for one tree-sitter grammar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from apr.generation.template.edits import Edit, Ingredients
from apr.generation.template.treesitter import (
    calls,
    conditions,
    constants,
    names,
    operators,
    statements,
    types,
)
from apr.generation.template.treesitter.context import Context
from apr.generation.template.treesitter.grammar import Grammar
from apr.generation.template.treesitter.syntax import Node, normalise, parse

Template = Callable[[Context, Node], Iterator[Edit]]
"""Yields the edits of one kind at one node; nothing where it does not apply."""

TEMPLATES: tuple[Template, ...] = (
    *operators.TEMPLATES,
    *constants.TEMPLATES,
    *names.TEMPLATES,
    *calls.TEMPLATES,
    *conditions.TEMPLATES,
    *statements.TEMPLATES,
    *types.TEMPLATES,
)


class TreeSitterLanguage:
    """Implements `Language` over a grammar table."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.suffixes = grammar.suffixes

    def harvest(self, text: str) -> Ingredients:
        """The ingredients of one file; none when it does not parse."""
        root = _tree(text, self.grammar)
        if root is None:
            return Ingredients()
        return _harvest(Context(text, root, self.grammar, None, Ingredients()))

    def edits(
        self, text: str, lines: frozenset[int] | None, ingredients: Ingredients
    ) -> Iterator[Edit]:
        """Every edit at `lines`, each replacement at a span once, in source order."""
        root = _tree(text, self.grammar)
        if root is None:
            return
        context = Context(text, root, self.grammar, lines, ingredients)
        for node in context.nodes:
            if node.parent is not None and context.line_of(node) is not None:
                yield from _edits_at(context, node)

    def normalise(self, text: str) -> str | None:
        """The tokens bracketed by the tree, without comments; None for a syntax error."""
        return normalise(text, self.grammar)

    def chunks(self, text: str) -> Sequence[tuple[int, int]]:
        """The top-level declarations, each with the space and comments that follow it."""
        root = _tree(text, self.grammar)
        starts = [c.start for c in root.children[1:] if c.named] if root is not None else []
        return list(zip([0, *starts], [*starts, len(text)], strict=True))


def _edits_at(context: Context, node: Node) -> Iterator[Edit]:
    for template in TEMPLATES:
        yield from template(context, node)


@lru_cache(maxsize=16)
def _tree(text: str, grammar: Grammar) -> Node | None:
    return parse(text, grammar)


def _harvest(context: Context) -> Ingredients:
    grammar = context.grammar
    members = (node.part(grammar.member_name) for node in context.nodes)
    constants_ = grammar.integers | grammar.floats | grammar.strings
    return Ingredients(
        names=Counter(n.text for n in context.nodes if context.is_variable(n)),
        calls=Counter(call.name.text for call in context.calls),
        attributes=Counter(
            name.text
            for name in members
            if name is not None and name.parent is not None and name.parent.kind in grammar.members
        ),
        constants=Counter(n.text for n in context.nodes if n.kind in constants_ and n.named),
        statements=Counter(node.text for node in context.file_statements),
        expressions=Counter(
            [n.text for n in context.atomic_conditions if "\n" not in n.text]
            + [call.node.text for call in context.calls if "\n" not in call.node.text]
        ),
    )
