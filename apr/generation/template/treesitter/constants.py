"""Templates over constants and amounts: other literals, off by one, bounds, initial values."""

from __future__ import annotations

from collections.abc import Iterator

from apr.generation.template.edits import Edit
from apr.generation.template.treesitter.context import Context
from apr.generation.template.treesitter.roles import COMPARISONS
from apr.generation.template.treesitter.scope import INTEGER, REAL, UNKNOWN
from apr.generation.template.treesitter.syntax import Node


def number_change(context: Context, node: Node) -> Iterator[Edit]:
    """One more, one less, 0, 1, 2, the negative, and the other numbers of the file."""
    grammar = context.grammar
    if node.kind not in grammar.integers | grammar.floats or _is_label(node):
        return
    value = _integer(node.text)
    near: list[tuple[str, float]] = []
    if value is not None:
        suffix = node.text[-1] if node.text[-1] in "lL" else ""
        near = [(f"{value + 1}{suffix}", 0.7), (f"{max(value - 1, -1)}{suffix}", 0.65)]
        near += [(f"{v}{suffix}", 0.5) for v in (0, 1, 2, 10) if abs(v - value) > 1 and v < 10]
        near += [(f"-{node.text}", 0.35)] if value else []
    for code, prior in near:
        yield from context.edit(node, context.place(node, code, loose=False), "constant", prior)
    for rank, other in enumerate(_other_literals(context, node, grammar.integers | grammar.floats)):
        yield from context.edit(node, other, "constant", 0.4 * 0.85**rank)


def string_change(context: Context, node: Node) -> Iterator[Edit]:
    """The other strings of the file, the empty one, and small changes of the text itself."""
    if node.kind not in context.grammar.strings:
        return
    others = _other_literals(context, node, frozenset({node.kind}))
    for rank, other in enumerate(others):
        yield from context.edit(node, other, "constant", 0.45 * 0.85**rank)
    quote = node.text[-1]
    body = node.text[1:-1]
    if not node.kind.startswith("char"):
        yield from context.edit(node, quote * 2, "constant", 0.3)
        yield from context.edit(node, f"{quote} {quote}", "constant", 0.2)
    for rank, other in enumerate(_alike(body) if "\\" not in body else ()):
        code = f"{quote}{other}{quote}"
        yield from context.edit(node, code, "constant", 0.3 * 0.95**rank)


def _alike(body: str) -> list[str]:
    """Texts that a slip of the pen could have turned into `body`."""
    if len(body) == 1:
        return [body.swapcase()]
    cased = [body.lower(), body.upper(), body.capitalize(), body.strip(), body[:-2], body[2:]]
    spaced = [f"{body} ", f" {body}", f"{body.strip()} ", f" {body.strip()}"]
    shorter = [body[:i] + body[i + 1 :] for i in range(min(len(body), 10))]
    return list(dict.fromkeys([*cased[:4], *shorter, *spaced, *cased[4:]]))


def truth_change(context: Context, node: Node) -> Iterator[Edit]:
    """`true` for `false` and back."""
    if node.kind in context.grammar.truths and node.named:
        capital = {"true": "false", "false": "true"}.get(node.text)
        if capital is not None:
            yield from context.edit(node, capital, "truth", 0.8)


def off_by_one(context: Context, node: Node) -> Iterator[Edit]:
    """`e + 1` and `e - 1` for an index, a bound, an argument, a result or an initial value."""
    grammar = context.grammar
    if not context.is_expression(node) or context.is_target(node):
        return
    if node.kind in grammar.parentheses | grammar.integers or node.kind in grammar.assignments:
        return
    prior = _off_by_one_prior(context, node)
    family = context.family(node)
    if not prior or family not in (INTEGER, UNKNOWN):
        return
    prior *= 1.0 if family == INTEGER else 0.4
    for code in _shifted(context, node):
        yield from context.edit(node, context.place(node, code), "off-by-one", prior)


def _off_by_one_prior(context: Context, node: Node) -> float:
    parent = node.parent
    if parent is None or not _is_amount(context, node):
        return 0.0
    grammar = context.grammar
    if parent.kind in grammar.subscripts and node.field == "index":
        return 0.65
    if parent.kind in grammar.binaries:
        compares = context.operator(parent) in COMPARISONS
        return 0.55 if compares and node.field == "right" else 0.25 if compares else 0.1
    if parent.kind in ("argument_list", "arguments"):
        return 0.45
    if parent.kind == "return_statement":
        return 0.5
    if node.field in ("right", "value") and parent.kind != "enhanced_for_statement":
        return 0.4
    return 0.2 if parent.kind in grammar.ternaries and node.field != "condition" else 0.0


def _is_amount(context: Context, node: Node) -> bool:
    grammar = context.grammar
    amounts = grammar.binaries | grammar.calls | grammar.members | grammar.subscripts
    return node.kind in amounts | grammar.identifiers | grammar.ternaries | grammar.dereferences


def _shifted(context: Context, node: Node) -> Iterator[str]:
    """`node` plus and minus one; an amount that already is a shift is not shifted twice."""
    parts = context.operands(node) if node.kind in context.grammar.binaries else None
    if parts is not None and parts[1] in ("+", "-") and parts[2].text == "1":
        return
    simple = parts is None and node.kind not in context.grammar.ternaries
    arithmetic = parts is not None and parts[1] in ("+", "-", "*", "/", "%")
    code = node.text if simple or arithmetic else f"({node.text})"
    yield f"{code} - 1"
    yield f"{code} + 1"


def initial_value(context: Context, node: Node) -> Iterator[Edit]:
    """The smallest or largest number, or another variable, as a variable's first value."""
    parent = node.parent
    if parent is None or not context.is_expression(node):
        return
    first = parent.kind in ("variable_declarator", "init_declarator") and node.field == "value"
    if not first or context.family(node) not in (INTEGER, REAL):
        return
    if context.is_literal(node) or node.text in context.grammar.extremes:
        for extreme in context.grammar.extremes:
            if context.grammar.name != "c" or extreme in context.text:
                yield from context.edit(node, extreme, "initial-value", 0.3)
    if node.text == "0":
        for variable in context.variables(node)[:6]:
            if variable.family == INTEGER:
                yield from context.edit(node, f"{variable.name} + 1", "initial-value", 0.25)


def length_boundary(context: Context, node: Node) -> Iterator[Edit]:
    """Half, one less than, or the other measure of a length in a bound."""
    if context.family(node) != INTEGER or not _is_length(context, node):
        return
    parent = node.parent
    if parent is not None and parent.kind in context.grammar.binaries:
        halved = context.operands(parent)
        if halved is not None and halved[1] == "/":
            return
        yield from context.edit(node, context.place(node, f"{node.text} / 2"), "length-bound", 0.2)


def _is_length(context: Context, node: Node) -> bool:
    call = context.call(node)
    if call is not None:
        return call.name.text in ("length", "size", "strlen")
    name = node.part(context.grammar.member_name)
    return node.kind in context.grammar.members and name is not None and name.text == "length"


def add_term(context: Context, node: Node) -> Iterator[Edit]:
    """A variable added to, taken from or multiplied with a number; its half and its double."""
    parent = node.parent
    if parent is None or not context.is_expression(node) or context.is_target(node):
        return
    holders = ("return_statement", "argument_list", "arguments")
    holder = parent.kind in holders or node.field in ("right", "value")
    if not holder or parent.kind in context.grammar.binaries or context.is_literal(node):
        return
    family = context.family(node)
    if family not in (INTEGER, REAL):
        return
    code = node.text if node.kind not in context.grammar.ternaries else f"({node.text})"
    grouped = code if _is_simple(context, node) else f"({code})"
    yield from context.edit(node, f"{grouped} / 2", "add-term", 0.22)
    yield from context.edit(node, f"{grouped} * 2", "add-term", 0.2)
    numbers = [v for v in context.variables(node) if v.family in (INTEGER, REAL)]
    for rank, variable in enumerate(numbers[:8]):
        for operator, prior in (("+", 0.22), ("-", 0.2), ("*", 0.12)):
            left = grouped if operator == "*" else code
            new = f"{left} {operator} {variable.name}"
            yield from context.edit(node, new, "add-term", prior * 0.85**rank)


def _is_simple(context: Context, node: Node) -> bool:
    grammar = context.grammar
    return node.kind not in grammar.binaries | grammar.ternaries | grammar.assignments


def _other_literals(context: Context, node: Node, kinds: frozenset[str]) -> list[str]:
    """Literals of the file by distance from `node`, then of the project, each once."""
    here = [n for n in context.literals if n.kind in kinds]
    here.sort(key=lambda n: abs(n.line - node.line))
    found = dict.fromkeys(n.text for n in here)
    if node.kind in context.grammar.strings:
        constants = context.ingredients.constants.items()
        common = sorted((-count, text) for text, count in constants if text[:1] == node.text[:1])
        found.update(dict.fromkeys(text for _, text in common[:6]))
    found.pop(node.text, None)
    return list(found)[:10]


def _integer(text: str) -> int | None:
    digits = text.rstrip("lLuU")
    return int(digits) if digits.isdecimal() and (digits == "0" or digits[0] != "0") else None


def _is_label(node: Node) -> bool:
    holder = node.parent
    return node.field == "key" or (holder is not None and holder.kind == "enumerator")


TEMPLATES = (
    number_change,
    string_change,
    truth_change,
    off_by_one,
    initial_value,
    length_boundary,
    add_term,
)
