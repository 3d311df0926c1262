"""Monte Carlo tree search over patches: select, expand, deduplicate, evaluate, backpropagate."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence
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
    SamplingGenerator,
)
from apr.core.report import ValidationReport
from apr.core.run import Usage
from apr.core.tracing import Span, no_span
from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.budget import BudgetMeter
from apr.search.costs import charge
from apr.search.diversity import most_different
from apr.search.frontier import Frontier
from apr.search.reward import reward_all
from apr.search.settings import Backpropagation, SearchSettings
from apr.search.uct import backpropagate_blend, backpropagate_mean

_NOTHING_KNOWN: Mapping[str, ValidationReport] = MappingProxyType({})
_NOTHING_PAID: Mapping[str, Usage] = MappingProxyType({})


class StopReason(StrEnum):
    """Why a search ended."""

    PLAUSIBLE = "plausible"  # as many plausible patches as wanted
    AGREEMENT = "agreement"  # one plausible program was proposed again and again
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


def text_of(patch: Patch) -> str:
    """What makes two patches the same when nothing better is known: the same hunks."""
    return patch.digest


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
    paid: Mapping[str, Usage] = _NOTHING_PAID,
    observer: SearchObserver | None = None,
    program_of: Callable[[Patch], str] = text_of,
    span: Span = no_span,
) -> SearchResult:
    """Search for plausible patches until one of the reasons to stop applies.

    A proposal whose program, as `program_of` names it, is in the tree already (the root's
    included) costs no candidate, whichever node it is proposed at.

    The tree depends on the seed, the proposals and the verdicts, never on timing (unless
    the seconds run out). `known` maps patch digests to the verdicts of an interrupted run:
    they are counted as candidates again but not validated, so the run continues where it was;
    `paid` maps them to what the interrupted run had spent on asking about them.
    A BudgetExhaustedError ends the search; whatever else generator, validator, evaluator and
    observer raise passes through. A node is in the tree only together with its verdict.
    """
    root = SearchNode(id=ROOT, parent=None, patch=Patch())
    root.spent = paid.get(root.patch.digest, root.spent)
    tree = SearchTree([root])
    frontier = Frontier(tree, settings, random.Random(seed))
    state = _Search(
        context,
        generator,
        validator,
        evaluator,
        settings,
        budget,
        known,
        paid,
        observer,
        program_of,
        span,
        tree,
        frontier,
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
    paid: Mapping[str, Usage]
    observer: SearchObserver | None
    program_of: Callable[[Patch], str]
    span: Span
    tree: SearchTree
    frontier: Frontier
    seen: set[str] = field(default_factory=set)  # programs
    spare: dict[int, Sequence[Proposal]] = field(default_factory=dict)  # by parent, best first
    votes: dict[str, set[int]] = field(default_factory=dict)  # where plausible programs came up
    plausible: list[int] = field(default_factory=list)
    is_replaying: bool = False  # everything so far was known: time does not count yet

    def run(self) -> SearchResult:
        root = self.tree.nodes[ROOT]
        self.seen.add(self.program_of(root.patch))
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
        if self.settings.agreement is not None and self._lead() >= self.settings.agreement:
            return StopReason.AGREEMENT
        if self.budget.exhausted:
            return StopReason.BUDGET
        return StopReason.SECONDS if self._is_out_of_time() else None

    def _lead(self) -> int:
        """How many more nodes the most frequent plausible program came up at than the next one."""
        counts = sorted((len(nodes) for nodes in self.votes.values()), reverse=True)
        return counts[0] - (counts[1] if len(counts) > 1 else 0) if counts else 0

    def _is_out_of_time(self) -> bool:
        return not self.is_replaying and self.budget.is_out_of_time

    def _step(self) -> StopReason | None:
        chosen = self.frontier.select_round(self._width())
        parents = [self.tree.nodes[node_id] for node_id in chosen]
        if not parents:
            return StopReason.EXHAUSTED
        before = self.budget.usage
        fresh = self._expand(parents)
        digests = [proposal.patch.digest for proposals in fresh for proposal in proposals]
        self.is_replaying = self.is_replaying and all(digest in self.known for digest in digests)
        if self._is_out_of_time():
            return StopReason.SECONDS
        reports = self._reports({p.patch.digest: p for proposals in fresh for p in proposals})
        families = self._judge(parents, fresh, reports)
        for parent, added in zip(parents, families, strict=True):
            for node in added:
                self.tree.add(node)
            self._backpropagate(parent, added)
            self.frontier.note_expansion(parent.id, [node.id for node in added])
        charge(parents, before, self.budget.usage)
        added_nodes = tuple(itertools.chain(*families))
        self._note_plausible(added_nodes)
        changed = {n.id: n for parent in parents for n in self.tree.path_to_root(parent.id)}
        return self._notify(added_nodes, tuple(changed.values()))

    def _width(self) -> int:
        """The expansions of one round that the settings' share of the candidates left allows."""
        settings = self.settings
        if settings.round_share == 1.0:
            return settings.parallel
        whole = math.ceil(settings.batch * settings.parallel / settings.round_share)
        left = self.budget.affordable_candidates(whole)
        return max(1, math.floor(left * settings.round_share / settings.batch))

    def _note_plausible(self, added: Sequence[SearchNode]) -> None:
        for node in added:
            if node.report is not None and node.report.is_plausible:
                self.plausible.append(node.id)
                assert node.parent is not None
                self.votes[self.program_of(node.patch)] = {node.parent}

    def _expand(self, parents: Sequence[SearchNode]) -> list[list[Proposal]]:
        """For each parent the next proposals whose programs are in no node yet, best first."""
        left = self.budget.affordable_candidates(self.settings.batch * len(parents))
        wants = share_out(left, len(parents), self.settings.batch)
        answers = self._propose(parents, wants)
        expanded: list[list[Proposal]] = []
        for parent, wanted, answer in zip(parents, wants, answers, strict=True):
            parent.exhausted = self._is_spent(wanted, answer)
            unseen = self._unseen(parent, answer)
            taken = self._take(parent, unseen, wanted)
            self.seen.update(self.program_of(proposal.patch) for proposal in taken)
            rest = [p for p in unseen if not any(p is other for other in taken)]
            self.spare[parent.id] = (*self.spare.get(parent.id, ()), *rest)
            expanded.append(taken)
        return expanded

    def _is_spent(self, wanted: int, answer: Sequence[Proposal]) -> bool:
        """Whether an empty answer is a generator's last word; a drawn one is told by patience."""
        return wanted > 0 and not answer and not isinstance(self.generator, SamplingGenerator)

    def _propose(
        self, parents: Sequence[SearchNode], wants: Sequence[int]
    ) -> list[Sequence[Proposal]]:
        """What is left over from earlier answers, and where that is too little, a new answer."""
        branch = max(self.settings.branch or 0, self.settings.batch)
        extra = branch - self.settings.batch
        kept = [self.spare.pop(parent.id, ()) for parent in parents]
        asks = [
            wanted + extra if wanted > len(spare) else 0
            for wanted, spare in zip(wants, kept, strict=True)
        ]
        asked = list(zip(parents, asks, strict=True))
        with self.span("generate"):
            answers = propose_all(self.generator, self.context, asked)
        return [
            (*spare, *answer[:ask]) for spare, answer, ask in zip(kept, answers, asks, strict=True)
        ]

    def _unseen(self, parent: SearchNode, answer: Sequence[Proposal]) -> list[Proposal]:
        """The first proposal of each program that is in no node; others may count as votes."""
        unseen: dict[str, Proposal] = {}
        for proposal in answer:
            program = self.program_of(proposal.patch)
            if program in self.votes:
                self.votes[program].add(parent.id)
            elif program not in self.seen:
                unseen.setdefault(program, proposal)
        return list(unseen.values())

    def _take(self, parent: SearchNode, unseen: Sequence[Proposal], wanted: int) -> list[Proposal]:
        if not self.settings.diverse:
            return list(unseen[:wanted])
        siblings = [self.tree.nodes[child].patch for child in parent.children]
        return most_different(unseen, siblings, wanted)

    def _judge(
        self,
        parents: Sequence[SearchNode],
        fresh: Sequence[Sequence[Proposal]],
        reports: Mapping[str, ValidationReport],
    ) -> list[list[SearchNode]]:
        """A rewarded node for each proposal, by parent, still outside the tree."""
        pairs: list[tuple[SearchNode, SearchNode]] = []
        families: list[list[SearchNode]] = []
        for parent, proposals in zip(parents, fresh, strict=True):
            start = len(self.tree) + len(pairs)
            family = [
                _make_node(node_id, parent, proposal, reports[proposal.patch.digest])
                for node_id, proposal in enumerate(proposals, start)
            ]
            families.append(family)
            pairs.extend((node, parent) for node in family)
        for (node, _), reward in zip(pairs, reward_all(self.evaluator, pairs), strict=True):
            node.reward = reward
            node.spent = self.paid.get(node.patch.digest, node.spent)
        return families

    def _reports(self, fresh: Mapping[str, Proposal]) -> Mapping[str, ValidationReport]:
        reports = {digest: self.known[digest] for digest in fresh if digest in self.known}
        unknown = {digest: fresh[digest].patch for digest in fresh if digest not in reports}
        with self.budget.holding(Usage(candidates=len(fresh), validations=len(unknown))):
            if unknown:
                with self.span("validate"):
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
    if len(wants) > 1 and isinstance(generator, ConcurrentGenerator):
        return list(generator.propose_many(context, wants))
    answers: list[Sequence[Proposal]] = []
    spent: set[int] = set()  # a parent may be in one round more than once
    for parent, n in wants:
        ask = n > 0 and parent.id not in spent
        answers.append(generator.propose(context, parent, n) if ask else [])
        if ask and not answers[-1]:
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
