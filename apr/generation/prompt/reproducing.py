"""Tests from a language model that are to fail because of what an issue reports.

The model sees the issue, the code that it points at and how the project's own tests begin, and
never a test that the run must not know. What its tests are worth shows when they are run:
`apr.reproduction` does that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from apr.core.errors import BudgetExhaustedError, PromptTooLongError
from apr.core.location import SuspiciousLocation
from apr.core.model import Message, ModelClient, ModelRequest, Role, Sampling
from apr.core.patch import split_lines
from apr.generation.prompt.evidence import Section, estimate_tokens, fenced, fitting
from apr.generation.prompt.written import split_tests
from apr.source.statements import index_source

SYSTEM = (
    "You write tests in pytest. You are shown what somebody reported about a program, and you "
    "write a test that shows the fault."
)
TASK = """\
Write one short pytest test function that fails now, because of what is reported, and that will \
pass once the fault is mended. It imports what it needs, does what the report does, and asserts \
what should come out instead. Answer with one code block."""
PROMPT_TOKENS, ANSWER_TOKENS = 3000, 700
FUNCTIONS = 4
MOST_LINES = 60
HEAD_LINES = 15


@dataclass(frozen=True, slots=True)
class ReproducingSettings:
    """Sizes are in tokens; each of `answers` may hold several tests."""

    prompt_tokens: int = PROMPT_TOKENS
    answer_tokens: int = ANSWER_TOKENS
    answers: int = 4
    temperature: float = 0.8
    seed: int = 0


class ReproductionAuthor:
    """Writes tests that are to fail because of what an issue reports."""

    def __init__(self, client: ModelClient, settings: ReproducingSettings | None = None) -> None:
        self._client = client
        self._settings = settings or ReproducingSettings()

    @property
    def name(self) -> str:
        """The model's."""
        return self._client.name

    def write(
        self,
        issue: str,
        suspects: Sequence[SuspiciousLocation],
        sources: Mapping[str, str],
        example: str,
    ) -> list[str]:
        """Test files of one test each; `example` is the text of one of the project's own.

        Raises:
            ModelError: see `ModelClient.complete`.
        """
        settings = self._settings
        prompt = reproduction_prompt(issue, suspects, sources, example, settings.prompt_tokens)
        digest = hashlib.sha256(f"{settings.seed} {issue}".encode("utf-8", "replace")).digest()
        sampling = Sampling(
            temperature=settings.temperature,
            max_tokens=settings.answer_tokens,
            n=settings.answers,
            seed=int.from_bytes(digest[:4]) >> 1,
        )
        texts: dict[str, None] = {}
        with suppress(BudgetExhaustedError, PromptTooLongError):  # then there is no such test
            for answer in self._client.complete([ModelRequest(prompt, sampling)])[0].answers:
                texts |= dict.fromkeys(split_tests(answer.text, "import pytest\n"))
        return list(texts)


def reproduction_prompt(
    issue: str,
    suspects: Sequence[SuspiciousLocation],
    sources: Mapping[str, str],
    example: str,
    room: int,
) -> tuple[Message, ...]:
    """The chat that asks for a test of an issue, in so many tokens; the issue comes first."""
    sections = [Section(0, f"Somebody reported:\n\n{_cut(issue.strip(), room // 2)}")]
    sections += _functions(suspects, sources)
    if head := "".join(split_lines(example)[:HEAD_LINES]).rstrip():
        shown = fenced(head, "test.py")
        sections.append(Section(1, f"A test file of the project begins so:\n\n{shown}"))
    text = [*fitting(sections, room - estimate_tokens(SYSTEM + TASK)), TASK]
    return (Message(Role.SYSTEM, SYSTEM), Message(Role.USER, "\n\n".join(text)))


def _cut(text: str, tokens: int) -> str:
    """As many whole lines of the text as fit."""
    kept = split_lines(text)
    while len(kept) > 1 and estimate_tokens("".join(kept)) > tokens:
        kept = kept[: max(1, len(kept) * 3 // 4)]
    return "".join(kept).rstrip()


def _functions(
    suspects: Sequence[SuspiciousLocation], sources: Mapping[str, str]
) -> Iterator[Section]:
    """The functions that the issue points at, the first ones first."""
    places = dict.fromkeys((each.location.path, each.function) for each in suspects)
    wanted = [(path, name) for path, name in places if name][:FUNCTIONS]
    for rank, (path, name) in enumerate(wanted, 2):
        functions = index_source(path, sources[path]).functions
        found = next((each for each in functions if each.name == name), None)
        if found is not None:
            lines = split_lines(sources[path])[found.first - 1 : found.last]
            code = fenced("".join(lines[:MOST_LINES]).rstrip(), path)
            yield Section(rank, f"`{name}` in `{path}`:\n\n{code}")
