"""Calls: arguments in the wrong order, number or form, and calls too many or missing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.template.python.registry import Rewrite, Site, is_load, template
from apr.generation.template.python.scope import Kind, value_kind

_KEYWORDS = {
    "sorted": ("reverse=True", "key=len", "key=abs", "key=str"),
    "sort": ("reverse=True", "key=len", "key=str"),
    "max": ("default=0", "default=None", "key=len", "key=abs"),
    "min": ("default=0", "default=None", "key=len", "key=abs"),
    "open": ("encoding='utf-8'",),
    "zip": ("strict=True",),
    "split": ("' '",),
    "pop": ("0", "None"),
    "get": ("0", "None", "[]"),
    "round": ("2",),
    "enumerate": ("1",),
    "sum": ("[]",),
    "next": ("None",),
    "int": ("2",),
}


def callee(node: ast.Call) -> str:
    """The last component of what is called; empty for a computed callee."""
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _argument_texts(site: Site, node: ast.Call) -> list[str]:
    return [site.text(each) for each in node.args]


def _with_arguments(
    site: Site, node: ast.Call, arguments: list[str], weight: float
) -> Iterator[Rewrite]:
    start, _ = site.source.span(node)
    head = site.source.text[start : site.source.span(node.func)[1]]
    keywords = [site.text(each) for each in node.keywords]
    yield from site.replace(node, f"{head}({', '.join([*arguments, *keywords])})", weight)


@template("argument-order", 0.25, ast.Call)
def reorder_arguments(site: Site, node: ast.Call) -> Iterator[Rewrite]:
    texts = _argument_texts(site, node)
    count = len(texts)
    for first in range(count):
        for second in range(first + 1, count):
            order = [*texts]
            order[first], order[second] = texts[second], texts[first]
            yield from _with_arguments(site, node, order, 1.0 if second == first + 1 else 0.6)
    if count >= 3:
        yield from _with_arguments(site, node, [*texts[1:], texts[0]], 0.4)
        yield from _with_arguments(site, node, [texts[-1], *texts[:-1]], 0.4)


@template("drop-argument", 0.12, ast.Call)
def drop_argument(site: Site, node: ast.Call) -> Iterator[Rewrite]:
    texts = _argument_texts(site, node)
    for index in range(len(texts)):
        yield from _with_arguments(site, node, texts[:index] + texts[index + 1 :], 1.0)
    start, _ = site.source.span(node)
    head = site.source.text[start : site.source.span(node.func)[1]]
    keywords = [site.text(each) for each in node.keywords]
    for index in range(len(keywords)):
        rest = [*texts, *keywords[:index], *keywords[index + 1 :]]
        yield from site.replace(node, f"{head}({', '.join(rest)})", 0.8)


@template("add-argument", 0.12, ast.Call)
def add_argument(site: Site, node: ast.Call) -> Iterator[Rewrite]:
    texts = _argument_texts(site, node)
    for extra in _KEYWORDS.get(callee(node), ()):
        yield from _with_arguments(site, node, [*texts, extra], 1.0)
    names = site.scope.variables[:6]
    for name in names:
        if name not in texts:
            yield from _with_arguments(site, node, [*texts, name], 0.6)
            yield from _with_arguments(site, node, [name, *texts], 0.4 if texts else 0.0)


@template("add-keyword", 0.1, ast.Call)
def add_keyword(site: Site, node: ast.Call) -> Iterator[Rewrite]:
    """A keyword argument that other calls of the same function in this file pass."""
    own = {each.arg for each in node.keywords}
    seen: dict[str, None] = {}
    calls = site.around.cache.setdefault("calls", _calls(site))
    for other in calls:
        if other is not node and callee(other) == callee(node):
            seen.update({site.text(k): None for k in other.keywords if k.arg and k.arg not in own})
    for text in list(seen)[:6]:
        yield from _with_arguments(site, node, [*_argument_texts(site, node), text], 1.0)


def _calls(site: Site) -> list[ast.Call]:
    return [node for node in site.source.nodes if isinstance(node, ast.Call)]


@template("unwrap-call", 0.2, ast.Call)
def unwrap_call(site: Site, node: ast.Call) -> Iterator[Rewrite]:
    """The call is one too many: it becomes one of its arguments or its receiver."""
    for argument in node.args:
        if not isinstance(argument, ast.Starred):
            yield from site.replace(node, site.text(argument), 1.0 if len(node.args) == 1 else 0.5)
    if isinstance(node.func, ast.Attribute) and not isinstance(site.parent, ast.Expr):
        yield from site.replace(node, site.text(node.func.value), 0.7)


@template("call-to-variable", 0.08, ast.Call)
def call_to_variable(site: Site, node: ast.Call) -> Iterator[Rewrite]:
    if isinstance(site.parent, ast.Expr):
        return
    for name in site.scope.variables[:10]:
        kind = site.scope.kind(name)
        fits = value_kind(node) in (kind, Kind.UNKNOWN)
        yield from site.replace(node, name, 1.0 if fits else 0.4)


@template("call-result", 0.12, ast.Name, ast.Attribute)
def add_call(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """The parentheses of a call are missing: `x.keys` becomes `x.keys()`."""
    if site.field == "func" or not is_load(node):
        return
    if isinstance(node, ast.Attribute):
        is_method = node.attr in site.around.project.calls or node.attr in site.around.file.calls
        yield from site.replace(node, f"{site.text(node)}()", 1.0 if is_method else 0.2)
    elif isinstance(node, ast.Name) and node.id in site.scope.callables:
        yield from site.replace(node, f"{node.id}()", 0.6)


@template("call-function", 0.08, ast.Name, ast.Subscript, ast.Attribute, ast.BinOp)
def call_function(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """Pass the value through a function of the file: `x` becomes `f(x)`."""
    if site.field == "func" or not is_load(node) or site.kind(node) is Kind.CALLABLE:
        return
    called = site.around.near.calls
    own = site.around.function.name if site.around.function else ""
    names = [name for name in site.scope.module if name in site.scope.callables]
    for name in names[:8]:
        weight = 1.0 if name in called or name == own else 0.5
        yield from site.replace(node, f"{name}({site.text(node)})", weight)
