"""Templates over types and memory: casts, division, declared types, pointers, release."""

from __future__ import annotations

from collections.abc import Iterator

from apr.generation.template.edits import Edit
from apr.generation.template.treesitter.context import Context
from apr.generation.template.treesitter.scope import INTEGER, TEXT, UNKNOWN
from apr.generation.template.treesitter.syntax import Node

_WIDER = {
    "int": (("long", 0.35), ("double", 0.35)),
    "long": (("int", 0.1), ("double", 0.2)),
    "float": (("double", 0.4), ("int", 0.1)),
    "double": (("int", 0.2), ("long", 0.1)),
    "char": (("int", 0.3), ("unsigned char", 0.3)),
    "short": (("int", 0.4),),
    "unsigned": (("int", 0.3),),
    "size_t": (("int", 0.25), ("long", 0.2)),
}
_ALLOCATIONS = frozenset({"malloc", "calloc", "realloc", "fopen", "strdup"})


def division(context: Context, node: Node) -> Iterator[Edit]:
    """A real quotient of two integers; a whole one of two numbers (JavaScript)."""
    parts = context.operands(node) if node.kind in context.grammar.binaries else None
    if parts is None or parts[1] != "/":
        return
    left, _, right = parts
    if context.grammar.name == "javascript":
        for rounding in ("Math.floor", "Math.trunc", "Math.round", "Math.ceil"):
            yield from context.edit(node, f"{rounding}({node.text})", "division", 0.5)
        return
    if {context.family(left), context.family(right)} <= {INTEGER, UNKNOWN}:
        code = context.grammar.real_cast.format(left.text)
        yield from context.edit(left, code, "division", 0.5)
        if right.kind in context.grammar.integers:
            yield from context.edit(right, f"{right.text}.0", "division", 0.4)


def cast(context: Context, node: Node) -> Iterator[Edit]:
    """A cast dropped or widened, or one moved over the whole operation."""
    grammar = context.grammar
    operand = context.operand(node) if node.kind in grammar.casts else None
    spelled = node.part("type")
    if operand is not None and spelled is not None:
        yield from context.edit(node, operand.text, "cast", 0.3)
        for other, prior in _WIDER.get(spelled.text, ()):
            yield from context.edit(spelled, other, "cast", prior)
        parent = node.parent
        parts = context.operands(parent) if parent is not None else None
        if parent is not None and parts is not None and node.field == "left":
            code = f"({spelled.text}) ({operand.text} {parts[1]} {parts[2].text})"
            yield from context.edit(parent, code, "cast", 0.35)
    elif node.kind in grammar.binaries and context.family(node) == INTEGER:
        parts = context.operands(node)
        if grammar.types and parts is not None and parts[1] == "*":
            yield from context.edit(parts[0], f"(long) {parts[0].text}", "cast", 0.2)


def declared_type(context: Context, node: Node) -> Iterator[Edit]:
    """A wider or narrower number type of a variable or a function."""
    if node.kind in context.grammar.types and node.field == "type" and node.parent is not None:
        factor = 0.3 if node.parent.kind in context.grammar.functions else 1.0
        for other, prior in _WIDER.get(node.text, ()):
            yield from context.edit(node, other, "declared-type", prior * factor)


def pointer(context: Context, node: Node) -> Iterator[Edit]:
    """`x` for `*x` and `&x`, `*x` for a pointer `x`, `&x` for a passed value (C)."""
    grammar = context.grammar
    if not grammar.dereferences:
        return
    if node.kind in grammar.dereferences:
        operand = context.operand(node)
        if operand is not None:
            yield from context.edit(node, operand.text, "pointer", 0.4)
            if context.operator(node) == "*" and not context.is_target(node):
                yield from context.edit(node, f"&{operand.text}", "pointer", 0.1)
    elif context.is_variable(node) and node.parent is not None:
        if context.family(node).endswith("*") and node.parent.kind not in grammar.members:
            code = f"*{node.text}" if node.parent.kind not in grammar.updates else f"(*{node.text})"
            yield from context.edit(node, code, "pointer", 0.3)
        if node.parent.kind == "argument_list":
            yield from context.edit(node, f"&{node.text}", "pointer", 0.25)


def member_access(context: Context, node: Node) -> Iterator[Edit]:
    """`->` for `.` and back (C); `?.` for `.` (JavaScript)."""
    if node.kind not in context.grammar.members:
        return
    for child in node.children:
        if context.grammar.name == "c" and child.text in (".", "->"):
            other = "->" if child.text == "." else "."
            yield from context.edit(child, other, "member-access", 0.3)
        elif context.grammar.name == "javascript" and child.kind == "." and not _is_target(node):
            yield from context.edit(child, "?.", "member-access", 0.35)


def allocation(context: Context, node: Node) -> Iterator[Edit]:
    """The result of an allocation checked, the size corrected, memory released (C)."""
    if context.grammar.name != "c":
        return
    call = context.call(node)
    if call is None:
        yield from _release(context, node)
        return
    statement = context.statement_of(node)
    name = _assigned_name(context, node)
    if call.name.text in _ALLOCATIONS and name and statement and context.in_block(statement):
        for leave, prior in context.results(node)[:3] or [("", 0.4)]:
            code = f"if ({name} == NULL) return {leave};".replace(" ;", ";")
            yield from context.insert_after(statement, code, "check-allocation", prior + 0.2)
    if call.name.text in ("malloc", "realloc") and call.arguments:
        size = call.arguments[-1]
        yield from context.edit(size, f"{size.text} + 1", "allocation-size", 0.4)
        if name:
            new = f"sizeof(*{name})"
            for inner in size.walk():
                if inner.kind == "sizeof_expression":
                    yield from context.edit(inner, new, "allocation-size", 0.4)
            if "sizeof" not in size.text:
                code = f"({size.text}) * {new}"
                yield from context.edit(size, code, "allocation-size", 0.35)


def terminate_text(context: Context, node: Node) -> Iterator[Edit]:
    """The end of a string written after a loop that fills it (C)."""
    if context.grammar.name != "c" or not context.is_statement(node):
        return
    if node.kind not in ("for_statement", "while_statement") or not context.in_block(node):
        return
    texts = [v.name for v in context.variables(node) if v.family == "char*"]
    counts = [v.name for v in context.variables(node) if v.family == INTEGER]
    for text in texts[:2]:
        for count in counts[:3]:
            code = f"{text}[{count}] = '\\0';"
            yield from context.insert_after(node, code, "terminate-text", 0.2)


def text_of_number(context: Context, node: Node) -> Iterator[Edit]:
    """A number made from a text or a text from a number, where both are used (JavaScript)."""
    if context.grammar.name != "javascript" or not context.is_variable(node):
        return
    if node.parent is None or context.is_target(node) or context.family(node) == INTEGER:
        return
    if node.parent.kind in context.grammar.binaries or node.field in ("right", "value"):
        functions = (
            ("String", "Number", "parseInt") if context.family(node) != TEXT else ("Number",)
        )
        for function in functions:
            yield from context.edit(node, f"{function}({node.text})", "convert", 0.12)


def _release(context: Context, node: Node) -> Iterator[Edit]:
    """`free(p);` before leaving, for pointers that the function allocated."""
    if node.kind != "return_statement" or not context.in_block(node):
        return
    function = context.function_of(node)
    for name in _allocated(context, function) if function is not None else ():
        code = f"free({name});"
        if not node.text.startswith(f"return {name};"):
            yield from context.insert_before(node, code, "release", 0.35)


def _allocated(context: Context, function: Node) -> list[str]:
    names: dict[str, None] = {}
    for node in function.walk():
        call = context.call(node)
        if call is not None and call.name.text in _ALLOCATIONS:
            name = _assigned_name(context, node)
            if name:
                names.setdefault(name)
    return list(names)


def _assigned_name(context: Context, node: Node) -> str:
    """The variable that takes the value of the call `node`, casts looked through."""
    child, holder = node, node.parent
    while holder is not None and holder.kind in context.grammar.casts:
        child, holder = holder, holder.parent
    if holder is None or child.field not in ("right", "value"):
        return ""
    target = holder.part("left") or holder.part("declarator")
    return target.text.lstrip("* ") if target is not None else ""


def _is_target(node: Node) -> bool:
    return any(a.field == "left" and a.kind != "binary_expression" for a in (node, *_members(node)))


def _members(node: Node) -> Iterator[Node]:
    for ancestor in node.ancestors():
        if ancestor.kind not in ("member_expression", "subscript_expression"):
            return
        yield ancestor


TEMPLATES = (
    division,
    cast,
    declared_type,
    pointer,
    member_access,
    allocation,
    terminate_text,
    text_of_number,
)
