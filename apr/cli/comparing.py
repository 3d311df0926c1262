"""A comparison of variants as tables for a terminal, as Markdown, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from apr.bench.comparison import Comparison, Contrast, Difference, Summary
from apr.bench.matrix import Cell, Column, Matrix
from apr.bench.statistics import Estimate
from apr.cli.text import count, duration, one_line

NOTE = (
    "In brackets: 95 % intervals, percentile bootstrap over bugs. Counts are bugs, averaged over"
    " the seeds. First: mean candidates to the first plausible patch, an unsolved bug counted"
    " with the whole budget. p: exact McNemar test for bugs with one seed, else a sign-flip"
    " permutation test over bugs, two-sided."
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table before it is drawn: a title, and rows of cells below a header."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sheets(comparison: Comparison) -> list[Sheet]:
    """All that a comparison says, in tables."""
    contrasts = [_contrast(each) for each in comparison.contrasts]
    return [_fixed(comparison), *contrasts, _curve(comparison), _spent(comparison)]


def describe(comparison: Comparison) -> str:
    """What was compared."""
    seeds = ", ".join(map(str, comparison.seeds))
    word = "seed" if len(comparison.seeds) == 1 else "seeds"
    bugs = count(len(comparison.bugs), "bug")
    return f"{bugs}, {word} {seeds}, {comparison.budget:,} candidates each"


def _fixed(comparison: Comparison) -> Sheet:
    header = ("variant", "plausible", "correct", "overfitting", "errors", "first")
    rows = tuple(
        (
            one_line(each.variant),
            interval(each.plausible),
            interval(each.correct),
            interval(each.overfitting),
            number(each.errors),
            interval(each.first),
        )
        for each in comparison.summaries
    )
    return Sheet(f"Bugs of {len(comparison.bugs)}", header, rows)


def _contrast(contrast: Contrast) -> Sheet:
    left, right = one_line(contrast.left), one_line(contrast.right)
    header = ("", left, right, "difference", "ratio", "p")
    rows = [_difference(part) for part in contrast.differences]
    only = (", ".join(map(one_line, each)) for each in (contrast.left_only, contrast.right_only))
    rows.append(("fixed with more of the seeds", *(names or "none" for names in only), "", "", ""))
    return Sheet(f"{left} against {right}, paired by bug", header, tuple(rows))


def _difference(part: Difference) -> tuple[str, ...]:
    return (
        part.measure,
        number(part.left),
        number(part.right),
        interval(part.difference, signed=True),
        interval(part.ratio, digits=2),
        probability(part.p),
    )


def _curve(comparison: Comparison) -> Sheet:
    budgets = [budget for budget, _ in comparison.summaries[0].curve]
    header = ("variant", *(f"{budget:,}" for budget in budgets))
    rows = tuple(
        (one_line(each.variant), *(interval(found) for _, found in each.curve))
        for each in comparison.summaries
    )
    return Sheet("Bugs fixed within so many candidates", header, rows)


def _spent(comparison: Comparison) -> Sheet:
    header = (
        *("variant", "candidates", "validations", "search"),
        *("calls", "tokens", "US dollars", "out of time"),
    )
    rows = tuple(_spent_row(each) for each in comparison.summaries)
    return Sheet("Spent on all bugs, per seed", header, rows)


def _spent_row(summary: Summary) -> tuple[str, ...]:
    spent = summary.spent
    return (
        one_line(summary.variant),
        number(spent.candidates),
        number(spent.validations),
        duration(spent.seconds),
        number(spent.calls),
        number(spent.tokens),
        f"{spent.cost_usd:.4f}",
        number(spent.out_of_time),
    )


def matrix_sheet(matrix: Matrix) -> Sheet:
    """Every bug by run; `*` stands before bugs that some runs mend and others do not."""
    header = ("bug", *(run_name(column, matrix) for column in matrix.columns))
    rows = tuple(
        (f"{'* ' if row.differs else ''}{one_line(row.bug)}", *map(cell_text, row.cells))
        for row in matrix.rows
    )
    return Sheet("Bugs by runs, with the candidates to the first plausible patch", header, rows)


def run_name(column: Column, matrix: Matrix) -> str:
    """A run as the matrix calls it: its seed is told where there are several."""
    name = one_line(column.variant)
    several = len({each.seed for each in matrix.columns}) > 1
    return f"{name}, seed {column.seed}" if several else name


def cell_text(cell: Cell) -> str:
    """A cell of the matrix in words."""
    return cell.outcome if cell.first is None else f"{cell.outcome}, {cell.first:,}"


def number(value: float, digits: int = 1, *, signed: bool = False) -> str:
    """A number without needless zeros: `1,234`, `0.25`, `+3.5`."""
    if math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    sign = "+" if signed else ""
    text = f"{round(value, digits) + 0.0:{sign},.{digits}f}"  # the sum makes a zero of -0.0
    return text.rstrip("0").rstrip(".") if "." in text else text


def interval(estimate: Estimate, digits: int = 1, *, signed: bool = False) -> str:
    """A value with its interval in brackets."""
    value, low, high = (
        number(each, digits, signed=signed)
        for each in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} [{low}, {high}]"


def probability(p: float) -> str:
    """A p-value as papers print it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def render_markdown(comparison: Comparison, matrix: Matrix | None = None) -> str:
    """The comparison as Markdown tables, the matrix as the last one if there is one."""
    parts = [describe(comparison) + "."]
    for sheet in _with_matrix(comparison, matrix):
        rows = [sheet.header, ("---",) * len(sheet.header), *sheet.rows]
        parts.append(f"**{sheet.title}**")
        parts.append("\n".join(markdown_row(row) for row in rows))
    return "\n\n".join([*parts, NOTE]) + "\n"


def markdown_row(cells: Sequence[str]) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _with_matrix(comparison: Comparison, matrix: Matrix | None) -> list[Sheet]:
    return [*sheets(comparison), *([] if matrix is None else [matrix_sheet(matrix)])]


def render_text(comparison: Comparison, matrix: Matrix | None = None) -> list[RenderableType]:
    """The comparison as tables for a terminal, the matrix as the last one if there is one."""
    parts: list[RenderableType] = [Text(describe(comparison), style="bold")]
    for sheet in _with_matrix(comparison, matrix):
        table = Table(box=None, pad_edge=False)
        for title in sheet.header:
            table.add_column(title, overflow="fold")
        for row in sheet.rows:
            table.add_row(*map(Text, row))
        parts += [Text(), Text(sheet.title, style="bold"), table]
    return [*parts, Text(), Text(NOTE, style="dim")]


def comparison_document(comparison: Comparison, matrix: Matrix | None = None) -> dict[str, Any]:
    """The comparison as JSON; what is infinite or undefined becomes null."""
    found: dict[str, Any] = _finite(asdict(comparison))
    return found if matrix is None else found | {"matrix": asdict(matrix)}


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, (list, tuple)) else value
