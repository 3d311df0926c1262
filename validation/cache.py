"""Verdicts that need not be found out again: of the same program, here or in an earlier run."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from apr.core.errors import PatchDoesNotApplyError
from apr.core.patch import Patch
from apr.core.ports import OutcomeStore
from apr.core.report import TestOutcome, ValidationReport, Verdict
from validation.equivalence import NormalForms, exact_digest
from validation.plan import Plan
from validation.validator import GatedValidator, fill

MAX_REMEMBERED = 10_000


class MemoryOutcomes:
    """An `OutcomeStore` in this process, which forgets what was not used for longest."""

    def __init__(self, limit: int = MAX_REMEMBERED) -> None:
        self._limit = limit
        self._reports: OrderedDict[str, ValidationReport] = OrderedDict()

    def load_outcomes(self, keys: Sequence[str]) -> Mapping[str, ValidationReport]:
        """See `OutcomeStore.load_outcomes`."""
        found = {key: self._reports[key] for key in keys if key in self._reports}
        for key in found:
            self._reports.move_to_end(key)
        return found

    def save_outcomes(self, reports: Mapping[str, ValidationReport]) -> None:
        """See `OutcomeStore.save_outcomes`."""
        self._reports.update(reports)
        for key in reports:
            self._reports.move_to_end(key)
        while len(self._reports) > self._limit:
            self._reports.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Keys:
    """Under which keys the verdict on a program is kept.

    `free` for one that any course of the validation would come to, `bound` for one that depends
    on the order of the tests, which changes with what the validator learns: a search that takes
    verdicts from the cache must find the very tree that it would find without.
    """

    free: str
    bound: str

    def of(self, report: ValidationReport) -> str:
        return self.free if self.free == self.bound or is_complete(report) else self.bound


class CachingValidator:
    """A `PatchValidator` that judges every program once, however it is written.

    A patch that leaves the program as it was still fails. Of patches that make the same program,
    one is judged; the others get its report, marked `from_cache`. The gate sees every patch. A
    confirmation is skipped only for texts that were confirmed in full before.
    """

    def __init__(
        self,
        validator: GatedValidator,
        forms: NormalForms,
        sources: Mapping[str, str],
        scope: str,
        store: OutcomeStore | None = None,
    ) -> None:
        """`scope` identifies the subject, its tests and the environment; `sources` are the base's.

        `store` keeps verdicts beyond this process.
        """
        self._validator = validator
        self._forms = forms
        self._sources = sources
        self._scope = scope
        self._memory = MemoryOutcomes()
        self._store = store

    def validate(self, patches: Sequence[Patch]) -> list[ValidationReport]:
        """See `PatchValidator.validate`."""
        refused = [self._validator.refuse(patch) for patch in patches]
        return fill(refused, patches, self._judge)

    def _judge(self, patches: Sequence[Patch]) -> list[ValidationReport]:
        keys = [self._keys(patch) for patch in patches]
        known = self._load([key for k in keys if k is not None for key in (k.free, k.bound)])
        reports = [self._known(patch, k, known) for patch, k in zip(patches, keys, strict=True)]
        first = _representatives(keys, reports)
        made = self._validator.judge([patches[index] for index in first])
        for index, report in zip(first, made, strict=True):
            reports[index] = report
            k = keys[index]
            if k is not None and is_lasting(report):
                known[k.of(report)] = report
        self._save({k: report for k, report in known.items() if not report.from_cache})
        reports = [
            report or self._known(patch, k, known)
            for patch, k, report in zip(patches, keys, reports, strict=True)
        ]
        return fill(reports, patches, self._validator.judge)

    def _known(
        self, patch: Patch, keys: _Keys | None, known: Mapping[str, ValidationReport]
    ) -> ValidationReport | None:
        if keys is None:
            return None
        if not keys.free:
            return replace(self._validator.plan.unchanged_report(), from_cache=True)
        report = known.get(keys.free) or known.get(keys.bound)
        return None if report is None else replace(report, from_cache=True)

    def _keys(self, patch: Patch) -> _Keys | None:
        """None for a patch that does not apply; empty keys for the base program."""
        try:
            form = self._forms.of(patch)
        except PatchDoesNotApplyError:
            return None
        if not form:
            return _Keys("", "")
        free = self._key("outcome", form)
        order = self._validator.plan.order_digest(patch)
        return _Keys(free, self._key("outcome", form, order) if order else free)

    def _key(self, *parts: str) -> str:
        return hashlib.sha256("\0".join((self._scope, *parts)).encode()).hexdigest()

    def _load(self, keys: Sequence[str]) -> dict[str, ValidationReport]:
        """The known verdicts, all marked as taken from the cache."""
        wanted = list(dict.fromkeys(key for key in keys if key))
        found = dict(self._memory.load_outcomes(wanted))
        if self._store is not None and (missing := [k for k in wanted if k not in found]):
            stored = self._store.load_outcomes(missing)
            self._memory.save_outcomes(stored)
            found.update(stored)
        return {key: replace(report, from_cache=True) for key, report in found.items()}

    def _save(self, reports: Mapping[str, ValidationReport]) -> None:
        self._memory.save_outcomes(reports)
        if self._store is not None and reports:
            self._store.save_outcomes(reports)

    def learn(self, reports: Sequence[ValidationReport]) -> None:
        """See `PatchValidator.learn`."""
        self._validator.learn(reports)

    def confirm(self, patch: Patch) -> ValidationReport:
        """See `PatchValidator.confirm`."""
        refused = self._validator.refuse(patch)
        if refused is not None:
            return refused
        try:
            key = self._key("confirmed", exact_digest(patch, self._sources))
        except PatchDoesNotApplyError:
            return self._validator.confirm(patch)
        known = self._load([key])
        if key in known:
            return known[key]
        report = self._validator.confirm(patch)
        if report.is_plausible and not report.flaky:
            self._save({key: report})
        return report


def _representatives(
    keys: Sequence[_Keys | None], reports: Sequence[ValidationReport | None]
) -> list[int]:
    """The first of each group of unknown patches that make the same program."""
    chosen: list[int] = []
    seen: set[str] = set()
    for index, (k, report) in enumerate(zip(keys, reports, strict=True)):
        if report is None and (k is None or k.bound not in seen):
            chosen.append(index)
            seen.add(k.bound if k is not None else "")
    return chosen


def is_lasting(report: ValidationReport) -> bool:
    """Whether the same would be found again: no matter of time, luck or a broken-off execution."""
    if report.verdict in (Verdict.PLAUSIBLE, Verdict.DOES_NOT_BUILD):
        return True
    graded = report.verdict in (Verdict.STILL_FAILS, Verdict.REGRESSES)
    timed = any(result.outcome is TestOutcome.TIMEOUT for result in report.results)
    return graded and bool(report.results) and not timed


def is_complete(report: ValidationReport) -> bool:
    """Whether the tests would have told the same in any order.

    With at most one failure, so that the order of the failures does not matter either.
    """
    if len(report.results) > 1:
        return False
    if report.verdict is Verdict.STILL_FAILS:
        return report.triggers_passed + len(report.results) == report.triggers_total
    if report.verdict is Verdict.REGRESSES:
        return report.regressions_run == report.regressions_total
    return True


def plan_scope(plan: Plan) -> str:
    """A digest of the tests that judge a patch."""
    baseline = plan.baseline
    sha = hashlib.sha256()
    for tests in (baseline.trigger_tests, baseline.passing):
        sha.update(("\0".join(tests) + "\0\0").encode("utf-8", "surrogateescape"))
    for result in baseline.failing:
        sha.update(f"{result.outcome} {result.progress}\0".encode())
    sha.update(f"{plan.is_staged}".encode())
    return sha.hexdigest()
