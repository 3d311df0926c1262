"""Comparisons of predicted with reference patches: their records, and the rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apr.bench.journal import Journal

IDENTICAL, DIVERGENT = "identical", "divergent"


@dataclass(frozen=True, slots=True)
class PatchComparison:
    """One prediction beside the reference patch.

    `verdict` is that of the comparison, identical (the same program, written differently), or
    error (it could not be asked; it stays in the denominator). `digest` is the prediction's.
    `kinds` are the kinds of the differences found; `report` is the comparison as JSON.
    """

    instance: str
    tool: str
    digest: str
    verdict: str
    kinds: tuple[str, ...] = ()
    message: str = ""
    wall_s: float = 0.0
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same question."""
        return self.instance, self.tool, self.digest

    @property
    def is_proven(self) -> bool:
        """Whether a test was seen to pass on one side and to fail on the other."""
        tests = (found.get("test") for found in self.report.get("discrepancies", ()))
        by_call = any(test and test["proven"] for test in tests)
        by_test = bool(self.report.get("suite")) or bool(self._written.get("differences"))
        return self.verdict == DIVERGENT and (by_call or by_test)

    @property
    def is_only(self) -> frozenset[str]:
        """Of "wording" and "internal" what is true of each difference that was found.

        The first says that only the words of an error or a warning differ, the second that it was
        seen on a private function. A test that tells the sides apart is neither.
        """
        found = self.report.get("discrepancies", ())
        by_test = self.report.get("suite") or self._written.get("differences")
        marks = ("wording", "internal")
        return frozenset(m for m in marks if found and not by_test and all(f[m] for f in found))

    @property
    def _written(self) -> Mapping[str, Any]:
        """What became of tests that were written for the comparison."""
        return self.report.get("written") or {}


@dataclass(frozen=True, slots=True)
class Rates:
    """Counts over all comparisons; a comparison counts for each kind of difference once.

    `wording` and `internal` count those that differ in words, or on private functions, alone.
    """

    verdicts: Mapping[str, int]
    kinds: Mapping[str, int]
    total: int
    instances: int
    proven: int
    wording: int = 0
    internal: int = 0

    @property
    def divergent(self) -> float:
        """The share of patches that were told apart, in [0, 1]."""
        return self.verdicts.get(DIVERGENT, 0) / self.total if self.total else 0.0


def summarize(records: Sequence[PatchComparison]) -> Rates:
    """Count verdicts and kinds."""
    return Rates(
        verdicts=Counter(record.verdict for record in records),
        kinds=Counter(kind for record in records for kind in dict.fromkeys(record.kinds)),
        total=len(records),
        instances=len({record.instance for record in records}),
        proven=sum(record.is_proven for record in records),
        wording=sum("wording" in record.is_only for record in records),
        internal=sum("internal" in record.is_only for record in records),
    )


class ComparisonFile(Journal[PatchComparison]):
    """The comparisons of one protocol; see `Journal`."""

    def __init__(self, path: Path | None, protocol: Mapping[str, Any]) -> None:
        super().__init__(path, protocol, _parse)


def _parse(fields: Mapping[str, Any]) -> PatchComparison:
    return PatchComparison(**{**fields, "kinds": tuple(fields["kinds"])})
