"""Templates over names: a wrong variable, field, element or receiver."""

from __future__ import annotations

from collections.abc import Iterator

from apr.generation.template.edits import Edit, similarity
from apr.generation.template.treesitter.context import Context
from apr.generation.template.treesitter.scope import INTEGER, REAL, UNKNOWN
from apr.generation.template.treesitter.syntax import Node


def wrong_variable(context: Context, node: Node) -> Iterator[Edit]:
    """Another variable in scope, one of the same declared type first."""
    if not context.is_variable(node) or node.text[:1].isupper():
        return
    family = context.family(node)
    is_known = any(v.name == node.text for v in context.variables(node))
    base = (0.45 if context.is_target(node) else 0.65) if is_known else 0.15
    others = [v for v in context.variables(node) if v.name != node.text]
    if context.is_target(node):
        others = [v for v in others if not v.is_constant]
    others.sort(key=lambda v: -_agreement(family, v.family))
    for rank, variable in enumerate(others[:20]):
        likeness = 0.8 + 0.2 * similarity(node.text, variable.name)
        prior = base * _agreement(family, variable.family) * likeness * 0.95**rank
        yield from context.edit(node, variable.name, "wrong-variable", prior)


def variable_for_constant(context: Context, node: Node) -> Iterator[Edit]:
    """A variable of the same type where a constant stands."""
    if not context.is_literal(node) or node.parent is None:
        return
    family = context.family(node)
    if not family or node.parent.kind in ("case_statement", "switch_label", "array_declarator"):
        return
    fitting = [v for v in context.variables(node) if _agreement(family, v.family) >= 0.7]
    for rank, variable in enumerate(fitting[:8]):
        yield from context.edit(node, variable.name, "variable-for-constant", 0.4 * 0.85**rank)


def constant_for_expression(context: Context, node: Node) -> Iterator[Edit]:
    """0, 1 or a constant of the function where a variable or an operation stands."""
    if context.is_target(node) or not context.is_expression(node) or node.parent is None:
        return
    grammar = context.grammar
    if node.kind in grammar.parentheses or context.is_literal(node):
        return
    family, function = context.family(node), context.function_of(node)
    used = node.field in ("right", "left", "value", "index") or node.parent.kind in (
        "return_statement",
        "argument_list",
        "arguments",
    )
    if family not in (INTEGER, REAL) or not used or function is None:
        return
    near = (n for n in context.literals if function.start <= n.start < function.end)
    alike = [n.text for n in near if context.family(n) == INTEGER or context.family(n) == family]
    factor = 1.0 if context.is_variable(node) else 0.6
    for rank, code in enumerate(list(dict.fromkeys(("0", "1", *alike)))[:6]):
        prior = 0.22 * factor * 0.95**rank
        yield from context.edit(node, code, "constant-for-expression", prior)


def wrong_field(context: Context, node: Node) -> Iterator[Edit]:
    """Another field seen on the same object, or anywhere in the file."""
    name = _member_name(context, node)
    if name is None or (node.field == "function"):
        return
    receiver = node.part(context.grammar.member_object)
    seen: dict[str, float] = {}
    for other in context.member_accesses:
        other_name = _member_name(context, other)
        if other_name is not None and other.field != "function":
            same = receiver is not None and other.text.startswith(receiver.text)
            seen[other_name.text] = max(seen.get(other_name.text, 0.0), 0.55 if same else 0.3)
    for member in context.record_fields:
        seen.setdefault(member, 0.4)
    seen.pop(name.text, None)
    for rank, (other_text, prior) in enumerate(sorted(seen.items(), key=lambda p: -p[1])[:8]):
        yield from context.edit(name, other_text, "wrong-field", prior * 0.9**rank)


def field_of_variable(context: Context, node: Node) -> Iterator[Edit]:
    """`this.x` for `x`, and `x` for `this.x`."""
    if node.kind in context.grammar.members:
        receiver, name = node.part(context.grammar.member_object), _member_name(context, node)
        own = receiver is not None and receiver.kind == "this"
        known = {variable.name for variable in context.variables(node)}
        if own and name is not None and name.text in known:
            yield from context.edit(node, name.text, "field-or-variable", 0.3)
    elif (
        context.is_variable(node)
        and context.grammar.name != "c"
        and node.field != "object"
        and node.text in context.own_fields
    ):
        yield from context.edit(node, f"this.{node.text}", "field-or-variable", 0.3)


def wrong_expression(context: Context, node: Node) -> Iterator[Edit]:
    """Another index, element, field access or call of the function in place of one."""
    grammar = context.grammar
    kinds = grammar.subscripts | grammar.members | grammar.calls
    if node.kind not in kinds or node.field == "function" or context.is_target(node):
        return
    if node.parent is not None and node.parent.kind == "expression_statement":
        return
    function = context.function_of(node)
    family = context.family(node)
    donors: dict[str, float] = {}
    for other in function.walk() if function is not None else ():
        whole = other.kind in kinds and other.field != "function" and "\n" not in other.text
        if whole and not (other.start <= node.start < other.end) and context.fits(other.text, node):
            agreement = _agreement(family, context.family(other))
            likeness = similarity(node.text, other.text)
            donors.setdefault(other.text, 0.45 * agreement * (0.4 + 0.6 * likeness))
    donors.pop(node.text, None)
    for code, prior in sorted(donors.items(), key=lambda pair: -pair[1])[:6]:
        yield from context.edit(node, code, "wrong-expression", prior)


def expression_for_variable(context: Context, node: Node) -> Iterator[Edit]:
    """An expression of the function where a plain variable stands, one made from it first."""
    function = context.function_of(node)
    if function is None or not context.is_variable(node) or context.is_target(node):
        return
    family = context.family(node)
    grammar = context.grammar
    kinds = grammar.subscripts | grammar.members | grammar.calls | grammar.binaries
    donors: dict[str, float] = {}
    for other in function.walk():
        short = other.kind in kinds and other.field != "function" and len(other.text) < 60
        if not short or other.start <= node.start < other.end or not context.fits(other.text, node):
            continue
        uses = any(i.text == node.text and context.is_variable(i) for i in other.walk())
        agreement = _agreement(family, context.family(other))
        if agreement > 0.5:
            donors.setdefault(other.text, (0.35 if uses else 0.22) * agreement)
    for rank, (code, prior) in enumerate(sorted(donors.items(), key=lambda p: -p[1])[:6]):
        placed = context.place(node, code)
        yield from context.edit(node, placed, "expression-for-variable", prior * 0.9**rank)


def expression_to_variable(context: Context, node: Node) -> Iterator[Edit]:
    """A variable of the same type for a call, an element, an operation, and back."""
    grammar = context.grammar
    kinds = grammar.subscripts | grammar.members | grammar.calls | grammar.binaries
    if node.kind not in kinds or node.field == "function" or context.is_target(node):
        return
    family = context.family(node)
    if node.parent is None or node.parent.kind == "expression_statement" or not family:
        return
    fitting = [v for v in context.variables(node) if v.family == family]
    for rank, variable in enumerate(fitting[:6]):
        prior = (0.3 if variable.name in node.text else 0.25) * 0.9**rank
        yield from context.edit(node, variable.name, "variable-for-expression", prior)


def element_of(context: Context, node: Node) -> Iterator[Edit]:
    """The base of an access: `a` for `a[i]` and `p` for `p.next`."""
    grammar = context.grammar
    if node.kind in grammar.members and node.field != "function":
        base = node.part(grammar.member_object)
        if base is not None and base.kind not in ("this", "super"):
            yield from context.edit(node, base.text, "element", 0.25)
    elif node.kind in grammar.subscripts:
        base, index = node.part(grammar.subscript_object), node.part("index")
        if base is not None and index is not None:
            yield from context.edit(node, base.text, "element", 0.15)
            if not context.is_target(node):
                yield from context.edit(node, context.place(node, index.text), "element", 0.2)


def _agreement(one: str, other: str) -> float:
    """How well a value of one family suits the place of another, in (0, 1]."""
    if one == other:
        return 0.7 if one == UNKNOWN else 1.0
    if UNKNOWN in (one, other):
        return 0.6
    return 0.5 if {one, other} == {INTEGER, REAL} else 0.1


def _member_name(context: Context, node: Node) -> Node | None:
    return node.part(context.grammar.member_name) if node.kind in context.grammar.members else None


TEMPLATES = (
    wrong_variable,
    variable_for_constant,
    constant_for_expression,
    wrong_field,
    field_of_variable,
    wrong_expression,
    expression_for_variable,
    expression_to_variable,
    element_of,
)
