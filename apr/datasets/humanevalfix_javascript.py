"""HumanEvalFix's JavaScript programs: each assertion a test of its own, run by node."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from apr.core.bug import RunnerKind, TestCommand
from apr.core.errors import BadInputError, EnvironmentUnusableError
from apr.source.functions import parse_source

if TYPE_CHECKING:
    from tree_sitter import Node

PROGRAM, TESTS, REPORT = "solution.js", "solution.test.js", "report.xml"
RUNNER = Path(__file__).with_name("javascript_runner.js")
LIMIT_MS = 1000
ASSERT = "console.assert("


def write_subject(program: str, test: str, subject: Path) -> TestCommand:
    """Write the program with its tests, and the command that runs these.

    Raises:
        BadInputError: when the text of the test has no function that asserts.
        EnvironmentUnusableError: when there is no node.
    """
    if shutil.which("node") is None:
        raise EnvironmentUnusableError("there is no node: install Debian's nodejs")
    (subject / PROGRAM).write_text(program, encoding="utf-8")
    (subject / TESTS).write_text(split_asserts(test), encoding="utf-8")
    shutil.copyfile(RUNNER, subject / RUNNER.name)
    argv = ("node", RUNNER.name, PROGRAM, TESTS, REPORT, str(LIMIT_MS))
    return TestCommand(RunnerKind.COMMAND, argv, junit_globs=(REPORT,))


def split_asserts(test: str) -> str:
    """A file that defines `tests`, one function for each assertion with what precedes it.

    Where assertions stand inside other statements, all of them are one test. Statements outside
    of the function stay where they are, but for its call.
    """
    root = parse_source(TESTS, test)
    bodies = [] if root is None else [(node, _body(node)) for node in root.named_children]
    found = next(((node, body) for node, body in bodies if body and ASSERT in _text(node)), None)
    if root is None or found is None:
        raise BadInputError("the test text defines no function that asserts")
    function, body = found
    name = _name(function)
    outside = [
        _text(node)
        for node in root.named_children
        if node != function and not _text(node).startswith(f"{name}(")
    ]
    tests = [f"  {json.dumps(f'test_{n}')}: () => {{\n{text}\n  }}," for n, text in _split(body)]
    return "\n".join([*outside, "var tests = {", *tests, "};"]) + "\n"


def _body(node: Node) -> Sequence[Node] | None:
    """The statements of a function declaration, or of a constant that is a function."""
    if node.type in ("lexical_declaration", "variable_declaration"):
        value = node.named_children[0].child_by_field_name("value")
        return None if value is None else _body(value)
    block = node.child_by_field_name("body")
    return block.named_children if block is not None and block.type == "statement_block" else None


def _name(function: Node) -> str:
    declared = function.child_by_field_name("name")
    if declared is None:
        declared = function.named_children[0].child_by_field_name("name")
    return "" if declared is None else _text(declared)


def _split(body: Sequence[Node]) -> list[tuple[int, str]]:
    asserts = [node for node in body if _text(node).startswith(ASSERT)]
    others = [node for node in body if node not in asserts]
    if not asserts or any(ASSERT in _text(node) for node in others):
        return [(1, "\n".join(map(_text, body)))]
    parts = []
    for number, node in enumerate(asserts, start=1):
        before = [_text(other) for other in others if other.start_byte < node.start_byte]
        parts.append((number, "\n".join([*before, _text(node)])))
    return parts


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8")
