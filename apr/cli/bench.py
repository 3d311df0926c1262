"""`apr bench`: repairs the bugs of a public benchmark, and compares ways to search for repairs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
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
from apr.cli.text import count, duration, one_line, shorten
from apr.core.errors import BadInputError
from validation.temporary import temporary_folder

if TYPE_CHECKING:
    from rich.console import Console

    from apr.bench.comparison import Comparison
    from apr.bench.records import BugRecord, Protocol
    from apr.cli.crew import Task
    from apr.cli.trials import Plan
    from apr.core.run import Budget
    from apr.datasets.dataset import Dataset
    from apr.settings import RunSettings

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
CompareOption = Annotated[
    str | None,
    typer.Option(
        "--compare",
        metavar="A,B,C",
        rich_help_panel=o.SEARCH,
        help="Run these variants on the same bugs and compare the first with the others. A variant"
        " is a policy with settings: mcts, mcts+judge=0.5, mcts+no-feedback, mcts+depth=1,"
        " trial-and-error.",
    ),
]
SeedsOption = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        metavar="0,1,2",
        rich_help_panel=o.SEARCH,
        help="Run every bug with each of these seeds; 0-4 means five.",
    ),
]
BenchSeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        rich_help_panel=o.SEARCH,
        help="The same seed gives the same search. Default: 0.",
    ),
]
BenchPolicyOption = Annotated[
    o.Policy | None,
    typer.Option(
        "--policy",
        rich_help_panel=o.SEARCH,
        help="Tree search, or a search without rewards. Default: mcts.",
    ),
]
WorkersOption = Annotated[
    int,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Processes that run bugs side by side; --jobs is then 1 by default.",
    ),
]
BaselineOption = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        rich_help_panel=o.TESTS,
        help="Measure every run's baseline anew, not once for all runs of a bug.",
    ),
]
ReuseOption = Annotated[
    bool,
    typer.Option(
        "--reuse-verdicts",
        rich_help_panel=o.TESTS,
        help="Judge equal programs once for all runs. Candidates are counted as before, but"
        " seconds no longer compare.",
    ),
]
BenchFormatOption = Annotated[
    BenchFormat, typer.Option("--format", rich_help_panel=o.RESULT, help="What stdout carries.")
]


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What all benchmarks are asked alike."""

    candidates: o.CandidatesOption = None
    seconds: BenchSecondsOption = 120.0
    seed: BenchSeedOption = None
    seeds: SeedsOption = None
    policy: BenchPolicyOption = None
    compare: CompareOption = None
    workers: WorkersOption = 1
    no_cache: BaselineOption = False
    reuse_verdicts: ReuseOption = False
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

    @property
    def is_comparison(self) -> bool:
        """Whether variants or seeds are compared, rather than bugs listed."""
        return self.compare is not None or self.seeds is not None

    def chosen_seeds(self) -> tuple[int, ...]:
        """The seeds asked for.

        Raises:
            BadInputError: when they make no sense.
        """
        from apr.cli.trials import parse_seeds

        if self.seeds is None:
            return (self.seed or 0,)
        if self.seed is not None:
            raise BadInputError("--seed contradicts --seeds: give one of them")
        return parse_seeds(self.seeds)


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
    from apr.cli.trials import make_protocols, open_plan

    if request.output is not None and request.output.exists() and not request.output.is_dir():
        raise BadInputError(f"--output {request.output} is a file: name a folder")
    protocols = make_protocols(*_conditions(request, language_model))
    with ExitStack() as stack:
        if request.output is None:
            work = stack.enter_context(temporary_folder("bench"))
        else:
            work = request.output / "subjects"
        dataset = load(work)
        forget = {bug.name for bug in dataset.bugs} if request.redo else ()
        apart = request.is_comparison
        plan = open_plan(dataset, protocols, request.output, forget, apart=apart)
        _run_missing(plan, request)
    _emit(name, plan, request)


def _conditions(
    request: BenchOptions, language_model: ModelOptions
) -> tuple[RunSettings, Budget, str | None, tuple[int, ...]]:
    """What `make_protocols` wants to know."""
    if request.compare is not None and request.policy is not None:
        raise BadInputError("--policy contradicts --compare: name the policy in each variant")
    settings = make_settings(
        sandbox=request.sandbox.value,
        jobs=request.jobs or (1 if request.workers > 1 else None),
        policy=(request.policy or o.Policy.MCTS).value,
        test_timeout_s=request.test_timeout,
        **language_model.settings(),
        # What one run has found out must not speed up another: it has a budget of seconds too.
        cache=request.reuse_verdicts,
        reuse_baseline=not request.no_cache,
    )
    budget = language_model.budget(request.candidates, request.seconds)
    return settings, budget, request.compare, request.chosen_seeds()


def _run_missing(plan: Plan, request: BenchOptions) -> None:
    from apr.cli.trials import run_in_turn, run_with_workers

    service = open_service()  # whatever is wrong with the store is said before any worker starts
    console = err_console()

    def keep(task: Task, record: BugRecord) -> None:
        plan.keep(task, record)
        if not request.quiet:
            place = f"[{plan.done}/{plan.total}]{describe_trial(task.protocol)}"
            console.print(f"{place} {describe_record(record)}", soft_wrap=True)

    try:
        if request.workers == 1:
            watch = partial(reporting, quiet=request.quiet, lasting=False)
            run_in_turn(plan, service, watch, keep)
        else:
            with _watching(console, plan, quiet=request.quiet) as tell:
                run_with_workers(plan, request.workers, keep, tell)
    except KeyboardInterrupt:
        kept = plan.done if request.output else 0
        raise BenchInterruptedError(kept, plan.total) from None


@contextmanager
def _watching(
    console: Console, plan: Plan, *, quiet: bool
) -> Iterator[Callable[[Sequence[Task]], None]]:
    """Shows on a terminal what the workers are busy with."""
    if quiet or not sys.stderr.isatty() or console.is_dumb_terminal:
        yield lambda tasks: None
        return
    with console.status("") as status:

        def tell(tasks: Sequence[Task]) -> None:
            names = (f"{one_line(t.bug.name)}{describe_trial(t.protocol)}" for t in tasks)
            line = f"{plan.done} of {plan.total} done; {', '.join(names)}"
            status.update(Text(shorten(line, max(20, console.width - 4)), no_wrap=True))

        yield tell


def describe_trial(protocol: Protocol) -> str:
    """Which variant and seed a line is about; nothing where there is only one."""
    return f" {one_line(protocol.variant)} seed {protocol.seed}" if protocol.variant else ""


def _emit(name: str, plan: Plan, request: BenchOptions) -> None:
    if request.is_comparison:
        from apr.bench.comparison import compare

        (budget,) = {protocol.budget.candidates or 0 for protocol in plan.files}
        emit_comparison(compare(plan.trials(), budget), request.form)
    else:
        (file,) = plan.files.values()
        emit_records(name, [file.done[bug.name] for bug in plan.dataset.bugs], request.form)


@app.command("compare")
def compare_finished(
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Folders given as --output, files in them, or LABEL=PATH to give them a name.",
        ),
    ],
    first: Annotated[
        str | None,
        typer.Option("--first", metavar="VARIANT", help="Compare this variant with all others."),
    ] = None,
    form: BenchFormatOption = BenchFormat.TEXT,
) -> None:
    """Compare what earlier benchmarks have recorded, bug by bug; nothing is run."""
    from apr.bench.comparison import compare
    from apr.bench.finished import load_trials

    trials, budget = load_trials(places)
    names = [each.variant for each in trials]
    if first is not None and first not in names:
        raise BadInputError(f"--first {first} is none of the variants: {', '.join(names)}")
    trials.sort(key=lambda each: each.variant != first)
    emit_comparison(compare(trials, budget), form)


def emit_comparison(comparison: Comparison, form: BenchFormat) -> None:
    """The tables of a comparison, on stdout."""
    from apr.cli.comparing import comparison_document, render_markdown, render_text

    if form is BenchFormat.JSON:
        emit_json(comparison_document(comparison))
    elif form is BenchFormat.MARKDOWN:
        emit(render_markdown(comparison))
    else:
        emit_rich(*render_text(comparison))


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
    from apr.cli.comparing import markdown_row

    lines = [markdown_row(COLUMNS), markdown_row(["---"] * len(COLUMNS))]
    lines += [markdown_row(record_cells(record)) for record in records]
    return "\n".join([*lines, "", describe_totals(records)]) + "\n"
