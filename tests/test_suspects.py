"""Whom the tests accuse: of the base, and of a patch that has mended a part of it."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace

import pytest

from apr.core.bug import TestId
from apr.core.coverage import CoverageMatrix
from apr.core.oracle import Oracle
from apr.core.patch import Patch
from apr.core.report import Baseline, Stage, TestOutcome, TestResult, ValidationReport, Verdict
from apr.core.tree import SearchNode
from apr.settings import RunSettings
from apr.storage.oracle import decode_oracle, encode_oracle
from apr.suspects import Relocation, rank_suspects

SOURCES = {"m.py": "def f():\n    return 1\n\n\ndef g():\n    return 2\n"}
F, G, OTHER, FINE = (TestId(name) for name in ("f", "g", "other", "fine"))
FAILED, PASSED = TestOutcome.FAILED, TestOutcome.PASSED


def oracle(triggers: tuple[TestId, ...], others: tuple[TestId, ...] = ()) -> Oracle:
    """Test f executes line 2, test g line 6, `other` and `fine` both."""
    outcomes = {F: FAILED, G: FAILED, OTHER: FAILED, FINE: PASSED}
    results = tuple(TestResult(test, outcome) for test, outcome in outcomes.items())
    lines = {"m.py": {2: frozenset({0, 2, 3}), 6: frozenset({1, 2, 3})}}
    matrix = CoverageMatrix(results, lines, {"m.py": frozenset({1, 5})})
    failing = tuple(TestResult(test, FAILED) for test in triggers)
    durations = dict.fromkeys(outcomes, 0.1)
    baseline = Baseline(failing, (FINE,), (), (), durations, 0.4, 2, other_failing=others)
    locations = rank_suspects(SOURCES, RunSettings(), matrix, baseline)
    return Oracle(baseline, matrix, locations, "digest")


def suspiciousness(locations, line: int) -> float:
    return next((s.suspiciousness for s in locations if s.location.first == line), 0.0)


def test_a_test_that_fails_for_another_reason_accuses_nobody() -> None:
    # Ochiai of line 2, executed by f (the only failing test) and `fine`: 1 / sqrt(1 * 2)
    locations = oracle((F,), others=(G, OTHER)).locations
    assert suspiciousness(locations, 2) == pytest.approx(2**-0.5)
    assert suspiciousness(locations, 6) == 0.0


def test_once_a_test_is_mended_its_lines_are_cleared() -> None:
    known = oracle((F, G), others=(OTHER,))
    assert suspiciousness(known.locations, 2) == suspiciousness(known.locations, 6) > 0
    report = ValidationReport(
        Verdict.STILL_FAILS, Stage.TRIGGER, 1, 2, results=(TestResult(G, FAILED),)
    )
    relocate = Relocation(SOURCES, RunSettings(), known)
    after = relocate(SearchNode(1, 0, Patch(), report=report))
    assert suspiciousness(after, 6) > suspiciousness(known.locations, 6)
    assert suspiciousness(after, 2) == 0.0


def test_the_ranking_of_the_base_holds_while_nothing_is_mended() -> None:
    known = oracle((F, G))
    nothing = ValidationReport(
        Verdict.STILL_FAILS, Stage.TRIGGER, 0, 2, results=(TestResult(F, FAILED),)
    )
    relocate = Relocation(SOURCES, RunSettings(), known)
    for report in (None, nothing):
        assert relocate(SearchNode(1, 0, Patch(), report=report)) == known.locations


def test_given_locations_are_taken_at_their_word() -> None:
    settings = RunSettings(locations=("m.py:6",))
    locations = rank_suspects(SOURCES, settings, None, oracle((F,)).baseline)
    assert [(s.location.first, s.suspiciousness) for s in locations] == [(6, 1.0)]


def test_an_oracle_survives_storage() -> None:
    known = oracle((F, G), others=(OTHER,))
    assert known.matrix is not None
    stored = encode_oracle(known)
    assert decode_oracle(stored) == known
    assert decode_oracle(stored, is_brief=True) == replace(known, matrix=None)


def test_an_oracle_of_an_earlier_version_is_read() -> None:
    """It was one line of JSON, with the matrix in it."""
    known = oracle((F, G), others=(OTHER,))
    head, matrix = map(json.loads, zlib.decompress(encode_oracle(known)).splitlines())
    assert decode_oracle(zlib.compress(json.dumps(head | {"matrix": matrix}).encode())) == known
