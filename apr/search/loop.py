"""Monte Carlo tree search over patches: select, expand, deduplicate, evaluate, backpropagate."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from apr.core.errors import BudgetExhaustedError
from apr.core.patch import Patch
from apr.core.ports import Evaluator, Generator, PatchValidator, Proposal, RepairContext
from apr.core.report import ValidationReport
from apr.core.run import Usage
from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.budget import BudgetMeter
from apr.search.frontier import Frontier
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
        selected = self.frontier.select()
        if selected is None:
            return StopReason.EXHAUSTED
        parent = self.tree.nodes[selected]
        fresh = self._expand(parent)
        self.is_replaying = self.is_replaying and all(digest in self.known for digest in fresh)
        if self._is_out_of_time():
            return StopReason.SECONDS
        added = self._evaluate(parent, fresh)
        self._backpropagate(parent, added)
        self.frontier.note_expansion(parent.id, [node.id for node in added])
        return self._notify(added, tuple(self.tree.path_to_root(parent.id)))

    def _expand(self, parent: SearchNode) -> dict[str, Proposal]:
        """The next proposals that are in no node yet, by digest, best first."""
        wanted = self.budget.affordable_candidates(self.settings.batch)
        proposals = self.generator.propose(self.context, parent, wanted)[:wanted]
        parent.exhausted = not proposals
        fresh: dict[str, Proposal] = {}
        for proposal in proposals:
            digest = proposal.patch.digest
            if digest not in self.seen:
                fresh.setdefault(digest, proposal)
        return fresh

    def _evaluate(
        self, parent: SearchNode, fresh: Mapping[str, Proposal]
    ) -> tuple[SearchNode, ...]:
        """Validate what is not known, and add a rewarded node for each proposal, in order."""
        reports = self._reports(fresh)
        added = [
            _make_node(node_id, parent, proposal, reports[digest])
            for node_id, (digest, proposal) in enumerate(fresh.items(), len(self.tree))
        ]
        for node in added:
            node.reward = self.evaluator.reward(node, parent)
        for node in added:
            self.tree.add(node)
        self.seen.update(fresh)
        self.plausible.extend(node.id for node in added if reports[node.patch.digest].is_plausible)
        return tuple(added)

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
