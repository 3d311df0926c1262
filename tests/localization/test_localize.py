"""Localization as a whole: with coverage, with stack traces alone, and with neither."""

from __future__ import annotations

import pytest

from apr.core.bug import TestId
from apr.core.coverage import CoverageMatrix
from apr.core.errors import BadInputError
from apr.core.report import Frame, TestOutcome, TestResult
from apr.localization.localize import localize

SOURCE = "def f(a):\n    b = a\n    if b:\n        return 1 / 0\n    return b\n"
CRASH = TestResult(TestId("t0"), TestOutcome.FAILED, frames=(Frame("m.py", 2, "f"),))
PASS = TestResult(TestId("t1"), TestOutcome.PASSED)
MATRIX = CoverageMatrix(
    (CRASH, PASS),
    {
        "m.py": {2: frozenset({0, 1}), 3: frozenset({0, 1}), 4: frozenset({0})},
        "x.py": {1: frozenset({0})},
    },
    {"m.py": frozenset({1})},
)


def test_stack_trace_shifts_the_spectrum_ranking() -> None:
    plain = localize(MATRIX, [], {"m.py": SOURCE})
    assert [s.location.first for s in plain] == [4, 3, 2, 1]
    shifted = localize(MATRIX, [CRASH], {"m.py": SOURCE})
    assert [s.location.first for s in shifted] == [4, 2, 3, 1]
    assert {s.formula for s in shifted} == {"ochiai"}
    assert {s.function for s in shifted} == {"f"}


def test_only_sources_are_ranked_and_at_most_limit_of_them() -> None:
    assert {s.location.path for s in localize(MATRIX, [CRASH], {"m.py": SOURCE})} == {"m.py"}
    assert len(localize(MATRIX, [CRASH], {"m.py": SOURCE}, limit=2)) == 2


def test_file_that_the_user_calls_source_is_ranked_whatever_its_name() -> None:
    matrix = CoverageMatrix((CRASH,), {"test_m.py": {2: frozenset({0})}}, {})
    assert [str(s.location) for s in localize(matrix, [], {"test_m.py": SOURCE})] == ["test_m.py:2"]


def test_without_coverage_the_innermost_frame_comes_first_and_its_surroundings_next() -> None:
    java = {
        "src/Cart.java": "class Cart {\n  int total() {\n    return price() / n;\n  }\n}\n",
        "src/Other.java": "class Other {\n  int x;\n}\n",
    }
    message = "ArithmeticException\n\tat Cart.total(Cart.java:3)\n\tat CartTest.t(CartTest.java:9)"
    failure = TestResult(TestId("T#t"), TestOutcome.ERROR, message=message)
    ranking = localize(None, [failure], java)
    assert str(ranking[0].location) == "src/Cart.java:3"
    assert (ranking[0].formula, ranking[0].suspiciousness) == ("stack-trace", 1.0)
    assert {str(s.location) for s in ranking[1:3]} == {"src/Cart.java:1", "src/Cart.java:2"}
    assert all(s.suspiciousness <= 0.5 for s in ranking[1:])
    assert len(ranking) == 5


def test_without_coverage_and_frames_the_file_that_the_test_is_named_after_comes_first() -> None:
    java = {
        "src/Alpha.java": "class Alpha {\n}\n",
        "src/ShoppingCart.java": "class ShoppingCart {\n}\n",
    }
    failure = TestResult(
        TestId("org.x.ShoppingCartTest.adds"), TestOutcome.FAILED, message="1 != 2"
    )
    ranking = localize(None, [failure], java)
    assert [s.location.path for s in ranking] == ["src/ShoppingCart.java", "src/Alpha.java"]
    assert {s.formula for s in ranking} == {"test-name"}


def test_matrix_without_any_failing_line_falls_back_to_the_traces() -> None:
    empty = CoverageMatrix((CRASH,), {}, {})
    ranking = localize(empty, [CRASH], {"m.py": SOURCE})
    assert ranking[0].location.first == 2
    assert ranking[0].formula == "stack-trace"


def test_no_sources_mean_no_locations() -> None:
    assert localize(MATRIX, [CRASH], {}) == ()


def test_unknown_formula_is_bad_input_even_without_coverage() -> None:
    with pytest.raises(BadInputError, match="no formula"):
        localize(None, [CRASH], {"m.py": SOURCE}, formula="magic")
