"""Selection without rewards or a tree: the controls that every comparison needs."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from apr.core.tree import ROOT, SearchTree
from apr.search.ledger import Ledger
from apr.search.settings import Policy, SearchSettings


class InOrder:
    """A `Selector` by age alone.

    Breadth-first: every node once, the oldest first. Trial and error: always on from the newest
    patch, as ChatRepair does, and anew from the root when that chain has reached `max_depth` or its
    end. Nodes that were expanded before come only after all others.
    """

    def __init__(self, tree: SearchTree, settings: SearchSettings, ledger: Ledger) -> None:
        self._tree = tree
        self._ledger = ledger
        self._restarts = settings.policy is Policy.TRIAL_AND_ERROR
        self._direction = -1 if self._restarts else 1
        self._fresh: list[int] = []
        self._again: list[int] = []
        for node in tree.nodes:
            self._file(node.id)

    def select(self) -> int | None:
        """The node to expand next; None when no node can be."""
        if self._restarts:
            for node_id in (len(self._tree) - 1, ROOT):
                node = self._tree.nodes[node_id]
                if not self._ledger.held(node_id) and self._ledger.is_expandable(node):
                    return node_id
        fresh = self._first(self._fresh, is_fresh=True)
        return self._first(self._again, is_fresh=False) if fresh is None else fresh

    def _first(self, heap: list[int], *, is_fresh: bool) -> int | None:
        """The first entry that still holds; what does not any more is dropped on the way."""
        while heap:
            node_id = self._direction * heap[0]
            is_open = self._ledger.is_expandable(self._tree.nodes[node_id])
            if is_open and (self._ledger.calls(node_id) == 0) == is_fresh:
                return node_id
            heapq.heappop(heap)
        return None

    def _file(self, node_id: int) -> None:
        heap = self._again if self._ledger.calls(node_id) else self._fresh
        heapq.heappush(heap, self._direction * node_id)

    def hold(self, node_id: int) -> None:
        """See `Selector.hold`."""
        self._file(node_id)

    def release(self, node_ids: Sequence[int]) -> None:
        """See `Selector.release`."""
        for node_id in node_ids:
            self._file(node_id)

    def note_expansion(self, node_id: int, added: Sequence[int]) -> None:
        """See `Selector.note_expansion`."""
        for each in (node_id, *added):
            self._file(each)
