"""Benchmark records as tables, a matrix of variants and bugs, and curves of bugs fixed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from apr.bench.comparison import Comparison, Contrast, Summary, Trials, compare
from apr.bench.finished import load_trials
from apr.bench.journal import ERROR
from apr.bench.records import PLAUSIBLE, BugRecord
from apr.bench.statistics import Estimate
from apr.core.errors import BadInputError
from apr.core.report import CorrectnessLabel

WIDTH, HEIGHT, LEFT, BELOW, ABOVE, RIGHT = 640, 260, 44, 34, 14, 16
DASHES = ("", "7 4", "2 4", "10 4 2 4", "4 2")
"""One a variant, so that curves differ without colour."""
MOST_FOLDERS = 200
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
class Curve:
    """Bugs fixed over candidates, as the points of a line in pixels."""

    variant: str
    number: int
    points: str
    dashes: str
    end_x: float
    end_y: float
    last: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis, in pixels."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves with their axes."""

    curves: tuple[Curve, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class BenchmarkView:
    """One benchmark: the comparison of its variants, drawn and tabled."""

    name: str
    comparison: Comparison
    chart: Chart
    matrix: tuple[MatrixRow, ...]
    variants: tuple[str, ...]
    contrast: Contrast | None
    left: str
    right: str


def list_benchmarks(root: Path | None) -> tuple[Benchmark, ...]:
    """The folders of records below `root`, and `root` itself where it holds some."""
    if root is None or not root.is_dir():
        return ()
    folders = [root, *sorted(each for each in root.iterdir() if each.is_dir())]
    having = [folder for folder in folders if any(folder.glob("*.jsonl"))]
    return tuple(_describe(root, folder) for folder in having[:MOST_FOLDERS])


def _describe(root: Path, folder: Path) -> Benchmark:
    name = "." if folder == root else folder.name
    files = len(list(folder.glob("*.jsonl")))
    try:
        trials, _ = load_trials([str(folder)])
    except BadInputError as error:
        return Benchmark(name, files, (), 0, str(error).replace(f"{root}/", ""))
    bugs = {bug for each in trials for records in each.records.values() for bug in records}
    return Benchmark(name, files, tuple(each.variant for each in trials), len(bugs), "")


def find_folder(root: Path | None, name: str) -> Path | None:
    """The folder of that name, which is one that is listed."""
    known = {benchmark.name for benchmark in list_benchmarks(root)}
    return root / name if root is not None and name in known else None


def benchmark_view(name: str, folder: Path, left: str = "", right: str = "") -> BenchmarkView:
    """The variants in `folder`; `left` and `right` are the two that are compared in detail.

    Raises:
        BadInputError: when its records cannot be read, or have no bug in common.
    """
    trials, budget = load_trials([str(folder)])
    names = [each.variant for each in trials]
    left = left if left in names else names[0]
    right = right if right in names and right != left else next((n for n in names if n != left), "")
    comparison = compare(trials, budget)
    return BenchmarkView(
        name,
        comparison,
        make_chart(comparison.summaries, len(comparison.bugs)),
        tuple(_matrix(trials)),
        tuple(names),
        _contrast(trials, budget, left, right) if right else None,
        left,
        right,
    )


def _contrast(trials: Sequence[Trials], budget: int, left: str, right: str) -> Contrast:
    by_name = {each.variant: each for each in trials}
    return compare([by_name[left], by_name[right]], budget).contrasts[0]


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


def make_chart(summaries: Sequence[Summary], bugs: int) -> Chart:
    """Bugs fixed within so many candidates, whose axis doubles from step to step."""
    steps = [candidates for candidates, _ in summaries[0].curve]
    across = (WIDTH - LEFT - RIGHT) / max(1, len(steps) - 1)
    up = (HEIGHT - ABOVE - BELOW) / max(1, bugs)
    every = max(1, -(-bugs // 5))
    thin = max(1, -(-len(steps) // 9))
    return Chart(
        tuple(_curve(n, each, across, up) for n, each in enumerate(summaries)),
        tuple(
            Tick(LEFT + place * across, f"{step:,}")
            for place, step in enumerate(steps)
            if place % thin == 0 or place == len(steps) - 1
        ),
        tuple(Tick(HEIGHT - BELOW - n * up, str(n)) for n in range(0, bugs + 1, every)),
    )


def _curve(number: int, summary: Summary, across: float, up: float) -> Curve:
    points = [
        (LEFT + place * across, HEIGHT - BELOW - estimate.value * up)
        for place, (_, estimate) in enumerate(summary.curve)
    ]
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    last = f"{summary.curve[-1][1].value:g}"
    return Curve(summary.variant, number, text, DASHES[number % len(DASHES)], x, y, last)


def interval(estimate: Estimate) -> str:
    """`12.0 (9.0 to 15.0)`."""
    return f"{estimate.value:.1f} ({estimate.low:.1f} to {estimate.high:.1f})"


def outcomes(matrix: Sequence[MatrixRow]) -> Mapping[str, str]:
    """The kinds of cells that the matrix has, with their marks."""
    met = {cell.kind for row in matrix for cell in row.cells}
    return {kind: mark for kind, mark in _MARKS.items() if kind in met and mark}
