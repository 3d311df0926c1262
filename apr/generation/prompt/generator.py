"""Patches from a language model: the expansion step of APRMCTS (arXiv:2507.01827)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from apr.core.errors import BudgetExhaustedError, PromptTooLongError
from apr.core.model import Answer, Message, ModelClient, ModelRequest, Sampling
from apr.core.patch import Patch, diff_texts
from apr.core.ports import Proposal, RepairContext
from apr.core.tree import SearchNode
from apr.generation.prompt.answer import AnswerError, checked, read_answer
from apr.generation.prompt.evidence import estimate_tokens
from apr.generation.prompt.focus import take_turns, weigh_functions
from apr.generation.prompt.hunks import choose_hunk, read_hunk
from apr.generation.prompt.neighbours import Project
from apr.generation.prompt.prompts import completion_prompt, correction_prompt, repair_prompt
from apr.generation.prompt.settings import AnswerFormat, Interface, PromptSettings
from apr.generation.prompt.situation import Situation

SCORE = 0.5  # a model does not say how sure it is; its first answers count a little more
LEAST_PROMPT = 200  # tokens: what does not fit into such a context is beyond help
TALK = 300  # tokens that a model may spend on words beside the code
REWRITING = 2.0  # how many times the length of the old code its correction may have
LOST = frozenset({"no code", "cut off"})  # kinds of answers that are better forgotten
STOP = ("```",)  # of a text to be continued, which is inside a code block


@dataclass(frozen=True, slots=True)
class Explained:
    """A patch and the whole answer that it was read from: the model's own reflection."""

    patch: Patch
    answer: str
    prompt: tuple[Message, ...] | str


Told = Callable[[str, tuple[Message, ...] | str, str], None]
"""Hears of the digest of each patch, the prompt that has led to it, and the whole answer."""


def _nobody(digest: str, prompt: tuple[Message, ...] | str, answer: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What is put to the model; each of its `n` answers begins with `opening`."""

    situation: Situation
    prompt: tuple[Message, ...] | str
    seed: int
    n: int = 1
    opening: str = ""


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
    same questions again. `answers` maps patch digests to the texts they were read from;
    `answered` counts all answers, `rejected` those that hold no patch, by the reason.
    """

    is_sampling = True

    def __init__(
        self, client: ModelClient, settings: PromptSettings | None = None, told: Told = _nobody
    ) -> None:
        self._client = client
        self._told = told
        self._settings = settings or PromptSettings()
        self._context: RepairContext | None = None
        self._project = Project({})
        self._calls: Counter[str] = Counter()
        self.answers: dict[str, str] = {}
        self.answered = 0
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
        """See `ConcurrentGenerator.propose_many`: all questions are put at once.

        A prompt that does not fit into the model's context is put again with half the room, and
        so are all later ones.
        """
        if self._context is not context:
            self._context = context
            self._project = Project(context.sources)
            self._calls.clear()
            self.answers.clear()
        calls = [self._count_call(parent) for parent, _ in wants]
        while True:
            expansions = [
                self._expansion(context, parent, n, call)
                for (parent, n), call in zip(wants, calls, strict=True)
            ]
            questions = [q for expansion in expansions for q in expansion.questions]
            try:
                answered = self._ask(questions, self._settings.corrections)
            except PromptTooLongError:
                if self._settings.prompt_tokens <= LEAST_PROMPT:
                    raise
                half = max(LEAST_PROMPT, self._settings.prompt_tokens // 2)
                self._settings = replace(self._settings, prompt_tokens=half)
            else:
                return [self._proposals(expansion, answered) for expansion in expansions]

    def _count_call(self, parent: SearchNode) -> int:
        """How often the node was asked for before."""
        self._calls[parent.patch.digest] += 1
        return self._calls[parent.patch.digest] - 1

    def _expansion(
        self, context: RepairContext, parent: SearchNode, n: int, call: int
    ) -> _Expansion:
        situation = self._situation(context, parent, call)
        if situation is None or n < 1:
            return _Expansion(call, n, [])
        opening, seed = "", _seed(context.seed, parent.patch.digest, call)
        if self._settings.interface is Interface.COMPLETIONS:
            prompt: tuple[Message, ...] | str
            prompt, opening = completion_prompt(situation, self._settings)
        else:
            prompt = repair_prompt(situation, self._settings)
        if self._settings.joint:
            return _Expansion(call, n, [_Question(situation, prompt, seed, n, opening)])
        questions = [_Question(situation, prompt, seed + i, 1, opening) for i in range(n)]
        return _Expansion(call, n, questions)

    def _proposals(
        self, expansion: _Expansion, answered: Mapping[int, Sequence[Explained]]
    ) -> list[Proposal]:
        found = [e for question in expansion.questions for e in answered.get(id(question), ())]
        proposals: list[Proposal] = []
        for rank, explained in enumerate(_distinct(found)):
            digest = explained.patch.digest
            if digest not in self.answers:
                self.answers[digest] = explained.answer
                self._told(digest, explained.prompt, explained.answer)
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
        focus, hunk = take_turns(weighted, call), None
        if self._settings.answer_format is AnswerFormat.HUNK:
            hunk = choose_hunk(context.locations_of(parent), parent.patch, focus, call)
        return Situation(
            focus=focus,
            hunk=hunk,
            base=context.sources,
            sources=sources,
            patch=parent.patch,
            report=parent.report,
            failures=context.failures,
            tests=context.test_sources,
            project=self._project,
            issue=context.bug.issue_text,
        )

    def _ask(self, questions: Sequence[_Question], corrections: int) -> dict[int, list[Explained]]:
        """The patches that the answers hold, by question; bad answers are sent back."""
        if not questions:
            return {}
        found: dict[int, list[Explained]] = {}
        again: list[tuple[_Question, _Question]] = []
        requests = [ModelRequest(q.prompt, self._sampling(q)) for q in questions]
        for question, reply in zip(questions, self._client.complete(requests), strict=True):
            for answer in reply.answers:
                self.answered += 1
                try:
                    patch = _read(answer, question)
                except AnswerError as error:
                    self.rejected[error.kind] += 1
                    again += _corrected(question, answer, error)
                else:
                    found.setdefault(id(question), []).append(
                        Explained(patch, answer.text, question.prompt)
                    )
        for question, better in self._ask_again(again, corrections):
            found.setdefault(id(question), []).extend(better)
        return found

    def _ask_again(
        self, again: Sequence[tuple[_Question, _Question]], corrections: int
    ) -> list[tuple[_Question, list[Explained]]]:
        """What came of putting the second question of each pair."""
        if corrections < 1:
            return []
        try:
            corrected = self._ask([better for _, better in again], corrections - 1)
        except PromptTooLongError:  # there is room for the question, but not for more talk
            return []
        except BudgetExhaustedError:  # what the first questions brought is not lost with it
            return []
        return [(question, corrected.get(id(better), [])) for question, better in again]

    def _sampling(self, question: _Question) -> Sampling:
        settings = self._settings
        return Sampling(
            temperature=settings.temperature,
            max_tokens=min(settings.answer_tokens, longest_answer(question.situation, settings)),
            n=question.n,
            stop=STOP if question.opening else (),
            presence_penalty=settings.presence_penalty,
            frequency_penalty=settings.frequency_penalty,
            seed=question.seed,
        )


def longest_answer(situation: Situation, settings: PromptSettings) -> int:
    """Tokens after which an answer cannot be a sensible one any more.

    Small models sometimes repeat themselves for ever.
    """
    code = estimate_tokens("".join(situation.focused_lines))
    if settings.interface is Interface.COMPLETIONS or not settings.reasoning:
        talk = TALK // 3
    else:
        talk = TALK
    times = REWRITING if settings.answer_format is AnswerFormat.FUNCTION else 2 * REWRITING
    return talk + int(times * code)


def _corrected(
    question: _Question, answer: Answer, error: AnswerError
) -> list[tuple[_Question, _Question]]:
    """The question together with the one that tells what was wrong; none where nobody listens."""
    if isinstance(question.prompt, str):
        return []
    repeat = error.kind not in LOST
    chat = correction_prompt(question.prompt, answer.text, str(error), repeat=repeat)
    return [(question, replace(question, prompt=chat, n=1))]


def _read(answer: Answer, question: _Question) -> Patch:
    """The patch against the base that an answer amounts to."""
    situation = question.situation
    is_cut = answer.finish_reason == "length"
    text = question.opening + answer.text + ("\n```" if question.opening and not is_cut else "")
    changed = _changed(text, situation, is_cut=is_cut)
    before = {path: situation.sources[path] for path in situation.patch.paths}
    return diff_texts(situation.base, {**before, **changed})


def _changed(text: str, situation: Situation, *, is_cut: bool) -> dict[str, str]:
    """The files that an answer changes, and their new texts."""
    focus, hunk = situation.focus, situation.hunk
    if hunk is not None and not is_cut:
        new = read_hunk(text, situation.sources[focus.path], focus, hunk)
        if new is not None:
            return checked({focus.path: new}, situation.sources)
    return read_answer(text, situation.sources, focus, is_cut=is_cut)


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
