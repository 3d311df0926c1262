"""Ranking statements and functions from a coverage matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apr.core.bug import TestId
from apr.core.coverage import CoverageMatrix
from apr.core.errors import BadInputError
from apr.core.location import SuspiciousLocation
from apr.core.report import TestOutcome, TestResult
from apr.localization.formulas import FORMULAS
from apr.localization.spectrum import rank_functions, rank_statements

PASSED, FAILED = TestOutcome.PASSED, TestOutcome.FAILED


def make_matrix(
    outcomes: Sequence[TestOutcome],
    lines: Mapping[str, Mapping[int, Sequence[int]]],
    imported: Mapping[str, Sequence[int]] | None = None,
) -> CoverageMatrix:
    return CoverageMatrix(
        tuple(TestResult(TestId(f"t{i}"), outcome) for i, outcome in enumerate(outcomes)),
        {p: {n: frozenset(ts) for n, ts in by_line.items()} for p, by_line in lines.items()},
        {path: frozenset(found) for path, found in (imported or {}).items()},
    )


def by_line(ranking: Sequence[SuspiciousLocation]) -> dict[int, float]:
    return {s.location.first: s.suspiciousness for s in ranking}


MID = """\
def mid(x, y, z):
    m = z
    if y < z:
        if x < y:
            m = y
        elif x < z:
            m = y
    elif x > y:
        m = y
    elif x > z:
        m = x
    return m
"""
# (3,3,5) (1,2,3) (3,2,1) (5,5,5) (5,3,4) pass; (2,1,3) fails: Jones and Harrold, ASE 2005, figure 1
MID_LINES = {
    2: [0, 1, 2, 3, 4, 5],
    3: [0, 1, 2, 3, 4, 5],
    4: [0, 1, 4, 5],
    5: [1],
    6: [0, 4, 5],
    7: [0, 5],
    8: [2, 3],
    9: [2],
    10: [3],
    12: [0, 1, 2, 3, 4, 5],
}
MID_MATRIX = make_matrix([PASSED] * 5 + [FAILED], {"mid.py": MID_LINES}, {"mid.py": [1]})


def test_mid_has_the_published_tarantula_values() -> None:
    values = by_line(rank_statements(MID_MATRIX, "tarantula", sources={"mid.py": MID}))
    expected = {2: 0.5, 3: 0.5, 4: 1 / 1.6, 6: 1 / 1.4, 7: 1 / 1.2, 12: 0.5, 1: 0.25}
    assert values == pytest.approx(expected)


def test_mid_ranks_the_fault_first_by_ochiai() -> None:
    ranking = rank_statements(MID_MATRIX, "ochiai", sources={"mid.py": MID})
    assert [s.location.first for s in ranking] == [7, 6, 4, 12, 3, 2, 1]
    assert ranking[0].suspiciousness == pytest.approx(1 / math.sqrt(2))
    assert ranking[2].suspiciousness == pytest.approx(1 / 2)
    assert {(s.function, s.formula) for s in ranking} == {("mid", "ochiai")}


def test_statement_that_only_passing_tests_executed_is_not_ranked() -> None:
    assert not {5, 8, 9, 10} & set(by_line(rank_statements(MID_MATRIX)))


def test_lines_of_one_statement_are_merged() -> None:
    source = "def f(a):\n    return g(\n        a,\n        -1,\n    )\n"
    matrix = make_matrix([FAILED, PASSED], {"f.py": {2: [0], 4: [0, 1]}})
    (found,) = rank_statements(matrix, "barinel", sources={"f.py": source})
    assert (found.location.first, found.location.last) == (2, 5)
    assert found.suspiciousness == pytest.approx(1 / 2)  # the union: one failing, one passing


def test_without_a_source_every_line_is_a_statement() -> None:
    matrix = make_matrix([FAILED], {"A.java": {3: [0], 4: [0]}})
    assert {str(s.location) for s in rank_statements(matrix)} == {"A.java:3", "A.java:4"}


def test_import_time_statement_counts_for_tests_that_touched_its_file_at_half_weight() -> None:
    source = "LIMIT = 3\ndef f():\n    return LIMIT\n"
    matrix = make_matrix([FAILED, PASSED, PASSED], {"m.py": {3: [0, 1]}}, {"m.py": [1, 2]})
    values = by_line(rank_statements(matrix, "ochiai", sources={"m.py": source}))
    assert values == pytest.approx(
        {3: 1 / math.sqrt(2), 1: 0.5 / math.sqrt(2), 2: 0.5 / math.sqrt(2)}
    )


def test_module_of_constants_that_no_test_touches_counts_for_every_test() -> None:
    matrix = make_matrix([FAILED, PASSED], {"m.py": {3: [0]}}, {"constants.py": [1]})
    ranking = rank_statements(matrix, "ochiai")
    assert [str(s.location) for s in ranking] == ["m.py:3", "constants.py:1"]
    assert ranking[1].suspiciousness == pytest.approx(0.5 / math.sqrt(2))


def test_function_header_counts_for_the_tests_that_entered_the_function() -> None:
    source = "def f(a=1):\n    return a\ndef g(a=1):\n    return a\n"
    matrix = make_matrix([FAILED, PASSED], {"m.py": {2: [0], 4: [1]}}, {"m.py": [1, 3]})
    assert by_line(rank_statements(matrix, sources={"m.py": source})) == {2: 1.0, 1: 0.5}


def test_errors_and_timeouts_fail_while_skipped_and_xfailed_tests_do_not_count() -> None:
    outcomes = [
        TestOutcome.ERROR,
        TestOutcome.TIMEOUT,
        PASSED,
        TestOutcome.SKIPPED,
        TestOutcome.XFAILED,
    ]
    matrix = make_matrix(outcomes, {"m.py": {1: [0, 1, 2, 3, 4], 2: [3, 4]}})
    assert by_line(rank_statements(matrix, "jaccard")) == pytest.approx({1: 2 / 3})


def test_failing_test_without_any_recorded_line_is_no_evidence() -> None:
    matrix = make_matrix([FAILED, TestOutcome.MISSING], {"m.py": {1: [0]}})
    assert by_line(rank_statements(matrix, "naish1")) == {1: 1.0}


def test_no_failing_test_means_an_empty_ranking() -> None:
    assert rank_statements(make_matrix([PASSED], {"m.py": {1: [0]}}, {"m.py": [2]})) == ()


def test_ties_go_to_the_deeper_then_to_the_later_statement() -> None:
    source = "def f(a):\n    b = a\n    if b:\n        c = 1\n        return c\n"
    matrix = make_matrix([FAILED], {"b.py": {n: [0] for n in (2, 3, 4, 5)}, "a.py": {9: [0]}})
    ranking = rank_statements(matrix, sources={"b.py": source})
    assert [str(s.location) for s in ranking] == ["b.py:5", "b.py:4", "b.py:3", "b.py:2", "a.py:9"]


def test_tests_and_configuration_are_out_of_scope_unless_the_caller_says_otherwise() -> None:
    lines = {path: {1: [0]} for path in ("m.py", "tests/test_m.py", "setup.py", "conftest.py")}
    matrix = make_matrix([FAILED], lines)
    assert [s.location.path for s in rank_statements(matrix)] == ["m.py"]
    assert len(rank_statements(matrix, exclude=lambda path: False)) == 4


def test_unknown_formula_is_bad_input() -> None:
    with pytest.raises(BadInputError, match="no formula"):
        rank_statements(MID_MATRIX, "magic")


def test_function_has_the_suspiciousness_of_its_worst_statement() -> None:
    source = (
        "class A:\n    @property\n    def m(self):\n        def inner():\n            return 1\n"
        "        return inner()\n\nasync def late():\n    return 2\n"
    )
    matrix = make_matrix([FAILED, PASSED], {"m.py": {4: [0, 1], 5: [0], 6: [0, 1], 9: [0, 1]}})
    ranking = rank_functions(matrix, "ochiai", sources={"m.py": source})
    assert [(s.function, str(s.location)) for s in ranking] == [
        ("A.m.inner", "m.py:4-5"),
        ("late", "m.py:8-9"),
        ("A.m", "m.py:2-6"),
    ]
    assert ranking[0].suspiciousness == 1.0
    assert ranking[1].suspiciousness == pytest.approx(1 / math.sqrt(2))


outcomes = st.lists(st.sampled_from(list(TestOutcome)), min_size=1, max_size=5)


@st.composite
def matrices(draw: st.DrawFn) -> CoverageMatrix:
    results = draw(outcomes)
    tests = st.lists(st.integers(0, len(results) - 1), max_size=5)
    lines = st.dictionaries(st.integers(1, 12), tests, max_size=8)
    files = draw(st.dictionaries(st.sampled_from(["mid.py", "b.py"]), lines, max_size=2))
    imported = draw(st.dictionaries(st.sampled_from(["mid.py"]), st.lists(st.integers(1, 12))))
    return make_matrix(results, files, imported)


@settings(max_examples=60)
@given(matrix=matrices(), formula=st.sampled_from(sorted(FORMULAS)))
def test_ranking_is_sorted_in_range_and_names_each_statement_once(
    matrix: CoverageMatrix, formula: str
) -> None:
    ranking = rank_statements(matrix, formula, sources={"mid.py": MID})
    values = [s.suspiciousness for s in ranking]
    assert values == sorted(values, reverse=True)
    assert all(0.0 <= value <= 1.0 for value in values)
    assert len({s.location for s in ranking}) == len(ranking)
