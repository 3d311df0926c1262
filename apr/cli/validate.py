"""`apr validate`: judges patches from elsewhere by the tests, as `apr fix` judges its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from apr.cli import options as o
from apr.cli.groups import grouped
from apr.cli.images import make_ready
from apr.cli.junit import render_junit
from apr.cli.output import check_output, emit, emit_json, emit_rich
from apr.cli.progress import reporting
from apr.cli.request import make_bug, make_settings, open_service
from apr.cli.subject_options import JudgingOptions, PlaceOptions, SuiteOptions
from apr.cli.text import first_line, one_line
from apr.cli.tree import VERDICT_STYLES
from apr.core.diff import FileChange, parse_diff
from apr.core.errors import BadInputError, ExitCode, MalformedDiffError
from apr.core.report import TestResult, ValidationReport
from apr.results.details import baseline_document, report_document

if TYPE_CHECKING:
    from apr.service import Validation

MAX_PATCH_BYTES = 16 << 20
"""Larger than any patch that a reader could judge; what is read takes some thirty times as much."""

STDIN = "-"


class ValidateFormat(StrEnum):
    """What stdout carries."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"


PatchOption = Annotated[
    list[str],
    typer.Option(
        "--patch",
        metavar="FILE",
        help="A unified diff, as git apply takes it; - reads stdin; repeatable.",
    ),
]
ValidateFormatOption = Annotated[
    ValidateFormat,
    typer.Option("--format", rich_help_panel=o.RESULT, help="What stdout carries."),
]


@dataclass(frozen=True, slots=True)
class GivenPatch:
    """A patch from outside: what it is called, and what it says."""

    name: str
    changes: tuple[FileChange, ...]


@grouped
def validate(
    suite: SuiteOptions,
    patch: PatchOption,
    judging: JudgingOptions,
    place: PlaceOptions,
    form: ValidateFormatOption = ValidateFormat.TEXT,
    output: o.OutputOption = None,
    quiet: o.QuietOption = False,
) -> None:
    """Judge given patches by the project's tests.

    The tests are run without a patch first, then with each one, as apr fix does with its own
    candidates: in a sandbox, and what passes is confirmed in fresh ones. The project is only read.
    The exit code is 0 when every patch is plausible and 1 when one is not.
    """
    check_output(output)
    given = read_patches(patch)
    image = place.choose_image()
    bug = make_bug(suite.describe(image))
    settings = make_settings(**suite.settings(), **judging.settings(), **place.settings(image))
    make_ready(image, bug, quiet=quiet)
    with reporting(quiet=quiet) as listener:
        found = open_service().validate(bug, settings, [each.changes for each in given], listener)
    emit_validation([each.name for each in given], found, form, output)
    is_good = all(report.is_plausible for report in found.reports)
    raise typer.Exit(int(ExitCode.OK if is_good else ExitCode.NO_PATCH))


def read_patches(names: Sequence[str]) -> list[GivenPatch]:
    """Read and parse the files named; `-` is stdin.

    Raises:
        BadInputError: when one cannot be read or is no diff.
    """
    if names.count(STDIN) > 1:
        raise BadInputError("--patch - was given twice, but stdin can be read once only")
    given = []
    for name in names:
        try:
            given.append(GivenPatch(name, parse_diff(_read(name))))
        except MalformedDiffError as error:
            raise BadInputError(f"--patch {name}: {error}") from error
    return given


def _read(name: str) -> bytes:
    try:
        if name == STDIN:
            data = sys.stdin.buffer.read(MAX_PATCH_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_PATCH_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInputError(f"--patch {name} cannot be read: {reason}") from error
    if len(data) > MAX_PATCH_BYTES:
        raise BadInputError(f"--patch {name} has more than {MAX_PATCH_BYTES >> 20} MiB")
    return data


def first_failing(report: ValidationReport) -> TestResult | None:
    """The first test that speaks against the patch, if one does."""
    return next((result for result in report.results if result.outcome.is_failure), None)


def emit_validation(
    names: Sequence[str], found: Validation, form: ValidateFormat, output: Path | None
) -> None:
    """The verdicts in the order in which the patches were given."""
    judged = list(zip(names, found.reports, strict=True))
    if form is ValidateFormat.JSON:
        document = {
            "baseline": baseline_document(found.baseline),
            "patches": [patch_document(name, report) for name, report in judged],
        }
        emit_json(document, output)
    elif form is ValidateFormat.JUNIT:
        emit(render_junit(judged), output)
    else:
        emit_rich(render_verdicts(judged), output=output)


def patch_document(name: str, report: ValidationReport) -> dict[str, Any]:
    """What became of one patch."""
    failing = first_failing(report)
    return {
        "patch": name,
        "verdict": report.verdict.value,
        "message": report.message,
        "tests": report_document(report),
        "first_failing": None
        if failing is None
        else {
            "test": failing.test,
            "outcome": failing.outcome.value,
            "message": failing.message,
        },
        "duration_s": report.duration_s,
    }


def render_verdicts(judged: Sequence[tuple[str, ValidationReport]]) -> Table:
    """A line for each patch, and below it what speaks against it."""
    table = Table(box=None, pad_edge=False)
    for title in ("patch", "verdict", "stage", "trigger tests", "others"):
        table.add_column(title, overflow="fold")
    for name, report in judged:
        broken = report.regressions_failed
        table.add_row(
            Text(one_line(name)),
            Text(report.verdict.value, style=VERDICT_STYLES[report.verdict]),
            report.stage.value,
            f"{report.triggers_passed} of {report.triggers_total} pass",
            f"{broken} of {report.regressions_total} broken",
        )
        for reason in describe_reasons(report):
            table.add_row(Text(f"  {reason}", style="dim"))
    return table


def describe_reasons(report: ValidationReport) -> list[str]:
    """The message and the first failing test, if there are any."""
    reasons = [one_line(report.message)] if report.message and not report.is_plausible else []
    failing = first_failing(report)
    if failing is not None and not report.is_plausible:
        said = first_line(failing.message)
        told = f"{one_line(failing.test)} ({failing.outcome.value})"
        reasons.append(f"{told}: {said}" if said else told)
    return reasons
