"""HumanEvalFix's Java programs: each expected result a JUnit test of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from apr.core.bug import TestCommand
from apr.core.errors import BadInputError
from apr.datasets.java import PROGRAMS, TESTS, junit_command
from apr.source.functions import parse_source

if TYPE_CHECKING:
    from tree_sitter import Node

PROGRAM = f"{PROGRAMS}/Solution.java"
SUITE = "SolutionTest"
_RESULTS = re.compile(r"List<Boolean> correct = Arrays\.asList\(")
_VERDICT = re.compile(r"if \(correct\.contains\(false\)\)")


def write_subject(program: str, test: str, subject: Path) -> TestCommand:
    """Write the program with its tests, and the command that runs these.

    Raises:
        BadInputError: when the text of the test has no method main.
    """
    imports = "".join(f"{line}\n" for line in program.split("\n") if line.startswith("import "))
    files = {
        PROGRAM: program,
        f"{TESTS}/{SUITE}.java": imports + split_results(test),
        f"{TESTS}/Main.java": imports + test,
    }
    for path, text in files.items():
        (subject / path).parent.mkdir(exist_ok=True)
        (subject / path).write_text(text, encoding="utf-8")
    return junit_command(SUITE)


def split_results(test: str) -> str:
    """A JUnit class with a test for each expected result of `main`; one that calls it, else."""
    body = _find_main(test)
    results = next((node for node in body if _RESULTS.match(_text(node))), None)
    others = [node for node in body if node != results]
    cases = ["Main.main(new String[0]);"]
    if results is not None and others and _VERDICT.match(_text(others[-1])):
        before = " ".join(_text(node) for node in others[:-1])
        cases = [
            f"{before}\n        org.junit.Assert.assertTrue({_text(argument)});"
            for argument in _arguments(results)
        ]
    methods = (
        f"    @org.junit.Test\n    public void test_{number}() throws Exception {{\n"
        f"        {case}\n    }}\n"
        for number, case in enumerate(cases, start=1)
    )
    return f"public class {SUITE} {{\n" + "\n".join(methods) + "}\n"


def _find_main(test: str) -> Sequence[Node]:
    root = parse_source("Main.java", test)
    for node in _walk(root) if root is not None else ():
        name = node.child_by_field_name("name")
        if node.type == "method_declaration" and name is not None and _text(name) == "main":
            body = node.child_by_field_name("body")
            return [] if body is None else body.named_children
    raise BadInputError("the test text has no method main")


def _arguments(declaration: Node) -> Sequence[Node]:
    """Those of the call that makes the list of results."""
    lists = (node for node in _walk(declaration) if node.type == "argument_list")
    return [node for node in next(lists).named_children if not node.type.endswith("comment")]


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.named_children:
        yield from _walk(child)


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8")
