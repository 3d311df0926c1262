"""A light inference of the types of expressions, from declarations and familiar names."""

from __future__ import annotations

from functools import cached_property

from apr.generation.template.treesitter.grammar import Grammar
from apr.generation.template.treesitter.roles import COMPARISONS, CONNECTIVES, Roles
from apr.generation.template.treesitter.scope import (
    INTEGER,
    REAL,
    TEXT,
    TRUTH,
    UNKNOWN,
    Variable,
    family_of,
    scope_of,
)
from apr.generation.template.treesitter.syntax import Node

_LONGEST = 300  # characters of an expression worth looking into; bounds the depth of recursion
_BY_NAME = {
    **dict.fromkeys(("length", "size", "indexOf", "strlen", "intValue", "compareTo"), INTEGER),
    **dict.fromkeys(("equals", "isEmpty", "contains", "startsWith", "endsWith", "includes"), TRUTH),
    **dict.fromkeys(("sqrt", "pow", "floor", "ceil", "doubleValue"), REAL),
    **dict.fromkeys(("substring", "toString", "toLowerCase", "toUpperCase", "trim"), TEXT),
}


class Families(Roles):
    """Questions about the types of expressions in one source."""

    def __init__(self, root: Node, grammar: Grammar) -> None:
        super().__init__(grammar)
        self.nodes = tuple(root.walk())
        self._scope = scope_of(root, grammar)
        self._visible: dict[int, tuple[Variable, ...]] = {}

    def family(self, node: Node) -> str:
        """The family of an expression's type, `UNKNOWN` when nothing nearby says."""
        grammar = self.grammar
        if node.kind in grammar.integers:
            return REAL if _is_real(node.text) else INTEGER
        if node.kind in grammar.floats:
            return REAL
        if node.kind in grammar.strings:
            return INTEGER if node.kind.startswith("char") else TEXT
        if node.kind in ("true", "false", "instanceof_expression"):
            return TRUTH
        if node.kind in grammar.identifiers:
            return self._scope.family(node.text, node.start)
        return self._family_of_compound(node)

    def _family_of_compound(self, node: Node) -> str:
        grammar = self.grammar
        if node.end - node.start > _LONGEST:
            return UNKNOWN
        if node.kind in grammar.binaries:
            return self._family_of_binary(node)
        if node.kind in grammar.parentheses | grammar.unaries | grammar.updates:
            operand = self.operand(node)
            is_not = self.operator(node) == "!"
            return TRUTH if is_not else self.family(operand) if operand is not None else UNKNOWN
        if node.kind in grammar.casts:
            spelled = node.part("type")
            return family_of(spelled.text) if spelled is not None else UNKNOWN
        if node.kind in grammar.ternaries:
            branch = node.part("consequence")
            return self.family(branch) if branch is not None else UNKNOWN
        if node.kind in grammar.subscripts:
            return self._family_of_element(node)
        return self._family_by_name(node)

    def _family_of_binary(self, node: Node) -> str:
        parts = self.operands(node)
        if parts is None:
            return UNKNOWN
        left, operator, right = parts
        if operator in COMPARISONS or operator in CONNECTIVES:
            return TRUTH
        families = {self.family(left), self.family(right)}
        for family in (TEXT, REAL):
            if family in families:
                return family
        return INTEGER if families == {INTEGER} else UNKNOWN

    def _family_of_element(self, node: Node) -> str:
        array = node.part(self.grammar.subscript_object)
        family = self.family(array) if array is not None else UNKNOWN
        for suffix in ("[]", "*"):
            if family.endswith(suffix):
                return family_of(family.removesuffix(suffix))
        return UNKNOWN

    def _family_by_name(self, node: Node) -> str:
        call = self.call(node)
        name = call.name.text if call is not None else ""
        if node.kind in self.grammar.members:
            part = node.part(self.grammar.member_name)
            name = part.text if part is not None else ""
            if name in self._fields:
                return self._fields[name]
        elif call is not None and name in self._returns:
            return self._returns[name]
        return _BY_NAME.get(name, UNKNOWN)

    @cached_property
    def _returns(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for node in self.nodes:
            if node.kind in self.grammar.functions:
                name, spelled = self.function_name(node), node.part("type")
                if name and spelled is not None:
                    found.setdefault(name, family_of(spelled.text))
        return found

    @cached_property
    def _fields(self) -> dict[str, str]:
        return {v.name: v.family for v in self._scope.variables if v.is_field}

    def return_family(self, node: Node) -> str:
        """The declared return type's family at `node`; `void` where nothing is returned."""
        function = self.function_of(node)
        spelled = function.part("type") if function is not None else None
        if function is None or spelled is None:
            return "void" if function is not None and "constructor" in function.kind else UNKNOWN
        declarator = function.part("declarator")
        stars = "*" if declarator is not None and declarator.kind == "pointer_declarator" else ""
        return family_of(spelled.text + stars)

    def variables(self, node: Node) -> tuple[Variable, ...]:
        """The variables in scope at the node, the nearest first."""
        found = self._visible.get(node.start)
        if found is None:
            found = self._visible[node.start] = tuple(self._scope.at(node.start))
        return found

    def family_of_name(self, name: str, at: Node) -> str:
        """The family of the variable called `name` at a node."""
        return self._scope.family(name, at.start)

    @property
    def declared(self) -> tuple[Variable, ...]:
        """Every variable of the file."""
        return self._scope.variables


def _is_real(number: str) -> bool:
    lowered = number.lower()
    return not lowered.startswith("0x") and ("." in lowered or lowered[-1] in "fd")
