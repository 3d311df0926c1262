"""Guards: an early exit before a statement, or a statement made conditional (PAR, TBar FP2)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.template.python.atoms import atoms
from apr.generation.template.python.registry import (
    STATEMENTS,
    Rewrite,
    Site,
    template,
)
from apr.generation.template.python.values import results
from apr.generation.template.python.variables import BUILTINS

_MOST_CONDITIONS = 16
_MOST_RESULTS = 5


@template("guard-return", 0.12, *STATEMENTS)
def guard_return(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """Insert `if atom: return value` before the statement."""
    if site.around.function is None:
        return
    first = 1.0 if _opens_function(site, node) else 0.6
    for atom, likely in atoms(site)[:_MOST_CONDITIONS]:
        for value, weight in results(site)[:_MOST_RESULTS]:
            code = f"if {atom}:\n\treturn {value}"
            yield from site.insert_before(node, code, likely * weight * first)


@template("guard-donor", 0.25, *STATEMENTS)
def guard_donor(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """Insert a guard that another function of the file has, if all its names are known here."""
    function = site.around.function
    if function is None:
        return
    known = {*site.scope.variables, *site.scope.module, *BUILTINS}
    first = 1.0 if _opens_function(site, node) else 0.6
    own = site.source.span(function)
    for donor in _guards(site):
        start, _ = site.source.span(donor)
        is_own = own[0] <= start < own[1]
        code = site.statement_text(donor)
        if code is not None and not is_own and _names(donor) <= known:
            yield from site.insert_before(node, code, first)


def _guards(site: Site) -> list[ast.If]:
    """The `if` statements of the file whose only effect is to return or raise."""
    cached = site.around.cache.get("guards")
    if cached is None:
        cached = [
            node
            for node in ast.walk(site.source.tree)
            if isinstance(node, ast.If)
            and not node.orelse
            and len(node.body) == 1
            and isinstance(node.body[0], (ast.Return, ast.Raise))
        ]
        site.around.cache["guards"] = cached
    return list(cached)


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _opens_function(site: Site, node: ast.stmt) -> bool:
    """The statement is the function's first, its docstring aside."""
    function = site.around.function
    if function is None:
        return False
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return bool(body) and node is body[0]


@template("guard-loop", 0.08, *STATEMENTS)
def guard_loop(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """Insert `if atom: continue` or `break` before the statement."""
    if site.source.loop(node) is None:
        return
    for atom, likely in atoms(site)[:_MOST_CONDITIONS]:
        yield from site.insert_before(node, f"if {atom}:\n\tcontinue", likely)
        yield from site.insert_before(node, f"if {atom}:\n\tbreak", likely)


@template("guard-raise", 0.03, *STATEMENTS)
def guard_raise(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    if _opens_function(site, node):
        for atom, likely in atoms(site)[:6]:
            for error in ("ValueError", "TypeError", "KeyError"):
                yield from site.insert_before(node, f"if {atom}:\n\traise {error}", likely)


@template("wrap-in-if", 0.08, ast.Assign, ast.AugAssign, ast.Expr, ast.Return, ast.For, ast.While)
def wrap_in_if(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """Execute the statement only if an atom holds."""
    code = site.statement_text(node)
    if code is None or not site.source.is_own_line(node):
        return
    inner = "\n".join("\t" + line if line else line for line in code.split("\n"))
    for atom, likely in atoms(site)[:30]:
        yield from site.replace_statement(node, f"if {atom}:\n{inner}", likely)
