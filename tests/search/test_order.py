"""The controls without a tree: by age alone, however large the tree."""

from __future__ import annotations

import random
from dataclasses import replace

from apr.core.patch import Patch
from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.frontier import Frontier
from apr.search.settings import Policy, SearchSettings, Widening

BREADTH = SearchSettings(policy=Policy.BREADTH_FIRST, widening=Widening.ONCE, max_depth=None)
ERROR = SearchSettings(policy=Policy.TRIAL_AND_ERROR, widening=Widening.PROGRESSIVE, max_depth=3)


def grow(settings: SearchSettings, steps: int, children: int) -> list[int]:
    """The nodes selected while every expansion brings that many children."""
    tree = SearchTree([SearchNode(id=ROOT, parent=None, patch=Patch())])
    frontier = Frontier(tree, settings, random.Random(0))
    chosen: list[int] = []
    for _ in range(steps):
        node_id = frontier.select()
        if node_id is None:
            break
        chosen.append(node_id)
        parent = tree.nodes[node_id]
        added = [
            tree.add(
                SearchNode(id=len(tree), parent=node_id, patch=Patch(), depth=parent.depth + 1)
            ).id
            for _ in range(children)
        ]
        frontier.note_expansion(node_id, added)
    return chosen


def test_breadth_first_expands_every_node_once_in_the_order_of_its_age() -> None:
    assert grow(BREADTH, 8, 3) == list(range(8))


def test_breadth_first_comes_back_to_a_node_only_after_all_others() -> None:
    settings = replace(BREADTH, widening=Widening.PROGRESSIVE, max_depth=1)
    assert grow(settings, 3, 2) == [ROOT, ROOT, ROOT]


def test_trial_and_error_follows_the_newest_patch_and_starts_anew_after_three() -> None:
    assert grow(ERROR, 9, 1) == [0, 1, 2, 0, 4, 5, 0, 7, 8]


def test_trial_and_error_without_a_limit_is_one_chain() -> None:
    assert grow(replace(ERROR, max_depth=None), 6, 1) == [0, 1, 2, 3, 4, 5]


def test_trial_and_error_gives_a_silent_generator_up() -> None:
    assert grow(replace(ERROR, patience=2), 9, 0) == [0, 0]


def test_a_round_takes_different_nodes_and_leaves_no_trace() -> None:
    tree = SearchTree([SearchNode(id=ROOT, parent=None, patch=Patch())])
    frontier = Frontier(tree, replace(BREADTH, parallel=4), random.Random(0))
    added = [tree.add(SearchNode(id=i, parent=ROOT, patch=Patch(), depth=1)).id for i in (1, 2, 3)]
    frontier.note_expansion(ROOT, added)
    assert frontier.select_round() == [1, 2, 3]
    assert frontier.select_round() == [1, 2, 3]
