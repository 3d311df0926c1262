"""Templates over statements: delete, insert a donor, move, swap, replace, wrap, unwrap."""

from __future__ import annotations

from collections.abc import Iterator

from apr.generation.template.edits import Edit, similarity
from apr.generation.template.treesitter.context import Context
from apr.generation.template.treesitter.donors import adapted_donors_for, donors_for
from apr.generation.template.treesitter.scope import INTEGER, REAL, TRUTH, UNKNOWN, Variable
from apr.generation.template.treesitter.syntax import Node

_JUMPS = frozenset({"break_statement", "continue_statement"})


def delete_statement(context: Context, node: Node) -> Iterator[Edit]:
    """Nothing in place of the statement."""
    if not context.is_statement(node):
        return
    prior = 0.4
    if node.kind in context.grammar.declarations or node.kind == "return_statement":
        prior = 0.08
    elif node.kind != "expression_statement" and node.kind not in _JUMPS:
        prior = 0.25
    if context.in_block(node):
        start, end = context.whole_lines(node)
        yield from context.splice(node, start, end, "", "delete-statement", prior)
    else:
        yield from context.edit(node, ";", "delete-statement", prior * 0.7)


def insert_statement(context: Context, node: Node) -> Iterator[Edit]:
    """A statement of the function, the file or the project, before or after the statement."""
    if not context.is_statement(node) or not context.in_block(node):
        return
    is_last = context.is_last(node)
    for code, prior in (*donors_for(context, node), *adapted_donors_for(context, node)):
        leaves = code.startswith(("return", "throw"))
        if not leaves:
            yield from context.insert_before(node, code, "insert-statement", prior)
        if not _ends_flow(node) and (is_last or not leaves):
            yield from context.insert_after(node, code, "insert-statement", prior)


def replace_statement(context: Context, node: Node) -> Iterator[Edit]:
    """A donor statement of the same kind in place of a simple statement."""
    if node.kind not in ("expression_statement", "return_statement"):
        return
    if not context.is_statement(node):
        return
    returns = node.kind == "return_statement"
    for code, prior in donors_for(context, node):
        if code.startswith("return") == returns:
            likeness = 0.5 + 0.5 * similarity(code, node.text)
            yield from context.edit(node, code, "replace-statement", prior * likeness)


def jump(context: Context, node: Node) -> Iterator[Edit]:
    """`break` for `continue`, a jump after a statement of a loop or a case without one."""
    if node.kind in _JUMPS and context.in_loop(node):
        other = "continue;" if node.kind == "break_statement" else "break;"
        yield from context.edit(node, other, "jump", 0.5)
    elif node.kind == "expression_statement" and context.in_block(node):
        in_case = node.parent is not None and node.parent.kind in context.grammar.cases
        if context.is_last(node) and (in_case or context.in_loop(node)):
            prior = 0.55 if in_case else 0.2
            yield from context.insert_after(node, "break;", "jump", prior)


def swap_statements(context: Context, node: Node) -> Iterator[Edit]:
    """The statement after its successor."""
    following = _next_statement(context, node)
    if following is not None:
        between = context.text[node.end : following.start]
        new = f"{following.text}{between}{node.text}"
        prior = 0.1 if node.kind in context.grammar.declarations else 0.35
        yield from context.splice(node, node.start, following.end, new, "swap-statements", prior)


def move_out(context: Context, node: Node) -> Iterator[Edit]:
    """The last statement of a block to behind the block, the first to before it."""
    block = node.parent
    if block is None or not context.is_statement(node) or not context.in_block(node):
        return
    holder = context.statement_of(block)
    if holder is None or not context.in_block(holder) or block.kind in context.grammar.cases:
        return
    start, end = context.whole_lines(node)
    line = f"{context.newline}{context.indent(holder)}{node.text}"
    inside = block.named_children
    if inside and inside[-1] is node:
        new = f"{context.text[end : holder.end]}{line}"
        yield from context.splice(node, start, holder.end, new, "move-statement", 0.35)
    if inside and inside[0] is node and len(inside) > 1:
        before = f"{node.text}{context.newline}{context.indent(holder)}"
        new = f"{before}{context.text[holder.start : start]}"
        yield from context.splice(node, holder.start, end, new, "move-statement", 0.25)


def move_in(context: Context, node: Node) -> Iterator[Edit]:
    """The statement into the end of the block of the statement before it."""
    before = _previous_statement(context, node)
    if before is None or node.kind in context.grammar.declarations:
        return
    blocks = [n for n in before.children if n.kind in context.grammar.blocks and n.named]
    if not blocks or not blocks[-1].named_children:
        return
    last = blocks[-1].named_children[-1]
    line = f"{context.newline}{context.indent(last)}{node.text}"
    rest = context.text[last.end : before.end]
    yield from context.splice(node, last.end, node.end, line + rest, "move-statement", 0.3)


def unwrap(context: Context, node: Node) -> Iterator[Edit]:
    """The body of an `if` without its condition, and an `if` without its `else`."""
    if node.kind != "if_statement" or not context.is_statement(node):
        return
    body, other = node.part("consequence"), node.part("alternative")
    if body is None:
        return
    if other is None:
        yield from context.edit(node, body.text, "unwrap", 0.25)
        return
    yield from context.edit(node, context.text[node.start : body.end], "drop-else", 0.25)
    branch = other.named_children[0] if other.kind == "else_clause" else other
    yield from context.edit(node, branch.text, "unwrap", 0.15)
    if branch.kind != "if_statement" and body.kind in context.grammar.blocks:
        between = context.text[body.end : branch.start]
        new = f"{context.text[node.start : body.start]}{branch.text}{between}{body.text}"
        yield from context.edit(node, new, "swap-branches", 0.3)


def else_if(context: Context, node: Node) -> Iterator[Edit]:
    """`else` before an `if` that follows an `if`, and the reverse."""
    if node.kind != "if_statement":
        return
    following = _next_statement(context, node)
    if following is not None and following.kind == "if_statement" and not node.part("alternative"):
        new = f"{node.text} else {following.text}"
        yield from context.splice(node, node.start, following.end, new, "else-if", 0.35)
    other = node.part("alternative")
    body = node.part("consequence")
    if other is None or body is None or not context.in_block(node):
        return
    branch = other.named_children[0] if other.kind == "else_clause" else other
    if branch.kind == "if_statement":
        line = f"{context.newline}{context.indent(node)}{branch.text}"
        yield from context.splice(node, body.end, node.end, line, "else-if", 0.3)


def add_else(context: Context, node: Node) -> Iterator[Edit]:
    """The rest of a block as the `else` of an `if`, or a donor there."""
    if node.kind != "if_statement" or node.part("alternative") or not context.in_block(node):
        return
    following = _next_statement(context, node)
    if following is not None and following.kind == "expression_statement":
        new = f"{node.text} else {{ {following.text} }}"
        yield from context.splice(node, node.start, following.end, new, "add-else", 0.3)


def return_value(context: Context, node: Node) -> Iterator[Edit]:
    """Another result: a variable, a constant, an empty one."""
    if node.kind != "return_statement" or not node.named_children:
        return
    value = node.named_children[0]
    for rank, (code, prior) in enumerate(context.results(node)):
        yield from context.edit(value, code, "return-value", 1.1 * prior * 0.95**rank)


def add_return(context: Context, node: Node) -> Iterator[Edit]:
    """A bare call or a value turned into the result."""
    if node.kind != "expression_statement" or not node.named_children:
        return
    value = node.named_children[0]
    family = context.return_family(node)
    if value.kind in context.grammar.calls and family != "void":
        yield from context.edit(node, f"return {node.text}", "add-return", 0.25)
    elif value.kind in context.grammar.assignments and family not in ("void", UNKNOWN):
        parts = context.operands(value)
        if parts is not None and context.family(parts[0]) == family:
            yield from context.edit(node, f"return {parts[2].text};", "add-return", 0.12)


def update_variable(context: Context, node: Node) -> Iterator[Edit]:
    """A count stepped or a flag set before or after the statement."""
    if node.kind != "expression_statement" and node.kind != "if_statement":
        return
    if not context.is_statement(node) or not context.in_block(node):
        return
    for variable in context.variables(node)[:6]:
        codes: tuple[str, ...] = ()
        if variable.family in (INTEGER, REAL) and not variable.is_constant:
            codes = (f"{variable.name}++;", f"{variable.name}--;")
        elif variable.family == TRUTH and not variable.is_constant:
            codes = (f"{variable.name} = true;", f"{variable.name} = false;")
        for code in codes:
            yield from context.insert_after(node, code, "update-variable", 0.18)


def order_elements(context: Context, node: Node) -> Iterator[Edit]:
    """A sequence sorted or reversed before the statement that goes on to use it."""
    if not context.is_statement(node) or not context.in_block(node):
        return
    used = {inner.text for inner in node.walk() if context.is_variable(inner)}
    for variable in context.variables(node)[:8]:
        if variable.name in used and not variable.is_constant:
            for code in _orderings(context, variable):
                yield from context.insert_before(node, code, "order-elements", 0.16)


def _orderings(context: Context, variable: Variable) -> tuple[str, ...]:
    name, family = variable.name, variable.family
    if context.grammar.name == "javascript" and family == UNKNOWN:
        return (f"{name}.sort((a, b) => a - b);", f"{name}.reverse();", f"{name}.sort();")
    if context.grammar.name != "java":
        return ()
    if family.endswith("[]"):
        return (f"java.util.Arrays.sort({name});",)
    if "List<" in family:
        library = "java.util.Collections"
        backwards = f"{name}.sort({library}.reverseOrder());"
        return (f"{library}.sort({name});", f"{library}.reverse({name});", backwards)
    return ()


def _ends_flow(node: Node) -> bool:
    return node.kind in _JUMPS or node.kind in ("return_statement", "throw_statement")


def _next_statement(context: Context, node: Node) -> Node | None:
    return _sibling(context, node, 1)


def _previous_statement(context: Context, node: Node) -> Node | None:
    return _sibling(context, node, -1)


def _sibling(context: Context, node: Node, step: int) -> Node | None:
    if node.parent is None or not context.is_statement(node) or not context.in_block(node):
        return None
    siblings = node.parent.named_children
    index = next(i for i, sibling in enumerate(siblings) if sibling is node) + step
    if not 0 <= index < len(siblings):
        return None
    return siblings[index] if context.is_statement(siblings[index]) else None


TEMPLATES = (
    delete_statement,
    insert_statement,
    replace_statement,
    jump,
    swap_statements,
    move_out,
    move_in,
    unwrap,
    else_if,
    add_else,
    return_value,
    add_return,
    update_variable,
    order_elements,
)
