"""Wrong names: variable, function, attribute, subscript, and expressions from the same function."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator

from apr.generation.template.edits import similarity
from apr.generation.template.python.registry import Rewrite, Site, is_load, template
from apr.generation.template.python.scope import Kind, Scope, parameters

_ATTRIBUTE = re.compile(r"\w+(\.\w+)+")
_MOST_SUBSTITUTES = 25
BUILTINS = frozenset(name for name in dir(builtins) if not name.startswith("_"))
RELATED = (
    ("any", "all"),
    ("min", "max"),
    ("sum", "max", "min", "len"),
    ("sorted", "reversed", "list", "set"),
    ("int", "float", "round", "str"),
    ("list", "tuple", "set", "dict"),
    ("append", "extend", "add", "insert", "appendleft"),
    ("pop", "popleft", "remove", "popitem"),
    ("add", "update", "discard", "remove"),
    ("keys", "values", "items"),
    ("strip", "lstrip", "rstrip"),
    ("lower", "upper", "title", "capitalize", "swapcase"),
    ("startswith", "endswith"),
    ("find", "rfind", "index", "rindex"),
    ("split", "rsplit", "splitlines"),
    ("isdigit", "isalpha", "isalnum", "isnumeric", "isspace", "isupper", "islower"),
    ("isinstance", "issubclass"),
    ("getattr", "hasattr"),
    ("ceil", "floor", "round", "trunc"),
    ("union", "intersection", "difference", "symmetric_difference"),
    ("chr", "ord"),
    ("bin", "hex", "oct"),
    ("get", "pop", "setdefault"),
    ("match", "search", "fullmatch"),
    ("read", "readline", "readlines"),
    ("debug", "info", "warning", "error"),
)


def related(name: str) -> list[str]:
    """Names of functions that programmers confuse with `name`."""
    found: dict[str, None] = {}
    for group in RELATED:
        if name in group:
            found.update(dict.fromkeys(group))
    found.pop(name, None)
    return list(found)


def compatibility(scope: Scope, wanted: Kind, name: str) -> float:
    """How well a variable fits where `wanted` is expected, in (0, 1]."""
    kind = scope.kind(name)
    if Kind.UNKNOWN in (wanted, kind):
        return 0.7
    return 1.0 if kind is wanted else 0.25


def substitutes(site: Site, name: str, wanted: Kind) -> list[tuple[str, float]]:
    """Variables in scope other than `name`, weighted by kind, name and distance."""
    scope, found = site.scope, []
    for other in scope.variables:
        if other == name or other == "_":
            continue
        distance = 1.0 if other in scope.local else 0.7 if other in scope.enclosing else 0.3
        likeness = 0.7 + 0.3 * similarity(name, other)
        found.append((other, distance * likeness * compatibility(scope, wanted, other)))
    return sorted(found, key=lambda each: -each[1])[:_MOST_SUBSTITUTES]


@template("wrong-variable", 0.27, ast.Name)
def wrong_variable(site: Site, node: ast.Name) -> Iterator[Rewrite]:
    if not is_load(node) or site.field == "func" or node.id in site.scope.callables:
        return
    for name, weight in substitutes(site, node.id, site.scope.kind(node.id)):
        yield from site.replace(node, name, weight)


@template("wrong-target", 0.12, ast.Name)
def wrong_target(site: Site, node: ast.Name) -> Iterator[Rewrite]:
    if isinstance(node.ctx, ast.Store) and site.source.function(node) is not None:
        for name, weight in substitutes(site, node.id, site.scope.kind(node.id)):
            if name in site.scope.local:
                yield from site.replace(node, name, weight)


@template("wrong-function", 0.17, ast.Name)
def wrong_function(site: Site, node: ast.Name) -> Iterator[Rewrite]:
    if not is_load(node):
        return
    if site.field != "func" and node.id not in site.scope.callables and node.id not in BUILTINS:
        return
    for name in related(node.id):
        if name in BUILTINS or name in site.scope.module:
            yield from site.replace(node, name)
    for name in sorted(site.scope.callables):
        if name != node.id and name in site.scope.module + site.scope.local:
            yield from site.replace(node, name, 0.3 + 0.5 * similarity(node.id, name))


@template("wrong-attribute", 0.25, ast.Attribute)
def wrong_attribute(site: Site, node: ast.Attribute) -> Iterator[Rewrite]:
    """Another attribute or method: a related one, or one seen nearby."""
    base = site.operand(node.value, 15)
    called = site.field == "func"
    for name in related(node.attr):
        yield from site.replace(node, f"{base}.{name}")
    for name, weight in _attributes(site, node.value, node.attr, called):
        if name != node.attr:
            yield from site.replace(node, f"{base}.{name}", weight)


def _attributes(
    site: Site, owner: ast.expr, attribute: str, called: bool
) -> list[tuple[str, float]]:
    """What could stand after the dot in place of `attribute`, with weights, best first."""
    around = site.around
    seen: dict[str, float] = {}
    for name in _declared(site, owner):
        seen[name] = 0.9 * (0.6 + 0.4 * similarity(name, attribute))
    for table, weight in ((around.near, 0.9), (around.file, 0.5), (around.project, 0.25)):
        for name in table.attributes:
            if (name in table.calls) == called:
                likely = weight * (0.6 + 0.4 * similarity(name, attribute))
                seen[name] = max(seen.get(name, 0.0), likely)
    return sorted(seen.items(), key=lambda item: (-item[1], item[0]))[:12]


def _declared(site: Site, owner: ast.expr) -> list[str]:
    """The attributes of the class that the parameter `owner` is annotated with."""
    function = site.around.function
    if function is None or not isinstance(owner, ast.Name):
        return []
    for parameter in parameters(function):
        if parameter.arg == owner.id and parameter.annotation is not None:
            words = re.findall(r"[A-Za-z_]\w*", ast.unparse(parameter.annotation))
            prefixes = tuple(f"{word}." for word in words)
            members = site.around.project.members
            return [each.partition(".")[2] for each in members if each.startswith(prefixes)]
    return []


@template("attribute-owner", 0.2, ast.Attribute)
def attribute_owner(site: Site, node: ast.Attribute) -> Iterator[Rewrite]:
    """`x.a.b` becomes `x.c`: the attribute belongs to the owner of the one that was asked."""
    owner = node.value
    if not isinstance(owner, ast.Attribute) or not is_load(node):
        return
    base = site.operand(owner.value, 15)
    called = site.field == "func"
    for name, weight in [(node.attr, 1.0), *_attributes(site, owner.value, node.attr, called)]:
        if name != owner.attr:
            yield from site.replace(node, f"{base}.{name}", weight)


@template("add-attribute", 0.1, ast.Name)
def add_attribute(site: Site, node: ast.Name) -> Iterator[Rewrite]:
    """`x` becomes `x.attr` with the data attributes read in the function."""
    if not is_load(node) or site.field in ("func", "value") or site.kind(node) is Kind.CALLABLE:
        return
    near = site.around.near
    for name in sorted(near.attributes):
        if name not in near.calls:
            yield from site.replace(node, f"{node.id}.{name}")


@template("drop-attribute", 0.1, ast.Attribute)
def drop_attribute(site: Site, node: ast.Attribute) -> Iterator[Rewrite]:
    if is_load(node) and site.field != "func":
        yield from site.replace(node, site.operand(node.value, 15))


@template("add-subscript", 0.08, ast.Name)
def add_subscript(site: Site, node: ast.Name) -> Iterator[Rewrite]:
    """`xs` becomes `xs[0]`, `xs[-1]`, `xs[i]`."""
    if (
        not is_load(node)
        or site.field == "func"
        or site.kind(node)
        not in (
            Kind.COLLECTION,
            Kind.UNKNOWN,
            Kind.STRING,
        )
    ):
        return
    factor = 1.0 if site.kind(node) is Kind.COLLECTION else 0.5
    for index in ("0", "-1", *site.scope.of_kind(Kind.NUMBER)[:4]):
        if index != node.id:
            yield from site.replace(node, f"{node.id}[{index}]", factor)


@template("drop-subscript", 0.12, ast.Subscript)
def drop_subscript(site: Site, node: ast.Subscript) -> Iterator[Rewrite]:
    if is_load(node):
        yield from site.replace(node, site.operand(node.value, 15))
        if not isinstance(node.slice, (ast.Slice, ast.Tuple)):
            yield from site.replace(node, site.text(node.slice), 0.5)


@template("subscript-order", 0.18, ast.Subscript)
def subscript_order(site: Site, node: ast.Subscript) -> Iterator[Rewrite]:
    if isinstance(node.value, ast.Subscript) and not isinstance(node.slice, ast.Slice):
        base, first = site.operand(node.value.value, 15), site.text(node.value.slice)
        yield from site.replace(node, f"{base}[{site.text(node.slice)}][{first}]")
    if isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 2:
        first, second = (site.text(each) for each in node.slice.elts)
        yield from site.replace(node, f"{site.operand(node.value, 15)}[{second}, {first}]")


@template("other-expression", 0.15, ast.Name, ast.Subscript, ast.Call, ast.Attribute, ast.BinOp)
def other_expression(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """Another expression of the function in this one's place."""
    if not is_load(node) or site.field == "func" or isinstance(site.parent, ast.Expr):
        return
    own = site.text(node)
    pool = site.around.cache.setdefault("expressions", _pool(site))
    ranked = sorted(((similarity(own, text), text) for text in pool), key=lambda e: (-e[0], e[1]))
    for likeness, text in ranked[:10]:
        if text != own:
            yield from site.replace(node, text, 0.4 + 0.6 * likeness)


@template("other-target", 0.15, ast.Subscript, ast.Attribute)
def other_target(site: Site, node: ast.Subscript | ast.Attribute) -> Iterator[Rewrite]:
    """Assign to another element or attribute that the function uses."""
    if is_load(node):
        return
    own = site.text(node)
    pool = [text for text in _pool(site) if text.endswith("]") or _ATTRIBUTE.fullmatch(text)]
    ranked = sorted(((similarity(own, text), text) for text in pool), key=lambda e: (-e[0], e[1]))
    for likeness, text in ranked[:8]:
        if text != own:
            yield from site.replace(node, text, 0.5 + 0.5 * likeness)


def _pool(site: Site) -> list[str]:
    """Calls, subscripts, attributes and arithmetic of the function, as written."""
    texts: dict[str, None] = {}
    root = site.around.function
    for node in ast.walk(root) if root is not None else ():
        if isinstance(node, (ast.Call, ast.Subscript, ast.Attribute, ast.BinOp)) and (
            is_load(node) or isinstance(node, ast.Subscript)
        ):
            parent = site.source.parents.get(node)
            if isinstance(parent, ast.Call) and site.source.fields[node] == "func":
                continue
            text = site.text(node)
            if len(text) <= 60 and "\n" not in text:
                texts[text] = None
    return list(texts)
