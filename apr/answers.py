"""What a developer answers to a question of a finished run, as a test of the next one."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from apr.core.behaviour import Choice
from apr.core.bug import Bug, RunnerKind, TestId
from apr.core.errors import BadInputError


def choose_test(choices: Sequence[Choice], number: int, rank: int) -> tuple[str, bool]:
    """The test that demands what the patch of that rank does; whether it fails without a patch.

    `number` counts questions from 1.

    Raises:
        BadInputError: when there is no such question or patch, or no test of what it does.
    """
    if not 1 <= number <= len(choices):
        asked = f"{len(choices)} questions" if len(choices) != 1 else "1 question"
        raise BadInputError(f"there is no question {number}: the run has {asked}")
    choice = choices[number - 1]
    for index, ((ranks, _), test) in enumerate(choice.outcomes):
        if rank in ranks:
            if not test:
                raise BadInputError(f"no test could be written of what patch {rank} does there")
            return test, choice.unpatched != index
    raise BadInputError(f"question {number} is not about a patch {rank}")


def add_test(bug: Bug, text: str, *, fails: bool, called: str = "answer") -> Bug:
    """The bug with one test file more, which is run with the others and `called` so.

    `fails` says that it fails without a patch: then it is among the trigger tests, if the bug
    names any.

    Raises:
        BadInputError: when the subject's tests are not pytest's, or the text has no test.
    """
    if bug.test_command.kind is not RunnerKind.PYTEST:
        raise BadInputError("answers become tests of pytest, which does not run this project's")
    path = f"test_{called}_{len(bug.added_tests) + 1}.py"
    names = names_of_tests(text)
    command = bug.test_command
    if any(Path(bug.subject, part.partition("::")[0]).exists() for part in _paths(command.argv)):
        command = replace(command, argv=(*command.argv, path))
    triggers = bug.trigger_tests
    if triggers and fails:
        triggers = (*triggers, *(TestId(f"{path}::{name}") for name in names))
    added = (*bug.added_tests, (path, text))
    return replace(bug, test_command=command, trigger_tests=triggers, added_tests=added)


def _paths(argv: Sequence[str]) -> list[str]:
    return [part for part in argv if part and not part.startswith("-")]


def names_of_tests(text: str) -> list[str]:
    """The test functions of a file.

    Raises:
        BadInputError: when there is none, or the text is no Python.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise BadInputError(f"the answer is no Python: {error}") from error
    found = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test")
    ]
    if not found:
        raise BadInputError("the answer has no function whose name begins with test")
    return found
