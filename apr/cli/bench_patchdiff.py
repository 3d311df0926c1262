"""`apr bench patchdiff`: how often predicted patches behave differently from the reference."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from apr.cli import options as o
from apr.cli.author_options import AuthorOptions
from apr.cli.bench_options import OnlyOption, PythonOption, RepositoriesOption, RowsOption
from apr.cli.groups import grouped
from apr.cli.guard import BenchInterruptedError
from apr.cli.output import Format, emit, emit_json, emit_rich, err_console
from apr.cli.request import make_settings
from apr.cli.text import count, one_line
from apr.core.errors import BadInputError

if TYPE_CHECKING:
    from apr.bench.divergence import ComparisonFile, PatchComparison
    from apr.cli.divergences import Conditions
    from apr.datasets.swebench.instances import Instance, Prediction
    from apr.datasets.swebench.local import Places

Question = tuple["Instance", "Prediction"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is compared, and from where."""

    dataset: RowsOption
    predictions: Annotated[
        Path, typer.Option("--predictions", metavar="FILE", help="Predictions of it: JSON(L).")
    ]
    repositories: RepositoriesOption
    only: OnlyOption = None
    python: PythonOption = None


@dataclass(frozen=True, slots=True)
class Effort:
    """How each pair of patches is compared."""

    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", min=0.1, help="Look so long at each patch.")
    ] = 60.0
    confirm: Annotated[
        int, typer.Option("--confirm", metavar="N", min=1, help="Fresh sandboxes for each.")
    ] = 5
    seed: o.SeedOption = 0
    sandbox: o.SandboxOption = o.Sandbox.AUTO
    memory: o.MemoryOption = 3072
    test_timeout: o.TestTimeoutOption = 60.0

    def conditions(self, places: Places, writer: AuthorOptions) -> Conditions:
        """What all comparisons have in common."""
        from apr.cli.divergences import SIDES, Conditions
        from validation.patchdiff.model import DiffSettings

        settings = make_settings(
            sandbox=self.sandbox.value, memory_mib=self.memory, test_timeout_s=self.test_timeout
        )
        how = DiffSettings(
            seconds=self.seconds,
            trace_s=2 * self.seconds,
            seed=self.seed,
            repeats=self.confirm,
        )
        purse = writer.make_purse()
        return Conditions(
            places, settings, how, lambda issue: writer.author(purse, SIDES, issue, self.seed)
        )


WorkersOption = Annotated[
    int, typer.Option("--workers", metavar="N", min=1, help="Compare so many at once.")
]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="DIR",
        help="Keep records here, and report.html; the same command goes on where it stopped.",
    ),
]


@grouped
def patchdiff(
    inputs: Inputs,
    effort: Effort,
    writer: AuthorOptions,
    workers: WorkersOption = 1,
    output: FolderOption = None,
    form: o.FormatOption = Format.TEXT,
    quiet: o.QuietOption = False,
) -> None:
    """Compare predicted patches of SWE-bench with the developers', by behaviour.

    Give plausible patches only (those that a judge resolved): others differ anyway. Each
    instance is checked out from a local clone and runs on Python 3.11 in an environment that is
    built once; which versions do is known (see docs/adr/0012).
    """
    from apr.bench.divergence import ComparisonFile
    from apr.datasets.swebench.local import Places
    from apr.settings import default_cache_dir

    questions = read_questions(inputs.dataset, inputs.predictions, inputs.only)
    if not inputs.repositories.is_dir():
        raise BadInputError(f"--repositories {inputs.repositories} is no folder")
    places = Places(inputs.repositories.resolve(), default_cache_dir(), inputs.python)
    path = None if output is None else output / "comparisons.jsonl"
    protocol = {**asdict(effort), "python": inputs.python}
    if writer.model is not None:
        protocol["writer"] = asdict(writer)
    file = ComparisonFile(path, protocol)
    conditions = effort.conditions(places, writer)
    records = run_missing(questions, conditions, file, workers, quiet=quiet)
    emit_comparisons(records, form, output)


def read_questions(dataset: Path, predictions: Path, only: Sequence[str] | None) -> list[Question]:
    """Each prediction with its instance, those of instances that were not asked for left out.

    Raises:
        BadInputError: when nothing is left, or a prediction's instance is not in the dataset.
    """
    from apr.datasets.swebench.instances import load_instances, load_predictions

    named = [p for p in load_predictions(predictions) if not only or p.instance_id in only]
    given = [each for each in named if each.patch.strip()]
    if not given:
        raise BadInputError(f"{predictions} has no patch for what was asked")
    instances = load_instances(dataset, {each.instance_id for each in given})
    missing = sorted({each.instance_id for each in given} - set(instances))
    if missing:
        raise BadInputError(f"{dataset} lacks {', '.join(missing)}")
    return [(instances[each.instance_id], each) for each in given]


def run_missing(
    questions: Sequence[Question],
    conditions: Conditions,
    file: ComparisonFile,
    workers: int,
    *,
    quiet: bool,
) -> list[PatchComparison]:
    """Answer what has no record yet; the records of all, in the order of the questions.

    Raises:
        BenchInterruptedError: when the user stops it; what was finished is kept.
    """
    from apr.cli.divergences import compare_prediction, digest_of

    keys = [(i.instance_id, p.tool, digest_of(p)) for i, p in questions]
    todo = {k: q for k, q in zip(keys, questions, strict=True) if not file.has_verdict(k)}
    console = err_console()
    pool = ThreadPoolExecutor(workers)
    futures = [
        pool.submit(compare_prediction, instance, prediction, conditions, lambda kind, data: None)
        for instance, prediction in todo.values()
    ]
    try:
        for future in futures:
            record = future.result()
            file.add(record)
            if not quiet:
                place = f"[{len(file.done)}/{len(set(keys))}]"
                console.print(f"{place} {describe(record)}", soft_wrap=True)
    except KeyboardInterrupt:
        raise BenchInterruptedError(len(file.done), len(set(keys))) from None
    finally:
        pool.shutdown(cancel_futures=True)
    return [file.done[key] for key in dict.fromkeys(keys)]


def describe(record: PatchComparison) -> str:
    """One line about a comparison."""
    kinds = f" ({', '.join(dict.fromkeys(record.kinds))})" if record.kinds else ""
    name = one_line(f"{record.instance} {record.tool}")
    return f"{name}: {record.verdict}{kinds}: {one_line(record.message)}"


def emit_comparisons(records: Sequence[PatchComparison], form: Format, output: Path | None) -> None:
    """The rates on stdout, and with `output` the page beside the records."""
    from apr.bench.divergence import summarize
    from apr.cli.divergence_page import render_page

    if output is not None:
        emit(render_page(records), output / "report.html")
    rates = summarize(records)
    if form is Format.JSON:
        emit_json(
            {
                "total": rates.total,
                "instances": rates.instances,
                "verdicts": dict(rates.verdicts),
                "kinds": dict(rates.kinds),
                "divergent": rates.divergent,
                "proven": rates.proven,
                "wording": rates.wording,
                "internal": rates.internal,
                "comparisons": [asdict(record) for record in records],
            }
        )
        return
    table = Table(box=None, pad_edge=False)
    for title in ("instance", "tool", "verdict", "kind", "seconds"):
        table.add_column(title, overflow="fold")
    for each in records:
        kinds = ", ".join(dict.fromkeys(each.kinds))
        row = (each.instance, each.tool, each.verdict, kinds, f"{each.wall_s:.0f}")
        table.add_row(*(Text(one_line(cell)) for cell in row))
    told = ", ".join(f"{number} {name}" for name, number in sorted(rates.verdicts.items()))
    patches = count(rates.total, "patch", "patches")
    said = f"{patches} on {count(rates.instances, 'instance')}: {told}"
    alone = f"{rates.wording} in words alone, {rates.internal} on private functions alone"
    emit_rich(Group(table, Text(), Text(f"{said}; {rates.divergent:.1%} divergent ({alone})")))
