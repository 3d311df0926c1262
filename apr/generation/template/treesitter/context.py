"""What a template works with: edits at requested lines, layout, and the ingredients around."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from apr.generation.template.edits import DonorIndex, Edit, Ingredients
from apr.generation.template.treesitter.families import Families
from apr.generation.template.treesitter.grammar import Grammar, kinds
from apr.generation.template.treesitter.roles import COMPARISONS, CONNECTIVES, Call
from apr.generation.template.treesitter.scope import INTEGER, REAL, TEXT, TRUTH, UNKNOWN
from apr.generation.template.treesitter.syntax import Node

_FREE_NAME = re.compile(r"(?<![\w$.>])[A-Za-z_$][\w$]*(?!\s*\(|[\w$])")
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")
_WORDS = kinds(
    "true false null undefined this super new return if else break continue throw "
    "instanceof typeof in of NULL sizeof int long double float char boolean void let "
    "const var final length await Infinity NaN"
)


class Context(Families):
    """One parsed source, the lines to edit, and everything a template may ask."""

    def __init__(
        self,
        text: str,
        root: Node,
        grammar: Grammar,
        lines: frozenset[int] | None,
        ingredients: Ingredients,
    ) -> None:
        super().__init__(root, grammar)
        self.text = text
        self.ingredients = ingredients
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self._lines = lines

    def line_of(self, node: Node) -> int | None:
        """The requested line an edit at `node` counts for: its own or its statement's."""
        if self._lines is None or node.line in self._lines:
            return node.line
        statement = self.statement_of(node)
        if statement is not None and statement.line in self._lines:
            return statement.line
        return None

    def edit(self, node: Node, replacement: str, template: str, prior: float) -> Iterator[Edit]:
        """Replace `node`, unless nothing changes or its line was not asked for."""
        if replacement != node.text:
            yield from self.splice(node, node.start, node.end, replacement, template, prior)

    def splice(
        self, at: Node, start: int, end: int, replacement: str, template: str, prior: float
    ) -> Iterator[Edit]:
        """Replace any span on behalf of the node `at`."""
        line = self.line_of(at)
        if line is not None:
            yield Edit(start, end, replacement, template, min(1.0, prior), line)

    def insert_before(self, node: Node, code: str, template: str, prior: float) -> Iterator[Edit]:
        """`code` on a line of its own before the statement `node`."""
        new = f"{code}{self.newline}{self.indent(node)}"
        yield from self.splice(node, node.start, node.start, new, template, prior)

    def insert_after(self, node: Node, code: str, template: str, prior: float) -> Iterator[Edit]:
        """`code` on a line of its own after the statement `node`."""
        new = f"{self.newline}{self.indent(node)}{code}"
        yield from self.splice(node, node.end, node.end, new, template, prior)

    def place(self, node: Node, code: str, *, loose: bool = True) -> str:
        """`code` as it may stand in place of `node`: parenthesised where it would bind wrongly."""
        parent = node.parent
        if not loose or parent is None or _is_atom(code):
            return code
        grammar = self.grammar
        if parent.kind in grammar.binaries:
            return code if self.operator(parent) in COMPARISONS and _is_sum(code) else f"({code})"
        binding = (
            parent.kind in grammar.unaries | grammar.casts | grammar.dereferences
            or (parent.kind in grammar.ternaries and node.field == "condition")
            or (node.field in (grammar.member_object, "function", "receiver"))
            or (node.field == grammar.subscript_object)
        )
        return f"({code})" if binding else code

    def indent(self, node: Node) -> str:
        """The white space that the node's line begins with."""
        start = self.text.rfind("\n", 0, node.start) + 1
        line = self.text[start : node.start]
        return line[: len(line) - len(line.lstrip())]

    def whole_lines(self, node: Node) -> tuple[int, int]:
        """The node's span, with its line break when it has its lines for itself."""
        start = self.text.rfind("\n", 0, node.start) + 1
        end = self.text.find("\n", node.end)
        end = len(self.text) if end < 0 else end + 1
        if self.text[start : node.start].strip() or self.text[node.end : end].strip():
            return node.start, node.end
        return start, end

    def fits(self, code: str, node: Node) -> bool:
        """Whether every free lower-case name in `code` is in scope at `node`."""
        names = {v.name for v in self.variables(node)}
        bare = _QUOTED.sub('""', code)
        return all(
            name in names or name in _WORDS or name[0].isupper() or name in self.function_names
            for name in _FREE_NAME.findall(bare)
        )

    def results(self, at: Node) -> list[tuple[str, float]]:
        """What the function around `at` could return, with priors, the likeliest first."""
        family = self.return_family(at)
        if family == "void":
            return []
        constants = {
            INTEGER: ("0", "1", "-1"),
            REAL: ("0", "1", "-1"),
            TRUTH: ("false", "true"),
            TEXT: ('""', self.grammar.null),
            UNKNOWN: ("false", "true", "0", "null", "[]", '""'),
        }.get(family, (self.grammar.null,))
        found = {code: 0.35 - 0.03 * rank for rank, code in enumerate(constants)}
        suited = [v.name for v in self.variables(at) if v.family == family]
        base = 0.28 if family else 0.19
        found.update({name: base - 0.02 * rank for rank, name in enumerate(suited[:8])})
        found.update(dict.fromkeys(self._returned_nearby(at), 0.4))
        return sorted(found.items(), key=lambda pair: -pair[1])

    def _returned_nearby(self, at: Node) -> list[str]:
        """The simple results that the function around `at` already returns somewhere."""
        function = self.function_of(at)
        codes = []
        for node in function.walk() if function is not None else ():
            value = node.named_children[:1] if node.kind == "return_statement" else []
            if value and _is_atom(value[0].text) and self.fits(value[0].text, at):
                codes.append(value[0].text)
        return codes

    @cached_property
    def donors(self) -> DonorIndex:
        """The project's statements."""
        return DonorIndex(self.ingredients.statements)

    @cached_property
    def member_accesses(self) -> tuple[Node, ...]:
        """Every access to a member, in order."""
        return tuple(node for node in self.nodes if node.kind in self.grammar.members)

    @cached_property
    def own_fields(self) -> frozenset[str]:
        """The names of the fields that objects of this file have."""
        own = (node for node in self.member_accesses if node.text.startswith("this."))
        names = (node.part(self.grammar.member_name) for node in own)
        declared = {variable.name for variable in self.declared if variable.is_field}
        return frozenset(name.text for name in names if name is not None) | declared

    @cached_property
    def record_fields(self) -> tuple[str, ...]:
        """The members of the file's structures (C), in order."""
        holder = frozenset({"field_declaration"})
        fields = (node for node in self.nodes if node.kind == "field_identifier")
        return tuple(dict.fromkeys(n.text for n in fields if n.enclosing(holder)))

    @cached_property
    def functions(self) -> tuple[Node, ...]:
        """Every function definition of the file, in order."""
        return tuple(node for node in self.nodes if node.kind in self.grammar.functions)

    @cached_property
    def literals(self) -> tuple[Node, ...]:
        """Every constant of the file, in order."""
        return tuple(node for node in self.nodes if self.is_literal(node))

    @cached_property
    def function_names(self) -> tuple[str, ...]:
        """The names of the functions that the file defines, in order."""
        names = (self.function_name(node) for node in self.functions)
        return tuple(dict.fromkeys(name for name in names if name))

    def arities(self, name: str) -> list[int]:
        """How many parameters the file's functions called `name` have."""
        named = (n for n in self.functions if self.function_name(n) == name)
        lists = (n.part("parameters") or _declared_parameters(n) for n in named)
        return [len(found.named_children) for found in lists if found is not None]

    @cached_property
    def atomic_conditions(self) -> tuple[Node, ...]:
        """The file's conditions taken apart at their connectives, in order."""
        found: list[Node] = []
        for condition in (self.conditions(node) for node in self.nodes):
            stack = [condition] if condition is not None else []
            while stack:
                node = stack.pop()
                parts = self.operands(node) if self.operator(node) in CONNECTIVES else None
                stack.extend([parts[2], parts[0]] if parts is not None else [])
                if parts is None and node.kind not in self.grammar.truths and len(node.text) < 80:
                    found.append(node)
        return tuple(found)

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """Every call of the file, in order."""
        found = (self.call(node) for node in self.nodes)
        return tuple(call for call in found if call is not None)

    @cached_property
    def file_statements(self) -> tuple[Node, ...]:
        """Every simple one-line statement of the file that is no declaration."""
        simple = ("expression_statement", "return_statement", "throw_statement")
        return tuple(n for n in self.nodes if n.kind in simple and "\n" not in n.text)


def _declared_parameters(function: Node) -> Node | None:
    declarator = function.part("declarator")
    while declarator is not None and declarator.part("parameters") is None:
        declarator = declarator.part("declarator")
    return declarator.part("parameters") if declarator is not None else None


def _is_atom(code: str) -> bool:
    """Whether nothing around `code` can bind tighter than what is inside it."""
    depth = 0
    for character in _QUOTED.sub('""', code):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and not (character.isalnum() or character in '_$.")]}'):
            return False
    return True


def _is_sum(code: str) -> bool:
    return not any(token in code for token in ("<", ">", "=", "&", "|", "?", "^"))
