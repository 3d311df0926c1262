"""Which variables are in scope at a place, with the type that their declaration gives them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from apr.generation.template.treesitter.grammar import Grammar
from apr.generation.template.treesitter.syntax import Node

INTEGER, REAL, TRUTH, TEXT, UNKNOWN = "integer", "real", "truth", "text", ""
"""Families of types that a template cares about; any other type is its own family."""

_FAMILIES = {
    **dict.fromkeys(("int", "long", "short", "byte", "char", "Integer", "Long", "Short"), INTEGER),
    **dict.fromkeys(("size_t", "ssize_t", "unsigned", "signed", "Character", "Byte"), INTEGER),
    **dict.fromkeys(("ptrdiff_t", "intptr_t", "uintptr_t", "off_t", "time_t"), INTEGER),
    **{f"{sign}int{bits}_t": INTEGER for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **dict.fromkeys(("double", "float", "Double", "Float"), REAL),
    **dict.fromkeys(("boolean", "Boolean", "bool", "_Bool"), TRUTH),
    **dict.fromkeys(("String", "string"), TEXT),
    "var": UNKNOWN,
    "auto": UNKNOWN,
}
_PARAMETERS = frozenset(
    {"formal_parameter", "spread_parameter", "catch_formal_parameter", "parameter_declaration"}
)
_PARAMETER_LISTS = frozenset({"formal_parameters", "inferred_parameters"})
_DECLARATORS = frozenset({"variable_declarator", "init_declarator"})
_POINTERS = frozenset({"pointer_declarator", "array_declarator"})
_PATTERNS = frozenset({"array_pattern", "object_pattern", "rest_pattern"})
_FOREVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable visible in `[first, last)` of the source; `is_field` needs no receiver (Java)."""

    name: str
    family: str
    first: int
    last: int
    is_field: bool = False
    is_constant: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """Every variable of a file, in order of declaration."""

    variables: tuple[Variable, ...]

    def at(self, position: int) -> list[Variable]:
        """The variables visible at `position`, the innermost and latest first, names once."""
        visible = [v for v in self.variables if v.first <= position < v.last]
        visible.sort(key=lambda v: (v.is_field, v.last - v.first, -v.first))
        return list({variable.name: variable for variable in reversed(visible)}.values())[::-1]

    def family(self, name: str, position: int) -> str:
        """The family of the variable's type, `UNKNOWN` when nothing says."""
        found = [v for v in self.variables if v.name == name and v.first <= position < v.last]
        return min(found, key=lambda v: v.last - v.first).family if found else UNKNOWN


def family_of(type_text: str) -> str:
    """The family of a type as it is spelled."""
    words = type_text.replace("*", " * ").split()
    words = [word for word in words if word not in ("const", "static", "final", "volatile")]
    if len(words) > 1 and words[0] in ("unsigned", "signed", "long", "short") and "*" not in words:
        return REAL if words[-1] == "double" else INTEGER
    joined = "".join(words)
    return _FAMILIES.get(joined, joined)


def scope_of(root: Node, grammar: Grammar) -> Scope:
    """The variables declared in a file."""
    return Scope(tuple(v for node in root.walk() for v in _declared(node, grammar)))


def _declared(node: Node, grammar: Grammar) -> Iterator[Variable]:
    if node.kind in _DECLARATORS or node.kind in _PARAMETERS:
        yield from _by_declarator(node, grammar)
    elif node.kind == "declaration":
        for child in node.children:
            if child.field == "declarator" and child.kind not in _DECLARATORS:
                yield from _variable(child, _type_text(node), node.end, node, grammar)
    elif node.kind in ("enhanced_for_statement", "resource"):
        name = node.part("name")
        if name is not None:
            yield from _variable(name, _type_text(node), name.end, name, grammar)
    elif node.kind in ("for_in_statement", "catch_clause", "arrow_function", "lambda_expression"):
        yield from _by_role(node, grammar)
    elif node.kind in _PARAMETER_LISTS:
        for child in node.named_children:
            if child.kind not in _PARAMETERS:
                yield from _variable(child, "", child.end, child, grammar)


def _by_declarator(node: Node, grammar: Grammar) -> Iterator[Variable]:
    target = node.part("name") or node.part("declarator")
    if target is None and node.kind == "spread_parameter":
        return  # its own variable_declarator is visited by itself
    if target is not None:
        holder = node if node.part("type") is not None else node.parent
        spelled = _type_text(holder) if holder is not None else ""
        yield from _variable(target, spelled or _literal_type(node), node.end, node, grammar)


def _by_role(node: Node, grammar: Grammar) -> Iterator[Variable]:
    for role in ("left", "parameter", "parameters"):
        target = node.part(role)
        if target is not None and target.kind not in _PARAMETER_LISTS:
            yield from _variable(target, "", target.end, target, grammar)


def _variable(
    target: Node, type_text: str, first: int, at: Node, grammar: Grammar
) -> Iterator[Variable]:
    stars = 0
    while target.kind in _POINTERS or target.kind in ("parenthesized_declarator",):
        stars += target.kind in _POINTERS
        inner = target.part("declarator") or next(iter(target.named_children), None)
        if inner is None:
            return
        target = inner
    if target.kind in _PATTERNS or target.kind in ("assignment_pattern", "pair_pattern"):
        yield from _in_pattern(target, first, at, grammar)
    elif target.kind in ("identifier", "shorthand_property_identifier_pattern"):
        family = family_of(type_text + "*" * stars)
        holder = at.enclosing(grammar.scopes)
        is_field = holder is not None and holder.kind in ("class_body", "enum_body")
        last = _FOREVER if holder is None or holder.parent is None else holder.end
        start = holder.start if holder is not None and is_field else first
        yield Variable(target.text, family, start, last, is_field, _is_constant(at))


def _in_pattern(target: Node, first: int, at: Node, grammar: Grammar) -> Iterator[Variable]:
    children = target.named_children
    if target.kind == "assignment_pattern":
        children = children[:1]
    elif target.kind == "pair_pattern":
        children = children[1:]
    for child in children:
        yield from _variable(child, "", first, at, grammar)


def _type_text(holder: Node) -> str:
    behind_macro = next((child for child in holder.children if child.kind == "ERROR"), None)
    if behind_macro is not None:
        return behind_macro.text
    declared = holder.part("type")
    if declared is None and holder.kind == "spread_parameter":
        declared = next((c for c in holder.named_children if c.kind != "modifiers"), None)
        return declared.text + "[]" if declared is not None else ""
    if declared is None or declared.kind in ("struct_specifier", "enum_specifier"):
        name = declared.part("name") if declared is not None else None
        return name.text if name is not None else ""
    return declared.text


def _literal_type(declarator: Node) -> str:
    value = declarator.part("value")
    if value is None:
        return ""
    if value.kind == "number":
        return "int"
    if value.kind in ("true", "false"):
        return "boolean"
    return "String" if value.kind in ("string", "template_string") else ""


def _is_constant(at: Node) -> bool:
    holder = at if at.children and at.children[0].kind == "modifiers" else at.parent
    if holder is None or not holder.children:
        return False
    first = holder.children[0]
    return first.kind == "const" or (first.kind == "modifiers" and "final" in first.text)
