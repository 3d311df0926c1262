"""Curves and matrices of finished runs: every number worked out by hand."""

from __future__ import annotations

import pytest

from apr.bench.comparison import Trials
from apr.bench.curves import Curve, LogAxis, candidates_to_fix, curves, seconds_to_fix
from apr.bench.matrix import Cell, Column, make_matrix
from apr.bench.records import BugRecord

RIGHT = BugRecord("gcd", "plausible", label="correct", first_plausible=3, seconds=1.5)
WRONG = BugRecord("lis", "plausible", label="overfitting", first_plausible=3, seconds=4.0)
OPEN = BugRecord("kth", "plausible", first_plausible=10, seconds=2.0)
NONE = BugRecord("lis", "none", candidates=50, seconds=9.0)
BROKEN = BugRecord("kth", "error", message="no tests")
TREE = Trials("tree", {0: {"gcd": RIGHT, "lis": WRONG}, 1: {"gcd": RIGHT, "lis": NONE}})
LIST = Trials("list", {0: {"gcd": RIGHT, "kth": BROKEN}})


def test_a_curve_rises_at_each_cost_over_all_seeds() -> None:
    tree, plain = curves([TREE, LIST], candidates_to_fix)
    assert tree == Curve("tree", (3, 3, 3), 4)
    assert tree.points() == [(3, 0.75)]
    assert (tree.share, plain.share) == (0.75, 0.5)
    assert curves([TREE], seconds_to_fix)[0].points() == [(1.5, 0.5), (4.0, 0.75)]


def test_bugs_that_were_not_fixed_count_in_the_runs_alone() -> None:
    assert seconds_to_fix(NONE) is None
    assert candidates_to_fix(BROKEN) is None
    assert curves([Trials("x", {0: {"lis": NONE}})], seconds_to_fix)[0].points() == []


def test_the_matrix_has_a_row_for_every_bug_and_a_column_for_every_seed() -> None:
    matrix = make_matrix([TREE, LIST])
    assert matrix.columns == (Column("tree", 0), Column("tree", 1), Column("list", 0))
    assert [(row.bug, row.differs) for row in matrix.rows] == [
        ("gcd", False),
        ("kth", False),
        ("lis", True),
    ]
    missing = Cell("missing")
    assert matrix.rows[1].cells == (missing, missing, Cell("error"))
    assert matrix.rows[2].cells == (Cell("overfitting", 3), Cell("none"), missing)


def test_a_plausible_patch_that_nobody_could_label_is_called_plausible() -> None:
    (row,) = make_matrix([Trials("x", {0: {"kth": OPEN}})]).rows
    assert row.cells == (Cell("plausible", 10),)


def test_an_axis_is_logarithmic_and_holds_what_is_beyond_it() -> None:
    axis = LogAxis(1.0, 100.0)
    assert [axis.place(value) for value in (1, 10, 100, 5000)] == pytest.approx(
        [0.0, 0.5, 1.0, 1.0]
    )
    assert axis.ticks() == [1.0, 10.0, 100.0]
    assert axis.ticks((1, 5)) == [1.0, 5.0, 10.0, 50.0, 100.0]
