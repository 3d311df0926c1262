"""The search tree: a flat list of nodes, each naming its parent by id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from apr.core.patch import Patch
from apr.core.report import ValidationReport
from apr.core.run import Usage

ROOT = 0
NOTHING = Usage()


@dataclass(slots=True)
class SearchNode:
    """One patch in the search; node 0 is the empty patch.

    `prior` in [0, 1] is the generator's own belief. `visits` and `total_value` are the UCT
    statistics; `reward` in [-1, 1] is the evaluator's value of this patch alone. `origin` names
    what proposed it (a template, a model). `exhausted` means its generator has nothing left.
    `spent` is what asking a model for patches of this one, and about those, has cost.
    """

    id: int
    parent: int | None
    patch: Patch
    depth: int = 0
    prior: float = 1.0
    origin: str = ""
    visits: int = 0
    total_value: float = 0.0
    reward: float = 0.0
    exhausted: bool = False
    report: ValidationReport | None = None
    spent: Usage = NOTHING
    children: list[int] = field(default_factory=list)

    @property
    def mean_value(self) -> float:
        """Average back-propagated value; 0 before the first visit."""
        return self.total_value / self.visits if self.visits else 0.0


@dataclass(slots=True)
class SearchTree:
    """All nodes in creation order, so that an id is an index."""

    nodes: list[SearchNode] = field(default_factory=list)

    def add(self, node: SearchNode) -> SearchNode:
        """Append `node` (its id must be the next index) and link it to its parent."""
        if node.id != len(self.nodes):
            raise ValueError(f"node id {node.id} is not the next index {len(self.nodes)}")
        self.nodes.append(node)
        if node.parent is not None:
            self.nodes[node.parent].children.append(node.id)
        return node

    def path_to_root(self, node_id: int) -> Iterator[SearchNode]:
        """The node itself, then its ancestors, the root last."""
        current: int | None = node_id
        while current is not None:
            node = self.nodes[current]
            yield node
            current = node.parent

    def __len__(self) -> int:
        return len(self.nodes)
