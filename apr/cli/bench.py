"""`apr bench`: repairs the bugs of a public benchmark and counts what came of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from apr.cli import options as o
from apr.cli.groups import grouped
from apr.cli.guard import BenchInterruptedError
from apr.cli.model_options import ModelOptions
from apr.cli.output import emit, emit_json, emit_rich, err_console
from apr.cli.progress import reporting
from apr.cli.request import make_settings, open_service
from apr.cli.text import count, duration, one_line
from apr.core.errors import BadInputError
from validation.temporary import temporary_folder

if TYPE_CHECKING:
    from apr.cli.benchmark import BugRecord, Protocol, RecordFile
    from apr.datasets.dataset import Dataset

app = typer.Typer(no_args_is_help=False, help="Repair the bugs of a public benchmark.")

COLUMNS = ("bug", "verdict", "label", "to first", "candidates", "search", "change")


class BenchFormat(StrEnum):
    """What stdout carries."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME", help="Only this bug; repeatable."),
]
BenchSecondsOption = Annotated[
    float, typer.Option("--seconds", metavar="S", min=0.1, help="Seconds of search for each bug.")
]
DirectoryOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="DIR",
        help="Keep a record of each bug here; the same command again goes on where it stopped.",
    ),
]
RedoOption = Annotated[
    bool, typer.Option("--redo", help="Run the bugs again that have a record in --output.")
]
BenchFormatOption = Annotated[
    BenchFormat, typer.Option("--format", rich_help_panel=o.RESULT, help="What stdout carries.")
]


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What all benchmarks are asked alike."""

    candidates: o.CandidatesOption = None
    seconds: BenchSecondsOption = 120.0
    seed: o.SeedOption = 0
    policy: o.PolicyOption = o.Policy.MCTS
    test_timeout: o.TestTimeoutOption = 30.0
    sandbox: o.SandboxOption = o.Sandbox.AUTO
    jobs: o.JobsOption = None
    only: OnlyOption = None
    output: DirectoryOption = None
    redo: RedoOption = False
    form: BenchFormatOption = BenchFormat.TEXT
    quiet: o.QuietOption = False

    @property
    def names(self) -> tuple[str, ...] | None:
        """The bugs asked for; None: all."""
        return tuple(self.only) if self.only else None


@app.command("quixbugs")
@grouped
def quixbugs(
    root: Annotated[Path, typer.Option("--root", metavar="DIR", help="A checkout of QuixBugs.")],
    options: BenchOptions,
    language_model: ModelOptions,
) -> None:
    """Repair QuixBugs' 40 Python programs (Lin et al. 2017), from a checkout of it."""

    def load(work: Path) -> Dataset:
        from apr.datasets import quixbugs as dataset

        return dataset.load(root, work, options.names)

    run_benchmark("quixbugs", load, options, language_model)


@app.command("humanevalfix")
@grouped
def humanevalfix(
    data: Annotated[Path, typer.Option("--data", metavar="FILE", help="A JSON-lines file of it.")],
    options: BenchOptions,
    language_model: ModelOptions,
    language: Annotated[
        str, typer.Option("--language", metavar="NAME", help="The programs' language.")
    ] = "python",
) -> None:
    """Repair HumanEvalFix's programs (Muennighoff et al. 2023), from its published file."""

    def load(work: Path) -> Dataset:
        from apr.datasets import humanevalfix as dataset

        return dataset.load(data, work, options.names, language)

    run_benchmark("humanevalfix", load, options, language_model)


def run_benchmark(
    name: str,
    load: Callable[[Path], Dataset],
    request: BenchOptions,
    language_model: ModelOptions,
) -> None:
    """Run what has no record yet, then print the records of every bug asked for."""
    from apr.cli.benchmark import Protocol, RecordFile

    if request.output is not None and request.output.exists() and not request.output.is_dir():
        raise BadInputError(f"--output {request.output} is a file: name a folder")
    settings = make_settings(
        sandbox=request.sandbox.value,
        jobs=request.jobs,
        policy=request.policy.value,
        test_timeout_s=request.test_timeout,
        **language_model.settings(),
        cache=False,  # what an earlier benchmark has found out must not speed up this one
    )
    budget = language_model.budget(request.candidates, request.seconds)
    protocol = Protocol(settings, budget, request.seed)
    with ExitStack() as stack:
        if request.output is None:
            work = stack.enter_context(temporary_folder("bench"))
        else:
            work = request.output / "subjects"
        dataset = load(work)
        path = request.output / f"{name}.jsonl" if request.output else None
        forget = {bug.name for bug in dataset.bugs} if request.redo else ()
        records = RecordFile(path, protocol, forget)
        _run_missing(dataset, protocol, records, request)
    emit_records(name, [records.done[bug.name] for bug in dataset.bugs], request.form)


def _run_missing(
    dataset: Dataset, protocol: Protocol, records: RecordFile, request: BenchOptions
) -> None:
    from apr.cli.benchmark import run_bug

    service = open_service()
    console = err_console()
    try:
        for position, bug in enumerate(dataset.bugs, 1):
            place = f"[{position}/{len(dataset)}]"
            if records.has_verdict(bug.name):
                continue
            with reporting(quiet=request.quiet, lasting=False) as listener:
                record = run_bug(service, dataset, bug, protocol, listener)
            records.add(record)
            if not request.quiet:
                console.print(f"{place} {describe_record(record)}", soft_wrap=True)
    except KeyboardInterrupt:
        kept = len(records.done) if request.output else 0
        raise BenchInterruptedError(kept, len(dataset)) from None


def describe_record(record: BugRecord) -> str:
    """One line about a bug."""
    if record.verdict == "error":
        return f"{one_line(record.bug)}: error: {one_line(record.message)}"
    label = f" ({record.label})" if record.verdict == "plausible" else ""
    spent = f"{count(record.candidates, 'candidate')}, {duration(record.wall_s)}"
    return f"{one_line(record.bug)}: {record.verdict}{label}, {spent}"


def emit_records(name: str, records: Sequence[BugRecord], form: BenchFormat) -> None:
    """The table of all bugs with their totals, on stdout."""
    from apr.cli.benchmark import total

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
        one_line(record.origin or (record.message if record.verdict == "error" else "")),
    )


def describe_totals(records: Sequence[BugRecord]) -> str:
    """Plausible, correct and overfitting are three counts over the same denominator."""
    from apr.cli.benchmark import total

    totals = total(records)
    median = "" if totals.median_first is None else f"; median to first {totals.median_first:g}"
    unknown = totals.plausible - totals.correct - totals.overfitting
    others = f", {unknown} not told apart" if unknown else ""
    others += f"; {count(totals.errors, 'error')}" if totals.errors else ""
    return (
        f"{totals.plausible} plausible of {totals.bugs}: {totals.correct} correct,"
        f" {totals.overfitting} overfitting{others}; {totals.candidates:,} candidates in"
        f" {duration(totals.seconds)} of search{median}"
    )


def render_records(records: Sequence[BugRecord]) -> Table:
    """The records as a table for a terminal."""
    styles = {"plausible": "green", "error": "bold red", "overfitting": "yellow"}
    table = Table(box=None, pad_edge=False)
    for title in COLUMNS:
        right = title in ("to first", "candidates", "search")
        table.add_column(title, justify="right" if right else "left", overflow="fold")
    for record in records:
        table.add_row(*(Text(cell, style=styles.get(cell, "")) for cell in record_cells(record)))
    return table


def render_markdown(records: Sequence[BugRecord]) -> str:
    """The records as a Markdown table."""
    lines = [_markdown_row(COLUMNS), _markdown_row(["---"] * len(COLUMNS))]
    lines += [_markdown_row(record_cells(record)) for record in records]
    return "\n".join([*lines, "", describe_totals(records)]) + "\n"


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
