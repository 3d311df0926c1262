"""Whether the bugs of a benchmark can judge patches: what was found of each, and which count.

A bug counts when its trigger tests fail without a patch, and its reference patch makes them pass
and breaks nothing. One that does not would call right patches wrong, or wrong ones right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apr.bench.journal import ERROR, Journal
from apr.core.report import Baseline, ValidationReport, Verdict

SOUND, NOT_REPRODUCED, REFERENCE_FAILS, UNUSABLE = (
    "sound",
    "not-reproduced",
    "reference-fails",
    "unusable",
)
MOST_NAMED = 20
"""Tests that a record names, so that a file of records stays readable."""


@dataclass(frozen=True, slots=True)
class BugCheck:
    """What was found of one bug.

    `verdict` is sound, not-reproduced (no patch is needed for its trigger tests to pass, or they do
    not fail reliably), reference-fails, unusable (it lacks what a check needs), or error: it could
    not be asked, stays in the denominator, and is asked again. `triggers` and `regressions` count
    tests. `flaky` are tests that changed their outcome between executions of one version, and
    `disagreeing` those that do not do what the benchmark says; of both the first `MOST_NAMED`.
    """

    bug: str
    verdict: str
    message: str = ""
    triggers: int = 0
    regressions: int = 0
    flaky: tuple[str, ...] = ()
    disagreeing: tuple[str, ...] = ()
    wall_s: float = 0.0

    @property
    def key(self) -> str:
        """A bug is asked about once."""
        return self.bug

    @property
    def counts(self) -> bool:
        """Whether patches may be judged by it."""
        return self.verdict == SOUND


class CheckFile(Journal[BugCheck]):
    """The checks made under one protocol; see `Journal`."""

    def __init__(
        self, path: Path | None, protocol: Mapping[str, Any], forget: Collection[str] = ()
    ) -> None:
        super().__init__(path, protocol, _parse, forget)


def _parse(fields: Mapping[str, Any]) -> BugCheck:
    named = {name: tuple(fields[name]) for name in ("flaky", "disagreeing")}
    return BugCheck(**{**fields, **named})


def judge_check(bug: str, baseline: Baseline, report: ValidationReport) -> BugCheck:
    """The check of a bug whose trigger tests fail, by the report on its reference patch."""
    flaky = dict.fromkeys((*baseline.flaky, *report.flaky))
    against = [result.test for result in report.results if result.outcome.is_failure]
    verdict = REFERENCE_FAILS
    if report.is_plausible:
        verdict = SOUND
    elif report.verdict is Verdict.INCONCLUSIVE:
        verdict = ERROR
    return BugCheck(
        bug,
        verdict,
        message="" if verdict == SOUND else _explain(report, against),
        triggers=len(baseline.failing),
        regressions=len(baseline.passing),
        flaky=tuple(flaky)[:MOST_NAMED],
        disagreeing=() if verdict == SOUND else tuple(against)[:MOST_NAMED],
    )


def _explain(report: ValidationReport, against: Sequence[str]) -> str:
    shown = f" ({against[0]})" if against else ""
    reason = f": {report.message}" if report.message else ""
    return f"the reference patch {report.verdict.value}{shown}{reason}"


@dataclass(frozen=True, slots=True)
class CheckTotals:
    """How many bugs got which verdict, and how many of those that count have flaky tests."""

    bugs: int
    verdicts: Mapping[str, int]
    flaky: int

    @property
    def all_count(self) -> bool:
        """Whether every bug may be used."""
        return self.verdicts.get(SOUND, 0) == self.bugs


def total(checks: Sequence[BugCheck]) -> CheckTotals:
    """Counts over the checks."""
    return CheckTotals(
        bugs=len(checks),
        verdicts=dict(Counter(check.verdict for check in checks)),
        flaky=sum(check.counts and bool(check.flaky) for check in checks),
    )
