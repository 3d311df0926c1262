"""`apr runs`, `apr show` and `apr resume`: what was done, and going on with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from apr.cli import options as o
from apr.cli.distribution import DistributionOptions
from apr.cli.execution import choose_format, emit_result, exit_code, report
from apr.cli.groups import grouped
from apr.cli.output import Format, PatchFormat, check_output, emit_json, emit_rich, err_console
from apr.cli.request import find_run_id, open_service
from apr.cli.summary import render_patches, render_summary
from apr.cli.text import count, duration, first_line, one_line, shorten
from apr.core.errors import BadInputError
from apr.core.run import RepairRun, RunStatus
from apr.results.details import RunDetails, brief_document, load_details

STATUS_STYLES = {
    RunStatus.SUCCEEDED: "green",
    RunStatus.RUNNING: "cyan",
    RunStatus.QUEUED: "cyan",
    RunStatus.FAILED: "red",
    RunStatus.INTERRUPTED: "yellow",
}


def list_runs(
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many.")] = 20,
    status: Annotated[
        RunStatus | None, typer.Option("--status", help="Only those of this status.")
    ] = None,
    form: o.FormatOption = Format.TEXT,
) -> None:
    """List the runs, the newest first."""
    runs = open_service().list_runs(limit=limit, status=status)
    if form is Format.JSON:
        emit_json({"runs": [brief_document(run) for run in runs]})
    elif runs:
        emit_rich(render_runs(runs))
    else:
        err_console().print("no runs yet: start one with apr fix PATH")


def render_runs(runs: Sequence[RepairRun]) -> Table:
    """One line a run; its id says when it began."""
    table = Table(box=None, pad_edge=False)
    table.add_column("run", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("patches", justify="right", no_wrap=True)
    table.add_column("tried", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("bug")  # the only one that gives way on a narrow terminal
    for run in runs:
        name = one_line(run.bug.name or run.bug.subject)
        table.add_row(
            run.id,
            Text(run.status.value, style=STATUS_STYLES.get(run.status, "")),
            f"{len(run.patches)}",
            f"{run.usage.candidates:,}",
            duration(run.usage.seconds),
            Text(name, no_wrap=True, overflow="ellipsis"),
        )
    return table


def show(run: o.RunArgument, form: o.PatchFormatOption = None, json: o.JsonOption = False) -> None:
    """Show all about a run: its bug, tests, suspects, patches, cost and settings."""
    wanted = form or (None if json else PatchFormat.TEXT)
    chosen = choose_format(wanted, json=json, output=None)
    service = open_service()
    details = load_details(service, service.get_run(find_run_id(service, run)))
    if chosen is PatchFormat.TEXT:
        emit_rich(render_details(details))
    else:
        emit_result(details, chosen)


def render_details(details: RunDetails) -> RenderableType:
    """The summary, what was asked for, and every patch."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _request_rows(details.run):
        grid.add_row(name, Text(one_line(value)))
    tests = _render_triggers(details)
    patches = [Text(), render_patches(details.run.patches)] if details.run.patches else []
    summary = render_summary(details, exit_code(details.run))
    return Group(summary, Text(), grid, *tests, *patches)


def _request_rows(run: RepairRun) -> Iterator[tuple[str, str]]:
    command = run.bug.test_command
    yield "subject", run.bug.subject
    if run.bug.base_commit:
        yield "commit", run.bug.base_commit
    yield "tests by", " ".join((command.kind.value, *command.argv))
    if command.python:
        yield "python", command.python
    yield "status", f"{run.status.value}{f' ({run.message})' if run.message else ''}"
    yield "began", f"{run.created_at:%Y-%m-%d %H:%M:%S} UTC"
    if run.finished_at:
        yield "ended", f"{run.finished_at:%Y-%m-%d %H:%M:%S} UTC"
    limits = [f"{run.budget.candidates:,} candidates"] if run.budget.candidates else []
    limits += [duration(run.budget.seconds)] if run.budget.seconds else []
    yield "budget", ", ".join(limits) or "none"
    yield "spent", f"{count(run.usage.validations, 'validation')} for {_candidates(run)}"
    yield "settings", ", ".join(f"{k}={_plain(v)}" for k, v in run.settings.items() if _told(v))


def _candidates(run: RepairRun) -> str:
    return count(run.usage.candidates, "candidate")


def _told(value: object) -> bool:
    return value is not None and value != []


def _plain(value: object) -> str:
    return " ".join(str(part) for part in value) if isinstance(value, list) else str(value)


def _render_triggers(details: RunDetails) -> list[RenderableType]:
    if details.baseline is None:
        return []
    table = Table(box=None, pad_edge=False)
    for title in ("trigger test", "outcome", "message"):
        table.add_column(title, overflow="fold")
    for result in details.baseline.failing:
        said = shorten(first_line(result.message), 200)
        row = (one_line(result.test), result.outcome.value, said)
        table.add_row(*(Text(cell) for cell in row))
    return [Text(), table]


def cancel(run: o.RunArgument, quiet: o.QuietOption = False) -> None:
    """Cancel a run that waits or is executed, here or by a worker; it ends within seconds."""
    service = open_service()
    run_id = find_run_id(service, run)
    if not service.cancel_run(run_id):
        status = service.get_run(run_id).status.value
        raise BadInputError(f"run {run_id} has ended already: it is {status}")
    if not quiet:
        err_console().print(f"run {run_id} is cancelled", soft_wrap=True)


@grouped
def resume(
    run: o.RunArgument,
    form: o.PatchFormatOption = None,
    json: o.JsonOption = False,
    output: o.OutputOption = None,
    quiet: o.QuietOption = False,
    *,
    distribution: DistributionOptions,
) -> None:
    """Go on with an interrupted run; nothing that was validated is lost or repeated."""
    queue = distribution.queue()
    chosen = choose_format(form, json=json, output=output)
    check_output(output)
    service = open_service()
    run_id = find_run_id(service, run)
    found = service.get_run(run_id)
    if found.status is RunStatus.SUCCEEDED:
        if not quiet:
            err_console().print(f"run {run_id} has ended already; this is its result")
    else:
        found = distribution.execute(service, run_id, queue, quiet=quiet)
    report(service, found, chosen, output, quiet=quiet)
    raise typer.Exit(int(exit_code(found)))
