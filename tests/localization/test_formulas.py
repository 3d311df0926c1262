"""Spectrum formulas against hand-computed values, and the properties that all of them share."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.core.errors import BadInputError
from apr.localization.formulas import FORMULAS, Spectrum, canonical_name

counts = st.integers(0, 1000)
spectra = st.builds(Spectrum, ef=counts, ep=counts, nf=counts, np=counts)

TWO_OF_THREE = Spectrum(ef=2, ep=1, nf=1, np=4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ochiai", 2 / 3),  # 2 / sqrt(3 * 3)
        ("tarantula", 10 / 13),  # (2/3) / (2/3 + 1/5)
        ("dstar", 2 / 3),  # 4 / 2 = 2, mapped to 2 / 3
        ("jaccard", 1 / 2),  # 2 / 4
        ("barinel", 2 / 3),  # 1 - 1 / 3
        ("op2", 11 / 18),  # (2 - 1/6) / 3
        ("naish1", 0.0),  # a failing test misses it
        ("kulczynski2", 2 / 3),  # (2/3 + 2/3) / 2
        ("gp13", 5 / 8),  # 2 (1 + 1/4) = 2.5, of at most 4
        ("ample", 7 / 15),  # 2/3 - 1/5
        ("russell-rao", 1 / 4),  # 2 / 8
        ("sorensen-dice", 2 / 3),  # 4 / 6
        ("simple-matching", 3 / 4),  # 6 / 8
        ("rogers-tanimoto", 3 / 5),  # 6 / (6 + 4)
        ("anderberg", 1 / 3),  # 2 / (2 + 4)
        ("ochiai2", 8 / 15),  # 2 * 4 / sqrt(3 * 5 * 3 * 5)
    ],
)
def test_value_computed_by_hand(name: str, expected: float) -> None:
    assert FORMULAS[name](TWO_OF_THREE) == pytest.approx(expected)


def test_every_formula_has_a_hand_computed_value() -> None:
    marks = test_value_computed_by_hand.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in marks[0].args[1]} == set(FORMULAS)


def test_naish1_prefers_fewer_passing_executions_among_those_all_failing_tests_reach() -> None:
    assert FORMULAS["naish1"](Spectrum(ef=3, ep=1, nf=0, np=4)) == pytest.approx(5 / 6)
    assert FORMULAS["naish1"](Spectrum(ef=3, ep=5, nf=0, np=0)) == pytest.approx(1 / 6)


@pytest.mark.parametrize("name", ["ochiai", "tarantula", "dstar", "jaccard", "barinel", "naish1"])
def test_statement_executed_by_exactly_the_failing_tests_is_certain(name: str) -> None:
    assert FORMULAS[name](Spectrum(ef=2, ep=0, nf=0, np=7)) == 1.0


def test_tarantula_without_passing_tests_is_certain_of_whatever_failed() -> None:
    assert FORMULAS["tarantula"](Spectrum(ef=1, ep=0, nf=3, np=0)) == 1.0


@pytest.mark.parametrize("name", FORMULAS)
def test_no_tests_at_all_means_no_suspicion(name: str) -> None:
    assert FORMULAS[name](Spectrum(0, 0, 0, 0)) == 0.0


@given(spectrum=spectra)
def test_suspiciousness_stays_between_0_and_1(spectrum: Spectrum) -> None:
    for name, formula in FORMULAS.items():
        assert 0.0 <= formula(spectrum) <= 1.0, name


MONOTONE = sorted(set(FORMULAS) - {"ample"})  # ample takes an absolute value


@given(spectrum=spectra.filter(lambda s: s.nf > 0))
def test_one_more_failing_execution_never_lowers_suspicion(spectrum: Spectrum) -> None:
    more = Spectrum(spectrum.ef + 1, spectrum.ep, spectrum.nf - 1, spectrum.np)
    for name in MONOTONE:
        assert FORMULAS[name](more) >= FORMULAS[name](spectrum) - 1e-12, name


@given(spectrum=spectra.filter(lambda s: s.np > 0))
def test_one_more_passing_execution_never_raises_suspicion(spectrum: Spectrum) -> None:
    more = Spectrum(spectrum.ef, spectrum.ep + 1, spectrum.nf, spectrum.np - 1)
    for name in MONOTONE:
        assert FORMULAS[name](more) <= FORMULAS[name](spectrum) + 1e-12, name


@given(
    a=st.tuples(st.integers(1, 20), st.integers(0, 20)),
    b=st.tuples(st.integers(1, 20), st.integers(0, 20)),
)
def test_normalised_op2_and_dstar_rank_as_their_papers_do(
    a: tuple[int, int], b: tuple[int, int]
) -> None:
    first, second = (Spectrum(ef, ep, 20 - ef, 20 - ep) for ef, ep in (a, b))

    def op2(s: Spectrum) -> float:
        return s.ef - s.ep / (s.ep + s.np + 1)

    def dstar(s: Spectrum) -> float:
        return s.ef**2 / (s.ep + s.nf) if s.ep + s.nf else math.inf

    for name, raw in (("op2", op2), ("dstar", dstar)):
        if raw(first) > raw(second) + 1e-9:
            assert FORMULAS[name](first) > FORMULAS[name](second)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        Spectrum(ef=-1, ep=0, nf=0, np=0)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("Ochiai", "ochiai"),
        ("D*", "dstar"),
        ("Opt", "op2"),
        ("RussellRao", "russell-rao"),
        ("russel_rao", "russell-rao"),
        ("Simple Matching", "simple-matching"),
        ("SBI", "barinel"),
        ("Dice", "sorensen-dice"),
    ],
)
def test_formula_names_ignore_case_and_punctuation(spelling: str, name: str) -> None:
    assert canonical_name(spelling) == name


def test_unknown_formula_is_bad_input_that_names_the_choices() -> None:
    with pytest.raises(BadInputError, match=r"'magic'.*ochiai"):
        canonical_name("magic")
