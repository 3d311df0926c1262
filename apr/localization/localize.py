"""Fault localization as one pure function: spectrum, stack traces, or at least names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from apr.core.coverage import CoverageMatrix
from apr.core.location import SuspiciousLocation
from apr.core.report import TestResult
from apr.localization.formulas import canonical_name
from apr.localization.hints import rank_by_hints
from apr.localization.spectrum import rank_statements
from apr.localization.stacktrace import (
    EVIDENCE_WEIGHT,
    collect_evidence,
    combine,
    rank_by_evidence,
)


def localize(
    matrix: CoverageMatrix | None,
    failures: Sequence[TestResult],
    sources: Mapping[str, str],
    *,
    formula: str = "ochiai",
    evidence_weight: float = EVIDENCE_WEIGHT,
    limit: int | None = None,
) -> tuple[SuspiciousLocation, ...]:
    """The statements of `sources` by descending suspiciousness, at most `limit` of them.

    `sources` maps the path of every file that a patch may touch to its text; nothing else is ever
    ranked. With coverage the spectrum decides and the stack traces of `failures` shift it; without
    it they come first and the names of the failing tests order the rest. Empty only when there is
    no statement at all.

    Raises:
        BadInputError: when no formula has that name.
    """
    name = canonical_name(formula)
    evidence = collect_evidence(failures, sources.keys(), exclude=lambda path: False)
    traced = rank_by_evidence(evidence, sources)
    spectrum = (
        rank_statements(matrix, name, sources=sources, exclude=lambda path: path not in sources)
        if matrix is not None
        else ()
    )
    if spectrum:
        ranking = combine(spectrum, traced, weight=evidence_weight)
    else:
        ranking = rank_by_hints(failures, traced, sources)
    return ranking[:limit]
