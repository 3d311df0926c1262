"""Which part of a search tree is drawn: the path to the winner, then the most valuable nodes."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from apr.core.run import RepairRun
from apr.core.tree import ROOT, SearchNode, SearchTree

Rank = tuple[bool, bool, float, int, int]


@dataclass(frozen=True, slots=True)
class Folding:
    """How much of a tree is shown: levels below the root, children of one node, nodes in all.

    The path to the winner is shown whole as long as it has no more than `nodes`.
    """

    depth: int
    children: int
    nodes: int = 100


@dataclass(slots=True)
class Branch:
    """A node that is drawn, its children that are, the best first, and how many are not.

    `hidden` children are folded away; `below` nodes would be deeper than is shown.
    """

    node: SearchNode
    level: int
    children: list[Branch] = field(default_factory=list)
    hidden: int = 0
    below: int = 0


def fold(tree: SearchTree, path: frozenset[int], folding: Folding, top: int = ROOT) -> Branch:
    """The branch of the node `top` with what is shown of it.

    Nodes are shown in the order of their value, wherever they are, each after its parent.
    """
    root = Branch(tree.nodes[top], 0)
    waiting: list[tuple[Rank, int, Branch, Branch | None]] = []
    _offer(waiting, tree, root, path, folding)
    left = folding.nodes - 1
    while waiting and left > 0:
        _, _, branch, parent = heapq.heappop(waiting)
        assert parent is not None
        parent.children.append(branch)
        left -= 1
        _offer(waiting, tree, branch, path, folding)
    _count_hidden(tree, root)
    return root


def _offer(
    waiting: list[tuple[Rank, int, Branch, Branch | None]],
    tree: SearchTree,
    branch: Branch,
    path: frozenset[int],
    folding: Folding,
) -> None:
    """Let the best children of a shown node wait for their turn; the path goes to any depth."""
    children = branch.node.children
    if branch.level >= folding.depth:
        children = [child for child in children if child in path]
    ranked = sorted((_rank(tree.nodes[child], path), child) for child in children)
    for rank, child in ranked[: folding.children]:
        below = Branch(tree.nodes[child], branch.level + 1)
        heapq.heappush(waiting, (rank, child, below, branch))


def _count_hidden(tree: SearchTree, root: Branch) -> None:
    for branch in walk(root):
        if branch.children or not branch.node.children:
            branch.hidden = len(branch.node.children) - len(branch.children)
        else:
            branch.below = _below(tree, branch.node)


def walk(root: Branch) -> Iterator[Branch]:
    """Every branch that is shown, level by level."""
    level = [root]
    while level:
        yield from level
        level = [child for branch in level for child in branch.children]


def _rank(node: SearchNode, path: frozenset[int]) -> Rank:
    dull = not (node.report and node.report.is_plausible)
    value = max(node.mean_value, node.reward)
    return (node.id not in path, dull, -value, -node.visits, node.id)


def _below(tree: SearchTree, node: SearchNode) -> int:
    pending, found = list(node.children), 0
    while pending:
        found += 1
        pending.extend(tree.nodes[pending.pop()].children)
    return found


def find_winner(run: RepairRun, tree: SearchTree) -> int | None:
    """The node of the best patch; before ranking, the first plausible node."""
    if run.patches and run.patches[0].node_id < len(tree):
        return run.patches[0].node_id
    found = (node.id for node in tree.nodes if node.report and node.report.is_plausible)
    return next(found, None)


def winning_path(tree: SearchTree, winner: int | None) -> frozenset[int]:
    """The nodes from the root to the winner."""
    return frozenset() if winner is None else frozenset(n.id for n in tree.path_to_root(winner))
