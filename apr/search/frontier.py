"""The open part of a tree: which nodes can still grow, and where the search goes next."""

from __future__ import annotations

import random
from collections.abc import Sequence

from apr.core.tree import SearchTree
from apr.search.adaptive import Adaptive
from apr.search.greedy import Greedy
from apr.search.ledger import Ledger, Selector
from apr.search.order import InOrder
from apr.search.settings import Policy, SearchSettings, Widening
from apr.search.walk import Walk

_WITHOUT_TREE = frozenset({Policy.BREADTH_FIRST, Policy.TRIAL_AND_ERROR})


class Frontier:
    """Chooses nodes by the rule of the settings. Every node and expansion has to be noted here."""

    def __init__(self, tree: SearchTree, settings: SearchSettings, rng: random.Random) -> None:
        self._parallel = settings.parallel
        self._ledger = Ledger(tree, settings)
        self._selector = _make_selector(tree, settings, rng, self._ledger)

    def select(self) -> int | None:
        """The node to expand next; None when no node can be."""
        return self._selector.select()

    def select_round(self, most: int | None = None) -> list[int]:
        """At most `parallel` nodes, and at most `most`, to expand side by side.

        Each is chosen as if the expansions of those before it were wasted. A node is in the list
        twice when even so nothing else is worth it. The statistics are the same afterwards as
        before.
        """
        wanted = self._parallel if most is None else min(self._parallel, most)
        chosen: list[int] = []
        while len(chosen) < wanted and (node_id := self.select()) is not None:
            chosen.append(node_id)
            if wanted > 1:
                self._ledger.hold(node_id)
                self._selector.hold(node_id)
        if wanted > 1:
            self._ledger.release(chosen)
            self._selector.release(chosen)
        return chosen

    def note_expansion(self, node_id: int, added: Sequence[int]) -> None:
        """Take in that `node_id` was expanded and that the nodes `added` came of it."""
        self._ledger.note(node_id, added)
        self._selector.note_expansion(node_id, added)


def _make_selector(
    tree: SearchTree, settings: SearchSettings, rng: random.Random, ledger: Ledger
) -> Selector:
    if settings.policy in _WITHOUT_TREE:
        return InOrder(tree, settings, ledger)
    if settings.policy is Policy.MCTS and settings.widening is Widening.ADAPTIVE:
        return Adaptive(tree, settings, ledger)
    if settings.policy is Policy.MCTS and settings.widening is Widening.GREEDY:
        return Greedy(tree, settings, rng, ledger)
    return Walk(tree, settings, rng, ledger)
