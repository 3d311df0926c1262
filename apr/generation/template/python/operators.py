"""Arithmetic, bitwise, augmented and boolean operators (mutation operators AOR, LCR, UOI, UOD)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from apr.generation.template.python.precedence import fit, required
from apr.generation.template.python.registry import Rewrite, Site, is_load, template
from apr.generation.template.python.scope import Kind

SYMBOLS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
}
_NEAR = {
    "+": ("-", "*"),
    "-": ("+",),
    "*": ("**", "+", "/", "//"),
    "/": ("//", "*"),
    "//": ("/", "%"),
    "%": ("//", "/"),
    "**": ("*",),
    "&": ("|", "^"),
    "|": ("&", "^"),
    "^": ("&", "|"),
    "<<": (">>",),
    ">>": ("<<",),
}
_ARITHMETIC = ("+", "-", "*", "/", "//", "%", "**")
_BITWISE = ("&", "|", "^", "<<", ">>")


def _alternatives(symbol: str) -> Iterator[tuple[str, float]]:
    family = _ARITHMETIC if symbol in _ARITHMETIC else _BITWISE
    for other in family:
        if other != symbol:
            yield other, 1.0 if other in _NEAR[symbol] else 0.3


def _gap(site: Site, left: ast.expr, right: ast.expr) -> tuple[int, int]:
    return site.source.span(left)[1], site.source.span(right)[0]


def replace_symbol(
    site: Site, left: ast.expr, right: ast.expr, old: str, new: str, weight: float
) -> Iterator[Rewrite]:
    """Replace the operator between two operands, leaving blanks and parentheses alone."""
    start, end = _gap(site, left, right)
    pattern = r"\s+".join(map(re.escape, old.split()))
    if old[0].isalpha():
        pattern = rf"(?<!\w){pattern}(?!\w)"
    match = re.compile(pattern).search(site.source.text, start, end)
    if match:
        yield Rewrite(match.start(), match.end(), new, weight)


@template("arithmetic-operator", 0.25, ast.BinOp)
def swap_arithmetic(site: Site, node: ast.BinOp) -> Iterator[Rewrite]:
    symbol = SYMBOLS.get(type(node.op))
    is_format = isinstance(node.op, ast.Mod) and site.kind(node.left) is Kind.STRING
    if symbol is None or is_format:
        return
    level = required(site.parent, site.field)
    for other, weight in _alternatives(symbol):
        start, end = _gap(site, node.left, node.right)
        if ")" not in site.source.text[start:end] and "(" not in site.source.text[start:end]:
            code = site.source.segment(node)
            sample = f"a {other} b"
            if fit(sample, level) != sample:
                shifted = _with_symbol(site, node, symbol, other)
                yield from site.replace(node, shifted or code, weight)
                continue
        yield from replace_symbol(site, node.left, node.right, symbol, other, weight)


def _with_symbol(site: Site, node: ast.BinOp, old: str, new: str) -> str | None:
    left, right = site.text(node.left), site.text(node.right)
    start, end = _gap(site, node.left, node.right)
    return left + site.source.text[start:end].replace(old, new, 1) + right


@template("augmented-operator", 0.3, ast.AugAssign)
def swap_augmented(site: Site, node: ast.AugAssign) -> Iterator[Rewrite]:
    symbol = SYMBOLS.get(type(node.op))
    if symbol is None:
        return
    for other, weight in _alternatives(symbol):
        yield from replace_symbol(site, node.target, node.value, f"{symbol}=", f"{other}=", weight)
    yield from replace_symbol(site, node.target, node.value, f"{symbol}=", "=", 0.8)


@template("boolean-operator", 0.35, ast.BoolOp)
def swap_boolean(site: Site, node: ast.BoolOp) -> Iterator[Rewrite]:
    old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    level = required(site.parent, site.field)
    text = site.text(node)
    offset = site.source.span(node)[0]
    for left, right in reversed(list(zip(node.values, node.values[1:], strict=False))):
        start, end = (each - offset for each in _gap(site, left, right))
        text = text[:start] + re.sub(rf"\b{old}\b", new, text[start:end], count=1) + text[end:]
    yield from site.replace(node, fit(text, level))


@template("operand-swap", 0.2, ast.BinOp)
def swap_operands(site: Site, node: ast.BinOp) -> Iterator[Rewrite]:
    commutes = isinstance(node.op, (ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor))
    numeric = Kind.NUMBER in (site.kind(node.left), site.kind(node.right))
    if commutes or (isinstance(node.op, ast.Add) and numeric):
        return
    symbol = SYMBOLS.get(type(node.op), "@")
    level = required(node, "left"), required(node, "right")
    left, right = site.operand(node.right, level[0]), site.operand(node.left, level[1])
    yield from site.replace(node, f"{left} {symbol} {right}")


@template("drop-operand", 0.25, ast.BinOp)
def drop_operand(site: Site, node: ast.BinOp) -> Iterator[Rewrite]:
    yield from site.replace(node, site.text(node.left), 1.0)
    yield from site.replace(node, site.text(node.right), 0.9)


@template("regroup", 0.1, ast.BinOp)
def regroup(site: Site, node: ast.BinOp) -> Iterator[Rewrite]:
    """`a + b * c` becomes `(a + b) * c`, and the mirror image."""
    symbol = SYMBOLS.get(type(node.op), "@")
    if isinstance(node.right, ast.BinOp):
        inner = SYMBOLS.get(type(node.right.op), "@")
        first, second = site.operand(node.left, 13), site.operand(node.right.left, 13)
        last = site.operand(node.right.right, 13)
        yield from site.replace(node, f"({first} {symbol} {second}) {inner} {last}")
    if isinstance(node.left, ast.BinOp):
        inner = SYMBOLS.get(type(node.left.op), "@")
        first, second = site.operand(node.left.left, 13), site.operand(node.left.right, 13)
        last = site.operand(node.right, 13)
        yield from site.replace(node, f"{first} {inner} ({second} {symbol} {last})")


@template("add-operand", 0.12, ast.Name, ast.Call, ast.Subscript, ast.BinOp, ast.Attribute)
def add_operand(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """A term is missing: `e` becomes `e + v`, `e - v`, `e * v` with a number in scope."""
    if not is_load(node) or site.kind(node) in (Kind.CALLABLE, Kind.STRING, Kind.COLLECTION):
        return
    if not isinstance(
        site.parent, (ast.Assign, ast.Return, ast.AugAssign, ast.Slice)
    ) and site.field not in ("args", "slice", "comparators"):
        return
    text, own = site.text(node), site.operand(node, 11)
    for name in site.scope.of_kind(Kind.NUMBER)[:6]:
        sure = 1.0 if site.scope.kind(name) is Kind.NUMBER else 0.5
        for symbol, weight in (("+", 1.0), ("-", 0.6), ("*", 0.5)):
            if name != text:
                yield from site.replace(node, f"{own} {symbol} {name}", weight * sure)


@template("scale", 0.06, ast.Name, ast.Call, ast.Subscript, ast.BinOp, ast.Attribute)
def scale(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """A factor is missing: `e` becomes `e / 2`, `e // 2`, `e * 2`, `e % 2`."""
    is_value = isinstance(site.parent, (ast.Assign, ast.Return, ast.AugAssign))
    if not is_load(node) or not ((is_value and site.field == "value") or site.field == "args"):
        return
    if site.kind(node) in (Kind.NUMBER, Kind.UNKNOWN):
        own = site.operand(node, 11)
        sure = 1.0 if site.kind(node) is Kind.NUMBER else 0.5
        for suffix, weight in ((" / 2", 1.0), (" // 2", 1.0), (" * 2", 0.8), (" % 2", 0.4)):
            yield from site.replace(node, own + suffix, weight * sure)


@template("square", 0.05, ast.Name)
def square(site: Site, node: ast.Name) -> Iterator[Rewrite]:
    if is_load(node) and site.kind(node) is Kind.NUMBER and site.field != "func":
        yield from site.replace(node, f"{node.id} * {node.id}")
        yield from site.replace(node, f"{node.id} ** 2", 0.5)
        yield from site.replace(node, f"2 * {node.id}", 0.5)


@template("unary-minus", 0.08, *(ast.Name, ast.Call, ast.Subscript, ast.Attribute, ast.UnaryOp))
def negate_number(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    if isinstance(node, ast.UnaryOp):
        if isinstance(node.op, (ast.USub, ast.Invert)):
            yield from site.replace(node, site.text(node.operand))
        return
    is_inner = isinstance(site.parent, (ast.Attribute, ast.Expr, ast.Starred, ast.Subscript))
    is_number = site.kind(node) in (Kind.NUMBER, Kind.UNKNOWN)
    if is_load(node) and is_number and not is_inner and site.field != "func":
        yield from site.replace(node, f"-{site.text(node)}", 0.6)
