"""Changes planted into real functions: mutations, and rewritings that keep the behaviour.

Both sides of a pair are printed from syntax trees, so that they differ in nothing but the change.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from random import Random

Edit = Callable[[ast.AST, Random], ast.AST | list[ast.stmt] | None]
"""A node in, what takes its place out; None when the edit does not fit the node."""

_NEIGHBOURS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq, ast.GtE),
    ast.NotEq: (ast.Eq, ast.Gt),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.FloorDiv),
    ast.FloorDiv: (ast.Div, ast.Mult),
    ast.Div: (ast.FloorDiv, ast.Mult),
    ast.Mod: (ast.FloorDiv, ast.Add),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
_NAMES = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "ceil": "floor",
    "floor": "ceil",
    "lower": "upper",
    "upper": "lower",
    "isalpha": "isalnum",
    "isdigit": "isalnum",
    "append": "extend",
    "startswith": "endswith",
    "sorted": "list",
    "abs": "int",
}
_MIRRORED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE,
             ast.Eq: ast.Eq, ast.NotEq: ast.NotEq}  # fmt: skip


def mutants(source: str, function: str, rng: Random) -> Iterator[tuple[str, str]]:
    """Texts with one small fault each inside `function`, in random order, with what was done."""
    yield from _edited(source, function, rng, MUTATIONS)


def rewritings(source: str, function: str, rng: Random) -> Iterator[tuple[str, str]]:
    """Texts that are written differently and do the same, in random order."""
    yield from _edited(source, function, rng, REWRITINGS)


def _edited(
    source: str, function: str, rng: Random, edits: dict[str, Edit]
) -> Iterator[tuple[str, str]]:
    tree = ast.parse(source)
    before = ast.unparse(tree)
    count = sum(1 for _ in _inside(tree, function))
    places = [(index, name) for index in range(count) for name in edits]
    rng.shuffle(places)
    seen = {before}
    for index, name in places:
        changed = copy.deepcopy(tree)
        node = list(_inside(changed, function))[index]
        new = edits[name](node, rng)
        if new is None:
            continue
        _Replacer(node, new).visit(changed)
        text = ast.unparse(ast.fix_missing_locations(changed))
        if text not in seen and _compiles(text):
            seen.add(text)
            yield text, name


def _inside(tree: ast.Module, function: str) -> Iterator[ast.AST]:
    """The nodes of a function, or of a method named with its classes."""
    owner, _, name = function.rpartition(".")
    bodies = [tree.body]
    for part in owner.split(".") if owner else ():
        classes = [n for body in bodies for n in body if isinstance(n, ast.ClassDef)]
        bodies = [each.body for each in classes if each.name == part]
    for node in (node for body in bodies for node in body):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            yield node
            for statement in node.body:
                yield from ast.walk(statement)


def _compiles(text: str) -> bool:
    try:
        compile(text, "planted", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


class _Replacer(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST | list[ast.stmt]) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST | list[ast.stmt]:
        return self._new if node is self._old else super().visit(node)


def _operator(node: ast.AST, rng: Random) -> ast.AST | None:
    new = copy.deepcopy(node)
    if isinstance(new, ast.Compare) and type(new.ops[0]) in _NEIGHBOURS:
        new.ops[0] = rng.choice(_NEIGHBOURS[type(new.ops[0])])()
    elif isinstance(new, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(new.op) in _NEIGHBOURS:
        new.op = rng.choice(_NEIGHBOURS[type(new.op)])()
    else:
        return None
    return new


def _constant(node: ast.AST, rng: Random) -> ast.AST | None:
    if not isinstance(node, ast.Constant) or node.value is None:
        return None
    value = node.value
    if isinstance(value, bool):
        return ast.Constant(not value)
    if isinstance(value, int | float):
        return ast.Constant(value + rng.choice((1, -1)))
    if isinstance(value, str) and len(value) < 20:
        return ast.Constant(rng.choice((value.upper(), value.lower(), value + " ", value[1:])))
    return None


def _condition(node: ast.AST, rng: Random) -> ast.AST | None:
    new = copy.deepcopy(node)
    if isinstance(new, ast.BoolOp):
        del new.values[rng.randrange(len(new.values))]
        return new if len(new.values) > 1 else new.values[0]
    if isinstance(new, ast.UnaryOp) and isinstance(new.op, ast.Not | ast.USub):
        return new.operand
    if isinstance(new, ast.If) and not new.orelse:
        return ast.If(ast.BoolOp(ast.And(), [new.test, ast.Constant(False)]), new.body, [])
    return None


def _dropped(node: ast.AST, rng: Random) -> ast.AST | None:
    wanted = ast.Assign | ast.AugAssign | ast.Expr | ast.Break | ast.Continue
    return ast.Pass() if isinstance(node, wanted) else None


def _bound(node: ast.AST, rng: Random) -> ast.AST | None:
    """An index, a bound of a slice or of a range that is off by one."""
    new = copy.deepcopy(node)
    if isinstance(new, ast.Slice):
        side = rng.choice(("lower", "upper"))
        old = getattr(new, side)
        setattr(new, side, ast.Constant(1) if old is None and side == "lower" else _off(old, rng))
        return new if getattr(new, side) is not None else None
    if isinstance(new, ast.Call) and getattr(new.func, "id", "") == "range":
        index = rng.randrange(len(new.args))
        new.args[index] = _off(new.args[index], rng)
        return new
    return None


def _off(node: ast.expr | None, rng: Random) -> ast.expr | None:
    operator = rng.choice((ast.Add, ast.Sub))()
    return None if node is None else ast.BinOp(node, operator, ast.Constant(1))


def _name(node: ast.AST, rng: Random) -> ast.AST | None:
    new = copy.deepcopy(node)
    if isinstance(new, ast.Name) and new.id in _NAMES:
        new.id = _NAMES[new.id]
    elif isinstance(new, ast.Attribute) and new.attr in _NAMES:
        new.attr = _NAMES[new.attr]
    elif isinstance(new, ast.Call) and len(new.args) == 2:
        new.args.reverse()
    else:
        return None
    return new


MUTATIONS: dict[str, Edit] = {
    "operator": _operator,
    "constant": _constant,
    "condition": _condition,
    "dropped statement": _dropped,
    "off by one": _bound,
    "name": _name,
}


def _rename(node: ast.AST, rng: Random) -> ast.AST | None:
    """A local variable of the whole function."""
    if not isinstance(node, ast.FunctionDef):
        return None
    if any(isinstance(n, ast.Global | ast.Nonlocal | ast.Lambda) for n in ast.walk(node)):
        return None
    inner = [n for n in ast.walk(node) if isinstance(n, ast.FunctionDef) and n is not node]
    parameters = {arg.arg for arg in ast.walk(node) if isinstance(arg, ast.arg)}
    stored = {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    local = sorted(stored - parameters)
    if inner or not local:
        return None
    old = rng.choice(local)
    new = copy.deepcopy(node)
    for each in ast.walk(new):
        if isinstance(each, ast.Name) and each.id == old:
            each.id = f"{old}_renamed"
    return new


def _de_morgan(node: ast.AST, rng: Random) -> ast.AST | None:
    if not isinstance(node, ast.If | ast.While) or not isinstance(node.test, ast.BoolOp):
        return None
    other = ast.Or() if isinstance(node.test.op, ast.And) else ast.And()
    parts: list[ast.expr] = [ast.UnaryOp(ast.Not(), each) for each in node.test.values]
    new = copy.deepcopy(node)
    new.test = ast.UnaryOp(ast.Not(), ast.BoolOp(other, parts))
    return new


def _swapped_branches(node: ast.AST, rng: Random) -> ast.AST | None:
    if not isinstance(node, ast.If) or not node.orelse:
        return None
    return ast.If(ast.UnaryOp(ast.Not(), node.test), node.orelse, node.body)


def _mirrored(node: ast.AST, rng: Random) -> ast.AST | None:
    """`a < b` as `b > a`, where evaluating the sides in another order does nothing."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return None
    operator = _MIRRORED.get(type(node.ops[0]))
    right = node.comparators[0]
    if operator is None or not (_is_pure(node.left) and _is_pure(right)):
        return None
    return ast.Compare(right, [operator()], [node.left])


def _is_pure(node: ast.expr) -> bool:
    """Names and constants alone: nothing that could raise or act."""
    return isinstance(node, ast.Name | ast.Constant)


def _commuted(node: ast.AST, rng: Random) -> ast.AST | None:
    """`a + 1` as `1 + a`; only numbers, since texts and lists do not commute."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add | ast.Mult):
        return None
    right = node.right
    if not (isinstance(right, ast.Constant) and type(right.value) in (int, float)):
        return None
    return ast.BinOp(right, node.op, node.left)


def _long_assignment(node: ast.AST, rng: Random) -> ast.AST | None:
    """`x += 1` as `x = x + 1`; only with a number, since lists are extended in place."""
    if not isinstance(node, ast.AugAssign) or not isinstance(node.target, ast.Name):
        return None
    if not (isinstance(node.value, ast.Constant) and type(node.value.value) in (int, float)):
        return None
    name = node.target.id
    value = ast.BinOp(ast.Name(name, ast.Load()), node.op, node.value)
    return ast.Assign([ast.Name(name, ast.Store())], value)


def _named_result(node: ast.AST, rng: Random) -> list[ast.stmt] | None:
    if not isinstance(node, ast.Return) or node.value is None:
        return None
    name = "result_of_it"
    assign = ast.Assign([ast.Name(name, ast.Store())], node.value)
    return [assign, ast.Return(ast.Name(name, ast.Load()))]


def _loop_for_comprehension(node: ast.AST, rng: Random) -> list[ast.stmt] | None:
    """`x = [e for v in s if c]` as a loop; the loop's variable must be nobody else's."""
    if not isinstance(node, ast.Assign | ast.Return) or not isinstance(node.value, ast.ListComp):
        return None
    comprehension = node.value
    if len(comprehension.generators) != 1 or comprehension.generators[0].is_async:
        return None
    part = copy.deepcopy(comprehension.generators[0])
    element = copy.deepcopy(comprehension.elt)
    names = {n.id for n in ast.walk(part.target) if isinstance(n, ast.Name)}
    for tree in (part.target, element, *part.ifs):
        for each in ast.walk(tree):
            if isinstance(each, ast.Name) and each.id in names:
                each.id = f"{each.id}_each"
    collected = "collected_items"
    append = ast.Attribute(ast.Name(collected, ast.Load()), "append", ast.Load())
    body: ast.stmt = ast.Expr(ast.Call(append, [element], []))
    for condition in reversed(part.ifs):
        body = ast.If(condition, [body], [])
    last = copy.deepcopy(node)
    last.value = ast.Name(collected, ast.Load())
    start = ast.Assign([ast.Name(collected, ast.Store())], ast.List([], ast.Load()))
    return [start, ast.For(part.target, part.iter, [body], []), last]


def _explicit_start(node: ast.AST, rng: Random) -> ast.AST | None:
    is_range = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "range"
    if not is_range or len(node.args) != 1:
        return None
    return ast.Call(node.func, [ast.Constant(0), *node.args], [])


def _flat_else(node: ast.AST, rng: Random) -> list[ast.stmt] | None:
    """`if c: return a` followed by what was in its `else`."""
    if not isinstance(node, ast.If) or not node.orelse:
        return None
    if not isinstance(node.body[-1], ast.Return | ast.Continue | ast.Break | ast.Raise):
        return None
    return [ast.If(node.test, node.body, []), *node.orelse]


def _conditional(node: ast.AST, rng: Random) -> ast.AST | None:
    """`return a if c else b` as a statement."""
    if not isinstance(node, ast.Return) or not isinstance(node.value, ast.IfExp):
        return None
    value = node.value
    return ast.If(value.test, [ast.Return(value.body)], [ast.Return(value.orelse)])


REWRITINGS: dict[str, Edit] = {
    "renamed local": _rename,
    "De Morgan": _de_morgan,
    "swapped branches": _swapped_branches,
    "mirrored comparison": _mirrored,
    "commuted operands": _commuted,
    "long assignment": _long_assignment,
    "named result": _named_result,
    "loop for comprehension": _loop_for_comprehension,
    "explicit start": _explicit_start,
    "flat else": _flat_else,
    "conditional": _conditional,
}
