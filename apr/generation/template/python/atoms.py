"""Conditions that a place could test: synthesised from the variables in scope, or seen nearby."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import combinations

from apr.generation.template.python.registry import Site
from apr.generation.template.python.scope import Kind

Atom = tuple[str, float]

_MOST_VARIABLES = 9


def atoms(site: Site) -> list[Atom]:
    """Boolean expressions over what is in scope, each with a weight in (0, 1], best first."""
    cached = site.around.cache.get("atoms")
    if cached is None:
        found: dict[str, float] = {}
        for text, weight in _all_atoms(site):
            found[text] = max(found.get(text, 0.0), weight)
        cached = sorted(found.items(), key=lambda item: -item[1])
        site.around.cache["atoms"] = cached
    return list(cached)


def _all_atoms(site: Site) -> Iterator[Atom]:
    variables = site.scope.variables[:_MOST_VARIABLES]
    for name in variables:
        yield from _of_one(name, site.scope.kind(name))
    for first, second in combinations(variables, 2):
        yield from _of_two(site, first, second)
    yield from _seen(site)


def _of_one(name: str, kind: Kind) -> Iterator[Atom]:
    patterns: tuple[Atom, ...]
    if kind is Kind.CALLABLE:
        return
    if kind is Kind.NUMBER:
        patterns = (("{} == 0", 1.0), ("{} > 0", 0.6), ("{} < 0", 0.6), ("{} == 1", 0.5))
        patterns += (("{} != 0", 0.4), ("{} <= 0", 0.4), ("{} <= 1", 0.4), ("{} > 1", 0.3))
        patterns += (("{} % 2 == 0", 0.4), ("{} % 2 != 0", 0.4))
    elif kind is Kind.COLLECTION:
        patterns = (("not {}", 1.0), ("{}", 0.9), ("len({}) == 1", 0.4), ("len({}) > 1", 0.4))
        patterns += (("{} is None", 0.3), ("len({}) <= 1", 0.3))
    else:
        patterns = (("{} is None", 0.9), ("not {}", 0.9), ("{}", 0.8), ("{} is not None", 0.8))
        patterns += (("{} == 0", 0.4), ("{} > 0", 0.2))
        patterns += (("{} % 2 == 0", 0.15), ("{} % 2 != 0", 0.15))
    for pattern, weight in patterns:
        yield pattern.format(name), weight


def _of_two(site: Site, first: str, second: str) -> Iterator[Atom]:
    one, two = site.scope.kind(first), site.scope.kind(second)
    if Kind.CALLABLE in (one, two):
        return
    if Kind.COLLECTION in (one, two) and one is not two:
        item, container = (second, first) if one is Kind.COLLECTION else (first, second)
        yield f"{item} in {container}", 0.6
        yield f"{item} not in {container}", 0.6
        if Kind.NUMBER in (one, two):
            yield f"{item} < len({container})", 0.5
            yield f"{item} >= len({container})", 0.4
        return
    if one is Kind.COLLECTION or Kind.STRING in (one, two):
        yield f"{first} == {second}", 0.4
        yield f"{first} != {second}", 0.3
        return
    sure = 1.0 if one is two is Kind.NUMBER else 0.6
    for symbol, weight in (
        ("<", 0.5),
        (">", 0.5),
        ("==", 0.5),
        ("<=", 0.4),
        (">=", 0.4),
        ("!=", 0.4),
    ):
        yield f"{first} {symbol} {second}", weight * sure


def _seen(site: Site) -> Iterator[Atom]:
    """Conditions written in this function, and their opposites."""
    root = site.around.function or site.source.tree
    for node in ast.walk(root):
        if isinstance(node, (ast.Compare, ast.Call)) and node.lineno == node.end_lineno:
            text = site.text(node)
            if len(text) > 50 or not (isinstance(node, ast.Compare) or _is_test(site, node)):
                continue
            yield text, 0.7
            yield f"not {text}" if isinstance(node, ast.Call) else f"not ({text})", 0.3


def _is_test(site: Site, node: ast.AST) -> bool:
    parent = site.source.parents.get(node)
    is_boolean = isinstance(parent, (ast.BoolOp, ast.UnaryOp))
    return is_boolean or site.source.fields.get(node) == "test"
