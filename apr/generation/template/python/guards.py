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

_MOST_CONDITIONS = 16
_MOST_RESULTS = 5


@template("guard-return", 0.12, *STATEMENTS)
def guard_return(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """Insert `if atom: return value` before the statement."""
    if site.around.function is None:
        return
    first = 1.0 if node is site.around.function.body[0] else 0.6
    for atom, likely in atoms(site)[:_MOST_CONDITIONS]:
        for value, weight in results(site)[:_MOST_RESULTS]:
            code = f"if {atom}:\n\treturn {value}"
            yield from site.insert_before(node, code, likely * weight * first)


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
    function = site.around.function
    if function is not None and node is function.body[0]:
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
