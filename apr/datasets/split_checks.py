"""Splits a `check(candidate)` function into one pytest function an assert.

Spectrum-based localization needs passing and failing tests; one function full of asserts is a
single test that fails. All split tests pass exactly when the whole check passes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from apr.core.errors import BadInputError

CHECK = "check"


def split_check(test: str, program: str, module: str, entry_point: str) -> str:
    """A pytest file for `entry_point` of `module` from the text that defines and calls `check`.

    `program` is the module's text: the test may use its other names too, as if appended to it.
    Every assert at the top of `check` becomes a test of its own, after the statements that
    precede it. When asserts stand inside other statements or share variables that an earlier
    call might have changed, the whole check stays one test.

    Raises:
        BadInputError: when `test` defines no function `check` with one parameter.
    """
    tree = ast.parse(test)
    check = _find_check(tree)
    parameter = check.args.args[0].arg
    prelude = [node for node in tree.body if node is not check and not _calls_check(node)]
    bodies = list(_split(check.body)) if _is_splittable(check.body) else [check.body]
    defined = {name for node in ast.parse(program).body for name in _bound_names(node)}
    used = sorted((set(_loaded_names(tree)) & defined) | {entry_point})
    parts = [f"from {module} import {', '.join(used)}"]
    parts += [ast.unparse(node) for node in prelude]
    if parameter != entry_point:
        parts.append(f"{parameter} = {entry_point}")
    header = "\n".join(parts)
    tests = (_render_test(number, body) for number, body in enumerate(bodies, start=1))
    return "\n\n\n".join([header, *tests]) + "\n"


def find_argument_lists(test: str, entry_point: str) -> list[tuple[object, ...]]:
    """The literal positional arguments of every call of the function under test in `test`."""
    tree = ast.parse(test)
    name = _find_check(tree).args.args[0].arg
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_name(node.func, {name, entry_point}):
            try:
                found.append(tuple(ast.literal_eval(arg) for arg in node.args))
            except ValueError:
                continue  # an argument that is computed
    return [args for args in found if args]


def _find_check(tree: ast.Module) -> ast.FunctionDef:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == CHECK and len(node.args.args) == 1:
            return node
    raise BadInputError("the test text defines no function check(candidate)")


def _is_name(node: ast.expr, names: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def _calls_check(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and _is_name(node.value.func, {CHECK})
    )


def _is_splittable(body: Sequence[ast.stmt]) -> bool:
    setup = [node for node in body if not isinstance(node, ast.Assert)]
    asserts = [node for node in body if isinstance(node, ast.Assert)]
    nested = any(isinstance(inner, ast.Assert) for node in setup for inner in ast.walk(node))
    ends_early = any(isinstance(n, ast.Return | ast.Raise) for s in setup for n in ast.walk(s))
    shared = {name for node in setup for name in _stored_names(node)}
    users = [node for node in asserts if shared & set(_loaded_names(node))]
    stores = any(True for node in asserts for _ in _stored_names(node))
    trailing = bool(body) and body[-1] not in asserts
    return len(asserts) > 0 and not (nested or ends_early or stores or trailing or len(users) > 1)


def _stored_names(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif isinstance(inner, ast.FunctionDef | ast.ClassDef):
            yield inner.name
        elif isinstance(inner, ast.alias):
            yield (inner.asname or inner.name).split(".")[0]


def _bound_names(node: ast.stmt) -> Iterator[str]:
    """Names that a statement of a module defines there, not inside its functions."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    else:
        yield from _stored_names(node)


def _loaded_names(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
            yield inner.id


def _split(body: Sequence[ast.stmt]) -> Iterator[list[ast.stmt]]:
    setup: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.Assert):
            yield [*setup, node]
        else:
            setup.append(node)


def _render_test(number: int, body: Sequence[ast.stmt]) -> str:
    lines = "\n".join(ast.unparse(node) for node in body).splitlines()
    indented = "\n".join(f"    {line}" if line else line for line in lines)
    return f"def test_{number}():\n{indented}"
