"""Monte Carlo tree search over patches: select, expand, deduplicate, evaluate, backpropagate."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from apr.core.errors import BudgetExhaustedError
from apr.core.patch import Patch
from apr.core.ports import (
    ConcurrentGenerator,
    Evaluator,
    Generator,
    PatchValidator,
    Proposal,
    RepairContext,
)
from apr.core.report import ValidationReport
from apr.core.run import Usage
from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.budget import BudgetMeter
from apr.search.frontier import Frontier
from apr.search.reward import reward_all
from apr.search.settings import Backpropagation, SearchSettings
from apr.search.uct import backpropagate_blend, backpropagate_mean

_NOTHING_KNOWN: Mapping[str, ValidationReport] = MappingProxyType({})


class StopReason(StrEnum):
    """Why a search ended."""

    PLAUSIBLE = "plausible"  # as many plausible patches as wanted
    BUDGET = "budget"  # candidates, calls, tokens or money
    SECONDS = "seconds"
    EXHAUSTED = "exhausted"  # no node has anything left to propose
    CANCELLED = "cancelled"  # the observer said so


@dataclass(frozen=True, slots=True)
class SearchStep:
    """What one batch did: `added` nodes are new, `changed` ones have other statistics."""

    tree: SearchTree
    added: tuple[SearchNode, ...]
    changed: tuple[SearchNode, ...]
    usage: Usage


class SearchObserver(Protocol):
    """Told about the root first, then about every batch; whatever it raises ends the search."""

    def __call__(self, step: SearchStep) -> bool:
        """True to go on, False to cancel. The tree is consistent and may be saved."""
        ...


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The tree, its plausible nodes in the order found, and why the search stopped there."""

    tree: SearchTree
    plausible: tuple[int, ...]
    stopped: StopReason


def search(
    context: RepairContext,
    generator: Generator,
    validator: PatchValidator,
    evaluator: Evaluator,
    settings: SearchSettings,
    budget: BudgetMeter,
    *,
    seed: int,
    known: Mapping[str, ValidationReport] = _NOTHING_KNOWN,
    observer: SearchObserver | None = None,
) -> SearchResult:
    """Search for plausible patches until one of the reasons to stop applies.

    The tree depends on the seed, the proposals and the verdicts, never on timing (unless
    the seconds run out). `known` maps patch digests to the verdicts of an interrupted run:
    they are counted as candidates again but not validated, so the run continues where it was.
    A BudgetExhaustedError ends the search; whatever else generator, validator, evaluator and
    observer raise passes through. A node is in the tree only together with its verdict.
    """
    tree = SearchTree([SearchNode(id=ROOT, parent=None, patch=Patch())])
    frontier = Frontier(tree, settings, random.Random(seed))
    state = _Search(
        context, generator, validator, evaluator, settings, budget, known, observer, tree, frontier
    )
    return state.run()


@dataclass(slots=True)
class _Search:
    context: RepairContext
    generator: Generator
    validator: PatchValidator
    evaluator: Evaluator
    settings: SearchSettings
    budget: BudgetMeter
    known: Mapping[str, ValidationReport]
    observer: SearchObserver | None
    tree: SearchTree
    frontier: Frontier
    seen: set[str] = field(default_factory=set)
    plausible: list[int] = field(default_factory=list)
    is_replaying: bool = False  # everything so far was known: time does not count yet

    def run(self) -> SearchResult:
        root = self.tree.nodes[ROOT]
        self.seen.add(root.patch.digest)
        self.is_replaying = bool(self.known)
        stopped = self._notify((root,), ())
        while stopped is None:
            try:
                stopped = self._reason_to_stop() or self._step()
            except BudgetExhaustedError:  # a model client's cap, met by generator or evaluator
                stopped = StopReason.BUDGET
        return SearchResult(self.tree, tuple(self.plausible), stopped)

    def _reason_to_stop(self) -> StopReason | None:
        wanted = self.settings.plausible_wanted
        if wanted is not None and len(self.plausible) >= wanted:
            return StopReason.PLAUSIBLE
        if self.budget.exhausted:
            return StopReason.BUDGET
        return StopReason.SECONDS if self._is_out_of_time() else None

    def _is_out_of_time(self) -> bool:
        return not self.is_replaying and self.budget.is_out_of_time

    def _step(self) -> StopReason | None:
        parents = [self.tree.nodes[node_id] for node_id in self.frontier.select_round()]
        if not parents:
            return StopReason.EXHAUSTED
        fresh = self._expand(parents)
        digests = [digest for proposals in fresh for digest in proposals]
        self.is_replaying = self.is_replaying and all(digest in self.known for digest in digests)
        if self._is_out_of_time():
            return StopReason.SECONDS
        reports = self._reports({d: p for proposals in fresh for d, p in proposals.items()})
        families = self._judge(parents, fresh, reports)
        for parent, added in zip(parents, families, strict=True):
            for node in added:
                self.tree.add(node)
            self._backpropagate(parent, added)
            self.frontier.note_expansion(parent.id, [node.id for node in added])
        self.seen.update(digests)
        self.plausible.extend(
            node.id
            for node in itertools.chain(*families)
            if reports[node.patch.digest].is_plausible
        )
        changed = {n.id: n for parent in parents for n in self.tree.path_to_root(parent.id)}
        return self._notify(tuple(itertools.chain(*families)), tuple(changed.values()))

    def _expand(self, parents: Sequence[SearchNode]) -> list[dict[str, Proposal]]:
        """For each parent the next proposals that are in no node yet, by digest, best first."""
        seen = set(self.seen)
        expanded: list[dict[str, Proposal]] = []
        left = self.budget.affordable_candidates(self.settings.batch * len(parents))
        wants = share_out(left, len(parents), self.settings.batch)
        answers = propose_all(self.generator, self.context, list(zip(parents, wants, strict=True)))
        for parent, wanted, answer in zip(parents, wants, answers, strict=True):
            proposals = answer[:wanted]
            parent.exhausted = wanted > 0 and not proposals
            fresh = {}
            for proposal in proposals:
                if proposal.patch.digest not in seen:
                    fresh[proposal.patch.digest] = proposal
                    seen.add(proposal.patch.digest)
            expanded.append(fresh)
        return expanded

    def _judge(
        self,
        parents: Sequence[SearchNode],
        fresh: Sequence[Mapping[str, Proposal]],
        reports: Mapping[str, ValidationReport],
    ) -> list[list[SearchNode]]:
        """A rewarded node for each proposal, by parent, still outside the tree."""
        pairs: list[tuple[SearchNode, SearchNode]] = []
        families: list[list[SearchNode]] = []
        for parent, proposals in zip(parents, fresh, strict=True):
            start = len(self.tree) + len(pairs)
            family = [
                _make_node(node_id, parent, proposal, reports[digest])
                for node_id, (digest, proposal) in enumerate(proposals.items(), start)
            ]
            families.append(family)
            pairs.extend((node, parent) for node in family)
        for (node, _), reward in zip(pairs, reward_all(self.evaluator, pairs), strict=True):
            node.reward = reward
        return families

    def _reports(self, fresh: Mapping[str, Proposal]) -> Mapping[str, ValidationReport]:
        reports = {digest: self.known[digest] for digest in fresh if digest in self.known}
        unknown = {digest: fresh[digest].patch for digest in fresh if digest not in reports}
        with self.budget.holding(Usage(candidates=len(fresh), validations=len(unknown))):
            if unknown:
                answers = self.validator.validate(tuple(unknown.values()))
                reports.update(zip(unknown, answers, strict=True))
        self.validator.learn([reports[digest] for digest in fresh])
        cached = sum(reports[digest].from_cache for digest in unknown)
        self.budget.settle(Usage(validations=cached), Usage())
        return reports

    def _backpropagate(self, parent: SearchNode, added: Sequence[SearchNode]) -> None:
        if self.settings.backpropagation is Backpropagation.APRMCTS:
            backpropagate_blend(self.tree, parent.id, self.settings.backpropagation_alpha)
            return
        for node in added:
            backpropagate_mean(self.tree, node.id, node.reward)

    def _notify(
        self, added: tuple[SearchNode, ...], changed: tuple[SearchNode, ...]
    ) -> StopReason | None:
        if self.observer is None:
            return None
        step = SearchStep(self.tree, added, changed, self.budget.usage)
        return None if self.observer(step) else StopReason.CANCELLED


def share_out(total: int, parts: int, most: int) -> list[int]:
    """`total` candidates for `parts` parents, at most `most` each, the first served first."""
    return [max(0, min(most, total - part * most)) for part in range(parts)]


def propose_all(
    generator: Generator, context: RepairContext, wants: Sequence[tuple[SearchNode, int]]
) -> list[Sequence[Proposal]]:
    """The proposals for each (parent, number), side by side where the generator can do that."""
    if isinstance(generator, ConcurrentGenerator) and len(wants) > 1:
        return list(generator.propose_many(context, wants))
    answers: list[Sequence[Proposal]] = []
    spent: set[int] = set()  # a parent may be in one round more than once
    for parent, n in wants:
        ask = n > 0 and parent.id not in spent
        answers.append(generator.propose(context, parent, n) if ask else [])
        if not answers[-1]:
            spent.add(parent.id)
    return answers


def _make_node(
    node_id: int, parent: SearchNode, proposal: Proposal, report: ValidationReport
) -> SearchNode:
    """A child of `parent`; scores above 1 saturate, since a prior is in [0, 1]."""
    return SearchNode(
        id=node_id,
        parent=parent.id,
        patch=proposal.patch,
        depth=parent.depth + 1,
        prior=min(proposal.score, 1.0),
        origin=proposal.origin,
        report=report,
    )
