"""Test files out of a model's answer: one test each, with all that it needs around it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from apr.generation.prompt.answer import fenced_blocks

MOST_LINES_CUT = 60


def split_tests(answer: str, opening: str, tested: str = "") -> list[str]:
    """The tests of an answer as files of one test each, the imports and helpers in all of them.

    A model that copies the function under test into its file would test the copy, and one that
    forgets to import it would test nothing: what defines `tested` goes, and every file begins with
    `opening`.
    """
    lines = answer.replace("\r\n", "\n").split("\n")
    blocks = list(fenced_blocks(lines)) or [answer]
    found: dict[str, None] = {}
    for block in blocks:
        tree = _parse_most(block)
        if tree is not None:
            found |= dict.fromkeys(_split(tree, opening, tested))
    return list(found)


def _parse_most(block: str) -> ast.Module | None:
    """The block without its last lines, when it was cut off within a statement."""
    lines = block.split("\n")
    for dropped in range(min(len(lines), MOST_LINES_CUT)):
        try:
            return ast.parse("\n".join(lines[: len(lines) - dropped]))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def _split(tree: ast.Module, opening: str, tested: str) -> Iterator[str]:
    common: list[ast.stmt] = []
    tests: list[list[ast.stmt]] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            tests.append([node])
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            tests += _of_class(node)
        elif not (isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == tested):
            common.append(node)
    for test in tests:
        yield opening + ast.unparse(ast.Module([*common, *test], [])) + "\n"


def _of_class(node: ast.ClassDef) -> Iterator[list[ast.stmt]]:
    """For each test method the class with it and with what is no test."""
    rest = [each for each in node.body if not _is_test(each)]
    for each in node.body:
        if _is_test(each):
            body: list[ast.stmt] = [*rest, each]
            yield [ast.ClassDef(node.name, node.bases, node.keywords, body, node.decorator_list)]


def _is_test(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test")
