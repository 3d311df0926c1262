"""Benchmark records as tables, curves, a matrix of variants and bugs, and two variants compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

from apr.bench.comparison import Comparison, Contrast, Trials
from apr.bench.journal import ERROR
from apr.bench.records import PLAUSIBLE, BugRecord
from apr.bench.statistics import Estimate
from apr.core.errors import BadInputError
from apr.core.report import CorrectnessLabel
from web.pages.benchmark_records import open_records
from web.pages.curves_view import Chart, Over, chart

MOST_FOLDERS = 200
PER_PAGE = 200
"""Bugs in one page of the matrix."""
_MARKS = {
    "correct": "●",
    "plausible": "✓",
    "overfitting": "◐",
    "none": "·",
    "error": "!",
    "absent": "",
}


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A folder of records; `problem` says why it cannot be shown."""

    name: str
    files: int
    variants: tuple[str, ...]
    bugs: int
    problem: str


@dataclass(frozen=True, slots=True)
class Cell:
    """What a variant made of a bug: over several seeds, how many of them were alike."""

    kind: str
    mark: str
    title: str
    run: str


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A bug, and a cell for each variant."""

    bug: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a benchmark is to be shown; names that there are not stand for the first ones.

    `left` and `right` are the variants that are compared in detail, `page` of the matrix from 1.
    """

    over: Over = Over.PATCHES
    left: str = ""
    right: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class BenchmarkView:
    """The variants of one or two benchmarks compared, drawn and tabled."""

    names: tuple[str, ...]
    others: tuple[str, ...]
    comparison: Comparison
    chart: Chart
    matrix: tuple[MatrixRow, ...]
    pages: int
    variants: tuple[str, ...]
    contrast: Contrast | None
    wanted: Wanted

    def link(self, **changed: str | int) -> str:
        """The address of this page with something else wanted."""
        names = dict(zip(("name", "beside"), self.names, strict=False))
        return f"/benchmarks/show?{urlencode({**names, **asdict(self.wanted), **changed})}"


def list_benchmarks(root: Path | None) -> tuple[Benchmark, ...]:
    """The folders of records below `root`, and `root` itself where it holds some."""
    return tuple(_describe(root, name) for name in folder_names(root) if root is not None)


def folder_names(root: Path | None) -> list[str]:
    """What the folders of records are called; `.` is `root` itself."""
    if root is None or not root.is_dir():
        return []
    folders = [root, *sorted(each for each in root.iterdir() if each.is_dir())]
    having = [folder for folder in folders if any(folder.glob("*.jsonl"))]
    return [folder.name if folder != root else "." for folder in having[:MOST_FOLDERS]]


def _describe(root: Path, name: str) -> Benchmark:
    records = open_records(root / name)
    files = len(records.stamp)
    try:
        trials, _ = records.trials()
    except BadInputError as error:
        return Benchmark(name, files, (), 0, str(error).replace(f"{root}/", ""))
    bugs = {bug for each in trials for found in each.records.values() for bug in found}
    return Benchmark(name, files, tuple(each.variant for each in trials), len(bugs), "")


def benchmark_view(root: Path, names: Sequence[str], wanted: Wanted) -> BenchmarkView:
    """The variants in one folder below `root`, or those of two folders beside each other.

    Raises:
        BadInputError: when the records cannot be read, or have no bug in common.
    """
    records = open_records(*(root / name for name in names))
    trials, _ = records.trials()
    comparison = records.comparison()
    variants = [each.variant for each in trials]
    wanted = _completed(wanted, variants, len(open_records(root / names[0]).trials()[0]))
    rows = list(_matrix(trials))
    first = (wanted.page - 1) * PER_PAGE
    return BenchmarkView(
        tuple(names),
        tuple(name for name in folder_names(root) if name not in names),
        comparison,
        chart(trials, comparison, wanted.over),
        tuple(rows[first : first + PER_PAGE]),
        -(-len(rows) // PER_PAGE),
        tuple(variants),
        records.contrast(wanted.left, wanted.right) if wanted.right else None,
        wanted,
    )


def _completed(wanted: Wanted, variants: Sequence[str], of_first: int) -> Wanted:
    """With two different variants, where there are two: of two benchmarks, one of each."""
    left = wanted.left if wanted.left in variants else variants[0]
    others = [name for name in (*variants[of_first:], *variants) if name != left]
    right = wanted.right if wanted.right in others else next(iter(others), "")
    return replace(wanted, left=left, right=right)


def _matrix(trials: Sequence[Trials]) -> Iterator[MatrixRow]:
    bugs = sorted({bug for each in trials for found in each.records.values() for bug in found})
    for bug in bugs:
        yield MatrixRow(bug, tuple(_cell(each, bug) for each in trials))


def _cell(trials: Trials, bug: str) -> Cell:
    records = [found[bug] for found in trials.records.values() if bug in found]
    if not records:
        return Cell("absent", "", f"{trials.variant} has not run {bug}", "")
    kinds = [_kind(record) for record in records]
    kind = next(kind for kind in _MARKS if kind in kinds)
    alike = kinds.count(kind)
    share = f" {alike}/{len(kinds)}" if alike < len(kinds) else ""
    first = next(r for r, each in zip(records, kinds, strict=True) if each == kind)
    after = f" after {first.first_plausible} candidates" if first.first_plausible else ""
    title = f"{trials.variant}: {kind}{share}{after}"
    return Cell(kind, _MARKS[kind] + share, title, first.run)


def _kind(record: BugRecord) -> str:
    if record.verdict == ERROR:
        return "error"
    if record.verdict != PLAUSIBLE:
        return "none"
    known = (CorrectnessLabel.CORRECT.value, CorrectnessLabel.OVERFITTING.value)
    return record.label if record.label in known else "plausible"


def interval(estimate: Estimate) -> str:
    """`12.0 (9.0 to 15.0)`."""
    return f"{estimate.value:.1f} ({estimate.low:.1f} to {estimate.high:.1f})"


def outcomes(matrix: Sequence[MatrixRow]) -> Mapping[str, str]:
    """The kinds of cells that the matrix has, with their marks."""
    met = {cell.kind for row in matrix for cell in row.cells}
    return {kind: mark for kind, mark in _MARKS.items() if kind in met and mark}
