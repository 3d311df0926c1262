"""Literals: near and boundary numbers, flipped truth values, changed strings, other literals."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.template.edits import similarity
from apr.generation.template.python.registry import Rewrite, Site, template
from apr.generation.template.python.scope import Kind


def _is_int(node: ast.Constant) -> bool:
    return type(node.value) is int


def _in_pattern(site: Site) -> bool:
    return site.field in ("keys",) or isinstance(site.parent, (ast.JoinedStr, ast.FormattedValue))


@template("near-number", 0.35, ast.Constant)
def near_number(site: Site, node: ast.Constant) -> Iterator[Rewrite]:
    if type(node.value) is int and not _in_pattern(site):
        number = node.value
        candidates = {
            number + 1: 1.0,
            number - 1: 1.0,
            0: 0.7,
            1: 0.7,
            -number: 0.4,
            2: 0.4,
            -1: 0.4,
        }
        candidates |= _mistyped(number) if abs(number) >= 10 else {}
        for value, weight in candidates.items():
            if value != number:
                yield from site.replace(node, str(value), weight)
    elif isinstance(node.value, float):
        for text, weight in (("0.0", 0.5), ("1.0", 0.5), ("0.5", 0.3), (f"{-node.value!r}", 0.4)):
            yield from site.replace(node, text, weight)


def _mistyped(number: int) -> dict[int, float]:
    """One digit too high or too low, two digits swapped, one digit too many or too few."""
    digits = str(abs(number))
    sign = -1 if number < 0 else 1
    slips = {number * 10: 0.1, int(digits[:-1]) * sign: 0.1}
    for index in range(len(digits) - 1):
        pair = digits[index : index + 2]
        swapped = digits[:index] + pair[::-1] + digits[index + 2 :]
        slips[int(swapped) * sign] = 0.3
        unit = 10 ** (len(digits) - 1 - index)
        slips |= {number + unit: 0.5, number - unit: 0.5}
    return slips


@template("truth-value", 0.4, ast.Constant)
def flip_truth(site: Site, node: ast.Constant) -> Iterator[Rewrite]:
    if node.value is True or node.value is False:
        yield from site.replace(node, str(not node.value))
        yield from site.replace(node, "None", 0.2)
    elif node.value is None:
        for text, weight in (("False", 0.5), ("True", 0.3), ("0", 0.5), ("[]", 0.5), ("''", 0.4)):
            yield from site.replace(node, text, weight)


@template("string-case", 0.2, ast.Constant)
def change_string(site: Site, node: ast.Constant) -> Iterator[Rewrite]:
    value = node.value
    if not isinstance(value, str) or isinstance(site.parent, ast.JoinedStr):
        return
    quote = '"' if site.text(node).endswith('"') else "'"
    variants = [value.lower(), value.upper(), value.strip(), "", " ", value + " ", value[:-1]]
    variants += [value.title(), value[1:]] if len(value) < 60 else []
    for rank, variant in enumerate(dict.fromkeys(variants)):
        if variant != value and variant.isprintable() and not set(variant) & set("'\"\\"):
            yield from site.replace(node, f"{quote}{variant}{quote}", 1.0 - 0.08 * rank)


@template("other-constant", 0.15, ast.Constant)
def other_constant(site: Site, node: ast.Constant) -> Iterator[Rewrite]:
    """A literal of the same type from the function, else the file, else the project."""
    if isinstance(site.parent, ast.JoinedStr) or node.value is Ellipsis:
        return
    around, own = site.around, repr(node.value)
    tables = ((around.near, 1.0), (around.file, 0.6), (around.project, 0.3))
    offered: set[str] = {own}
    for table, scope_weight in tables:
        ranked = sorted(
            ((similarity(own, text), count, text) for text, count in table.common_constants),
            key=lambda each: (-each[0], -each[1], each[2]),
        )
        for likeness, _, text in ranked[:12]:
            if text not in offered and _same_type(node.value, text):
                offered.add(text)
                yield from site.replace(node, text, scope_weight * (0.5 + 0.5 * likeness))


def _same_type(value: object, text: str) -> bool:
    if isinstance(value, str):
        return text[0] in "'\"" and len(text) < 60
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and (text[0].isdigit() or text[0] == "-")


@template("constant-to-variable", 0.15, ast.Constant)
def constant_to_variable(site: Site, node: ast.Constant) -> Iterator[Rewrite]:
    """A literal stands where a variable belongs."""
    if isinstance(site.parent, (ast.JoinedStr, ast.Expr)) or _in_pattern(site):
        return
    if site.source.function(node) is None or isinstance(site.parent, ast.arguments):
        return
    kinds = (Kind.NUMBER,) if _is_int(node) else (Kind.STRING,)
    for name in site.scope.of_kind(*kinds)[:8]:
        sure = 1.0 if site.scope.kind(name) in kinds else 0.6
        yield from site.replace(node, name, sure)
    if _is_int(node):
        for name in site.scope.of_kind(Kind.COLLECTION)[:3]:
            yield from site.replace(node, f"len({name})", 0.4)


@template("empty-collection", 0.18, ast.List, ast.Call, ast.Set, ast.Tuple)
def fill_collection(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """An empty collection that should hold one element: `[]` becomes `[x]`, `[[]]`, `[0]`."""
    if isinstance(node, ast.Call):
        is_set = isinstance(node.func, ast.Name) and node.func.id == "set"
        if is_set and not node.args:
            for name in site.scope.variables[:8]:
                yield from site.replace(node, f"{{{name}}}")
        return
    if isinstance(node, ast.List) and not node.elts:
        yield from site.replace(node, "[[]]", 1.0)
        for name in site.scope.variables[:8]:
            yield from site.replace(node, f"[{name}]", 0.8)
        for literal in ("[0]", "[1]", "['']", "{}", "set()", "()"):
            yield from site.replace(node, literal, 0.5)


@template("element", 0.12, ast.List, ast.Tuple, ast.Set)
def change_elements(site: Site, node: ast.List | ast.Tuple | ast.Set) -> Iterator[Rewrite]:
    """Swap neighbours in a display, or drop one of its elements."""
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load) or len(node.elts) < 2:
        return
    texts = [site.text(each) for each in node.elts]
    for index in range(len(texts) - 1):
        swapped = [*texts]
        swapped[index], swapped[index + 1] = texts[index + 1], texts[index]
        yield from _display(site, node, swapped, 1.0)
    if not isinstance(node, ast.Tuple):
        for index in range(len(texts)):
            yield from _display(site, node, texts[:index] + texts[index + 1 :], 0.5)


def _display(
    site: Site, node: ast.List | ast.Tuple | ast.Set, texts: list[str], weight: float
) -> Iterator[Rewrite]:
    start = site.source.span(node)[0]
    opening = site.source.text[start]
    inner = ", ".join(texts)
    if isinstance(node, ast.Tuple) and opening != "(":
        yield from site.replace(node, inner, weight)
        return
    closing = {"[": "]", "(": ")", "{": "}"}[opening]
    yield from site.replace(node, f"{opening}{inner}{closing}", weight)
