"""Selection by the candidates that a node is expected to need: wider or deeper, whichever is less.

UCT values a node by the mean of what came of it. When only the best patch counts, and most
refinements of a good patch are bad, that mean hides what the node itself has shown. Here each node
is an arm with a hidden property, as in a Gittins index: it is *promising*, so that a refinement
improves on it with the rate u, or a dead end that nothing improves.

- A node that has improved once is promising. Another is so with a prior probability: of
  `root_promise`, of `promise` when it improved on its parent, else its parent's probability when
  it was made times `inherited_promise`. Each refinement that does not improve lowers it by Bayes:
  p <- p (1 - u) / (p (1 - u) + 1 - p).
- An improvement is expected to take 1 / (p u) refinements at the node, and later ones 1 / u each,
  one for each `step` of reward that is missing. So the node to expand minimises 1 / p - r / step,
  that is, it maximises `reward - step / p`.
- u and step are learnt from the run: u as improvements per refinement of nodes weighted by their
  p, step as the mean gain of an improvement, both with the settings as a start.

A dead end is thus left after about as many failures as make starting anew cheaper, and one good
patch is followed at once. An expansion under way counts as one that did not improve.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.ledger import Ledger
from apr.search.settings import SearchSettings

_EPSILON = 1e-9
_RELEARN = 1.1  # the tree has to grow so much before all nodes are valued anew


@dataclass(slots=True)
class _Arm:
    """One node's evidence."""

    prior: float | None  # probability of being promising; None: as an improvement has it
    failures: int = 0
    improvements: int = 0
    trials: float = 0.0  # what the node's refinements count in the learnt rate
    version: int = 0  # of the entry in the heap that holds


class Adaptive:
    """A `Selector` by expected cost; the best of all open nodes, wherever in the tree it is."""

    def __init__(self, tree: SearchTree, settings: SearchSettings, ledger: Ledger) -> None:
        self._tree = tree
        self._settings = settings
        self._ledger = ledger
        self._arms: list[_Arm] = []
        self._rate = settings.improvement_rate
        self._step = settings.improvement_step
        self._improvements = self._gains = self._trials = 0.0
        self._heap: list[tuple[float, int, int]] = []
        self._relearn_at = 0.0
        self._read(tree)
        self._learn()

    def _read(self, tree: SearchTree) -> None:
        """Take in a tree that was grown by others, as if in the order of its ids."""
        for node in tree.nodes:
            parent = None if node.parent is None else tree.nodes[node.parent]
            self._arms.append(_Arm(self._prior(node, parent)))
            if parent is not None:
                self._weigh(parent, [node])

    def select(self) -> int | None:
        """The node to expand next; None when no node can be."""
        while self._heap:
            _, node_id, version = self._heap[0]
            is_current = version == self._arms[node_id].version
            if is_current and self._ledger.is_expandable(self._tree.nodes[node_id]):
                return node_id
            heapq.heappop(self._heap)
        return None

    def hold(self, node_id: int) -> None:
        """See `Selector.hold`."""
        self._file(node_id)

    def release(self, node_ids: Sequence[int]) -> None:
        """See `Selector.release`."""
        for node_id in dict.fromkeys(node_ids):
            self._file(node_id)

    def note_expansion(self, node_id: int, added: Sequence[int]) -> None:
        """See `Selector.note_expansion`."""
        parent = self._tree.nodes[node_id]
        children = [self._tree.nodes[child] for child in added]
        self._arms.extend(_Arm(self._prior(child, parent)) for child in children)
        self._weigh(parent, children)
        if len(self._tree) >= self._relearn_at:
            self._learn()
        else:
            for each in (node_id, *added):
                self._file(each)

    def _prior(self, node: SearchNode, parent: SearchNode | None) -> float | None:
        if parent is None:
            return self._settings.root_promise
        if self._improves(node, parent):
            return None
        return self._settings.inherited_promise * self.promise(parent.id)

    def _improves(self, node: SearchNode, parent: SearchNode) -> bool:
        return node.reward > parent.reward + self._settings.improvement_margin + _EPSILON

    def _weigh(self, parent: SearchNode, children: Sequence[SearchNode]) -> None:
        """Count what became of a node's refinements, for the node and for the learnt laws."""
        arm = self._arms[parent.id]
        for child in children:
            if self._improves(child, parent):
                arm.improvements += 1
                self._improvements += 1
                self._gains += child.reward - parent.reward
            else:
                arm.failures += 1
        trials = self.promise(parent.id) * (arm.improvements + arm.failures)
        self._trials += trials - arm.trials
        arm.trials = trials

    def promise(self, node_id: int) -> float:
        """The probability that refinements of the node can improve on it."""
        arm = self._arms[node_id]
        if arm.improvements:
            return 1.0
        prior = self._settings.promise if arm.prior is None else arm.prior
        alive = prior * (1.0 - self._rate) ** (arm.failures + self._ledger.held(node_id))
        return alive / (alive + 1.0 - prior)

    def score(self, node_id: int) -> float:
        """The negated expected cost of a fix by way of the node, in units of reward."""
        promise = max(self.promise(node_id), _EPSILON)
        return self._tree.nodes[node_id].reward - self._step / promise

    def _file(self, node_id: int) -> None:
        """Value a node anew."""
        arm = self._arms[node_id]
        arm.version += 1
        if self._ledger.is_expandable(self._tree.nodes[node_id]):
            heapq.heappush(self._heap, (-self.score(node_id), node_id, arm.version))

    def _learn(self) -> None:
        """Learn the laws from all that is known, and value every node by them."""
        settings = self._settings
        weight = settings.improvement_weight
        seen = weight * settings.improvement_rate + self._improvements
        if self._improvements:
            self._rate = seen / (weight + self._trials)
        self._step = (settings.improvement_step + self._gains) / (1.0 + self._improvements)
        self._heap.clear()
        for node_id in range(ROOT, len(self._arms)):
            self._file(node_id)
        self._relearn_at = _RELEARN * len(self._tree)
