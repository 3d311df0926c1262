"""Patches from a language model: the expansion step of APRMCTS (arXiv:2507.01827)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from apr.core.model import Message, ModelClient, ModelRequest, Sampling
from apr.core.patch import Patch, diff_texts
from apr.core.ports import Proposal, RepairContext
from apr.core.tree import SearchNode
from apr.generation.prompt.answer import AnswerError, read_answer
from apr.generation.prompt.focus import take_turns, weigh_functions
from apr.generation.prompt.prompts import Situation, correction_prompt, repair_prompt
from apr.generation.prompt.settings import PromptSettings

SCORE = 0.5  # a model does not say how sure it is; its first answers count a little more


@dataclass(frozen=True, slots=True)
class Explained:
    """A patch and the whole answer that it was read from: the model's own reflection."""

    patch: Patch
    answer: str


@dataclass(frozen=True, slots=True)
class _Question:
    situation: Situation
    chat: tuple[Message, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class _Expansion:
    """The `call`-th time that a node is asked for `n` proposals."""

    call: int
    n: int
    questions: Sequence[_Question]


class PromptGenerator:
    """A `Generator` that asks a model to rewrite the suspicious code, given what the tests said.

    Each call puts one question, about one function, and draws `n` answers to it. Calls for one
    node go round its suspicious functions in proportion to their suspiciousness. A request's seed
    comes from the run's seed, the node and the number of the call, so that the same run asks the
    same questions again. `answers` maps patch digests to the texts they were read from.
    """

    def __init__(self, client: ModelClient, settings: PromptSettings | None = None) -> None:
        self._client = client
        self._settings = settings or PromptSettings()
        self._context: RepairContext | None = None
        self._calls: Counter[str] = Counter()
        self.answers: dict[str, str] = {}
        self.rejected: Counter[str] = Counter()

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]:
        """At most `n` patches; fewer when answers repeat each other or cannot be applied.

        Raises:
            BudgetExhaustedError, ModelError: see `ModelClient.complete`.
        """
        return self.propose_many(context, [(parent, n)])[0]

    def propose_many(
        self, context: RepairContext, wants: Sequence[tuple[SearchNode, int]]
    ) -> list[Sequence[Proposal]]:
        """See `ConcurrentGenerator.propose_many`: all questions are put at once."""
        if self._context is not context:
            self._context = context
            self._calls.clear()
            self.answers.clear()
        expansions = [self._expansion(context, parent, n) for parent, n in wants]
        questions = [q for expansion in expansions for q in expansion.questions]
        answered = self._ask(questions, self._settings.corrections)
        return [self._proposals(expansion, answered) for expansion in expansions]

    def _expansion(self, context: RepairContext, parent: SearchNode, n: int) -> _Expansion:
        digest = parent.patch.digest
        call = self._calls[digest]
        self._calls[digest] += 1
        situation = self._situation(context, parent, call)
        if situation is None:
            return _Expansion(call, n, [])
        chat = repair_prompt(situation, self._settings)
        seed = _seed(context.seed, digest, call)
        questions = [_Question(situation, chat, seed + number) for number in range(n)]
        return _Expansion(call, n, questions)

    def _proposals(
        self, expansion: _Expansion, answered: Mapping[int, Sequence[Explained]]
    ) -> list[Proposal]:
        found = [e for question in expansion.questions for e in answered.get(id(question), ())]
        proposals: list[Proposal] = []
        for rank, explained in enumerate(_distinct(found)):
            self.answers.setdefault(explained.patch.digest, explained.answer)
            score = SCORE / (1 + expansion.call + rank / (expansion.n + 1))
            proposals.append(Proposal(explained.patch, score, self._client.name))
        return proposals

    def _situation(self, context: RepairContext, parent: SearchNode, call: int) -> Situation | None:
        patched = {**context.sources, **parent.patch.apply(context.sources)}
        sources = {path: text for path, text in patched.items() if text is not None}
        weighted = weigh_functions(
            sources, context.locations_of(parent), parent.patch, self._settings.functions
        )
        if not weighted:
            return None
        return Situation(
            focus=take_turns(weighted, call),
            base=context.sources,
            sources=sources,
            patch=parent.patch,
            report=parent.report,
            failures=context.failures,
            tests=context.test_sources,
            issue=context.bug.issue_text,
        )

    def _ask(self, questions: Sequence[_Question], corrections: int) -> dict[int, list[Explained]]:
        """The patches that the answers hold, by question; bad answers are sent back."""
        if not questions:
            return {}
        requests = [ModelRequest(q.chat, self._sampling(q.seed)) for q in questions]
        found: dict[int, list[Explained]] = {}
        again: list[tuple[_Question, _Question]] = []
        for question, reply in zip(questions, self._client.complete(requests), strict=True):
            for answer in reply.answers:
                try:
                    patch = _read(answer.text, question.situation)
                except AnswerError as error:
                    self.rejected[str(error)] += 1
                    chat = correction_prompt(question.chat, answer.text, str(error))
                    again.append((question, replace(question, chat=chat)))
                else:
                    found.setdefault(id(question), []).append(Explained(patch, answer.text))
        if corrections > 0:
            corrected = self._ask([better for _, better in again], corrections - 1)
            for question, better in again:
                found.setdefault(id(question), []).extend(corrected.get(id(better), ()))
        return found

    def _sampling(self, seed: int) -> Sampling:
        settings = self._settings
        return Sampling(
            temperature=settings.temperature,
            max_tokens=settings.answer_tokens,
            presence_penalty=settings.presence_penalty,
            frequency_penalty=settings.frequency_penalty,
            seed=seed,
        )


def _read(answer: str, situation: Situation) -> Patch:
    """The patch against the base that an answer amounts to."""
    changed = read_answer(answer, situation.sources, situation.focus)
    before = {path: situation.sources[path] for path in situation.patch.paths}
    return diff_texts(situation.base, {**before, **changed})


def _distinct(found: Sequence[Explained]) -> list[Explained]:
    """Each patch once, where it was first found."""
    by_digest: dict[str, Explained] = {}
    for explained in found:
        by_digest.setdefault(explained.patch.digest, explained)
    return list(by_digest.values())


def _seed(run_seed: int, digest: str, call: int) -> int:
    """A seed of 31 bits, which every server takes."""
    text = f"{run_seed}/{digest}/{call}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") >> 1
