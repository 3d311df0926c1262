"""Templates over calls: another method, other arguments, no call, one call more."""

from __future__ import annotations

from collections.abc import Iterator

from apr.generation.template.edits import Edit, similarity
from apr.generation.template.treesitter.context import Context
from apr.generation.template.treesitter.roles import Call
from apr.generation.template.treesitter.scope import INTEGER, REAL, TEXT, TRUTH, UNKNOWN
from apr.generation.template.treesitter.syntax import Node


def wrong_method(context: Context, node: Node) -> Iterator[Edit]:
    """Another name for the call: library pairs, names seen on the receiver, then in the file."""
    call = context.call(node)
    if call is None or not call.name.text.isidentifier():
        return
    names: dict[str, float] = {}
    for group in context.grammar.pairs:
        if call.name.text in group:
            prior = 0.75 if len(group) == 2 else 0.5
            names.update({name: prior for name in group if names.get(name, 0.0) < prior})
    for other in context.calls:
        names.setdefault(other.name.text, _likeness(call, other))
    for function in context.function_names:
        names.setdefault(function, 0.3 if call.receiver is None else 0.1)
    names.pop(call.name.text, None)
    ranked = sorted(names.items(), key=lambda pair: -pair[1])
    for code, prior in ranked[:12]:
        if prior > 0 and code.isidentifier():
            yield from context.edit(call.name, code, "wrong-method", prior)


def wrong_arguments(context: Context, node: Node) -> Iterator[Edit]:
    """Two arguments swapped, one dropped, one repeated."""
    call = context.call(node)
    if call is None or not call.arguments:
        return
    texts = [argument.text for argument in call.arguments]
    for i in range(len(texts)):
        for j in range(i + 1, min(len(texts), i + 3)):
            swapped = [*texts]
            swapped[i], swapped[j] = texts[j], texts[i]
            yield from _with_arguments(context, call, swapped, "swap-arguments", 0.6)
    for i in range(len(texts) if len(texts) > 1 else 0):
        kept = texts[:i] + texts[i + 1 :]
        yield from _with_arguments(context, call, kept, "drop-argument", 0.35)


def add_argument(context: Context, node: Node) -> Iterator[Edit]:
    """One more argument, where the file defines or calls the function with one more."""
    call = context.call(node)
    if call is None:
        return
    expected = _arities(context, call)
    texts = [argument.text for argument in call.arguments]
    prior = 0.45 if len(texts) + 1 in expected else 0.1
    if prior < 0.4 and call.receiver is None and call.name.text in context.function_names:
        return
    for rank, variable in enumerate(context.variables(node)[:6]):
        for place in dict.fromkeys((len(texts), 0)):
            more = [*texts[:place], variable.name, *texts[place:]]
            yield from _with_arguments(context, call, more, "add-argument", prior * 0.85**rank)
    if call.name.text in ("substring", "slice", "indexOf", "sort", "split", "parseInt"):
        for extra in ("1", "10", "0"):
            yield from _with_arguments(context, call, [*texts, extra], "add-argument", 0.25)


def drop_call(context: Context, node: Node) -> Iterator[Edit]:
    """The argument or the receiver of a call in its place."""
    call = context.call(node)
    if call is None or _is_statement_call(node):
        return
    is_static = call.receiver is None or call.receiver.text[:1].isupper()
    for argument in call.arguments:
        if context.is_expression(argument):
            code = context.place(node, argument.text)
            yield from context.edit(node, code, "drop-call", 0.4 if is_static else 0.2)
    if call.receiver is not None and not is_static:
        chained = context.call(call.receiver) is not None
        yield from context.edit(node, call.receiver.text, "drop-call", 0.4 if chained else 0.2)


def swap_receiver(context: Context, node: Node) -> Iterator[Edit]:
    """`b.f(a)` for `a.f(b)`."""
    call = context.call(node)
    if call is None or call.receiver is None or len(call.arguments) != 1:
        return
    receiver, argument = call.receiver, call.arguments[0]
    simple = argument.kind not in context.grammar.binaries | context.grammar.lambdas
    if simple and not receiver.text[:1].isupper() and not context.is_literal(argument):
        middle = context.text[receiver.end : argument.start]
        tail = context.text[argument.end : node.end]
        code = f"{argument.text}{middle}{receiver.text}{tail}"
        yield from context.edit(node, code, "swap-receiver", 0.25)


def wrap_in_call(context: Context, node: Node) -> Iterator[Edit]:
    """`f(x)` for `x`: the absolute value, a rounding, a function of the file."""
    parent = node.parent
    if parent is None or not context.is_expression(node) or context.is_target(node):
        return
    holders = ("return_statement", "argument_list", "arguments")
    wide = parent.kind in holders or node.field in ("right", "value", "left")
    if not wide or node.kind in context.grammar.lambdas or context.is_literal(node):
        return
    prior = 0.4 if node.kind in context.grammar.binaries else 0.12
    for function in _unary_functions(context, node):
        yield from context.edit(node, f"{function}({node.text})", "wrap-in-call", prior)


def chain_call(context: Context, node: Node) -> Iterator[Edit]:
    """`x.f()` for `x`, with an argumentless method that the file calls."""
    if not (context.is_variable(node) or context.call(node)) or context.is_target(node):
        return
    family = context.family(node)
    if family in (INTEGER, REAL, TRUTH) or context.grammar.name == "c":
        return
    used = node.field in ("right", "value", "left", "object")
    if not used and node.parent is not None and node.parent.kind != "return_statement":
        used = node.parent.kind in ("argument_list", "arguments")
    methods = _text_methods(context) if family == TEXT else ()
    seen = [c.name.text for c in context.calls if c.receiver is not None and not c.arguments]
    for rank, name in enumerate(dict.fromkeys((*seen, *methods))):
        if used and rank < 6 and not node.text.endswith(f".{name}()"):
            code = f"{node.text}.{name}()"
            yield from context.edit(node, code, "chain-call", 0.2 * 0.9**rank)


def part_of_text(context: Context, node: Node) -> Iterator[Edit]:
    """A part of a text or an array in place of the whole."""
    method = {"java": "substring", "javascript": "slice"}.get(context.grammar.name)
    if method is None or not context.is_variable(node) or context.is_target(node):
        return
    whole = context.family(node) == TEXT or (method == "slice" and context.family(node) == UNKNOWN)
    holders = ("return_statement", "argument_list", "arguments")
    used = node.parent is not None and node.parent.kind in holders
    if not whole or not (used or node.field in ("left", "right", "value")):
        return
    numbers = [v.name for v in context.variables(node) if v.family == INTEGER][:3]
    for rank, bound in enumerate((*numbers, "1")):
        for arguments in (bound, f"0, {bound}"):
            code = f"{node.text}.{method}({arguments})"
            yield from context.edit(node, code, "part-of-text", 0.2 * 0.9**rank)


def _likeness(call: Call, other: Call) -> float:
    if (call.receiver is None) != (other.receiver is None):
        return 0.0
    one, two = call.receiver, other.receiver
    same = one is not None and two is not None and one.text == two.text
    arity = len(call.arguments) == len(other.arguments)
    base = (0.5 if arity else 0.2) if same else (0.3 if arity else 0.08)
    return base * (0.7 + 0.3 * similarity(call.name.text, other.name.text))


def _with_arguments(
    context: Context, call: Call, texts: list[str], template: str, prior: float
) -> Iterator[Edit]:
    yield from context.edit(call.argument_list, f"({', '.join(texts)})", template, prior)


def _arities(context: Context, call: Call) -> set[int]:
    found = {len(c.arguments) for c in context.calls if c.name.text == call.name.text}
    return found | set(context.arities(call.name.text))


def _is_statement_call(node: Node) -> bool:
    return node.parent is not None and node.parent.kind == "expression_statement"


def _unary_functions(context: Context, node: Node) -> list[str]:
    family = context.family(node)
    numeric = family in (INTEGER, REAL) or (
        family == UNKNOWN and node.kind in context.grammar.binaries
    )
    names = [w for w in context.grammar.wrappers if w != "!"] if numeric else []
    for call in context.calls:
        plain = call.receiver is None or call.receiver.text[:1].isupper()
        if plain and len(call.arguments) == 1 and call.node is not node.parent:
            end = call.argument_list.start
            names.append(context.text[call.node.start : end].strip())
    return [n for n in dict.fromkeys(names) if not node.text.startswith(f"{n}(")][:6]


def _text_methods(context: Context) -> tuple[str, ...]:
    if context.grammar.name == "java":
        return ("trim", "toLowerCase", "toUpperCase")
    return ("trim", "toLowerCase", "toUpperCase", "reverse")


TEMPLATES = (
    wrong_method,
    wrong_arguments,
    add_argument,
    drop_call,
    swap_receiver,
    wrap_in_call,
    chain_call,
    part_of_text,
)
