"""What became of each bug in each run: the table behind every count of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apr.bench.comparison import Trials
from apr.bench.records import PLAUSIBLE, BugRecord
from apr.core.report import CorrectnessLabel


@dataclass(frozen=True, slots=True)
class Column:
    """A variant with one seed."""

    variant: str
    seed: int


@dataclass(frozen=True, slots=True)
class Cell:
    """What became of one bug: correct, overfitting, plausible, none, error or missing.

    `first` counts the candidates up to the first plausible one.
    """

    outcome: str
    first: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One bug with a cell for each column."""

    bug: str
    cells: tuple[Cell, ...]

    @property
    def differs(self) -> bool:
        """Whether one run mends the bug and another does not."""
        return len({cell.first is None for cell in self.cells}) > 1


@dataclass(frozen=True, slots=True)
class Matrix:
    """All bugs that any of the variants was run on, by name, against all runs."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def make_matrix(trials: Sequence[Trials]) -> Matrix:
    """The matrix of these variants, in their order and by seed."""
    found = [
        (Column(each.variant, seed), each.records[seed])
        for each in trials
        for seed in sorted(each.records)
    ]
    bugs = sorted({bug for _, records in found for bug in records})
    rows = (Row(bug, tuple(_cell(records.get(bug)) for _, records in found)) for bug in bugs)
    return Matrix(tuple(column for column, _ in found), tuple(rows))


def _cell(record: BugRecord | None) -> Cell:
    if record is None:
        return Cell("missing")
    if record.verdict != PLAUSIBLE:
        return Cell(record.verdict)
    is_known = record.label != CorrectnessLabel.UNKNOWN
    return Cell(record.label if is_known else PLAUSIBLE, record.first_plausible)
