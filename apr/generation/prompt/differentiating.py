"""Tests from a language model that are to tell two versions apart (Wang et al. 2026, PatchDiff).

The model sees an affected function as each version has it, who leads to it, and how the suite
calls it. What it answers is cut into files with one test each; whether these are any good is for
`validation.patchdiff.written` to find out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from apr.core.errors import BudgetExhaustedError, PromptTooLongError
from apr.core.model import Answer, Message, ModelClient, ModelRequest, Role, Sampling
from apr.generation.prompt.evidence import Section, estimate_tokens, fenced, fitting
from apr.generation.prompt.written import split_tests
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
                    texts |= dict.fromkeys(cut_tests(answer.text, one))
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


def cut_tests(answer: str, one: View) -> list[str]:
    """The tests of an answer, with the function under test imported and not copied."""
    outer = one.target.name.partition(".")[0]
    opening = f"import pytest\nfrom {one.target.module} import {outer}\n"
    return split_tests(answer, opening, outer)
