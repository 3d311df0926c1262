"""Validation shared with helpers: a searcher lays patches out, whoever is free judges them.

The searcher takes part itself and judges whatever nobody brings back: it needs no helper, waits
for none, and gets the same verdicts with and without. So the board may lose what it holds.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from apr.core.errors import BoardUnavailableError
from apr.core.patch import Patch
from apr.core.ports import BoardItem, ValidationBoard
from apr.core.report import ValidationReport
from validation.plan import Plan
from validation.validator import StagedValidator, fill

WORTH_SHARING_S = 0.5
"""What a batch must take at least for helpers, who take a second to begin, to be called."""
PATIENCE = 3.0
"""A result is late after so many times what the slowest patch took here, and a second."""


class SharedValidator:
    """A `StagedValidator` whose patches are judged side by side with helpers."""

    def __init__(
        self,
        validator: StagedValidator,
        board: ValidationBoard,
        run_id: str,
        jobs: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`jobs`: how many patches are judged here at once."""
        self._validator = validator
        self._board = board
        self._run_id = run_id
        self._jobs = jobs
        self._clock = clock
        self._slowest_s = 0.0
        self.from_helpers = 0
        """Verdicts that helpers have brought."""

    @property
    def plan(self) -> Plan:
        """See `StagedValidator.plan`."""
        return self._validator.plan

    def validate(self, patches: Sequence[Patch]) -> list[ValidationReport]:
        """See `PatchValidator.validate`."""
        return fill([self.refuse(patch) for patch in patches], patches, self.judge)

    def refuse(self, patch: Patch) -> ValidationReport | None:
        """See `StagedValidator.refuse`."""
        return self._validator.refuse(patch)

    def learn(self, reports: Sequence[ValidationReport]) -> None:
        """See `PatchValidator.learn`."""
        self._validator.learn(reports)

    def confirm(self, patch: Patch) -> ValidationReport:
        """See `PatchValidator.confirm`; never left to a helper."""
        return self._validator.confirm(patch)

    def judge(self, patches: Sequence[Patch]) -> list[ValidationReport]:
        """See `StagedValidator.judge`."""
        expected_s = self._slowest_s * len(patches) / self._jobs
        if len(patches) <= self._jobs or expected_s < WORTH_SHARING_S:
            return self._judge_here(patches)
        reports: dict[int, ValidationReport] = {}
        with suppress(BoardUnavailableError):  # what is missing is judged here
            self._judge_together(patches, reports)
        return fill(
            [reports.get(index) for index in range(len(patches))], patches, self._judge_here
        )

    def _judge_here(self, patches: Sequence[Patch]) -> list[ValidationReport]:
        reports = self._validator.judge(patches)
        if reports:
            self._slowest_s = max(report.duration_s for report in reports)
        return reports

    def _judge_together(
        self, patches: Sequence[Patch], reports: dict[int, ValidationReport]
    ) -> None:
        """Fill `reports` with what is judged here and there, as far as it comes in time."""
        batch = secrets.token_hex(8)
        learned = self.plan.learned
        self._board.lay_out(
            self._run_id,
            [BoardItem(batch, index, patch, learned) for index, patch in enumerate(patches)],
        )
        while mine := self._board.take(self._run_id, self._jobs):
            mine = [item for item in mine if item.batch == batch]
            made = self._judge_here([item.patch for item in mine])
            reports.update(zip((item.index for item in mine), made, strict=True))
            self._collect(batch, reports, wait_s=0.0)
        deadline = self._clock() + PATIENCE * self._slowest_s + 1.0
        while len(reports) < len(patches) and self._clock() < deadline:
            self._collect(batch, reports, wait_s=0.2)

    def _collect(self, batch: str, reports: dict[int, ValidationReport], wait_s: float) -> None:
        for result in self._board.results(self._run_id, wait_s):
            if result.batch == batch and result.index not in reports:
                reports[result.index] = result.report
                self.from_helpers += 1
