"""A comparison as one HTML page that needs nothing else: tables, curves, and every bug by run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from apr.bench.comparison import Comparison, Trials
from apr.bench.matrix import Cell, Matrix, Row, make_matrix
from apr.cli.comparing import NOTE, Sheet, cell_text, describe, run_name, sheets
from apr.cli.curve_svg import render_curves
from apr.cli.text import count, printable

STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --dim: #57606a; --good: #116329; --bad: #a40e26;
  --warn: #7d4e00 }
@media (prefers-color-scheme: dark) { :root { --line: #444c56; --dim: #9ea7b3; --good: #7ee787;
  --bad: #ffa198; --warn: #e3b341 } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: .5rem 0 1.5rem }
caption { font-weight: 600; padding: .3rem 0; text-align: left }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .6rem; text-align: left }
th { font-weight: 600 }
.note { color: var(--dim) }
.correct { color: var(--good) }
.overfitting, .plausible { color: var(--warn) }
.error { color: var(--bad) }
.differs th { border-left: 4px solid var(--warn) }
svg { height: auto; max-width: 100% }
"""
TITLE = "Benchmark runs compared"


def render_page(comparison: Comparison, trials: Sequence[Trials]) -> str:
    """The whole page. `trials` are those that were compared, with bugs that not all have run."""
    matrix = make_matrix(trials)
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{TITLE}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        f"<h1>{TITLE}</h1>",
        f"<p>{_text(describe(comparison))}.</p>",
        *(_table(sheet) for sheet in sheets(comparison)),
        f'<p class="note">{_text(NOTE)}</p>',
        "<h2>Curves</h2>",
        render_curves(trials, "Bugs fixed, of all runs").strip(),
        "<h2>Every bug</h2>",
        f"<p>{_text(_matrix_note(matrix))}</p>",
        *_matrix(matrix),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _table(sheet: Sheet) -> str:
    head = "".join(f'<th scope="col">{_text(title)}</th>' for title in sheet.header)
    rows = "\n".join(
        f'<tr><th scope="row">{_text(row[0])}</th>'
        + "".join(f"<td>{_text(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in sheet.rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{_text(sheet.title)}">\n'
        f"<table>\n<caption>{_text(sheet.title)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
    )


def _matrix_note(matrix: Matrix) -> str:
    different = sum(row.differs for row in matrix.rows)
    return (
        f"{count(len(matrix.rows), 'bug')}; {different:,} of them mended by some runs and not by"
        " others, marked at the left. The number counts candidates up to the first plausible one."
    )


def _matrix(matrix: Matrix) -> Iterator[str]:
    head = "".join(f'<th scope="col">{_text(run_name(c, matrix))}</th>' for c in matrix.columns)
    yield '<div class="wide" tabindex="0" role="region" aria-label="Every bug by run">'
    yield "<table>\n<caption>Bugs by runs</caption>"
    yield f'<thead><tr><th scope="col">bug</th>{head}</tr></thead>\n<tbody>'
    yield from map(_matrix_row, matrix.rows)
    yield "</tbody>\n</table>\n</div>"


def _matrix_row(row: Row) -> str:
    mark = ' class="differs"' if row.differs else ""
    cells = "".join(map(_matrix_cell, row.cells))
    return f'<tr{mark}><th scope="row">{_text(row.bug)}</th>{cells}</tr>'


def _matrix_cell(cell: Cell) -> str:
    return f'<td class="{_text(cell.outcome)}">{_text(cell_text(cell))}</td>'


def _text(text: object) -> str:
    return escape(printable(str(text)), quote=True)
