"""Values that a function could return or a guard could leave it with."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.template.python.registry import Site
from apr.generation.template.python.scope import Kind, value_kind

_LITERALS = (
    ("None", 0.5),
    ("False", 0.6),
    ("True", 0.6),
    ("0", 0.6),
    ("[]", 0.5),
    ("1", 0.4),
    ("''", 0.4),
    ("-1", 0.3),
    ("{}", 0.2),
)


def results(site: Site) -> list[tuple[str, float]]:
    """What the function could return, with weights in (0, 1], best first."""
    cached = site.around.cache.get("results")
    if cached is None:
        found: dict[str, float] = {}
        for text, weight in _all_results(site):
            found[text] = max(found.get(text, 0.0), weight)
        cached = sorted(found.items(), key=lambda item: -item[1])
        site.around.cache["results"] = cached
    return list(cached)


def _all_results(site: Site) -> Iterator[tuple[str, float]]:
    kinds = set()
    for node in _returns(site):
        if node.value is not None and len(site.text(node.value)) <= 60:
            yield site.text(node.value), 0.9
            kinds.add(site.kind(node.value))
    yield from _returned_elsewhere(site)
    for text, weight in _LITERALS:
        kind = value_kind(ast.parse(text, mode="eval").body)
        yield text, weight * (1.3 if kind in kinds and kind is not Kind.UNKNOWN else 0.8)
    for name in site.scope.local[:8]:
        if name not in ("self", "cls") and site.scope.kind(name) is not Kind.CALLABLE:
            yield name, 0.7 if site.scope.kind(name) in kinds else 0.5


def _returned_elsewhere(site: Site) -> Iterator[tuple[str, float]]:
    """Module-level names that other functions return, those of the same declared type first."""
    declared = site.around.function.returns if site.around.function else None
    wanted = ast.dump(declared) if declared is not None else None
    for function in ast.walk(site.source.tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        same = function.returns is not None and ast.dump(function.returns) == wanted
        for node in ast.walk(function):
            value = node.value if isinstance(node, ast.Return) else None
            if isinstance(value, ast.Name) and value.id in site.scope.module:
                yield value.id, 0.85 if same else 0.3


def _returns(site: Site) -> list[ast.Return]:
    root = site.around.function
    return [node for node in ast.walk(root) if isinstance(node, ast.Return)] if root else []
