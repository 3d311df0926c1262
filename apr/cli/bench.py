"""`apr bench`: repairs the bugs of a public benchmark, and compares ways to search for repairs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from apr.cli import options as o
from apr.cli.bench_bugsinpy import bugsinpy
from apr.cli.bench_check import app as check_app
from apr.cli.bench_compare import compare
from apr.cli.bench_curves import curves
from apr.cli.bench_defects4j import check_defects4j, defects4j
from apr.cli.bench_folder import folder
from apr.cli.bench_options import BenchFormat, BenchOptions
from apr.cli.bench_patchdiff import patchdiff
from apr.cli.bench_programs import (
    HumanEvalFixOption,
    LanguageOption,
    QuixBugsOption,
    humanevalfix_loader,
    quixbugs_loader,
)
from apr.cli.bench_swebench import swebench
from apr.cli.groups import grouped
from apr.cli.guard import BenchInterruptedError
from apr.cli.model_options import ModelOptions
from apr.cli.output import emit, emit_json, emit_rich, err_console
from apr.cli.progress import reporting
from apr.cli.request import make_settings, open_service
from apr.cli.text import one_line, shorten
from apr.core.errors import BadInputError
from validation.temporary import temporary_folder

if TYPE_CHECKING:
    from rich.console import Console

    from apr.bench.comparison import Comparison
    from apr.bench.matrix import Matrix
    from apr.bench.records import BugRecord, Protocol
    from apr.cli.crew import Task
    from apr.cli.trials import Plan
    from apr.core.run import Budget
    from apr.datasets.dataset import Dataset
    from apr.settings import RunSettings

app = typer.Typer(no_args_is_help=False, help="Repair the bugs of a public benchmark.")
app.command("patchdiff")(patchdiff)
app.command("bugsinpy")(bugsinpy)
app.command("folder")(folder)
app.command("compare")(compare)
app.command("curves")(curves)
app.add_typer(check_app, name="check")
app.command("defects4j")(defects4j)
check_app.command("defects4j")(check_defects4j)
app.command("swebench")(swebench)


@app.command("quixbugs")
@grouped
def quixbugs(
    root: QuixBugsOption,
    options: BenchOptions,
    language_model: ModelOptions,
    language: LanguageOption = "python",
) -> None:
    """Repair QuixBugs' 40 programs (Lin et al. 2017), in Python or Java, from a checkout of it."""
    load = quixbugs_loader(root, language, options.names)
    run_benchmark("quixbugs", load, options, language_model)


@app.command("humanevalfix")
@grouped
def humanevalfix(
    data: HumanEvalFixOption,
    options: BenchOptions,
    language_model: ModelOptions,
    language: LanguageOption = "python",
) -> None:
    """Repair HumanEvalFix's programs (Muennighoff et al. 2023), from its published file."""
    load = humanevalfix_loader(data, language, options.names)
    run_benchmark("humanevalfix", load, options, language_model)


def run_benchmark(
    name: str,
    load: Callable[[Path], Dataset],
    request: BenchOptions,
    language_model: ModelOptions,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Plan:
    """Run what has no record yet, then print the records of every bug asked for.

    `more` are settings of the runs that are this benchmark's own.
    """
    from apr.cli.trials import make_protocols, open_plan

    if request.output is not None and request.output.exists() and not request.output.is_dir():
        raise BadInputError(f"--output {request.output} is a file: name a folder")
    protocols = make_protocols(*_conditions(request, language_model, more))
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
    return plan


def _conditions(
    request: BenchOptions, language_model: ModelOptions, more: Mapping[str, Any]
) -> tuple[RunSettings, Budget, str | None, tuple[int, ...], float]:
    """What `make_protocols` wants to know."""
    if request.compare is not None and request.policy is not None:
        raise BadInputError("--policy contradicts --compare: name the policy in each variant")
    settings = make_settings(
        sandbox=request.sandbox.value,
        jobs=request.jobs or (1 if request.workers > 1 else None),
        policy=(request.policy or o.Policy.MCTS).value,
        test_timeout_s=request.test_timeout,
        **language_model.settings(),
        localization=request.chosen_localization or more.get("localization", "spectrum"),
        **{name: value for name, value in more.items() if name != "localization"},
        # What one run has found out must not speed up another: it has a budget of seconds too.
        cache=request.reuse_verdicts,
        reuse_baseline=not request.no_cache,
    )
    budget = language_model.budget(request.candidates, request.seconds)
    return settings, budget, request.compare, request.chosen_seeds(), request.divergence


def _run_missing(plan: Plan, request: BenchOptions) -> None:
    from apr.cli.bench_records import describe_record
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
        from apr.cli.bench_records import emit_records

        (file,) = plan.files.values()
        emit_records(name, [file.done[bug.name] for bug in plan.dataset.bugs], request.form)


def emit_comparison(
    comparison: Comparison, form: BenchFormat, matrix: Matrix | None = None
) -> None:
    """The tables of a comparison, on stdout."""
    from apr.cli.comparing import comparison_document, render_markdown, render_text

    if form is BenchFormat.JSON:
        emit_json(comparison_document(comparison, matrix))
    elif form is BenchFormat.MARKDOWN:
        emit(render_markdown(comparison, matrix))
    else:
        emit_rich(*render_text(comparison, matrix))
