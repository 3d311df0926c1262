"""Which names a place can see, and what each of them looks like from how it is used.

Without types, use tells most: a name that is called is a function, one that is subscripted or
iterated a collection, one that is added to or compared by order a number.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from apr.generation.template.python.source import Function, Source

_COLLECTION_METHODS = frozenset(
    [
        "append",
        "extend",
        "add",
        "insert",
        "pop",
        "remove",
        "update",
        "keys",
        "values",
        "items",
        "sort",
        "index",
        "count",
        "popleft",
        "appendleft",
        "discard",
        "union",
        "difference",
        "get",
        "setdefault",
        "clear",
        "copy",
    ]
)
_STRING_METHODS = frozenset(
    [
        "split",
        "strip",
        "lower",
        "upper",
        "join",
        "replace",
        "startswith",
        "endswith",
        "isdigit",
        "isalpha",
        "format",
    ]
)
_ITERATING = frozenset(
    [
        "len",
        "sum",
        "max",
        "min",
        "sorted",
        "reversed",
        "enumerate",
        "list",
        "set",
        "tuple",
        "any",
        "all",
    ]
)


class Kind(StrEnum):
    """What a name seems to hold."""

    NUMBER = "number"
    COLLECTION = "collection"
    STRING = "string"
    CALLABLE = "callable"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Scope:
    """Names visible in one function (or at module level), nearest first.

    `local` are parameters and assigned names, in order of appearance; `enclosing` those of outer
    functions; `module` what the file defines or imports. `uses` counts the loads in the function.
    """

    local: tuple[str, ...]
    enclosing: tuple[str, ...]
    module: tuple[str, ...]
    callables: frozenset[str]
    kinds: dict[str, Kind] = field(default_factory=dict)
    uses: dict[str, int] = field(default_factory=dict)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Local and enclosing names, then module names that hold values."""
        outer = [name for name in self.module if name not in self.callables]
        return tuple(dict.fromkeys((*self.local, *self.enclosing, *outer)))

    def of_kind(self, *kinds: Kind) -> tuple[str, ...]:
        """Variables that are or may be of one of `kinds`, the certain ones first."""
        sure = [name for name in self.variables if self.kind(name) in kinds]
        maybe = [name for name in self.variables if self.kind(name) is Kind.UNKNOWN]
        return tuple(dict.fromkeys((*sure, *maybe)))

    def within(self, inner: tuple[str, ...]) -> Scope:
        """The scope inside comprehensions or lambdas that bind `inner`, the nearest names."""
        return replace(self, local=tuple(dict.fromkeys((*inner, *self.local)))) if inner else self

    def kind(self, name: str) -> Kind:
        """The kind its uses suggest."""
        if name in self.callables:
            return Kind.CALLABLE
        return self.kinds.get(name, Kind.UNKNOWN)


def module_names(tree: ast.Module) -> tuple[tuple[str, ...], frozenset[str]]:
    """The names a module binds, and those of them that are functions, classes or modules."""
    names: dict[str, None] = {}
    callables: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names[node.name] = None
            callables.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound = [(each.asname or each.name).split(".")[0] for each in node.names]
            names.update(dict.fromkeys(bound))
            callables.update(bound)
        else:
            names.update(dict.fromkeys(_bound_names(node)))
    names.pop("*", None)
    return tuple(names), frozenset(callables)


def scope_of(source: Source, function: Function | None) -> Scope:
    """The scope of a function's body; of the module when `function` is None."""
    module, callables = module_names(source.tree)
    if function is None:
        return Scope((), (), module, callables, *_profile(source.tree))
    local = _local_names(function)
    enclosing: list[str] = []
    nested = {each.name for each in ast.walk(function) if isinstance(each, ast.FunctionDef)}
    outermost: Function = function
    for each in source.ancestors(function):
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
            enclosing.extend(_local_names(each))
            nested |= {n.name for n in ast.walk(each) if isinstance(n, ast.FunctionDef)}
            outermost = each
    kinds, uses = _profile(outermost)
    return Scope(tuple(local), tuple(enclosing), module, callables | nested, kinds, uses)


_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def inner_names(source: Source, node: ast.AST) -> tuple[str, ...]:
    """Names bound by the comprehensions and lambdas around `node`, the innermost first."""
    names: list[str] = []
    child = node
    for each in source.ancestors(node):
        if isinstance(each, ast.Lambda) and child is each.body:
            names.extend(argument.arg for argument in each.args.args)
        elif isinstance(each, ast.comprehension) and child is each.iter:
            child = source.parents[each]  # the iterable does not see the target
            continue
        elif isinstance(each, _COMPREHENSIONS) and child is not each:
            for generator in each.generators:
                names.extend(n.id for n in ast.walk(generator.target) if isinstance(n, ast.Name))
        elif isinstance(each, ast.stmt):
            break
        child = each
    return tuple(dict.fromkeys(names))


def parameters(function: Function) -> list[ast.arg]:
    """All parameters in order."""
    args = function.args
    extra = [each for each in (args.vararg, args.kwarg) if each is not None]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *extra]


def _local_names(function: Function) -> list[str]:
    names = {each.arg: None for each in parameters(function)}
    for node in function.body:
        names.update(dict.fromkeys(_bound_names(node)))
    return list(names)


def _bound_names(node: ast.stmt) -> list[str]:
    """Names stored by a statement, in order; nested functions count by name only."""
    found: list[str] = []
    stack: list[ast.AST] = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            found.append(each.id)
        elif isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.append(each.name)
            continue
        elif isinstance(each, ast.ExceptHandler) and each.name:
            found.append(each.name)
        elif isinstance(each, (ast.Import, ast.ImportFrom)):
            found.extend((a.asname or a.name).split(".")[0] for a in each.names)
        elif isinstance(
            each, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
        ):
            continue
        stack.extend(reversed(list(ast.iter_child_nodes(each))))
    return found


def _profile(root: ast.AST) -> tuple[dict[str, Kind], dict[str, int]]:
    votes: dict[str, Counter[Kind]] = {}
    uses: Counter[str] = Counter()
    for node in ast.walk(root):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            uses[node.id] += 1
        for name, kind in _evidence(node):
            if kind is Kind.UNKNOWN:
                continue
            votes.setdefault(name, Counter())[kind] += 1
    kinds = {name: _majority(count) for name, count in votes.items()}
    return kinds, dict(uses)


def _majority(count: Counter[Kind]) -> Kind:
    return max(sorted(count), key=lambda kind: count[kind])


def _evidence(node: ast.AST) -> list[tuple[str, Kind]]:
    """What one node says about the names directly in it."""
    pairs: list[tuple[ast.expr, Kind]] = []
    if isinstance(node, ast.Call):
        pairs += _call_evidence(node)
    elif isinstance(node, ast.Subscript):
        pairs.append((node.value, Kind.COLLECTION))
        if isinstance(node.slice, ast.Slice):
            bounds = (node.slice.lower, node.slice.upper, node.slice.step)
            pairs += [(bound, Kind.NUMBER) for bound in bounds if bound is not None]
    elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        pairs.append((node.iter, Kind.COLLECTION))
        if _is_range(node.iter):
            pairs.append((node.target, Kind.NUMBER))
    elif isinstance(node, ast.BinOp):
        if isinstance(node.op, (ast.Sub, ast.Div, ast.FloorDiv, ast.Pow, ast.LShift, ast.RShift)):
            pairs += [(node.left, Kind.NUMBER), (node.right, Kind.NUMBER)]
        elif value_kind(node) is not Kind.UNKNOWN:
            pairs += [(node.left, value_kind(node)), (node.right, value_kind(node))]
    elif isinstance(node, ast.AugAssign):
        kind = value_kind(node.value)
        pairs.append((node.target, kind if kind is not Kind.UNKNOWN else Kind.NUMBER))
    elif isinstance(node, ast.Compare):
        pairs += _compare_evidence(node)
    elif isinstance(node, ast.arg):
        return [(node.arg, _annotated(node.annotation))] * 3
    elif isinstance(node, ast.Assign):
        pairs += [(target, value_kind(node.value)) for target in node.targets]
    return [
        (each.id, kind)
        for each, kind in pairs
        if isinstance(each, ast.Name) and kind is not Kind.UNKNOWN
    ]


def _annotated(annotation: ast.expr | None) -> Kind:
    """The kind a parameter's annotation names."""
    outer = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    name = outer.attr if isinstance(outer, ast.Attribute) else getattr(outer, "id", "")
    return _ANNOTATIONS.get(str(name).lower(), Kind.UNKNOWN)


def _call_evidence(node: ast.Call) -> list[tuple[ast.expr, Kind]]:
    function = node.func
    if isinstance(function, ast.Attribute):
        if function.attr in _STRING_METHODS:
            return [(function.value, Kind.STRING)]
        if function.attr in _COLLECTION_METHODS:
            return [(function.value, Kind.COLLECTION)]
    if isinstance(function, ast.Name):
        found: list[tuple[ast.expr, Kind]] = []
        if function.id == "range":
            found += [(each, Kind.NUMBER) for each in node.args]
        elif function.id in _ITERATING and len(node.args) == 1:
            found.append((node.args[0], Kind.COLLECTION))
        return [*found, (function, Kind.CALLABLE)]
    return []


def _compare_evidence(node: ast.Compare) -> list[tuple[ast.expr, Kind]]:
    sides = [node.left, *node.comparators]
    found: list[tuple[ast.expr, Kind]] = []
    for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
        if isinstance(operator, (ast.In, ast.NotIn)):
            found.append((right, Kind.COLLECTION))
        elif isinstance(operator, (ast.Lt, ast.LtE, ast.Gt, ast.GtE)):
            found += [(left, Kind.NUMBER), (right, Kind.NUMBER)]
        else:
            found += [(left, value_kind(right)), (right, value_kind(left))]
    return found


def value_kind(node: ast.expr) -> Kind:
    """The kind of an expression's value, from its form alone."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            return Kind.NUMBER
        return Kind.STRING if isinstance(node.value, str) else Kind.UNKNOWN
    if isinstance(node, ast.JoinedStr):
        return Kind.STRING
    collections = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp, ast.Tuple)
    if isinstance(node, collections):
        return Kind.COLLECTION
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _RESULTS.get(node.func.id, Kind.UNKNOWN)
    if isinstance(node, ast.BinOp):
        left, right = value_kind(node.left), value_kind(node.right)
        if isinstance(node.op, (ast.Sub, ast.Div, ast.FloorDiv, ast.Pow)):
            return Kind.NUMBER
        return left if left is not Kind.UNKNOWN else right
    return value_kind(node.operand) if isinstance(node, ast.UnaryOp) else Kind.UNKNOWN


def _is_range(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"
    )


_RESULTS = {
    **dict.fromkeys(("len", "int", "float", "abs", "sum", "ord", "round"), Kind.NUMBER),
    **dict.fromkeys(("str", "chr", "repr", "input", "bin", "hex"), Kind.STRING),
    **dict.fromkeys(
        ("list", "set", "dict", "tuple", "sorted", "deque", "defaultdict", "Counter", "range"),
        Kind.COLLECTION,
    ),
}
_ANNOTATIONS = {
    **dict.fromkeys(("int", "float"), Kind.NUMBER),
    "str": Kind.STRING,
    **dict.fromkeys(
        ("list", "set", "dict", "tuple", "sequence", "iterable", "mapping", "deque", "frozenset"),
        Kind.COLLECTION,
    ),
}
