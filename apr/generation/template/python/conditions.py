"""Conditions: negated, strengthened, weakened, replaced (SPR and Prophet's condition schemas)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.template.python.atoms import atoms
from apr.generation.template.python.precedence import fit
from apr.generation.template.python.registry import Rewrite, Site, template

_BOOLEAN = (
    ast.Compare,
    ast.BoolOp,
    ast.UnaryOp,
    ast.Name,
    ast.Call,
    ast.Attribute,
    ast.Constant,
    ast.Subscript,
)


def _is_condition(site: Site, node: ast.expr) -> bool:
    if isinstance(site.parent, (ast.Return, ast.Assign)):
        is_negation = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        return isinstance(node, (ast.Compare, ast.BoolOp)) or is_negation
    return site.field in ("test", "ifs")


@template("negate-condition", 0.25, *_BOOLEAN)
def negate(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield from site.replace(node, site.text(node.operand))
    elif _is_condition(site, node) or isinstance(site.parent, ast.BoolOp):
        is_plain = isinstance(node, ast.Compare) and len(node.ops) == 1
        if not isinstance(node, ast.Constant):
            yield from site.replace(node, f"not {site.operand(node, 6)}", 0.3 if is_plain else 1.0)


@template("drop-condition", 0.2, ast.BoolOp)
def drop_part(site: Site, node: ast.BoolOp) -> Iterator[Rewrite]:
    word = " and " if isinstance(node.op, ast.And) else " or "
    level = 4 if isinstance(node.op, ast.And) else 3
    for index in range(len(node.values)):
        rest = [site.operand(each, level) for i, each in enumerate(node.values) if i != index]
        yield from site.replace(node, word.join(rest))


@template("weaken-condition", 0.2, *_BOOLEAN)
def weaken(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """`cond` becomes `atom or cond`."""
    if _is_condition(site, node) and not isinstance(node, ast.Constant):
        text = site.operand(node, 2)
        for atom, weight in atoms(site)[:40]:
            if atom not in text:
                yield from site.replace(node, f"{fit(atom, 3)} or {text}", weight)


@template("strengthen-condition", 0.13, *_BOOLEAN)
def strengthen(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """`cond` becomes `atom and cond`."""
    if _is_condition(site, node) and not isinstance(node, ast.Constant):
        text = site.operand(node, 3)
        for atom, weight in atoms(site)[:40]:
            if atom not in text:
                yield from site.replace(node, f"{fit(atom, 4)} and {text}", weight)


@template("constant-condition", 0.08, *_BOOLEAN)
def make_constant(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    if site.field in ("test", "ifs") and not isinstance(node, ast.Constant):
        yield from site.replace(node, "True")
        yield from site.replace(node, "False")


@template("other-condition", 0.15, *_BOOLEAN)
def replace_condition(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """Another condition altogether; `while True` most of all wants one."""
    if not _is_condition(site, node):
        return
    factor = 1.0 if isinstance(node, ast.Constant) else 0.6
    for atom, weight in atoms(site)[:40]:
        yield from site.replace(node, atom, weight * factor)


@template("replace-part", 0.08, ast.Compare, ast.Name, ast.Call, ast.UnaryOp)
def replace_part(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """Another conjunct or disjunct."""
    if isinstance(site.parent, ast.BoolOp):
        for atom, weight in atoms(site)[:20]:
            yield from site.replace(node, atom, weight)


@template("none-guard", 0.15, ast.Compare, ast.Call, ast.Attribute, ast.BoolOp, ast.UnaryOp)
def none_guard(site: Site, node: ast.expr) -> Iterator[Rewrite]:
    """Guard the attribute accesses of a condition: `x is not None and x.ready`."""
    if not _is_condition(site, node):
        return
    owners: dict[str, None] = {}
    for each in ast.walk(node):
        if isinstance(each, (ast.Attribute, ast.Subscript)):
            text = site.text(each.value)
            if isinstance(each.value, (ast.Name, ast.Attribute)) and text != "self":
                owners[text] = None
    for owner in owners:
        yield from site.replace(node, f"{owner} is None or {site.operand(node, 3)}")
        yield from site.replace(node, f"{owner} is not None and {site.operand(node, 4)}")
        yield from site.replace(node, f"not {owner} or {site.operand(node, 3)}", 0.5)
