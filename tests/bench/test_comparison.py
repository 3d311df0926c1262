"""Variants compared: every number against one worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from apr.bench.comparison import Comparison, Trials, compare
from apr.bench.records import BugRecord
from apr.cli.comparing import comparison_document, interval, number, render_markdown, sheets
from apr.core.errors import BadInputError

BUDGET = 16
FOUND = Mapping[str, int | None]


def record(bug: str, first: int | None, label: str = "correct") -> BugRecord:
    if first is None:
        return BugRecord(bug, "none", candidates=BUDGET, message="budget", seconds=2.0)
    return BugRecord(
        bug,
        "plausible",
        label=label,
        candidates=first,
        first_plausible=first,
        message="plausible",
        seconds=1.0,
        calls=first,
        tokens=10 * first,
        cost_usd=0.5,
    )


def trials(variant: str, *by_seed: FOUND) -> Trials:
    return Trials(
        variant,
        {
            seed: {bug: record(bug, first) for bug, first in found.items()}
            for seed, found in enumerate(by_seed)
        },
    )


LEFT = trials("tree", {"a": 1, "b": 4, "c": 16, "d": None}, {"a": 3, "b": None, "c": 8, "d": None})
RIGHT = trials("list", {"a": 2, "b": None, "c": None, "d": 5}, {"a": 2, "b": 6, "c": None, "d": 5})


def test_counts_are_bugs_averaged_over_the_seeds() -> None:
    tree, plain = compare([LEFT, RIGHT], BUDGET).summaries
    assert (tree.plausible.value, plain.plausible.value) == (2.5, 2.5)  # (3 + 2) / 2, (2 + 3) / 2
    assert tree.correct.value == 2.5
    assert (tree.overfitting.value, tree.errors) == (0, 0)


def test_the_curve_counts_what_is_fixed_within_a_budget() -> None:
    curve = compare([LEFT], BUDGET).summaries[0].curve
    found = {budget: estimate.value for budget, estimate in curve}
    assert found == {1: 0.5, 2: 0.5, 4: 1.5, 8: 2.0, 16: 2.5}


def test_an_unsolved_bug_counts_with_the_whole_budget() -> None:
    tree, plain = compare([LEFT, RIGHT], BUDGET).summaries
    # a (1 + 3) / 2, b (4 + 16) / 2, c (16 + 8) / 2, d 16; then a 2, b (16 + 6) / 2, c 16, d 5.
    assert tree.first.value == (2 + 10 + 12 + 16) / 4
    assert plain.first.value == (2 + 11 + 16 + 5) / 4


def test_the_first_variant_is_compared_with_each_other_bug_by_bug() -> None:
    (contrast,) = compare([LEFT, RIGHT], BUDGET).contrasts
    plausible, _, first = contrast.differences
    assert (contrast.left, contrast.right) == ("tree", "list")
    assert (plausible.left, plausible.right, plausible.difference.value) == (2.5, 2.5, 0)
    # Differences of a, b, c, d: 0, 0, 1, -1: the sum is 0, and no pattern is nearer.
    assert (plausible.p, plausible.test) == (1.0, "sign flip")
    assert (contrast.left_only, contrast.right_only) == (("c",), ("d",))
    # 10 against 8.5; the differences 0, -1, -4, 11 have the sum 6, and so far out are all of
    # the eight sums of +-1 +-4 +-11: 16, 14, 8, 6 and their mirrors.
    assert first.difference.value == 1.5
    assert first.ratio.value == pytest.approx(10 / 8.5)
    assert first.p == 1.0


def test_one_seed_is_compared_by_mcnemars_test() -> None:
    ours = trials("tree", dict.fromkeys("abcdef", 1) | {"g": None})
    theirs = trials("list", dict.fromkeys("abcdef") | {"g": 3})
    (contrast,) = compare([ours, theirs], BUDGET).contrasts
    plausible = contrast.differences[0]
    assert plausible.test == "McNemar"
    assert plausible.p == pytest.approx(2 * (1 + 7) / 128)
    assert plausible.ratio.value == 6


def test_only_common_bugs_and_seeds_are_compared() -> None:
    half = trials("list", {"b": 1, "d": 2, "z": 3})
    comparison = compare([LEFT, half], BUDGET)
    assert (comparison.bugs, comparison.seeds) == (("b", "d"), (0,))
    with pytest.raises(BadInputError, match="no bug that was run with the same seeds"):
        compare([LEFT, trials("list", {"z": 1})], BUDGET)
    with pytest.raises(BadInputError, match="same seeds"):
        compare([LEFT, Trials("list", {7: {"a": record("a", 1)}})], BUDGET)


def test_what_was_spent_is_summed_over_bugs_and_averaged_over_seeds() -> None:
    spent = compare([LEFT], BUDGET).summaries[0].spent
    assert spent.candidates == ((1 + 4 + 16 + 16) + (3 + 16 + 8 + 16)) / 2
    assert spent.calls == ((1 + 4 + 16) + (3 + 8)) / 2
    assert spent.cost_usd == 1.25
    assert (spent.seconds, spent.out_of_time) == ((5 + 6) / 2, 0)


def make_comparison() -> Comparison:
    return compare([LEFT, RIGHT], BUDGET)


def test_a_comparison_is_shown_whole_as_markdown() -> None:
    shown = render_markdown(make_comparison())
    assert "4 bugs, seeds 0, 1, 16 candidates each." in shown
    assert "| tree | 2.5 [" in shown
    assert "] | 0 [0, 0] | 0 | 10 [" in shown
    assert "**tree against list, paired by bug**" in shown
    assert "| fixed with more of the seeds | c | d |" in shown
    assert "95 % intervals" in shown


def test_infinite_ratios_are_null_in_json() -> None:
    nothing = trials("list", {"a": None}, {"a": None})
    document = comparison_document(compare([LEFT, nothing], BUDGET))
    ratio = json.loads(json.dumps(document))["contrasts"][0]["differences"][0]["ratio"]
    assert ratio == {"value": None, "low": None, "high": None}
    cells = sheets(compare([LEFT, nothing], BUDGET))[1].rows[0]
    assert cells[4] == "infinite [infinite, infinite]"


def test_numbers_are_short() -> None:
    assert [number(each) for each in (1234.0, 0.25, 3.0, -0.04)] == ["1,234", "0.2", "3", "0"]
    assert number(2.5, signed=True) == "+2.5"
    assert interval(make_comparison().summaries[0].plausible).startswith("2.5 [")
