"""Templates over conditions: negate, weaken, strengthen, replace; guards before a statement."""

from __future__ import annotations

from collections.abc import Iterator

from apr.generation.template.edits import Edit
from apr.generation.template.treesitter.context import Context
from apr.generation.template.treesitter.roles import COMPARISONS, CONNECTIVES
from apr.generation.template.treesitter.scope import INTEGER, REAL, TEXT, TRUTH
from apr.generation.template.treesitter.syntax import Node

_GUARDED = frozenset({"expression_statement", "return_statement", "throw_statement"})


def negate_condition(context: Context, node: Node) -> Iterator[Edit]:
    """`!(c)` for the whole condition `c`."""
    condition = context.conditions(node)
    if condition is not None and condition.kind in context.grammar.binaries:
        yield from context.edit(condition, f"!({condition.text})", "negate-condition", 0.35)


def fixed_condition(context: Context, node: Node) -> Iterator[Edit]:
    """A condition that always or never holds."""
    condition = context.conditions(node)
    if condition is None or node.kind in context.grammar.loops or context.is_literal(condition):
        return
    yes, no = ("1", "0") if context.grammar.name == "c" else ("true", "false")
    yield from context.edit(condition, no, "fixed-condition", 0.15)
    yield from context.edit(condition, yes, "fixed-condition", 0.15)


def add_condition(context: Context, node: Node) -> Iterator[Edit]:
    """A further condition, connected by `&&` or `||`."""
    condition = context.conditions(node)
    if condition is None:
        return
    for code, likelihood in _atoms(context, condition):
        if code not in condition.text:
            for connective, prior in (("&&", 0.5), ("||", 0.4)):
                first = _operand(context, condition, connective)
                new = f"{first} {connective} {code}"
                yield from context.edit(condition, new, "add-condition", prior * likelihood)


def replace_condition(context: Context, node: Node) -> Iterator[Edit]:
    """Another condition of the function or the project in place of one."""
    condition = context.conditions(node)
    if condition is None:
        return
    for code, likelihood in _atoms(context, condition):
        yield from context.edit(condition, code, "replace-condition", 0.35 * likelihood)


def guard_statement(context: Context, node: Node) -> Iterator[Edit]:
    """`if (c) s` for the statement `s`, with conditions from the file and checks for null."""
    if node.kind not in _GUARDED or not context.is_statement(node):
        return
    if node.kind != "expression_statement" and context.ends_function(node):
        return
    for code, likelihood in (*_null_checks(context, node), *_atoms(context, node)):
        new = f"if ({code}) {{ {node.text} }}" if _dangles(node) else f"if ({code}) {node.text}"
        yield from context.edit(node, new, "guard-statement", 0.4 * likelihood)


def leave_early(context: Context, node: Node) -> Iterator[Edit]:
    """`if (c) return v;`, `continue` or `break` before a statement that something may break."""
    if not context.is_statement(node) or not context.in_block(node):
        return
    if node.parent is None or node.parent.parent is None or context.function_of(node) is None:
        return
    is_first = _is_first(node)
    conditions = [*_missing_checks(context, node), *_atoms(context, node)]
    for code, likelihood in conditions[:10]:
        for leave, prior in _exits(context, node):
            new = f"if ({code}) {leave}"
            factor = (1.0 if is_first else 0.6) * likelihood
            yield from context.insert_before(node, new, "leave-early", prior * factor)


def turn_ternary(context: Context, node: Node) -> Iterator[Edit]:
    """The branches of `c ? a : b` exchanged, or one of them alone."""
    if node.kind not in context.grammar.ternaries:
        return
    parts = [node.part(role) for role in ("condition", "consequence", "alternative")]
    if all(part is not None for part in parts):
        condition, yes, no = (part.text for part in parts if part is not None)
        yield from context.edit(node, f"{condition} ? {no} : {yes}", "turn-ternary", 0.4)
        yield from context.edit(node, context.place(node, yes), "turn-ternary", 0.35)
        yield from context.edit(node, context.place(node, no), "turn-ternary", 0.35)


def guard_value(context: Context, node: Node) -> Iterator[Edit]:
    """A value only where its object is not null: `x == null ? d : x.f()`, `x?.f`."""
    if context.is_target(node) or node.field in ("function",) or node.parent is None:
        return
    if node.kind not in context.grammar.members | context.grammar.calls:
        return
    if node.parent.kind not in ("return_statement", "variable_declarator", "init_declarator"):
        return
    for code, _ in _missing_checks(context, node):
        default = {INTEGER: "0", REAL: "0", TRUTH: "false", TEXT: '""'}.get(
            context.family(node), context.grammar.null
        )
        yield from context.edit(node, f"{code} ? {default} : {node.text}", "guard-value", 0.2)


def _atoms(context: Context, at: Node) -> list[tuple[str, float]]:
    """Conditions that could hold or not at `at`, with a likelihood in (0, 1]."""
    found: dict[str, float] = {}
    function = context.function_of(at)
    for other in context.atomic_conditions:
        near = function is not None and function.start <= other.start < function.end
        if context.fits(other.text, at):
            found.setdefault(other.text, 0.9 if near else 0.6)
    for variable in context.variables(at)[:12]:
        if variable.family == TRUTH:
            found.setdefault(variable.name, 0.8)
            found.setdefault(f"!{variable.name}", 0.8)
    found.update({c: p for c, p in _comparisons(context, at) if c not in found})
    for code in _project_conditions(context):
        if context.fits(code, at):
            found.setdefault(code, 0.35)
    ranked = sorted(found.items(), key=lambda pair: -pair[1])
    return [(code, prior * 0.93**rank) for rank, (code, prior) in enumerate(ranked[:14])]


def _comparisons(context: Context, at: Node) -> Iterator[tuple[str, float]]:
    """Orderings of two numbers of a function, and of one with zero."""
    numbers = [v.name for v in context.variables(at) if v.family == INTEGER][:5]
    for name in numbers[:4]:
        for operator in (">", "==", "!="):
            yield f"{name} {operator} 0", 0.3
    for i, one in enumerate(numbers):
        for other in numbers[i + 1 :]:
            for operator in ("!=", "<", ">"):
                yield f"{one} {operator} {other}", 0.25


def _project_conditions(context: Context) -> list[str]:
    expressions = context.ingredients.expressions.items()
    compared = [(-count, code) for code, count in expressions if _is_comparison(code)]
    return [code for _, code in sorted(compared)[:20]]


def _is_comparison(code: str) -> bool:
    return any(f" {operator} " in code for operator in COMPARISONS) and "&&" not in code


def _null_checks(context: Context, node: Node) -> list[tuple[str, float]]:
    if context.grammar.name == "c":
        return [(name, 0.9) for name in _dereferenced(context, node)]
    unequal = context.grammar.equalities[-1][1]
    null = context.grammar.null
    return [(f"{name} {unequal} {null}", 0.9) for name in _dereferenced(context, node)]


def _missing_checks(context: Context, node: Node) -> list[tuple[str, float]]:
    """The conditions under which a name used in `node` is null or empty."""
    checks: list[tuple[str, float]] = []
    language, null = context.grammar.name, context.grammar.null
    for name in _dereferenced(context, node):
        if language == "c":
            checks.append((f"{name} == {null}", 0.9))
            continue
        checks.append((f"{name} {context.grammar.equalities[-1][0]} {null}", 0.8))
        if language == "javascript":
            checks.append((f"{name}.length === 0", 0.6))
        elif context.family_of_name(name, node).endswith("[]"):
            checks.append((f"{name}.length == 0", 0.6))
        else:
            checks.append((f"{name}.isEmpty()", 0.6))
    return checks


def _dereferenced(context: Context, node: Node) -> list[str]:
    """Names whose members, elements or targets `node` uses, once each."""
    names: dict[str, None] = {}
    grammar = context.grammar
    for inner in node.walk():
        base = None
        if inner.kind in grammar.members:
            base = inner.part(grammar.member_object)
        elif inner.kind in grammar.subscripts:
            base = inner.part(grammar.subscript_object)
        elif inner.kind in grammar.dereferences and context.operator(inner) == "*":
            base = context.operand(inner)
        elif (call := context.call(inner)) is not None:
            base = call.receiver
        if base is None or not context.is_variable(base) or base.text[:1].isupper():
            continue
        if context.family(base) not in (INTEGER, REAL, TRUTH):
            names.setdefault(base.text)
    visible = {v.name for v in context.variables(node)}
    return [name for name in names if name in visible][:4]


def _exits(context: Context, node: Node) -> list[tuple[str, float]]:
    """The ways to leave the loop or the function early at a node, with priors."""
    exits = [("continue;", 0.35), ("break;", 0.3)] if context.in_loop(node) else []
    throws = [n.text for n in context.file_statements if n.kind == "throw_statement"]
    fitting = [code for code in dict.fromkeys(throws) if context.fits(code, node)]
    exits += [(code, 0.25) for code in fitting[:2]]
    returns = [(f"return {value};", prior) for value, prior in context.results(node)[:4]]
    return [*exits, *(returns or [("return;", 0.35)])]


def _operand(context: Context, condition: Node, connective: str) -> str:
    loose = condition.kind in context.grammar.ternaries | context.grammar.assignments
    mixed = condition.kind in context.grammar.binaries and context.operator(condition) in (
        CONNECTIVES - {connective}
    )
    return f"({condition.text})" if loose or mixed else condition.text


def _is_first(node: Node) -> bool:
    siblings = node.parent.named_children if node.parent is not None else []
    return bool(siblings) and siblings[0] is node


def _dangles(node: Node) -> bool:
    """Whether a bare `if` before the statement would catch the `else` that follows it."""
    return node.parent is not None and node.field == "consequence"


TEMPLATES = (
    negate_condition,
    fixed_condition,
    add_condition,
    replace_condition,
    guard_statement,
    leave_early,
    turn_ternary,
    guard_value,
)
