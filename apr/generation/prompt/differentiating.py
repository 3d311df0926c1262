"""Tests from a language model that are to tell two versions apart (Wang et al. 2026, PatchDiff).

The model sees an affected function as each version has it, who leads to it, and how the suite
calls it. What it answers is cut into files with one test each; whether these are any good is for
`validation.patchdiff.written` to find out.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from apr.core.errors import BudgetExhaustedError, PromptTooLongError
from apr.core.model import Answer, Message, ModelClient, ModelRequest, Role, Sampling
from apr.generation.prompt.answer import fenced_blocks
from apr.generation.prompt.evidence import Section, estimate_tokens, fenced, fitting
from validation.patchdiff.model import WrittenTest
from validation.patchdiff.written import View

SYSTEM = (
    "You write tests in pytest. You are shown two versions of a function and find inputs for "
    "which they behave differently."
)
TASK = """\
Write {count} short pytest test functions. Each imports what it needs, calls `{name}` of the \
module `{module}`, or a function that leads to it, with an input for which the versions differ, \
and asserts what {first} does. Use only what can be imported; look at results, exceptions and \
effects, never at how they come about. Answer with one code block."""
LEAST_PROMPT = 300
MOST_LINES_CUT = 60


@dataclass(frozen=True, slots=True)
class AuthorSettings:
    """Sizes are in tokens; `functions` are asked about, `answers` drawn for each of them."""

    prompt_tokens: int = 3000
    answer_tokens: int = 900
    functions: int = 3
    answers: int = 1
    tests: int = 3
    temperature: float = 0.8
    seed: int = 0


class ModelAuthor:
    """Writes tests of affected functions; an `Author` for `compare_versions`.

    `issue` is what somebody reported, empty when nobody has; `names` are those of the versions.
    """

    def __init__(
        self,
        client: ModelClient,
        names: Sequence[str],
        issue: str = "",
        settings: AuthorSettings | None = None,
    ) -> None:
        self._client = client
        self._names = names
        self._issue = issue
        self._settings = settings or AuthorSettings()

    def __call__(self, views: Sequence[View]) -> Sequence[WrittenTest]:
        """Tests for the changed functions, each text once.

        Raises:
            ModelError: see `ModelClient.complete`.
        """
        changed = [each for each in views if each.target.is_changed and any(each.texts)]
        around = [each for each in views if not each.target.is_changed]
        chosen = (changed or around)[: self._settings.functions]
        texts: dict[str, None] = {}
        with suppress(BudgetExhaustedError):  # what was written by then is of use
            for one in chosen:
                for answer in self._ask(one, around):
                    texts |= dict.fromkeys(split_tests(answer.text, one))
        return [
            WrittenTest(f"test_written_{number}.py", text) for number, text in enumerate(texts, 1)
        ]

    def _ask(self, one: View, around: Sequence[View]) -> Sequence[Answer]:
        room = self._settings.prompt_tokens
        while True:
            try:
                return self._client.complete([self._request(one, around, room)])[0].answers
            except PromptTooLongError:
                if room <= LEAST_PROMPT:
                    return ()
                room = max(LEAST_PROMPT, room // 2)

    def _request(self, one: View, around: Sequence[View], room: int) -> ModelRequest:
        settings = self._settings
        prompt = differentiating_prompt(one, around, self._names, self._issue, settings.tests, room)
        digest = hashlib.sha256(f"{settings.seed} {one.target}".encode()).digest()
        sampling = Sampling(
            temperature=settings.temperature,
            max_tokens=settings.answer_tokens,
            n=settings.answers,
            seed=int.from_bytes(digest[:4]) >> 1,
        )
        return ModelRequest(prompt, sampling)


def differentiating_prompt(
    one: View,
    around: Sequence[View],
    names: Sequence[str],
    issue: str,
    count: int,
    room: int,
) -> tuple[Message, ...]:
    """The chat that asks for tests of one function, in so many tokens; the versions come first."""
    target = one.target
    task = TASK.format(count=count, name=target.name, module=target.module, first=names[0])
    sections = list(_sections(one, around, names, issue))
    text = [*fitting(sections, room - estimate_tokens(SYSTEM + task)), task]
    return (Message(Role.SYSTEM, SYSTEM), Message(Role.USER, "\n\n".join(text)))


def _sections(
    one: View, around: Sequence[View], names: Sequence[str], issue: str
) -> Iterator[Section]:
    if issue:
        yield Section(3, f"Somebody reported:\n\n{issue.strip()}")
    path = one.target.path
    shown: dict[str, str] = {}
    for name, text in zip(names, one.texts, strict=True):
        shown.setdefault(text, name)
    for rank, (text, name) in enumerate(shown.items()):
        code = fenced(text, path) if text else "It has no such function."
        yield Section(min(rank, 1), f"`{one.target.name}` as {name} has it:\n\n{code}")
    if one.calls:
        calls = "\n".join(f"- `{call}`" for call in one.calls)
        yield Section(2, f"The project's tests call it so:\n{calls}")
    for each in around:
        called = f", called as `{each.calls[0]}`" if each.calls else ""
        said = f"`{each.target.name}` of the module `{each.target.module}`{called}, leads to it."
        code = fenced(each.texts[0], each.target.path) if each.texts[0] else ""
        yield Section(4, f"{said}\n\n{code}".strip())


def split_tests(answer: str, one: View) -> list[str]:
    """The tests of an answer as files of one test each, the imports and helpers in all of them.

    A model that copies the function under test into its file would test the copy, and one that
    forgets to import it would test nothing: the copy goes, the import is added.
    """
    lines = answer.replace("\r\n", "\n").split("\n")
    blocks = list(fenced_blocks(lines)) or [answer]
    found: dict[str, None] = {}
    for block in blocks:
        tree = _parse_most(block)
        if tree is not None:
            found |= dict.fromkeys(_split(tree, one))
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


def _split(tree: ast.Module, one: View) -> Iterator[str]:
    outer = one.target.name.partition(".")[0]
    common: list[ast.stmt] = []
    tests: list[list[ast.stmt]] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            tests.append([node])
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            tests += _of_class(node)
        elif not (isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == outer):
            common.append(node)
    imported = f"import pytest\nfrom {one.target.module} import {outer}\n"
    for test in tests:
        yield imported + ast.unparse(ast.Module([*common, *test], [])) + "\n"


def _of_class(node: ast.ClassDef) -> Iterator[list[ast.stmt]]:
    """For each test method the class with it and with what is no test."""
    rest = [each for each in node.body if not _is_test(each)]
    for each in node.body:
        if _is_test(each):
            body: list[ast.stmt] = [*rest, each]
            yield [ast.ClassDef(node.name, node.bases, node.keywords, body, node.decorator_list)]


def _is_test(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test")
