"""Tree statistics as functions: UCT, PUCT and backpropagation (UCT: Kocsis & Szepesvári 2006)."""

from __future__ import annotations

import math
from collections.abc import Iterable

from apr.core.tree import SearchNode, SearchTree


def uct_score(
    mean_value: float,
    child_visits: int,
    parent_visits: int,
    exploration: float,
    *,
    unvisited: float = math.inf,
) -> float:
    """`mean + C * sqrt(2 ln N / n)`, the form of APRMCTS (arXiv:2507.01827).

    `unvisited` is the bonus of a child with no visits: infinite tries every child once before
    any twice; APRMCTS uses 1, so that a bad first impression can postpone a child.
    """
    if child_visits == 0:
        return mean_value + unvisited
    bonus = math.sqrt(2.0 * math.log(max(parent_visits, 1)) / child_visits)
    return mean_value + exploration * bonus


def puct_score(
    mean_value: float, prior: float, child_visits: int, parent_visits: int, exploration: float
) -> float:
    """`mean + C * P * sqrt(N) / (1 + n)`: the generator's prior scales the bonus (AlphaZero)."""
    return mean_value + exploration * prior * math.sqrt(parent_visits) / (1 + child_visits)


def node_value(node: SearchNode) -> float:
    """The value to compare a node by: its backpropagated mean, or its own reward before that."""
    return node.mean_value if node.visits else node.reward


def uct_scores(
    children: Iterable[SearchNode], parent_visits: int, exploration: float, *, unvisited: float
) -> list[float]:
    """`uct_score` of each child's `node_value`, up to rounding; fast enough for hundreds."""
    scale = exploration * math.sqrt(2.0 * math.log(max(parent_visits, 1)))
    return [
        child.total_value / child.visits + scale / math.sqrt(child.visits)
        if child.visits
        else child.reward + unvisited
        for child in children
    ]


def puct_scores(
    children: Iterable[SearchNode], parent_visits: int, exploration: float
) -> list[float]:
    """`puct_score` of each child's `node_value`, up to rounding."""
    scale = exploration * math.sqrt(parent_visits)
    return [
        (child.total_value / child.visits if child.visits else child.reward)
        + scale * child.prior / (1 + child.visits)
        for child in children
    ]


def backpropagate_mean(tree: SearchTree, node_id: int, reward: float) -> None:
    """Count `reward` as one visit of the node and of each of its ancestors."""
    for node in tree.path_to_root(node_id):
        node.visits += 1
        node.total_value += reward


def backpropagate_blend(tree: SearchTree, expanded_id: int, alpha: float) -> None:
    """The rule of APRMCTS, once per expansion, from the expanded node to the root.

    Each node counts a visit, then `V <- alpha * M + (1 - alpha) * V` with M the visit-weighted
    mean over its children. Children never expanded themselves have no visits and therefore no
    weight: a new child's reward reaches its parent only when the child has been expanded.
    """
    for node in tree.path_to_root(expanded_id):
        value = node_value(node)
        weights = [(tree.nodes[child], tree.nodes[child].visits) for child in node.children]
        visits = sum(weight for _, weight in weights)
        if visits:
            mean = sum(node_value(child) * weight for child, weight in weights) / visits
            value = alpha * mean + (1.0 - alpha) * value
        node.visits += 1
        node.total_value = value * node.visits
