"""The search over landscapes whose every verdict is known."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import comb
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.patch import Hunk, Patch
from apr.core.ports import Proposal, RepairContext
from apr.core.report import Stage, ValidationReport, Verdict
from apr.core.run import Budget, Usage
from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.budget import BudgetMeter
from apr.search.loop import SearchObserver, SearchResult, SearchStep, StopReason, search
from apr.search.reward import TestReward
from apr.search.settings import (
    ADAPTIVE,
    APRMCTS,
    Backpropagation,
    Formula,
    Policy,
    SearchSettings,
    Widening,
)

Edits = frozenset[int]
Rule = Callable[[Edits], ValidationReport]

CONTEXT = RepairContext(
    bug=Bug(subject="/nowhere", test_command=TestCommand(RunnerKind.PYTEST)),
    sources={},
    locations=(),
    failures=(),
    test_sources={},
)
NOTHING_GAINED = ValidationReport(
    Verdict.STILL_FAILS, Stage.TRIGGER, triggers_total=4, progress=0.5
)
PLAUSIBLE = replace(NOTHING_GAINED, verdict=Verdict.PLAUSIBLE, triggers_passed=4)
BROKEN = replace(NOTHING_GAINED, verdict=Verdict.DOES_NOT_BUILD, stage=Stage.COMPILE)
SETBACK = replace(NOTHING_GAINED, progress=0.25)


def partial(passed: int) -> ValidationReport:
    return replace(NOTHING_GAINED, triggers_passed=passed)


def patch_of(edits: Edits) -> Patch:
    """Edit number i replaces line i + 1."""
    return Patch(tuple(Hunk("m.py", i + 1, (f"{i}\n",), ("new\n",)) for i in sorted(edits)))


def edits_of(patch: Patch) -> Edits:
    return frozenset(hunk.first - 1 for hunk in patch.hunks)


@dataclass
class RankedEdits:
    """Proposes every single edit in order, then every edit on top of the parent's."""

    width: int
    offsets: Counter[Edits] = field(default_factory=Counter)
    spent: set[Edits] = field(default_factory=set)

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]:
        taken = edits_of(parent.patch)
        rest = [edit for edit in range(self.width) if edit not in taken]
        chunk = rest[self.offsets[taken] : self.offsets[taken] + n]
        assert n > 0
        assert taken not in self.spent, "asked again after it had nothing left"
        if not chunk:
            self.spent.add(taken)
        self.offsets[taken] += n
        return [
            Proposal(patch_of(taken | {edit}), parent.prior / (1 + edit / 10), "edit")
            for edit in chunk
        ]


@dataclass
class Referee:
    """Judges by rule and remembers what it was asked."""

    rule: Rule
    asked: list[Edits] = field(default_factory=list)
    largest_batch: int = 0
    interrupt_at: int | None = None
    calls: int = 0
    learned: list[Verdict] = field(default_factory=list)

    def validate(self, patches: Sequence[Patch]) -> Sequence[ValidationReport]:
        self.calls += 1
        if self.calls == self.interrupt_at:
            raise KeyboardInterrupt
        self.largest_batch = max(self.largest_batch, len(patches))
        self.asked.extend(edits_of(patch) for patch in patches)
        return [self.rule(edits_of(patch)) for patch in patches]

    def learn(self, reports: Sequence[ValidationReport]) -> None:
        self.learned.extend(report.verdict for report in reports)

    def confirm(self, patch: Patch) -> ValidationReport:
        return self.rule(edits_of(patch))


def run_search(
    width: int,
    rule: Rule,
    options: SearchSettings,
    candidates: int | None,
    *,
    seed: int = 0,
    known: Mapping[str, ValidationReport] | None = None,
    observer: SearchObserver | None = None,
    referee: Referee | None = None,
    meter: BudgetMeter | None = None,
) -> SearchResult:
    return search(
        CONTEXT,
        RankedEdits(width),
        referee or Referee(rule),
        TestReward(),
        options,
        meter or BudgetMeter(Budget(candidates=candidates), lambda: 0.0),
        seed=seed,
        known=known or {},
        observer=observer,
    )


def snapshot(tree: SearchTree) -> list[dict[str, Any]]:
    return [
        {
            "id": node.id,
            "parent": node.parent,
            "edits": sorted(edits_of(node.patch)),
            "visits": node.visits,
            "total_value": round(node.total_value, 9),
            "reward": round(node.reward, 9),
            "prior": round(node.prior, 9),
            "exhausted": node.exhausted,
            "verdict": node.report.verdict.value if node.report else None,
        }
        for node in tree.nodes
    ]


def order(result: SearchResult) -> list[Edits]:
    return [edits_of(node.patch) for node in result.tree.nodes[1:]]


def hilly(edits: Edits) -> ValidationReport:
    """A fix of three edits with a slope towards it, steps back, and edits that do not build."""
    if edits == {5, 9, 14}:
        return PLAUSIBLE
    if 11 in edits:
        return BROKEN
    if 3 in edits:
        return SETBACK
    gained = len(edits & {5, 9, 14}) + len(edits & {5})
    return partial(gained) if gained else NOTHING_GAINED


RANKED = SearchSettings(batch=4)
PROGRESSIVE = SearchSettings(widening=Widening.PROGRESSIVE, formula=Formula.PUCT, batch=4)
EVERY_KIND = pytest.mark.parametrize(
    "options",
    [
        RANKED,
        PROGRESSIVE,
        replace(PROGRESSIVE, formula=Formula.UCT),
        APRMCTS,
        replace(RANKED, policy=Policy.ENUMERATE),
        replace(RANKED, parallel=3),
        replace(PROGRESSIVE, parallel=4),
        replace(APRMCTS, parallel=8),
        ADAPTIVE,
        replace(ADAPTIVE, parallel=8, batch=1, branch=4),
        replace(PROGRESSIVE, branch=9),
        replace(PROGRESSIVE, policy=Policy.TRIAL_AND_ERROR, batch=1),
    ],
    ids=[
        *("ranked", "progressive-puct", "progressive-uct", "aprmcts", "enumerate"),
        *("ranked-parallel", "progressive-parallel", "aprmcts-parallel", "adaptive"),
        *("adaptive-parallel", "progressive-branch", "trial-and-error"),
    ],
)


# --- the whole tree


@pytest.mark.parametrize(
    ("name", "options", "candidates"),
    [("ranked", RANKED, 130), ("aprmcts", APRMCTS, 48), ("adaptive", ADAPTIVE, 48)],
)
def test_golden_tree(name: str, options: SearchSettings, candidates: int) -> None:
    golden = json.loads((Path(__file__).parent / f"golden_{name}.json").read_text())
    assert snapshot(run_search(20, hilly, options, candidates, seed=7).tree) == golden


@EVERY_KIND
def test_same_seed_gives_the_same_tree(options: SearchSettings) -> None:
    first, second = (run_search(20, hilly, options, 150, seed=3) for _ in range(2))
    assert snapshot(first.tree) == snapshot(second.tree)
    assert first.plausible == second.plausible


def test_the_seed_breaks_ties_between_equal_children() -> None:
    trees = [snapshot(run_search(20, hilly, APRMCTS, 48, seed=s).tree) for s in range(5)]
    assert any(tree != trees[0] for tree in trees)


@EVERY_KIND
def test_statistics_agree_with_the_nodes(options: SearchSettings) -> None:
    tree = run_search(20, hilly, replace(options, plausible_wanted=None), 120).tree
    assert len({node.patch.digest for node in tree.nodes}) == len(tree)
    for node in tree.nodes[1:]:
        assert node.parent is not None
        parent = tree.nodes[node.parent]
        assert edits_of(parent.patch) < edits_of(node.patch)
        assert (node.depth, node.id in parent.children) == (parent.depth + 1, True)
        assert node.report is not None
        assert node.reward == TestReward().of_report(node.report)
    if options.backpropagation is Backpropagation.MEAN:
        assert tree.nodes[ROOT].visits == len(tree) - 1
        assert tree.nodes[ROOT].total_value == pytest.approx(sum(n.reward for n in tree.nodes))


# --- resuming


def interrupted_at(step: int, saved: dict[str, ValidationReport]) -> SearchObserver:
    """Saves every node, and is interrupted in its step number `step`."""
    steps = 0

    def observe(current: SearchStep) -> bool:
        nonlocal steps
        assert_consistent(current.tree)
        saved.update({n.patch.digest: n.report for n in current.added if n.report})
        steps += 1
        if steps == step:
            raise KeyboardInterrupt
        return True

    return observe


def assert_consistent(tree: SearchTree) -> None:
    assert [node.id for node in tree.nodes] == list(range(len(tree)))
    assert all(node.report is not None for node in tree.nodes[1:])
    children = [child for node in tree.nodes for child in node.children]
    assert sorted(children) == list(range(1, len(tree)))


@EVERY_KIND
def test_a_search_interrupted_after_any_batch_resumes_to_the_same_tree(
    options: SearchSettings,
) -> None:
    whole = run_search(20, hilly, options, 80, seed=7)
    for step in range(1, 100):
        saved: dict[str, ValidationReport] = {}
        try:
            run_search(20, hilly, options, 80, seed=7, observer=interrupted_at(step, saved))
            break
        except KeyboardInterrupt:
            referee = Referee(hilly)
            resumed = run_search(20, hilly, options, 80, seed=7, known=saved, referee=referee)
        assert snapshot(resumed.tree) == snapshot(whole.tree)
        assert (resumed.plausible, resumed.stopped) == (whole.plausible, whole.stopped)
        assert len(referee.asked) == len(whole.tree) - 1 - len(saved)
        assert not {patch_of(edits).digest for edits in referee.asked} & set(saved)
        heard = [node.report.verdict for node in resumed.tree.nodes[1:] if node.report]
        assert referee.learned == heard  # the replayed verdicts too, in the same order
    assert step > 10


def test_an_interrupt_while_validating_leaves_tree_and_budget_consistent() -> None:
    whole = run_search(20, hilly, RANKED, 80)
    for call in range(1, 15):
        steps: list[SearchStep] = []
        meter = BudgetMeter(Budget(candidates=80), lambda: 0.0)
        with pytest.raises(KeyboardInterrupt):
            run_search(
                20,
                hilly,
                RANKED,
                80,
                observer=lambda step, seen=steps: seen.append(step) is None,  # type: ignore[misc]
                referee=Referee(hilly, interrupt_at=call),
                meter=meter,
            )
        tree = steps[-1].tree
        assert_consistent(tree)
        assert meter.usage.candidates == len(tree) - 1
        assert 4 * (call - 1) - 8 <= len(tree) - 1 <= 4 * (call - 1)
        known = {node.patch.digest: node.report for node in tree.nodes[1:] if node.report}
        assert snapshot(run_search(20, hilly, RANKED, 80, known=known).tree) == snapshot(whole.tree)


def test_part_of_a_batch_known_asks_only_for_the_rest() -> None:
    referee = Referee(hilly)
    known = {patch_of(frozenset({i})).digest: hilly(frozenset({i})) for i in (0, 2)}
    run_search(20, hilly, RANKED, 4, known=known, referee=referee)
    assert referee.asked == [{1}, {3}]


def test_replaying_does_not_run_into_the_time_limit() -> None:
    full = run_search(20, hilly, RANKED, 40)
    known = {node.patch.digest: node.report for node in full.tree.nodes[1:] if node.report}
    meter = BudgetMeter(Budget(seconds=10.0), lambda: 0.0, Usage(candidates=40, seconds=11.0))
    referee = Referee(hilly)
    resumed = run_search(20, hilly, RANKED, None, known=known, meter=meter, referee=referee)
    assert resumed.stopped is StopReason.SECONDS
    assert snapshot(resumed.tree) == snapshot(full.tree)
    assert referee.asked == []


# --- stopping


@given(st.integers(0, 90), st.integers(1, 13), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_the_candidate_budget_is_never_exceeded(cap: int, batch: int, kind: int) -> None:
    options = [RANKED, PROGRESSIVE, APRMCTS, replace(RANKED, policy=Policy.ENUMERATE)][kind]
    referee = Referee(hilly)
    meter = BudgetMeter(Budget(candidates=cap), lambda: 0.0)
    options = replace(options, batch=batch, plausible_wanted=None)
    result = run_search(20, hilly, options, cap, referee=referee, meter=meter)
    assert len(referee.asked) == len(set(referee.asked)) == len(result.tree) - 1
    assert meter.usage.candidates == len(referee.asked) <= cap
    assert referee.largest_batch <= batch
    assert result.stopped in (StopReason.BUDGET, StopReason.EXHAUSTED)


def test_the_search_stops_after_the_batch_with_enough_plausible_patches() -> None:
    def rule(edits: Edits) -> ValidationReport:
        return PLAUSIBLE if edits in ({5}, {6}, {17}) else NOTHING_GAINED

    first = run_search(20, rule, RANKED, 100)
    assert (first.plausible, first.stopped, len(first.tree)) == ((6, 7), StopReason.PLAUSIBLE, 9)
    third = run_search(20, rule, replace(RANKED, plausible_wanted=3), 100)
    assert third.plausible == (6, 7, 18)
    every = run_search(20, rule, replace(RANKED, plausible_wanted=None), 100)
    assert (every.plausible, every.stopped) == ((6, 7, 18), StopReason.BUDGET)
    assert not any(every.tree.nodes[node_id].children for node_id in every.plausible)


def test_seconds_stop_the_search_between_batches() -> None:
    now = [0.0]

    def slow(edits: Edits) -> ValidationReport:
        now[0] += 1.0
        return NOTHING_GAINED

    meter = BudgetMeter(Budget(seconds=10.0), lambda: now[0])
    result = run_search(50, slow, RANKED, None, meter=meter)
    assert (result.stopped, len(result.tree) - 1) == (StopReason.SECONDS, 12)


def test_the_observer_cancels_and_sees_every_node_exactly_once() -> None:
    added: list[int] = []
    changed: list[list[int]] = []

    def observe(step: SearchStep) -> bool:
        added.extend(node.id for node in step.added)
        changed.append([node.id for node in step.changed])
        return len(added) < 20

    result = run_search(20, lambda edits: NOTHING_GAINED, RANKED, 100, observer=observe)
    assert result.stopped is StopReason.CANCELLED
    assert added == list(range(len(result.tree))) == list(range(21))
    assert changed == [[], *[[ROOT]] * 5]


@pytest.mark.parametrize(
    "options",
    [RANKED, replace(RANKED, policy=Policy.ENUMERATE), PROGRESSIVE],
    ids=["ranked", "enumerate", "progressive"],
)
@given(st.randoms(use_true_random=False), st.integers(1, 6), st.integers(1, 3), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_without_limits_the_whole_space_is_visited_once(
    options: SearchSettings, chance: Any, width: int, depth: int, batch: int
) -> None:
    outcomes = [NOTHING_GAINED, SETBACK, BROKEN, partial(1), partial(2), partial(3)]
    table: dict[Edits, ValidationReport] = {}

    def rule(edits: Edits) -> ValidationReport:
        return table.setdefault(edits, chance.choice(outcomes))

    result = run_search(width, rule, replace(options, max_depth=depth, batch=batch), None)
    assert result.stopped is StopReason.EXHAUSTED
    expected = sum(comb(width, size) for size in range(1, min(depth, width) + 1))
    assert len(result.tree) - 1 == expected


def test_a_generator_that_repeats_itself_forever_is_given_up() -> None:
    class Parrot:
        def propose(self, context: RepairContext, parent: SearchNode, n: int) -> list[Proposal]:
            return [Proposal(patch_of(frozenset({1})), 0.5, "parrot")] * n

    referee = Referee(lambda edits: NOTHING_GAINED)
    meter = BudgetMeter(Budget(candidates=10), lambda: 0.0)
    result = search(
        CONTEXT, Parrot(), referee, TestReward(), replace(RANKED, patience=5), meter, seed=0
    )
    assert (result.stopped, referee.asked) == (StopReason.EXHAUSTED, [{1}])


def test_a_model_cap_met_by_the_generator_ends_the_search_with_its_tree() -> None:
    class PaidEdits(RankedEdits):
        def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]:
            meter.reserve(Usage(tokens=40))
            return super().propose(context, parent, n)

    meter = BudgetMeter(Budget(tokens=100), lambda: 0.0)
    rule = Referee(lambda edits: NOTHING_GAINED)
    result = search(CONTEXT, PaidEdits(20), rule, TestReward(), RANKED, meter, seed=0)
    assert (result.stopped, len(result.tree) - 1) == (StopReason.BUDGET, 8)
    assert_consistent(result.tree)


def test_priors_stay_in_their_range_whatever_the_scores() -> None:
    class Confident:
        def propose(self, context: RepairContext, parent: SearchNode, n: int) -> list[Proposal]:
            return [Proposal(patch_of(frozenset({i})), 3.0 / (1 + i), "x") for i in range(n)]

    meter = BudgetMeter(Budget(candidates=4), lambda: 0.0)
    referee = Referee(lambda edits: NOTHING_GAINED)
    tree = search(CONTEXT, Confident(), referee, TestReward(), RANKED, meter, seed=0).tree
    assert [node.prior for node in tree.nodes[1:]] == [1.0, 1.0, 1.0, 0.75]


def test_cached_verdicts_count_as_candidates_and_not_as_validations() -> None:
    def rule(edits: Edits) -> ValidationReport:
        return replace(NOTHING_GAINED, from_cache=min(edits) % 2 == 0)

    meter = BudgetMeter(Budget(candidates=8), lambda: 0.0)
    run_search(20, rule, RANKED, 8, meter=meter)
    assert (meter.usage.candidates, meter.usage.validations) == (8, 4)


# --- proposals: programs, spares, agreement, rounds


def halved(patch: Patch) -> str:
    """Edits 2 i and 2 i + 1 make the same program."""
    return str(sorted({edit // 2 for edit in edits_of(patch)}))


@EVERY_KIND
def test_a_program_is_judged_once_however_it_is_written(options: SearchSettings) -> None:
    referee = Referee(lambda edits: partial(1) if 4 in edits else NOTHING_GAINED)
    meter = BudgetMeter(Budget(candidates=60), lambda: 0.0)
    tree = search(
        *(CONTEXT, RankedEdits(12), referee, TestReward(), options, meter),
        seed=1,
        program_of=halved,
    ).tree
    programs = [halved(node.patch) for node in tree.nodes]
    assert len(programs) == len(set(programs))
    assert meter.usage.candidates == len(referee.asked) == len(tree) - 1


def test_a_patch_that_leaves_the_program_as_it_was_costs_nothing() -> None:
    referee = Referee(lambda edits: NOTHING_GAINED)
    meter = BudgetMeter(Budget(candidates=8), lambda: 0.0)
    search(
        *(CONTEXT, RankedEdits(8), referee, TestReward(), replace(RANKED, max_depth=1), meter),
        seed=0,
        program_of=lambda patch: str(edits_of(patch) - {0}),
    )
    assert referee.asked == [{i} for i in range(1, 8)]


class Drawn(RankedEdits):
    """Like a model whose every second answer holds no patch."""

    is_sampling = True

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.calls = 0

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]:
        self.calls += 1
        return [] if self.calls % 2 else super().propose(context, parent, n)


@pytest.mark.parametrize("policy", [Policy.MCTS, Policy.TRIAL_AND_ERROR, Policy.BREADTH_FIRST])
def test_an_answer_without_a_patch_is_not_the_last_word_of_a_generator_that_samples(
    policy: Policy,
) -> None:
    options = replace(PROGRESSIVE, policy=policy, batch=1, patience=3)
    meter = BudgetMeter(Budget(candidates=8), lambda: 0.0)
    referee = Referee(lambda edits: NOTHING_GAINED)
    result = search(CONTEXT, Drawn(8), referee, TestReward(), options, meter, seed=0)
    assert (result.stopped, len(result.tree)) == (StopReason.BUDGET, 9)


def test_a_generator_that_samples_in_vain_is_given_up_by_patience() -> None:
    generator = Drawn(0)
    meter = BudgetMeter(Budget(candidates=8), lambda: 0.0)
    referee = Referee(lambda edits: NOTHING_GAINED)
    options = replace(PROGRESSIVE, batch=1, patience=3)
    result = search(CONTEXT, generator, referee, TestReward(), options, meter, seed=0)
    assert (result.stopped, generator.calls) == (StopReason.EXHAUSTED, 3)


@dataclass
class AskedFor(RankedEdits):
    """Remembers how many proposals it was asked for."""

    wants: list[int] = field(default_factory=list)

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]:
        self.wants.append(n)
        return super().propose(context, parent, n)


def propose_by(generator: RankedEdits, options: SearchSettings, candidates: int) -> SearchResult:
    meter = BudgetMeter(Budget(candidates=candidates), lambda: 0.0)
    rule = Referee(lambda edits: NOTHING_GAINED)
    return search(CONTEXT, generator, rule, TestReward(), options, meter, seed=0)


def test_what_a_large_answer_has_too_much_is_tested_later_without_asking_again() -> None:
    generator = AskedFor(12)
    options = replace(RANKED, batch=2, branch=6, diverse=False, max_depth=1)
    result = propose_by(generator, options, 9)
    assert generator.wants == [6, 6]
    assert order(result) == [{i} for i in range(9)]


def test_of_a_large_answer_the_most_different_patches_are_tested() -> None:
    class Wordy:
        def propose(self, context: RepairContext, parent: SearchNode, n: int) -> list[Proposal]:
            texts = ["x = 1", "x = 2", "x = 3", "raise Wrong(x) from y"][:n]
            return [
                Proposal(Patch((Hunk("m.py", 1, ("0\n",), (text + "\n",)),)), 0.5, "wordy")
                for text in texts
            ]

    meter = BudgetMeter(Budget(candidates=2), lambda: 0.0)
    rule = Referee(lambda edits: NOTHING_GAINED)
    options = replace(ADAPTIVE, batch=2, branch=4)
    tree = search(CONTEXT, Wordy(), rule, TestReward(), options, meter, seed=0).tree
    assert [node.patch.hunks[0].new for node in tree.nodes[1:]] == [
        ("x = 1\n",),
        ("raise Wrong(x) from y\n",),
    ]


def test_one_plausible_program_proposed_again_and_again_is_agreement() -> None:
    class Convinced:
        """Proposes edit 7 everywhere, and something new besides."""

        def __init__(self) -> None:
            self.calls = 0

        def propose(self, context: RepairContext, parent: SearchNode, n: int) -> list[Proposal]:
            self.calls += 1
            new = edits_of(parent.patch) | {20 + self.calls}
            return [Proposal(patch_of(e), 0.5, "x") for e in (new, frozenset({7}))][:n]

    def rule(edits: Edits) -> ValidationReport:
        return PLAUSIBLE if edits in ({7}, {21}) else NOTHING_GAINED

    def stopped_after(agreement: int | None) -> tuple[StopReason, int]:
        generator = Convinced()
        meter = BudgetMeter(Budget(candidates=20), lambda: 0.0)
        options = replace(APRMCTS, batch=2, branch=None, plausible_wanted=None, patience=9)
        options = replace(options, widening=Widening.PROGRESSIVE, agreement=agreement)
        referee = Referee(rule)
        result = search(CONTEXT, generator, referee, TestReward(), options, meter, seed=0)
        return result.stopped, len({n.parent for n in result.tree.nodes[1:]})

    assert stopped_after(None)[0] is StopReason.BUDGET
    assert stopped_after(1) == (StopReason.AGREEMENT, 2)  # 2 nodes for edit 7, 1 for edit 21
    assert stopped_after(3) == (StopReason.AGREEMENT, 4)


def test_a_round_takes_no_more_than_its_share_of_what_is_left() -> None:
    rounds: list[int] = []

    def observe(step: SearchStep) -> bool:
        rounds.append(len(step.added))
        return True

    options = replace(RANKED, batch=1, parallel=8, round_share=0.25, max_depth=1)
    run_search(200, lambda edits: NOTHING_GAINED, options, 40, observer=observe)
    assert rounds[0] == 1  # the root's own notice
    assert rounds[1:6] == [8, 8, 6, 4, 3]  # 40, 32, 24, 18, 14 left
    assert sum(rounds) == 41


# --- where the search goes


def test_without_signal_the_tree_is_the_plain_enumeration() -> None:
    def flat(edits: Edits) -> ValidationReport:
        return NOTHING_GAINED

    policies = (Policy.MCTS, Policy.ENUMERATE)
    tree, plain = (run_search(30, flat, replace(RANKED, policy=p), 300) for p in policies)
    assert order(tree) == order(plain)
    assert order(tree)[:30] == [{i} for i in range(30)]


def test_neutral_and_worse_children_wait_until_the_ranked_list_is_spent() -> None:
    def rule(edits: Edits) -> ValidationReport:
        return (NOTHING_GAINED, SETBACK, BROKEN)[min(edits) % 3]

    result = run_search(30, rule, RANKED, 300)
    assert all(len(edits) == 1 for edits in order(result)[:30])
    expanded = {node.id for node in result.tree.nodes[1:] if node.children}
    assert expanded
    assert all(result.tree.nodes[i].report == NOTHING_GAINED for i in expanded)


def test_two_edits_are_found_with_far_fewer_candidates_than_by_enumeration() -> None:
    def rule(edits: Edits) -> ValidationReport:
        if edits == {40, 120}:
            return PLAUSIBLE
        return partial(1) if 40 in edits else NOTHING_GAINED

    tree = run_search(200, rule, SearchSettings(), 2000)
    plain = run_search(200, rule, SearchSettings(policy=Policy.ENUMERATE), 2000)
    assert tree.stopped is StopReason.PLAUSIBLE
    assert len(tree.tree) - 1 <= 400
    assert (plain.stopped, plain.plausible) == (StopReason.BUDGET, ())


@given(st.integers(0, 149), st.sets(st.integers(0, 149)), st.floats(0, 0.6), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_a_single_edit_of_rank_r_costs_at_most_r_over_one_minus_f(
    fix: int, decoys: set[int], share: float, batch: int
) -> None:
    def rule(edits: Edits) -> ValidationReport:
        if edits == {fix}:
            return PLAUSIBLE
        return partial(min(len(edits & decoys), 3))

    options = SearchSettings(refinement_share=share, batch=batch)
    result = run_search(150, rule, options, 2000)
    (found,) = result.plausible
    assert found <= (fix + 1) / (1 - share) + 1e-6


def test_decoys_do_use_the_share_they_are_given() -> None:
    def rule(edits: Edits) -> ValidationReport:
        return PLAUSIBLE if edits == {140} else partial(min(len(edits & {2, 4}), 3))

    result = run_search(150, rule, SearchSettings(refinement_share=0.3), 2000)
    refinements = sum(len(edits) > 1 for edits in order(result))
    assert 0.25 <= refinements / len(order(result)) <= 0.3


@pytest.mark.parametrize("seed", range(8))
def test_a_fix_whose_edits_show_nothing_alone_costs_at_most_twice_the_enumeration(
    seed: int,
) -> None:
    rng = random.Random(seed)
    first, second, *decoys = rng.sample(range(40), 6)

    def rule(edits: Edits) -> ValidationReport:
        if edits == {first, second}:
            return PLAUSIBLE
        return partial(min(len(edits & set(decoys)), 3))

    tree = run_search(40, rule, SearchSettings(), 2000)
    plain = run_search(40, rule, SearchSettings(policy=Policy.ENUMERATE), 2000)
    assert tree.plausible[0] <= 2 * plain.plausible[0] + SearchSettings().batch


def test_the_better_of_two_improving_children_gets_more_of_the_share() -> None:
    def rule(edits: Edits) -> ValidationReport:
        return partial(3 if 4 in edits else 1) if edits & {2, 4} else NOTHING_GAINED

    result = run_search(300, rule, replace(SearchSettings(), max_depth=2), 290)
    weaker, better = result.tree.nodes[3], result.tree.nodes[5]
    assert 0 < len(weaker.children) < len(better.children)


def test_improvement_below_a_neutral_child_is_refined_once_the_list_is_spent() -> None:
    def rule(edits: Edits) -> ValidationReport:
        if edits == {0, 1, 25}:
            return PLAUSIBLE
        return partial(1) if {0, 1} <= edits else NOTHING_GAINED

    result = run_search(30, rule, RANKED, 300)
    assert result.stopped is StopReason.PLAUSIBLE
    plain = run_search(30, rule, replace(RANKED, policy=Policy.ENUMERATE), 300)
    assert plain.plausible == ()


def test_aprmcts_expands_every_node_at_most_once_into_three_children() -> None:
    expanded: list[int] = []

    def observe(step: SearchStep) -> bool:
        if step.changed:
            expanded.append(step.changed[0].id)
        return True

    result = run_search(20, hilly, APRMCTS, 48, seed=1, observer=observe)
    assert (result.stopped, len(result.tree)) == (StopReason.BUDGET, 49)
    assert len(expanded) == len(set(expanded)) >= 16
    assert len(result.tree.nodes[ROOT].children) == 3
    for node in result.tree.nodes:
        assert len(node.children) <= 3
        assert bool(node.visits) == (node.id in expanded)
        assert node.children == sorted(node.children)


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 0},
        {"refinement_share": 1.0},
        {"max_depth": 0},
        {"plausible_wanted": 0},
        {"spent_refinement_share": 1.1},
        {"backpropagation_alpha": 1.5},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|not in"):
        SearchSettings(**wrong)
