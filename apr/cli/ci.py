"""`apr ci`: a repair as a step of continuous integration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from apr.cli import options as o
from apr.cli.execution import execute, exit_code
from apr.cli.fix import FixOptions
from apr.cli.groups import grouped
from apr.cli.images import make_ready
from apr.cli.model_options import ModelOptions
from apr.cli.output import emit, err_console, explain
from apr.cli.request import make_bug, make_settings, open_service
from apr.cli.subject_options import JudgingOptions, PlaceOptions, SuiteOptions
from apr.cli.summary import render_summary
from apr.core.bug import Bug
from apr.core.errors import BadInputError, EnvironmentUnusableError, ExitCode, NotReproducedError
from apr.results.details import RunDetails, load_details
from apr.results.files import FILES
from apr.results.markdown import MARKER

PANEL = "Continuous integration"


class Gate(StrEnum):
    """What makes the step fail."""

    NEVER = "never"  # whatever comes of it: the job's own tests are the gate
    UNREPAIRED = "unrepaired"  # tests fail, and no plausible patch was found
    FAILING = "failing"  # tests fail, whether a patch was found or not


@dataclass(frozen=True, slots=True)
class CiOptions:
    """What a job brings along and takes away."""

    report: Annotated[
        list[Path] | None,
        typer.Option(
            "--report",
            metavar="FILE",
            rich_help_panel=PANEL,
            help="JUnit report of the failed job; may be repeated. Default: run the tests.",
        ),
    ] = None
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="DIR", rich_help_panel=PANEL, help="Folder for the files of the job."
        ),
    ] = Path("apr-results")
    gate: Annotated[
        Gate,
        typer.Option("--gate", rich_help_panel=PANEL, help="What makes this step fail."),
    ] = Gate.UNREPAIRED


@grouped
def ci(
    suite: SuiteOptions,
    judging: JudgingOptions,
    search: FixOptions,
    place: PlaceOptions,
    job: CiOptions,
    quiet: o.QuietOption = False,
    *,
    language_model: ModelOptions,
) -> None:
    """Repair what a job's tests show, and leave files that the job can use.

    The folder --out gets summary.md (for a comment on a pull request), run.sarif, junit.xml,
    predictions.jsonl, report.html, run.json and, if a patch was found, patch.diff. Without a
    failing test there is nothing to do, and the exit code is 0.
    """
    folder = _make_folder(job.out)
    image = place.choose_image()
    request = replace(suite.describe(image), issue=search.issue, name=search.name)
    settings = make_settings(
        cache=not suite.no_cache,
        **suite.settings(),
        **judging.settings(),
        **search.settings(),
        **place.settings(image),
        **language_model.settings(),
    )
    budget = language_model.budget(search.candidates, search.seconds)
    try:
        bug = _only_reported(make_bug(request), job.report)
        make_ready(image, bug, quiet=quiet)
        service = open_service()
        submitted = service.submit_run(bug, settings, budget, search.seed)
        run = execute(service, submitted.id, quiet=quiet)
    except NotReproducedError as error:
        emit(f"{MARKER}\n### APR: nothing to repair\n\n{error}\n", folder / "summary.md")
        err_console().print(f"nothing to repair: {error}", soft_wrap=True)
        return
    details = load_details(service, run)
    write_results(details, folder)
    if not quiet:
        explain(render_summary(details, exit_code(run)))
        err_console().print(f"written to {folder}", soft_wrap=True)
    raise typer.Exit(int(gated(exit_code(run), job.gate)))


def gated(code: ExitCode, gate: Gate) -> ExitCode:
    """The exit code of the step: a broken environment or a bad request is never let through."""
    if code not in (ExitCode.OK, ExitCode.NO_PATCH, ExitCode.BUDGET):
        return code
    if gate is Gate.NEVER:
        return ExitCode.OK
    return ExitCode.NO_PATCH if gate is Gate.FAILING else code


def write_results(details: RunDetails, folder: Path) -> None:
    """Write every file of a run.

    Raises:
        EnvironmentUnusableError: when one cannot be written.
    """
    for name, file in FILES.items():
        text = file.render(details)
        if text is not None:
            emit(text, folder / name.value)


def _only_reported(bug: Bug, reports: list[Path] | None) -> Bug:
    """The bug that the failing tests of reports show; without reports, whatever fails."""
    if not reports:
        return bug
    from validation.runners.junit import read_failing

    subject = Path(bug.subject)
    found = [
        test
        for report in reports
        for test in read_failing(_read(report), subject, bug.test_command.kind)
    ]
    if not found and not bug.trigger_tests:
        raise NotReproducedError("no test fails in the reports")
    return replace(bug, trigger_tests=tuple(dict.fromkeys((*bug.trigger_tests, *found))))


def _read(report: Path) -> bytes:
    try:
        return report.read_bytes()
    except OSError as error:
        raise BadInputError(f"--report {report} cannot be read: {error.strerror}") from error


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"--out {folder} cannot be made: {error.strerror}") from error
    for stale in folder.glob("patch.diff"):  # of an earlier job: it would be taken for this one's
        try:
            stale.unlink()
        except OSError as error:
            raise EnvironmentUnusableError(
                f"{stale} cannot be removed: {error.strerror}"
            ) from error
    return folder
