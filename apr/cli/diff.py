"""`apr diff`: in what two patches, or a patch and none, behave differently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from apr.cli import options as o
from apr.cli.author_options import AuthorOptions
from apr.cli.groups import grouped
from apr.cli.images import make_ready
from apr.cli.output import Format, check_output, emit_json, emit_rich, err_console
from apr.cli.progress import reporting
from apr.cli.request import make_bug, make_settings, open_service
from apr.cli.subject_options import PlaceOptions, SubjectOptions
from apr.cli.text import count, duration, one_line, printable
from apr.cli.validate import read_patches
from apr.core.errors import BadInputError, EnvironmentUnusableError, ExitCode

if TYPE_CHECKING:
    from validation.patchdiff.model import DiffReport, Discrepancy

COMPARE = "Comparison"

LeftOption = Annotated[
    str,
    typer.Option(
        "--left", metavar="FILE", help="A unified diff, as git apply takes it; - is stdin."
    ),
]
RightOption = Annotated[
    str | None, typer.Option("--right", metavar="FILE", help="The diff to compare it with.")
]
BaseOption = Annotated[
    bool, typer.Option("--base", help="Compare --left with the project as it is, before and after.")
]
TestsOption = Annotated[
    Path | None,
    typer.Option(
        "--tests",
        metavar="DIR",
        rich_help_panel=o.RESULT,
        help="Write the differentiating tests into this folder.",
    ),
]
DiffSecondsOption = Annotated[
    float,
    typer.Option(
        "--seconds",
        metavar="S",
        min=0.1,
        rich_help_panel=COMPARE,
        help="Look for so many seconds; what was found is confirmed after that.",
    ),
]
DiffSeedOption = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        rich_help_panel=COMPARE,
        help="The same seed, the same inputs.",
    ),
]
ConfirmOption = Annotated[
    int,
    typer.Option(
        "--confirm",
        metavar="N",
        min=1,
        rich_help_panel=COMPARE,
        help="In how many fresh sandboxes a difference has to show again.",
    ),
]
WantedOption = Annotated[
    int,
    typer.Option(
        "--differences",
        metavar="N",
        min=1,
        rich_help_panel=COMPARE,
        help="Stop after so many different differences.",
    ),
]


@grouped
def diff(
    subject: SubjectOptions,
    left: LeftOption,
    place: PlaceOptions,
    writer: AuthorOptions,
    right: RightOption = None,
    base: BaseOption = False,
    seconds: DiffSecondsOption = 60.0,
    seed: DiffSeedOption = 0,
    confirm: ConfirmOption = 5,
    differences: WantedOption = 3,
    form: o.FormatOption = Format.TEXT,
    tests: TestsOption = None,
    output: o.OutputOption = None,
    quiet: o.QuietOption = False,
) -> None:
    """Find out how two patches of a Python project behave differently.

    The project's own tests are run to see how they call the functions that the patches change.
    Those calls, and many variations of them, are repeated on both sides, in sandboxes; a
    difference counts when it shows again in fresh ones. The project is only read. With --model, a
    language model writes tests of these functions too, whose calls join those of the suite.

    The exit code is 0 when no difference was found, 1 when the patches behave differently, and
    4 when too little could be run to say either.
    """
    from validation.patchdiff.model import DiffSettings

    check_output(output)
    _check_folder(tests)
    names = _choose_sides(left, right, base=base)
    given = read_patches([name for name in names.values() if name])
    changes = dict(zip((s for s, name in names.items() if name), given, strict=True))
    image = place.choose_image()
    bug = make_bug(subject.describe(image))
    settings = make_settings(**subject.settings(), **place.settings(image))
    how = DiffSettings(seconds=seconds, seed=seed, repeats=confirm, wanted=differences)
    make_ready(image, bug, quiet=quiet)
    diffs = {side: changes[side].changes if side in changes else () for side in names}
    issue = bug.issue_text or ""
    with (
        writer.author(writer.make_purse(), tuple(names), issue, seed) as author,
        reporting(quiet=quiet) as listener,
    ):
        found = open_service().diff(bug, settings, diffs, how, listener, author)
    written = write_tests(found, tests)
    if form is Format.JSON:
        from validation.patchdiff.document import report_document

        emit_json(report_document(found), output)
    else:
        emit_rich(render_report(found), output=output)
    if written and not quiet:
        err_console().print(f"{count(written, 'test')} written to {one_line(tests)}")
    raise typer.Exit(int(exit_code(found)))


def _choose_sides(left: str, right: str | None, *, base: bool) -> dict[str, str | None]:
    """The names of the sides with their files; the base has none."""
    if base and right is not None:
        raise BadInputError("--base compares --left with no patch: drop --right, or --base")
    if not base and right is None:
        raise BadInputError("there is nothing to compare --left with: give --right, or --base")
    return {"left": left, "base": None} if base else {"left": left, "right": right}


def _check_folder(folder: Path | None) -> None:
    if folder is not None and folder.exists() and not folder.is_dir():
        raise BadInputError(f"--tests {folder} is no folder")


def exit_code(report: DiffReport) -> ExitCode:
    """What a comparison means to whoever called the command, as with diff(1)."""
    from validation.patchdiff.model import DiffVerdict

    codes = {DiffVerdict.EQUIVALENT: ExitCode.OK, DiffVerdict.DIVERGENT: ExitCode.NO_PATCH}
    return codes.get(report.verdict, ExitCode.BUDGET)


def write_tests(report: DiffReport, folder: Path | None) -> int:
    """Write the proven tests into the folder, which is made if need be; how many there were.

    Raises:
        EnvironmentUnusableError: when they cannot be written.
    """
    if folder is None:
        return 0
    proven = list(proven_tests(report))
    try:
        if proven:
            folder.mkdir(parents=True, exist_ok=True)
        for name, text in proven:
            (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    except OSError as error:
        reason = error.strerror
        raise EnvironmentUnusableError(f"cannot write tests to {folder}: {reason}") from error
    return len(proven)


def proven_tests(report: DiffReport) -> Iterator[tuple[str, str]]:
    """Names and texts of all tests that were seen to pass on one side and to fail on another."""
    for found in report.discrepancies:
        if found.witness is not None and found.witness.is_proven:
            yield found.witness.name, found.witness.text
    for written in report.written.differences if report.written is not None else ():
        yield written.test.name, written.test.text


def render_report(report: DiffReport) -> RenderableType:
    """The verdict, each difference as a question, and the evidence."""
    styles = {"divergent": "bold red", "undecided": "bold yellow"}
    style = styles.get(report.verdict.value, "bold green")
    parts: list[RenderableType] = [
        Text(one_line(f"{report.verdict.value}: {report.reason}"), style=style)
    ]
    for number, found in enumerate(report.discrepancies, 1):
        parts += [Text(), Text(f"{number}. {one_line(found.question)}", style="bold")]
        parts += [Text(f"   {line}") for line in _details(found)]
        if found.witness is not None:
            code = found.witness.text.partition('"""\n\n')[2].strip().split("\n")
            shown = "\n".join(f"      {printable(line)}".rstrip() for line in code)
            parts.append(Text(shown, style="dim"))
    parts += _written_tests(report)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _evidence(report):
        grid.add_row(name, Text(value))
    return Group(*parts, Text(), grid)


def _written_tests(report: DiffReport) -> Iterator[RenderableType]:
    for each in report.written.differences if report.written is not None else ():
        outcomes = zip(report.versions, each.difference.outcomes, strict=True)
        said = ", ".join(f"{version} {outcome.value}" for version, outcome in outcomes)
        yield Text()
        yield Text(f"{each.test.name}: {said}", style="bold")
        shown = "\n".join(f"      {printable(line)}" for line in each.test.text.splitlines())
        yield Text(shown, style="dim")


def _details(found: Discrepancy) -> Iterator[str]:
    aspects = ", ".join(aspect.value for aspect in found.aspects)
    times = count(found.confirmation.runs, "fresh sandbox", "fresh sandboxes")
    where = found.call.test
    seen = f", as {one_line(where)} calls it" if where and found.call.origin == "observed" else ""
    yield f"{found.target}: {aspects}; {times}{seen}"
    if found.base is not None:
        from validation.patchdiff.render import show_outcome

        yield one_line(f"without a patch: {show_outcome(found.base, found.aspects)}")
    witness = found.witness
    if witness is None:
        yield "no test can be written of it"
    else:
        proven = "passes on" if witness.is_proven else "not proven: should pass on"
        sides = f"{', '.join(witness.passes)}, fails on {', '.join(witness.fails)}"
        yield f"{witness.name} {proven} {sides}"


def _evidence(report: DiffReport) -> Iterator[tuple[str, str]]:
    for index, each in enumerate(report.suite[:3]):
        told = zip(report.versions, each.outcomes, strict=True)
        outcomes = ", ".join(f"{name} {outcome.value}" for name, outcome in told)
        yield "" if index else "suite", f"{one_line(each.test)}: {outcomes}"
    for index, found in enumerate(report.invalid[:3]):
        yield "" if index else "invalid", one_line(f"{found.question} ({found.invalid})")
    yield "called", ", ".join(one_line(str(target)) for target in report.targets) or "nothing"
    inputs = count(report.executions, "input")
    yield "inputs", f"{inputs}, from {count(report.observed, 'call')} of the suite"
    if report.skipped:
        yield "", f"{count(report.skipped, 'call')} could not be described"
    yield "reached", _reached(report.versions, report)
    if report.written is not None:
        counts = ", ".join(f"{number} {name}" for name, number in report.written.counts.items())
        yield "written", f"{count(report.written.total, 'test')}: {counts or 'none'}"
    if report.rejected:
        yield "rejected", f"{count(report.rejected, 'difference')} that chance may explain"
    yield "took", duration(report.duration_s)


def _reached(names: Sequence[str], report: DiffReport) -> str:
    told = zip(names, report.coverage, strict=True)
    return ", ".join(f"{name} {c.reached} of {c.total} differing lines" for name, c in told)
