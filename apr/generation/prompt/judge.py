"""LLM-as-judge: what a model thinks a patch is worth (APRMCTS, arXiv:2507.01827)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from apr.core.errors import BudgetExhaustedError, PromptTooLongError
from apr.core.model import Message, ModelClient, ModelRequest, Role, Sampling
from apr.core.patch import render_diff
from apr.core.ports import RepairContext
from apr.core.report import ValidationReport, Verdict
from apr.core.tree import SearchNode
from apr.generation.prompt.diagnosis import shorten
from apr.generation.prompt.evidence import fenced
from apr.generation.prompt.score import NEUTRAL, read_score
from apr.generation.prompt.settings import Interface

MAX_MESSAGE = 1024  # characters of the tests' words, as in the released code
MAX_REFLECTION = 2000
MAX_DIFF = 6000
OPINION_TOKENS = 24  # room for a sentence around the number
_BAD = frozenset({Verdict.DOES_NOT_APPLY, Verdict.DOES_NOT_BUILD, Verdict.TAMPERED})
SYSTEM = (
    "You judge patches for programs. You answer with one whole number from 0 (useless) to 100 "
    "(certainly correct), and nothing else."
)


@dataclass(frozen=True, slots=True)
class ModelJudge:
    """An `Evaluator` that asks a model, as published.

    -1 for a patch that does not build or hangs, 0 for one with the same failure as its parent, 1
    for a plausible one; otherwise the model's own number from 0 to 100, divided by 100, which is
    what a patch with another failure than its parent's may be worth. `reflections` maps patch
    digests to what its author said about it. The judge never sees a test that the run must not.
    """

    client: ModelClient
    context: RepairContext
    reflections: Mapping[str, str]
    interface: Interface = Interface.CHAT

    def reward(self, node: SearchNode, parent: SearchNode) -> float:
        """In [-1, 1]."""
        return self.rewards([(node, parent)])[0]

    def rewards(self, pairs: Sequence[tuple[SearchNode, SearchNode]]) -> list[float]:
        """See `ConcurrentEvaluator.rewards`: all questions are put at once."""
        known = [self._known(node, parent) for node, parent in pairs]
        asked = [node for (node, _), value in zip(pairs, known, strict=True) if value is None]
        opinions = iter(self._ask(asked))
        return [next(opinions) if value is None else value for value in known]

    def _known(self, node: SearchNode, parent: SearchNode) -> float | None:
        """The value that the tests alone decide."""
        report = node.report
        if report is None:
            raise ValueError(f"node {node.id} has no report to be rewarded for")
        if report.is_plausible:
            return 1.0
        if report.verdict in _BAD or _timed_out(report):
            return -1.0
        before = self._words_before(parent)
        return 0.0 if shorten(report.message) == shorten(before) else None

    def _words_before(self, parent: SearchNode) -> str:
        if parent.report is not None:
            return parent.report.message
        first = self.context.failures[0] if self.context.failures else None
        return "" if first is None else f"{first.test}: {first.outcome.value}: {first.message}"

    def _ask(self, nodes: Sequence[SearchNode]) -> list[float]:
        """Opinions; neutral ones where the budget has ended or a question is too long.

        What has been validated is thus never lost for the want of an opinion about it.
        """
        if not nodes:
            return []
        try:
            replies = self.client.complete([self._request(node) for node in nodes])
        except BudgetExhaustedError:
            return [NEUTRAL] * len(nodes)
        except PromptTooLongError:
            if len(nodes) == 1:
                return [NEUTRAL]
            return [opinion for node in nodes for opinion in self._ask([node])]
        return [read_score(r.answers[0].text) if r.answers else NEUTRAL for r in replies]

    def _request(self, node: SearchNode) -> ModelRequest:
        question = self._question(node)
        sampling = Sampling(temperature=0.0, max_tokens=OPINION_TOKENS)
        if self.interface is Interface.COMPLETIONS:
            return ModelRequest(
                f"{question}\n\nScore (0 to 100): ", replace(sampling, stop=("\n",))
            )
        return ModelRequest((Message(Role.SYSTEM, SYSTEM), Message(Role.USER, question)), sampling)

    def _question(self, node: SearchNode) -> str:
        report = node.report
        assert report is not None
        diff = render_diff(node.patch, self.context.sources)[:MAX_DIFF]
        said = self.reflections.get(node.patch.digest, "")[:MAX_REFLECTION]
        before = "\n".join(f"{r.test}: {shorten(r.message)}" for r in self.context.failures[:3])
        now = shorten(report.message)[:MAX_MESSAGE]
        return (
            f"A program fails these tests:\n\n{fenced(before[:MAX_MESSAGE], '')}\n\n"
            f"Somebody proposes this patch:\n\n{fenced(diff, '')}\n\n"
            f"and says about it:\n\n{fenced(said, '')}\n\n"
            f"With the patch, {report.triggers_passed} of {report.triggers_total} of them pass. "
            f"The first that fails now says:\n\n{fenced(now, '')}\n\n"
            "How close is the patch to a correct one? Answer with one number from 0 to 100."
        )


def _timed_out(report: ValidationReport) -> bool:
    return any(result.outcome.value == "timeout" for result in report.results)
