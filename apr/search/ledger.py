"""What has become of every node's expansions, and whether it may be expanded again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from apr.core.report import Verdict
from apr.core.tree import SearchNode, SearchTree
from apr.search.settings import SearchSettings, Widening

_FINAL = frozenset({Verdict.PLAUSIBLE, Verdict.TAMPERED, Verdict.DOES_NOT_APPLY})


@dataclass(slots=True)
class _Entry:
    """One node's expansions: completed ones, those under way, and the last fruitless ones."""

    calls: int = 0
    held: int = 0
    stale: int = 0  # answers in a row without an unseen patch


class Ledger:
    """Every expansion has to be noted here, before any selector hears of it."""

    def __init__(self, tree: SearchTree, settings: SearchSettings) -> None:
        self._settings = settings
        self._entries = [_Entry() for _ in tree.nodes]

    def calls(self, node_id: int) -> int:
        """The node's expansions, those under way included."""
        entry = self._entries[node_id]
        return entry.calls + entry.held

    def held(self, node_id: int) -> int:
        """Its expansions under way."""
        return self._entries[node_id].held

    def is_expandable(self, node: SearchNode) -> bool:
        """Whether the generator may be asked to refine the node."""
        settings, entry = self._settings, self._entries[node.id]
        if node.exhausted or entry.stale >= settings.patience:
            return False
        if settings.max_depth is not None and node.depth >= settings.max_depth:
            return False
        if settings.max_children is not None and len(node.children) >= settings.max_children:
            return False
        if settings.widening is Widening.ONCE and entry.calls + entry.held:
            return False
        return node.report is None or node.report.verdict not in _FINAL

    def hold(self, node_id: int) -> None:
        """One more expansion is under way."""
        self._entries[node_id].held += 1

    def release(self, node_ids: Sequence[int]) -> None:
        """None of these is under way any more."""
        for node_id in node_ids:
            self._entries[node_id].held = 0

    def note(self, node_id: int, added: Sequence[int]) -> None:
        """`node_id` was expanded, and the nodes `added` came of it."""
        self._entries.extend(_Entry() for _ in added)
        entry = self._entries[node_id]
        entry.calls += 1
        entry.stale = 0 if added else entry.stale + 1


class Selector(Protocol):
    """A rule by which the next node is chosen; the ledger is up to date whenever it is called."""

    def select(self) -> int | None:
        """The node to expand next; None when no node can be."""
        ...

    def hold(self, node_id: int) -> None:
        """Reckon with one more expansion of the node under way."""
        ...

    def release(self, node_ids: Sequence[int]) -> None:
        """Forget all that are under way, namely those of `node_ids`."""
        ...

    def note_expansion(self, node_id: int, added: Sequence[int]) -> None:
        """Take in that `node_id` was expanded and that the nodes `added` came of it."""
        ...
