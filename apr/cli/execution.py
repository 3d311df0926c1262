"""Executes a run with progress, and turns its end into an exit code and a result on stdout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from apr.cli.guard import RunInterruptedError
from apr.cli.output import PatchFormat, emit, emit_json, emit_rich, err_console, explain
from apr.cli.progress import reporting
from apr.cli.summary import render_patches, render_summary
from apr.cli.text import one_line
from apr.core.errors import BadInputError, ExitCode
from apr.core.run import RepairRun, RunStatus
from apr.results.details import RunDetails, load_details, run_document

if TYPE_CHECKING:
    from apr.service import Service

_STOPPED_BY_TIME = "seconds"
_STOPPED_BY_BUDGET = "budget"


def exit_code(run: RepairRun) -> ExitCode:
    """What a finished run means to whoever called the command.

    The end of the candidates is a verdict about the search space; the end of the time, the money
    or the tokens is not.
    """
    if run.status is RunStatus.SUCCEEDED:
        return ExitCode.OK
    if run.status is RunStatus.INTERRUPTED:
        return ExitCode.INTERRUPTED
    if run.status is RunStatus.FAILED:
        return ExitCode.ENVIRONMENT
    limit = run.budget.candidates
    candidates_spent = limit is not None and run.usage.candidates >= limit
    if run.message == _STOPPED_BY_TIME:
        return ExitCode.BUDGET
    if run.message == _STOPPED_BY_BUDGET and not candidates_spent:
        return ExitCode.BUDGET
    return ExitCode.NO_PATCH


def execute(service: Service, run_id: str, *, quiet: bool) -> RepairRun:
    """Execute a run, or go on with it, while its progress is shown.

    Raises:
        RunInterruptedError: when the user stopped it; it is saved.
    """
    try:
        with reporting(quiet=quiet) as listener:
            return service.execute_run(run_id, listener)
    except KeyboardInterrupt:
        raise RunInterruptedError(run_id) from None


def choose_format(chosen: PatchFormat | None, *, json: bool, output: Path | None) -> PatchFormat:
    """The format asked for, or else what suits the destination: text only for a terminal.

    Raises:
        BadInputError: when two different ones were asked for.
    """
    if json and chosen not in (None, PatchFormat.JSON):
        raise BadInputError(f"--json contradicts --format {chosen}")
    if json:
        return PatchFormat.JSON
    if chosen is not None:
        return chosen
    to_terminal = output is None and sys.stdout.isatty()
    return PatchFormat.TEXT if to_terminal else PatchFormat.DIFF


def report(
    service: Service, run: RepairRun, form: PatchFormat, output: Path | None, *, quiet: bool
) -> None:
    """The result on stdout or in `output`, and what to make of it on stderr."""
    details = load_details(service, run)
    emit_result(details, form, output)
    if not quiet:
        explain(render_summary(details, exit_code(run)))
        if output is not None and (run.patches or form is not PatchFormat.DIFF):
            err_console().print(f"written to {one_line(output)}", soft_wrap=True)


def emit_result(details: RunDetails, form: PatchFormat, output: Path | None = None) -> None:
    """The patches of a run; as a diff the best one alone, and nothing at all without one."""
    if form is PatchFormat.JSON:
        emit_json(run_document(details), output)
    elif form is PatchFormat.DIFF:
        if details.run.patches:
            emit(details.run.patches[0].diff, output)
    else:
        emit_rich(render_patches(details.run.patches), output=output)
