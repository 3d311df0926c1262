"""Selection at single nodes whose statistics are set by hand."""

from __future__ import annotations

import random
from dataclasses import replace

from apr.core.patch import Patch
from apr.core.report import Stage, ValidationReport, Verdict
from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.frontier import Frontier
from apr.search.settings import APRMCTS, Formula, Policy, SearchSettings, Widening

RANKED = SearchSettings()


def child(node_id: int, reward: float, visits: int, total: float, prior: float = 1.0) -> SearchNode:
    return SearchNode(
        id=node_id,
        parent=ROOT,
        patch=Patch(),
        depth=1,
        prior=prior,
        visits=visits,
        total_value=total,
        reward=reward,
    )


def spent_root(*children: SearchNode, visits: int) -> SearchTree:
    tree = SearchTree([SearchNode(id=ROOT, parent=None, patch=Patch(), exhausted=True)])
    tree.nodes[ROOT].visits = visits
    for node in children:
        tree.add(node)
    return tree


def selected(tree: SearchTree, settings: SearchSettings) -> int | None:
    return Frontier(tree, settings, random.Random(0)).select()


def test_improving_children_compete_on_their_own_visits_alone() -> None:
    """N = 9 + 6 = 15: 0.500 + 0.7 * 0.7758 = 1.043 beats 0.333 + 0.7 * 0.9501 = 0.998.

    With the root's 1,000 visits the second would win, 1.395 to 1.367: hundreds of siblings that
    changed nothing would push the search from a good child to a mediocre one.
    """
    tree = spent_root(child(1, 0.5, 9, 4.5), child(2, 0.3, 6, 2.0), visits=1000)
    assert selected(tree, RANKED) == 1


def test_progressive_widening_scores_children_on_the_visits_of_their_parent() -> None:
    tree = spent_root(child(1, 0.5, 9, 4.5), child(2, 0.3, 6, 2.0), visits=1000)
    assert selected(tree, replace(RANKED, widening=Widening.PROGRESSIVE)) == 2


def test_puct_prefers_the_child_the_generator_believes_in() -> None:
    tree = spent_root(child(1, 0.3, 4, 1.2, prior=0.1), child(2, 0.3, 4, 1.2, 0.9), visits=8)
    assert selected(tree, replace(RANKED, formula=Formula.PUCT)) == 2
    assert selected(tree, RANKED) == 1  # equal for UCT: the earlier one


def test_a_plausible_or_tampering_child_is_never_refined() -> None:
    for verdict in (Verdict.PLAUSIBLE, Verdict.TAMPERED, Verdict.DOES_NOT_APPLY):
        tree = spent_root(child(1, 0.5, 1, 0.5), visits=1)
        assert selected(tree, RANKED) == 1
        tree.nodes[1].report = ValidationReport(verdict, Stage.FULL)
        assert selected(tree, RANKED) is None


def test_waiting_children_come_neutral_then_worse_then_unbuildable_each_by_prior() -> None:
    tree = spent_root(
        child(1, -1.0, 1, -1.0),
        child(2, -0.1, 1, -0.1),
        child(3, 0.0, 1, 0.0, prior=0.2),
        child(4, 0.0, 1, 0.0, prior=0.3),
        visits=4,
    )
    tree.nodes[1].report = ValidationReport(Verdict.DOES_NOT_BUILD, Stage.COMPILE)
    frontier = Frontier(tree, RANKED, random.Random(0))
    chosen = []
    while (node_id := frontier.select()) is not None:
        chosen.append(node_id)
        tree.nodes[node_id].exhausted = chosen.count(node_id) == 2
        frontier.note_expansion(node_id, [])
    assert chosen == [4, 3, 4, 3, 2, 2, 1, 1]  # 0.3, 0.2, 0.15, 0.1: divisors 1, 2


def frozen(tree: SearchTree) -> list[tuple[int, float]]:
    return [(node.visits, node.total_value) for node in tree.nodes]


def test_a_round_spreads_over_the_children_and_leaves_no_trace() -> None:
    tree = spent_root(child(1, 0.5, 9, 4.5), child(2, 0.3, 6, 2.0), child(3, 0.2, 5, 1), visits=20)
    settings = replace(RANKED, widening=Widening.PROGRESSIVE, parallel=4, virtual_loss=1.0)
    frontier = Frontier(tree, settings, random.Random(0))
    before, alone = frozen(tree), frontier.select()
    chosen = frontier.select_round()
    assert chosen[0] == alone
    assert set(chosen) == {1, 2, 3}
    assert len(chosen) == 4
    assert frozen(tree) == before
    assert frontier.select() == alone


def test_watched_visits_shrink_the_bonus_and_leave_the_mean() -> None:
    """Children with n = 9, 6, 5 and means 0.5, 0.333, 0.2; N = 20, one more at every choice.

    1: 1.071, 1.033, 0.966; then 1: 1.046 to 1.039; then 2: 1.044 to 1.025; then 1: 1.029 to 0.996.
    """
    tree = spent_root(child(1, 0.5, 9, 4.5), child(2, 0.3, 6, 2.0), child(3, 0.2, 5, 1), visits=20)
    settings = replace(RANKED, widening=Widening.PROGRESSIVE, parallel=4)
    before = frozen(tree)
    assert Frontier(tree, settings, random.Random(0)).select_round() == [1, 1, 2, 1]
    assert frozen(tree) == before


def test_without_virtual_loss_a_round_goes_to_one_place() -> None:
    tree = spent_root(child(1, 0.5, 90, 45), child(2, 0.3, 60, 20), visits=200)
    settings = replace(RANKED, widening=Widening.PROGRESSIVE, parallel=3, virtual_loss=-0.5)
    assert set(Frontier(tree, settings, random.Random(0)).select_round()) == {1}


def test_a_node_that_is_expanded_once_is_in_a_round_once() -> None:
    tree = spent_root(child(1, 0.5, 0, 0), child(2, 0.3, 0, 0), visits=2)
    frontier = Frontier(tree, replace(APRMCTS, parallel=8), random.Random(0))
    assert sorted(frontier.select_round()) == [1, 2]
    assert sorted(frontier.select_round()) == [1, 2], "nothing was expanded in between"


def test_the_controls_go_by_age_alone() -> None:
    tree = spent_root(child(1, 0.9, 0, 0), child(2, -1.0, 0, 0), visits=2)
    assert selected(tree, replace(APRMCTS, policy=Policy.BREADTH_FIRST)) == 1
    assert selected(tree, replace(APRMCTS, policy=Policy.TRIAL_AND_ERROR)) == 2
    tree.nodes[2].exhausted = True
    assert selected(tree, replace(APRMCTS, policy=Policy.TRIAL_AND_ERROR)) == 1
