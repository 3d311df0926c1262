"""Templates over operators: comparison, arithmetic, connectives, assignment, equality."""

from __future__ import annotations

from collections.abc import Iterator

from apr.generation.template.edits import Edit
from apr.generation.template.treesitter.context import Context
from apr.generation.template.treesitter.roles import ARITHMETIC, COMPARISONS, CONNECTIVES
from apr.generation.template.treesitter.scope import INTEGER, REAL, TEXT, TRUTH, UNKNOWN
from apr.generation.template.treesitter.syntax import Node

_ORDERINGS = {
    "<": (("<=", 0.85), (">", 0.7), (">=", 0.55), ("==", 0.25), ("!=", 0.25)),
    "<=": (("<", 0.85), (">=", 0.7), (">", 0.55), ("==", 0.3), ("!=", 0.2)),
    ">": ((">=", 0.85), ("<", 0.7), ("<=", 0.55), ("==", 0.25), ("!=", 0.25)),
    ">=": ((">", 0.85), ("<=", 0.7), ("<", 0.55), ("==", 0.3), ("!=", 0.2)),
}
_ARITHMETIC = {
    "+": (("-", 0.75), ("*", 0.35), ("%", 0.1), ("/", 0.1)),
    "-": (("+", 0.75), ("*", 0.2), ("%", 0.2), ("/", 0.15)),
    "*": (("/", 0.5), ("+", 0.55), ("-", 0.2), ("%", 0.2)),
    "/": (("*", 0.5), ("%", 0.6), ("-", 0.25), ("+", 0.2)),
    "%": (("/", 0.65), ("*", 0.3), ("+", 0.15), ("-", 0.15)),
    "&": (("|", 0.6), ("^", 0.5), ("&&", 0.2)),
    "|": (("&", 0.6), ("^", 0.5), ("||", 0.2)),
    "^": (("&", 0.6), ("|", 0.6)),
    "<<": ((">>", 0.6),),
    ">>": (("<<", 0.6), (">>>", 0.3)),
    ">>>": ((">>", 0.6), ("<<", 0.3)),
    "&&": (("||", 0.75),),
    "||": (("&&", 0.75), ("??", 0.2)),
    "??": (("||", 0.5), ("&&", 0.3)),
    "in": (("instanceof", 0.1),),
    "**": (("*", 0.4),),
}
_ASSIGNMENTS = {
    "=": (("+=", 0.4), ("-=", 0.2), ("*=", 0.15), ("|=", 0.1)),
    "+=": (("-=", 0.7), ("=", 0.6), ("*=", 0.4), ("/=", 0.1)),
    "-=": (("+=", 0.7), ("=", 0.5), ("*=", 0.15)),
    "*=": (("+=", 0.55), ("/=", 0.5), ("=", 0.4)),
    "/=": (("*=", 0.5), ("%=", 0.5), ("-=", 0.4), ("=", 0.3)),
    "%=": (("/=", 0.6), ("=", 0.3)),
    "&=": (("|=", 0.6), ("^=", 0.5), ("=", 0.3)),
    "|=": (("&=", 0.6), ("^=", 0.5), ("=", 0.3)),
    "^=": (("|=", 0.5), ("&=", 0.5), ("=", 0.2)),
    "<<=": ((">>=", 0.6),),
    ">>=": (("<<=", 0.6),),
}
_ONE_SIDED = frozenset({"-", "/", "%", "<<", ">>", "**"})
_FOREIGN = {
    "java": frozenset({"??", "instanceof", "**"}),
    "c": frozenset({"??", "instanceof", ">>>"}),
}


def operator_swap(context: Context, node: Node) -> Iterator[Edit]:
    """Another operator of the same group: `<` for `<=`, `-` for `+`, `||` for `&&`."""
    if node.kind not in context.grammar.binaries:
        return
    operator = context.operator_node(node)
    if operator is None:
        return
    foreign = _FOREIGN.get(context.grammar.name, frozenset[str]())
    is_text = operator.text == "+" and context.family(node) == TEXT
    for other, prior in _ORDERINGS.get(operator.text, _ARITHMETIC.get(operator.text, ())):
        if other not in foreign and not is_text:
            name = "comparison-swap" if operator.text in COMPARISONS else "operator-swap"
            yield from context.edit(operator, other, name, prior)


def chain_swap(context: Context, node: Node) -> Iterator[Edit]:
    """`a || b || c` for `a && b && c`: every operator of a chain at once."""
    operator, parent = context.operator(node), node.parent
    if node.kind not in context.grammar.binaries or operator not in ("&&", "||", "+", "*"):
        return
    if parent is None or parent.kind in context.grammar.binaries:
        return
    chain = _chain(context, node, operator)
    if len(chain) > 2 and context.family(node) != TEXT:
        other = {"&&": "||", "||": "&&", "+": "*", "*": "+"}[operator]
        code = f" {other} ".join(part.text for part in chain)
        yield from context.edit(
            node, code, "operator-swap", 0.5 if operator in CONNECTIVES else 0.2
        )


def _chain(context: Context, node: Node, operator: str) -> list[Node]:
    """The operands of a chain of one operator, in order."""
    operands: list[Node] = []
    parts = context.operands(node)
    while parts is not None and parts[1] == operator and node.kind in context.grammar.binaries:
        operands.append(parts[2])
        node = parts[0]
        parts = context.operands(node)
    return [node, *reversed(operands)]


def equality_swap(context: Context, node: Node) -> Iterator[Edit]:
    """`!=` for `==`, strict for loose equality, an ordering for an equality."""
    operator = context.operator_node(node) if node.kind in context.grammar.binaries else None
    parts = context.operands(node)
    if operator is None or parts is None:
        return
    pairs = context.grammar.equalities
    for equal, unequal in pairs:
        if operator.text in (equal, unequal):
            other = unequal if operator.text == equal else equal
            yield from context.edit(operator, other, "comparison-swap", 0.75)
            for strict, strict_not in pairs:
                style = strict if operator.text == equal else strict_not
                yield from context.edit(operator, style, "equality-kind", 0.6)
            families = {context.family(parts[0]), context.family(parts[2])}
            if families <= {INTEGER, REAL, UNKNOWN} and not _is_null(context, parts[2]):
                for ordering, prior in (("<=", 0.35), (">=", 0.35), ("<", 0.3), (">", 0.3)):
                    yield from context.edit(operator, ordering, "comparison-swap", prior)


def side_swap(context: Context, node: Node) -> Iterator[Edit]:
    """`b - a` for `a - b`."""
    parts = context.operands(node) if node.kind in context.grammar.binaries else None
    if parts is None:
        return
    left, operator, right = parts
    is_text = operator == "+" and context.family(node) != INTEGER
    if operator in _ONE_SIDED or is_text:
        code = f"{context.place(left, right.text)} {operator} {context.place(right, left.text)}"
        yield from context.edit(node, code, "side-swap", 0.5)
    elif operator in ("&&", "||"):
        code = f"{right.text} {operator} {left.text}"
        same = all(operator in child.text or "||" not in child.text for child in (left, right))
        yield from context.edit(node, code, "side-swap", 0.15 if same else 0.05)


def drop_operand(context: Context, node: Node) -> Iterator[Edit]:
    """One operand alone, for a sum, a product or a connected condition."""
    parts = context.operands(node) if node.kind in context.grammar.binaries else None
    if parts is None or parts[1] in COMPARISONS:
        return
    prior = 0.6 if parts[1] in CONNECTIVES else 0.5
    yield from context.edit(node, context.place(node, parts[0].text), "drop-operand", prior)
    yield from context.edit(node, context.place(node, parts[2].text), "drop-operand", prior * 0.8)


def regroup(context: Context, node: Node) -> Iterator[Edit]:
    """`a + (b - c)` for `(a + b) - c`, `(a + b) * c` for `a + b * c`; drop parentheses."""
    grammar = context.grammar
    if node.kind in grammar.parentheses and node.parent is not None:
        inner = node.named_children
        if node.parent.kind in grammar.binaries and inner and inner[0].kind in grammar.binaries:
            yield from context.edit(node, inner[0].text, "regroup", 0.4)
        return
    parts = context.operands(node) if node.kind in grammar.binaries else None
    if parts is None:
        return
    left, operator, right = parts
    inner_left = context.operands(left) if left.kind in grammar.binaries else None
    inner_right = context.operands(right) if right.kind in grammar.binaries else None
    if inner_left and _regroups(inner_left[1], operator):
        first, op, second = inner_left
        code = f"{first.text} {op} ({second.text} {operator} {right.text})"
        yield from context.edit(node, context.place(node, code), "regroup", 0.4)
    if inner_right and _regroups(operator, inner_right[1]):
        first, op, second = inner_right
        code = f"({left.text} {operator} {first.text}) {op} {second.text}"
        yield from context.edit(node, context.place(node, code), "regroup", 0.4)


def assignment_swap(context: Context, node: Node) -> Iterator[Edit]:
    """`+=` for `=`, `-=` for `+=`."""
    operator = context.operator_node(node) if node.kind in context.grammar.assignments else None
    parts = context.operands(node)
    if operator is None or parts is None:
        return
    family = context.family(parts[0])
    for other, prior in _ASSIGNMENTS.get(operator.text, ()):
        suits = family in (INTEGER, REAL, UNKNOWN) or (other in ("+=", "=") and family == TEXT)
        suits = suits or (family == TRUTH and other in ("=", "|=", "&="))
        if suits:
            factor = 0.5 if family == UNKNOWN else 1.0
            yield from context.edit(operator, other, "assignment-swap", prior * factor)


def update_swap(context: Context, node: Node) -> Iterator[Edit]:
    """`--` for `++`, before for after, and steps of two."""
    if node.kind not in context.grammar.updates:
        return
    operator, operand = context.operator_node(node), context.operand(node)
    if operator is None or operand is None:
        return
    other = "--" if operator.text == "++" else "++"
    yield from context.edit(operator, other, "update-swap", 0.6)
    is_used = node.parent is not None and context.is_expression(node.parent)
    before = operator.start < operand.start
    turned = f"{operand.text}{operator.text}" if before else f"{operator.text}{operand.text}"
    yield from context.edit(node, turned, "update-swap", 0.5 if is_used else 0.02)
    sign = operator.text[0]
    if not is_used:
        yield from context.edit(node, f"{operand.text} {sign}= 2", "update-swap", 0.15)


def drop_unary(context: Context, node: Node) -> Iterator[Edit]:
    """`x` for `!x` and `-x`."""
    operand = context.operand(node) if node.kind in context.grammar.unaries else None
    if operand is not None:
        operator = context.operator(node)
        yield from context.edit(node, operand.text, "drop-unary", 0.7 if operator == "!" else 0.4)


def negate(context: Context, node: Node) -> Iterator[Edit]:
    """`!x` for a Boolean `x`, `-x` for a number that is returned, passed or added."""
    if not context.is_expression(node) or context.is_target(node) or node.parent is None:
        return
    grammar = context.grammar
    family, parent = context.family(node), node.parent
    if node.kind in grammar.unaries | grammar.truths | grammar.parentheses | grammar.assignments:
        return
    outer = parent if parent.kind in grammar.parentheses else node
    is_condition = outer.field == "condition" or context.operator(parent) in CONNECTIVES
    simple = node.kind not in grammar.binaries and node.kind not in grammar.ternaries
    code = node.text if simple else f"({node.text})"
    if (family == TRUTH or (is_condition and simple)) and parent.kind not in grammar.unaries:
        prior = 0.15 if node.kind in grammar.binaries else 0.65
        yield from context.edit(node, f"!{code}", "negate", prior)
    elif family in (INTEGER, REAL) and _takes_any_number(parent) and not context.is_literal(node):
        yield from context.edit(node, f"-{code}", "negate-number", 0.2)


def equality_call(context: Context, node: Node) -> Iterator[Edit]:
    """`a.equals(b)` for `a == b` of two references, and the reverse (Java)."""
    if context.grammar.name != "java":
        return
    call = context.call(node)
    if call is not None and call.receiver is not None and call.name.text == "equals":
        if len(call.arguments) == 1:
            code = f"{call.receiver.text} == {call.arguments[0].text}"
            yield from context.edit(node, context.place(node, code), "equality-kind", 0.2)
        return
    parts = context.operands(node) if node.kind in context.grammar.binaries else None
    if parts is None or parts[1] not in ("==", "!="):
        return
    left, operator, right = parts
    numeric = {INTEGER, REAL, TRUTH} & {context.family(left), context.family(right)}
    boxed = all(part.kind in context.grammar.calls for part in (left, right))
    if _is_null(context, right) or _is_null(context, left) or (numeric and not boxed):
        return
    sign = "!" if operator == "!=" else ""
    simple = left.kind not in context.grammar.binaries | context.grammar.casts
    receiver = left.text if simple else f"({left.text})"
    yield from context.edit(node, f"{sign}{receiver}.equals({right.text})", "equality-kind", 0.8)
    code = f"{sign}java.util.Objects.equals({left.text}, {right.text})"
    yield from context.edit(node, code, "equality-kind", 0.4)


def _regroups(inner: str, outer: str) -> bool:
    together = {inner, outer}
    return (together <= ARITHMETIC and together not in ({"+"}, {"*"})) or together == {"&&", "||"}


def _takes_any_number(parent: Node) -> bool:
    return parent.kind in ("return_statement", "argument_list", "arguments", "variable_declarator")


def _is_null(context: Context, node: Node) -> bool:
    return node.kind in context.grammar.nulls


TEMPLATES = (
    operator_swap,
    chain_swap,
    equality_swap,
    side_swap,
    drop_operand,
    regroup,
    assignment_swap,
    update_swap,
    drop_unary,
    negate,
    equality_call,
)
