"""On from whatever helped last, then one step back at a time, then all that did not help."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from apr.core.patch import Patch
from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.frontier import Frontier
from apr.search.settings import MULTIMEND

REWARDS: Mapping[int, Sequence[float]] = {0: [0.0, 0.3, 0.0], 2: [0.3, 0.1, 0.6], 5: [0.5]}
"""Of the children that a node still has to offer."""


def grow(steps: int, *, batch: int = 1, parallel: int = 1) -> list[int]:
    """The nodes selected, if those of REWARDS have children and all others none."""
    tree = SearchTree([SearchNode(id=ROOT, parent=None, patch=Patch())])
    frontier = Frontier(tree, replace(MULTIMEND, parallel=parallel), random.Random(0))
    left = {node: list(rewards) for node, rewards in REWARDS.items()}
    chosen: list[int] = []
    while len(chosen) < steps and (selected := frontier.select_round()):
        for node_id in selected:
            chosen.append(node_id)
            offer = left.get(node_id, [])
            tree.nodes[node_id].exhausted = not offer
            added = [
                tree.add(SearchNode(len(tree), node_id, Patch(), reward=reward)).id
                for reward in offer[:batch]
            ]
            del offer[:batch]
            frontier.note_expansion(node_id, added)
    return chosen


def test_what_helps_is_followed_at_once() -> None:
    assert grow(5) == [0, 0, 2, 2, 2]


def test_the_search_steps_back_when_nothing_is_left_and_tries_the_rest_at_last() -> None:
    path = grow(99)
    assert path[:5] == [0, 0, 2, 2, 2]
    assert path[5:8] == [5, 5, 2], "the best patch, then its parent"
    assert path[8:10] == [0, 0], "then the root, to its end"
    assert sorted(set(path[10:])) == [1, 3, 4, 6, 7], "then those that had not helped"


def test_of_several_that_help_the_best_is_followed_first() -> None:
    assert grow(3, batch=3) == [0, 2, 6]


def test_a_round_asks_one_node_for_more() -> None:
    assert grow(2, parallel=2) == [0, 0]
