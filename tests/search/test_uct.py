"""Formulas against values computed by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.core.patch import Patch
from apr.core.tree import SearchNode, SearchTree
from apr.search.uct import (
    backpropagate_blend,
    backpropagate_mean,
    node_value,
    puct_score,
    puct_scores,
    uct_score,
    uct_scores,
)


@pytest.mark.parametrize(
    ("mean", "visits", "parent_visits", "exploration", "expected"),
    [
        (0.5, 2, 10, 0.7, 1.562199),  # 0.5 + 0.7 * sqrt(2 * 2.302585 / 2)
        (-1.0, 4, 16, 0.7, -0.175813),  # -1 + 0.7 * sqrt(2 * 2.772589 / 4)
        (0.25, 3, 20, 1.0, 1.663207),  # 0.25 + sqrt(2 * 2.995732 / 3)
        (0.8, 5, 1, 0.7, 0.8),  # ln 1 = 0
        (0.8, 5, 100, 0.0, 0.8),  # no exploration
    ],
)
def test_uct_matches_hand_computed_values(
    mean: float, visits: int, parent_visits: int, exploration: float, expected: float
) -> None:
    assert uct_score(mean, visits, parent_visits, exploration) == pytest.approx(expected, abs=1e-6)


def test_unvisited_child_comes_first_unless_its_bonus_is_finite() -> None:
    assert uct_score(-1.0, 0, 10, 0.7) == math.inf
    assert uct_score(0.3, 0, 10, 0.7, unvisited=1.0) == pytest.approx(1.3)


def test_puct_scales_the_bonus_by_the_prior() -> None:
    assert puct_score(0.2, 0.5, 3, 16, 0.7) == pytest.approx(0.55)  # 0.2 + 0.7 * 0.5 * 4 / 4
    assert puct_score(0.2, 0.0, 0, 16, 0.7) == pytest.approx(0.2)


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.floats(-50, 50), st.floats(-1, 1), st.floats(0, 1)),
        max_size=20,
    ),
    st.integers(0, 1000),
)
def test_scores_of_many_children_are_the_single_scores(
    rows: list[tuple[int, float, float, float]], parent_visits: int
) -> None:
    children = [
        SearchNode(
            id=i + 1,
            parent=0,
            patch=Patch(),
            visits=visits,
            total_value=total,
            reward=reward,
            prior=prior,
        )
        for i, (visits, total, reward, prior) in enumerate(rows)
    ]
    assert uct_scores(children, parent_visits, 0.7, unvisited=1.0) == pytest.approx(
        [uct_score(node_value(c), c.visits, parent_visits, 0.7, unvisited=1.0) for c in children]
    )
    assert puct_scores(children, parent_visits, 0.7) == pytest.approx(
        [puct_score(node_value(c), c.prior, c.visits, parent_visits, 0.7) for c in children]
    )


def _chain(*rewards_and_parents: tuple[float, int]) -> SearchTree:
    tree = SearchTree([SearchNode(id=0, parent=None, patch=Patch())])
    for node_id, (reward, parent) in enumerate(rewards_and_parents, 1):
        tree.add(SearchNode(id=node_id, parent=parent, patch=Patch(), reward=reward))
    return tree


def test_mean_backpropagation_counts_a_reward_on_the_whole_path() -> None:
    tree = _chain((0.5, 0), (1.0, 1), (-1.0, 0))
    for node_id in (1, 2, 3):
        backpropagate_mean(tree, node_id, tree.nodes[node_id].reward)
    root, better, best, worse = tree.nodes
    assert (root.visits, root.total_value) == (3, 0.5)
    assert (better.visits, better.mean_value) == (2, 0.75)
    assert (best.visits, worse.visits, worse.mean_value) == (1, 1, -1.0)


def test_blended_backpropagation_follows_aprmcts_step_by_step() -> None:
    tree = _chain((0.5, 0), (-1.0, 0))
    root, child = tree.nodes[0], tree.nodes[1]
    backpropagate_blend(tree, 0, 0.8)
    assert (root.visits, root.mean_value) == (1, 0.0)  # children without visits have no weight

    grandchild = tree.add(SearchNode(id=3, parent=1, patch=Patch(), reward=1.0))
    backpropagate_blend(tree, 1, 0.8)
    assert (child.visits, child.mean_value) == (1, 0.5)  # its own reward
    assert root.mean_value == pytest.approx(0.4)  # 0.8 * 0.5 + 0.2 * 0

    backpropagate_blend(tree, 3, 0.8)
    assert (grandchild.visits, node_value(grandchild)) == (1, 1.0)
    assert child.mean_value == pytest.approx(0.9)  # 0.8 * 1 + 0.2 * 0.5
    assert (root.visits, root.mean_value) == (3, pytest.approx(0.8))  # 0.8 * 0.9 + 0.2 * 0.4
    assert node_value(tree.nodes[2]) == -1.0  # never expanded: its own reward
