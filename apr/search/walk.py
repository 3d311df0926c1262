"""Selection by walking down from the root: which arm to pull at each node.

Widening with RANKED treats "expand this node further" as an arm beside the node's children,
as AB-MCTS does (arXiv:2503.04412), for generators whose ranked list has hundreds of proposals
of which most behave like the baseline. Plain UCT would then try every child once before refining
any of them, and progressive widening would refine neutral children from the start. Here:

1. A child is *improving* while an open node below it is better than its parent. Without one,
   the node follows its ranked list, so a search without signal is the plain enumeration.
2. Improving children get `refinement_share` = f of the node's candidates, and UCT (over these
   children only) divides that share. At every moment at most f of the candidates are refinements,
   so the patch of rank r in the root's list is reached after at most r / (1 - f) candidates.
3. Children that are no better wait until the list is exhausted. Then they are expanded by prior:
   whole expansions in proportion to the priors (D'Hondt), the equal before the worse, those that
   do not build last. From then on improving children get `spent_refinement_share`, by default
   half of all candidates, so that neither a fix whose edits help one by one nor a fix whose edits
   show nothing alone costs more than twice what a search for only its kind would take.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from apr.core.report import Verdict
from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.ledger import Ledger
from apr.search.settings import Formula, Policy, SearchSettings, Widening
from apr.search.uct import node_value, puct_scores, uct_scores

CLOSED = -math.inf
"""The best open reward of a subtree in which no node can be expanded."""

_EPSILON = 1e-9


@dataclass(slots=True)
class _Arms:
    """One node's book-keeping: its subtree, and its children sorted into two kinds."""

    best: float  # the highest reward of an expandable node in this subtree, or CLOSED
    calls: int = 0  # expansions in this subtree
    refined: int = 0  # candidates below children that were improving at the time
    patient: int = 0  # the node's other candidates
    improving: dict[int, None] = field(default_factory=dict)
    waiting: list[tuple[int, float, int]] = field(default_factory=list)  # a heap of _key()


class Walk:
    """A `Selector` that goes down the tree from the root, by score or by the rules above."""

    def __init__(
        self, tree: SearchTree, settings: SearchSettings, rng: random.Random, ledger: Ledger
    ) -> None:
        self._tree = tree
        self._settings = settings
        self._rng = rng
        self._ledger = ledger
        self._before: dict[int, tuple[int, float]] = {}
        self._arms = [_Arms(best=CLOSED) for _ in tree.nodes]
        for node in reversed(tree.nodes):
            below = (self._arms[child].best for child in node.children)
            self._arms[node.id].best = max(self._own_best(node), *below, CLOSED)
            self._sort_in(node)

    def select(self) -> int | None:
        """The node to expand next; None when no node can be."""
        if self._arms[ROOT].best == CLOSED:
            return None
        current = ROOT
        while (child := self._choose(self._tree.nodes[current])) is not None:
            current = child
        return current

    def hold(self, node_id: int) -> None:
        """Count the expansion as a visit already, worth `virtual_loss` less or as usual."""
        loss = self._settings.virtual_loss
        for node in self._tree.path_to_root(node_id):
            self._before.setdefault(node.id, (node.visits, node.total_value))
            node.total_value += node_value(node) if loss is None else -loss
            node.visits += 1
        self._refresh(node_id)

    def release(self, node_ids: Sequence[int]) -> None:
        """See `Selector.release`: the statistics are those of before, to the last bit."""
        for node_id, (visits, total_value) in self._before.items():
            node = self._tree.nodes[node_id]
            node.visits, node.total_value = visits, total_value
        self._before.clear()
        for node_id in node_ids:
            self._refresh(node_id)

    def _refresh(self, node_id: int) -> None:
        """Take in that a node may be expandable no more, or again."""
        if self._settings.widening is Widening.ONCE:
            self._update_best(self._tree.nodes[node_id], (), is_suspect=True)
            for node in self._tree.path_to_root(node_id):
                self._sort_in(node)

    def note_expansion(self, node_id: int, added: Sequence[int]) -> None:
        """See `Selector.note_expansion`."""
        self._arms.extend(_Arms(best=CLOSED) for _ in added)
        self._count(node_id, len(added))
        for child in added:
            self._note_node(self._tree.nodes[child])
        expanded = self._tree.nodes[node_id]
        self._update_best(expanded, added, is_suspect=not self._is_expandable(expanded))
        for node in self._tree.path_to_root(node_id):
            self._sort_in(node)

    def _note_node(self, node: SearchNode) -> None:
        self._arms[node.id].best = self._own_best(node)
        self._sort_in(node)

    def _own_best(self, node: SearchNode) -> float:
        return node.reward if self._is_expandable(node) else CLOSED

    def _is_expandable(self, node: SearchNode) -> bool:
        return self._ledger.is_expandable(node)

    def _count(self, node_id: int, candidates: int) -> None:
        child: int | None = None
        for node in self._tree.path_to_root(node_id):
            arms = self._arms[node.id]
            arms.calls += 1
            if child is not None and child in arms.improving:
                arms.refined += candidates
            else:
                arms.patient += candidates
            child = node.id

    def _update_best(
        self, expanded: SearchNode, changed: Sequence[int], *, is_suspect: bool
    ) -> None:
        """Recompute `best` upwards; over all children only where the old best may be gone."""
        for node in self._tree.path_to_root(expanded.id):
            arms = self._arms[node.id]
            rest = self._own_best(node) if is_suspect else arms.best
            below = node.children if is_suspect else changed
            best = max((self._arms[child].best for child in below), default=CLOSED)
            best = max(best, rest)
            is_suspect, arms.best, changed = best < arms.best, best, (node.id,)

    def _sort_in(self, node: SearchNode) -> None:
        """File a node under the right kind of its parent's arms."""
        if node.parent is None:
            return
        siblings = self._arms[node.parent]
        if self._is_improving(node, self._tree.nodes[node.parent]):
            siblings.improving[node.id] = None
            return
        siblings.improving.pop(node.id, None)
        if self._arms[node.id].best > CLOSED:
            heapq.heappush(siblings.waiting, self._key(node))

    def _is_improving(self, node: SearchNode, parent: SearchNode) -> bool:
        if self._settings.policy is Policy.ENUMERATE:
            return False
        return self._arms[node.id].best > parent.reward + _EPSILON

    def _key(self, node: SearchNode) -> tuple[int, float, int]:
        return (self._tier(node), -node.prior / (1 + self._arms[node.id].calls), node.id)

    def _tier(self, node: SearchNode) -> int:
        """0: no worse than the parent (or enumerating), 1: worse, 2: does not build."""
        if node.report is not None and node.report.verdict is Verdict.DOES_NOT_BUILD:
            return 2
        if self._settings.policy is Policy.ENUMERATE or node.parent is None:
            return 0
        return int(node.reward < self._tree.nodes[node.parent].reward - _EPSILON)

    def _choose(self, node: SearchNode) -> int | None:
        """The child to descend into, or None to expand the node itself."""
        settings = self._settings
        if settings.policy is Policy.ENUMERATE or settings.widening is Widening.RANKED:
            return self._choose_ranked(node)
        return self._choose_by_score(node)

    def _choose_ranked(self, node: SearchNode) -> int | None:
        arms, widens = self._arms[node.id], self._is_expandable(node)
        waiting = None if widens else self._next_waiting(arms)
        if arms.improving and (not (widens or waiting is not None) or self._may_refine(node)):
            visits = sum(self._tree.nodes[child].visits for child in arms.improving)
            return min(self._best_children(arms.improving, visits))
        return waiting

    def _may_refine(self, node: SearchNode) -> bool:
        """Another full batch of refinements keeps to its share of the node's candidates."""
        arms, settings = self._arms[node.id], self._settings
        widens = self._is_expandable(node)
        share = settings.refinement_share if widens else settings.spent_refinement_share
        refined = arms.refined + settings.batch
        return refined <= share * (refined + arms.patient)

    def _next_waiting(self, arms: _Arms) -> int | None:
        """The waiting child next in turn; entries that no longer hold are dropped on the way."""
        while arms.waiting:
            key = arms.waiting[0]
            child = self._tree.nodes[key[2]]
            is_open = self._arms[child.id].best > CLOSED and child.id not in arms.improving
            if is_open and key == self._key(child):
                return child.id
            heapq.heappop(arms.waiting)
        return None

    def _choose_by_score(self, node: SearchNode) -> int | None:
        if self._is_expandable(node) and self._wants_child(node):
            return None
        opened = [child for child in node.children if self._arms[child].best > CLOSED]
        return self._rng.choice(self._best_children(opened, node.visits)) if opened else None

    def _wants_child(self, node: SearchNode) -> bool:
        settings = self._settings
        if settings.widening is Widening.ONCE:
            return True
        allowed = settings.widening_k * math.pow(max(node.visits, 1), settings.widening_alpha)
        return len(node.children) < allowed

    def _best_children(self, ids: Iterable[int], parent_visits: int) -> list[int]:
        """The children that share the best score, the oldest first."""
        settings = self._settings
        children = [self._tree.nodes[child] for child in ids]
        if settings.formula is Formula.PUCT:
            scores = puct_scores(children, parent_visits, settings.exploration)
        else:
            bonus = settings.unvisited_bonus
            scores = uct_scores(children, parent_visits, settings.exploration, unvisited=bonus)
        top = max(scores)
        return [child.id for child, score in zip(children, scores, strict=True) if score == top]
