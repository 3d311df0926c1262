"""Selection that goes on from whatever helped last, as MultiMend does (arXiv:2501.16044).

A patch that makes more tests pass than its parent is expanded at once, and its parent's other
proposals wait. MultiMend never returns to them. Here the search does, one step back at a time, when
a patch has nothing left; and when nothing that helped has anything left, the patches that did not
help get their turn by the rules of `apr.search.walk`, so that edits that show nothing alone can be
found together.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from apr.core.tree import ROOT, SearchTree
from apr.search.ledger import Ledger
from apr.search.settings import SearchSettings, Widening
from apr.search.walk import Walk

_EPSILON = 1e-9


class Greedy:
    """A `Selector`: the newest of the improving nodes first, the root last, then all others."""

    def __init__(
        self, tree: SearchTree, settings: SearchSettings, rng: random.Random, ledger: Ledger
    ) -> None:
        self._tree = tree
        self._settings = settings
        self._rng = rng
        self._ledger = ledger
        self._rest: Walk | None = None
        self._helped = [ROOT]  # the last one is the next
        self._note([node.id for node in tree.nodes[1:]])

    def select(self) -> int | None:
        """The node to expand next; None when no node can be."""
        while self._helped:
            if self._ledger.is_expandable(self._tree.nodes[self._helped[-1]]):
                return self._helped[-1]
            self._helped.pop()
        if self._rest is None:
            walking = replace(self._settings, widening=Widening.RANKED)
            self._rest = Walk(self._tree, walking, self._rng, self._ledger)
        return self._rest.select()

    def hold(self, node_id: int) -> None:
        """See `Selector.hold`."""
        if self._rest is not None:
            self._rest.hold(node_id)

    def release(self, node_ids: Sequence[int]) -> None:
        """See `Selector.release`."""
        if self._rest is not None:
            self._rest.release(node_ids)

    def note_expansion(self, node_id: int, added: Sequence[int]) -> None:
        """See `Selector.note_expansion`."""
        if self._rest is not None:
            self._rest.note_expansion(node_id, added)
        self._note(added)

    def _note(self, added: Sequence[int]) -> None:
        """Put those that helped on top, the best of them last."""
        nodes = [self._tree.nodes[node_id] for node_id in added]
        helpful = [
            node
            for node in nodes
            if node.parent is not None
            and node.reward > self._tree.nodes[node.parent].reward + _EPSILON
        ]
        self._helped += [n.id for n in sorted(helpful, key=lambda n: (n.reward, -n.id))]
