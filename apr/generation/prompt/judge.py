"""LLM-as-judge: what a model thinks a patch is worth (APRMCTS, arXiv:2507.01827)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apr.core.model import Message, ModelClient, ModelRequest, Role, Sampling
from apr.core.patch import render_diff
from apr.core.ports import RepairContext
from apr.core.report import ValidationReport, Verdict
from apr.core.tree import SearchNode
from apr.generation.prompt.evidence import fenced

MAX_MESSAGE = 1024  # characters of the tests' words, as in the released code
MAX_REFLECTION = 2000
NEUTRAL = 0.5  # of a judge that says nothing
_NUMBER = re.compile(r"\d+")
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
        return 0.0 if report.message == self._words_before(parent) else None

    def _words_before(self, parent: SearchNode) -> str:
        if parent.report is not None:
            return parent.report.message
        first = self.context.failures[0] if self.context.failures else None
        return "" if first is None else f"{first.test}: {first.outcome.value}: {first.message}"

    def _ask(self, nodes: Sequence[SearchNode]) -> list[float]:
        if not nodes:
            return []
        requests = [
            ModelRequest(self._question(node), Sampling(temperature=0.0, max_tokens=16))
            for node in nodes
        ]
        return [read_score(reply.answers[0].text) for reply in self.client.complete(requests)]

    def _question(self, node: SearchNode) -> tuple[Message, ...]:
        report = node.report
        assert report is not None
        diff = render_diff(node.patch, self.context.sources)
        said = self.reflections.get(node.patch.digest, "")[:MAX_REFLECTION]
        before = "\n".join(f"{r.test}: {r.message}" for r in self.context.failures[:3])
        text = (
            f"A program fails these tests:\n\n{fenced(before[:MAX_MESSAGE], '')}\n\n"
            f"Somebody proposes this patch:\n\n{fenced(diff, '')}\n\n"
            f"and says about it:\n\n{fenced(said, '')}\n\n"
            f"With the patch, {report.triggers_passed} of {report.triggers_total} of them pass. "
            f"The first that fails now says:\n\n{fenced(report.message[:MAX_MESSAGE], '')}\n\n"
            "How close is the patch to a correct one, from 0 to 100?"
        )
        return (Message(Role.SYSTEM, SYSTEM), Message(Role.USER, text))


def _timed_out(report: ValidationReport) -> bool:
    return any(result.outcome.value == "timeout" for result in report.results)


def read_score(text: str) -> float:
    """The first whole number of an answer as a value in [0, 1]; neutral when there is none."""
    match = _NUMBER.search(text)
    return NEUTRAL if match is None else min(int(match[0]), 100) / 100
