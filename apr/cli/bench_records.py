"""The bugs of one benchmark as a table with their totals: text, Markdown and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from apr.bench.records import BugRecord
from apr.cli.bench_options import BenchFormat
from apr.cli.benchmark import total
from apr.cli.comparing import markdown_row
from apr.cli.output import emit, emit_json, emit_rich
from apr.cli.text import count, duration, one_line

COLUMNS = (
    *("bug", "verdict", "label", "to first", "candidates", "search"),
    *("exact", "behaves", "change"),
)
BESIDE = ("exact", "behaves")
"""Columns of the comparison with the reference version, shown where there was one."""


def describe_record(record: BugRecord) -> str:
    """One line about a bug."""
    if record.verdict == "error":
        return f"{one_line(record.bug)}: error: {one_line(record.message)}"
    label = f" ({record.label})" if record.verdict == "plausible" else ""
    spent = f"{count(record.candidates, 'candidate')}, {duration(record.wall_s)}"
    return f"{one_line(record.bug)}: {record.verdict}{label}, {spent}"


def emit_records(name: str, records: Sequence[BugRecord], form: BenchFormat) -> None:
    """The table of all bugs with their totals, on stdout."""
    if form is BenchFormat.JSON:
        totals = asdict(total(records))
        emit_json({"benchmark": name, "totals": totals, "bugs": [asdict(r) for r in records]})
    elif form is BenchFormat.MARKDOWN:
        emit(render_markdown(records))
    else:
        emit_rich(render_records(records), Text(), Text(describe_totals(records), style="bold"))


def record_cells(record: BugRecord) -> tuple[str, ...]:
    """The cells of one bug's line, as in `COLUMNS`."""
    plausible = record.verdict == "plausible"
    return (
        one_line(record.bug),
        record.verdict,
        record.label if plausible else "",
        f"{record.first_plausible:,}" if record.first_plausible is not None else "",
        f"{record.candidates:,}",
        f"{record.seconds:.1f} s",
        {None: "", True: "yes", False: "no"}[record.exact],
        record.divergence.partition("-as-")[0],
        one_line(record.origin or (record.message if record.verdict == "error" else "")),
    )


def describe_totals(records: Sequence[BugRecord]) -> str:
    """Plausible, correct and overfitting are three counts over the same denominator."""
    totals = total(records)
    median = "" if totals.median_first is None else f"; median to first {totals.median_first:g}"
    unknown = totals.plausible - totals.correct - totals.overfitting
    others = f", {unknown} not told apart" if unknown else ""
    others += f"; {count(totals.errors, 'error')}" if totals.errors else ""
    return (
        f"{totals.plausible} plausible of {totals.bugs}: {totals.correct} correct,"
        f" {totals.overfitting} overfitting{others}{_beside(records)};"
        f" {totals.candidates:,} candidates in {duration(totals.seconds)} of search{median}"
    )


def _beside(records: Sequence[BugRecord]) -> str:
    """How the patches compare with the reference version, as far as that was looked at."""
    totals = total(records)
    told = [] if all(record.exact is None for record in records) else [f"{totals.exact} exact"]
    if any(record.divergence for record in records):
        told.append(f"{totals.divergent} divergent")
    return f"; {', '.join(told)}" if told else ""


def _shown(records: Sequence[BugRecord]) -> list[int]:
    """The columns that say anything."""
    rows = [record_cells(record) for record in records]
    return [
        index
        for index, title in enumerate(COLUMNS)
        if title not in BESIDE or any(row[index] for row in rows)
    ]


def render_records(records: Sequence[BugRecord]) -> Table:
    """The records as a table for a terminal."""
    styles = {"plausible": "green", "error": "bold red", "overfitting": "yellow"}
    table = Table(box=None, pad_edge=False)
    shown = _shown(records)
    for title in (COLUMNS[index] for index in shown):
        right = title in ("to first", "candidates", "search")
        table.add_column(title, justify="right" if right else "left", overflow="fold")
    for record in records:
        cells = record_cells(record)
        table.add_row(*(Text(cells[i], style=styles.get(cells[i], "")) for i in shown))
    return table


def render_markdown(records: Sequence[BugRecord]) -> str:
    """The records as a Markdown table."""
    shown = _shown(records)
    lines = [markdown_row([COLUMNS[index] for index in shown]), markdown_row(["---"] * len(shown))]
    lines += [markdown_row([record_cells(record)[i] for i in shown]) for record in records]
    return "\n".join([*lines, "", describe_totals(records)]) + "\n"
