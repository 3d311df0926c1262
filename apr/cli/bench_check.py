"""`apr bench check`: may patches be judged by the bugs of a benchmark?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from apr.cli import options as o
from apr.cli.bench_options import (
    BenchFormat,
    BenchFormatOption,
    DirectoryOption,
    OnlyOption,
    RedoOption,
)
from apr.cli.comparing import markdown_row
from apr.cli.evaluate_options import Conditions
from apr.cli.groups import grouped
from apr.cli.guard import BenchInterruptedError
from apr.cli.output import emit, emit_json, emit_rich, err_console
from apr.cli.request import make_settings
from apr.cli.text import count, duration, one_line
from apr.core.errors import BadInputError, ExitCode
from validation.temporary import temporary_folder

if TYPE_CHECKING:
    from apr.bench.check import BugCheck, CheckFile, CheckTotals
    from apr.datasets.dataset import Dataset
    from apr.settings import RunSettings

app = typer.Typer(
    no_args_is_help=True,
    help="Check that without a patch a bug's tests fail, and with the reference patch none.",
)
COLUMNS = ("bug", "verdict", "trigger tests", "others", "flaky", "seconds", "why")
WorkersOption = Annotated[
    int, typer.Option("--workers", metavar="N", min=1, help="Check so many bugs at once.")
]


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """Which bugs are checked, how many at once, and where the records go."""

    only: OnlyOption = None
    workers: WorkersOption = 1
    output: DirectoryOption = None
    redo: RedoOption = False
    form: BenchFormatOption = BenchFormat.TEXT
    quiet: o.QuietOption = False

    @property
    def names(self) -> tuple[str, ...] | None:
        """The bugs asked for; None: all."""
        return tuple(self.only) if self.only else None

    def open_file(
        self, benchmark: str, protocol: Mapping[str, Any], names: Collection[str]
    ) -> CheckFile:
        """The records of the benchmark's checks, those to be redone dropped."""
        from apr.bench.check import CheckFile

        path = None if self.output is None else self.output / f"{benchmark}.checks.jsonl"
        return CheckFile(path, protocol, names if self.redo else ())


@dataclass(frozen=True, slots=True)
class CheckOptions(RecordOptions):
    """What all benchmarks are asked alike whose bugs are repaired, too."""

    repeats: o.RepeatsOption = 3
    test_timeout: o.TestTimeoutOption = 60.0
    memory: o.MemoryOption = 2048
    sandbox: o.SandboxOption = o.Sandbox.AUTO

    def settings(self) -> RunSettings:
        """How the tests are run: nothing that was measured before is believed."""
        return make_settings(
            sandbox=self.sandbox.value,
            memory_mib=self.memory,
            repeats=self.repeats,
            test_timeout_s=self.test_timeout,
            jobs=1,
            reuse_baseline=False,
        )


@app.command("quixbugs")
@grouped
def quixbugs(
    root: Annotated[Path, typer.Option("--root", metavar="DIR", help="A checkout of QuixBugs.")],
    options: CheckOptions,
) -> None:
    """Check QuixBugs' programs."""

    def load(work: Path) -> Dataset:
        from apr.datasets import quixbugs as dataset

        return dataset.load(root, work, options.names)

    run_check(load, options)


@app.command("humanevalfix")
@grouped
def humanevalfix(
    data: Annotated[Path, typer.Option("--data", metavar="FILE", help="A JSON-lines file of it.")],
    options: CheckOptions,
) -> None:
    """Check HumanEvalFix's programs."""

    def load(work: Path) -> Dataset:
        from apr.datasets import humanevalfix as dataset

        return dataset.load(data, work, options.names)

    run_check(load, options)


@app.command("folder")
@grouped
def folder(
    root: Annotated[
        Path, typer.Option("--root", metavar="DIR", help="Bugs, one bug.toml or bug.json each.")
    ],
    options: CheckOptions,
) -> None:
    """Check the bugs that files below a folder describe."""

    def load(_work: Path) -> Dataset:
        from apr.datasets import folder as dataset

        return dataset.load(root, options.names)

    run_check(load, options)


@app.command("swebench")
@grouped
def swebench(
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            metavar="FILE|NAME",
            help="JSON(L), parquet, or a published dataset such as lite or verified.",
        ),
    ],
    conditions: Conditions,
    options: RecordOptions,
    split: Annotated[
        str, typer.Option("--split", metavar="NAME", help="Of a published dataset.")
    ] = "test",
) -> None:
    """Check instances of SWE-bench as its official harness would judge the developers' patches.

    Test by test: FAIL_TO_PASS has to fail without a patch and to pass with it, and PASS_TO_PASS to
    pass with it.
    """
    from apr.cli.swebench_checks import check_instances

    check_instances(dataset, split, conditions, options)


def run_check(load: Callable[[Path], Dataset], options: CheckOptions) -> None:
    """Check what has no record yet, and print the records of all."""
    from apr.cli.checks import check_bug

    settings = options.settings()
    with working_folder(options) as work:
        dataset = load(work)
        bugs = {bug.name: bug for bug in dataset.bugs}
        file = options.open_file(dataset.name, settings.model_dump(mode="json"), bugs)
        check_missing(
            list(bugs), lambda name: check_bug(dataset, bugs[name], settings), file, options
        )
    finish(dataset.name, [file.done[name] for name in bugs], options.form)


@contextmanager
def working_folder(options: RecordOptions) -> Iterator[Path]:
    """Where subjects are made: beside the records, or where nothing stays."""
    if options.output is None:
        with temporary_folder("check") as work:
            yield work
        return
    if options.output.exists() and not options.output.is_dir():
        raise BadInputError(f"--output {options.output} is a file: name a folder")
    yield options.output / "subjects"


def check_missing(
    names: Sequence[str],
    check: Callable[[str], BugCheck],
    file: CheckFile,
    options: RecordOptions,
) -> None:
    """Check the bugs without a verdict, several at once, and keep each record as it comes.

    Raises:
        BenchInterruptedError: when the user stops it; what was finished is kept.
    """
    console = err_console()
    missing = [name for name in names if not file.has_verdict(name)]
    pool = ThreadPoolExecutor(options.workers)
    futures = [pool.submit(check, name) for name in missing]
    try:
        for future in as_completed(futures):
            found = future.result()
            file.add(found)
            if not options.quiet:
                done = sum(name in file.done for name in names)
                console.print(f"[{done}/{len(names)}] {describe(found)}", soft_wrap=True)
    except KeyboardInterrupt:
        raise BenchInterruptedError(len(file.done), len(names)) from None
    finally:
        pool.shutdown(cancel_futures=True)


def describe(check: BugCheck) -> str:
    """One line about a bug."""
    said = f": {one_line(check.message)}" if check.message else ""
    return f"{one_line(check.bug)}: {check.verdict}{said}, {duration(check.wall_s)}"


def finish(benchmark: str, checks: Sequence[BugCheck], form: BenchFormat) -> None:
    """Print the checks, and say by the exit code whether every bug counts."""
    from apr.bench.check import total

    totals = total(checks)
    if form is BenchFormat.JSON:
        emit_json(
            {
                "benchmark": benchmark,
                "totals": {**asdict(totals), "all_count": totals.all_count},
                "bugs": [{**asdict(check), "counts": check.counts} for check in checks],
            }
        )
    elif form is BenchFormat.MARKDOWN:
        rows = [COLUMNS, ["---"] * len(COLUMNS), *map(cells, checks)]
        emit("\n".join([*map(markdown_row, rows), "", describe_totals(totals)]) + "\n")
    else:
        emit_rich(render_table(checks), Text(), Text(describe_totals(totals), style="bold"))
    raise typer.Exit(int(ExitCode.OK if totals.all_count else ExitCode.NO_PATCH))


def cells(check: BugCheck) -> tuple[str, ...]:
    """The cells of one bug's line, as in `COLUMNS`."""
    return (
        one_line(check.bug),
        check.verdict,
        str(check.triggers or ""),
        str(check.regressions or ""),
        ", ".join(map(one_line, check.flaky)),
        f"{check.wall_s:.1f}",
        one_line(check.message),
    )


def render_table(checks: Sequence[BugCheck]) -> Table:
    """The checks as a table for a terminal."""
    styles = {"sound": "green", "error": "bold red"}
    table = Table(box=None, pad_edge=False)
    for title in COLUMNS:
        right = title in ("trigger tests", "others", "seconds")
        table.add_column(title, justify="right" if right else "left", overflow="fold")
    for check in checks:
        style = styles.get(check.verdict, "yellow")
        first, verdict, *others = cells(check)
        table.add_row(Text(first), Text(verdict, style=style), *map(Text, others))
    return table


def describe_totals(totals: CheckTotals) -> str:
    """How many count, and what keeps the others from it."""
    others = [
        f"{number} {name}" for name, number in sorted(totals.verdicts.items()) if name != "sound"
    ]
    flaky = f"; {totals.flaky} of them with flaky tests, set aside" if totals.flaky else ""
    left = f"; {', '.join(others)}" if others else ""
    return f"{totals.verdicts.get('sound', 0)} of {count(totals.bugs, 'bug')} count{flaky}{left}"
