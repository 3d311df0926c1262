"""Selection by expected cost, against values computed by hand."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.core.patch import Patch
from apr.core.report import Stage, ValidationReport, Verdict
from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.adaptive import Adaptive
from apr.search.frontier import Frontier
from apr.search.ledger import Ledger
from apr.search.settings import SearchSettings, Widening

SETTINGS = SearchSettings(
    widening=Widening.ADAPTIVE,
    promise=0.75,
    inherited_promise=0.3,
    root_promise=0.9,
    improvement_rate=0.25,
    improvement_step=0.2,
    improvement_weight=4.0,
    max_depth=None,
)
FAILS = ValidationReport(Verdict.STILL_FAILS, Stage.TRIGGER, triggers_total=5)


def tree_of(*rewards_and_parents: tuple[float, int]) -> SearchTree:
    tree = SearchTree([SearchNode(id=ROOT, parent=None, patch=Patch())])
    for reward, parent in rewards_and_parents:
        _add(tree, reward, parent)
    return tree


def _add(tree: SearchTree, reward: float, parent: int) -> int:
    depth = tree.nodes[parent].depth + 1
    node = SearchNode(
        id=len(tree), parent=parent, patch=Patch(), depth=depth, reward=reward, report=FAILS
    )
    return tree.add(node).id


def adaptive(tree: SearchTree, settings: SearchSettings = SETTINGS) -> Adaptive:
    return Adaptive(tree, settings, Ledger(tree, settings))


def test_the_root_alone_is_worth_what_its_prior_says() -> None:
    only = adaptive(tree_of())
    assert only.promise(ROOT) == pytest.approx(0.9)
    assert only.score(ROOT) == pytest.approx(-0.2 / 0.9)
    assert only.select() == ROOT


def test_promise_rate_and_step_follow_the_formulas() -> None:
    """Node 1 improves on the root by 0.2, nodes 2 and 3 do not improve on node 1.

    While the tree is read, u = 0.25: node 1 has p = 0.75, then 0.5625 / 0.8125 = 0.6923, then
    0.421875 / 0.671875 = 0.62791. Trials: 1 at the root, 2 * 0.62791 at node 1. So
    u = (4 * 0.25 + 1) / (4 + 2.25581) = 0.319703, and step = (0.2 + 0.2) / 2.
    """
    read = adaptive(tree_of((0.2, 0), (0.2, 1), (-0.1, 1)))
    assert read.promise(0) == 1.0  # it has improved
    assert read.promise(1) == pytest.approx(0.581312, abs=1e-6)  # 0.347103 / (0.347103 + 0.25)
    assert read.promise(2) == pytest.approx(0.3 * 0.75)
    assert read.promise(3) == pytest.approx(0.3 * 0.692308, abs=1e-6)
    assert read.score(0) == pytest.approx(-0.2)
    assert read.score(1) == pytest.approx(0.2 - 0.2 / 0.581312, abs=1e-6)  # -0.144
    assert read.score(2) == pytest.approx(0.2 - 0.2 / 0.225, abs=1e-6)
    assert read.select() == 1


def test_growing_a_tree_step_by_step_values_it_as_reading_it_does() -> None:
    tree = tree_of()
    ledger = Ledger(tree, SETTINGS)
    grown = Adaptive(tree, SETTINGS, ledger)
    for reward, parent in ((0.2, 0), (0.2, 1), (-0.1, 1)):
        added = [_add(tree, reward, parent)]
        ledger.note(parent, added)
        grown.note_expansion(parent, added)
    assert grown.select() == 1
    assert grown.promise(0) == 1.0
    assert 0.5 < grown.promise(1) < 0.6923


def test_an_improvement_is_followed_and_a_dead_end_is_left() -> None:
    tree = tree_of((0.2, 0))
    frontier = Frontier(tree, SETTINGS, random.Random(0))
    chosen = []
    while (node_id := frontier.select()) == 1 and len(chosen) < 50:
        chosen.append(node_id)
        frontier.note_expansion(1, [_add(tree, 0.1, 1)])
    assert node_id == ROOT
    assert 2 <= len(chosen) <= 8


def test_a_patch_that_failed_is_refined_when_the_root_has_failed_often() -> None:
    tree = tree_of()
    frontier = Frontier(tree, SETTINGS, random.Random(0))
    chosen: list[int] = []
    for _ in range(60):
        node_id = frontier.select()
        assert node_id is not None
        chosen.append(node_id)
        frontier.note_expansion(node_id, [_add(tree, 0.0, node_id)])
    assert chosen[:4] == [ROOT] * 4
    assert 0.1 < sum(node_id != ROOT for node_id in chosen) / 60 < 0.95


def test_an_expansion_under_way_counts_as_one_without_improvement() -> None:
    tree = tree_of((0.2, 0), (0.15, 0))
    settings = SearchSettings(widening=Widening.ADAPTIVE, parallel=8, max_depth=None)
    frontier = Frontier(tree, settings, random.Random(0))
    chosen = frontier.select_round()
    assert chosen[0] == 1 == frontier.select()
    assert {1, 2} <= set(chosen), "one node is not given all expansions of a round"
    assert frontier.select_round() == chosen, "nothing was expanded in between"
    assert frontier.select_round(3) == chosen[:3]


def test_final_verdicts_and_limits_close_a_node() -> None:
    for verdict in (Verdict.PLAUSIBLE, Verdict.TAMPERED, Verdict.DOES_NOT_APPLY):
        tree = tree_of((0.5, 0))
        tree.nodes[1].report = ValidationReport(verdict, Stage.FULL)
        assert adaptive(tree).select() == ROOT
    tree = tree_of((0.5, 0))
    tree.nodes[ROOT].exhausted = tree.nodes[1].exhausted = True
    assert adaptive(tree).select() is None


def test_a_node_with_as_many_children_as_allowed_is_closed() -> None:
    settings = SearchSettings(widening=Widening.ADAPTIVE, max_children=2)
    tree = tree_of((-0.5, 0), (-0.5, 0))
    assert adaptive(tree, settings).select() != ROOT
    assert adaptive(tree_of((-0.5, 0)), settings).select() == ROOT


@given(st.lists(st.tuples(st.floats(-0.9, 0.9), st.integers(0, 30)), max_size=40))
def test_probabilities_stay_probabilities_and_the_best_score_is_selected(
    steps: list[tuple[float, int]],
) -> None:
    tree = tree_of(*((reward, min(parent, i)) for i, (reward, parent) in enumerate(steps)))
    read = adaptive(tree)
    assert all(0.0 <= read.promise(node.id) <= 1.0 for node in tree.nodes)
    selected = read.select()
    assert selected is not None
    assert read.score(selected) == max(read.score(node.id) for node in tree.nodes)
