"""The template repertoire for Java, JavaScript and C, on tree-sitter."""

from __future__ import annotations

from apr.generation.template.edits import Language
from apr.generation.template.treesitter.grammar import GRAMMARS
from apr.generation.template.treesitter.language import TreeSitterLanguage

LANGUAGES: tuple[Language, ...] = tuple(TreeSitterLanguage(grammar) for grammar in GRAMMARS)

__all__ = ["LANGUAGES", "TreeSitterLanguage"]
